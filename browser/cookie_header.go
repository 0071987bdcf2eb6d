package browser

import (
	"cmp"
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
	b.mu.Lock()
	t, ok := b.target(req.URL)
	if !ok {
		b.mu.Unlock()
		return ""
	}
	t.context = b.context(&req, &t)
	header, verdicts := b.send(&t, now, rec.Watching())
	b.mu.Unlock()
	if len(verdicts) == 0 {
		return header
	}
	about := siteFacts(&req, &t)
	for _, v := range verdicts {
		v.Facts = append(v.Facts, about...)
		rec.Record(v)
	}
	return header
}

// send returns the header that goes to t, and, when somebody watches, the verdicts. b.mu is held.
func (b *Browser) send(t *target, now time.Time, watched bool) (string, []rule.Verdict) {
	entries := b.cookies.sites[t.site]
	var verdicts []rule.Verdict
	if watched {
		verdicts = b.sendVerdicts(entries, t, now)
	}
	header, expired := b.header[:0], watched // what is told once is forgotten then
	for i := range entries {
		e := &entries[i]
		kept := b.keepsBack(t, &e.Cookie, now, false)
		expired = expired || kept&keptExpired != 0
		if kept == 0 {
			e.accessed = now
			header = cookie.AppendPair(header, cookie.Pair{Name: e.name, Value: e.value})
		}
	}
	if expired {
		b.cookies.removeExpired(t.site, now)
	}
	b.header = header[:0:min(cap(header), maxKeptHeader)]
	return string(header), verdicts
}

// maxKeptHeader is how much memory, in octets, is kept between two headers.
const maxKeptHeader = 16 << 10

// A kept tells by which rules a cookie stays behind: one bit for each of keptRules.
type kept uint16

const (
	keptExpired kept = 1 << iota
	keptHostOnly
	keptDomain
	keptPartition
	keptPath
	keptSecure
	keptHttpOnly
	keptCredentials
	keptStrict
	keptLax
	keptDefaultLax
	keptThirdParty
)

// A keptRule is the rule of a bit.
type keptRule struct {
	bit  kept
	rule rule.ID
}

// keptRules are the rules by which a cookie stays behind, in the order in which they are told: a cookie
// that is gone, that is not for this host, not in this partition, not for this path, not for this
// connection, not for scripts, and not for what this document or another site asks for.
var keptRules = slices.SortedFunc(slices.Values(slices.Concat([]keptRule{
	{keptExpired, sendExpired},
	{keptHostOnly, sendHostOnly},
	{keptDomain, sendDomainMismatch},
	{keptPath, sendPath},
	{keptSecure, sendSecureOverHTTP},
}, keptByScript, keptByCredentials, keptBySameSite, keptByPartition)), func(a, b keptRule) int { return cmp.Compare(a.bit, b.bit) })

// keepsBack returns the rules by which c does not go to t: every one, or, when not all are wanted, none
// or at least one. It is asked about every cookie of the site at every request.
func (b *Browser) keepsBack(t *target, c *Cookie, now time.Time, all bool) (k kept) {
	if !t.under(c.path) {
		if k |= keptPath; !all {
			return k
		}
	}
	if c.expired(now) {
		k |= keptExpired
	}
	if !c.covers(t.host) {
		if c.hostOnly {
			k |= keptHostOnly
		} else {
			k |= keptDomain
		}
	}
	if c.secure && !t.secure() {
		k |= keptSecure
	}
	if c.partition.site != "" || !t.context.plain() {
		k |= b.keepsBackIn(&t.context, c, now)
	}
	return k
}

// under is [cookie.PathMatch] for the path of a cookie, which most often is "/".
func (t *target) under(path string) bool {
	return path == "/" && t.path[0] == '/' || cookie.PathMatch(t.path, path)
}

// keepsBackIn returns by which rules the circumstances of the request keep c back.
func (b *Browser) keepsBackIn(x *siteContext, c *Cookie, now time.Time) (k kept) {
	if !b.inPartition(x, c) {
		k |= keptPartition
	}
	if x.script && c.httpOnly {
		k |= keptHttpOnly
	}
	if x.omitted {
		k |= keptCredentials
	}
	if x.crossSite {
		k |= b.sameSiteKeeps(x, c, now)
	}
	if x.blockable && b.Profile.thirdParty == ThirdPartyBlocked && c.partition == (partition{}) {
		k |= keptThirdParty
	}
	return k
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
		Source:   bis + ", section 5.8.3, step 3",
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
		Source:   bis + ", section 5.8.3, step 3",
		Sentence: "The host is neither the Domain of the cookie nor under it.",
		Fix:      "Set the cookie with a Domain that both hosts are under, or use one host. Hosts that share no such name, as localhost and 127.0.0.1, share no cookies.",
		Scenario: `
on /a send Set-Cookie: a=1; Domain=www.shop.test
visit https://www.shop.test/a
visit https://shop.test/a
`,
	})
	sendPath = rules.Add(rule.Rule{
		ID:       "send-path",
		Source:   bis + ", section 5.8.3, step 3",
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
		Source:   bis + ", section 5.8.3, step 3",
		Sentence: "A Secure cookie is not sent over a connection that is not secure.",
		Fix:      "Use https in links and redirects; HSTS makes the browser do so by itself. Without HTTPS only this machine counts as secure, as localhost or 127.0.0.1.",
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
func (b *Browser) sendVerdicts(entries []entry, t *target, now time.Time) []rule.Verdict {
	var sent, kept []rule.Verdict
	named := map[string]int{}
	for i := range entries {
		c := &entries[i].Cookie
		v := b.sendVerdict(c, t, now)
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
func (b *Browser) sendVerdict(c *Cookie, t *target, now time.Time) rule.Verdict {
	v := rule.Verdict{
		Side: rule.Browser, Question: rule.SendCookie, Subject: c.name,
		Facts: facts(t, c),
	}
	if t.context.script {
		v.Question = rule.ReadCookie
	}
	kept := b.keepsBack(t, c, now, true)
	for _, k := range keptRules {
		switch {
		case kept&k.bit == 0:
		case v.Rule == "":
			v.Rule = k.rule
		default:
			v.Also = append(v.Also, k.rule)
		}
	}
	if kept&^keptDefaultLax == 0 && !b.Profile.defaultNone {
		noteLax(&v, &t.context, c, now)
	}
	if v.Rule == "" {
		v.Rule, v.Yes = sendOK, true
		if c.secure && !t.tls {
			v.Notes = append(v.Notes, noteLoopbackSecure)
		}
	}
	return v
}
