package browser

import (
	"cmp"
	"net/url"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// laxAllowUnsafe is for how long after it was set a browser may send a cookie without SameSite along
// with a cross-site POST.
//
// RFC 6265bis-22, section 5.6.7.2.
const laxAllowUnsafe = 2 * time.Minute

var (
	sendSameSiteStrict = rules.Add(rule.Rule{
		ID:       "send-samesite-strict",
		Source:   bis + ", sections 5.2 and 5.8.3, step 1",
		Sentence: "Another site led here, and a SameSite=Strict cookie goes along only with what its own site asks for.",
		Fix:      "Nothing, if links from elsewhere may arrive logged out; otherwise SameSite=Lax, which goes along with links. The same name under http is another site.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure; SameSite=Strict
visit https://shop.test/a
from https://search.test/
visit https://shop.test/a
`,
	})
	sendSameSiteLax = rules.Add(rule.Rule{
		ID:       "send-samesite-lax",
		Source:   bis + ", sections 5.2, 5.6.7.1 and 5.8.3, step 1",
		Sentence: "Another site sent this with an unsafe method such as POST, and a SameSite=Lax cookie goes along only with its links.",
		Fix:      "Nothing, against forged requests; when another site has to post here with the cookie, SameSite=None; Secure and a check of your own.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure; SameSite=Lax
visit https://shop.test/a
from https://evil.test/
post https://shop.test/a amount=100
`,
	})
	sendSameSiteDefaultLax = rules.Add(rule.Rule{
		ID:       "send-samesite-default-lax",
		Source:   bis + ", sections 5.2, 5.6.7.1 and 5.8.3, step 1",
		Sentence: "Another site sent this with an unsafe method such as POST, and a cookie without SameSite counts as Lax.",
		Fix:      "Give the cookie the SameSite that is meant: not every browser has this default.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
visit https://shop.test/a
from https://evil.test/
post https://shop.test/a amount=100
`,
	})
	noteLaxAllowUnsafe = rules.Add(rule.Rule{
		ID:       "note-lax-allow-unsafe",
		Source:   bis + ", section 5.6.7.2",
		Sentence: "The cookie has no SameSite and is less than two minutes old: Chromium sends it along all the same, until then.",
		Fix:      "Say SameSite=None; Secure for a cookie that has to arrive with such a POST, and Lax for any other, so that it does not depend on the clock.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
visit https://shop.test/a
from https://evil.test/
post https://shop.test/a amount=100
`,
	})
)

// A siteContext is what SameSite asks of a request. The zero siteContext is that of a visit typed by a
// person, which is same-site whatever was there before.
type siteContext struct {
	crossSite bool // another site, or the same under another scheme, led here
	unsafe    bool // with a method that may change something
}

// context judges the current URL against the document that led to it. The URLs that redirected here do
// not count (section 5.2); the method is that of the current request.
func (req Request) context(t target) siteContext {
	if req.Initiator == nil {
		return siteContext{}
	}
	from, ok := targetOf(req.Initiator.URL)
	return siteContext{crossSite: !ok || !sameSite(from, t), unsafe: !safeMethod(req.Method)}
}

// sameSite reports whether two targets have one scheme and one registrable domain. Port and path make
// no difference.
func sameSite(a, b target) bool { return a.tls == b.tls && a.site == b.site }

// safeMethod reports whether a method asks to change nothing (RFC 9110, section 9.2.1).
func safeMethod(method string) bool {
	switch cmp.Or(method, "GET") {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// sameSiteChecks are the rules by which SameSite keeps a cookie back, one for each of its values that
// does. SameSite=None keeps none.
var sameSiteChecks = []sendCheck{
	{sendSameSiteStrict, func(c *Cookie, t target, _ time.Time) bool {
		return t.context.crossSite && c.sameSite == cookie.SameSiteStrict
	}},
	{sendSameSiteLax, func(c *Cookie, t target, _ time.Time) bool {
		return t.context.crossSite && t.context.unsafe && c.sameSite == cookie.SameSiteLax
	}},
	{sendSameSiteDefaultLax, func(c *Cookie, t target, _ time.Time) bool {
		return t.context.crossSite && t.context.unsafe && c.sameSite == cookie.SameSiteDefault
	}},
}

// sameSiteNotes returns what a person should know of a verdict about c: that another browser would have
// sent what this one keeps back for its SameSite alone.
func sameSiteNotes(v *rule.Verdict, c *Cookie, now time.Time) []rule.ID {
	if v.Rule == sendSameSiteDefaultLax && now.Sub(c.created) < laxAllowUnsafe {
		return []rule.ID{noteLaxAllowUnsafe}
	}
	return nil
}

// siteFacts tells where a request comes from; of a typed one there is nothing to tell.
func siteFacts(req Request, t target) []rule.Fact {
	if req.Initiator == nil {
		return nil
	}
	facts := []rule.Fact{
		{Name: "initiator", Value: shownOrigin(req.Initiator.URL)},
		{Name: "same-site request", Value: "true"},
	}
	if t.context.crossSite {
		kind := "cross-site"
		if from, ok := targetOf(req.Initiator.URL); ok && from.site == t.site {
			kind = "cross-scheme"
		}
		facts[1].Value = "false"
		facts = append(facts,
			rule.Fact{Name: "kind", Value: kind},
			rule.Fact{Name: "method", Value: shown(cmp.Or(req.Method, "GET"))})
	}
	return facts
}

// shownOrigin is the origin of u for a fact.
func shownOrigin(u *url.URL) string { return shown(originOf(u).String()) }
