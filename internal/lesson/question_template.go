package lesson

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// A template is a kind of question that can be asked about any run in which there is something to ask.
type template struct {
	name  string
	grade string
	asks  func(g *ground) []ask
}

// templates are in the order in which a quiz has them. What there is to read of one run is easy; what a
// rule says, or who sees what, is medium; what another run would show is hard.
func templates() []template {
	return []template{
		{"first-sent", Easy, firstSent},
		{"first-stored", Easy, firstStored},
		{"value-after", Easy, valueAfter},
		{"answer-at", Easy, answerAt},
		{"cookies-at", Easy, cookiesAt},
		{"clear-count", Medium, clearCount},
		{"leak", Medium, leak},
		{"who-reads", Medium, whoReads},
		{"send-rule", Medium, ruled(rule.SendCookie, true)},
		{"store-rule", Medium, ruled(rule.StoreCookie, true)},
		{"upgrade-rule", Medium, ruled(rule.UpgradeToHTTPS, false)},
		{"session-rule", Medium, ruled(rule.LoadSession, false)},
		{"csrf-rule", Medium, forms},
		{"forged", Medium, forged},
		{"harm", Medium, harm},
		{"first-change", Hard, firstChange},
		{"what-if", Hard, whatIf},
		{"which-switch", Hard, whichSwitch},
		{"changes-nothing", Hard, changesNothing},
	}
}

// asked are all questions of a template about a ground, ready to be made.
func (t template) asked(g *ground) []ask {
	all := t.asks(g)
	for i := range all {
		a := &all[i]
		a.template, a.grade = t.name, t.grade
		a.about = cmp.Or(a.about, g.base)
		if a.others == nil {
			a.others = g.variants
		}
	}
	return all
}

// phrase is a piece of text that questions share.
func (g *ground) phrase(key string, pairs ...string) string {
	return filled(g.words.Questions.Phrases[key], pairs...)
}

// renamed reports whether the session cookie has another name in a run than in the one asked about: what is
// asked about it by name is no question there.
func (g *ground) renamed(r *Run) bool {
	const name = "SESSION_COOKIE_NAME"
	return r.Setup.Switches[name] != g.base.Setup.Switches[name]
}

// firstOf is the answer to "at which step", of the first step of the person's browser that has a verdict.
func (g *ground) firstOf(find func(*Step) (Verdict, bool)) func(*Run) answer {
	return func(r *Run) answer {
		if g.renamed(r) {
			return answer{}
		}
		none := answer{text: g.phrase("no-step"), note: g.phrase("never-asked")}
		for _, number := range r.own() {
			v, ok := find(r.at(number))
			if ok && v.Yes {
				return answer{text: g.phrase("at-step", "step", strconv.Itoa(number)), step: number, rule: v.Rule}
			}
			if ok {
				none.step, none.rule, none.note = number, v.Rule, ""
			}
		}
		return none
	}
}

// steps are the answers to "at which step" that a person may choose from.
func (g *ground) steps() []string {
	var all []string
	for _, number := range g.base.own() {
		all = append(all, g.phrase("at-step", "step", strconv.Itoa(number)))
	}
	return append(all, g.phrase("no-step"))
}

func firstSent(g *ground) (all []ask) {
	for _, name := range g.base.cookies() {
		answers := g.firstOf(func(s *Step) (Verdict, bool) { return s.said(rule.SendCookie, name) })
		all = append(all, ask{subject: name, with: []string{"cookie", name}, answer: answers, near: g.steps()})
	}
	return all
}

func firstStored(g *ground) (all []ask) {
	for _, name := range g.base.cookies() {
		answers := g.firstOf(func(s *Step) (Verdict, bool) { return s.said(rule.StoreCookie, name) })
		all = append(all, ask{subject: name, with: []string{"cookie", name}, answer: answers, near: g.steps()})
	}
	return all
}

// leak asks where a cookie goes over http. A run in which it never does is worth asking about as well.
func leak(g *ground) (all []ask) {
	for _, name := range g.base.cookies() {
		answers := g.firstOf(func(s *Step) (Verdict, bool) {
			c, v, ok := s.onHTTP(name)
			if !ok {
				v, ok = yesFirst(s.all(rule.SendCookie, name))
			}
			v.Yes = c == bare
			return v, ok
		})
		all = append(all, ask{subject: name, with: []string{"cookie", name}, answer: answers, near: g.steps()})
	}
	return all
}

