package lesson

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// Options of a question: as many as a person can hold against each other.
const maxOptions = 4

// An answer is what a run says to a question, with the step and the rule that show it. One without a text
// is none.
type answer struct {
	text string
	step int
	rule rule.ID
	note string // what there is to say where no step shows it
}

// A variant is a run that is another because one thing was changed.
type variant struct {
	change string // for a person: SECURE_SSL_REDIRECT=False
	run    *Run
}

// A ground is what questions are made from: a run, and what it is when one switch is turned.
type ground struct {
	base     *Run
	variants []variant
	words    *vocabulary
}

// An ask is a question whose answer is a function of a run, so that exactly one answer is true of each. The
// right one is that of the run it is about; wrong ones are those of other runs.
type ask struct {
	template string
	subject  string // tells it from others of the template
	grade    string
	with     []string // words and their values, for the text
	about    *Run     // whose answer is the right one
	step     int      // the question names it
	answer   func(*Run) answer

	// What else is true of a run beside its answer, where more than one statement can be.
	holds func(run *Run, text string) bool

	others []variant // whose answers are wrong ones
	near   []string  // more that one may take for the answer, of this run
	each   []each    // instead of all that: options that are runs themselves
}

// each is an option that stands for a run: it is right when what is asked for holds there.
type each struct {
	variant
	right bool
	shown answer
}

// true reports whether a statement that answers the question is true of a run.
func (a *ask) true(run *Run, text string) bool {
	return a.answer(run).text == text || a.holds != nil && a.holds(run, text)
}

// id is stable for the same files and switches.
func (a *ask) id(setup Setup) string {
	id := strings.Join([]string{cmp.Or(setup.Scenario, TheLesson), a.template, a.subject}, "/")
	var turned []string
	for _, name := range slices.Sorted(maps.Keys(setup.Switches)) {
		turned = append(turned, name+"="+setup.Switches[name])
	}
	if setup.Profile != "" {
		turned = append(turned, "profile="+setup.Profile)
	}
	if len(turned) > 0 {
		id += "?" + strings.Join(turned, "&")
	}
	return strings.ReplaceAll(id, " ", "-")
}

// question makes the question of an ask, when it has something to choose from.
func (g *ground) question(a *ask, kind string, seed uint64) (Question, bool) {
	w := g.words.Questions.Templates[a.template]
	q := Question{ID: a.id(g.base.Setup), Kind: kind, Grade: a.grade, Setup: g.base.Setup, Text: filled(w.Text, a.with...)}
	options := g.options(a, seed)
	right := slices.IndexFunc(options, func(o Option) bool { return o.Right })
	if right < 0 || len(options) < 2 {
		return q, false
	}
	if named := g.base.at(a.step); named != nil && !named.Skipped {
		q.Text += " " + g.phrase("step-is", "step", fmt.Sprint(a.step), "title", named.called())
	}
	q.Step, q.Because = options[right].Step, options[right].Why
	q.Rule = g.deciding(a)
	q.Hints = filledAll(w.Hints, append(slices.Clone(a.with), "step", fmt.Sprint(max(q.Step, 1)))...) // of two steps the one it names
	q.Options = options
	if seed != 0 {
		q.ID += fmt.Sprintf("#%d", seed)
	}
	return q, true
}

// called is what a step does, without what comes of it.
func (s *Step) called() string {
	action, _, _ := strings.Cut(s.Action, ";")
	action, _, _ = strings.Cut(action, ", upgraded")
	return cmp.Or(s.Title, action)
}

// deciding is the rule that the right answer is owed to.
func (g *ground) deciding(a *ask) rule.ID {
	for _, e := range a.each {
		if e.right {
			return e.shown.rule
		}
	}
	return a.answer(a.about).rule
}

// options are the right one and up to three others, in an order drawn from the seed.
func (g *ground) options(a *ask, seed uint64) []Option {
	var right, wrong []Option
	if a.each != nil {
		right, wrong = g.runs(a)
	} else {
		right, wrong = g.answers(a)
	}
	if len(right) != 1 {
		return nil
	}
	drawn := func(o Option) uint64 { return lot(seed, a.template, a.subject, o.Text) }
	slices.SortStableFunc(wrong, func(x, y Option) int {
		return cmp.Or(-compareBool(x.Setup != nil, y.Setup != nil), cmp.Compare(drawn(x), drawn(y)))
	})
	all := append(right, wrong[:min(len(wrong), maxOptions-1)]...)
	slices.SortFunc(all, func(x, y Option) int { return cmp.Compare(drawn(x), drawn(y)) })
	return all
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// answers are the options of a question whose right answer is that of one run.
func (g *ground) answers(a *ask) (right, wrong []Option) {
	truth := a.answer(a.about)
	if truth.text == "" {
		return nil, nil
	}
	setup := a.about.Setup
	right = []Option{{Text: truth.text, Right: true, Setup: &setup, Step: truth.step, Why: g.because(a.about, truth)}}
	seen := map[string]bool{truth.text: true}
	for _, v := range a.others {
		w := a.answer(v.run)
		if w.text == "" || seen[w.text] || a.true(a.about, w.text) {
			continue
		}
		seen[w.text] = true
		other := v.run.Setup
		why := g.phrase("would", "change", v.change)
		if v.change == "" {
			why = g.phrase("as-it-is")
		}
		why = strings.TrimSpace(why + " " + g.because(v.run, w))
		wrong = append(wrong, Option{Text: w.text, Setup: &other, Step: w.step, Why: why})
	}
	for _, text := range a.near {
		if !seen[text] && !a.true(a.about, text) {
			seen[text] = true
			wrong = append(wrong, Option{Text: text, Why: g.phrase("never", "count", fmt.Sprint(len(a.others)))})
		}
	}
	return right, wrong
}

// runs are the options of a question that asks for one of several runs.
func (g *ground) runs(a *ask) (right, wrong []Option) {
	seen := map[string]bool{}
	for _, e := range a.each {
		if seen[e.change] {
			continue
		}
		seen[e.change] = true
		setup := e.run.Setup
		o := Option{Text: e.change, Right: e.right, Step: e.shown.step}
		if e.right {
			o.Setup, o.Why = &setup, g.because(e.run, e.shown)
			right = append(right, o)
			continue
		}
		o.Look, o.Why = &setup, g.phrase("not", "change", e.change)+" "+g.because(e.run, e.shown)
		wrong = append(wrong, o)
	}
	return right, wrong
}

// because tells why a run answers as it does: the rule, and what the step shows.
func (g *ground) because(run *Run, a answer) string {
	var parts []string
	if a.rule != "" {
		parts = append(parts, run.sentence(a.rule))
	}
	if s := run.at(a.step); s != nil {
		parts = append(parts, g.phrase("row", "step", fmt.Sprint(s.Number), "action", s.Action, "result", s.Result, "sent", s.Sent))
	}
	if a.note != "" {
		parts = append(parts, a.note)
	}
	return strings.Join(parts, " ")
}

// lot draws a number that is the same for the same seed and words.
func lot(seed uint64, words ...string) uint64 {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, seed)
	for _, w := range words {
		fmt.Fprintf(h, "%d:%s", len(w), w)
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}
