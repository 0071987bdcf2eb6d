package scenario

import (
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// Show runs the scenario of a rule and returns the first verdict that the rule decided or that notes
// it, and the run. It is an error when the run has none.
func Show(ctx context.Context, r rule.Rule) (rule.Verdict, trace.Run, error) {
	result, err := perform(ctx, r, Options{})
	if err != nil {
		return rule.Verdict{}, result.Run, err
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

func perform(ctx context.Context, r rule.Rule, o Options) (Result, error) {
	s, err := Parse(r.Scenario)
	if err != nil {
		return Result{}, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	result, err := s.Do(ctx, o)
	if err != nil {
		return result, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return result, nil
}

// A Seen is what the scenario of a rule brings when all browsers in it have one profile.
type Seen struct {
	Profile string `json:"profile"`
	Decides bool   `json:"decides"` // the rule decides Verdict, or stands beside what does

	// Verdict answers the question that the rule is about, at the place where it does under the scenario's
	// own profile. It is nil when nobody comes to ask it.
	Verdict *rule.Verdict `json:"verdict"`

	Run trace.Run `json:"-"`
}

// ShowIn runs the scenario of a rule in a browser of the profile. Run is the run that [Show] brings,
// which says where to look when the rule decides nothing here.
func ShowIn(ctx context.Context, r rule.Rule, profile browser.Profile, run trace.Run) (Seen, error) {
	result, err := perform(ctx, r, Options{Profile: profile, OneProfile: true})
	seen := Seen{Profile: profile.Name(), Run: result.Run}
	if err != nil {
		return seen, fmt.Errorf("profile %s: %w", profile.Name(), err)
	}
	own, found := locate(run, func(v *rule.Verdict) (bool, bool) { return decided(v, r.ID) })
	if !found {
		return seen, fmt.Errorf("profile %s: the run to compare with has no verdict by rule %s", profile.Name(), r.ID)
	}
	question := own.verdict(run).Question
	at, found := locate(result.Run, func(v *rule.Verdict) (bool, bool) {
		by, beside := decided(v, r.ID)
		return by && v.Question == question, beside && v.Question == question
	})
	if found {
		seen.Decides, seen.Verdict = true, at.verdict(result.Run)
	} else {
		seen.Verdict = counterpart(run, own, result.Run)
	}
	return seen, nil
}

// ShowInAll runs the scenario of a rule in a browser of each profile there is.
func ShowInAll(ctx context.Context, r rule.Rule, run trace.Run) ([]Seen, error) {
	var all []Seen
	for _, p := range browser.Profiles() {
		seen, err := ShowIn(ctx, r, p, run)
		if err != nil {
			return nil, err
		}
		all = append(all, seen)
	}
	return all, nil
}

// Like reports whether two browsers come to the same answer by the same rules and with the same notes.
func (s Seen) Like(t Seen) bool {
	return s.Decides == t.Decides && alike(s.Verdict, t.Verdict)
}

func alike(v, w *rule.Verdict) bool {
	if v == nil || w == nil {
		return v == w
	}
	return v.Question == w.Question && v.Subject == w.Subject && v.Yes == w.Yes && v.Rule == w.Rule &&
		slices.Equal(v.Also, w.Also) && slices.Equal(v.Notes, w.Notes)
}

// A place is where in a run a verdict is.
type place struct{ visit, hop, number int }

func (p place) verdict(run trace.Run) *rule.Verdict {
	return &run.Visits[p.visit].Hops[p.hop].Verdicts[p.number]
}

// places are the verdicts of a run, in order.
func places(run trace.Run) (all []place) {
	for i, visit := range run.Visits {
		for j, hop := range visit.Hops {
			for k := range hop.Verdicts {
				all = append(all, place{i, j, k})
			}
		}
	}
	return all
}

// find returns the first verdict that id decided; failing that, one for which it stands among the
// further rules or the notes.
func find(run trace.Run, id rule.ID, subject string) (rule.Verdict, bool) {
	at, ok := locate(run, func(v *rule.Verdict) (bool, bool) {
		by, beside := decided(v, id)
		about := subject == "" || v.Subject == subject
		return by && about, beside && about
	})
	if !ok {
		return rule.Verdict{}, false
	}
	return *at.verdict(run), true
}

// decided reports whether id decided a verdict, and whether it stands beside what did.
func decided(v *rule.Verdict, id rule.ID) (by, beside bool) {
	return v.Rule == id, slices.Contains(v.Also, id) || slices.Contains(v.Notes, id)
}

// locate returns the first place at which the first answer of is holds; failing that, of the second.
func locate(run trace.Run, is func(*rule.Verdict) (by, beside bool)) (second place, found bool) {
	for _, p := range places(run) {
		by, beside := is(p.verdict(run))
		if by {
			return p, true
		}
		if beside && !found {
			second, found = p, true
		}
	}
	return second, found
}

// counterpart returns the verdict of another run that answers, in the same hop, the question that the one
// at a place of run answers. Of a line that two browsers read differently they have the same number.
func counterpart(run trace.Run, at place, other trace.Run) *rule.Verdict {
	if at.visit >= len(other.Visits) || at.hop >= len(other.Visits[at.visit].Hops) {
		return nil
	}
	v, asked := at.verdict(run), func(all []rule.Verdict, is func(*rule.Verdict) bool) (which []*rule.Verdict) {
		for i := range all {
			if is(&all[i]) {
				which = append(which, &all[i])
			}
		}
		return which
	}
	same := func(w *rule.Verdict) bool { return w.Question == v.Question && w.Subject == v.Subject }
	line := func(w *rule.Verdict) bool { return w.Question == v.Question && v.Question == rule.StoreCookie }
	before, there := run.Visits[at.visit].Hops[at.hop].Verdicts[:at.number], other.Visits[at.visit].Hops[at.hop].Verdicts
	for _, is := range []func(*rule.Verdict) bool{same, line} {
		if number, all := len(asked(before, is)), asked(there, is); number < len(all) {
			return all[number]
		}
	}
	return nil
}