// harm asks where somebody else gets enough to act as the person. It is asked where somebody attacks.
func harm(g *ground) []ask {
	if !slices.ContainsFunc(g.base.Steps, func(s Step) bool { return len(s.Attacker) > 0 }) {
		return nil
	}
	answers := func(r *Run) answer {
		a := firstHarm(r)
		if a.step == 0 {
			return answer{text: g.phrase("no-step"), step: len(r.Steps)}
		}
		a.text = g.phrase("at-step", "step", strconv.Itoa(a.step))
		return a
	}
	return []ask{{answer: answers, near: g.steps()}}
}

// valueAfter asks for the value of each variable of the tracker, at the steps where variants show another.
func valueAfter(g *ground) (all []ask) {
	for _, variable := range g.base.Tracker {
		if variable.Chance || variable.Detail {
			continue
		}
		answers := func(r *Run, number int) answer {
			return g.valueOf(r, variable.Name, number)
		}
		near := g.values(variable)
		for _, number := range g.telling(answers) {
			all = append(all, ask{
				subject: fmt.Sprintf("%s/%d", variable.Name, number), step: number, near: near,
				with:   []string{"variable", variable.Name, "step", strconv.Itoa(number)},
				answer: func(r *Run) answer { return answers(r, number) },
			})
		}
	}
	return all
}

// valueOf is the value of a variable after a step, with the step that gave it.
func (g *ground) valueOf(r *Run, variable string, number int) answer {
	if r.at(number) == nil || r.variable(variable) == nil || g.renamed(r) {
		return answer{}
	}
	from := r.settled(variable, number)
	return answer{text: g.value(r.after(variable, number)), step: from, rule: r.deciding(from, variable)}
}

func (g *ground) values(v Variable) (all []string) {
	for _, value := range v.Values {
		all = append(all, g.value(value))
	}
	return all
}

// value is a value of the tracker, which shows what is not there as a line.
func (g *ground) value(text string) string {
	if text == "-" {
		return g.phrase("no-value")
	}
	if strings.HasPrefix(text, "no. ") {
		return g.phrase("value", "value", text)
	}
	return text
}

// maxTelling is at how many steps a template asks about one thing.
const maxTelling = 2

// telling are the steps at which variants give the most different answers, where there are any.
func (g *ground) telling(answers func(*Run, int) answer) []int {
	type found struct{ step, count int }
	var all []found
	for _, number := range g.base.own() {
		truth := answers(g.base, number).text
		if truth == "" {
			continue
		}
		different := map[string]bool{}
		for _, v := range g.variants {
			if text := answers(v.run, number).text; text != "" && text != truth {
				different[text] = true
			}
		}
		if len(different) > 0 {
			all = append(all, found{number, len(different)})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return b.count - a.count })
	var steps []int
	for _, f := range all[:min(len(all), maxTelling)] {
		steps = append(steps, f.step)
	}
	return steps
}

// perStep makes a question of each step at which an answer tells variants apart.
func (g *ground) perStep(subject string, with []string, answers func(*Run, int) answer) []ask {
	return g.atSteps(g.telling(answers), subject, with, answers)
}

// atSteps makes a question of each of some steps.
func (g *ground) atSteps(steps []int, subject string, with []string, answers func(*Run, int) answer) (all []ask) {
	var near []string
	for i := range g.base.Steps {
		if text := answers(g.base, i+1).text; text != "" {
			near = append(near, text)
		}
	}
	for _, number := range steps {
		all = append(all, ask{
			subject: strings.TrimPrefix(fmt.Sprintf("%s/%d", subject, number), "/"), step: number, near: near,
			with:   append([]string{"step", strconv.Itoa(number)}, with...),
			answer: func(r *Run) answer { return answers(r, number) },
		})
	}
	return all
}

func answerAt(g *ground) []ask {
	all := g.perStep("", nil, func(r *Run, number int) answer {
		s := r.at(number)
		if s == nil || s.Skipped || len(s.all(rule.Connect, "")) == 0 {
			return answer{}
		}
		return answer{text: s.answered(), step: number, rule: s.answering()}
	})
	for i := range all {
		all[i].holds = partOf(all[i].answer)
	}
	return all
}

