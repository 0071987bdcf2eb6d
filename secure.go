package lockstep

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

var (
	secureOverTLS = rules.Add(rule.Rule{
		ID:       "secure-over-tls",
		Source:   "Django, HttpRequest.is_secure()",
		Sentence: "The request arrived over TLS, so it is secure.",
		Fix:      "If it should not count as secure, let the proxy that ends TLS say so in the header of SECURE_PROXY_SSL_HEADER.",
		Scenario: "visit https://shop.test/",
	})
	securePlainHTTP = rules.Add(rule.Rule{
		ID:       "secure-plain-http",
		Source:   "Django, HttpRequest.is_secure()",
		Sentence: "The request arrived over plain HTTP and no trusted proxy says otherwise, so it is not secure.",
		Fix:      "Ask for the https URL; behind a proxy that ends TLS set SECURE_PROXY_SSL_HEADER and TRUSTED_PROXIES.",
		Scenario: "visit http://shop.test/",
	})
	secureProxyHeader = rules.Add(rule.Rule{
		ID:       "secure-proxy-header",
		Source:   "Django setting SECURE_PROXY_SSL_HEADER",
		Sentence: "A trusted proxy says that the client came over https, so the request is secure.",
		Fix:      "If the client came over http, correct what the proxy sends, or take it out of TRUSTED_PROXIES.",
		Scenario: `
set SECURE_PROXY_SSL_HEADER=['HTTP_X_FORWARDED_PROTO', 'https']
set INSECURE_TRUST_ANY_PROXY=True
header X-Forwarded-Proto: https
visit http://shop.test/
`,
	})
	secureProxyHeaderDiffers = rules.Add(rule.Rule{
		ID:       "secure-proxy-header-differs",
		Source:   "Django setting SECURE_PROXY_SSL_HEADER",
		Sentence: "A trusted proxy sends the header, but not with the value that means https, so the request is not secure, even over TLS.",
		Fix:      "Make the nearest proxy write the value of SECURE_PROXY_SSL_HEADER as the last element of the header when its client came over https.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
set SECURE_PROXY_SSL_HEADER=['HTTP_X_FORWARDED_PROTO', 'https']
set INSECURE_TRUST_ANY_PROXY=True
header X-Forwarded-Proto: http
visit https://shop.test/
`,
	})
	noteProxyHeaderUntrusted = rules.Add(rule.Rule{
		ID:       "note-proxy-header-untrusted",
		Source:   "Lockstep setting TRUSTED_PROXIES",
		Sentence: "The header of SECURE_PROXY_SSL_HEADER was sent by a peer that is not a trusted proxy, and was ignored.",
		Fix:      "If the peer is your proxy, add its address to TRUSTED_PROXIES; otherwise somebody reaches the site directly, and nothing needs to change.",
		Scenario: `
set SECURE_PROXY_SSL_HEADER=['HTTP_X_FORWARDED_PROTO', 'https']
set TRUSTED_PROXIES=['192.0.2.1']
header X-Forwarded-Proto: https
visit https://shop.test/
`,
	})
	noteProxyHeaderUnused = rules.Add(rule.Rule{
		ID:       "note-proxy-header-unused",
		Source:   "Django setting SECURE_PROXY_SSL_HEADER",
		Sentence: "X-Forwarded-Proto says https, but SECURE_PROXY_SSL_HEADER is not set, so the request counts as plain HTTP; with SECURE_SSL_REDIRECT it is answered with 500, as a redirect would lead back to where it came from.",
		Fix:      "Behind a proxy that ends TLS set SECURE_PROXY_SSL_HEADER to HTTP_X_FORWARDED_PROTO and https, and TRUSTED_PROXIES to its address.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
header X-Forwarded-Proto: https
visit http://shop.test/
`,
	})
)

// Secure answers whether r is secure: Django's request.is_secure(). The header of
// SECURE_PROXY_SSL_HEADER decides when a trusted proxy sends it, TLS decides otherwise. The
// verdict has facts when r's context is watched; it is returned, not recorded.
func (g *Guard) Secure(r *http.Request) rule.Verdict {
	return g.decideSecure(r, rule.FromContext(r.Context()))
}

