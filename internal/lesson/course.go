package lesson

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-http/lockstep/rule"
)

// Lesson returns what the lesson has of its own. Each answer comes from running it: a question whose right
// answer the runs do not bear out is an error.
func (l *Library) Lesson(ctx context.Context) (*Course, error) {
	w, err := spoken()
	if err != nil {
		return nil, err
	}
	c := &Course{Sample: sample(w)}
	if c.Visual, err = l.visual(ctx, w); err != nil {
		return nil, err
	}
	for _, p := range practices() {
		q, err := l.practice(ctx, p, w)
		if err != nil {
			return nil, fmt.Errorf("the practice question %s: %w", p.name, err)
		}
		c.Practice = append(c.Practice, q)
	}
	c.Snapshot, err = l.snapshot(ctx, w)
	return c, err
}

// visual are the three questions about the execution table. Their wrong answers come from all switches,
// those too that the lesson does not ask to turn.
func (l *Library) visual(ctx context.Context, w *vocabulary) ([]Question, error) {
	g := &ground{words: w}
	var err error
	if g.base, err = l.ran(ctx, Setup{}); err != nil {
		return nil, err
	}
	var names []string
	for _, sw := range l.Switches("") {
		names = append(names, sw.Name)
	}
	if g.variants, err = l.variants(ctx, Setup{}, names); err != nil {
		return nil, err
	}
	const without = "SESSION_COOKIE_SECURE=False"
	asks := []ask{
		pick(templateNamed("first-sent").asked(g), sessionCookie),
		g.valueAt(varSecure, 3),
		pick(templateNamed("what-if").asked(g), without),
	}
	var all []Question
	for i, name := range []string{"first-sent", "value-after", "what-if"} {
		q, ok := g.question(&asks[i], kindVisual, 0)
		if !ok {
			return nil, fmt.Errorf("the visual question %s: the runs give no answers to choose from", name)
		}
		said := w.Course.Visual[name]
		q.ID, q.Text, q.Hints, q.Check = "visual/"+name, said.Text, said.Hints, said.Check
		q.Grade = []string{Easy, Easy, Medium}[i]
		all = append(all, q)
	}
	return all, nil
}

// pick is the ask about a subject. One that is not there cannot be asked, which its user notices.
func pick(all []ask, subject string) ask {
	if i := slices.IndexFunc(all, func(a ask) bool { return a.subject == subject }); i >= 0 {
		return all[i]
	}
	return ask{answer: func(*Run) answer { return answer{} }, about: &Run{}}
}

// valueAt asks for the value of a variable after a step, whether variants differ there or not.
func (g *ground) valueAt(variable string, number int) ask {
	a := ask{
		template: "value-after", subject: fmt.Sprintf("%s/%d", variable, number), about: g.base, step: number, others: g.variants,
		answer: func(r *Run) answer { return g.valueOf(r, variable, number) },
	}
	if v := g.base.variable(variable); v != nil {
		a.near = g.values(*v)
	}
	return a
}

// A practised is one of the lesson's practice questions.
type practised struct {
	name, grade string
	setup       Setup       // the run it is about
	options     []statement // as texts.json calls them
	also        *Setup      // another run of which the right option holds, to be told with it
}

// A statement is an option: it is right when it holds of the run that the question is about or, when the
// option is a run of its own, of that.
type statement struct {
	key   string
	holds check
	setup *Setup // the run in which it holds; nil: none that could be found
	look  *Setup // where there is none: the run that shows that it does not
	own   bool   // the option is a run itself, setup
}

// under is the Setup of a scenario with switches turned: pairs are a name and a value.
func under(scenario string, pairs ...string) Setup {
	s := Setup{Scenario: scenario, Switches: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		s.Switches[pairs[i]] = pairs[i+1]
	}
	return s
}

// The settings that questions and exercises turn.
const (
	sslRedirect    = "SECURE_SSL_REDIRECT"
	sessionSecure  = "SESSION_COOKIE_SECURE"
	csrfSecure     = "CSRF_COOKIE_SECURE"
	sessionScripts = "SESSION_COOKIE_HTTPONLY"
	sessionSite    = "SESSION_COOKIE_SAMESITE"
	hstsSeconds    = "SECURE_HSTS_SECONDS"
	hstsBelow      = "SECURE_HSTS_INCLUDE_SUBDOMAINS"
)

// Values of those that are on or off.
const (
	on  = "True"
	off = "False"
)

// The scenarios of the practice questions.
const (
	twoCookies = "two-cookies"
	fromBefore = "cookie-from-before"
	otherCode  = "cookie-by-other-code"
)

// The cookies that the practice questions are about.
const (
	sessionCookie = "sessionid"
	tokenCookie   = "csrftoken"
)