// partOf reports whether a text is the beginning of what answers, or goes on from it: a person may call the
// redirect alone the answer, or count with it what follows.
func partOf(answers func(*Run) answer) func(*Run, string) bool {
	return func(r *Run, text string) bool {
		truth := answers(r).text
		return truth != "" && (begins(truth, text) || begins(text, truth))
	}
}

func cookiesAt(g *ground) []ask {
	if len(g.base.cookies()) < 2 {
		return nil
	}
	return g.perStep("", nil, func(r *Run, number int) answer {
		s := r.at(number)
		if s == nil || s.Skipped || g.renamed(r) {
			return answer{}
		}
		v, _ := s.said(rule.SendCookie, "")
		return answer{text: cmp.Or(strings.Join(s.sent(), " "+g.phrase("and")+" "), g.phrase("no-cookie")), step: number, rule: v.Rule}
	})
}

func whoReads(g *ground) (all []ask) {
	for _, name := range g.base.cookies() {
		all = append(all, g.perStep(name, []string{"cookie", name}, func(r *Run, number int) answer {
			s := r.at(number)
			if s == nil || s.Skipped || g.renamed(r) {
				return answer{}
			}
			c, v := s.carries(name)
			if c == mixed {
				return answer{}
			}
			return answer{text: g.phrase("reads-" + string(c)), step: number, rule: v.Rule}
		})...)
	}
	for i := range all {
		all[i].near = append(all[i].near, g.phrase("reads-clear"), g.phrase("reads-sealed"), g.phrase("reads-kept"))
	}
	return all
}

// ruled asks by which rule something is decided at a step.
func ruled(q rule.Question, cookies bool) func(g *ground) []ask {
	return func(g *ground) (all []ask) {
		subjects := []string{""}
		if cookies {
			subjects = g.base.cookies()
		}
		for _, subject := range subjects {
			all = append(all, g.perStep(subject, []string{"cookie", subject}, func(r *Run, number int) answer {
				return g.decision(r, number, q, subject)
			})...)
		}
		return all
	}
}

// forms asks about each form that is sent, whether a switch decides about it or not.
func forms(g *ground) []ask {
	answers := func(r *Run, number int) answer { return g.decision(r, number, rule.CheckCSRF, "") }
	var steps []int
	for i := range g.base.Steps {
		if answers(g.base, i+1).text != "" {
			steps = append(steps, i+1)
		}
	}
	return g.atSteps(steps, "", nil, answers)
}

// forged asks what comes of a form that a page of another site sends.
func forged(g *ground) []ask {
	answers := func(r *Run, number int) answer {
		s := r.at(number)
		if s == nil || !foreign(s) {
			return answer{}
		}
		v, ok := s.opening(rule.CheckCSRF, "")
		if !ok || v.Rule == "csrf-safe-method" {
			return answer{}
		}
		key := "forged-refused"
		if session, _ := s.opening(rule.LoadSession, ""); v.Yes {
			key = map[bool]string{true: "forged-as-person", false: "forged-as-nobody"}[session.Yes]
		}
		return answer{text: g.phrase(key), step: number, rule: v.Rule}
	}
	var steps []int
	for _, number := range g.base.own() {
		if answers(g.base, number).text != "" {
			steps = append(steps, number)
		}
	}
	all := g.atSteps(steps, "", nil, answers)
	for i := range all {
		all[i].near = append(all[i].near, g.phrase("forged-refused"), g.phrase("forged-as-person"), g.phrase("forged-as-nobody"))
	}
	return all
}

// decision is a verdict with its rule's sentence; none where the question did not come up.
func (g *ground) decision(r *Run, number int, q rule.Question, subject string) answer {
	s := r.at(number)
	if s == nil || s.Skipped || subject != "" && g.renamed(r) {
		return answer{}
	}
	v, ok := s.opening(q, subject)
	switch q {
	case rule.StoreCookie:
		v, ok = s.said(q, subject)
	case rule.SendCookie:
		var c carriage
		c, v = s.carries(subject)
		ok = c != mixed && c != absent
	default:
	}
	if !ok || v.Rule == "csrf-safe-method" {
		return answer{}
	}
	word := map[bool]string{true: "yes", false: "no"}[v.Yes]
	return answer{text: g.phrase(word, "sentence", r.sentence(v.Rule)), step: number, rule: v.Rule}
}