func (g *Guard) decideSecure(r *http.Request, rec *rule.Recorder) rule.Verdict {
	v := rule.Verdict{Side: rule.Site, Question: rule.IsSecure, Subject: r.Host}
	said := g.proxyLines(r)
	switch trusted := len(said) > 0 && g.trusts(r.RemoteAddr); {
	case trusted && strings.EqualFold(nearest(said), g.site.proxyValue):
		v.Yes, v.Rule = true, secureProxyHeader
	case trusted:
		v.Rule = secureProxyHeaderDiffers
	case r.TLS != nil:
		v.Yes, v.Rule = true, secureOverTLS
	default:
		v.Rule = securePlainHTTP
	}
	if len(said) > 0 && (v.Rule == secureOverTLS || v.Rule == securePlainHTTP) {
		v.Notes = []rule.ID{noteProxyHeaderUntrusted}
	}
	if v.Rule == securePlainHTTP && g.site.proxyHeader == "" && strings.EqualFold(nearest(r.Header["X-Forwarded-Proto"]), "https") {
		v.Notes = []rule.ID{noteProxyHeaderUnused}
	}
	if rec.Watching() {
		v.Facts = g.secureFacts(r, v.Yes, said)
	}
	return v
}

func (g *Guard) secureFacts(r *http.Request, yes bool, said []string) []rule.Fact {
	facts := []rule.Fact{
		{Name: "request.is_secure()", Value: pyBool(yes)},
		{Name: "wsgi.url_scheme", Value: scheme(r.TLS != nil)},
	}
	if g.site.proxyHeader != "" {
		name, value := g.site.SecureProxySSLHeader[0], g.site.SecureProxySSLHeader[1]
		facts = append(facts,
			rule.Fact{Name: "SECURE_PROXY_SSL_HEADER", Value: "('" + name + "', '" + value + "')"},
			rule.Fact{Name: "REMOTE_ADDR", Value: peer(r.RemoteAddr)})
		if len(said) > 0 {
			facts = append(facts, rule.Fact{Name: name, Value: cut(strings.Join(said, ","))})
		}
	}
	return facts
}

// proxyLines returns the lines of the header of SECURE_PROXY_SSL_HEADER, whoever sent them. Only
// the exact name counts: net/http keeps X_Forwarded_Proto apart from X-Forwarded-Proto, which
// WSGI servers do not.
func (g *Guard) proxyLines(r *http.Request) []string {
	if g.site.proxyHeader == "" {
		return nil
	}
	return r.Header[g.site.proxyHeader]
}

// nearest returns the last element of a list header, the one that the nearest proxy wrote. What
// stands before it was written by somebody farther away, in the end by the client.
func nearest(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	last := lines[len(lines)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// trusts reports whether the forwarding headers of the peer at remoteAddr are believed. A peer
// without an address (a Unix socket, a pipe) is believed only when every peer is.
func (g *Guard) trusts(remoteAddr string) bool {
	if g.site.InsecureTrustAnyProxy {
		return true
	}
	if len(g.site.proxies) == 0 {
		return false
	}
	ap, err := netip.ParseAddrPort(remoteAddr)
	return err == nil && g.trustsAddr(ap.Addr())
}

func (g *Guard) trustsAddr(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range g.site.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// peer returns the address in remoteAddr without the port, or remoteAddr if it has none.
func peer(remoteAddr string) string {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return remoteAddr
	}
	return ap.Addr().Unmap().String()
}

// client returns the address a request came from, for the log: the peer, or what trusted proxies
// say about theirs in X-Forwarded-For, read from the nearest to the first that is not trusted.
func (g *Guard) client(r *http.Request) string {
	at := peer(r.RemoteAddr)
	if !g.trusts(r.RemoteAddr) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		at = addr.Unmap().String()
		if !g.trustsAddr(addr) {
			break
		}
	}
	return at
}

func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}
