package browser

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A Document is a page that a browser shows, as far as it matters for what is asked for from it.
type Document struct {
	URL            *url.URL
	ReferrerPolicy ReferrerPolicy
	Parent         *Document // the one in a frame of which it is; nil for what the window itself shows
}

// An origin is the scheme, host and port of a URL. The zero origin is opaque: it is the same as none,
// not even itself.
type origin struct {
	scheme, host, port string
}

// originOf returns the origin of u, which is opaque for what is neither http nor https.
func originOf(u *url.URL) origin {
	scheme := strings.ToLower(u.Scheme)
	host, err := cookie.CanonicalHost(u.Hostname())
	if err != nil || defaultPorts[scheme] == "" {
		return origin{}
	}
	return origin{scheme, host, cmp.Or(u.Port(), defaultPorts[scheme])}
}

// SameOrigin reports whether two http or https URLs have one scheme, host and port.
func SameOrigin(a, b *url.URL) bool { return originOf(a).same(originOf(b)) }

func (o origin) opaque() bool { return o == origin{} }

func (o origin) same(other origin) bool { return o == other && !o.opaque() }

// sameSite reports whether both have one scheme and one registrable domain.
func (o origin) sameSite(other origin) bool {
	return !o.opaque() && o.scheme == other.scheme &&
		cookie.RegistrableDomain(o.host) == cookie.RegistrableDomain(other.host)
}

// String serializes o as the Origin header has it.
//
// HTML standard, section 7.1.1.
func (o origin) String() string {
	if o.opaque() {
		return "null"
	}
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.port != defaultPorts[o.scheme] {
		host += ":" + o.port
	}
	return o.scheme + "://" + host
}

// A journey is where a request has been before its current URL. It does not change.
type journey struct {
	urls     []*url.URL
	referrer string // the Referer of the request before
}

// urls returns the URL list of the request: those that redirected here, and the current one last.
func (req Request) urls() []*url.URL {
	if req.before == nil {
		return []*url.URL{req.URL}
	}
	return append(slices.Clip(req.before.urls), req.URL)
}

// tainted reports whether the redirects on the way here hide the origin of the request: one led from
// an origin that was not the request's own to another one.
//
// Fetch standard, section 2.2.5, redirect-taint.
func (req Request) tainted() bool {
	urls, from := req.urls(), originOf(req.Initiator.URL)
	for i := 1; i < len(urls); i++ {
		last := originOf(urls[i-1])
		if !originOf(urls[i]).same(last) && !from.same(last) {
			return true
		}
	}
	return false
}

const fetchOrigin = "Fetch standard, section 3.2 (Origin header)"

var (
	originSent = rules.Add(rule.Rule{
		ID:       "origin-sent",
		Source:   fetchOrigin,
		Sentence: "The method is neither GET nor HEAD, so the request names the origin of the page it comes from.",
		Fix:      "Nothing is to be mended; a site reads this header to refuse what other sites send.",
		Scenario: `
from https://evil.test/
post https://shop.test/a amount=100
`,
	})
	originCORS = rules.Add(rule.Rule{
		ID:       "origin-cors",
		Source:   fetchOrigin,
		Sentence: "A script asks another origin than that of its page, so the request names the page's origin, whatever the method; after a redirect by a third origin it says \"Origin: null\".",
		Fix:      "Nothing is to be mended; a site that is to be read by that origin answers with Access-Control-Allow-Origin.",
		Scenario: `
from https://app.shop.test/
load fetch https://shop.test/a
`,
	})
	originSafeMethod = rules.Add(rule.Rule{
		ID:       "origin-safe-method",
		Source:   fetchOrigin,
		Sentence: "A link or a form with GET carries no Origin.",
		Fix:      "Do not let GET change anything; a form that does has method=post.",
		Scenario: `
from https://search.test/
visit https://shop.test/a
`,
	})
	originNullPolicy = rules.Add(rule.Rule{
		ID:       "origin-null-policy",
		Source:   fetchOrigin,
		Sentence: "The Referrer-Policy of the page keeps its origin from this URL, so the request says \"Origin: null\".",
		Fix:      "Give the page with the form Referrer-Policy: same-origin or strict-origin-when-cross-origin; under no-referrer even its own site gets null, and refuses.",
		Scenario: `
from https://shop.test/ no-referrer
post https://shop.test/a amount=100
`,
	})
	originNullRedirect = rules.Add(rule.Rule{
		ID:       "origin-null-redirect",
		Source:   fetchOrigin + " and section 2.2.5, redirect-taint",
		Sentence: "A redirect of an origin that is not the page's led here, as also an upgrade of an http URL by HSTS does, so the request says \"Origin: null\".",
		Fix:      "Post to the URL where the form is handled, with https in it, so that no redirect and no upgrade is on the way.",
		Scenario: `
from https://evil.test/
visit PUT http://shop.test/a
`,
	})
	originOpaque = rules.Add(rule.Rule{
		ID:       "origin-opaque",
		Source:   fetchOrigin,
		Sentence: "The page is none of a site, such as a file or a data: URL, so the request says \"Origin: null\".",
		Fix:      "Serve the page over http or https.",
		Scenario: `
from file:///home/me/form.html
post https://shop.test/a amount=100
`,
	})
)

