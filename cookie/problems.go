package cookie

import (
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// checks are the rules by which a line is refused, in the order in which the draft applies them,
// each with its step in section 5.7; what section 5.6 refuses while it reads the line has step 0.
// Those of a host are not asked when the host is not known.
var checks = [...]struct {
	rule  rule.ID
	step  int
	fails func(l *Line, host string) bool
}{
	{storeControlChar, 0, func(l *Line, _ string) bool { return l.control > 0 }},
	{storeTooBig, 0, func(l *Line, _ string) bool { return l.size() > MaxPair }},
	{storeEmpty, 2, func(l *Line, _ string) bool { return l.size() == 0 }},
	{storeDomainNonASCII, 8, (*Line).domainNonASCII},
	{storePublicSuffix, 9, (*Line).domainPublicSuffix},
	{storeDomainMismatch, 10, (*Line).domainMismatch},
	{storeNoneNotSecure, 19, func(l *Line, _ string) bool { return l.SameSite == SameSiteNone && !l.Secure }},
	{storePrefixSecure, 20, func(l *Line, _ string) bool { return hasPrefixFold(l.Name, securePrefix) && !l.Secure }},
	{storePrefixHost, 21, func(l *Line, host string) bool { return len(l.hostPrefixLacks(host)) > 0 }},
	{storeNamelessPrefix, 22, func(l *Line, _ string) bool { return l.Name == "" && hasPrefix(l.Value) }},
}

// Problems returns every rule by which any browser at host refuses the line, whatever the
// connection and whatever is stored; the first one decides. It is nil for a line without problems.
// The host is canonical, as [CanonicalHost] returns it; when it is empty, the rules that compare
// Domain with it are left out.
//
// RFC 6265bis-22, sections 5.6 and 5.7.
func (l Line) Problems(host string) []rule.ID {
	var problems []rule.ID
	for i := range checks {
		if checks[i].fails(&l, host) {
			problems = append(problems, checks[i].rule)
		}
	}
	return problems
}

// Step returns the step of the draft's storage model, section 5.7, at which a rule of
// [Line.Problems] refuses, so that rules decided elsewhere can be put between them. It is 0 for
// those that refuse while the line is read, and for every other rule.
func Step(problem rule.ID) int {
	for i := range checks {
		if checks[i].rule == problem {
			return checks[i].step
		}
	}
	return 0
}

// Explain returns what a person needs to see why a problem that [Line.Problems] named is one: the
// kind of a domain mismatch, which of its conditions a __Host- cookie lacks, a length. It is nil
// for a problem whose rule says everything.
func (l Line) Explain(problem rule.ID, host string) []rule.Fact {
	switch problem {
	case storeControlChar:
		return []rule.Fact{{Name: "octet", Value: strconv.Itoa(l.control)}}
	case storeTooBig:
		return []rule.Fact{{Name: "octets of name and value", Value: strconv.Itoa(l.size())}}
	case storeDomainMismatch:
		return []rule.Fact{{Name: "kind", Value: mismatchKind(host, l.Domain)}}
	case storePrefixHost:
		return []rule.Fact{{Name: "lacks", Value: strings.Join(l.hostPrefixLacks(host), ", ")}}
	}
	return nil
}

// size is what MaxPair limits.
func (l *Line) size() int { return len(l.Name) + len(l.Value) }

var (
	storeControlChar = rules.Add(rule.Rule{
		ID:       "store-control-char",
		Source:   bis + ", section 5.6, step 1",
		Sentence: "A line with a control character other than a tab, anywhere in it, is refused.",
		Fix:      "Remove the character, or encode the value, such as with percent-encoding or base64.",
		Scenario: `
on /a send Set-Cookie: a=1\x01
visit https://shop.test/a
`,
	})
	storeTooBig = rules.Add(rule.Rule{
		ID:       "store-too-big",
		Source:   bis + ", section 5.6, step 5",
		Sentence: "A cookie whose name and value together are longer than 4096 octets is refused.",
		Fix:      "Keep the data on the server and send a key to it, such as a session's.",
		Scenario: `
on /a send Set-Cookie: a=` + strings.Repeat("x", MaxPair) + `
visit https://shop.test/a
`,
	})
	storeEmpty = rules.Add(rule.Rule{
		ID:       "store-empty",
		Source:   bis + ", section 5.7, step 2",
		Sentence: "A cookie with neither name nor value is refused.",
		Fix:      "Write the cookie as name=value.",
		Scenario: `
on /a send Set-Cookie: =; Path=/
visit https://shop.test/a
`,
	})
)

var storeDomainNonASCII = rules.Add(rule.Rule{
	ID:       "store-domain-non-ascii",
	Source:   bis + ", section 5.7, step 8",
	Sentence: "A Domain with a character outside ASCII is refused.",
	Fix:      "Write Domain in Punycode, such as xn--lve-6lad.test, or leave it out.",
	Scenario: `
on /a send Set-Cookie: a=1; Domain=\xc3\xa9l\xc3\xa8ve.test
visit https://xn--lve-6lad.test/a
`,
})

func (l *Line) domainNonASCII(_ string) bool { return !isASCII(l.Domain) }

var storePublicSuffix = rules.Add(rule.Rule{
	ID:       "store-public-suffix",
	Source:   bis + ", section 5.7, step 9",
	Sentence: "A Domain that is a public suffix, under which anybody may register a name, is refused.",
	Fix:      "Set Domain to a name that belongs to the site, or leave it out.",
	Scenario: `
on /a send Set-Cookie: a=1; Domain=co.uk
visit https://shop.co.uk/a
`,
})

func (l *Line) domainPublicSuffix(host string) bool {
	return host != "" && host != l.Domain && isASCII(l.Domain) && isPublicSuffix(l.Domain)
}

var storeDomainMismatch = rules.Add(rule.Rule{
	ID:       "store-domain-mismatch",
	Source:   bis + ", section 5.7, step 10",
	Sentence: "A Domain that is neither the host nor a domain the host is under is refused.",
	Fix:      "Set Domain to the host or to a parent of it, without scheme and port, or leave it out.",
	Scenario: `
on /a send Set-Cookie: a=1; Domain=www.shop.test
visit https://shop.test/a
`,
})

func (l *Line) domainMismatch(host string) bool {
	return host != "" && l.Domain != "" && isASCII(l.Domain) && !DomainMatch(host, l.Domain)
}

// mismatchKind says in what way host does not domain-match domain: has-scheme, has-port,
// trailing-dot, deeper-than-host, sibling or other-site.
func mismatchKind(host, domain string) string {
	switch {
	case strings.Contains(domain, "://"):
		return "has-scheme"
	case hasPort(domain):
		return "has-port"
	case strings.HasSuffix(domain, ".") != strings.HasSuffix(host, "."):
		return "trailing-dot"
	case DomainMatch(domain, host):
		return "deeper-than-host"
	case RegistrableDomain(domain) == RegistrableDomain(host):
		return "sibling"
	}
	return "other-site"
}

func hasPort(domain string) bool {
	i := strings.LastIndexByte(domain, ':')
	return i >= 0 && isDigits(domain[i+1:]) && !isAddress(domain)
}

var storeNoneNotSecure = rules.Add(rule.Rule{
	ID:       "store-none-not-secure",
	Source:   bis + ", section 5.7, step 19",
	Sentence: "A cookie with SameSite=None and without Secure is refused.",
	Fix:      "Add Secure and set the cookie over HTTPS, or use SameSite=Lax.",
	Scenario: `
on /a send Set-Cookie: a=1; SameSite=None
visit https://shop.test/a
`,
})

const (
	securePrefix = "__Secure-"
	hostPrefix   = "__Host-"
)

// hasPrefix reports whether s begins like a name with a prefix that means something.
func hasPrefix(s string) bool {
	return hasPrefixFold(s, securePrefix) || hasPrefixFold(s, hostPrefix)
}

var (
	storePrefixSecure = rules.Add(rule.Rule{
		ID:       "store-prefix-secure",
		Source:   bis + ", section 5.7, step 20",
		Sentence: "A cookie whose name begins with __Secure- is refused without Secure.",
		Fix:      "Add Secure and set the cookie over HTTPS, or take the prefix off the name.",
		Scenario: `
on /a send Set-Cookie: __Secure-a=1
visit https://shop.test/a
`,
	})
	storePrefixHost = rules.Add(rule.Rule{
		ID:       "store-prefix-host",
		Source:   bis + ", section 5.7, step 21",
		Sentence: "A cookie whose name begins with __Host- is refused unless it has Secure, has Path=/, and has no Domain.",
		Fix:      "Add Secure and Path=/, remove Domain, and set the cookie over HTTPS; or take the prefix off the name.",
		Scenario: `
on /a send Set-Cookie: __Host-a=1; Secure; Path=/a
visit https://shop.test/a
`,
	})
	storeNamelessPrefix = rules.Add(rule.Rule{
		ID:       "store-nameless-prefix",
		Source:   bis + ", section 5.7, step 22",
		Sentence: "A nameless cookie whose value begins like a name with a prefix is refused, because a site would read it as that name.",
		Fix:      "Write the cookie as name=value.",
		Scenario: `
on /a send Set-Cookie: =__Host-a=1; Secure; Path=/
visit https://shop.test/a
`,
	})
)

// hostPrefixLacks returns which conditions of __Host- the line does not meet, and nil for a name
// without that prefix. Path must be written, as browsers have it: a default-path of "/" does not do.
func (l *Line) hostPrefixLacks(host string) []string {
	if !hasPrefixFold(l.Name, hostPrefix) {
		return nil
	}
	var lacks []string
	if !l.Secure {
		lacks = append(lacks, "Secure")
	}
	if l.Path != "/" {
		lacks = append(lacks, "Path=/")
	}
	if !l.HostOnly(host) {
		lacks = append(lacks, "no Domain")
	}
	return lacks
}

// HostOnly reports whether the cookie is for host alone and not for the hosts under it: it has no
// Domain, or one that equals the host and is a public suffix, where Domain means nothing.
//
// RFC 6265bis-22, section 5.7, steps 9 and 10.
func (l Line) HostOnly(host string) bool {
	return l.Domain == "" || l.Domain == host && isPublicSuffix(host)
}
