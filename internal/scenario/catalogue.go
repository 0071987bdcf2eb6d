package scenario

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// A Catalogue holds the rules of all packages, ordered by ID.
type Catalogue struct {
	rules []rule.Rule
}

// NewCatalogue assembles the rules of all packages. It refuses an ID that two of them declare.
func NewCatalogue() (*Catalogue, error) {
	all := slices.Concat(cookie.Rules(), browser.Rules(), session.Rules(), lockstep.Rules(), trace.Rules(), Rules())
	slices.SortFunc(all, func(a, b rule.Rule) int { return cmp.Compare(a.ID, b.ID) })
	for i := 1; i < len(all); i++ {
		if all[i].ID == all[i-1].ID {
			return nil, fmt.Errorf("two packages declare the rule %q", all[i].ID)
		}
	}
	return &Catalogue{rules: all}, nil
}

// All returns the rules, ordered by ID. The slice is the caller's.
func (c *Catalogue) All() []rule.Rule { return slices.Clone(c.rules) }

// Lookup returns the rule with an ID.
func (c *Catalogue) Lookup(id rule.ID) (rule.Rule, bool) {
	i, ok := slices.BinarySearchFunc(c.rules, id, func(r rule.Rule, id rule.ID) int { return cmp.Compare(r.ID, id) })
	if !ok {
		return rule.Rule{}, false
	}
	return c.rules[i], true
}

var catalogue = sync.OnceValues(NewCatalogue)

// declared reports whether a package declares the rule. A catalogue that cannot be made refuses none:
// who makes it gets the error.
func declared(id rule.ID) bool {
	c, err := catalogue()
	if err != nil {
		return true
	}
	_, ok := c.Lookup(id)
	return ok
}

// Show runs the scenario of a rule and returns the first verdict that the rule decided or that notes
// it, and the run. It is an error when the run has none.
func Show(ctx context.Context, r rule.Rule) (rule.Verdict, trace.Run, error) {
	s, err := Parse(r.Scenario)
	if err != nil {
		return rule.Verdict{}, trace.Run{}, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	result, err := s.Do(ctx, Options{})
	if err != nil {
		return rule.Verdict{}, result.Run, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	if len(result.Missed) > 0 {
		return rule.Verdict{}, result.Run, fmt.Errorf("rule %s: line %d of its scenario: %s did not hold", r.ID, result.Missed[0].Line, result.Missed[0])
	}
	v, ok := find(result.Run, r.ID, "")
	if !ok {
		return rule.Verdict{}, result.Run, fmt.Errorf("rule %s: its scenario does not give this verdict", r.ID)
	}
	return v, result.Run, nil
}

// find returns the first verdict that id decided; failing that, one for which it stands among the
// further rules or the notes.
func find(run trace.Run, id rule.ID, subject string) (rule.Verdict, bool) {
	var (
		beside rule.Verdict
		found  bool
	)
	for _, visit := range run.Visits {
		for _, hop := range visit.Hops {
			for _, v := range hop.Verdicts {
				if subject != "" && v.Subject != subject {
					continue
				}
				if v.Rule == id {
					return v, true
				}
				if !found && (slices.Contains(v.Also, id) || slices.Contains(v.Notes, id)) {
					beside, found = v, true
				}
			}
		}
	}
	return beside, found
}