func practices() []practised {
	neither := both(keepsOffHTTP(sessionCookie), keepsOffHTTP(tokenCookie))
	secured := both(redirects, neither)
	bare := func(also ...string) *Setup {
		return new(under(twoCookies, append([]string{sslRedirect, off, sessionSecure, off, csrfSecure, off, sessionScripts, off}, also...)...))
	}
	return []practised{
		{name: "what-for", grade: Easy, setup: *bare(sessionSecure, on), options: []statement{
			{key: "off-http", holds: both(goesInClear(tokenCookie), keepsOffHTTP(sessionCookie)), setup: bare(sessionSecure, on)},
			{key: "redirects", holds: redirects, setup: bare(sslRedirect, on)},
			{key: "no-script", holds: storedWith(sessionCookie, "http-only-flag", "true"), setup: bare(sessionScripts, on)},
			{key: "all-cookies", holds: neither, setup: bare(sessionSecure, on, csrfSecure, on)},
		}},
		{name: "which-redirects", grade: Easy, setup: *bare(), options: []statement{
			{key: "redirect", holds: redirects, setup: bare(sslRedirect, on), own: true},
			{key: "session", holds: redirects, setup: bare(sessionSecure, on), own: true},
			{key: "token", holds: redirects, setup: bare(csrfSecure, on), own: true},
			{key: "hsts", holds: redirects, setup: bare(hstsSeconds, "3600"), own: true},
		}},
		{name: "together", grade: Medium, setup: under(twoCookies), options: []statement{
			{key: "redirected-bare", holds: secured, setup: new(under(twoCookies))},
			{key: "redirected-session", holds: both(redirects, keepsOffHTTP(tokenCookie), goesInClear(sessionCookie)), setup: new(under(twoCookies, sessionSecure, off))},
			{key: "redirected-both", holds: both(redirects, goesInClear(sessionCookie), goesInClear(tokenCookie)), setup: new(under(twoCookies, sessionSecure, off, csrfSecure, off))},
			{key: "served-bare", holds: both(not(redirects), neither), setup: new(under(twoCookies, sslRedirect, off))},
		}},
		{name: "still-travels", grade: Medium, setup: under(fromBefore), also: new(under(otherCode)), options: []statement{
			{key: "without-secure", holds: bySetting(sessionCookie), setup: new(under(fromBefore))},
			{key: "no-redirect", holds: secureInClear(sessionCookie), look: new(under(TheLesson, sslRedirect, off))},
			{key: "renewed", holds: storedInClear(sessionCookie), setup: new(under(fromBefore, "start", "http"))},
			{key: "redirected-late", holds: both(redirects, goesInClear(sessionCookie)), setup: new(under(fromBefore, sslRedirect, on))},
		}},
		{name: "everything", grade: Hard, setup: under(twoCookies, sslRedirect, off, sessionSecure, off, csrfSecure, off), options: []statement{
			{key: "all-three", holds: secured, setup: new(under(twoCookies)), own: true},
			{key: "redirect-session", holds: secured, setup: new(under(twoCookies, csrfSecure, off)), own: true},
			{key: "session-token", holds: secured, setup: new(under(twoCookies, sslRedirect, off)), own: true},
			{key: "redirect-alone", holds: secured, setup: new(under(twoCookies, sessionSecure, off, csrfSecure, off)), own: true},
		}},
	}
}

// bySetting holds when a cookie goes over http that was stored without Secure, and the same cookie stays at
// home as soon as it was stored with Secure.
func bySetting(cookie string) check {
	return func(r *Run) (bool, answer) {
		if secure, shown := secureInClear(cookie)(r); secure {
			return false, shown
		}
		keeps := storedWith(cookie, "secure-only-flag", "true")
		if ok, shown := keeps(r); !ok {
			return false, shown
		}
		return goesInClear(cookie)(r)
	}
}

// secureInClear holds when a cookie that was stored with Secure goes over http.
func secureInClear(cookie string) check {
	return func(r *Run) (bool, answer) {
		var shown answer
		for _, number := range r.own() {
			c, v, ok := r.at(number).onHTTP(cookie)
			if ok {
				shown = answer{step: number, rule: v.Rule}
			}
			if c == bare && v.fact("secure-only-flag") == "true" {
				return true, shown
			}
		}
		return false, shown
	}
}

// storedInClear holds when the browser takes a cookie from an answer over http.
func storedInClear(cookie string) check { return storedWith(cookie, "secure connection", "false") }

