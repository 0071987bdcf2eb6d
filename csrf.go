package lockstep

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
)

const csrfSource = "Django, django/middleware/csrf.py"

var (
	csrfSafeMethod = rules.Add(rule.Rule{
		ID:       "csrf-safe-method",
		Source:   csrfSource + "; RFC 9110, section 9.2.1",
		Sentence: "GET, HEAD, OPTIONS and TRACE change nothing, so no token is asked for.",
		Fix:      "If this request does change something, let the page send it as POST.",
		Scenario: "visit https://shop.test/",
	})
	csrfExempt = rules.Add(rule.Rule{
		ID:       "csrf-exempt",
		Source:   "Lockstep setting INSECURE_CSRF_EXEMPT; Django, csrf_exempt()",
		Sentence: "A pattern of INSECURE_CSRF_EXEMPT matches the request, so that any site can have a browser send it with the user's cookies.",
		Fix:      "Take the pattern out unless the path is authenticated by something other than cookies, such as a signature of its body.",
		Scenario: `
set INSECURE_CSRF_EXEMPT=['POST /hook']
visit POST https://shop.test/hook
`,
	})
	csrfOK = rules.Add(rule.Rule{
		ID:       "csrf-ok",
		Source:   csrfSource,
		Sentence: "The request comes from a page that may send it, and its token matches the secret of the cookie or session.",
		Fix:      "Nothing needs to change.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
header Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
header X-Csrftoken: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
visit POST http://shop.test/
`,
	})
	csrfOriginMismatch = rules.Add(rule.Rule{
		ID:       "csrf-origin-mismatch",
		Source:   csrfSource + ", Origin checking (4.0); setting CSRF_TRUSTED_ORIGINS",
		Sentence: "The request was sent by a page of another origin than the site's own and those of CSRF_TRUSTED_ORIGINS, so it is answered with 403.",
		Fix:      "Behind a proxy, have it pass Host on unchanged and set SECURE_PROXY_SSL_HEADER, so that the site knows its own origin; a page of yours elsewhere goes into CSRF_TRUSTED_ORIGINS; an Origin of null often comes from Referrer-Policy: no-referrer.",
		Scenario: `
header Origin: https://evil.test
visit POST https://shop.test/
`,
	})
	csrfRefererMissing = rules.Add(rule.Rule{
		ID:       "csrf-referer-missing",
		Source:   csrfSource + ", Referer checking",
		Sentence: "The request came over https with neither Origin nor Referer, so nobody can tell which page sent it, and it is answered with 403.",
		Fix:      "Use Referrer-Policy: same-origin instead of no-referrer; a program that is no browser sends the header Referer with the site's own https URL.",
		Scenario: `
visit POST https://shop.test/
`,
	})
	csrfRefererMalformed = rules.Add(rule.Rule{
		ID:       "csrf-referer-malformed",
		Source:   csrfSource + ", Referer checking",
		Sentence: "The Referer is not a URL with a scheme and a host, so the request is answered with 403.",
		Fix:      "Send the URL of the page, as browsers do, or let no proxy rewrite the header.",
		Scenario: `
header Referer: shop.test
visit POST https://shop.test/
`,
	})
	csrfRefererInsecure = rules.Add(rule.Rule{
		ID:       "csrf-referer-insecure",
		Source:   csrfSource + ", Referer checking",
		Sentence: "The page that sent the request came over http, where anybody on the way can have written it, and the site is on https: the request is answered with 403.",
		Fix:      "Serve the page over https too: SECURE_SSL_REDIRECT = True and SECURE_HSTS_SECONDS.",
		Scenario: `
header Referer: http://shop.test/form
visit POST https://shop.test/
`,
	})
	csrfRefererMismatch = rules.Add(rule.Rule{
		ID:       "csrf-referer-mismatch",
		Source:   csrfSource + ", Referer checking; settings CSRF_TRUSTED_ORIGINS and CSRF_COOKIE_DOMAIN",
		Sentence: "The page that sent the request is of another host than the site and those of CSRF_TRUSTED_ORIGINS, so the request is answered with 403.",
		Fix:      "A page of yours elsewhere goes into CSRF_TRUSTED_ORIGINS; behind a proxy, have it pass Host on unchanged.",
		Scenario: `
header Referer: https://evil.test/form
visit POST https://shop.test/
`,
	})
	csrfFetchSite = rules.Add(rule.Rule{
		ID:       "csrf-fetch-site",
		Source:   "Fetch Metadata Request Headers, section 2.4; Lockstep, docs/divergences.md",
		Sentence: "The browser says in Sec-Fetch-Site that a page of another origin caused the request, so it is answered with 403 whatever its token.",
		Fix:      "A page of yours elsewhere goes into CSRF_TRUSTED_ORIGINS, with its scheme.",
		Scenario: `
header Referer: https://shop.test/form
header Sec-Fetch-Site: same-site
visit POST https://shop.test/
`,
	})
	csrfCookieMissing = rules.Add(rule.Rule{
		ID:       "csrf-cookie-missing",
		Source:   csrfSource + ", CSRF cookie not set",
		Sentence: "The browser sent no CSRF cookie (with CSRF_USE_SESSIONS: its session holds no secret), so no token can match, and the request is answered with 403.",
		Fix:      "Ask why the browser did not keep or send the cookie: the usual reasons are CSRF_COOKIE_SECURE over http, cookies that are blocked, and a page whose form does not render the token, which is what sets the cookie.",
		Scenario: `
header Origin: https://shop.test
visit POST https://shop.test/
`,
	})
	csrfSessionFailed = rules.Add(rule.Rule{
		ID:       "csrf-session-failed",
		Source:   "Django setting CSRF_USE_SESSIONS; Lockstep, package session, interface Store",
		Sentence: "The secret is kept in the session, and the store of the sessions did not answer, so the request is answered with 503.",
		Fix:      "Look at the store's own log; the request can be sent again when the store is back.",
		Scenario: `
set CSRF_USE_SESSIONS=True
store failed
header Origin: https://shop.test
header Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345
visit POST https://shop.test/
`,
	})
	csrfCookieLength = rules.Add(rule.Rule{
		ID:       "csrf-cookie-length",
		Source:   csrfSource + ", CSRF cookie has incorrect length",
		Sentence: "The CSRF cookie has neither 32 nor 64 characters, so it is none that this site set, and the request is answered with 403.",
		Fix:      "Look for who else sets a cookie of this name on the host or its parent domains; the answer sets a new one.",
		Scenario: `
header Origin: https://shop.test
header Cookie: csrftoken=short
visit POST https://shop.test/
`,
	})
	csrfCookieCharacters = rules.Add(rule.Rule{
		ID:       "csrf-cookie-characters",
		Source:   csrfSource + ", CSRF cookie has invalid characters",
		Sentence: "The CSRF cookie has other characters than letters and digits, so it is none that this site set, and the request is answered with 403.",
		Fix:      "Look for who else sets a cookie of this name on the host or its parent domains; the answer sets a new one.",
		Scenario: `
header Origin: https://shop.test
header Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-
visit POST https://shop.test/
`,
	})
	csrfTokenMissing = rules.Add(rule.Rule{
		ID:       "csrf-token-missing",
		Source:   csrfSource + ", CSRF token missing",
		Sentence: "The request holds no token, neither in the field csrfmiddlewaretoken of a POST form nor in the header of CSRF_HEADER_NAME, so it is answered with 403.",
		Fix:      "Put CSRFField into the form, or send CSRFToken in the header X-CSRFToken; a token in the query string does not count.",
		Scenario: `
header Origin: https://shop.test
header Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
visit POST https://shop.test/
`,
	})
	csrfTokenIncorrect = rules.Add(rule.Rule{
		ID:       "csrf-token-incorrect",
		Source:   csrfSource + ", CSRF token incorrect",
		Sentence: "The token is not that of the browser's cookie or session, so the request is answered with 403.",
		Fix:      "Load the form again: tokens change at login, so a form that was open in another tab is stale.",
		Scenario: `
header Origin: https://shop.test
header Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
header X-Csrftoken: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
visit POST https://shop.test/
`,
	})
	csrfTokenLength = rules.Add(rule.Rule{
		ID:       "csrf-token-length",
		Source:   csrfSource + ", CSRF token has incorrect length",
		Sentence: "The token has neither 32 nor 64 characters, so the request is answered with 403.",
		Fix:      "Send the token as the page got it, whole and unquoted.",
		Scenario: `
header Origin: https://shop.test
header Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
header X-Csrftoken: short
visit POST https://shop.test/
`,
	})
	csrfTokenCharacters = rules.Add(rule.Rule{
		ID:       "csrf-token-characters",
		Source:   csrfSource + ", CSRF token has invalid characters",
		Sentence: "The token has other characters than letters and digits, so the request is answered with 403.",
		Fix:      "Send the token as the page got it, without escapes.",
		Scenario: `
header Origin: https://shop.test
header Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
header X-Csrftoken: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-
visit POST https://shop.test/
`,
	})
	csrfFormRefused = rules.Add(rule.Rule{
		ID:       "csrf-form-refused",
		Source:   "Django settings DATA_UPLOAD_MAX_MEMORY_SIZE, DATA_UPLOAD_MAX_NUMBER_FIELDS and DATA_UPLOAD_MAX_NUMBER_FILES, at their defaults",
		Sentence: "The form in which the token is to be is larger than 2.5 MB without its files, has more than 1,000 fields or 100 files, or cannot be read, so the request is answered with 400.",
		Fix:      "Send a smaller form; send large data as a file of a multipart form, or as a body of another type with the token in the header X-CSRFToken.",
		Scenario: `
header Origin: https://shop.test
header Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
header Content-Type: multipart/form-data
visit POST https://shop.test/
`,
	})
)

// CSRF answers whether r may be let through to what changes state: Django's CsrfViewMiddleware, and
// before the token a second lock, Sec-Fetch-Site. The checks come in Django's order: a safe method,
// INSECURE_CSRF_EXEMPT, Origin or, over https without one, Referer, Sec-Fetch-Site, then the token
// in the form of a POST or in the header of CSRF_HEADER_NAME against the cookie or the session.
//
// It may read the body of r for the token; the handler can read it again, a multipart form from
// r.MultipartForm. Files of a multipart form go to disk meanwhile, however large they are: an
// [http.MaxBytesHandler] in front of the Guard is the limit. The verdict has facts when r's context is
// watched; it is returned, not recorded.
func (g *Guard) CSRF(r *http.Request) rule.Verdict {
	rec := rule.FromContext(r.Context())
	host, _ := g.rawHost(r)
	x := &exchange{guard: g, in: r, rec: rec, secure: g.decideSecure(r, nil).Yes, host: host}
	x.openSession()
	return x.decideCSRF(r).verdict
}

// A csrfAnswer is the verdict about a request, and in words of Django's why it was refused.
type csrfAnswer struct {
	verdict rule.Verdict
	reason  string // "" when the answer is yes
}

// decideCSRF decides about r, whose host has been found allowed.
func (x *exchange) decideCSRF(r *http.Request) csrfAnswer {
	d := csrfDecision{x: x, site: x.guard.site, r: r}
	id, reason := d.decide()
	v := rule.Verdict{Side: rule.Site, Question: rule.CheckCSRF, Subject: r.URL.Path, Yes: reason == "", Rule: id}
	if x.rec.Watching() {
		v.Facts = d.facts()
	}
	return csrfAnswer{v, reason}
}

// A csrfDecision is what is looked at on the way to an answer. Its methods return the rule that
// refuses the request and Django's reason, or two empty texts to go on.
type csrfDecision struct {
	x    *exchange
	site *checked
	r    *http.Request

	origin  string // the Origin header, if hasOrigin
	referer pyURL
	fetch   string // Sec-Fetch-Site
	trusted bool   // the Origin is one of CSRF_TRUSTED_ORIGINS
	source  string // where the token was: tokenField, or the name of CSRF_HEADER_NAME
}

func (d *csrfDecision) decide() (id rule.ID, reason string) {
	switch {
	case isSafe(d.r.Method):
		return csrfSafeMethod, ""
	case d.site.exemptFromCSRF(d.r):
		return csrfExempt, ""
	}
	for _, lock := range []func() (rule.ID, string){d.checkOrigin, d.checkFetchSite, d.checkToken} {
		if id, reason := lock(); reason != "" {
			return id, reason
		}
	}
	return csrfOK, ""
}

// isSafe reports whether a method is one of those that change nothing. Methods are case-sensitive:
// a "get" is none that a handler would know for GET.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// exemptFromCSRF asks INSECURE_CSRF_EXEMPT. Where a ServeMux would redirect to a cleaner path, the
// path that was asked matches nothing. Nor does one with dots in place of a name, written with %2F or
// %2E so that it stays as it is up to here: who cleans URL.Path behind the Guard finds another page.
func (c *checked) exemptFromCSRF(r *http.Request) bool {
	if len(c.csrfExempt) == 0 || hasDotSegment(r.URL.Path) {
		return false
	}
	for _, mux := range c.csrfExempt {
		if h, _ := mux.Handler(r); h == exemptHandler {
			return true
		}
	}
	return false
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// checkOrigin looks at which page sent the request: by Origin or, over https without one, by Referer.
func (d *csrfDecision) checkOrigin() (rule.ID, string) {
	lines, has := d.r.Header["Origin"]
	if has {
		d.origin = strings.Join(lines, ",")
		own := d.origin == d.ownOrigin()
		d.trusted = !own && d.site.trustsOrigin(d.origin)
		switch {
		case !d.site.version.checksOrigin(): // Django 3.2 goes by the Referer alone
		case own, d.trusted:
			return "", ""
		default:
			return csrfOriginMismatch, "Origin checking failed - " + cut(d.origin) + " does not match any trusted origins."
		}
	}
	if d.x.secure {
		return d.checkReferer()
	}
	return "", ""
}

func (d *csrfDecision) ownOrigin() string { return scheme(d.x.secure) + "://" + d.x.host }

func (d *csrfDecision) checkReferer() (rule.ID, string) {
	const failed = "Referer checking failed - "
	lines, has := d.r.Header["Referer"]
	if !has {
		return csrfRefererMissing, failed + "no Referer."
	}
	text := strings.Join(lines, ",")
	d.referer = splitURL(text)
	switch {
	case d.referer.scheme == "" || d.referer.netloc == "" || strings.Count(d.referer.netloc, "[") != strings.Count(d.referer.netloc, "]"):
		return csrfRefererMalformed, failed + "Referer is malformed."
	case d.referer.scheme != "https":
		return csrfRefererInsecure, failed + "Referer is insecure while host is secure."
	case !d.site.trustsReferer(d.referer.netloc) && !isSameDomain(d.referer.netloc, d.goodReferer()):
		return csrfRefererMismatch, failed + cut(d.referer.String()) + " does not match any trusted origins."
	}
	return "", ""
}

// goodReferer is the host that pages of this site have: that of the cookie's Domain, with the port
// of the server unless it is a default, or else the host that was asked.
func (d *csrfDecision) goodReferer() string {
	domain := d.site.CSRFCookieDomain
	if d.site.CSRFUseSessions {
		domain = d.site.SessionCookieDomain
	}
	if domain == "" {
		return d.x.host
	}
	if port := d.x.guard.port(d.r); port != "443" && port != "80" {
		return domain + ":" + port
	}
	return domain
}

// trustsOrigin reports whether CSRF_TRUSTED_ORIGINS has an origin.
func (c *checked) trustsOrigin(origin string) bool {
	parsed := splitURL(origin)
	if !c.version.checksOrigin() { // the entries are hosts, and what they are compared with is on https
		return parsed.scheme == "https" && c.trustsReferer(parsed.netloc)
	}
	for _, o := range c.csrfOrigins {
		if !o.wild && origin == o.text {
			return true
		}
	}
	for _, o := range c.csrfOrigins {
		if o.wild && parsed.scheme == o.scheme && isSameDomain(parsed.netloc, o.host) {
			return true
		}
	}
	return false
}

// trustsReferer reports whether the host of a page is in CSRF_TRUSTED_ORIGINS.
func (c *checked) trustsReferer(netloc string) bool {
	for _, o := range c.csrfOrigins {
		if isSameDomain(netloc, o.host) {
			return true
		}
	}
	return false
}

// A trustedOrigin is an entry of CSRF_TRUSTED_ORIGINS.
type trustedOrigin struct {
	text   string // as it was written
	scheme string
	host   string // with its port; a leading dot is the domain and everything below
	wild   bool   // has an asterisk, so that text is not compared
}

// isSameDomain is django.utils.http.is_same_domain: whether host is pattern, or is covered by one
// with a leading dot.
func isSameDomain(host, pattern string) bool {
	if pattern == "" {
		return false
	}
	pattern = strings.ToLower(pattern)
	return host == pattern || pattern[0] == '.' && (strings.HasSuffix(host, pattern) || host == pattern[1:])
}

// checkFetchSite is the second lock: what the browser itself says of the page that caused the
// request. A request without the header comes from an old browser, from a program, or over a
// connection that is not secure.
func (d *csrfDecision) checkFetchSite() (rule.ID, string) {
	lines := d.r.Header["Sec-Fetch-Site"]
	if len(lines) == 0 || d.trusted {
		return "", ""
	}
	switch d.fetch = strings.Join(lines, ","); d.fetch {
	case "", "same-origin", "none":
		return "", ""
	}
	return csrfFetchSite, "Sec-Fetch-Site checking failed - " + cut(d.fetch) + " is not same-origin."
}

// tokenField is the name under which a form has its token.
const tokenField = "csrfmiddlewaretoken"

func (d *csrfDecision) checkToken() (rule.ID, string) {
	state := &d.x.csrf
	state.mu.Lock()
	defer state.mu.Unlock()
	state.load(d.x)
	switch state.found {
	case csrfSessionFailed:
		return state.found, "The session could not be loaded."
	case csrfCookieMissing:
		return state.found, "CSRF cookie not set."
	case csrfCookieLength:
		return state.found, d.tokenReason("CSRF cookie has incorrect length.")
	case csrfCookieCharacters:
		return state.found, d.tokenReason("CSRF cookie has invalid characters.")
	}
	token := ""
	if strings.EqualFold(d.r.Method, http.MethodPost) {
		var problem string
		if token, problem = formToken(d.r); problem != "" {
			return csrfFormRefused, problem
		}
		d.source = tokenField
	}
	if token == "" {
		lines, has := d.r.Header[d.site.csrfHeader]
		if !has {
			d.source = ""
			return csrfTokenMissing, d.tokenReason("CSRF token missing.")
		}
		token, d.source = strings.Join(lines, ","), d.site.csrfHeader
	}
	return d.matchToken(token, state.secret)
}

func (d *csrfDecision) matchToken(token, secret string) (rule.ID, string) {
	length := len(token) // WSGI has headers in Latin-1
	if d.source == tokenField {
		length = utf8.RuneCountInString(token)
	}
	switch {
	case length != django.CSRFSecretLength && length != django.CSRFTokenLength:
		return csrfTokenLength, d.aboutToken("has incorrect length.")
	case !django.IsCSRFText(token):
		return csrfTokenCharacters, d.aboutToken("has invalid characters.")
	case !django.CSRFTokensMatch(token, secret):
		return csrfTokenIncorrect, d.aboutToken("incorrect.")
	}
	return "", ""
}

// aboutToken is a reason that says where the token was.
func (d *csrfDecision) aboutToken(problem string) string {
	from := "POST"
	if d.source != tokenField {
		from = "the " + pyRepr(d.source) + " HTTP header"
	}
	return d.tokenReason("CSRF token from " + from + " " + problem)
}

// tokenReason is a reason about a token; Django 3.2 has one for all of them.
func (d *csrfDecision) tokenReason(reason string) string {
	if d.site.version.checksOrigin() {
		return reason
	}
	return "CSRF token missing or incorrect."
}

// facts are those that were looked at; tokens and secrets are none.
func (d *csrfDecision) facts() []rule.Fact {
	facts := []rule.Fact{{Name: "request.method", Value: cut(d.r.Method)}}
	if isSafe(d.r.Method) {
		return facts
	}
	facts = append(facts, rule.Fact{Name: "own origin", Value: d.ownOrigin()})
	if d.origin != "" {
		facts = append(facts, rule.Fact{Name: "Origin", Value: cut(d.origin)})
	}
	if d.referer.netloc != "" {
		facts = append(facts, rule.Fact{Name: "Referer", Value: cut(d.referer.scheme + "://" + withoutUser(d.referer.netloc))})
	}
	if len(d.site.CSRFTrustedOrigins) > 0 {
		facts = append(facts, rule.Fact{Name: "CSRF_TRUSTED_ORIGINS", Value: pyList(d.site.CSRFTrustedOrigins)})
	}
	if d.fetch != "" {
		facts = append(facts, rule.Fact{Name: "Sec-Fetch-Site", Value: cut(d.fetch)})
	}
	if d.source != "" {
		facts = append(facts, rule.Fact{Name: "token from", Value: d.source})
	}
	return facts
}

// withoutUser is a netloc without the name and password that may stand before its host.
func withoutUser(netloc string) string { return netloc[strings.LastIndexByte(netloc, '@')+1:] }

// parseTrustedOrigins reads CSRF_TRUSTED_ORIGINS, whose entries have been found good.
func (c *checked) parseTrustedOrigins() {
	for _, entry := range c.CSRFTrustedOrigins {
		o := trustedOrigin{text: entry, scheme: "https", host: entry} // 3.2: a host
		if u := splitURL(entry); u.netloc != "" {
			o.scheme, o.host = u.scheme, u.netloc
		}
		o.wild = strings.Contains(entry, "*")
		o.host = strings.TrimLeft(o.host, "*")
		c.csrfOrigins = append(c.csrfOrigins, o)
	}
}
