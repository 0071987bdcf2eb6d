package lockstep

import (
	"net/http"
	"regexp"
	"strconv"
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
	redirectTooLong = rules.Add(rule.Rule{
		ID:       "redirect-too-long",
		Source:   "Django, HttpResponseRedirectBase: more than 2048 characters in 4.2.26 and 5.2.8, 16384 in 4.2.27, 5.2.9 and later",
		Sentence: "The https URL is longer than any that Django redirects to, so the request is answered with 400.",
		Fix:      "Send what is that long in the body of a POST; DJANGO_VERSION decides where the limit is.",
		Scenario: "set DJANGO_VERSION='5.2.8'\nvisit http://shop.test/" + longPath + "\n",
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

// longPath has 2048 characters, as many as Django 5.2.8 redirects to with scheme and host.
const (
	longPath = path512 + path512 + path512 + path512
	path512  = path64 + path64 + path64 + path64 + path64 + path64 + path64 + path64
	path64   = "a-path-of-64-characters-is-the-eighth-part-of-one-of-five-twelve"
)

// A redirectAnswer is the verdict about a redirect, and what carrying it out takes.
type redirectAnswer struct {
	verdict  rule.Verdict
	location string // where to, when the verdict is yes
	suspect  bool   // the client may be at that URL already: see loop.go
	reason   string // why the request is refused, neither redirected nor served; "" when it is not
}

// ends reports whether the request goes no further.
func (a *redirectAnswer) ends() bool { return a.verdict.Yes || a.reason != "" }

// Redirect answers whether r is redirected to https, and to where: SECURE_SSL_HOST or the host
// that was asked, its port kept as Django keeps it, with the path and query of r as Django quotes
// them. The location is empty when the answer is no. A request whose host is refused is not
// redirected, and the verdict then has the rule by which the host was refused. A redirect that would
// lead back to where the client is, or is too long, is a no too, and the request is refused. The
// verdict has facts when r's context is watched; it is returned, not recorded.
func (g *Guard) Redirect(r *http.Request) (location string, v rule.Verdict) {
	rec := rule.FromContext(r.Context())
	answer := g.decideRedirect(r, g.decideSecure(r, nil).Yes, rec)
	if !answer.ends() || g.site.SecureSSLHost != "" {
		return answer.location, answer.verdict
	}
	if host, _ := g.decideHost(r, nil); !host.Yes {
		answer.verdict.Yes, answer.verdict.Rule, answer.verdict.Facts = false, host.Rule, nil
		return "", answer.verdict
	}
	return answer.location, answer.verdict
}

// decideRedirect takes the host for allowed; whoever acts on the answer asks decideHost before, unless
// SECURE_SSL_HOST is set.
func (g *Guard) decideRedirect(r *http.Request, secure bool, rec *rule.Recorder) (a redirectAnswer) {
	v := &a.verdict
	*v = rule.Verdict{Side: rule.Site, Question: rule.RedirectToHTTPS, Subject: r.URL.Path}
	var exempt *regexp.Regexp
	var clue clue
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
		a.location = g.httpsURL(r)
		if limit := g.site.redirectLimit; limit > 0 && len(a.location) > limit {
			v.Rule = redirectTooLong
			a.location, a.reason = "", "Unsafe redirect exceeding "+strconv.Itoa(limit)+" characters"
			break
		}
		v.Rule = redirectToHTTPS
		if clue = g.httpsClue(r); clue.header != "" {
			g.decideLoop(&a, r, clue)
		}
		v.Yes = a.reason == ""
	}
	if rec.Watching() {
		v.Facts = append(g.redirectFacts(secure, exempt, a.location), clue.facts(r)...)
	}
	return a
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
