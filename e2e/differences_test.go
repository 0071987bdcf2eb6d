package e2e_test

// A difference is one that is meant: where Lockstep does not do what the witness does, and why. It
// covers a fact only while both sides are what it says.
type difference struct {
	witness      string // "Chromium" or "Django"
	lesson       string // the name of the lesson; "" is every lesson
	fact         string // a part of the fact's name
	ours, theirs string
	reason       string
}

// The reasons.
const (
	secureOverSecure = "Chromium also reports that a line from http would replace a Secure cookie when the line itself has Secure; " +
		"the draft (section 5.7, step 16) asks that of lines without Secure only. The line is refused either way."
	movesToEnd = "Chromium moves a cookie that is replaced with another value behind those of the same path; " +
		"the draft (section 5.7, step 23) keeps its creation time, by which cookies are ordered."
	framing = "Django leaves the length of answers that its CommonMiddleware does not see to the server, and wsgiref ends them " +
		"with the connection; net/http knows their length."
	ownPages       = "Error pages are Lockstep's own, of plain text."
	noLoopbackHSTS = "Lockstep never sends HSTS for this machine: it would bind every other program that is developed there. " +
		"Chromium ignores it there, other browsers may not."
	noCache = "Chromium takes a 301 that it has seen from its cache, for as long as it keeps it, and the request over http never leaves; " +
		"our browser has no cache. The other lessons run without one."
)

var differences = []difference{
	{"Chromium", "", "Set-Cookie line", "sessionid refused: SecureOnly", "sessionid refused: OverwriteSecure SecureOnly", secureOverSecure},
	{"Chromium", "", "Set-Cookie line", "a refused: SecureOnly", "a refused: OverwriteSecure SecureOnly", secureOverSecure},
	{"Chromium", "Set-Cookie: a=1; Path=/deep Set-Cookie: a Set-Cookie: =b Set-Cookie: __Host-c", "visit 3 hop 2 cookies sent", "(nameless), sessionid", "sessionid, (nameless)", movesToEnd},
	{"Chromium", "with a cache", "visit 3 hop 1 status", "301", "301 from its cache", noCache},
	{"Chromium", "with a cache", "visit 3 hop 1 cookies kept back", "sessionid (SecureOnly)", absent, noCache},
	{"Chromium", "SESSION_COOKIE_SECURE=False with a cache", "visit 3 hop 1 status", "301", "301 from its cache", noCache},
	{"Chromium", "SESSION_COOKIE_SECURE=False with a cache", "visit 3 hop 1 cookies sent", "sessionid", absent, noCache},

	{"Django", "", "Content-Length", "0", absent, framing},
	{"Django", "ALLOWED_HOSTS=['other.test']", "Content-Length", "16", absent, framing},
	{"Django", "ALLOWED_HOSTS=['other.test']", "Content-Type", "text/plain; charset=utf-8", "text/html", ownPages},
	{"Django", "SECURE_HSTS_SECONDS=3600 http://localhost/", "Strict-Transport-Security", absent, "max-age=3600", noLoopbackHSTS},
	{"Django", "SECURE_HSTS_SECONDS=3600 http://localhost/", "store HSTS: localhost", absent, "false, by hsts-localhost [] []", noLoopbackHSTS},
}
