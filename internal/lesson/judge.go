package lesson

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// maxLine is how many bytes a Set-Cookie line may have that is handed in. Browsers refuse name and value
// together above 4096.
const maxLine = 8 << 10

// Judge runs the system with an answer to an exercise and says which goals it meets. Any answer that meets
// them all solves the exercise. A [*SetupError] names what of the answer there is not, and never repeats a
// line.
func (l *Library) Judge(ctx context.Context, id string, a Answer) (*Judgement, error) {
	w, err := spoken()
	if err != nil {
		return nil, err
	}
	e, ok := exerciseNamed(id)
	if !ok {
		return nil, &SetupError{Name: "exercise", Value: shortened(id), Problem: "there is no such exercise", Values: ids()}
	}
	j := &judge{library: l, words: w, exercise: e}
	switch e.kind {
	case bySettings:
		err = j.settings(ctx, a.Switches)
	case byLine:
		err = j.line(a.Line)
	default:
		err = j.step(ctx, a.Step)
	}
	if err != nil {
		return nil, err
	}
	j.Solved = !slices.ContainsFunc(j.Goals, func(g Goal) bool { return !g.Met })
	return &j.Judgement, nil
}

// ids are the names of the exercises.
func ids() []string {
	var all []string
	for _, e := range exercises() {
		all = append(all, e.id)
	}
	return all
}

// shortened is a word that somebody wrote, as much of it as an error may repeat.
func shortened(word string) string {
	const enough = 64
	if len(word) > enough {
		return strings.ToValidUTF8(word[:enough], "") + "…"
	}
	return word
}

// A judge is at work on one answer.
type judge struct {
	Judgement
	library  *Library
	words    *vocabulary
	exercise exercise
}

// settings runs the scenario of the exercise with the switches as the learner turned them.
func (j *judge) settings(ctx context.Context, switches map[string]string) error {
	e := j.exercise
	for _, name := range slices.Sorted(maps.Keys(switches)) {
		if !slices.Contains(e.switches, name) {
			return &SetupError{Name: shortened(name), Value: shortened(switches[name]), Problem: "this exercise leaves it as it is", Values: e.switches}
		}
		if value := switches[name]; len(value) > maxLine {
			return &SetupError{Name: name, Value: shortened(value), Problem: "there is no such value"}
		}
	}
	setup := e.setup
	setup.Switches = maps.Clone(e.setup.Switches)
	if setup.Switches == nil {
		setup.Switches = map[string]string{}
	}
	maps.Copy(setup.Switches, switches)
	run, err := j.library.ran(ctx, setup)
	if err != nil {
		return err
	}
	j.Run = run
	for _, g := range e.goals {
		looked := run
		if g.scenario != "" {
			other := setup
			other.Scenario = g.scenario
			if looked, err = j.library.ran(ctx, other); err != nil {
				return err
			}
		}
		met, shown := g.holds(looked)
		j.reach(g.key, met, shown, looked)
	}
	return nil
}

// reach notes whether a goal is met, with the step and the rule that show it.
func (j *judge) reach(key string, met bool, shown answer, run *Run) {
	g := ground{words: &vocabulary{}}
	g.words.Questions.Phrases = j.words.Questions.Phrases
	if shown.step == 0 {
		shown.note = j.words.Exercises.Phrases[map[bool]string{true: "nothing-against", false: "nothing-for"}[met]]
	}
	j.Goals = append(j.Goals, Goal{
		Text: j.words.Exercises.Goals[key], Met: met, Step: shown.step, Rule: shown.rule, Why: g.because(run, shown),
	})
}

// step compares the step that a learner names with the one that the run shows. What it says of a wrong one
// is about that one.
func (j *judge) step(ctx context.Context, number int) error {
	run, err := j.library.ran(ctx, j.exercise.setup)
	if err != nil {
		return err
	}
	j.Run = run
	found := j.exercise.sight.find(run)
	shown := answer{step: number}
	if number == found.step {
		shown = found
	}
	if run.at(number) == nil {
		j.Goals = []Goal{{
			Text: j.words.Exercises.Goals[j.exercise.sight.key],
			Why:  filled(j.words.Exercises.Phrases["no-such-step"], "count", fmt.Sprint(len(run.Steps))),
		}}
		return nil
	}
	j.reach(j.exercise.sight.key, number == found.step && number > 0, shown, run)
	return nil
}

// sentenceOf is what a rule says.
func (l *Library) sentenceOf(id rule.ID) string {
	if r, ok := l.catalogue.Lookup(id); ok {
		return r.Sentence
	}
	return string(id)
}
