package browser

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// MaxLocation is the greatest length, in octets, of a Location that is followed. Browsers stop at
// two million, and servers refuse URLs far shorter than this.
const MaxLocation = 64 << 10

var (
	followBadLocation = rules.Add(rule.Rule{
		ID:       "follow-bad-location",
		Source:   "Fetch standard, location URL; URL standard, URL parsing",
		Sentence: "The Location cannot be read as a URL, so the browser shows an error page.",
		Fix:      "Send an absolute URL such as https://shop.test/cart, or a path that begins with a slash, with everything else percent-encoded.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
on /a app plain
on /a status 302
on /a send Location: https://[shop.test/
visit http://shop.test/a
`,
	})

	followOtherScheme = rules.Add(rule.Rule{
		ID:       "follow-other-scheme",
		Source:   "Fetch standard, HTTP-redirect fetch",
		Sentence: "The Location has another scheme than http and https, and a redirect may not lead there.",
		Fix:      "Redirect to an http or https URL; if the Location was meant as a path, begin it with a slash.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
on /a app plain
on /a status 302
on /a send Location: ftp://shop.test/
visit http://shop.test/a
`,
	})
)

// ResolveURL returns the URL that a reference in a document with the given base URL, such as the action
// of a form, leads to. The base is an http or https URL; a reference to another scheme is an error.
//
// URL standard, URL parsing.
func ResolveURL(base *url.URL, reference string) (*url.URL, error) {
	plain := *base
	plain.Fragment, plain.RawFragment = "", ""
	to, _, problem := resolveLocation(&plain, reference)
	if problem != "" {
		return nil, errors.New(problem)
	}
	return to, nil
}

// resolveLocation returns the URL that the Location of a response from base leads to, or the rule
// by which it leads nowhere, and the problem in words.
//
// It reads as the URL standard does, with base an http or https URL. Where the standard would keep
// a byte that cannot travel in a URL of package net/url, such as a percent sign that stands alone, it is
// percent-encoded.
func resolveLocation(base *url.URL, location string) (to *url.URL, refused rule.ID, problem string) {
	if len(location) > MaxLocation {
		return nil, followBadLocation, fmt.Sprintf("the URL is longer than %d octets", MaxLocation)
	}
	parts := splitLocation(location)
	switch parts.scheme {
	case "", "http", "https":
	default:
		return nil, followOtherScheme, fmt.Sprintf("the scheme is %q", shown(parts.scheme))
	}
	reference, err := parts.reference(base.Scheme)
	if err != nil {
		return nil, followBadLocation, err.Error()
	}
	to = base.ResolveReference(reference)
	if to.Path == "" {
		to.Path = "/"
	}
	to.Fragment, to.RawFragment = base.Fragment, base.RawFragment
	if parts.hasFragment {
		setFragment(to, parts.fragment)
	}
	return to, "", ""
}

// locationParts is a Location, taken apart but not decoded.
type locationParts struct {
	scheme      string // lower case, "" when there is none
	rest        string // what stands between scheme and query, with slashes for backslashes
	query       string
	hasQuery    bool
	fragment    string
	hasFragment bool
}

