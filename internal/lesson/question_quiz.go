package lesson

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Kinds of questions, by the occasion on which they are asked.
const (
	kindPredict  = "predict"  // before a run
	kindVisual   = "visual"   // the lesson's own, about its table
	kindPractice = "practice" // the lesson's own
	kindQuiz     = "quiz"     // about any run
	kindTest     = "test"     // one of ten
)

// Limits of what questions are made from.
const (
	maxVariants = 16 // runs beside the one asked about
	maxPredict  = 2  // questions before a run
)

// Predict returns one or two questions to answer before the scenario is run under s. When s turns a switch,
// the first is what that changes. Then comes the scenario's own, in its words as long as nothing is turned:
// what they say holds for the scenario as it is.
func (l *Library) Predict(ctx context.Context, s Setup) ([]Question, error) {
	g, err := l.ground(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []Question
	if len(g.base.Setup.Switches) > 0 {
		if q, ok, err := l.changed(ctx, g); err != nil {
			return nil, err
		} else if ok {
			all = append(all, q)
		}
	}
	if q, ok := l.own(g); ok {
		all = append(all, q)
	}
	for _, name := range []string{"csrf-rule", "answer-at", "who-reads", "value-after", "first-sent", "clear-count"} {
		if len(all) == maxPredict {
			break
		}
		found := g.make(name, kindPredict, 0)
		if len(found) > 0 && !slices.ContainsFunc(all, func(q Question) bool { return q.ID == found[0].ID }) {
			all = append(all, found[0])
		}
	}
	return all, nil
}

// own is the scenario's own question, with the answers of the template that it names.
func (l *Library) own(g *ground) (Question, bool) {
	e := l.all[l.index(cmp.Or(g.base.Setup.Scenario, TheLesson))]
	name, _, _ := strings.Cut(e.asks, "/")
	if !isTemplate(name) {
		return Question{}, false
	}
	asks := templateNamed(name).asked(g)
	for i := range asks {
		if asks[i].template+"/"+asks[i].subject != e.asks {
			continue
		}
		q, ok := g.question(&asks[i], kindPredict, 0)
		if len(g.base.Setup.Switches) == 0 {
			q.Text = e.Question
		}
		return q, ok
	}
	return Question{}, false
}

// changed asks which step goes otherwise than without the switches that a Setup turns.
func (l *Library) changed(ctx context.Context, g *ground) (Question, bool, error) {
	setup := g.base.Setup
	own, err := l.ground(ctx, Setup{Scenario: setup.Scenario, Profile: setup.Profile})
	if err != nil {
		return Question{}, false, err
	}
	t := templateNamed("first-change")
	one := &ground{base: own.base, variants: []variant{{l.told(setup), g.base}}, words: own.words}
	asks := t.asked(one)
	if len(asks) == 0 {
		return Question{}, false, nil
	}
	a := asks[0]
	a.others = append(a.others, own.variants...)
	q, ok := one.question(&a, kindPredict, 0)
	q.Setup = setup
	q.ID = strings.Replace(q.ID, "first-change", "changed", 1)
	return q, ok, nil
}

// Quiz returns the questions that there are about a run, the easy ones first. They are the same for the
// same Setup.
func (l *Library) Quiz(ctx context.Context, s Setup) ([]Question, error) { return l.quiz(ctx, s, 0) }

// Draw returns at most so many of the questions about a run, of some grades, drawn by a seed: no template
// comes again before all have come. The same seed draws the same.
func (l *Library) Draw(ctx context.Context, s Setup, seed uint64, grades []string, most int) ([]Question, error) {
	all, err := l.quiz(ctx, s, seed)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(q Question) bool { return !slices.Contains(grades, q.Grade) })
	slices.SortFunc(all, func(a, b Question) int { return cmp.Compare(lot(seed, a.ID), lot(seed, b.ID)) })
	turn := make(map[string]int, len(all)) // of a question within its template
	used := map[string]int{}
	for i := range all {
		turn[all[i].ID] = used[all[i].template()]
		used[all[i].template()]++
	}
	slices.SortStableFunc(all, func(a, b Question) int { return cmp.Compare(turn[a.ID], turn[b.ID]) })
	all = all[:min(len(all), most)]
	slices.SortStableFunc(all, func(a, b Question) int { return cmp.Compare(weight[a.Grade], weight[b.Grade]) })
	return all, nil
}

// weight puts grades in order.
var weight = map[string]int{Easy: 0, Medium: 1, Hard: 2}

