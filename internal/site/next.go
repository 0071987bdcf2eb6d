package site

import (
	"net/url"
	"strings"
)

// maxNext is how long the address may be to which a login leads.
const maxNext = 1000

// safeNext returns next if it is an address of this site to which a browser may be led after a login,
// and otherwise fallback. It is a path and a query: what Django's url_has_allowed_host_and_scheme
// also allows, such as the whole URL of this host, is not needed here.
//
// Browsers read "\" as "/", drop tabs and line ends, and take "//host" for another site: so none of
// these passes.
func safeNext(next, fallback string) string {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return fallback
	}
	if strings.ContainsFunc(next, notInPath) {
		return fallback
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return fallback
	}
	return next
}

// notInPath holds for what has no place in an address that a browser is sent to: white space, control
// characters, everything that is not ASCII, and "\".
func notInPath(r rune) bool { return r <= ' ' || r >= 0x7F || r == '\\' }
