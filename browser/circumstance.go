package browser

import (
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

const observed = ", as observed; " + bis + " has no such rule"

// The rules by which only some profiles refuse what a line says.
var (
	storeTab = rules.Add(rule.Rule{
		ID:       "store-tab",
		Source:   "Chromium" + observed,
		Sentence: "A line with a tab inside a name, a value or an attribute is refused; around them it does no harm.",
		Fix:      "Remove the tab, or encode the value, such as with percent-encoding or base64.",
		Scenario: `
profile chromium
on /a send Set-Cookie: a=1\t2
visit https://shop.test/a
`,
	})
	storeNameless = rules.Add(rule.Rule{
		ID:       "store-nameless",
		Source:   "Firefox" + observed,
		Sentence: "A cookie without a name is refused.",
		Fix:      "Write the cookie as name=value.",
		Scenario: `
profile firefox
on /a send Set-Cookie: =token
visit https://shop.test/a
`,
	})
	storeAmbiguous = rules.Add(rule.Rule{
		ID:       "store-ambiguous",
		Source:   "Chromium" + observed,
		Sentence: "A nameless cookie with an equals sign in its value is refused, because a site would read it as a name and a value; Chromium does so without a word.",
		Fix:      "Write the cookie as name=value.",
		Scenario: `
profile chromium
on /a send Set-Cookie: =a=1
visit https://shop.test/a
`,
	})
)

const (
	layered = "draft-ietf-httpbis-layered-cookies-02, \"Store a Cookie\"; Chromium and Firefox, as observed"

	httpPrefix     = "__Http-"
	hostHTTPPrefix = "__Host-Http-"
)

var (
	storePrefixHTTP = rules.Add(rule.Rule{
		ID:       "store-prefix-http",
		Source:   layered,
		Sentence: "A cookie whose name begins with __Http- or __Host-Http- is refused unless it has Secure and HttpOnly and comes in a response, not from a script.",
		Fix:      "Add Secure and HttpOnly, and set the cookie over HTTPS; or take the prefix off the name.",
		Scenario: `
profile chromium
on /a send Set-Cookie: __Http-a=1; Secure
visit https://shop.test/a
`,
	})
	storeNamelessHTTPPrefix = rules.Add(rule.Rule{
		ID:       "store-nameless-http-prefix",
		Source:   layered,
		Sentence: "A nameless cookie whose value begins with __Http- is refused, because a site would read it as that name.",
		Fix:      "Write the cookie as name=value.",
		Scenario: `
profile chromium
on /a send Set-Cookie: =__Http-a; Secure
visit https://shop.test/a
`,
	})
)

var profileChecks = []storeCheck{
	{storeTab, 0, func(_ *Browser, r *receipt, _ *Cookie) bool { return r.profile.refusesTabs && hasInnerTab(r.raw) }},
	{storeNameless, 2, func(_ *Browser, r *receipt, c *Cookie) bool {
		return r.profile.refusesNameless && c.name == "" && c.value != ""
	}},
	{storeAmbiguous, 2, func(_ *Browser, r *receipt, c *Cookie) bool {
		return r.profile.refusesLooks && c.name == "" && strings.Contains(c.value, "=")
	}},
	{storePrefixHTTP, 21, func(_ *Browser, r *receipt, _ *Cookie) bool {
		return r.profile.httpPrefixes && len(httpPrefixLacks(r)) > 0
	}},
	{storeNamelessHTTPPrefix, 22, func(_ *Browser, r *receipt, c *Cookie) bool {
		return r.profile.httpPrefixes && c.name == "" && hasPrefixFold(c.value, httpPrefix)
	}},
}

// httpPrefixLacks returns which conditions of __Http- the line does not meet, and nil for a name without
// such a prefix. Those of __Host-, with which the longer prefix begins, are decided by package cookie.
func httpPrefixLacks(r *receipt) []string {
	if !hasPrefixFold(r.line.Name, httpPrefix) && !hasPrefixFold(r.line.Name, hostHTTPPrefix) {
		return nil
	}
	var lacks []string
	if !r.line.Secure {
		lacks = append(lacks, "Secure")
	}
	if !r.line.HttpOnly {
		lacks = append(lacks, "HttpOnly")
	}
	if r.target.context.script {
		lacks = append(lacks, "a response")
	}
	if len(lacks) > 0 && r.watched {
		r.tell("lacks", strings.Join(lacks, ", "))
	}
	return lacks
}

const fetchCredentials = "Fetch standard, sections 2.2.5 and 4.6 (credentials mode)"

// The rules about the circumstances of a request.
var (
	sendCredentialsMode = rules.Add(rule.Rule{
		ID:       "send-credentials-mode",
		Source:   fetchCredentials,
		Sentence: "By its credentials mode the request carries no cookies: a fetch takes them along only within one origin, and the port is part of an origin.",
		Fix:      "Call fetch with credentials: 'include' (XMLHttpRequest: withCredentials = true), and answer with Access-Control-Allow-Credentials: true so that the script may read the response.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
visit https://shop.test/a
from https://app.shop.test/
load fetch https://shop.test/a
`,
	})
	storeCredentialsMode = rules.Add(rule.Rule{
		ID:       "store-credentials-mode",
		Source:   fetchCredentials,
		Sentence: "By its credentials mode nothing is stored from the response: a fetch stores cookies only within one origin, and the port is part of an origin.",
		Fix:      "Call fetch with credentials: 'include', also for the request that logs in; Access-Control-Allow-Credentials is about reading the response only.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure
from https://app.shop.test/
load fetch https://shop.test/a
`,
	})
	storeSameSiteCrossSite = rules.Add(rule.Rule{
		ID:       "store-samesite-cross-site",
		Source:   bis + ", section 5.7, step 18",
		Sentence: "What another site embeds or fetches may set cookies with SameSite=None only; a cookie without SameSite is refused as well, except by a browser that takes it for None.",
		Fix:      "Set the cookie in a top-level page of its own site, or give it SameSite=None; Secure.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure; SameSite=Lax
from https://news.test/
load image https://shop.test/a
`,
	})
)

var keptByCredentials = []keptRule{{keptCredentials, sendCredentialsMode}}

var circumstanceChecks = []storeCheck{
	{storeCredentialsMode, 2, func(_ *Browser, r *receipt, _ *Cookie) bool { return r.target.context.omitted }},
	{storeSameSiteCrossSite, 18, (*Browser).crossSiteStores},
}

// crossSiteStores reports whether the SameSite of c is not for what another site embeds.
func (b *Browser) crossSiteStores(r *receipt, c *Cookie) bool {
	x := &r.target.context
	if !x.crossSite || !x.nested || c.sameSite == cookie.SameSiteNone {
		return false
	}
	return c.sameSite != cookie.SameSiteDefault || !b.Profile.defaultNone
}