func (l *Library) quiz(ctx context.Context, s Setup, seed uint64) ([]Question, error) {
	g, err := l.ground(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []Question
	for _, t := range templates() {
		all = append(all, g.make(t.name, kindQuiz, seed)...)
	}
	return all, nil
}

func templateNamed(name string) template {
	all := templates()
	return all[slices.IndexFunc(all, func(t template) bool { return t.name == name })]
}

func templateNames() (names []string) {
	for _, t := range templates() {
		names = append(names, t.name)
	}
	return names
}

func isTemplate(name string) bool { return slices.Contains(templateNames(), name) }

// make returns the questions of a template.
func (g *ground) make(name, kind string, seed uint64) (all []Question) {
	asks := templateNamed(name).asked(g)
	for i := range asks {
		if q, ok := g.question(&asks[i], kind, seed); ok {
			all = append(all, q)
		}
	}
	return all
}

// ground runs a scenario, and its variants: each switch that is worth turning turned to each of its values.
func (l *Library) ground(ctx context.Context, s Setup) (*ground, error) {
	w, err := spoken()
	if err != nil {
		return nil, err
	}
	g := &ground{words: w}
	if g.base, err = l.ran(ctx, s); err != nil {
		return nil, err
	}
	scenario, _ := l.Scenario(s.Scenario)
	all, err := l.variants(ctx, s, scenario.Switches)
	g.variants = g.distinct(all)
	return g, err
}

// distinct leaves out a variant that shows the same as another of the same switch.
func (g *ground) distinct(all []variant) (kept []variant) {
	seen := map[string]bool{}
	for _, v := range all {
		name, _, _ := strings.Cut(v.change, "=")
		key := fmt.Sprint(name, g.changes(v.run))
		if !seen[key] {
			seen[key] = true
			kept = append(kept, v)
		}
	}
	return kept
}

// ran is a run that is kept for the next time.
func (l *Library) ran(ctx context.Context, s Setup) (*Run, error) {
	s.Scenario = cmp.Or(s.Scenario, TheLesson)
	key := keyOf(s)
	if run := l.kept.get(key); run != nil {
		return run, nil
	}
	run, err := l.Run(ctx, s)
	if err == nil {
		l.kept.put(key, run)
	}
	return run, err
}

// variants are runs in which one of some switches is turned, made beside each other. One that a scenario
// cannot be run under is left out.
func (l *Library) variants(ctx context.Context, s Setup, names []string) ([]variant, error) {
	var (
		turned = l.turned(s, names)
		all    = make([]variant, len(turned))
		errs   = make([]error, len(turned))
		places = make(chan struct{}, runtime.GOMAXPROCS(0))
		group  sync.WaitGroup
	)
	for i, t := range turned {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			all[i].change = t.change
			all[i].run, errs[i] = l.ran(ctx, t.setup)
		})
	}
	group.Wait()
	for i, err := range errs {
		if _, ok := errors.AsType[*SetupError](err); ok {
			errs[i] = nil
		}
	}
	return slices.DeleteFunc(all, func(v variant) bool { return v.run == nil }), errors.Join(errs...)
}

// A varied is a Setup with one switch turned.
type varied struct {
	change string
	setup  Setup
}

func (l *Library) turned(s Setup, names []string) (all []varied) {
	switches := l.Switches(s.Scenario)
	for _, name := range names {
		i := slices.IndexFunc(switches, func(sw Switch) bool { return sw.Name == name })
		if i < 0 {
			continue
		}
		sw := switches[i]
		now := cmp.Or(s.Switches[name], sw.Default)
		for _, c := range sw.Values {
			if c.Value == now || len(all) == maxVariants {
				continue
			}
			turned := s.with(sw, c.Value)
			all = append(all, varied{sw.told(c.Value), turned})
		}
	}
	return all
}

// with is a Setup with a switch turned. What the scenario has by itself is not said.
func (s Setup) with(sw Switch, value string) Setup {
	s.Switches = maps.Clone(s.Switches)
	if s.Switches == nil {
		s.Switches = map[string]string{}
	}
	if s.Switches[sw.Name] = value; value == sw.Default {
		delete(s.Switches, sw.Name)
	}
	if len(s.Switches) == 0 {
		s.Switches = nil
	}
	return s
}

// told says how a switch stands: a setting as Python assigns it, another by its labels.
func (sw Switch) told(value string) string {
	if sw.Name == strings.ToUpper(sw.Name) {
		return sw.Name + "=" + value
	}
	if i := slices.IndexFunc(sw.Values, func(c Choice) bool { return c.Value == value }); i >= 0 {
		return sw.Label + ": " + sw.Values[i].Label
	}
	return sw.Label + ": " + value
}

// told says how the switches stand that a Setup turns.
func (l *Library) told(s Setup) string {
	var all []string
	for _, sw := range l.Switches(s.Scenario) {
		if value, ok := s.Switches[sw.Name]; ok {
			all = append(all, sw.told(value))
		}
	}
	return strings.Join(all, ", ")
}

// between says how the switches stand in a Setup that stand otherwise in another of the same scenario.
func (l *Library) between(was, now Setup) string {
	var all []string
	for _, sw := range l.Switches(now.Scenario) {
		before, value := cmp.Or(was.Switches[sw.Name], sw.Default), cmp.Or(now.Switches[sw.Name], sw.Default)
		if before != value {
			all = append(all, sw.told(value))
		}
	}
	return strings.Join(all, ", ")
}
