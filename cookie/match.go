package cookie

import (
	"net/netip"
	"strings"
)

// DomainMatch reports whether host domain-matches domain: they are identical, or domain is a
// suffix of host that begins after a dot and host is a name, not an address. Both are canonical,
// as [CanonicalHost] returns them.
//
// RFC 6265bis-22, section 5.1.3.
func DomainMatch(host, domain string) bool {
	if host == domain {
		return true
	}
	return domain != "" && len(host) > len(domain) && strings.HasSuffix(host, domain) &&
		host[len(host)-len(domain)-1] == '.' && !isAddress(host)
}

// PathMatch reports whether the path of a request path-matches the path of a cookie: they are
// identical, or the cookie's is a prefix that ends at a slash. Case counts and nothing is decoded.
//
// RFC 6265bis-22, section 5.1.4.
func PathMatch(requestPath, cookiePath string) bool {
	rest, ok := strings.CutPrefix(requestPath, cookiePath)
	if !ok {
		return false
	}
	return rest == "" || strings.HasSuffix(cookiePath, "/") || rest[0] == '/'
}

// DefaultPath returns the path of a cookie that came without one: the path of the request up to,
// and without, its last slash, or "/" when that leaves nothing.
//
// RFC 6265bis-22, section 5.1.4.
func DefaultPath(requestPath string) string {
	i := strings.LastIndexByte(requestPath, '/')
	if i <= 0 || requestPath[0] != '/' {
		return "/"
	}
	return requestPath[:i]
}

// isAddress reports whether host is an IP address, not a name. What neither ends in a digit nor
// holds a colon is none, which spares names the parsing.
func isAddress(host string) bool {
	if host == "" || !isDigit(host[len(host)-1]) && !strings.Contains(host, ":") {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
