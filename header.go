package lockstep

import (
	"net/http"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

var (
	headerSent = rules.Add(rule.Rule{
		ID:       "header-sent",
		Source:   "Django, SecurityMiddleware, ContentSecurityPolicyMiddleware and XFrameOptionsMiddleware",
		Sentence: "The setting asks for this header and the application did not set it, so it is sent.",
		Fix:      "To send another value set the header in the application, or change the setting.",
		Scenario: "visit https://shop.test/",
	})
	headerOff = rules.Add(rule.Rule{
		ID:       "header-off",
		Source:   "Django, SecurityMiddleware, ContentSecurityPolicyMiddleware and XFrameOptionsMiddleware",
		Sentence: "The setting of this header is off, so it is not sent.",
		Fix:      "Give the setting a value, Django's default if there is no reason for another.",
		Scenario: `
set SECURE_CONTENT_TYPE_NOSNIFF=False
visit https://shop.test/
`,
	})
	headerSetByApp = rules.Add(rule.Rule{
		ID:       "header-set-by-app",
		Source:   "Django, SecurityMiddleware, ContentSecurityPolicyMiddleware and XFrameOptionsMiddleware",
		Sentence: "The application has set this header, so its value is sent and the setting is not asked.",
		Fix:      "Take the header out of the application if the setting should decide.",
		Scenario: `
on /a send X-Frame-Options: SAMEORIGIN
visit https://shop.test/a
`,
	})
	headerHSTSSent = rules.Add(rule.Rule{
		ID:       "header-hsts-sent",
		Source:   "Django setting SECURE_HSTS_SECONDS",
		Sentence: "SECURE_HSTS_SECONDS is set and the request is secure, so Strict-Transport-Security is sent.",
		Fix:      "To end it send max-age=0 from the application for as long as browsers may remember it; setting 0 only stops renewing it.",
		Scenario: `
set SECURE_HSTS_SECONDS=3600
visit https://shop.test/
`,
	})
	headerHSTSOff = rules.Add(rule.Rule{
		ID:       "header-hsts-off",
		Source:   "Django setting SECURE_HSTS_SECONDS",
		Sentence: "SECURE_HSTS_SECONDS is 0, so Strict-Transport-Security is not sent and the next visit may leave in clear.",
		Fix:      "Set SECURE_HSTS_SECONDS, first to 3600, and to 31536000 once everything is reached over https.",
		Scenario: "visit https://shop.test/",
	})
	headerHSTSNotSecure = rules.Add(rule.Rule{
		ID:       "header-hsts-not-secure",
		Source:   "RFC 6797, section 7.2",
		Sentence: "The request is not secure, and Strict-Transport-Security is sent over secure transport only.",
		Fix:      "Set SECURE_SSL_REDIRECT = True, so that the browser comes back over https and gets it there.",
		Scenario: `
set SECURE_HSTS_SECONDS=3600
visit http://shop.test/
`,
	})
	headerHSTSLoopback = rules.Add(rule.Rule{
		ID:       "header-hsts-loopback",
		Source:   "Lockstep; RFC 6761, section 6.3",
		Sentence: "The host is this machine, and Strict-Transport-Security for it would bind every other program that is developed here.",
		Fix:      "Ask for the site under a name of its own to see the header.",
		Scenario: `
set SECURE_HSTS_SECONDS=3600
visit https://localhost/
`,
	})
)

const hstsHeader = "Strict-Transport-Security"

// A header is one that settings alone decide.
type header struct {
	name    string
	setting string
	value   []string // shared by all responses; nil when the setting is off
	nonced  string   // what is sent instead to a response with a nonce, with CSPNonceSource in its place; "" when there is none
	by      stage    // of the middleware that adds it
}

// A stage is how far a request came: the innermost middleware that adds headers to its response.
type stage int

const (
	inSecurity stage = iota // SecurityMiddleware
	inPolicies              // ContentSecurityPolicyMiddleware
	inFraming               // XFrameOptionsMiddleware
)

// headersOf is what the headers of one response depend on, beside settings. The zero headersOf is
// that of a redirect to https.
type headersOf struct {
	secure  bool
	domain  string
	reached stage
	nonce   string // "" when nobody asked for it
}

// headers returns the headers of c other than Strict-Transport-Security, in Django's order.
func (c *checked) headers() []header {
	var nosniff, xss, opener string
	if c.SecureContentTypeNosniff {
		nosniff = "nosniff"
	}
	hs := []header{
		{name: "X-Content-Type-Options", setting: "SECURE_CONTENT_TYPE_NOSNIFF", value: line(nosniff)},
		{name: "Referrer-Policy", setting: "SECURE_REFERRER_POLICY", value: line(c.referrerPolicy)},
	}
	if c.version.atLeast(4, 0, 0) {
		opener = c.SecureCrossOriginOpenerPolicy
		hs = append(hs, header{name: "Cross-Origin-Opener-Policy", setting: "SECURE_CROSS_ORIGIN_OPENER_POLICY", value: line(opener)})
	} else {
		if c.SecureBrowserXSSFilter {
			xss = "1; mode=block"
		}
		hs = append(hs, header{name: "X-Xss-Protection", setting: "SECURE_BROWSER_XSS_FILTER", value: line(xss)})
	}
	hs = append(hs,
		header{name: "Cross-Origin-Resource-Policy", setting: "SECURE_CROSS_ORIGIN_RESOURCE_POLICY", value: line(c.SecureCrossOriginResourcePolicy)},
		header{name: "Permissions-Policy", setting: "SECURE_PERMISSIONS_POLICY", value: line(strings.Join(c.SecurePermissionsPolicy, ", "))})
	if c.version.atLeast(6, 0, 0) {
		hs = append(hs,
			c.SecureCSP.header("Content-Security-Policy", "SECURE_CSP"),
			c.SecureCSPReportOnly.header("Content-Security-Policy-Report-Only", "SECURE_CSP_REPORT_ONLY"))
	}
	return append(hs, header{name: "X-Frame-Options", setting: "X_FRAME_OPTIONS", value: line(c.frameOptions), by: inFraming})
}

// line is a header of one line, or none for "". It has no room to grow, so that whoever appends to
// it later gets a copy.
func line(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// writeHeaders adds the security headers to h where h does not have them.
func (g *Guard) writeHeaders(h http.Header, of headersOf, rec *rule.Recorder) {
	by := g.decideHSTS(h, of.secure, of.domain)
	if by == headerHSTSSent {
		h[hstsHeader] = g.hstsLine
	}
	if rec.Watching() {
		rec.Record(headerVerdict(h, hstsHeader, "SECURE_HSTS_SECONDS", by))
	}
	for i := range g.headers {
		hd := &g.headers[i]
		if hd.by > of.reached || hd.isOff() && !rec.Watching() {
			continue
		}
		by := decideHeader(h, hd, of.nonce)
		if by == headerSent || by == headerCSPNonce {
			h[hd.name] = hd.line(by, of.nonce)
		}
		if rec.Watching() {
			v := headerVerdict(h, hd.name, hd.setting, by)
			if by != headerSetByApp {
				v.Notes = hd.notes(of.nonce)
			}
			rec.Record(v)
		}
	}
}

// writeHeaders adds the security headers to the response, as far as the request came.
func (x *exchange) writeHeaders(h http.Header) {
	x.guard.writeHeaders(h, headersOf{secure: x.secure, domain: x.domain, reached: x.reached, nonce: x.nonce.used()}, x.rec)
}

func (g *Guard) decideHSTS(h http.Header, secure bool, domain string) rule.ID {
	switch {
	case len(h[hstsHeader]) > 0:
		return headerSetByApp
	case g.hstsLine == nil:
		return headerHSTSOff
	case !secure:
		return headerHSTSNotSecure
	case isLoopback(domain):
		return headerHSTSLoopback
	}
	return headerHSTSSent
}

// isOff reports whether the header is sent to nobody.
func (hd *header) isOff() bool { return hd.value == nil && hd.nonced == "" }

func decideHeader(h http.Header, hd *header, nonce string) rule.ID {
	switch {
	case len(h[hd.name]) > 0:
		return headerSetByApp
	case hd.nonced != "" && nonce != "":
		return headerCSPNonce
	case hd.value == nil:
		return headerOff
	}
	return headerSent
}

func headerVerdict(h http.Header, name, setting string, by rule.ID) rule.Verdict {
	v := rule.Verdict{Side: rule.Site, Question: rule.SendHeader, Subject: name, Rule: by, Yes: len(h[name]) > 0}
	v.Facts = []rule.Fact{{Name: "setting", Value: setting}}
	if v.Yes {
		v.Facts = append(v.Facts, rule.Fact{Name: name, Value: cut(strings.Join(h[name], ", "))})
	}
	return v
}

// isLoopback reports whether domain, as domainOf returns it, is this machine.
func isLoopback(domain string) bool { return cookie.Loopback(strings.Trim(domain, "[]")) }

// varyOnCookie is Django's patch_vary_headers(response, ("Cookie",)): it adds Cookie to Vary, which
// becomes one line, unless it is there or Vary is "*".
func varyOnCookie(h http.Header) {
	lines := h["Vary"]
	if len(lines) == 0 {
		h["Vary"] = varyCookie
		return
	}
	var names []string
	for name := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		switch name = strings.TrimSpace(name); {
		case name == "*":
			h["Vary"] = []string{"*"}
			return
		case strings.EqualFold(name, "Cookie"):
			return
		case name != "":
			names = append(names, name)
		}
	}
	h["Vary"] = []string{strings.Join(append(names, "Cookie"), ", ")}
}

var varyCookie = []string{"Cookie"} // shared by all responses
