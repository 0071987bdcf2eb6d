package trace

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

const loopSource = "RFC 9110, section 15.4"

// What a diagnosis shows of a loop.
const (
	maxLoopShown = 6   // requests of it
	maxURLShown  = 200 // bytes of a URL
	minSeries    = 5   // requests that have to go the same way before that is called a series
)

// Rules of the causes that the URLs alone tell.
var (
	loopSchemes = rules.Add(rule.Rule{
		ID:       "loop-schemes",
		Source:   loopSource,
		Sentence: "http redirects to https, and https redirects back to http: two parts of the site each insist on another scheme.",
		Fix:      "Find what leads to http: a base URL of the site that is configured as http://, a rule of the proxy for the https port, or a page rule of a CDN; make it https. The fact names the hop.",
		Scenario: `
on /a app plain
on /a status 302
on /a send Location: http://shop.test/a
visit http://shop.test/a
`,
	})
	loopHSTS = rules.Add(rule.Rule{
		ID:       "loop-hsts",
		Source:   "RFC 6797, section 8.3; " + loopSource,
		Sentence: "https redirects to http, and the browser, which knows from HSTS that the host is for https only, goes back to https by itself.",
		Fix:      "Let the https URL answer. To go back to http for good, first answer over https with Strict-Transport-Security: max-age=0, for as long as browsers may remember the old header.",
		Scenario: `
preload shop.test
on /a app plain
on /a status 302
on /a send Location: http://shop.test/a
visit https://shop.test/a
`,
	})
	loopHosts = rules.Add(rule.Rule{
		ID:       "loop-hosts",
		Source:   loopSource,
		Sentence: "The same path is redirected from host to host and back: two parts of the site each take another host for the right one, as www and the name without it.",
		Fix:      "Choose one host, and let only one part redirect to it: the proxy, the CDN, the hosting's panel or the site (SECURE_SSL_HOST, PREPEND_WWW). If schemes change as well, redirect to host and scheme in one step.",
		Scenario: `
set SECURE_SSL_HOST='www.shop.test'
on /a app plain
on /a status 302
on /a send Location: http://shop.test/a
visit http://shop.test/a
`,
	})
	loopSlash = rules.Add(rule.Rule{
		ID:       "loop-slash",
		Source:   loopSource + "; Django setting APPEND_SLASH",
		Sentence: "The URL with a slash at its end redirects to the one without, and that one back: one part of the site adds what another takes away.",
		Fix:      "Let one part decide: APPEND_SLASH in Django, try_files or rewrite in nginx, trailingSlash in a CDN's or a framework's settings; turn the other off.",
		Scenario: `
on /a app plain
on /a status 301
on /a send Location: /a/
on /a/ app plain
on /a/ status 301
on /a/ send Location: /a
visit https://shop.test/a
`,
	})
	loopSelf = rules.Add(rule.Rule{
		ID:       "loop-self",
		Source:   loopSource,
		Sentence: "The URL redirects to itself, and neither the scheme nor a cookie changes by it.",
		Fix:      "Let the page answer, or find the rule that redirects: one that is meant for other paths often covers its own destination, as a login page that needs a login.",
		Scenario: `
on /a app plain
on /a status 302
on /a send Location: /a
visit https://shop.test/a
`,
	})
	loopRound = rules.Add(rule.Rule{
		ID:       "loop-round",
		Source:   loopSource,
		Sentence: "Each of these URLs redirects to the next, and the last to the first; no cookie, scheme, host or slash explains it.",
		Fix:      "Let one of them answer: most often the rule that redirects to a page does not leave that page out.",
		Scenario: `
on /a app plain
on /a status 302
on /a send Location: /b
on /b app plain
on /b status 302
on /b send Location: /a
visit https://shop.test/a
`,
	})
)

// A lap is the part of a visit that comes again: the hops from first to the one before last, which asks
// for what first asked for. All count from 0.
type lap struct {
	hops        []Hop // of the visit
	first, last int
}

// round are the hops of the lap.
func (l *lap) round() []Hop { return l.hops[l.first:l.last] }

// DiagnoseLoop says why the redirects of a visit do not end, from its hops alone; ok is false when they
// do end, or when nothing comes again. What a foreign site thought is not seen: a diagnosis is of what its
// answers have in common.
func DiagnoseLoop(hops []Hop) (v rule.Verdict, ok bool) {
	l, ok := findLap(hops)
	switch {
	case ok:
		v = l.diagnose()
		v.Facts = append(l.facts(), v.Facts...)
	default:
		if v, ok = diagnoseSeries(hops); !ok {
			return v, false
		}
	}
	v.Side, v.Question = rule.Browser, rule.ExplainLoop
	v.Subject = shownURL(hops[len(hops)-1].URL)
	return v, true
}

// findLap finds the request that the last one repeats. A site may notice its own loop and answer with an
// error in place of the next redirect, as the Guard does.
func findLap(hops []Hop) (lap, bool) {
	last := len(hops) - 1
	if last < 1 {
		return lap{}, false
	}
	end := &hops[last]
	if goesOn(end) {
		for first := last - 1; first >= 0; first-- {
			if sameRequest(&hops[first], end) && goesOn(&hops[first]) {
				return lap{hops, first, last}, true
			}
		}
		return lap{}, false
	}
	before := &hops[last-1]
	failed := end.Response != nil && end.Response.Status >= http.StatusInternalServerError
	if failed && sameRequest(before, end) && leadsToItself(before) && len(before.All(rule.StoreCookie)) == 0 {
		return lap{hops, last - 1, last}, true
	}
	return lap{}, false
}

// goesOn reports whether the answer of a hop was a redirect.
func goesOn(h *Hop) bool {
	return h.Response != nil && h.Response.Status/100 == 3 && h.Location() != ""
}