// begins reports whether a cell begins with another, and goes on with more of the same.
func begins(text, with string) bool {
	return strings.HasPrefix(text, with+", ") || strings.HasPrefix(text, with+" (")
}

func clearCount(g *ground) []ask {
	answers := func(r *Run) answer {
		count, step := r.inClear()
		a := answer{text: strconv.Itoa(count), step: cmp.Or(step, len(r.Steps))}
		if s := r.at(a.step); s != nil {
			v, _ := s.opening(rule.UpgradeToHTTPS, "")
			a.rule = v.Rule
		}
		return a
	}
	count, _ := g.base.inClear()
	near := []string{strconv.Itoa(count + 1), strconv.Itoa(count + 2)}
	if count > 0 {
		near = append(near, strconv.Itoa(count-1))
	}
	return []ask{{answer: answers, near: near}}
}

// change tells one difference of a run. Of a result it tells how it was answered, if that is another.
func (g *ground) change(r *Run, c Change) string {
	step, now := r.at(c.Step), g.value(c.Now)
	switch {
	case step == nil:
		return g.phrase("change-whole", "column", c.Column, "now", now)
	case step.Skipped:
		return g.phrase("change-skipped", "step", strconv.Itoa(c.Step))
	case c.Column == columnResult && g.base.at(c.Step) != nil && g.base.at(c.Step).answered() != step.answered():
		now = step.answered()
	}
	return g.phrase("change", "step", strconv.Itoa(c.Step), "column", c.Column, "now", now)
}

// columnWeights are how much a difference tells: what is not here is a variable.
var columnWeights = map[string]int{columnSent: 0, columnResult: 1, columnCondition: 3, columnAction: 4, columnSteps: 5}

// changes are the differences of a run against the one asked about: the most telling first.
func (g *ground) changes(r *Run) []Change {
	weight := func(c Change) int {
		if w, ok := columnWeights[c.Column]; ok {
			return w
		}
		return 2
	}
	all := Difference(g.base, r)
	all = slices.DeleteFunc(all, func(c Change) bool { return g.detail(c.Column) })
	slices.SortStableFunc(all, func(a, b Change) int { return cmp.Compare(weight(a), weight(b)) })
	return all
}

// detail reports whether a column is a variable that is not shown, or one that chance decides.
func (g *ground) detail(column string) bool {
	v := g.base.variable(column)
	return v != nil && (v.Detail || v.Chance)
}

// headline is the difference that tells most.
func (g *ground) headline(r *Run) answer {
	all := g.changes(r)
	switch {
	case g.renamed(r):
		return answer{}
	case len(all) == 0:
		return answer{text: g.phrase("no-change"), note: g.phrase("the-same")}
	}
	return answer{text: g.change(r, all[0]), step: all[0].Step, rule: r.deciding(all[0].Step, all[0].Column)}
}

// deciding is the rule to which a cell of a step, or the value of a variable after it, is owed.
func (r *Run) deciding(number int, column string) rule.ID {
	s := r.at(number)
	if s == nil {
		return ""
	}
	v, ok := Verdict{}, false
	cookie, isCookie := strings.CutPrefix(column, "cookie ")
	isCookie = isCookie && column != varJar
	switch {
	case column == columnSent:
		v, ok = s.said(rule.SendCookie, "")
	case column == columnResult:
		return s.answering()
	case column == columnCondition || column == varSecure:
		v, ok = s.opening(rule.IsSecure, "")
	case column == columnAction:
		v, ok = s.said(rule.StoreCookie, "")
	case isCookie:
		if v, ok = s.said(rule.SendCookie, cookie); !ok {
			v, ok = s.said(rule.StoreCookie, cookie)
		}
	}
	if !ok {
		return s.Rule
	}
	return v.Rule
}

// answering is the rule to which the answer to the first request of a step is owed.
func (s *Step) answering() rule.ID {
	for _, q := range []rule.Question{rule.AllowHost, rule.CheckCSRF} {
		if v, ok := s.opening(q, ""); ok && !v.Yes {
			return v.Rule
		}
	}
	if v, ok := s.opening(rule.UpgradeToHTTPS, ""); ok && v.Yes {
		return v.Rule
	}
	for _, q := range []rule.Question{rule.RedirectToHTTPS, rule.IsSecure} {
		if v, ok := s.opening(q, ""); ok && v.Rule != "redirect-already-secure" {
			return v.Rule
		}
	}
	return s.Rule
}

