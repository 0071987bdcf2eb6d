package browser

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// StoreCookie answers whether the browser stores the cookie of one Set-Cookie line, given without
// the header's name, that came at now in the response to req, and stores it. The status of the
// response makes no difference. Several lines are several calls, in the order of the response: what
// one line stores is there for the next.
//
// The verdict is Yes when the line did what it says: the cookie is stored, or, for a line that has
// expired, the cookie it is about is deleted. It is No when a rule refuses the line, of which Rule
// is the first in the draft's order and Also has the others, and when a line that was to delete a
// cookie found none with its name, domain and path; facts named "surviving cookie" then tell the
// cookies of that name which the host still gets.
//
// The response to a top-level navigation may set cookies of every SameSite, also when another site led
// there; what another site embeds or fetches may set SameSite=None only (section 5.7, step 18).
//
// For a URL whose requests carry no cookies, of another scheme than http, https, ws and wss or
// without a readable host, nothing is stored or recorded and the verdict has no rule.
//
// RFC 6265bis-22, sections 5.6 and 5.7.
func (b *Browser) StoreCookie(req Request, line string, now time.Time, rec *rule.Recorder) rule.Verdict {
	return b.storeCookie(&req, line, false, now, rec)
}

// storeCookie is StoreCookie, also for a line that a script of the Initiator writes.
func (b *Browser) storeCookie(req *Request, line string, script bool, now time.Time, rec *rule.Recorder) rule.Verdict {
	v, t := b.receive(req, line, script, now, rec.Watching())
	if rec.Watching() && v.Rule != "" {
		v.Facts = append(v.Facts, siteFacts(req, &t)...)
		rec.Record(v)
	}
	return v
}

// A receipt is one line that is received: what came, from where and when, and what there is to
// tell of it.
type receipt struct {
	profile *Profile
	raw     string
	line    *cookie.Line
	target  *target
	now     time.Time

	watched bool // whether facts are wanted
	facts   []rule.Fact
}

// tell adds a fact.
func (r *receipt) tell(name, value string) {
	r.facts = append(r.facts, rule.Fact{Name: name, Value: value})
}

// receive decides about a line and carries the decision out.
func (b *Browser) receive(req *Request, line string, script bool, now time.Time, watched bool) (rule.Verdict, target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.target(req.URL)
	l := b.Profile.read(line, &t)
	if !ok {
		return rule.Verdict{Side: rule.Browser, Question: rule.StoreCookie, Subject: l.Name}, t
	}
	t.context = b.context(req, &t)
	t.context.script = script
	r := &receipt{profile: &b.Profile, raw: line, line: &l, target: &t, now: now, watched: watched}
	return b.decide(r), t
}

// decide decides about a line that was read.
func (b *Browser) decide(r *receipt) rule.Verdict {
	s := &b.cookies
	s.removeExpired(r.target.site, r.now)

	c := newCookie(r.line, r.target, r.now)
	c.partition = b.partitionFor(&r.target.context, r.line)
	if r.watched {
		r.facts = facts(r.target, &c)
	}
	v := rule.Verdict{Side: rule.Browser, Question: rule.StoreCookie, Subject: c.name, Notes: r.line.NotesAt(r.now)}
	if refusals := b.refusals(r, &c); len(refusals) > 0 {
		v.Rule = refusals[0]
		if len(refusals) > 1 {
			v.Also = refusals[1:]
		}
	} else {
		v.Notes = append(slices.Clip(v.Notes), r.notes(&c)...)
		b.apply(r, c, &v)
	}
	v.Facts = r.facts
	return v
}

// refusals returns every rule by which the line is refused, in the order of the draft.
func (b *Browser) refusals(r *receipt, c *Cookie) []rule.ID {
	problems := r.profile.problems(r.line, r.target.host)
	if r.watched {
		for _, p := range problems {
			r.facts = append(r.facts, r.line.Explain(p, r.target.host)...)
		}
	}
	for i := range storeChecks {
		if storeChecks[i].fails(b, r, c) {
			problems = insertAt(problems, storeChecks[i].step, storeChecks[i].rule)
		}
	}
	return problems
}

// storeNoneNotSecure is a rule of package cookie, for which SameSite has to mean something.
const storeNoneNotSecure rule.ID = "store-none-not-secure"

// A storeCheck is a rule by which a line is refused, with its step in section 5.7. What the draft does
// not have comes at the step at which it would.
type storeCheck struct {
	rule  rule.ID
	step  int
	fails func(b *Browser, r *receipt, c *Cookie) bool
}

// storeChecks are the rules by which a line is refused because of where it comes from, of what is
// stored, or by a profile.
var storeChecks = slices.Concat(profileChecks, circumstanceChecks, []storeCheck{
	{storeSecureOverHTTP, 13, func(_ *Browser, r *receipt, c *Cookie) bool { return c.secure && !r.target.secure() }},
	{storeWouldOverlaySecure, 16, (*Browser).overlays},
}, scriptChecks, partitionChecks)

