package rule

import (
	"cmp"
	"fmt"
	"slices"
)

// An ID names a rule: "question-reason" in lower case, words joined by hyphens, such as
// "store-secure-over-http". An ID is never reused and never renamed, so that it may stand in log
// searches, saved runs and documents. IDs of notes begin with "note-".
type ID string

// A Rule says when a question is answered in one way.
type Rule struct {
	ID       ID     `json:"id"`
	Source   string `json:"source"`   // where it is written: an RFC and its section, or a Django setting
	Sentence string `json:"sentence"` // what holds, in one sentence
	Fix      string `json:"fix"`      // what to change when this answer is not the one that was wanted
	Scenario string `json:"scenario"` // a run that gives exactly this verdict, in the language of scenarios
}

// A Set collects the rules of one package, declared beside the code that decides by them. The
// zero Set is empty and ready.
type Set struct {
	rules []Rule
}

// Add puts r into the set and returns its ID, so that a rule and the name by which code refers to
// it are one declaration:
//
//	var storeEmpty = rules.Add(rule.Rule{ID: "store-empty", ...})
//
// It panics when the set already holds the ID, which is a mistake of the program and shows when
// the program starts.
func (s *Set) Add(r Rule) ID {
	for _, have := range s.rules {
		if have.ID == r.ID {
			panic(fmt.Sprintf("rule: %q is declared twice", r.ID))
		}
	}
	s.rules = append(s.rules, r)
	return r.ID
}

// All returns the rules of the set, ordered by ID. The slice is the caller's.
func (s *Set) All() []Rule {
	all := slices.Clone(s.rules)
	slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