// Origin returns the value of the Origin header that goes along with req, or "" when there is none:
// with GET and HEAD, unless a script asks another origin, and with what a person typed, which comes from
// no page. The verdict about the
// header has the URL for a subject; about a typed request there is none.
//
// Fetch standard, section 3.2, "append a request Origin header".
func (req Request) Origin(rec *rule.Recorder) string {
	if req.Initiator == nil {
		return ""
	}
	from := originOf(req.Initiator.URL)
	v := rule.Verdict{Side: rule.Browser, Question: rule.SendOrigin, Subject: shownURL(req.URL), Rule: originSent, Yes: true}
	value := from.String()
	switch method := cmp.Or(req.Method, "GET"); {
	case req.crossOrigin():
		v.Rule = originCORS
		if from.opaque() || req.tainted() {
			v.Yes, value = false, "null"
		}
	case method == "GET" || method == "HEAD":
		v.Rule, v.Yes, value = originSafeMethod, false, ""
	case from.opaque():
		v.Rule, v.Yes, value = originOpaque, false, "null"
	case req.tainted():
		v.Rule, v.Yes, value = originNullRedirect, false, "null"
	case req.mode() != modeCORS && req.referrerPolicy().hidesOrigin(from, req.URL):
		v.Rule, v.Yes, value = originNullPolicy, false, "null"
	}
	if rec.Watching() {
		v.Facts = append(req.documentFacts(), rule.Fact{Name: "Origin", Value: cmp.Or(value, "(none)")})
		rec.Record(v)
	}
	return value
}

// The modes of a request (Fetch standard, section 2.2.5), as Sec-Fetch-Mode has them.
const (
	modeNavigate = "navigate"
	modeNoCORS   = "no-cors"
	modeCORS     = "cors"
)

// mode is the mode of the request. An image or a script for which a credentials mode is given has the
// attribute crossorigin.
func (req Request) mode() string {
	switch {
	case req.As.navigates():
		return modeNavigate
	case req.As == AsFetch || req.Credentials != CredentialsDefault:
		return modeCORS
	}
	return modeNoCORS
}

// crossOrigin reports whether a request of the mode cors goes, or went on the way, to another origin than
// that of its page.
func (req Request) crossOrigin() bool {
	from := originOf(req.Initiator.URL)
	return req.mode() == modeCORS && slices.ContainsFunc(req.urls(), func(u *url.URL) bool { return !originOf(u).same(from) })
}

// dest is what Sec-Fetch-Dest has.
func (req Request) dest() string {
	switch req.As {
	case AsNavigation:
		return "document"
	case AsFetch:
		return "empty"
	case AsIframe, AsImage, AsScript:
	}
	return string(req.As)
}

// documentFacts tells the page a request comes from.
func (req Request) documentFacts() []rule.Fact {
	facts := []rule.Fact{
		{Name: "document", Value: shownURL(req.Initiator.URL)},
		{Name: "Referrer-Policy", Value: string(req.referrerPolicy())},
		{Name: "method", Value: shown(cmp.Or(req.Method, "GET"))},
	}
	if req.before != nil {
		all := make([]string, len(req.before.urls))
		for i, u := range req.before.urls {
			all[i] = originOf(u).String()
		}
		facts = append(facts, rule.Fact{Name: "redirected by", Value: shown(strings.Join(all, ", "))})
	}
	return facts
}

// fetchSite returns how the origins on the way to the current URL stand to the page it comes from.
//
// Fetch Metadata, section 2.2, Sec-Fetch-Site.
func (req Request) fetchSite() string {
	if req.Initiator == nil {
		return "none"
	}
	site, from := "same-origin", originOf(req.Initiator.URL)
	for _, u := range req.urls() {
		switch to := originOf(u); {
		case to.same(from):
		case to.sameSite(from):
			site = "same-site"
		default:
			return "cross-site"
		}
	}
	return site
}

// A HeaderField is one line of a request's header.
type HeaderField struct {
	Name, Value string
}

// ContextHeader returns the header by which req tells where it comes from, in the order in which
// Chromium sends it, with a verdict about Origin and one about Referer. The Sec-Fetch fields go to
// URLs only whose connection is secure. What stands in a document's frame was not clicked.
//
// Fetch standard, sections 3.2 and 4.6; Fetch Metadata, section 2.
func (req Request) ContextHeader(rec *rule.Recorder) []HeaderField {
	var header []HeaderField
	add := func(name, value string) {
		if value != "" {
			header = append(header, HeaderField{name, value})
		}
	}
	add("Origin", req.Origin(rec))
	add("Access-Control-Request-Method", req.asksFor)
	if SecureConnection(req.URL) {
		add("Sec-Fetch-Site", req.fetchSite())
		add("Sec-Fetch-Mode", req.mode())
		if req.As == AsNavigation && !req.ByScript {
			add("Sec-Fetch-User", "?1")
		}
		add("Sec-Fetch-Dest", req.dest())
	}
	add("Referer", req.Referer(rec))
	return header
}
