package lesson

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/settings"
)

// Limits of a run.
const (
	runTimeout = 5 * time.Second // of one run; a usual one takes some milliseconds
	maxRows    = 100             // steps that are shown
)

// Run runs a scenario under a setup, over in-memory connections with real TLS, and returns what it
// showed. A [*SetupError] says what in the setup a person can mend; every other error is that the
// scenario itself cannot be run, or ctx; of one that took too long it is [context.DeadlineExceeded].
func (l *Library) Run(ctx context.Context, s Setup) (*Run, error) {
	e, err := l.entry(s.Scenario)
	if err != nil {
		return nil, err
	}
	o, s, err := e.options(s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, runTimeout, fmt.Errorf("it took longer than %v: %w", runTimeout, context.DeadlineExceeded))
	defer cancel()
	began := time.Now()
	result, err := e.parsed.Do(ctx, o)
	took := time.Since(began)
	if err != nil {
		return nil, cmp.Or(l.refused(err, s), fmt.Errorf("the scenario %s: %w", e.Name, err))
	}
	run := l.tell(e, result)
	run.Setup, run.Took = s, float64(took.Microseconds())/1000
	return run, nil
}

// tell makes of a result what is shown.
func (l *Library) tell(e entry, result scenario.Result) *Run {
	story := l.story(e, result)
	if len(story.Steps) > maxRows {
		story.Steps = story.Steps[:maxRows]
	}
	t := teller{words: l.words, lookup: l.catalogue.Lookup, result: &result, story: story, attacked: e.Attacker}
	run := &Run{Title: e.Title, Steps: []Step{}, Text: []string{}, Settings: assignments(result.Settings)}
	for i := range story.Steps {
		run.Steps = append(run.Steps, t.step(&story.Steps[i]))
	}
	run.Tracker = t.track(e.shows)
	run.Moments = t.moments()
	for i := range run.Steps {
		run.Text = append(run.Text, t.paragraph(&run.Steps[i], run.Moments))
	}
	run.Rules = l.rules(run)
	return run
}

// story recognises the steps: those of the lesson, or those that the scenario has titles for.
func (l *Library) story(e entry, result scenario.Result) *trace.Story {
	run := titled(e, result)
	var story trace.Story
	if run.Visits[0].Title == "" {
		story = trace.Tell(run, result.Settings.SessionCookieName, l.catalogue.Lookup)
	} else {
		act := trace.PlainAct(run)
		act.Skipped = result.Skipped
		story = trace.TellAct(run, act, l.catalogue.Lookup)
	}
	return &story
}

// titled gives each visit a title that has none, unless they are those of the lesson.
func titled(e entry, result scenario.Result) trace.Run {
	run := trace.Run{Visits: slices.Clone(result.Run.Visits)}
	hasTitle := func(v trace.Visit) bool { return v.Title != "" }
	if e.parsed.HasRows() && !slices.ContainsFunc(run.Visits, hasTitle) && len(result.Skipped) == 0 {
		return run
	}
	for i := range run.Visits {
		v := &run.Visits[i]
		v.Title = cmp.Or(v.Title, "visit")
	}
	return run
}

// assignments are the settings that differ from Django's defaults. The key and the hosts, which every
// scenario has, tell nothing.
func assignments(s lockstep.Settings) []Assignment {
	all := []Assignment{}
	for f := range settings.Fields(lockstep.DjangoDefaults(s.DjangoVersion)) {
		value, _ := settings.Format(s, f.Name)
		if value != f.Default && !f.Secret && f.Name != "ALLOWED_HOSTS" {
			all = append(all, Assignment{Name: f.Name, Value: value})
		}
	}
	return all
}

// rules are those that a run names.
func (l *Library) rules(run *Run) []Rule {
	named := map[rule.ID]bool{}
	for _, st := range run.Steps {
		named[st.Rule] = true
		for _, v := range st.Verdicts {
			named[v.Rule] = true
			for _, id := range slices.Concat(v.Also, v.Notes) {
				named[id] = true
			}
		}
		for _, m := range st.Messages {
			named[m.Rule] = true
		}
		for _, s := range st.Attacker {
			named[s.Rule] = true
		}
	}
	for _, m := range run.Moments {
		named[m.Rule] = true
	}
	all := []Rule{}
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if r, ok := l.catalogue.Lookup(id); ok {
			all = append(all, Rule{ID: r.ID, Sentence: r.Sentence, Source: r.Source, Fix: r.Fix})
		}
	}
	return all
}

// refused makes of an error about settings what a person reads who has turned a switch; nil when it is about something
// else.
func (l *Library) refused(err error, s Setup) error {
	bad, ok := errors.AsType[*lockstep.SettingError](err)
	if !ok {
		return nil
	}
	return &SetupError{
		Name: bad.Setting, Value: cmp.Or(s.Switches[bad.Setting], bad.Value), Problem: bad.Problem, Hint: bad.Hint, Rule: refusing(bad.Setting, s),
	}
}

// refusing is the rule by which a browser would refuse the cookie that a setting makes.
func refusing(setting string, s Setup) rule.ID {
	switch setting {
	case "SESSION_COOKIE_SAMESITE":
		return "store-none-not-secure"
	case "SESSION_COOKIE_NAME":
		if s.Switches[setting] == "__Secure-sessionid" {
			return "store-prefix-secure"
		}
		return "store-prefix-host"
	}
	return ""
}