// sameRequest reports whether two hops asked for the same.
func sameRequest(a, b *Hop) bool {
	return a.Method == b.Method && withoutFragment(a.URL) == withoutFragment(b.URL)
}

// leadsToItself reports whether the redirect of an https URL names that URL whole.
func leadsToItself(h *Hop) bool {
	to, err := url.Parse(h.Location())
	return err == nil && to.Scheme == "https" && goesOn(h) && withoutFragment(destination(h)) == withoutFragment(h.URL)
}

// permanent reports whether a redirect is meant for ever, as one to https is, and one after a login is not.
func permanent(h *Hop) bool {
	return h.Response.Status == http.StatusMovedPermanently || h.Response.Status == http.StatusPermanentRedirect
}

// destination is the URL to which the redirect of a hop leads, or "".
func destination(h *Hop) string {
	base, err := url.Parse(h.URL)
	if err != nil {
		return ""
	}
	to, err := browser.ResolveURL(base, h.Location())
	if err != nil {
		return ""
	}
	return to.Redacted()
}

func withoutFragment(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	return raw
}

// diagnose names the cause. What is certain of the URLs comes first, and what cookies tell after that; of
// a URL that leads to itself a cookie that got lost is the better explanation.
func (l *lap) diagnose() rule.Verdict {
	switch round := l.round(); {
	case l.alike(func(u *url.URL) string { return u.Host + u.RequestURI() }):
		return l.diagnoseOneURL()
	case l.alike((*url.URL).RequestURI):
		return rule.Verdict{Rule: loopHosts, Facts: []rule.Fact{{Name: "hosts", Value: strings.Join(l.distinct(origin), ", ")}}}
	case l.alike(func(u *url.URL) string { return u.Host + strings.TrimRight(u.Path, "/") + "?" + u.RawQuery }):
		return rule.Verdict{Rule: loopSlash, Facts: []rule.Fact{{Name: "paths", Value: strings.Join(l.distinct((*url.URL).EscapedPath), ", ")}}}
	default:
		if v, ok := l.diagnoseCookies(); ok {
			return v
		}
		return rule.Verdict{Rule: loopRound, Facts: []rule.Fact{{Name: "status", Value: strconv.Itoa(round[0].Response.Status)}}}
	}
}

// diagnoseOneURL is about a lap whose requests differ in the scheme, if at all.
func (l *lap) diagnoseOneURL() rule.Verdict {
	round := l.round()
	secure := 0
	for i := range round {
		if round[i].Secure() {
			secure++
		}
	}
	switch {
	case secure > 0 && secure < len(round):
		return rule.Verdict{Rule: loopSchemes, Facts: l.downgrades()}
	case secure > 0 && scheme(destination(&round[0])) == "http":
		return rule.Verdict{Rule: loopHSTS, Facts: l.downgrades()}
	}
	if v, ok := l.diagnoseCookies(); ok && (v.Rule != loopCookieUnread || !leadsToItself(&round[0]) || !permanent(&round[0])) {
		return v
	}
	if !leadsToItself(&round[0]) {
		return rule.Verdict{Rule: loopSelf, Facts: []rule.Fact{{Name: "Location", Value: cutURL(round[0].Location())}}}
	}
	return diagnoseProxy(&round[0])
}

// downgrades are the hops that lead from https to http.
func (l *lap) downgrades() (facts []rule.Fact) {
	for i := range l.round() {
		if h := &l.round()[i]; h.Secure() && scheme(destination(h)) == "http" {
			facts = append(facts, rule.Fact{Name: fmt.Sprintf("hop %d", l.first+i+1), Value: fmt.Sprintf("%s leads to %s", cutURL(h.URL), cutURL(h.Location()))})
		}
	}
	return facts
}

// alike reports whether the URLs of the lap have the same part.
func (l *lap) alike(part func(*url.URL) string) bool { return len(l.distinct(part)) == 1 }

// distinct are the values that a part of the URLs of the lap has, in order.
func (l *lap) distinct(part func(*url.URL) string) []string {
	var all []string
	for i := range l.round() {
		u, err := url.Parse(l.round()[i].URL)
		if err != nil {
			u = &url.URL{Opaque: l.round()[i].URL}
		}
		if p := cutURL(part(u)); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// facts are what comes again: the numbers of the hops, and the URLs.
func (l *lap) facts() []rule.Fact {
	var way []string
	for i := range l.round()[:min(len(l.round()), maxLoopShown)] {
		h := &l.round()[i]
		way = append(way, fmt.Sprintf("%s (%d)", cutURL(h.URL), h.Response.Status))
	}
	if len(l.round()) > maxLoopShown {
		way = append(way, "...")
	}
	way = append(way, cutURL(l.hops[l.last].URL))
	facts := []rule.Fact{
		{Name: "hop", Value: strconv.Itoa(l.first + 1)},
		{Name: "comes again as hop", Value: strconv.Itoa(l.last + 1)},
		{Name: "period", Value: strconv.Itoa(l.last - l.first)},
		{Name: "loop", Value: strings.Join(way, " -> ")},
	}
	if end := l.hops[l.last].Response; end.Status/100 != 3 {
		facts = append(facts, rule.Fact{Name: "ended by", Value: strconv.Itoa(end.Status) + ", by which the site ends the loop itself"})
	}
	return facts
}

// shownURL is a URL as the subject of a verdict.
func shownURL(raw string) string { return cutURL(withoutFragment(raw)) }

func cutURL(raw string) string {
	if len(raw) <= maxURLShown {
		return raw
	}
	return strings.ToValidUTF8(raw[:maxURLShown], "") + "…"
}
