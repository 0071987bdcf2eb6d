package e2e_test

import "strings"

// A mismatch is one thing in which the profile and Chromium are not the same.
type mismatch struct {
	what         string // header, kept, line or stored
	line         string // the line, the name of a cookie that is kept back, or a cookie that is stored
	ours, theirs string
}

// generatedKinds are the kinds of difference that testdata/generated.json gives the reasons of: each tells
// whether a mismatch is of it and nothing more. [exemplars] has a line of each.
var generatedKinds = map[string]func(m mismatch) bool{
	"OverwriteSecure of a Secure line": func(m mismatch) bool {
		return m.what == "line" && strings.Contains(m.ours, "store-secure-over-http") && strings.Contains(m.theirs, "OverwriteSecure")
	},
	"no word about Partitioned over http": func(m mismatch) bool {
		return m.what == "line" && strings.Contains(strings.ToLower(m.line), "partitioned") &&
			strings.Contains(m.ours, "store-secure-over-http") && m.theirs == "[]"
	},
}
