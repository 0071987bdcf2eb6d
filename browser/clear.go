package browser

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// MaxClearSiteData is how many octets of a Clear-Site-Data header are read.
const MaxClearSiteData = 4096

const clearSource = "Clear Site Data, section 3; Chromium, as observed"

var (
	clearCookies = rules.Add(rule.Rule{
		ID:       "clear-cookies",
		Source:   clearSource,
		Sentence: "Clear-Site-Data has \"cookies\" or \"*\": every cookie of the registrable domain is forgotten, those of other hosts of it too.",
		Fix:      "To delete one cookie only, send Set-Cookie with its name, Domain and Path and Max-Age=0.",
		Scenario: `
on /a send Set-Cookie: a=1
on /b send Clear-Site-Data: "cookies"
visit https://shop.test/a
visit https://shop.test/b
`,
	})
	clearOverHTTP = rules.Add(rule.Rule{
		ID:       "clear-over-http",
		Source:   clearSource,
		Sentence: "Clear-Site-Data is ignored over a connection that is not secure, where anybody on the way could have written it.",
		Fix:      "Send the header over HTTPS.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
on /b app plain
on /b send Clear-Site-Data: "cookies"
visit http://shop.test/b
`,
	})
	clearNoCookies = rules.Add(rule.Rule{
		ID:       "clear-no-cookies",
		Source:   clearSource,
		Sentence: "Clear-Site-Data has neither \"cookies\" nor \"*\", with the quotes, so no cookie is forgotten.",
		Fix:      "Write Clear-Site-Data: \"cookies\", with the quotes.",
		Scenario: `
on /b send Clear-Site-Data: cookies
visit https://shop.test/b
`,
	})
)

// ClearSiteData answers whether the browser forgets cookies because of the lines of the Clear-Site-Data
// header in the response to req, and does so: those of the registrable domain of the host, and of
// partitions those of the request's. What else the header clears is no question here.
//
// Clear Site Data, section 4.
func (b *Browser) ClearSiteData(req Request, fields []string, now time.Time, rec *rule.Recorder) rule.Verdict {
	v := rule.Verdict{Side: rule.Browser, Question: rule.ClearSiteData, Subject: shown(req.URL.Host)}
	field := strings.Join(fields, ", ")
	field = field[:min(len(field), MaxClearSiteData)]
	b.mu.Lock()
	t, ok := b.target(req.URL)
	cleared := 0
	switch {
	case !ok || !t.secure():
		v.Rule = clearOverHTTP
		if ok && !clearsCookies(field) {
			v.Also = []rule.ID{clearNoCookies}
		}
	case !clearsCookies(field):
		v.Rule = clearNoCookies
	default:
		v.Rule, v.Yes = clearCookies, true
		t.context = b.context(&req, &t)
		b.cookies.removeExpired(t.site, now)
		cleared = len(b.cookies.sites[t.site])
		b.cookies.remove(t.site, func(e entry) bool { return b.inPartition(&t.context, &e.Cookie) })
		cleared -= len(b.cookies.sites[t.site])
	}
	b.mu.Unlock()
	if rec.Watching() {
		v.Facts = []rule.Fact{
			{Name: "Clear-Site-Data", Value: shown(strings.ToValidUTF8(field, "�"))},
			{Name: "registrable domain", Value: t.site},
			{Name: "cookies forgotten", Value: strconv.Itoa(cleared)},
		}
		rec.Record(v)
	}
	return v
}

// clearsCookies reports whether a Clear-Site-Data header names cookies. Its words are quoted, and case
// counts.
func clearsCookies(field string) bool {
	words := strings.Split(field, ",")
	return slices.ContainsFunc(words, func(w string) bool {
		w = strings.Trim(w, " \t")
		return w == `"cookies"` || w == `"*"`
	})
}
