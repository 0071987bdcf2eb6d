package e2e_test

import (
	"regexp"
	"slices"
	"strings"
)

// A mismatch is one thing in which the profile and Chromium are not the same.
type mismatch struct {
	what         string // header, kept, line or stored
	line         string // the line, the name of a cookie that is kept back, or a cookie that is stored
	ours, theirs string
}

// A generatedKind is a kind of difference between the profile and Chromium that is known. All that
// follows from it is compared as strictly as everything else.
type generatedKind struct {
	means func(line string) string // the line that means to the profile what this one means to Chromium
	is    func(m mismatch) bool    // whether the mismatch is of this kind and nothing more
}

// generatedKinds are the kinds that testdata/generated.json gives the reasons of. [exemplars] has a line of each.
var generatedKinds = map[string]generatedKind{
	"Max-Age with a plus sign": {means: func(line string) string { return plus.ReplaceAllString(line, "$1") }},
	"a date before 1601":       {means: func(line string) string { return ancient.ReplaceAllString(line, "${1}01 Jan 1970 00:00:00") }},
	"the last Max-Age counts":  {means: func(line string) string { return lastOnly(line, "max-age") }},
	"the last Expires counts":  {means: func(line string) string { return lastOnly(line, "expires") }},
	"OverwriteSecure of a Secure line": {is: func(m mismatch) bool {
		return m.what == "line" && strings.Contains(m.ours, "store-secure-over-http") && strings.Contains(m.theirs, "OverwriteSecure")
	}},
	"no word about Partitioned over http": {is: func(m mismatch) bool {
		return m.what == "line" && strings.Contains(strings.ToLower(m.line), "partitioned") &&
			strings.Contains(m.ours, "store-secure-over-http") && m.theirs == "[]"
	}},
}

var (
	plus    = regexp.MustCompile(`(?i)(;[ \t]*max-age[ \t]*=[ \t]*)\+`)
	ancient = regexp.MustCompile(`(?i)(;[ \t]*expires[ \t]*=[ \t]*)01 Jan 1600 00:00:00`)
)

// lastOnly is the line without the attributes of that name before the last one.
func lastOnly(line, name string) string {
	parts := strings.Split(line, ";")
	found := false
	for i := len(parts) - 1; i > 0; i-- {
		attribute, _, _ := strings.Cut(parts[i], "=")
		if !strings.EqualFold(strings.Trim(attribute, " \t"), name) {
			continue
		}
		if found {
			parts = slices.Delete(parts, i, i+1)
		}
		found = true
	}
	return strings.Join(parts, ";")
}
