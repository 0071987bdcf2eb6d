package trace

import (
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
)

// Values of at least this many bytes keep their first four, so that a person recognises them; shorter
// ones show nothing.
const shortenFrom = 16

// shortened is what shorten makes of a value of that length: a recording of a run has it already.
var shortened = regexp.MustCompile(`^[^…]{4}…$`)

// shorten makes a cookie value presentable: enough to recognise it, too little to use. Two that differ
// may look the same: see [Values].
func shorten(value string) string {
	switch {
	case value == "" || value == `""` || shortened.MatchString(value):
		return value
	case len(value) < shortenFrom:
		return "…"
	default:
		return strings.ToValidUTF8(value[:4], "?") + "…"
	}
}

// shortenPair does it to "name=value"; a text without "=" is a value.
func shortenPair(pair string) string {
	name, value, found := strings.Cut(pair, "=")
	if !found {
		return shorten(pair)
	}
	return name + "=" + shorten(value)
}

// shortenCookie does it to every pair of a Cookie field.
func shortenCookie(field string) string {
	pairs := strings.Split(field, ";")
	for i, p := range pairs {
		pairs[i] = shortenPair(strings.TrimSpace(p))
	}
	return strings.Join(pairs, "; ")
}

// shortenSetCookie does it to the pair of a Set-Cookie field, and to attributes that are none: what
// follows a semicolon inside a value looks like one.
func shortenSetCookie(field string) string {
	parts := strings.Split(field, ";")
	parts[0] = shortenPair(parts[0])
	for i, p := range parts[1:] {
		name, _, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[i+1] = shortenFolded(p)
		if !isAttribute(name) {
			parts[i+1] = " " + shortenPair(strings.TrimSpace(p))
			if len(name) >= shortenFrom {
				parts[i+1] = " " + shorten(name)
			}
		}
	}
	return strings.Join(parts, ";")
}

// shortenFolded does it to the pairs behind a comma in an attribute: a proxy that joins Set-Cookie lines makes
// what was the pair of the next one a part of it.
func shortenFolded(attribute string) string {
	parts := strings.Split(attribute, ",")
	for i, p := range parts[1:] {
		if strings.Contains(p, "=") {
			parts[i+1] = shortenPair(p)
		}
	}
	return strings.Join(parts, ",")
}

func isAttribute(name string) bool {
	return slices.ContainsFunc(attributes, func(a string) bool { return strings.EqualFold(a, name) })
}

var attributes = []string{"Domain", "Expires", "HttpOnly", "Max-Age", "Partitioned", "Path", "Priority", "SameSite", "Secure"}

// shortenField does it to a field of an answer whose name says that it holds a secret.
func shortenField(f Field) Field {
	switch {
	case strings.EqualFold(f.Name, "Set-Cookie"):
		f.Value = shortenSetCookie(f.Value)
	case plainNames[f.Name]:
	case secretName.MatchString(f.Name):
		f.Value = shorten(f.Value)
	}
	return f
}

// plainNames are fields without a secret that are in most requests and answers, or that look as if they had one.
var plainNames = map[string]bool{
	"Accept": true, "Access-Control-Allow-Credentials": true, "Access-Control-Allow-Origin": true, "Content-Type": true, "Location": true, "Origin": true, "Referer": true,
	"Sec-Fetch-Dest": true, "Sec-Fetch-Mode": true, "Sec-Fetch-Site": true, "Sec-Fetch-User": true, "Strict-Transport-Security": true,
}

// Values number what answers gave to the cookies of a run. What is shown of a value does not tell whether
// it changed: those that are signed begin alike, and of short ones nothing is shown. The zero Values is
// empty and ready.
type Values struct{ numbers map[string]map[string]int } // by name and value

// number is 1 for the first value of a name, and the same for the same value.
func (v *Values) number(l cookie.Line) int {
	if v.numbers == nil {
		v.numbers = map[string]map[string]int{}
	}
	of := v.numbers[l.Name]
	if of == nil {
		of = map[string]int{}
		v.numbers[l.Name] = of
	}
	if of[l.Value] == 0 {
		of[l.Value] = len(of) + 1
	}
	return of[l.Value]
}

var secretName = regexp.MustCompile(`(?i)auth|cookie|credential|csrf|key|password|secret|session|signature|token`)
