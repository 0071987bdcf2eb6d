package lesson

import (
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-http/lockstep/rule"
)

// Kinds of exercises.
const (
	bySettings = "settings" // turn switches
	byLine     = "line"     // write a Set-Cookie line
	byStep     = "leak"     // find the step
)

// An exercise is what a learner solves, with what the judge looks at.
type exercise struct {
	id, grade, kind string
	setup           Setup
	switches        []string // of bySettings: those that may be turned
	solution        Answer   // of byStep it is found by running

	goals []goal   // of bySettings
	sight sighting // of byStep: what is to be found
	asked []asking // of byLine
	url   string
	line  string // to begin with
}

// A goal is a check with its words in texts.json. One with a scenario is looked at there, under the same
// switches.
type goal struct {
	key      string
	scenario string
	holds    check
}

// A sighting is the first step at which something is to be seen.
type sighting struct {
	key  string
	find func(*Run) answer
}

// exercises are ordered by grade.
func exercises() []exercise {
	const shop = "https://shop.test/"
	turned := func(pairs ...string) Answer { return Answer{Switches: under("", pairs...).Switches} }
	return []exercise{
		{
			id: "keep-it-home", grade: Easy, kind: bySettings, setup: under(TheLesson, sslRedirect, off, sessionSecure, off),
			switches: []string{sslRedirect, sessionSecure, csrfSecure},
			goals: []goal{
				{key: "off-http", holds: keepsOffHTTP(sessionCookie)},
				{key: "sealed", holds: goesSealed(sessionCookie)},
			},
			solution: turned(sessionSecure, on),
		},
		{
			id: "https-only-line", grade: Easy, kind: byLine, url: shop, line: "sessionid=abc123",
			asked:    []asking{stays, goesTo("to-site", shop), staysFrom("not-over-http", "http://shop.test/"), unreadable},
			solution: Answer{Line: "sessionid=abc123; Secure; HttpOnly"},
		},
		{
			id: "where-it-leaks", grade: Easy, kind: byStep, setup: under(TheLesson, sessionSecure, off),
			sight: sighting{"leak", firstLeak(sessionCookie)},
		},
		{
			id: "both-cookies", grade: Medium, kind: bySettings, setup: under(twoCookies, sslRedirect, off, sessionSecure, off, csrfSecure, off),
			switches: []string{sslRedirect, sessionSecure, csrfSecure, sessionSite, sessionScripts},
			goals: []goal{
				{key: "redirects", holds: redirects},
				{key: "off-http", holds: keepsOffHTTP(sessionCookie)},
				{key: "token-off-http", holds: keepsOffHTTP(tokenCookie)},
				{key: "sealed", holds: both(goesSealed(sessionCookie), goesSealed(tokenCookie))},
			},
			solution: turned(sslRedirect, on, sessionSecure, on, csrfSecure, on),
		},
		{
			id: "behind-a-proxy", grade: Medium, kind: bySettings, setup: under(TheLesson, "proxy", "ignored"),
			switches: []string{"proxy", sslRedirect, sessionSecure, hstsSeconds},
			goals: []goal{
				{key: "no-loop", holds: noLoop},
				{key: "served", holds: served},
				{key: "redirects", holds: redirects},
				{key: "behind-proxy", holds: behindProxy},
			},
			solution: turned("proxy", "trusted"),
		},
		{
			id: "subdomains-line", grade: Medium, kind: byLine, url: shop, line: "sessionid=abc123; Secure; HttpOnly",
			asked: []asking{
				stays, goesTo("to-api", "https://api.shop.test/"), staysFrom("not-over-http", "http://api.shop.test/"),
				staysFrom("not-from-form", shop, formOf("https://evil.test/")), goesTo("from-link", shop, linkOf("https://news.test/")), lasts, unreadable,
			},
			solution: Answer{Line: "sessionid=abc123; Domain=shop.test; Secure; HttpOnly; SameSite=Lax; Max-Age=1209600"},
		},
		{
			id: "an-old-cookie", grade: Medium, kind: byStep, setup: under(fromBefore),
			sight: sighting{"leak", firstLeak(sessionCookie)},
		},
		{
			id: "the-cafe", grade: Medium, kind: byStep, setup: under("stolen-cookie"),
			sight: sighting{"harm", firstHarm},
		},
		{
			id: "remember-https", grade: Hard, kind: bySettings, setup: under("hsts", hstsSeconds, "0"),
			switches: []string{sslRedirect, sessionSecure, hstsSeconds, hstsBelow},
			goals: []goal{
				{key: "second-upgraded", holds: upgraded(3)},
				{key: "subdomain-upgraded", holds: upgraded(4)},
				{key: "redirects", holds: redirects},
			},
			solution: turned(hstsSeconds, "31536000", hstsBelow, on),
		},
		{
			id: "subdomain-proof-line", grade: Hard, kind: byLine, url: shop, line: "sessionid=abc123; Domain=shop.test; Path=/; Secure; HttpOnly",
			asked: []asking{
				stays, goesTo("to-site", shop+"account"), staysFrom("not-to-subdomain", "https://evil.shop.test/"),
				untossed, unreadable,
			},
			solution: Answer{Line: "__Host-sessionid=abc123; Path=/; Secure; HttpOnly"},
		},
		{
			id: "framed-line", grade: Hard, kind: byLine, url: "https://widget.test/", line: "sessionid=abc123; Secure; HttpOnly; SameSite=Lax",
			asked: []asking{
				framed("in-frame", "https://news.test/", true), framed("not-in-other-frame", "https://other.test/", false), unreadable,
			},
			solution: Answer{Line: "sessionid=abc123; Secure; HttpOnly; SameSite=None; Partitioned"},
		},
		{
			id: "two-locks", grade: Hard, kind: bySettings, setup: under("cross-site-post-not-stopped"),
			switches: []string{sessionSite, sessionSecure, csrfSecure},
			goals: []goal{
				{key: "forgery-fails", holds: forgeryFails},
				{key: "link-arrives", scenario: "oauth-callback", holds: found(2)},
			},
			solution: turned(sessionSite, "Lax"),
		},
		{
			id: "other-code", grade: Hard, kind: byStep, setup: under(otherCode),
			sight: sighting{"origin", firstBare(sessionCookie)},
		},
	}
}

