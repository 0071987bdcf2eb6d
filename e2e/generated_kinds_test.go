package e2e_test

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/browser"
)

// A mismatch is one thing in which the profile and Chromium are not the same.
type mismatch struct {
	what         string // upgrade, header, context, kept, line, read or stored
	line         string // the line, the name of a field or of a cookie that is kept back, or a cookie that is stored
	ours, theirs string

	request  browser.Request // of a context
	embraced bool            // it, or one that was redirected to it, was embraced, where third parties are blocked
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
	"Origin of an image of its own origin": func(m mismatch) bool {
		r := m.request
		return m.line == "Origin" && r.As == browser.AsImage && r.Credentials != browser.CredentialsDefault && m.ours == "" &&
			m.theirs == r.Initiator.URL.Scheme+"://"+r.Initiator.URL.Host
	},
	"Origin through a frame of another site": func(m mismatch) bool {
		return m.line == "Origin" && m.ours == "" && m.embraced
	},
	"Origin after a redirect that keeps the method": func(m mismatch) bool {
		r := m.request
		return m.line == "Origin" && r.Method == http.MethodPost && m.theirs == "null" && m.ours != "" && !browser.SameOrigin(r.URL, r.Initiator.URL)
	},
	"document.cookie that is no UTF-8": func(m mismatch) bool {
		return m.what == "read" && !utf8.ValidString(m.ours) && m.theirs == ""
	},
}
