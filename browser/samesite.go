package browser

import (
	"strconv"
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
		Source:   bis + ", sections 5.2 and 5.8.3, step 3",
		Sentence: "Another site led here, and a SameSite=Strict cookie goes along only with what its own site asks for.",
		Fix:      "Nothing, if links from elsewhere may arrive logged out; otherwise SameSite=Lax, which goes along with links. If the page is of the same name, it came over http, which most browsers take for another site: serve both over https.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure; SameSite=Strict
visit https://shop.test/a
from https://search.test/
visit https://shop.test/a
`,
	})
	sendSameSiteLax = rules.Add(rule.Rule{
		ID:       "send-samesite-lax",
		Source:   bis + ", sections 5.2, 5.6.7.1 and 5.8.3, step 3",
		Sentence: "Another site asked for this other than by a link, such as by POST or as an image, a frame or a fetch of its page, and a SameSite=Lax cookie goes along only with its links.",
		Fix:      "Nothing, against forged requests. When another site has to post here, or to fetch or frame this, with the cookie: SameSite=None; Secure and a check of your own. If the page is of the same name, it came over http, which most browsers take for another site: serve both over https.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure; SameSite=Lax
visit https://shop.test/a
from https://evil.test/
post https://shop.test/a amount=100
`,
	})
	sendSameSiteDefaultLax = rules.Add(rule.Rule{
		ID:       "send-samesite-default-lax",
		Source:   bis + ", sections 5.2, 5.6.7.1 and 5.8.3, step 3",
		Sentence: "Another site asked for this other than by a link, such as by POST or as an image, a frame or a fetch of its page, and a cookie without SameSite counts as Lax.",
		Fix:      "Say what is meant, as not every browser has this default: SameSite=Lax against forged requests, or, when another site has to post here, or to fetch or frame this, with the cookie, SameSite=None; Secure and a check of your own.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
visit https://shop.test/a
wait 2m
from https://evil.test/
post https://shop.test/a amount=100
`,
	})
	noteLaxAllowUnsafe = rules.Add(rule.Rule{
		ID:       "note-lax-allow-unsafe",
		Source:   bis + ", section 5.6.7.2",
		Sentence: "The cookie has no SameSite and is less than two minutes old: until then Chromium sends it along with a POST of another site.",
		Fix:      "Say SameSite=None; Secure for a cookie that has to arrive with such a POST, and Lax for any other, so that it does not depend on the clock.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
visit https://shop.test/a
from https://evil.test/
post https://shop.test/a amount=100
`,
	})
)

// sameSiteKeeps returns the rule by which SameSite keeps c back from a cross-site request. SameSite=None
// keeps none, and links keep those without Strict.
func (b *Browser) sameSiteKeeps(x *siteContext, c *Cookie, now time.Time) kept {
	link := !x.nested && !x.unsafe
	switch {
	case c.sameSite == cookie.SameSiteStrict:
		return keptStrict
	case link || c.sameSite == cookie.SameSiteNone:
	case c.sameSite == cookie.SameSiteLax:
		return keptLax
	case !b.Profile.defaultNone && (x.nested || now.Sub(c.created) >= b.Profile.laxAllowUnsafe):
		return keptDefaultLax
	}
	return 0
}

var keptBySameSite = []keptRule{
	{keptStrict, sendSameSiteStrict}, {keptLax, sendSameSiteLax}, {keptDefaultLax, sendSameSiteDefaultLax},
}

// noteLax notes that c, which has no SameSite, goes along with a cross-site POST by a browser that has
// the two minutes, and for how long still.
func noteLax(v *rule.Verdict, x *siteContext, c *Cookie, now time.Time) {
	if !x.crossSite || x.nested || !x.unsafe || c.sameSite != cookie.SameSiteDefault {
		return
	}
	if left := laxAllowUnsafe - now.Sub(c.created); left > 0 {
		v.Notes = append(v.Notes, noteLaxAllowUnsafe)
		v.Facts = append(v.Facts, rule.Fact{Name: "seconds left", Value: strconv.Itoa(int(left.Seconds()))})
	}
}
