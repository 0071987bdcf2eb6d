package lesson

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// The moment at which a line that is handed in arrives. An Expires in it is read against this.
var arrival = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// An asking is a question to a browser that was given the line of a learner: its answer, as it should be.
// Each gets a browser of its own.
type asking struct {
	key string
	ask func(g *given) (met bool, by rule.ID)
}

// A given is a browser with nothing in it but what came of the line.
type given struct {
	browser *browser.Browser
	url     *url.URL
	name    string // of the cookie
	line    string // as it came
	stored  rule.Verdict
}

func give(line string, at *url.URL) *given {
	l := cookie.Parse(line)
	g := &given{browser: &browser.Browser{Profile: browser.Chromium()}, url: at, name: l.Name, line: line}
	g.stored = g.store(browser.Request{URL: at}, line)
	return g
}

// store returns the verdict as it was watched, which has facts.
func (g *given) store(req browser.Request, line string) (v rule.Verdict) {
	g.browser.StoreCookie(req, line, arrival, rule.NewRecorder(func(one rule.Verdict) { v = one }))
	return v
}

// sends asks whether a request carries the cookie, and by which rule.
func (g *given) sends(req browser.Request, now time.Time) (bool, rule.ID) {
	yes, by := false, g.stored.Rule
	g.browser.CookieHeader(req, now, rule.NewRecorder(func(v rule.Verdict) {
		if v.Subject != g.name || yes {
			return
		}
		yes, by = v.Yes, v.Rule
	}))
	return yes, by
}

// A source is where a request comes from.
type source func(*browser.Request)

func formOf(page string) source {
	return func(req *browser.Request) {
		req.Method, req.Initiator = http.MethodPost, &browser.Document{URL: address(page)}
	}
}

func linkOf(page string) source {
	return func(req *browser.Request) { req.Initiator = &browser.Document{URL: address(page)} }
}

// address reads a URL that stands in this package.
func address(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return u
}

func request(target string, from []source) browser.Request {
	req := browser.Request{URL: address(target)}
	for _, f := range from {
		f(&req)
	}
	return req
}

// goesTo wants the cookie to go along with a request.
func goesTo(key, target string, from ...source) asking {
	return asking{key, func(g *given) (bool, rule.ID) { return g.sends(request(target, from), arrival) }}
}

// staysFrom wants a cookie that is stored, and not to go along.
func staysFrom(key, target string, from ...source) asking {
	return asking{key, func(g *given) (bool, rule.ID) {
		yes, by := g.sends(request(target, from), arrival)
		return g.stored.Yes && !yes, by
	}}
}

// stays wants the browser to store the cookie.
var stays = asking{"stored", func(g *given) (bool, rule.ID) { return g.stored.Yes && g.stored.Rule != "store-deleted", g.stored.Rule }}

// unreadable wants a cookie that is stored and that no script of the page can read.
var unreadable = asking{"no-script", func(g *given) (met bool, by rule.ID) {
	by = g.stored.Rule
	g.browser.ScriptCookies(&browser.Document{URL: g.url}, arrival, rule.NewRecorder(func(v rule.Verdict) {
		if v.Subject == g.name {
			met, by = v.Rule == "read-httponly", v.Rule
		}
	}))
	return met && g.stored.Yes, by
}}

// aWeek is how long a cookie has to last that a person comes back with.
const aWeek = 7 * 24 * time.Hour

// lasts wants a cookie that is there after a week, and after the browser was closed.
var lasts = asking{"lasts", func(g *given) (bool, rule.ID) {
	persistent, _ := g.stored.Fact("persistent-flag")
	yes, by := g.sends(browser.Request{URL: g.url}, arrival.Add(aWeek))
	return yes && persistent == "true", by
}}

// untossed wants that what a subdomain sets under the same name neither takes the cookie's place nor goes
// along beside it.
var untossed = asking{"untossed", func(g *given) (bool, rule.ID) {
	line := fmt.Sprintf("%s=tossed; Domain=%s; Path=/; Secure", g.name, g.url.Hostname())
	tossed := g.store(browser.Request{URL: address("https://evil." + g.url.Hostname() + "/")}, line)
	carried := 0
	g.browser.CookieHeader(browser.Request{URL: g.url}, arrival, rule.NewRecorder(func(v rule.Verdict) {
		if v.Subject == g.name && v.Yes {
			carried++
		}
	}))
	return g.stored.Yes && !tossed.Yes && carried == 1, tossed.Rule
}}

// framed wants the cookie of a frame within a page of another site, set there, to go along there or not to
// go along in a frame within a third site.
func framed(key, page string, wanted bool) asking {
	const first = "https://news.test/"
	return asking{key, func(g *given) (bool, rule.ID) {
		inFrame := func(outer string) browser.Request {
			return browser.Request{URL: g.url, Initiator: &browser.Document{URL: address(outer)}, As: browser.AsIframe}
		}
		fresh := &given{browser: &browser.Browser{Profile: browser.Chromium()}, url: g.url, name: g.name}
		fresh.stored = fresh.store(inFrame(first), g.line)
		yes, by := fresh.sends(inFrame(page), arrival)
		return fresh.stored.Yes && yes == wanted, cmp.Or(by, fresh.stored.Rule)
	}}
}

// line judges a Set-Cookie line by what a browser does with it.
func (j *judge) line(line string) error {
	if len(line) > maxLine {
		return &SetupError{Name: "line", Problem: fmt.Sprintf("%d bytes are more than %d", len(line), maxLine), Hint: "a browser refuses name and value together above 4096"}
	}
	at := address(j.exercise.url)
	j.Line = tokensOf(line, at, j.library)
	for _, a := range j.exercise.asked {
		met, by := a.ask(give(line, at))
		j.Goals = append(j.Goals, Goal{Text: j.words.Exercises.Goals[a.key], Met: met, Rule: by, Why: j.library.sentenceOf(by)})
	}
	return nil
}

// tokensOf explains a line token by token. Values are shortened.
func tokensOf(line string, at *url.URL, l *Library) *Tokens {
	s := trace.ExplainLine(&browser.Browser{Profile: browser.Chromium()}, line, at, arrival, false, l.catalogue.Lookup)
	t := &Tokens{Line: s.Line, Stored: s.Verdict.Yes, Rule: s.Verdict.Rule, Why: l.sentenceOf(s.Verdict.Rule)}
	for _, token := range s.Tokens {
		t.Tokens = append(t.Tokens, Token{Text: token.Text, Is: token.Is, Effect: token.Effect, Does: token.Does, Rule: token.Rule})
	}
	return t
}