// settled is the step that gave a variable the value it has after another: of request.is_secure() the last
// that asked the site.
func (r *Run) settled(variable string, number int) int {
	for ; number > 1; number-- {
		_, asked := r.at(number).opening(rule.IsSecure, "")
		if variable == varSecure && asked || variable != varSecure && r.after(variable, number) != r.after(variable, number-1) {
			break
		}
	}
	return number
}

// whatIf asks what changes when a switch is turned. The others' differences are the wrong answers, unless
// they are among its own.
func whatIf(g *ground) (all []ask) {
	for i, v := range g.variants {
		if g.renamed(v.run) {
			continue
		}
		all = append(all, ask{
			subject: v.change, with: []string{"change", v.change}, about: v.run, answer: g.headline,
			others: append(slices.Delete(slices.Clone(g.variants), i, i+1), variant{"", g.base}),
			holds: func(r *Run, text string) bool {
				return slices.ContainsFunc(g.changes(r), func(c Change) bool { return g.change(r, c) == text })
			},
		})
	}
	return all
}

// firstChange asks for the first step that goes otherwise when a switch is turned.
func firstChange(g *ground) (all []ask) {
	answers := func(r *Run) answer {
		step := 0
		for _, c := range g.changes(r) {
			if c.Step > 0 && (step == 0 || c.Step < step) {
				step = c.Step
			}
		}
		if s := r.at(step); s != nil {
			return answer{text: g.phrase("at-step", "step", strconv.Itoa(step)), step: step, rule: s.Rule}
		}
		return answer{text: g.phrase("no-step-changes"), note: g.phrase("the-same")}
	}
	near := append(g.steps()[:len(g.base.own())], g.phrase("no-step-changes"))
	for i, v := range g.variants {
		if g.renamed(v.run) {
			continue // every row names the cookie
		}
		all = append(all, ask{
			subject: v.change, with: []string{"change", v.change}, about: v.run, answer: answers, near: near,
			others: append(slices.Delete(slices.Clone(g.variants), i, i+1), variant{"", g.base}),
		})
	}
	return all
}

// whichSwitch asks which one change brings something about that is not so now, where exactly one does.
func whichSwitch(g *ground) (all []ask) {
	for _, name := range g.base.cookies() {
		for _, number := range g.base.own() {
			is := func(r *Run) (carriage, answer) {
				s := r.at(number)
				if s == nil || s.Skipped || g.renamed(r) {
					return "", answer{}
				}
				c, v := s.carries(name)
				if c == mixed {
					return c, answer{}
				}
				return c, answer{step: number, rule: v.Rule}
			}
			for _, wanted := range []carriage{bare, sealed, kept} {
				if now, _ := is(g.base); now == wanted || now == mixed {
					continue
				}
				goal := g.phrase("goal-"+string(wanted), "cookie", name, "step", strconv.Itoa(number))
				a := g.oneOf(fmt.Sprintf("%s/%d/%s", name, number, wanted), goal, number, func(r *Run) (bool, answer) {
					c, shown := is(r)
					return c == wanted, shown
				})
				all = append(all, a...)
			}
		}
	}
	return all
}

// oneOf asks which change of a switch meets a goal. There is one right option at the most, so that of
// several changes that do the first stands for all, and the others are left out.
func (g *ground) oneOf(subject, goal string, step int, holds func(*Run) (bool, answer)) []ask {
	a := ask{subject: subject, step: step, with: []string{"goal", goal}}
	found := false
	for _, v := range g.variants {
		ok, shown := holds(v.run)
		if ok && found || shown == (answer{}) {
			continue // a second that does, or one that cannot be told
		}
		found = found || ok
		a.each = append(a.each, each{v, ok, shown})
	}
	if !found || len(a.each) < 3 {
		return nil
	}
	return []ask{a}
}

// changesNothing asks which change leaves the run as it is.
func changesNothing(g *ground) []ask {
	return g.oneOf("run", "", 0, func(r *Run) (bool, answer) {
		all := g.changes(r)
		if len(all) == 0 {
			return true, answer{note: g.phrase("the-same")}
		}
		h := g.headline(r)
		return false, answer{step: h.step, rule: h.rule}
	})
}