// insertAt puts id, which refuses at the given step of section 5.7, before the problems of later
// steps.
func insertAt(problems []rule.ID, step int, id rule.ID) []rule.ID {
	i := slices.IndexFunc(problems, func(p rule.ID) bool { return cookie.Step(p) > step })
	if i < 0 {
		i = len(problems)
	}
	return slices.Insert(problems, i, id)
}

var storeSecureOverHTTP = rules.Add(rule.Rule{
	ID:       "store-secure-over-http",
	Source:   bis + ", section 5.7, step 13",
	Sentence: "A cookie with Secure is refused when it comes over a connection that is not secure.",
	Fix:      "Set the cookie over HTTPS; redirect to HTTPS before anything sets cookies. Without HTTPS only this machine counts as secure, as localhost or 127.0.0.1: no other address, and no name of a local network.",
	Scenario: `
set SECURE_SSL_REDIRECT=False
on /a app plain
on /a send Set-Cookie: a=1; Secure
visit http://shop.test/a
`,
})

var storeWouldOverlaySecure = rules.Add(rule.Rule{
	ID:     "store-would-overlay-secure",
	Source: bis + ", section 5.7, step 16",
	Sentence: "A cookie without Secure, from a connection that is not secure, is refused when it would hide or replace " +
		"a Secure cookie of the same name; neither can it delete that one.",
	Fix: "Set, change and delete the cookie over HTTPS, or give the other cookie another name.",
	Scenario: `
set SECURE_SSL_REDIRECT=False
on /a send Set-Cookie: a=1; Secure
on /b app plain
on /b send Set-Cookie: a=2
visit https://shop.test/a
visit http://shop.test/b
`,
})

// overlays reports whether c would overlay a Secure cookie, and tells which.
func (b *Browser) overlays(r *receipt, c *Cookie) bool {
	overlaid := b.cookies.overlaid(c, r.target)
	if overlaid != nil && r.watched {
		r.tell("secure cookie", overlaid.String())
	}
	return overlaid != nil
}

// overlaid returns the Secure cookie that c, from t, must leave alone, or nil. The paths are not
// compared both ways: a cookie for a folder above is no danger to the one below, which is sent
// first. Cookies of another partition are out of reach of each other, as observed with Chromium.
func (s *cookieStore) overlaid(c *Cookie, t *target) *Cookie {
	if c.secure || t.secure() {
		return nil
	}
	entries := s.sites[t.site]
	for i := range entries {
		e := &entries[i].Cookie
		if e.secure && e.name == c.name && e.partition == c.partition && cookie.PathMatch(c.path, e.path) &&
			(cookie.DomainMatch(e.domain, c.domain) || cookie.DomainMatch(c.domain, e.domain)) {
			return e
		}
	}
	return nil
}