// firstLeak finds where a cookie goes over http.
func firstLeak(cookie string) func(*Run) answer {
	return func(r *Run) answer {
		ok, shown := goesInClear(cookie)(r)
		if !ok {
			return answer{}
		}
		return shown
	}
}

// firstBare finds where the browser stores a cookie without Secure.
func firstBare(cookie string) func(*Run) answer {
	return func(r *Run) answer {
		ok, shown := storedWith(cookie, "secure-only-flag", "false")(r)
		if !ok {
			return answer{}
		}
		return shown
	}
}

// behindProxy holds when the site takes the word of the proxy before it for how a request left.
func behindProxy(r *Run) (bool, answer) {
	for _, number := range r.own() {
		for _, v := range r.at(number).all(rule.IsSecure, "") {
			if v.Rule == "secure-proxy-header" {
				return true, answer{step: number, rule: v.Rule}
			}
		}
	}
	return false, answer{step: 1}
}

func exerciseNamed(id string) (exercise, bool) {
	all := exercises()
	i := slices.IndexFunc(all, func(e exercise) bool { return e.id == id })
	if i < 0 {
		return exercise{}, false
	}
	return all[i], true
}

// Exercises returns the exercises, the easy ones first. The step of one that is about finding it is found by
// a run; should that fail, the exercise is left out. However many ask at once, each is run once.
func (l *Library) Exercises() []Exercise {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exercises != nil {
		return slices.Clone(l.exercises)
	}
	w, err := spoken()
	if err != nil {
		return nil
	}
	all := l.tellExercises(w)
	if len(all) == len(exercises()) {
		l.exercises = all
	}
	return all
}

func (l *Library) tellExercises(w *vocabulary) (all []Exercise) {
	for _, e := range exercises() {
		solution, err := l.solution(context.Background(), e)
		if err != nil {
			continue
		}
		said := w.Exercises.Each[e.id]
		all = append(all, Exercise{
			ID: e.id, Grade: e.grade, Kind: e.kind, Title: said.Title, Text: said.Text, Setup: e.setup,
			Switches: e.switches, URL: e.url, Line: e.line, Goals: e.wanted(w), Hints: said.Hints, Solution: solution,
		})
	}
	return all
}

// wanted are the goals in words.
func (e exercise) wanted(w *vocabulary) []string {
	var all []string
	for _, g := range e.goals {
		all = append(all, w.Exercises.Goals[g.key])
	}
	for _, a := range e.asked {
		all = append(all, w.Exercises.Goals[a.key])
	}
	if e.kind == byStep {
		all = append(all, w.Exercises.Goals[e.sight.key])
	}
	return all
}

// solution is an answer that solves an exercise.
func (l *Library) solution(ctx context.Context, e exercise) (Answer, error) {
	if e.kind != byStep {
		return e.solution, nil
	}
	r, err := l.ran(ctx, e.setup)
	if err != nil {
		return Answer{}, err
	}
	found := e.sight.find(r)
	if found.step == 0 {
		return Answer{}, fmt.Errorf("the exercise %s: there is nothing to find", e.id)
	}
	return Answer{Step: found.step}, nil
}
