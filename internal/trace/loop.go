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

// What a diagnosis shows of a loop.
const (
	maxLoopShown = 6   // requests of it
	maxURLShown  = 200 // bytes of a URL
	minSeries    = 5   // requests that have to go the same way before that is called a series
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
	if end.Response != nil && end.Response.Status >= http.StatusInternalServerError && sameRequest(before, end) && leadsToItself(before) {
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
	if v, ok := l.diagnoseCookies(); ok && (v.Rule != loopCookieUnread || !leadsToItself(&round[0])) {
		return v
	}
	if !leadsToItself(&round[0]) {
		return rule.Verdict{Rule: loopSelf, Facts: []rule.Fact{{Name: "Location", Value: cutURL(round[0].Location())}}}
	}
	v := rule.Verdict{Rule: loopTLSUnseen, Facts: proxyFacts(&round[0])}
	if frontOf(&round[0]) == cloudflare {
		v.Rule = loopFlexible
	}
	return v
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

// diagnoseCookies looks for a cookie that the lap sets and that does not come back: refused, or kept
// back from a request; and at last for one that does come back and changes nothing.
func (l *lap) diagnoseCookies() (rule.Verdict, bool) {
	var unread []rule.Fact
	for i := l.first; i < l.last; i++ {
		for _, v := range l.hops[i].All(rule.StoreCookie) {
			set := rule.Fact{Name: "cookie", Value: called(v.Subject)}
			at := rule.Fact{Name: "set by hop", Value: strconv.Itoa(i + 1)}
			if !v.Yes {
				return rule.Verdict{Rule: loopCookieRefused, Facts: []rule.Fact{set, at, {Name: "rule", Value: string(v.Rule)}}}, true
			}
			if k, why, ok := l.keptBack(i, v.Subject); ok {
				return rule.Verdict{Rule: loopCookieKeptBack, Facts: []rule.Fact{
					set, at, {Name: "kept back from hop", Value: strconv.Itoa(k + 1)}, {Name: "rule", Value: string(why)},
				}}, true
			}
			if unread == nil && held(&l.hops[i], v.Subject) && l.sent(v.Subject) {
				unread = []rule.Fact{set, at}
			}
		}
	}
	if unread == nil {
		return rule.Verdict{}, false
	}
	return rule.Verdict{Rule: loopCookieUnread, Facts: unread}, true
}

// keptBack finds the request after hop i, within the lap and the one that repeats it, that went without
// the cookie, and the rule by which it did.
func (l *lap) keptBack(i int, name string) (at int, why rule.ID, ok bool) {
	for k := i + 1; k <= l.last; k++ {
		v, asked := sendVerdict([]*Hop{&l.hops[k]}, name)
		if asked && !v.Yes && v.Rule != "send-expired" {
			return k, v.Rule, true
		}
	}
	return 0, "", false
}

// sent reports whether a request of the lap, or the one that repeats it, carried the cookie.
func (l *lap) sent(name string) bool {
	v, ok := sendVerdict(pointers(l.hops[l.first:l.last+1]), name)
	return ok && v.Yes
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

// diagnoseSeries is about redirects of which each leads to another URL, and which do not end all the same.
func diagnoseSeries(hops []Hop) (rule.Verdict, bool) {
	last := &hops[len(hops)-1]
	if len(hops) < minSeries || !goesOn(last) && !tooLong(last) {
		return rule.Verdict{}, false
	}
	tail := hops[len(hops)-minSeries:]
	facts := []rule.Fact{
		{Name: "requests", Value: strconv.Itoa(len(hops))},
		{Name: "first", Value: cutURL(tail[0].URL)},
		{Name: "then", Value: cutURL(tail[1].URL)},
		{Name: "octets of the last URL", Value: strconv.Itoa(len(last.URL))},
	}
	series := lap{hops, len(hops) - minSeries, len(hops)}
	switch {
	case !series.alike(origin):
		return rule.Verdict{}, false
	case grows(tail):
		return rule.Verdict{Rule: loopGrowing, Facts: facts}, true
	case goesOn(last) && series.alike((*url.URL).EscapedPath):
		return rule.Verdict{Rule: loopQuery, Facts: facts}, true
	}
	return rule.Verdict{}, false
}

// grows reports whether each URL is longer than the one before it.
func grows(hops []Hop) bool {
	for i := 1; i < len(hops); i++ {
		if len(hops[i].URL) <= len(hops[i-1].URL) {
			return false
		}
	}
	return true
}

// tooLong reports whether a server refused a request for its length.
func tooLong(h *Hop) bool {
	return h.Response != nil && (h.Response.Status == http.StatusRequestURITooLong || h.Response.Status == http.StatusRequestHeaderFieldsTooLarge)
}

// shownURL is a URL as the subject of a verdict.
func shownURL(raw string) string { return cutURL(withoutFragment(raw)) }

func cutURL(raw string) string {
	if len(raw) <= maxURLShown {
		return raw
	}
	return strings.ToValidUTF8(raw[:maxURLShown], "") + "…"
}

// A front is what stands before a site, as far as its answers name it.
type front string

const (
	unnamed    front = ""
	cloudflare front = "Cloudflare"
	nginx      front = "nginx"
	caddy      front = "Caddy"
)

// frontOf reads what answered from the header of a hop. HAProxy and Traefik do not say so.
func frontOf(h *Hop) front {
	for _, f := range h.Response.Fields {
		value := strings.ToLower(f.Value)
		switch strings.ToLower(f.Name) {
		case "cf-ray":
			return cloudflare
		case "server":
			for _, known := range []front{cloudflare, nginx, caddy} {
				if strings.HasPrefix(value, strings.ToLower(string(known))) {
					return known
				}
			}
		}
	}
	return unnamed
}

// proxyLines are what makes a proxy say that its client came over https. Caddy and Traefik do it by
// themselves, unless another proxy that ends TLS stands before them.
var proxyLines = []struct {
	front
	line string
}{
	{nginx, "proxy_set_header X-Forwarded-Proto $scheme;"},
	{caddy, "reverse_proxy sets it; behind another proxy: servers { trusted_proxies static 10.0.0.0/8 }"},
	{"HAProxy", "http-request set-header X-Forwarded-Proto https if { ssl_fc }"},
	{"Traefik", "sets it; behind another proxy: --entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8"},
}

// proxyFacts are what the site would have to be told, and the line that tells it: of the proxy that is
// named in the answer, or else of each.
func proxyFacts(h *Hop) []rule.Fact {
	facts := []rule.Fact{
		{Name: "header that the site needs", Value: "X-Forwarded-Proto: https"},
		{Name: "settings that read it", Value: "SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https'), and with Lockstep TRUSTED_PROXIES = [the proxy's address]"},
	}
	named := frontOf(h)
	if named != unnamed {
		facts = append(facts, rule.Fact{Name: "answered by", Value: string(named)})
	}
	for _, p := range proxyLines {
		if p.front == named || named == unnamed || named == cloudflare {
			facts = append(facts, rule.Fact{Name: string(p.front), Value: p.line})
		}
	}
	return facts
}
