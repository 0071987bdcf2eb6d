package trace

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/lockstep-http/lockstep/rule"
)

var (
	loopGrowing = rules.Add(rule.Rule{
		ID:       "loop-growing",
		Source:   loopSource + "; RFC 9110, section 4.1",
		Sentence: "Each redirect leads to a longer URL, which holds the one before it or repeats a part of it, until the limit of requests or the length that is taken ends it.",
		Fix:      "Leave the redirecting page out of what is redirected, and do not put a URL that has a return address into the return address. A path that grows comes of a Location without a slash at its beginning.",
		Scenario: `
on /a app nested
on /a status 302
visit https://shop.test/a
`,
	})
	loopQuery = rules.Add(rule.Rule{
		ID:       "loop-query",
		Source:   loopSource,
		Sentence: "One page redirects to itself with another query each time, so no request repeats another and the limit of requests ends it.",
		Fix:      "Let the page answer when it gets what it redirects for: a token or time in the query that never counts as the right one, or a parameter that a cache or proxy drops, causes this.",
		Scenario: `
on /a app anew
on /a status 302
visit https://shop.test/a
`,
	})
)

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
