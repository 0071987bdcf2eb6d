package cookie

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// MaxHost is the greatest length of a host, in octets: what DNS allows, with the dot at the end.
const MaxHost = 254

// maxHostRead is the greatest length, in octets, of a host that is converted to its canonical form.
// A character takes four octets at most, and one at least in that form, so a longer one is too
// long afterwards. Converting takes time that grows with the square of the length: seconds for
// what a header can hold.
const maxHostRead = 4 * MaxHost

// The errors of a host that is empty, or too long to be looked at.
var (
	errNoHost      = errors.New("host is empty")
	errHostTooLong = fmt.Errorf("host is longer than %d octets", maxHostRead)
)

// hosts converts names as browsers do: mapped for lookup, not transitional, and letting through
// the underscores and odd hyphens that names in use have.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false),
	idna.CheckHyphens(false), idna.Transitional(false))

// CanonicalHost returns host, which has no port, as it is compared: ASCII lower case, with labels
// in other scripts as Punycode, and addresses in their shortest form, IPv6 without brackets. A dot at
// the end of a name is kept: browsers take "shop.test." and "shop.test" for different hosts. It returns an
// error for what is neither a name nor an address.
//
// RFC 6265bis-22, section 5.1.2; RFC 5891.
func CanonicalHost(host string) (string, error) {
	switch {
	case host == "":
		return "", errNoHost
	case len(host) > maxHostRead:
		return "", errHostTooLong
	case strings.Contains(host, ":"):
		return canonicalIPv6(host)
	}
	name := lower(host)
	if !isASCII(host) || strings.Contains(name, "xn--") {
		ascii, err := hosts.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("reading host %q: %w", host, err)
		}
		name = ascii
	}
	if strings.Trim(name, ".") == "" || hasForbidden(name) || len(name) > MaxHost {
		return "", fmt.Errorf("host %q is not a name", host)
	}
	if address := strings.TrimSuffix(name, "."); isAddress(address) {
		return address, nil
	}
	return name, nil
}

func canonicalIPv6(host string) (string, error) {
	inner := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	a, err := netip.ParseAddr(inner)
	if err != nil || a.Zone() != "" {
		return "", fmt.Errorf("host %q is not an IPv6 address", host)
	}
	return a.String(), nil
}

// hasForbidden reports whether s holds what no host may contain: the forbidden domain code points of
// the URL standard, and what is not ASCII.
func hasForbidden(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c >= 0x7F || strings.IndexByte("#%/:<>?@[\\]^|", c) >= 0 {
			return true
		}
	}
	return false
}

// RegistrableDomain returns the part of a canonical host that somebody registered: its public
// suffix and one label more, such as "shop.co.uk" of "www.shop.co.uk". For an address, and for a
// host that is itself a public suffix, it is the host. Hosts of one registrable domain are one
// site, and can share cookies.
func RegistrableDomain(host string) string {
	if isAddress(host) {
		return host
	}
	name := strings.TrimSuffix(host, ".")
	suffix, _ := publicsuffix.PublicSuffix(name)
	if len(suffix)+1 >= len(name) {
		return host
	}
	before := name[:len(name)-len(suffix)-1]
	return host[strings.LastIndexByte(before, '.')+1:]
}

// isPublicSuffix reports whether domain is a suffix under which anybody may register a name, such
// as "com", "co.uk" and "github.io". A single label that is not listed is one too. What holds a
// character that no name has is not.
func isPublicSuffix(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	if domain == "" || domain[0] == '.' || hasForbidden(domain) {
		return false
	}
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix == domain
}

// Loopback reports whether a canonical host is this machine whatever the network says: 127.0.0.0/8,
// ::1, localhost and the names under it, with or without a dot at the end. Browsers count such a
// host as secure without TLS.
//
// Secure Contexts, section 3.1.
func Loopback(host string) bool {
	if isAddress(host) {
		return netip.MustParseAddr(host).IsLoopback()
	}
	name := strings.TrimSuffix(host, ".")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
