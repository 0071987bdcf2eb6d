package trace

import (
	"fmt"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// Rules of the causes of redirects that do not end. Each is read from the hops of a visit.

const loopSource = "RFC 9110, section 15.4"

var (
	loopTLSUnseen = rules.Add(rule.Rule{
		ID:       "loop-tls-unseen",
		Source:   loopSource + "; Django setting SECURE_PROXY_SSL_HEADER",
		Sentence: "The site redirects an https URL to that same https URL: TLS ends at a proxy, the request reaches the site over http, and the site is not told, or does not believe, that the browser is at https already.",
		Fix:      "Have the proxy that ends TLS set X-Forwarded-Proto to https, set SECURE_PROXY_SSL_HEADER to ('HTTP_X_FORWARDED_PROTO', 'https'), and name the proxy's address among those that the site trusts (with Lockstep TRUSTED_PROXIES). For nginx: proxy_set_header X-Forwarded-Proto $scheme; for HAProxy: http-request set-header X-Forwarded-Proto https if { ssl_fc }; Caddy and Traefik set it unless another proxy is before them, which they then have to trust.",
		Scenario: `
proxy X-Unread
visit http://shop.test/
`,
	})
	loopFlexible = rules.Add(rule.Rule{
		ID:       "loop-flexible-tls",
		Source:   loopSource + "; Cloudflare, SSL/TLS encryption modes, Flexible",
		Sentence: "The site redirects an https URL to itself, and Cloudflare answered for it: in the mode \"Flexible\" Cloudflare takes https from browsers and asks the origin over http, which the origin redirects to https.",
		Fix:      "Set SSL/TLS encryption to \"Full (strict)\" and give the origin a certificate. If the origin has to stay on http, have it read X-Forwarded-Proto, which Cloudflare sends, with SECURE_PROXY_SSL_HEADER.",
		Scenario: `
on /a app plain
on /a status 301
on /a send Location: https://shop.test/a
on /a send CF-RAY: 8f0000000000-FRA
visit https://shop.test/a
`,
	})
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
	loopCookieRefused = rules.Add(rule.Rule{
		ID:       "loop-cookie-refused",
		Source:   "RFC 6265bis-22, section 5.7; " + loopSource,
		Sentence: "The answers of the loop set a cookie that the browser refuses, so the site never gets it back and redirects to where it is set.",
		Fix:      "Mend the Set-Cookie line: the fact \"rule\" says by which rule it was refused, and lockstep explain tells of that rule.",
		Scenario: `
on /in app plain
on /in status 302
on /in send Location: /account
on /in send Set-Cookie: sid=1; Domain=pay.test
on /account app plain
on /account status 302
on /account send Location: /in
visit https://shop.test/account
`,
	})
	loopCookieKeptBack = rules.Add(rule.Rule{
		ID:       "loop-cookie-kept-back",
		Source:   "RFC 6265bis-22, section 5.8.3; " + loopSource,
		Sentence: "The answers of the loop set a cookie that the browser stores and keeps back from the request that needs it, so the site redirects to where it is set.",
		Fix:      "Change Domain, Path, Secure or SameSite of the cookie, or the URL it is asked for at: the fact \"rule\" says what kept it back, and lockstep explain tells of that rule.",
		Scenario: `
on /in app plain
on /in status 302
on /in send Location: /account
on /in send Set-Cookie: sid=1; Path=/in
on /account app plain
on /account status 302
on /account send Location: /in
visit https://shop.test/account
`,
	})
	loopCookieUnread = rules.Add(rule.Rule{
		ID:       "loop-cookie-unread",
		Source:   loopSource,
		Sentence: "The answers of the loop set a cookie, the browser sends it, and the site redirects all the same: it does not recognise its own cookie.",
		Fix:      "Check that all processes of the site share the store of the sessions and the SECRET_KEY, that the store works, and that no second cookie of the same name hides the right one (note-same-name-twice).",
		Scenario: `
on /in app plain
on /in status 302
on /in send Location: /account
on /in send Set-Cookie: sid=1; Path=/
on /account app plain
on /account status 302
on /account send Location: /in
visit https://shop.test/account
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
	loopGrowing = rules.Add(rule.Rule{
		ID:       "loop-growing",
		Source:   loopSource + "; RFC 9110, section 4.1",
		Sentence: "Each redirect leads to a longer URL, which holds the one before it or repeats a part of it, until the limit of requests or the length that is taken ends it.",
		Fix:      "Leave the redirecting page out of what is redirected, and do not put a URL that has a return address into the return address. A path that grows comes of a Location without a slash at its beginning.",
		Scenario: growingScenario(),
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

// growingScenario is one in which each page redirects to a longer one.
func growingScenario() string {
	var text strings.Builder
	path := ""
	for range browser.MaxRequests {
		path += "/a"
		fmt.Fprintf(&text, "on %s app plain\non %[1]s status 302\non %[1]s send Location: %[1]s/a\n", path)
	}
	return text.String() + "visit https://shop.test/a\n"
}