// splitLocation follows the URL standard, basic URL parser: control characters and spaces at the
// ends are dropped, tabs and line ends everywhere.
func splitLocation(location string) (p locationParts) {
	s := strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	s, p.fragment, p.hasFragment = strings.Cut(s, "#")
	s, p.query, p.hasQuery = strings.Cut(s, "?")
	p.scheme, p.rest = cutScheme(strings.ReplaceAll(s, `\`, "/"))
	return p
}

// cutScheme returns the scheme that s begins with, in lower case, and what follows its colon.
func cutScheme(s string) (scheme, rest string) {
	before, after, ok := strings.Cut(s, ":")
	if !ok || before == "" || !isLetter(before[0]) {
		return "", s
	}
	for i := range len(before) {
		if c := before[i]; !isLetter(c) && !isDigit(c) && c != '+' && c != '-' && c != '.' {
			return "", s
		}
	}
	return strings.ToLower(before), after
}

// reference returns p as a reference to be resolved against a URL of the given scheme.
//
// Two slashes or more, also without a scheme, begin a host. So does anything after another scheme;
// "http:cart" seen from an http URL is a relative path.
func (p locationParts) reference(scheme string) (*url.URL, error) {
	reference := &url.URL{}
	path := p.rest
	otherScheme := p.scheme != "" && p.scheme != scheme
	if otherScheme || strings.HasPrefix(p.rest, "//") {
		if p.scheme != "" {
			scheme = p.scheme
		}
		authority := strings.TrimLeft(p.rest, "/")
		authority, path = cutBefore(authority, '/')
		var err error
		if reference, err = parseAuthority(scheme, authority); err != nil {
			return nil, err
		}
		path = "/" + strings.TrimPrefix(path, "/")
	}
	reference.RawPath = encode(withoutLonePercents(plainDots(path)), isPathByte)
	var err error
	if reference.Path, err = url.PathUnescape(reference.RawPath); err != nil {
		return nil, err
	}
	if p.hasQuery {
		reference.RawQuery = encode(p.query, isQueryByte)
		reference.ForceQuery = p.query == ""
	}
	return reference, nil
}

// parseAuthority returns a URL with scheme, credentials, host and port only. The port is left out
// where it is the scheme's own.
func parseAuthority(scheme, authority string) (*url.URL, error) {
	parsed, err := url.Parse(scheme + "://" + authority)
	if err != nil {
		return nil, errors.New("the host cannot be read")
	}
	host, err := cookie.CanonicalHost(parsed.Hostname())
	if err != nil {
		return nil, fmt.Errorf("the host cannot be read: %w", err)
	}
	port := parsed.Port()
	parsed.Host = host
	if strings.Contains(host, ":") {
		parsed.Host = "[" + host + "]"
	}
	number, err := strconv.ParseUint(cmp.Or(port, defaultPorts[scheme]), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q is not between 0 and 65535", shown(port))
	}
	if port = strconv.FormatUint(number, 10); port != defaultPorts[scheme] {
		parsed.Host += ":" + port
	}
	return parsed, nil
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// plainDots writes segments that are dots in percent-encoding as dots, so that they are resolved.
func plainDots(path string) string {
	if !strings.Contains(path, "%2") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		switch dots := strings.NewReplacer("%2e", ".", "%2E", ".").Replace(segment); dots {
		case ".", "..":
			segments[i] = dots
		}
	}
	return strings.Join(segments, "/")
}

func setFragment(u *url.URL, fragment string) {
	u.RawFragment = encode(withoutLonePercents(fragment), isQueryByte)
	u.Fragment, _ = url.PathUnescape(u.RawFragment) // no percent sign is left that cannot be decoded
}

// withoutLonePercents percent-encodes the percent signs of s that begin no percent-encoded byte.
func withoutLonePercents(s string) string {
	var encoded strings.Builder
	for i := range len(s) {
		encoded.WriteByte(s[i])
		if s[i] == '%' && !isEncoded(s[i:]) {
			encoded.WriteString("25")
		}
	}
	return encoded.String()
}

// encode percent-encodes the bytes of s that are not allowed.
func encode(s string, allowed func(byte) bool) string {
	var encoded strings.Builder
	for i := range len(s) {
		if allowed(s[i]) {
			encoded.WriteByte(s[i])
		} else {
			fmt.Fprintf(&encoded, "%%%02X", s[i])
		}
	}
	return encoded.String()
}

// isEncoded reports whether s begins with a percent-encoded byte.
func isEncoded(s string) bool {
	return len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2])
}

// isPathByte reports whether c stands for itself in a path.
func isPathByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("-._~!$&'()*+,;=:@/%[]", c) >= 0
}

// isQueryByte reports whether c stands for itself in a query (URL standard, special-query
// percent-encode set).
func isQueryByte(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`"#<>'`, c) < 0
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func cutBefore(s string, sep byte) (before, rest string) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
