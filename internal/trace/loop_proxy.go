package trace

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

var (
	loopTLSUnseen = rules.Add(rule.Rule{
		ID:       "loop-tls-unseen",
		Source:   loopSource + "; Django setting SECURE_PROXY_SSL_HEADER",
		Sentence: "The site redirects an https URL to that same https URL: TLS ends at a proxy, the request reaches the site over http, and the site is not told, or does not believe, that the browser is at https already.",
		Fix:      "Have the proxy that ends TLS set X-Forwarded-Proto to https, set SECURE_PROXY_SSL_HEADER to ('HTTP_X_FORWARDED_PROTO', 'https'), and name the proxy's address among those that the site trusts (with Lockstep TRUSTED_PROXIES). For nginx: proxy_set_header X-Forwarded-Proto $scheme; (or $http_x_forwarded_proto, where another proxy ends TLS before it), for HAProxy: http-request set-header X-Forwarded-Proto https if { ssl_fc }; Caddy and Traefik set it unless another proxy is before them, which they then have to trust.",
		Scenario: `
proxy X-Unread
visit http://shop.test/
`,
	})
	loopFlexibleTLS = rules.Add(rule.Rule{
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
	loopTold = rules.Add(rule.Rule{
		ID:       "loop-told",
		Source:   "Lockstep, docs/divergences.md; Django setting SECURE_PROXY_SSL_HEADER",
		Sentence: "The site says itself that its redirect to https would lead back to the same URL, and answers with an error in its place: TLS ends at a proxy, and the site does not believe, or is not told, that the browser is at https.",
		Fix:      "Have the proxy that ends TLS set X-Forwarded-Proto to https, set SECURE_PROXY_SSL_HEADER to ('HTTP_X_FORWARDED_PROTO', 'https') and TRUSTED_PROXIES to the proxy's address. The log of the site says which of them is missing, as redirect-loop-forwarded or redirect-loop-repeated.",
		Scenario: `
foreign
proxy X-Forwarded-Proto
visit http://shop.test/
`,
	})
)

// loopPage is what the page of a Guard says that would lead back: the text is that of the Guard.
const loopPage = "would redirect to itself without end"

// saysLoop reports whether an answer is such a page.
func saysLoop(a *answer) bool {
	return a.status == http.StatusInternalServerError && bytes.Contains(a.body, []byte(loopPage))
}

// toldLoop is the verdict about a visit that ended at such a page.
func toldLoop(h *Hop) rule.Verdict {
	facts := []rule.Fact{{Name: "status", Value: strconv.Itoa(h.Response.Status)}}
	return rule.Verdict{
		Side: rule.Browser, Question: rule.ExplainLoop, Subject: shownURL(h.URL), Rule: loopTold,
		Facts: append(facts, proxyFacts(h)...),
	}
}

// A front is what stands before a site, as far as its answers name it.
type front string

const (
	unnamed    front = ""
	cloudflare front = "Cloudflare"
	nginx      front = "nginx"
	caddy      front = "Caddy"
)

// frontOf reads what answered from the header of a hop. HAProxy and Traefik do not say so.
func frontOf(h *Hop) front {
	for _, f := range h.Response.Fields {
		value := strings.ToLower(f.Value)
		switch strings.ToLower(f.Name) {
		case "cf-ray":
			return cloudflare
		case "server":
			for _, known := range []front{cloudflare, nginx, caddy} {
				if strings.HasPrefix(value, strings.ToLower(string(known))) {
					return known
				}
			}
		}
	}
	return unnamed
}

// proxyLines are what makes a proxy say that its client came over https. Caddy and Traefik do it by
// themselves, unless another proxy that ends TLS stands before them.
var proxyLines = []struct {
	front
	line string
}{
	{nginx, "proxy_set_header X-Forwarded-Proto $scheme; or, behind another proxy that ends TLS, $http_x_forwarded_proto;"},
	{caddy, "reverse_proxy sets it; behind another proxy: servers { trusted_proxies static 10.0.0.0/8 }"},
	{"HAProxy", "http-request set-header X-Forwarded-Proto https if { ssl_fc }"},
	{"Traefik", "sets it; behind another proxy: --entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8"},
}

// proxyFacts are what the site would have to be told, and the line that tells it: of the proxy that is
// named in the answer, or else of each.
func proxyFacts(h *Hop) []rule.Fact {
	facts := []rule.Fact{
		{Name: "header that the site needs", Value: "X-Forwarded-Proto: https"},
		{Name: "settings that read it", Value: "SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https'), and with Lockstep TRUSTED_PROXIES = [the proxy's address]"},
	}
	named := frontOf(h)
	if named != unnamed {
		facts = append(facts, rule.Fact{Name: "answered by", Value: string(named)})
	}
	for _, p := range proxyLines {
		if p.front == named || named == unnamed || named == cloudflare {
			facts = append(facts, rule.Fact{Name: string(p.front), Value: p.line})
		}
	}
	return facts
}

// diagnoseProxy is about an https URL that names itself in its redirect: a proxy ends TLS before the site.
func diagnoseProxy(h *Hop) rule.Verdict {
	v := rule.Verdict{Rule: loopTLSUnseen, Facts: proxyFacts(h)}
	if frontOf(h) == cloudflare {
		v.Rule = loopFlexibleTLS
	}
	return v
}
