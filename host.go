package lockstep

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/rule"
)

var (
	hostAllowed = rules.Add(rule.Rule{
		ID:       "host-allowed",
		Source:   "Django setting ALLOWED_HOSTS",
		Sentence: "The host is well formed and ALLOWED_HOSTS names it.",
		Fix:      "If the site should not answer to this host, take the entry that matches out of ALLOWED_HOSTS.",
		Scenario: "visit https://shop.test/",
	})
	hostNotAllowed = rules.Add(rule.Rule{
		ID:       "host-not-allowed",
		Source:   "Django setting ALLOWED_HOSTS",
		Sentence: "No entry of ALLOWED_HOSTS matches the host, so the request is answered with 400.",
		Fix:      "Add the host, without its port, to ALLOWED_HOSTS; behind a proxy make it pass the Host header on unchanged.",
		Scenario: `
set ALLOWED_HOSTS=['shop.test']
visit https://evil.test/
`,
	})
	hostMalformed = rules.Add(rule.Rule{
		ID:       "host-malformed",
		Source:   "Django, HttpRequest.get_host(); RFC 1034, section 3.5",
		Sentence: "The Host header is not a domain name or a bracketed IPv6 address with an optional port, so the request is answered with 400.",
		Fix:      "Send a host of letters, digits, hyphens and dots; an underscore is not allowed.",
		Scenario: `
header Host: my_host
visit https://shop.test/
`,
	})
	noteForwardedHostUntrusted = rules.Add(rule.Rule{
		ID:       "note-forwarded-host-untrusted",
		Source:   "Lockstep setting TRUSTED_PROXIES",
		Sentence: "X-Forwarded-Host was sent by a peer that is not a trusted proxy, and was ignored.",
		Fix:      "If the peer is your proxy, add its address to TRUSTED_PROXIES; otherwise nothing needs to change.",
		Scenario: `
set USE_X_FORWARDED_HOST=True
set TRUSTED_PROXIES=['192.0.2.1']
header X-Forwarded-Host: evil.test
visit https://shop.test/
`,
	})
)

// Host answers whether the site is responsible for the host that r asks: Django's
// request.get_host(), which refuses a host that is malformed or that ALLOWED_HOSTS does not
// match. The verdict's Subject is the host as the client wrote it. It has facts when r's context
// is watched; it is returned, not recorded.
func (g *Guard) Host(r *http.Request) rule.Verdict {
	v, _ := g.decideHost(r, rule.FromContext(r.Context()))
	return v
}

// decideHost also returns the domain of the host: lower case, without port and trailing dot, and
// empty when the host is malformed.
func (g *Guard) decideHost(r *http.Request, rec *rule.Recorder) (v rule.Verdict, domain string) {
	v = rule.Verdict{Side: rule.Site, Question: rule.AllowHost}
	var from string
	v.Subject, from = g.rawHost(r)
	domain = domainOf(v.Subject)
	switch {
	case domain == "":
		v.Rule = hostMalformed
	case g.allows(domain):
		v.Yes, v.Rule = true, hostAllowed
	default:
		v.Rule = hostNotAllowed
	}
	if g.site.UseXForwardedHost && from == "HTTP_HOST" && len(r.Header["X-Forwarded-Host"]) > 0 {
		v.Notes = []rule.ID{noteForwardedHostUntrusted}
	}
	if rec.Watching() {
		v.Facts = g.hostFacts(v, from)
	}
	return v, domain
}

func (g *Guard) hostFacts(v rule.Verdict, from string) []rule.Fact {
	facts := []rule.Fact{
		{Name: from, Value: cut(v.Subject)},
		{Name: "ALLOWED_HOSTS", Value: pyList(g.site.hosts)},
	}
	if v.Yes {
		facts = append(facts, rule.Fact{Name: "request.get_host()", Value: v.Subject})
	}
	return facts
}

// rawHost returns the host that r asks, unchecked, and the name Django has for where it stood.
// net/http does not tell a missing Host from an empty one; both are malformed here, where Django
// puts the server's own name in place of a missing one.
func (g *Guard) rawHost(r *http.Request) (host, from string) {
	if g.site.UseXForwardedHost && g.trusts(r.RemoteAddr) {
		if lines, ok := r.Header["X-Forwarded-Host"]; ok {
			return strings.Join(lines, ","), "HTTP_X_FORWARDED_HOST"
		}
	}
	return r.Host, "HTTP_HOST"
}

// domainOf returns the domain of a host header in lower case, without port and trailing dot, an IPv6
// address with its brackets; it is empty for a host that Django calls malformed. It is Django's
// split_domain_port as of 5.0, where the whole value has to match
//
//	([a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(?::([0-9]+))?
//
// except that what stands in brackets has to be an address: from "[:0]" Django builds a redirect
// that it then fails to read, with status 500.
func domainOf(host string) string {
	if !only(host, func(c byte) bool { return c < utf8.RuneSelf }) {
		return "" // strings.ToLower would make a k of the Kelvin sign
	}
	host = strings.ToLower(host)
	end := strings.IndexByte(host, ']') + 1
	valid := isBracketed
	if !strings.HasPrefix(host, "[") {
		valid = isName
		if end = strings.IndexByte(host, ':'); end < 0 {
			end = len(host)
		}
	}
	domain, port := host[:end], host[end:]
	if !valid(domain) || port != "" && !isPort(port) {
		return ""
	}
	return strings.TrimSuffix(domain, ".")
}

func isName(s string) bool {
	return s != "" && only(s, func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'z' || c == '.' || c == '-' })
}

func isBracketed(s string) bool {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	addr, err := netip.ParseAddr(s[1 : len(s)-1])
	return err == nil && addr.Is6() && addr.Zone() == ""
}

func isPort(s string) bool { return len(s) > 1 && s[0] == ':' && only(s[1:], isDigit) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func only(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// allows reports whether ALLOWED_HOSTS matches domain: "*" matches all, a leading dot the name
// after it and everything below, anything else itself. An entry with a port matches nothing.
func (g *Guard) allows(domain string) bool {
	return slices.ContainsFunc(g.site.hosts, func(pattern string) bool {
		switch {
		case pattern == "*" || pattern == domain:
			return true
		case strings.HasPrefix(pattern, "."):
			return strings.HasSuffix(domain, pattern) || domain == pattern[1:]
		}
		return false
	})
}

// disallowedHost is the message of Django's DisallowedHost.
func disallowedHost(host string) string {
	message := "Invalid HTTP_HOST header: " + pyRepr(cut(host)) + "."
	if domain := domainOf(host); domain != "" {
		return message + " You may need to add " + pyRepr(cut(domain)) + " to ALLOWED_HOSTS."
	}
	return message + " The domain name provided is not valid according to RFC 1034/1035."
}
