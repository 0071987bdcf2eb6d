package lockstep

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
)

var (
	redirectToHTTPS = rules.Add(rule.Rule{
		ID:       "redirect-to-https",
		Source:   "Django setting SECURE_SSL_REDIRECT",
		Sentence: "SECURE_SSL_REDIRECT is on and the request is not secure, so it is answered with 301 to https, at SECURE_SSL_HOST if that is set and else at the same host.",
		Fix:      "To serve this path over http add it to SECURE_REDIRECT_EXEMPT; if it did come over https, set SECURE_PROXY_SSL_HEADER.",
		Scenario: "visit http://shop.test/",
	})
	redirectAlreadySecure = rules.Add(rule.Rule{
		ID:       "redirect-already-secure",
		Source:   "Django setting SECURE_SSL_REDIRECT",
		Sentence: "SECURE_SSL_REDIRECT is on, and the request is secure already.",
		Fix:      "Nothing needs to change; only requests over http are redirected.",
		Scenario: "visit https://shop.test/",
	})
	redirectOff = rules.Add(rule.Rule{
		ID:       "redirect-off",
		Source:   "Django setting SECURE_SSL_REDIRECT",
		Sentence: "SECURE_SSL_REDIRECT is off, so nothing is redirected to https.",
		Fix:      "Set SECURE_SSL_REDIRECT = True.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
visit http://shop.test/
`,
	})
	redirectExempt = rules.Add(rule.Rule{
		ID:       "redirect-exempt",
		Source:   "Django setting SECURE_REDIRECT_EXEMPT",
		Sentence: "A pattern of SECURE_REDIRECT_EXEMPT matches the path, so the request is served over http.",
		Fix:      "Make the pattern narrower, with ^ and $ around it; it is searched for in the decoded path without its leading slashes.",
		Scenario: `
set SECURE_REDIRECT_EXEMPT=['^health$']
visit http://shop.test/health
`,
	})
)

// Redirect answers whether r is redirected to https, and to where: SECURE_SSL_HOST or the host
// that was asked, its port kept as Django keeps it, with the path and query of r as Django quotes
// them. The location is empty when the answer is no. A request whose host is refused is not
// redirected, and the verdict then has the rule by which the host was refused. It has facts when
// r's context is watched; it is returned, not recorded.
func (g *Guard) Redirect(r *http.Request) (location string, v rule.Verdict) {
	rec := rule.FromContext(r.Context())
	location, v = g.decideRedirect(r, g.decideSecure(r, nil).Yes, rec)
	if !v.Yes || g.site.SecureSSLHost != "" {
		return location, v
	}
	if host, _ := g.decideHost(r, nil); !host.Yes {
		v.Yes, v.Rule, v.Facts = false, host.Rule, nil
		return "", v
	}
	return location, v
}

// decideRedirect takes the host for allowed; whoever acts on a yes asks decideHost before, unless
// SECURE_SSL_HOST is set.
func (g *Guard) decideRedirect(r *http.Request, secure bool, rec *rule.Recorder) (location string, v rule.Verdict) {
	v = rule.Verdict{Side: rule.Site, Question: rule.RedirectToHTTPS, Subject: r.URL.Path}
	var exempt *regexp.Regexp
	switch {
	case !g.site.SecureSSLRedirect:
		v.Rule = redirectOff
	case secure:
		v.Rule = redirectAlreadySecure
	default:
		if exempt = g.exemption(r.URL.Path); exempt != nil {
			v.Rule = redirectExempt
			break
		}
		v.Yes, v.Rule = true, redirectToHTTPS
		location = g.httpsURL(r)
	}
	if rec.Watching() {
		v.Facts = g.redirectFacts(secure, exempt, location)
	}
	return location, v
}

func (g *Guard) redirectFacts(secure bool, exempt *regexp.Regexp, location string) []rule.Fact {
	facts := []rule.Fact{
		{Name: "SECURE_SSL_REDIRECT", Value: pyBool(g.site.SecureSSLRedirect)},
		{Name: "request.is_secure()", Value: pyBool(secure)},
	}
	if exempt != nil {
		facts = append(facts, rule.Fact{Name: "SECURE_REDIRECT_EXEMPT", Value: exempt.String()})
	}
	if location != "" {
		if g.site.SecureSSLHost != "" {
			facts = append(facts, rule.Fact{Name: "SECURE_SSL_HOST", Value: g.site.SecureSSLHost})
		}
		facts = append(facts, rule.Fact{Name: "Location", Value: location})
	}
	return facts
}

// exemption returns the first pattern of SECURE_REDIRECT_EXEMPT that is found in path, which is
// decoded, or nil.
func (g *Guard) exemption(path string) *regexp.Regexp {
	if len(g.site.exempt) == 0 {
		return nil
	}
	path = strings.TrimLeft(path, "/")
	for _, pattern := range g.site.exempt {
		if pattern.MatchString(path) {
			return pattern
		}
	}
	return nil
}

// httpsURL is where SecurityMiddleware redirects to. The path cannot lead to another host, since
// the URL is absolute, and cannot end the header, since it is quoted.
func (g *Guard) httpsURL(r *http.Request) string {
	host := g.site.SecureSSLHost
	if host == "" {
		host, _ = g.rawHost(r)
	}
	return "https://" + host + django.FullPath(r.URL.EscapedPath(), r.URL.RawQuery)
}
