package browser

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A Profile is in what a browser differs from RFC 6265bis-22. The zero Profile is that document
// itself. Profiles are data over one engine, and two of them are equal when they behave alike.
// [Profiles] lists them.
type Profile struct { //nolint:recvcheck // the engine has pointers
	name string // "" is rfc6265bis

	// How a line is read.
	dialect         cookie.Dialect
	namesTokens     bool // "token" is a cookie with that name and no value, not a nameless one
	refusesNameless bool // "=value" is refused
	refusesLooks    bool // "=a=b" is refused
	refusesTabs     bool // a tab inside a name, a value or an attribute refuses the line
	readsIDN        bool // a Domain outside ASCII is converted as a host is
	replacesBytes   bool // bytes that are not UTF-8 become U+FFFD
	hostDefaultPath bool // the default-path "/" will do for __Host-
	httpPrefixes    bool // __Http- and __Host-Http- mean something
	partitions      bool // Partitioned means something

	// How cookies are kept and sent.
	renewal          renewal
	defaultNone      bool          // a cookie without SameSite counts as None
	laxAllowUnsafe   time.Duration // for how long one without SameSite goes along with a cross-site POST
	schemeless       bool          // http and https are one site
	thirdParty       ThirdParty
	noPages          bool // it shows no pages: neither SameSite nor a mode nor a third party mean anything
	localhostOnly    bool // of the names, localhost alone is this machine, and 127.0.0.1 of the IPv4 addresses
	redirectRequests int  // how many requests one visit makes at most; 0 is MaxRequests
}

// A renewal says when a cookie that replaces another one is as good as new: behind the others in
// the order of sending, and with two minutes before it.
type renewal int

const (
	keepsCreation renewal = iota
	renewedByValue
	renewedAlways
)

// A ThirdParty is what a browser does about the cookies of a site that is not the top-level one.
type ThirdParty int

// The policies about third parties. RFC 6265bis-22, section 7.1, leaves them to the browser.
const (
	ThirdPartyAllowed     ThirdParty = iota
	ThirdPartyPartitioned            // each top-level site has cookies of its own for it
	ThirdPartyBlocked                // only Partitioned cookies are stored and sent
)

// String returns allowed, partitioned or blocked.
func (p ThirdParty) String() string {
	switch p {
	case ThirdPartyPartitioned:
		return "partitioned"
	case ThirdPartyBlocked:
		return "blocked"
	case ThirdPartyAllowed:
	}
	return "allowed"
}

// ParseThirdParty reads a word that String returns.
func ParseThirdParty(word string) (ThirdParty, bool) {
	for p := ThirdPartyAllowed; p <= ThirdPartyBlocked; p++ {
		if word == p.String() {
			return p, true
		}
	}
	return 0, false
}

// Chromium returns the profile of Chromium 156, in which third-party cookies are allowed as in Chrome.
func Chromium() Profile {
	return Profile{
		name: "chromium", dialect: cookie.Dialect{SignedMaxAge: true, EarlyDates: true, LastExpiry: true}, refusesLooks: true, refusesTabs: true, readsIDN: true, httpPrefixes: true, partitions: true,
		renewal: renewedByValue, laxAllowUnsafe: laxAllowUnsafe,
	}
}

// Firefox returns the profile of Firefox 153 ESR.
func Firefox() Profile {
	return Profile{
		name: "firefox", namesTokens: true, refusesNameless: true, replacesBytes: true, hostDefaultPath: true,
		httpPrefixes: true, partitions: true, defaultNone: true, schemeless: true, thirdParty: ThirdPartyPartitioned,
		redirectRequests: 21,
	}
}

// Curl returns the profile of curl 7.88, for the question why a cookie works there and not in a
// browser. Left out: its own limits of length and number, and that for a Secure cookie in the way it
// does not look at the domains above and below.
func Curl() Profile {
	return Profile{
		name: "curl", namesTokens: false, refusesNameless: true, renewal: renewedAlways, noPages: true, localhostOnly: true,
		redirectRequests: 51,
	}
}

// Profiles returns those there are: rfc6265bis, chromium, firefox and curl.
func Profiles() []Profile { return []Profile{{}, Chromium(), Firefox(), Curl()} }

// ProfileNamed returns one of Profiles by its name.
func ProfileNamed(name string) (Profile, bool) {
	all := Profiles()
	i := slices.IndexFunc(all, func(p Profile) bool { return p.Name() == name })
	if i < 0 {
		return Profile{}, false
	}
	return all[i], true
}

// Name returns the name, which is rfc6265bis for the zero Profile.
func (p Profile) Name() string {
	if p.name == "" {
		return "rfc6265bis"
	}
	return p.name
}

// String returns Name.
func (p Profile) String() string { return p.Name() }

// WithThirdParty returns the profile with another policy: Debian's Chromium, say, blocks what Chrome
// allows, and so does a private window.
func (p Profile) WithThirdParty(policy ThirdParty) Profile {
	p.thirdParty = policy
	return p
}

// ThirdParty returns the policy about third parties.
func (p Profile) ThirdParty() ThirdParty { return p.thirdParty }

// ShowsPages reports whether a browser of the profile shows pages. Where none are shown, as by curl, no
// request comes from a page, and no script asks for cookies.
func (p Profile) ShowsPages() bool { return !p.noPages }

// Chain returns a [Chain] for a visit by a browser of this profile.
func (p Profile) Chain() Chain { return Chain{max: p.redirectRequests} }

// ReadLine reads a Set-Cookie line, without the header's name, that comes from a URL, as a browser of this
// profile does.
func (p Profile) ReadLine(line string, from *url.URL) cookie.Line {
	t, _ := targetOf(from)
	return p.read(line, &t)
}

// read reads a line that comes from t, as far as profiles differ in it.
func (p *Profile) read(line string, t *target) cookie.Line {
	if p.replacesBytes {
		line = string([]rune(line))
	}
	if p.namesTokens {
		line = withEquals(line)
	}
	l := p.dialect.Parse(line)
	if p.readsIDN && l.Domain != "" {
		if host, err := cookie.CanonicalHost(l.Domain); err == nil && !isASCII(l.Domain) {
			l.Domain = host
		}
	}
	if p.hostDefaultPath && l.Path == "" && hasPrefixFold(l.Name, "__Host-") && cookie.DefaultPath(t.path) == "/" {
		l.Path = "/"
	}
	return l
}

// problems are what a line is refused for whoever sends it: those of package cookie, except that where
// SameSite means nothing, None needs no Secure.
func (p *Profile) problems(l *cookie.Line, host string) []rule.ID {
	problems := l.Problems(host)
	if p.noPages {
		problems = slices.DeleteFunc(problems, func(id rule.ID) bool { return id == storeNoneNotSecure })
	}
	return problems
}

// withEquals puts an equals sign behind a line, or the part before its attributes, that has none.
func withEquals(line string) string {
	pair, rest, more := strings.Cut(line, ";")
	if strings.Contains(pair, "=") || strings.Trim(pair, " \t") == "" {
		return line
	}
	if !more {
		return pair + "="
	}
	return pair + "=;" + rest
}

// hasInnerTab reports whether a name, a value or an attribute of the line has a tab in it, other than
// around it.
func hasInnerTab(line string) bool {
	if !strings.Contains(line, "\t") {
		return false
	}
	for part := range strings.SplitSeq(line, ";") {
		name, value, _ := strings.Cut(part, "=")
		if strings.Contains(strings.Trim(name, " \t"), "\t") || strings.Contains(strings.Trim(value, " \t"), "\t") {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// hasPrefixFold reports whether s begins with a prefix of ASCII letters, whatever their case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
