package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// conclude adds to the last hop of a visit what only the whole visit tells.
func (v Visit) conclude() {
	last := v.Last()
	d, ok := DiagnoseLoop(v.Hops)
	if !ok && last.saysLoop && !last.Known {
		d, ok = toldLoop(last), true
	}
	if ok {
		last.Verdicts = append(last.Verdicts, d)
	}
}

// Diagnosis returns the verdict that explains why the redirects of a visit do not end.
func (v Visit) Diagnosis() (rule.Verdict, bool) { return v.Last().Verdict(rule.ExplainLoop, "") }

// Diagnosed tells a diagnosis in words: what comes again, and why.
func Diagnosed(v rule.Verdict, sentence string) string {
	hop, known := v.Fact("hop")
	if requests, ok := v.Fact("requests"); ok && !known {
		return fmt.Sprintf("%s requests, and no end. %s", requests, sentence)
	}
	if !known {
		return sentence
	}
	again, _ := v.Fact("comes again as hop")
	loop, _ := v.Fact("loop")
	return fmt.Sprintf("Hop %s comes again as hop %s: %s. %s", hop, again, loop, sentence)
}

// asides are the questions about which a diagnosis is told beside the key moments of a run, each with
// what a person would ask.
var asides = map[rule.Question]string{
	rule.ExplainLoop:  "Why does it redirect for ever?",
	rule.OfferHTTPS:   "Does the site bring its visitors to https?",
	rule.MixedContent: "What does the page over https do over http?",
}

// aside answers what was diagnosed, each thing once.
func (s *Story) aside() []Moment {
	var (
		all  []Moment
		told []string
	)
	for i := range s.Run.Visits {
		for j := range s.Run.Visits[i].Hops {
			for _, v := range s.Run.Visits[i].Hops[j].Verdicts {
				question := asides[v.Question]
				key := asideKey(v)
				if question == "" || slices.Contains(told, key) {
					continue
				}
				told = append(told, key)
				all = append(all, s.asideMoment(question, s.StepOf(i+1, j+1, v.Rule), v))
			}
		}
	}
	return all
}

// asideKey is the same for what is told once: a page over http and over https, and of a loop the first
// diagnosis.
func asideKey(v rule.Verdict) string {
	_, at, _ := strings.Cut(v.Subject, "://")
	if v.Question == rule.ExplainLoop {
		return "loop " + at
	}
	return string(v.Rule) + " " + at
}

func (s *Story) asideMoment(question string, step int, v rule.Verdict) Moment {
	m := s.moment(step, question, "", v)
	if v.Question == rule.ExplainLoop {
		m.Answer = Diagnosed(v, m.Answer)
	}
	for _, f := range v.Facts {
		if !slices.Contains(plainFacts, f.Name) {
			m.Details = append(m.Details, f.Name+": "+f.Value)
		}
	}
	return m
}

// plainFacts are those that [Diagnosed] has put into words.
var plainFacts = []string{"hop", "comes again as hop", "period", "loop", "requests"}
