package scenario

import (
	"cmp"
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
