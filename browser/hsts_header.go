package browser

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// MaxHSTSField is the greatest length, in octets, of a Strict-Transport-Security line that is
// read. A longer one is refused as if its syntax were wrong.
const MaxHSTSField = 8192

// longestMaxAge is where max-age saturates: the whole seconds that a [time.Duration] can hold,
// about 292 years.
const longestMaxAge = math.MaxInt64 - math.MaxInt64%time.Second

// An HSTSPolicy is what a Strict-Transport-Security header says.
type HSTSPolicy struct {
	MaxAge            time.Duration // whole seconds, 292 years at most
	IncludeSubDomains bool
	Preload           bool // no part of RFC 6797: it asks for a place on the lists that browsers are built with
}

// ParseHSTS reads one line of a Strict-Transport-Security header. When it is not written as the
// grammar has it, ok is false, the policy is zero, and token is the part that spoils it; token is
// "max-age" when that directive is missing.
//
// Directives that are not known are ignored, but must be well-formed. Only max-age and
// includeSubDomains are refused when they come twice: the RFC says so of all directives, and
// browsers do it for these two.
//
// RFC 6797, section 6.1.
func ParseHSTS(field string) (policy HSTSPolicy, token string, ok bool) {
	policy, fault := parseHSTS(field)
	return policy, fault.token, fault.problem == ""
}

// hstsFault says what spoils a header. The zero fault is none.
type hstsFault struct {
	token   string
	problem string
}

func parseHSTS(field string) (HSTSPolicy, hstsFault) {
	if len(field) > MaxHSTSField {
		return HSTSPolicy{}, hstsFault{field[:maxFactLength], "the line is longer than " + strconv.Itoa(MaxHSTSField) + " octets"}
	}
	var policy HSTSPolicy
	var hasMaxAge bool
	for rest := field; rest != ""; {
		var d directive
		var problem string
		token := rest
		d, rest, problem = cutDirective(rest)
		if problem == "" {
			problem = policy.set(d, &hasMaxAge)
		}
		if problem != "" {
			return HSTSPolicy{}, hstsFault{strings.Trim(spoiler(token, rest), hstsSpace), problem}
		}
	}
	if !hasMaxAge {
		return HSTSPolicy{}, hstsFault{"max-age", "max-age is missing"}
	}
	return policy, hstsFault{}
}

// spoiler returns the directive that ends where rest begins, or, when reading stopped inside it,
// at the next semicolon.
func spoiler(from, rest string) string {
	read := strings.TrimSuffix(from[:len(from)-len(rest)], ";")
	if len(rest) > 0 && len(from)-len(rest) == len(read) {
		unread, _, _ := strings.Cut(rest, ";")
		read += unread
	}
	return read
}

// set puts a directive into the policy, and returns what is wrong with it, or "".
func (p *HSTSPolicy) set(d directive, hasMaxAge *bool) (problem string) {
	switch strings.ToLower(d.name) {
	case "max-age":
		if *hasMaxAge {
			return "max-age comes twice"
		}
		*hasMaxAge = true
		if !allDigits(d.value) {
			return "the value of max-age is not a number of seconds"
		}
		p.MaxAge = saturatedSeconds(d.value)
	case "includesubdomains":
		switch {
		case d.hasValue:
			return "includeSubDomains has a value"
		case p.IncludeSubDomains:
			return "includeSubDomains comes twice"
		}
		p.IncludeSubDomains = true
	case "preload":
		p.Preload = p.Preload || !d.hasValue
	}
	return ""
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// saturatedSeconds reads digits as seconds.
func saturatedSeconds(digits string) time.Duration {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(longestMaxAge/time.Second) {
		return longestMaxAge
	}
	return time.Duration(n) * time.Second
}

// hstsSpace is the white space that may stand between the parts of a header.
const hstsSpace = " \t"

// directive is a name, and a value where one was written.
type directive struct {
	name     string // "" for an empty directive, which is fine
	value    string // unquoted
	hasValue bool
}

// cutDirective reads the directive that s begins with and returns it with what follows its
// semicolon. When there is a problem, rest is where reading stopped.
func cutDirective(s string) (d directive, rest, problem string) {
	d.name, rest = cutToken(strings.TrimLeft(s, hstsSpace))
	rest = strings.TrimLeft(rest, hstsSpace)
	if value, ok := strings.CutPrefix(rest, "="); ok && d.name != "" {
		d.hasValue = true
		d.value, rest, problem = cutValue(strings.TrimLeft(value, hstsSpace))
		rest = strings.TrimLeft(rest, hstsSpace)
	}
	if problem != "" || rest == "" {
		return d, rest, problem
	}
	if after, ok := strings.CutPrefix(rest, ";"); ok {
		return d, after, ""
	}
	return d, rest, "a directive is a name, or a name and a value with = between them, and ends at a semicolon"
}

// cutValue reads a token or a quoted string.
func cutValue(s string) (value, rest, problem string) {
	if strings.HasPrefix(s, `"`) {
		return cutQuoted(s)
	}
	if value, rest = cutToken(s); value == "" {
		return "", s, "the value after = is missing, or is no token"
	}
	return value, rest, ""
}

// cutQuoted reads a quoted string, which s begins with, and unquotes it (RFC 9110, section 5.6.4).
func cutQuoted(s string) (value, rest, problem string) {
	var unquoted strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return unquoted.String(), s[i+1:], ""
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		unquoted.WriteByte(s[i])
	}
	return "", "", "a quotation mark is missing at the end"
}

// cutToken reads the longest token (RFC 9110, section 5.6.2) that s begins with.
func cutToken(s string) (token, rest string) {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// headerFacts tells what was read.
func headerFacts(field string, policy HSTSPolicy, fault hstsFault) []rule.Fact {
	facts := []rule.Fact{{Name: "Strict-Transport-Security", Value: shown(field)}}
	if fault.problem != "" {
		return append(facts, rule.Fact{Name: "token", Value: shown(fault.token)}, rule.Fact{Name: "problem", Value: fault.problem})
	}
	return append(facts, rule.Fact{Name: "max-age", Value: strconv.FormatInt(int64(policy.MaxAge/time.Second), 10)})
}