var (
	storeOK = rules.Add(rule.Rule{
		ID:       "store-ok",
		Source:   bis + ", section 5.7, step 24",
		Sentence: "Nothing refuses the cookie: it is stored.",
		Fix:      "To have no cookie stored, do not send Set-Cookie.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
visit https://shop.test/a
`,
	})
	storeReplaced = rules.Add(rule.Rule{
		ID:       "store-replaced",
		Source:   bis + ", section 5.7, step 23",
		Sentence: "The cookie takes the place of the stored one with the same name, domain and path, and keeps its creation time; Chromium keeps that only when the value is the same.",
		Fix:      "To keep both, give one another name.",
		Scenario: `
on /a send Set-Cookie: a=1
visit https://shop.test/a
visit https://shop.test/a
`,
	})
	storeDeleted = rules.Add(rule.Rule{
		ID:       "store-deleted",
		Source:   bis + ", section 5.7, steps 23 and 24",
		Sentence: "The line has expired, so the stored cookie with the same name, domain and path is deleted.",
		Fix:      "To keep the cookie, send a Max-Age above zero, an Expires in the future, or neither.",
		Scenario: `
on /a send Set-Cookie: a=1
on /b send Set-Cookie: a=; Max-Age=0
visit https://shop.test/a
visit https://shop.test/b
`,
	})
	storeDeleteMissed = rules.Add(rule.Rule{
		ID:       "store-delete-missed",
		Source:   bis + ", section 5.7, steps 23 and 24",
		Sentence: "The line has expired, but no cookie with the same name, domain and path is stored: nothing is deleted.",
		Fix:      "Delete a cookie with the Domain, or none, and the Path with which it was set, and with Partitioned if it had that; the survivor that is named tells them.",
		Scenario: `
on /a send Set-Cookie: a=1; Path=/account
on /b send Set-Cookie: a=; Path=/; Max-Age=0
visit https://shop.test/a
visit https://shop.test/b
`,
	})
	noteEvicted = rules.Add(rule.Rule{
		ID:       "note-evicted",
		Source:   bis + ", section 5.7, removing excess cookies",
		Sentence: "The browser kept too many cookies and forgot others of this site, or of any, to make room.",
		Fix:      "Keep fewer cookies; put data into the session instead.",
		Scenario: manyCookies(),
	})
)

// apply stores, replaces or deletes c, which nothing refuses, and says which in v.
func (b *Browser) apply(r *receipt, c Cookie, v *rule.Verdict) {
	s := &b.cookies
	old := s.find(r.target.site, &c)
	v.Yes = true
	switch deletes := c.expired(r.now); {
	case deletes && old == nil:
		v.Rule, v.Yes = storeDeleteMissed, false
		if r.watched {
			s.tellSurvivors(r, c.name)
		}
	case deletes:
		v.Rule = storeDeleted
		seq := old.seq
		s.remove(r.target.site, func(e entry) bool { return e.seq == seq })
	case old != nil:
		v.Rule = storeReplaced
		how := r.profile.renewal
		s.replace(r.target.site, old, c, how == renewedAlways || how == renewedByValue && old.value != c.value, r.now)
	default:
		v.Rule = storeOK
		if evicted := s.insert(r.target.site, c, cmp.Or(b.MaxCookies, maxCookies), r.now); len(evicted) > 0 {
			v.Notes = append(v.Notes, noteEvicted)
			r.tellEvicted(evicted)
		}
	}
}

// tellSurvivors tells the cookies of that name which the host still gets.
func (s *cookieStore) tellSurvivors(r *receipt, name string) {
	found := false
	for _, e := range s.sites[r.target.site] {
		if e.name == name && e.covers(r.target.host) {
			r.tell("surviving cookie", e.String())
			found = true
		}
	}
	if !found {
		r.tell("surviving cookie", "none")
	}
}

func (r *receipt) tellEvicted(evicted []Cookie) {
	if !r.watched {
		return
	}
	for _, c := range evicted {
		r.tell("evicted cookie", c.String())
	}
}

// manyCookies is the scenario of a page that sets one cookie more than a site may have.
func manyCookies() string {
	var text strings.Builder
	for i := range maxSiteCookies + 1 {
		text.WriteString("on /a send Set-Cookie: a" + strconv.Itoa(i) + "=1\n")
	}
	return text.String() + "visit https://shop.test/a\n"
}

var (
	noteHostOnly = rules.Add(rule.Rule{
		ID:       "note-host-only",
		Source:   bis + ", section 5.7, step 10",
		Sentence: "Without Domain the cookie is host-only: it goes to this host and not to the hosts under it.",
		Fix:      "If subdomains are to get the cookie, set Domain to the name they share.",
		Scenario: `
on /a send Set-Cookie: a=1
visit https://shop.test/a
`,
	})
	notePublicSuffixHost = rules.Add(rule.Rule{
		ID:       "note-public-suffix-host",
		Source:   bis + ", section 5.7, step 9",
		Sentence: "Domain is the host itself, which is a public suffix or an address: it is ignored, and the cookie is host-only.",
		Fix:      "Leave Domain out.",
		Scenario: `
on /a send Set-Cookie: a=1; Domain=github.io
visit https://github.io/a
`,
	})
	noteDefaultPath = rules.Add(rule.Rule{
		ID:       "note-default-path",
		Source:   bis + ", section 5.7, step 11",
		Sentence: "Without a Path that begins with a slash the cookie gets the default-path, the folder of the URL that set it.",
		Fix:      "If the whole site is to get the cookie, send Path=/.",
		Scenario: `
on /shop/cart send Set-Cookie: a=1
visit https://shop.test/shop/cart
`,
	})
	noteLoopbackSecure = rules.Add(rule.Rule{
		ID:     "note-loopback-secure",
		Source: "Secure Contexts, section 3.1; " + bis + ", sections 5.7, step 13, and 5.8.3, step 3",
		Sentence: "The connection has no TLS and counts as secure only because the host is this machine: with another host " +
			"the Secure cookie would stay behind.",
		Fix: "Try with HTTPS, or under a name that is not localhost, to see what visitors get. Safari makes no such exception: for it use HTTPS here too.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
on /a send Set-Cookie: a=1; Secure
visit http://localhost/a
`,
	})
)

// notes returns what a person should know of a line that is not refused, beyond what the line
// itself tells.
func (r *receipt) notes(c *Cookie) []rule.ID {
	var notes []rule.ID
	switch {
	case c.hostOnly && r.line.Domain == "":
		notes = append(notes, noteHostOnly)
	case c.hostOnly:
		notes = append(notes, notePublicSuffixHost)
	}
	if r.line.Path == "" {
		notes = append(notes, noteDefaultPath)
	}
	if c.secure && !r.target.tls {
		notes = append(notes, noteLoopbackSecure)
	}
	return notes
}
