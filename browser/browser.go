package browser

import (
	"net/url"
	"strings"
	"sync"

	"github.com/lockstep-http/lockstep/rule"
)

// bis is the document the cookie rules come from. It is approved and has no RFC number yet; when
// it gets one, this is the line to change.
const bis = "draft-ietf-httpbis-rfc6265bis-22"

var rules rule.Set

// Rules returns the rules this package decides by, ordered by ID.
func Rules() []rule.Rule { return rules.All() }

// A Browser remembers what a browser remembers between requests: cookies, and which hosts are to
// be asked over HTTPS only. The zero Browser remembers nothing and is ready. Its methods may be
// called from several goroutines. They call the watcher of a Recorder after they have let go of the
// Browser, so it may ask the Browser in turn.
type Browser struct {
	// Profile is in what the browser differs from the standard. It may be changed when nobody asks the
	// browser anything: what is stored stays.
	Profile Profile

	// MaxCookies is how many cookies are kept in all; 0 is 3000, which is what browsers keep. One more, and
	// a tenth goes.
	MaxCookies int

	mu      sync.Mutex
	cookies cookieStore
	hsts    hstsStore
	hosts   map[string]host
	header  []byte // the memory of the last Cookie header
}

// A Request is what a browser is about to ask, or has asked. Unless As says otherwise it is a top-level
// navigation, which brings the document that the browser shows next. A person who reloads a page asks
// for the same Request again; a script that does is an Initiator with the URL of the page.
type Request struct { //nolint:recvcheck // the engine has pointers
	Method string // upper case; "" is GET
	URL    *url.URL

	// Initiator is the document that led here, by a link, a form or a script, or that needs what is
	// asked for. It is nil for a URL that a person typed, and then As and what belongs to it say nothing.
	Initiator *Document

	// As is what the answer is for.
	As Destination

	// Container is the document that holds the frame of an AsIframe request. It is nil when it is the
	// Initiator, and is not when a page in a frame leads that frame elsewhere.
	Container *Document

	// Credentials is the credentials mode of what is no navigation.
	Credentials Credentials

	// ByScript says that a script of Initiator asked, and nobody clicked.
	ByScript bool

	// ContentType is that of the body, and "" without one. A redirect that turns the method into GET
	// drops both.
	ContentType string

	// ReferrerPolicy is that of the last redirect on the way which had one; "" is the Initiator's.
	ReferrerPolicy ReferrerPolicy

	before  *journey // nil before any redirect
	asksFor string   // the method of the request whose Preflight it is; ""
}

// SecureConnection reports whether a browser counts the connection to u as secure, so that Secure
// cookies may be stored from it and sent over it: the scheme is https or wss, or the host is this
// machine, which needs no TLS to be safe from the network.
//
// Secure Contexts, section 3.1; RFC 6265bis-22, section 5.7, step 13.
func SecureConnection(u *url.URL) bool {
	t, ok := targetOf(u)
	return ok && t.secure()
}

// A target is what the cookie rules look at in the URL of a request.
type target struct {
	host     string // canonical
	site     string // the registrable domain of host: which cookies the question concerns
	path     string // as it is sent, percent-encoded; never empty
	tls      bool
	loopback bool
	context  siteContext
}

// secure reports whether the connection counts as secure.
func (t *target) secure() bool { return t.tls || t.loopback }

// targetOf reads u. It returns false for a URL that has nothing to do with cookies: one of another
// scheme than http, https, ws and wss, or without a host that can be read.
func targetOf(u *url.URL) (target, bool) {
	tls, ok := schemes[strings.ToLower(u.Scheme)]
	if !ok {
		return target{}, false
	}
	h, ok := readHost(u.Hostname())
	return target{host: h.name, site: h.site, path: pathOf(u), tls: tls, loopback: h.loopback}, ok
}

// schemes are those whose requests carry cookies, and whether they use TLS.
var schemes = map[string]bool{"http": false, "ws": false, "https": true, "wss": true}