// practice makes one of the lesson's practice questions.
func (l *Library) practice(ctx context.Context, p practised, w *vocabulary) (Question, error) {
	said := w.Course.Practice[p.name]
	g := &ground{words: w}
	var err error
	if g.base, err = l.ran(ctx, p.setup); err != nil {
		return Question{}, err
	}
	q := Question{
		ID: "practice/" + p.name, Kind: kindPractice, Grade: p.grade, Text: said.Text, Setup: g.base.Setup,
		Hints: said.Hints, Solution: said.Solution, Check: said.Check, Mistakes: said.Mistakes, Key: said.Key,
	}
	right := 0
	for _, st := range p.options {
		o, decided, err := l.option(ctx, g, st, said.Options[st.key])
		if err != nil {
			return q, fmt.Errorf("option %s: %w", st.key, err)
		}
		q.Options = append(q.Options, o)
		if o.Right {
			right++
			q.Step, q.Rule, q.Because = o.Step, decided, said.Because+" "+o.Why
		}
	}
	if right != 1 {
		return q, fmt.Errorf("%d options hold, and one should", right)
	}
	slices.SortFunc(q.Options, func(a, b Option) int { return cmp.Compare(lot(0, p.name, a.Text), lot(0, p.name, b.Text)) })
	return q, l.alsoTold(ctx, g, p, &q)
}

// alsoTold adds to the reason of a question another run that bears the right option out.
func (l *Library) alsoTold(ctx context.Context, g *ground, p practised, q *Question) error {
	if p.also == nil {
		return nil
	}
	r, err := l.ran(ctx, *p.also)
	if err != nil {
		return err
	}
	right := p.options[0]
	ok, shown := right.holds(r)
	if !ok {
		return fmt.Errorf("option %s does not hold of %s", right.key, p.also.Scenario)
	}
	q.Because += " " + g.phrase("also", "title", r.Title) + " " + g.because(r, shown)
	return nil
}

// option decides a statement by running it, and returns the rule that shows it as well.
func (l *Library) option(ctx context.Context, g *ground, st statement, text string) (Option, rule.ID, error) {
	if text == "" {
		return Option{}, "", fmt.Errorf("texts.json has no words for it")
	}
	run := g.base
	if there := cmp.Or(st.setup, st.look); there != nil {
		var err error
		if run, err = l.ran(ctx, *there); err != nil {
			return Option{}, "", err
		}
	}
	if ok, shown := st.holds(g.base); ok && !st.own {
		return Option{Text: text, Right: true, Setup: &g.base.Setup, Step: shown.step, Why: g.because(g.base, shown)}, shown.rule, nil
	}
	ok, shown := st.holds(run)
	o := Option{Text: text, Step: shown.step, Why: g.because(run, shown)}
	switch {
	case st.own && ok:
		o.Right, o.Setup = true, &run.Setup
	case ok:
		o.Setup, o.Why = &run.Setup, g.phrase("would", "change", cmp.Or(l.between(g.base.Setup, run.Setup), g.phrase("unchanged")))+" "+o.Why
	case st.own:
		o.Look, o.Why = &run.Setup, g.phrase("not", "change", text)+" "+o.Why
	case st.setup == nil:
		o.Look, o.Why = &run.Setup, g.phrase("no-run")+" "+o.Why
	default:
		return o, "", fmt.Errorf("it does not hold of the run that is to show it")
	}
	return o, shown.rule, nil
}

// A fact is one of those to keep, with what of a run bears it out.
type fact struct {
	key   string
	setup Setup
	holds check
}

func facts() []fact {
	return []fact{
		{"left-in-clear", Setup{}, func(r *Run) (bool, answer) {
			ok, shown := redirects(r)
			count, _ := r.inClear()
			return ok && count > 0, shown
		}},
		{"stored-as-read", Setup{}, storedWith(sessionCookie, "secure-only-flag", "true")},
		{"goes-along", Setup{}, goesSealed(sessionCookie)},
		{"stays-at-home", Setup{}, keepsOffHTTP(sessionCookie)},
		{"one-thing-each", under("", sessionSecure, off), both(redirects, goesInClear(sessionCookie))},
	}
}

// snapshot are the five facts to keep, each with the step and the rule that bear it out.
func (l *Library) snapshot(ctx context.Context, w *vocabulary) ([]string, error) {
	var all []string
	for _, f := range facts() {
		r, err := l.ran(ctx, f.setup)
		if err != nil {
			return nil, err
		}
		ok, shown := f.holds(r)
		text := w.Course.Snapshot[f.key]
		if !ok || shown.rule == "" || text == "" {
			return nil, fmt.Errorf("the fact %s: the run does not bear it out", f.key)
		}
		key := "borne"
		if change := l.told(r.Setup); change != "" {
			text, key = filled(text, "change", change), "borne-by-change"
		}
		all = append(all, text+" "+filled(w.Questions.Phrases[key], "step", fmt.Sprint(shown.step), "rule", string(shown.rule), "change", l.told(r.Setup)))
	}
	return all, nil
}
