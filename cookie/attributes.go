package cookie

import (
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// known are the attributes that mean something. Each reads its value into a line and says what
// became of it. Of a flag the name alone counts, so that a second one changes nothing.
var known = [...]struct {
	name string
	flag bool
	read func(l *Line, value string) (Effect, rule.ID)
}{
	{"Expires", false, (*Line).readExpires},
	{"Max-Age", false, (*Line).readMaxAge},
	{"Domain", false, (*Line).readDomain},
	{"Path", false, (*Line).readPath},
	{"Secure", true, func(l *Line, v string) (Effect, rule.ID) { return readFlag(&l.Secure, v) }},
	{"HttpOnly", true, func(l *Line, v string) (Effect, rule.ID) { return readFlag(&l.HttpOnly, v) }},
	{"SameSite", false, (*Line).readSameSite},
	{"Partitioned", true, func(l *Line, v string) (Effect, rule.ID) { return readFlag(&l.Partitioned, v) }},
}

// kindOf returns the place in known of the attribute with that name, or -1.
func kindOf(name string) int {
	for i := range known {
		if equalFold(name, known[i].name) {
			return i
		}
	}
	return -1
}

var noteLeadingDot = rules.Add(rule.Rule{
	ID:       "note-leading-dot",
	Source:   bis + ", section 5.6.3",
	Sentence: "A dot at the start of Domain is removed: the cookie goes to the domain and its subdomains with or without it.",
	Fix:      "Leave the dot out; leave the whole Domain out if only this host should get the cookie.",
	Scenario: `
on /a send Set-Cookie: a=1; Domain=.shop.test
visit https://shop.test/a
`,
})

// readDomain reads Domain. The last one counts, also when it is empty, which is as good as none. A
// dot alone stays one, and so matches no host: the letter of the draft would make it empty, but
// browsers refuse it.
func (l *Line) readDomain(value string) (Effect, rule.ID) {
	if len(value) > 1 && value[0] == '.' {
		l.Domain = lower(value[1:])
		return Applied, noteLeadingDot
	}
	l.Domain = unbracket(lower(value))
	return Applied, ""
}

// unbracket takes the brackets off an IPv6 address, which a canonical host does not have either.
func unbracket(domain string) string {
	if strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]") && isAddress(domain[1:len(domain)-1]) {
		return domain[1 : len(domain)-1]
	}
	return domain
}

var notePathInvalid = rules.Add(rule.Rule{
	ID:       "note-path-invalid",
	Source:   bis + ", section 5.6.4",
	Sentence: "A Path that does not begin with a slash is ignored: the cookie gets the default-path, the folder of the page that set it.",
	Fix:      "Begin Path with a slash, and without quotes: Path=/.",
	Scenario: `
on /a send Set-Cookie: a=1; Path="/"
visit https://shop.test/a
`,
})

// readPath reads Path. The last one counts, also when it is not valid.
func (l *Line) readPath(value string) (Effect, rule.ID) {
	if value == "" || value[0] != '/' {
		l.Path = ""
		return Applied, notePathInvalid
	}
	l.Path = value
	return Applied, ""
}

var noteSecureWithValue = rules.Add(rule.Rule{
	ID:       "note-secure-with-value",
	Source:   bis + ", sections 5.6.5 and 5.6.6",
	Sentence: "Secure, HttpOnly and Partitioned are switched on by their names; a value such as false changes nothing.",
	Fix:      "Leave the attribute out to switch it off, and write it without a value to switch it on.",
	Scenario: `
on /a send Set-Cookie: a=1; Secure=false
visit https://shop.test/a
`,
})

func readFlag(flag *bool, value string) (Effect, rule.ID) {
	*flag = true
	if value != "" {
		return Applied, noteSecureWithValue
	}
	return Applied, ""
}

var noteSameSiteUnknown = rules.Add(rule.Rule{
	ID:       "note-samesite-unknown",
	Source:   bis + ", section 5.6.7",
	Sentence: "A SameSite other than Strict, Lax and None counts as if there were none.",
	Fix:      "Write SameSite=Strict, SameSite=Lax or SameSite=None, without quotes.",
	Scenario: `
on /a send Set-Cookie: a=1; SameSite="Lax"
visit https://shop.test/a
`,
})

// readSameSite reads SameSite. The last one counts, also when its value is unknown.
func (l *Line) readSameSite(value string) (Effect, rule.ID) {
	l.SameSite = SameSiteDefault
	for s := SameSiteNone; s <= SameSiteStrict; s++ {
		if equalFold(value, s.String()) {
			l.SameSite = s
			return Applied, ""
		}
	}
	return Applied, noteSameSiteUnknown
}
