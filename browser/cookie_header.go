package browser

import (
	"slices"
	"strconv"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// CookieHeader returns the value of the Cookie header that goes along with req at now, or "" when
// no cookie does, in which case there is no header. Cookies with longer paths come first, and among
// those with paths of one length the older.
//
// To rec goes one verdict for each stored cookie that the host or another one of its site can set:
// first for those that are sent, in their order, with "order" among the facts, and then for those
// that stay behind, each with every rule that keeps it back. A cookie of another site is no
// question. Expired cookies are reported once and then forgotten.
//
// For a URL whose requests carry no cookies, of another scheme than http, https, ws and wss or
// without a readable host, it returns "" and records nothing.
//
// RFC 6265bis-22, section 5.8.3.
func (b *Browser) CookieHeader(req Request, now time.Time, rec *rule.Recorder) string {
	t, ok := targetOf(req.URL)
	if !ok {
		return ""
	}
	t.context = req.context(t)
	pairs, verdicts := b.send(t, now, rec.Watching())
	for _, v := range verdicts {
		v.Facts = append(v.Facts, siteFacts(req, t)...)
		rec.Record(v)
	}
	return cookie.FormatHeader(pairs)
}

// send returns the pairs that go to t, and, when somebody watches, the verdicts.
func (b *Browser) send(t target, now time.Time, watched bool) ([]cookie.Pair, []rule.Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entries := b.cookies.sites[t.site]
	var pairs []cookie.Pair
	var verdicts []rule.Verdict
	if watched {
		verdicts = sendVerdicts(entries, t, now)
	}
	for i := range entries {
		if e := &entries[i]; t.gets(&e.Cookie, now) {
			e.accessed = now
			if pairs == nil {
				pairs = make([]cookie.Pair, 0, len(entries)-i)
			}
			pairs = append(pairs, cookie.Pair{Name: e.name, Value: e.value})
		}
	}
	b.cookies.removeExpired(t.site, now)
	return pairs, verdicts
}

// A sendCheck is a rule by which a cookie stays behind.
type sendCheck struct {
	rule    rule.ID
	applies func(c *Cookie, t target, now time.Time) bool
}

// sendChecks are the rules by which a cookie stays behind, in the order in which they are told: a
// cookie that is gone, that is not for this host, not for this path, not for this connection, and not
// for what another site asks for.
var sendChecks = slices.Concat([]sendCheck{
	{sendExpired, func(c *Cookie, _ target, now time.Time) bool { return c.expired(now) }},
	{sendHostOnly, func(c *Cookie, t target, _ time.Time) bool { return c.hostOnly && !c.covers(t.host) }},
	{sendDomainMismatch, func(c *Cookie, t target, _ time.Time) bool { return !c.hostOnly && !c.covers(t.host) }},
	{sendPath, func(c *Cookie, t target, _ time.Time) bool { return !cookie.PathMatch(t.path, c.path) }},
	{sendSecureOverHTTP, func(c *Cookie, t target, _ time.Time) bool { return c.secure && !t.secure() }},
}, sameSiteChecks)

// gets reports whether c goes to t.
func (t target) gets(c *Cookie, now time.Time) bool {
	for i := range sendChecks {
		if sendChecks[i].applies(c, t, now) {
			return false
		}
	}
	return true
}

var (
	sendOK = rules.Add(rule.Rule{
		ID:       "send-ok",
		Source:   bis + ", section 5.8.3",
		Sentence: "Host, path and connection are those the cookie is for: it is sent.",
		Fix:      "To keep a cookie off some requests, narrow its Domain or Path, or give it Secure.",
		Scenario: `
on /a send Set-Cookie: a=1
visit https://shop.test/a
visit https://shop.test/a
`,
	})
	sendExpired = rules.Add(rule.Rule{
		ID:       "send-expired",
		Source:   bis + ", section 5.7, expired cookies",
		Sentence: "The cookie has expired and is forgotten.",
		Fix:      "Ask for a longer Max-Age, or send the cookie again before it expires.",
		Scenario: `
on /a send Set-Cookie: a=1; Max-Age=60
visit https://shop.test/a
wait 2m
visit https://shop.test/a
`,
	})
	sendHostOnly = rules.Add(rule.Rule{
		ID:       "send-host-only",
		Source:   bis + ", section 5.8.3, step 1",
		Sentence: "The cookie was set without Domain, so only the host that set it gets it.",
		Fix:      "Set the cookie with the Domain that both hosts share, or use one host.",
		Scenario: `
on /a send Set-Cookie: a=1
visit https://shop.test/a
visit https://www.shop.test/a
`,
	})
	sendDomainMismatch = rules.Add(rule.Rule{
		ID:       "send-domain-mismatch",
		Source:   bis + ", section 5.8.3, step 1",
		Sentence: "The host is neither the Domain of the cookie nor under it.",
		Fix:      "Set the cookie with a Domain that both hosts share.",
		Scenario: `
on /a send Set-Cookie: a=1; Domain=www.shop.test
visit https://www.shop.test/a
visit https://shop.test/a
`,
	})
	sendPath = rules.Add(rule.Rule{
		ID:       "send-path",
		Source:   bis + ", section 5.8.3, step 1",
		Sentence: "The path of the request is neither the Path of the cookie nor under it; case counts.",
		Fix:      "Set the cookie with Path=/, or with the folder that all its pages share.",
		Scenario: `
on /a send Set-Cookie: a=1; Path=/account
visit https://shop.test/a
visit https://shop.test/a
`,
	})
	sendSecureOverHTTP = rules.Add(rule.Rule{
		ID:       "send-secure-over-http",
		Source:   bis + ", section 5.8.3, step 1",
		Sentence: "A Secure cookie is not sent over a connection that is not secure.",
		Fix:      "Use https in links and redirects; HSTS makes the browser do so by itself.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
visit https://shop.test/a
visit http://shop.test/a
`,
	})
	noteSameNameTwice = rules.Add(rule.Rule{
		ID:       "note-same-name-twice",
		Source:   bis + ", section 5.8.3, step 4",
		Sentence: "Two cookies of this name are sent, and the site cannot see which is which; servers differ in which they read.",
		Fix:      "Delete one with the Domain and Path it was set with, and set the cookie with one Domain and Path only.",
		Scenario: `
on /a send Set-Cookie: a=1
on /a send Set-Cookie: a=2; Domain=shop.test
visit https://shop.test/a
visit https://shop.test/a
`,
	})
)

// sendVerdicts tells of each entry whether it goes to t: first those that do, in their order.
func sendVerdicts(entries []entry, t target, now time.Time) []rule.Verdict {
	var sent, kept []rule.Verdict
	named := map[string]int{}
	for i := range entries {
		c := &entries[i].Cookie
		v := sendVerdict(c, t, now)
		if !v.Yes {
			kept = append(kept, v)
			continue
		}
		named[c.name]++
		v.Facts = append(v.Facts, rule.Fact{Name: "order", Value: strconv.Itoa(len(sent) + 1)})
		sent = append(sent, v)
	}
	for i := range sent {
		if named[sent[i].Subject] > 1 {
			sent[i].Notes = append(sent[i].Notes, noteSameNameTwice)
		}
	}
	return append(sent, kept...)
}

// sendVerdict tells whether c goes to t, and by which rules not.
func sendVerdict(c *Cookie, t target, now time.Time) rule.Verdict {
	v := rule.Verdict{
		Side: rule.Browser, Question: rule.SendCookie, Subject: c.name,
		Facts: facts(t, c),
	}
	for i := range sendChecks {
		switch {
		case !sendChecks[i].applies(c, t, now):
		case v.Rule == "":
			v.Rule = sendChecks[i].rule
		default:
			v.Also = append(v.Also, sendChecks[i].rule)
		}
	}
	v.Notes = sameSiteNotes(&v, c, now)
	if v.Rule == "" {
		v.Rule, v.Yes = sendOK, true
		if c.secure && !t.tls {
			v.Notes = append(v.Notes, noteLoopbackSecure)
		}
	}
	return v
}
