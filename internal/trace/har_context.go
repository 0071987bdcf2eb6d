package trace

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/rule"
)

// An inference is what a recording tells of where a request comes from and what it is for. A recording
// says neither whole, so it also has what else the request may have been.
type inference struct {
	req    browser.Request
	told   []string          // the parts of the recording that say so
	others []browser.Request // what it may have been as well, by the recording
	doubt  string            // what the recording does not tell, when there are others
	guess  bool              // what the answer is for, or in which window it is, is none of what is told
	before chain             // the requests that were redirected to it
}

// facts say from what it was inferred.
func (f *inference) facts() []rule.Fact {
	if len(f.told) == 0 {
		return nil
	}
	facts := []rule.Fact{{Name: "inferred from", Value: strings.Join(f.told, ", ")}}
	if len(f.others) > 0 {
		facts = append(facts, rule.Fact{Name: "cannot be told", Value: f.doubt})
	}
	return facts
}

// tell adds a part of the recording, once.
func (f *inference) tell(part string) {
	if !slices.Contains(f.told, part) {
		f.told = append(f.told, part)
	}
}

// What a recording may leave open. doubtPage is about what is taken for typed.
const (
	doubtCredentials = "with which credentials mode the script asked"
	doubtPage        = "whether a page of another site led here"
	doubtWindow      = "which document the window shows"
	doubtFor         = "whether it is a document, of the window or of a frame, or something that a page needs"
)

// maxDocuments is how many documents of a recording are remembered, as places from which requests come.
// More begin anew.
const maxDocuments = 50_000

// A spot is where documents are looked for: their page, by the recording, and their URL or origin.
type spot struct{ page, at string }

// A knownDocument has come as an answer.
type knownDocument struct {
	*browser.Document
	guess bool // its window is not told
}

// documents are those that a recording has shown so far.
type documents struct {
	known map[spot]knownDocument
	tops  map[string]*browser.Document // by page: what the window shows
	shown map[string]bool              // pages of which that was answered
}

func newDocuments(log *har.Log) *documents {
	d := &documents{map[spot]knownDocument{}, map[string]*browser.Document{}, map[string]bool{}}
	for id, title := range log.Pages {
		if u := webURL(title); u != nil {
			d.tops[id] = &browser.Document{URL: u}
		}
	}
	return d
}

// webURL reads an http or https URL; nil stands for anything else.
func webURL(text string) *url.URL {
	if !strings.HasPrefix(text, "http") {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	return u
}

// add remembers a document that came as the answer to a request of a page.
func (d *documents) add(page string, f *inference) {
	req := &f.req
	doc := &browser.Document{URL: req.URL}
	if req.As == browser.AsIframe {
		doc.Parent = cmp.Or(req.Container, req.Initiator)
	} else {
		d.tops[page], d.shown[page] = doc, true
	}
	if len(d.known) >= maxDocuments {
		clear(d.known)
	}
	for _, at := range []string{bareURL(req.URL), originText(req.URL)} {
		k := knownDocument{doc, f.guess}
		d.known[spot{page, at}], d.known[spot{"", at}] = k, k
	}
}

// find returns the document with a URL, which may be an origin alone, as the Referer of a request has it. Of one
// that the recording does not have nothing but the URL is known.
func (d *documents) find(page string, u *url.URL) knownDocument {
	if top := d.tops[page]; top != nil && page != "" && (bareURL(top.URL) == bareURL(u) || isOrigin(u) && browser.SameOrigin(top.URL, u)) {
		return knownDocument{top, false}
	}
	for _, at := range []string{bareURL(u), originText(u)} {
		for _, in := range []string{page, ""} {
			if k := d.known[spot{in, at}]; k.Document != nil {
				return k
			}
		}
	}
	return knownDocument{&browser.Document{URL: u}, true}
}

func isOrigin(u *url.URL) bool { return (u.Path == "" || u.Path == "/") && u.RawQuery == "" }

func originText(u *url.URL) string { return u.Scheme + "://" + u.Host }

// bareURL is a URL as documents are compared.
func bareURL(u *url.URL) string {
	return originText(u) + cmp.Or(u.EscapedPath(), "/") + "?" + u.RawQuery
}

// framed reports whether the markup of the page that the window shows led to the request of a document, which
// is that of a frame then.
func (d *documents) framed(e *har.Entry, u *url.URL) bool {
	top := d.tops[e.Page]
	return top != nil && e.Parser != "" && bareURL(top.URL) != bareURL(u)
}

// infer says what the recording tells of the request of an entry. The best evidence is what the browser
// itself sent: Sec-Fetch-Dest, Sec-Fetch-Mode and Sec-Fetch-Site, then Origin and Referer. What the recorder
// adds comes after: the page, the type of the resource, and the document with the markup.
func (d *documents) infer(e *har.Entry, u *url.URL) inference {
	f := inference{req: browser.Request{Method: cmp.Or(e.Method, http.MethodGet), URL: u}}
	sure := f.destination(e, e.Page != "" && (d.shown[e.Page] || d.framed(e, u)))
	if !f.initiator(e, d) {
		elsewhere := f.req
		elsewhere.Initiator = opaque
		f.others, f.doubt = append(f.others, elsewhere), doubtPage
	}
	if f.req.Initiator == nil {
		return f
	}
	if f.req.As != browser.AsNavigation {
		f.frames(e, d)
	}
	f.credentials(e)
	f.windows(d.tops[e.Page])
	if !sure {
		f.guess = true
		f.doubtDestination()
	}
	return f
}

// opaque stands for a page of another site of which the recording says no more.
var opaque = &browser.Document{URL: &url.URL{Scheme: "about", Opaque: "blank"}}

// kinds are the types of resources, as Chromium has them, that Sec-Fetch-Dest has other words for.
var kinds = map[string]string{
	"stylesheet": "style", "media": "video", "texttrack": "track", "xhr": "empty", "fetch": "empty", "eventsource": "empty",
	"ping": "empty", "websocket": "websocket", "csp-violation-report": "report", "image": "image", "font": "font", "script": "script", "manifest": "manifest",
}

// destination says what the answer is for, and whether the recording tells. shown says that the page of the
// entry has its document already, so that another one is that of a frame.
func (f *inference) destination(e *har.Entry, shown bool) (sure bool) {
	dest, mode := e.Sent.First("Sec-Fetch-Dest"), e.Sent.First("Sec-Fetch-Mode")
	switch {
	case dest != "":
		f.tell("Sec-Fetch-Dest: " + dest)
	case f.req.URL.Scheme == "ws" || f.req.URL.Scheme == "wss":
		f.tell("the scheme")
		dest = "websocket"
	case mode == "navigate":
		f.tell("Sec-Fetch-Mode: navigate")
		dest = "document"
	case kinds[e.Kind] != "":
		f.tell("_resourceType " + e.Kind)
		dest = kinds[e.Kind]
	case mode != "":
		f.tell("Sec-Fetch-Mode: " + mode)
		if dest = "empty"; mode == "no-cors" {
			dest = "other"
		}
	case e.Kind == "document":
		f.tell("_resourceType document")
		if dest = "document"; shown {
			f.tell("pageref")
			dest = "iframe"
		}
	default:
		return f.accepted(e)
	}
	f.req.As = destinationOf(dest)
	return true
}

// accepted is for recordings that have nothing but Accept, such as those of proxies over http.
func (f *inference) accepted(e *har.Entry) (sure bool) {
	accept := e.Sent.First("Accept")
	if accept != "" {
		f.tell("Accept")
	}
	switch {
	case strings.HasPrefix(accept, "text/html"):
	case strings.HasPrefix(accept, "image/"):
		f.req.As = browser.AsImage
		return true
	case strings.HasPrefix(accept, "text/css"):
		f.req.As = destinationOf("style")
		return true
	case accept != "":
		f.req.As = browser.AsFetch
	}
	return false
}

// destinationOf is a word of Sec-Fetch-Dest. What the browser of ours has no word for is asked for like an
// image.
func destinationOf(dest string) browser.Destination {
	switch dest {
	case "document":
		return browser.AsNavigation
	case "iframe", "frame", "fencedframe", "embed", "object":
		return browser.AsIframe
	case "empty", "websocket":
		return browser.AsFetch
	}
	return browser.Destination(shortWord(dest))
}

// shortWord keeps what a recording calls a thing as long as it is a word.
func shortWord(word string) string {
	const enough = 20
	if len(word) > enough || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return "other"
	}
	return word
}

// doubtDestination says what else the answer may have been for, as far as cookies depend on it.
func (f *inference) doubtDestination() {
	if f.req.Initiator == nil {
		return
	}
	f.doubt = doubtFor
	for _, as := range []browser.Destination{browser.AsNavigation, browser.AsIframe, browser.AsImage} {
		if as != f.req.As {
			other := f.req
			other.As, other.Credentials = as, browser.CredentialsDefault
			f.others = append(f.others, other)
		}
	}
	for _, mode := range []browser.Credentials{browser.CredentialsSameOrigin, browser.CredentialsOmit} {
		other := f.req
		other.As, other.Credentials = browser.AsFetch, mode
		f.others = append(f.others, other)
	}
}

// initiator finds the document that led to the request, which stays nil for what a person typed. led says
// that the recording tells.
func (f *inference) initiator(e *har.Entry, d *documents) (led bool) {
	site := e.Sent.First("Sec-Fetch-Site")
	if site == "none" {
		f.tell("Sec-Fetch-Site: none")
		return true
	}
	doc := f.named(e, d)
	crossSite := doc != nil && !sameSite(doc.URL, f.req.URL)
	switch {
	case site == "cross-site" && !crossSite: // the page keeps to itself which one it is
		f.tell("Sec-Fetch-Site: cross-site")
		doc = opaque
	case (site == "same-origin" || site == "same-site") && (doc == nil || crossSite):
		f.tell("Sec-Fetch-Site: " + site)
		doc = &browser.Document{URL: f.req.URL}
	case doc == nil && f.req.As != browser.AsNavigation:
		if doc = d.tops[e.Page]; doc == nil || e.Page == "" {
			f.req.Initiator = &browser.Document{URL: f.req.URL}
			return false
		}
		f.tell("pageref")
	case doc == nil:
		return false
	}
	f.req.Initiator = doc
	return true
}

// named returns the document that the header of the request names, or else the recorder.
func (f *inference) named(e *har.Entry, d *documents) *browser.Document {
	for _, c := range []struct{ part, text string }{
		{"Referer", e.Sent.First("Referer")}, {"Origin", e.Sent.First("Origin")}, {"_initiator", e.Parser},
	} {
		u := webURL(c.text)
		if u == nil {
			continue
		}
		f.tell(c.part)
		k := d.find(e.Page, u)
		f.guess = k.guess
		return k.Document
	}
	return nil
}

func sameSite(a, b *url.URL) bool {
	return secureScheme(a.Scheme) == secureScheme(b.Scheme) && siteOf(a) == siteOf(b)
}

func secureScheme(scheme string) bool { return scheme == "https" || scheme == "wss" }

// frames puts the document that led here into the window that the recording names.
func (f *inference) frames(e *har.Entry, d *documents) {
	doc := f.req.Initiator
	top := d.tops[e.Page]
	if e.Page == "" || top == nil {
		return
	}
	f.guess = false
	if f.req.As == browser.AsIframe && doc.Parent != nil && e.Sent.First("Sec-Fetch-User") != "" { // a click within the frame
		f.req.Container = doc.Parent
		return
	}
	if doc.Parent != nil || bareURL(doc.URL) == bareURL(top.URL) || browser.SameOrigin(doc.URL, top.URL) {
		return
	}
	f.tell("pageref")
	f.req.Initiator = &browser.Document{URL: doc.URL, Parent: top}
}

// windows says in which windows the document may be as well, if the recording does not tell: it is that of the
// window, or in a frame of the last document of one, or of any other.
func (f *inference) windows(last *browser.Document) {
	if !f.guess || f.req.As == browser.AsNavigation {
		return
	}
	f.doubt = cmp.Or(f.doubt, doubtWindow)
	doc := f.req.Initiator
	for _, other := range slices.Concat(f.others, []browser.Request{f.req}) {
		for _, top := range []*browser.Document{last, opaque, nil} {
			if top != doc.Parent && top != doc {
				other.Initiator = &browser.Document{URL: doc.URL, Parent: top}
				f.others = append(f.others, other)
			}
		}
	}
}

// credentials says with which credentials mode a script asked. No recording has it: a Cookie line shows that
// it was with credentials, and nothing shows that it was without.
func (f *inference) credentials(e *har.Entry) {
	mode := e.Sent.First("Sec-Fetch-Mode")
	switch {
	case f.req.URL.Scheme == "ws" || f.req.URL.Scheme == "wss":
		f.req.Credentials = browser.CredentialsInclude
		return
	case f.req.As == browser.AsNavigation || f.req.As == browser.AsIframe:
		return
	case f.req.As != browser.AsFetch && mode != "cors":
		return
	}
	sameOrigin := browser.SameOrigin(f.req.Initiator.URL, f.req.URL)
	if e.Sent.First("Cookie") != "" {
		f.tell("Cookie")
		if !sameOrigin {
			f.req.Credentials = browser.CredentialsInclude
		}
		return
	}
	f.req.Credentials = browser.CredentialsSameOrigin
	other := browser.CredentialsInclude
	if sameOrigin {
		other = browser.CredentialsOmit
	} else if e.Received.First("Access-Control-Allow-Credentials") == "true" && e.Received.First("Access-Control-Allow-Origin") != "*" {
		f.tell("Access-Control-Allow-Credentials")
		f.req.Credentials, other = other, f.req.Credentials
	}
	r := f.req
	r.Credentials = other
	f.others, f.doubt = append(f.others, r), cmp.Or(f.doubt, doubtCredentials)
}

// without settles that a script asked another origin without credentials, as nothing went along although
// something would have.
func (f *inference) without() {
	if f.doubt == doubtCredentials && f.req.Credentials == browser.CredentialsInclude && len(f.others) > 0 {
		f.req, f.others[0] = f.others[0], f.req
		f.tell("no Cookie")
	}
}

// onward returns the inference for what a redirect led to: it comes from where the first request came.
func (f *inference) onward(status int, location string, e *har.Entry) (inference, bool) {
	next := inference{told: slices.Clone(f.told), doubt: f.doubt, guess: f.guess}
	follow := func(req browser.Request) (browser.Request, bool) {
		to, v := new(browser.Chain).Next(req, status, location, "", nil)
		return to, v.Yes
	}
	var ok bool
	if next.req, ok = follow(f.req); !ok || next.req.Method != cmp.Or(e.Method, http.MethodGet) {
		return inference{}, false
	}
	for _, other := range f.others {
		if to, ok := follow(other); ok {
			next.others = append(next.others, to)
		}
	}
	next.tell("the redirect before it")
	if next.req.Initiator != nil && (next.doubt == doubtCredentials || len(next.others) == 0 && next.req.Credentials != browser.CredentialsInclude) {
		next.others, next.doubt = nil, ""
		next.credentials(e)
	}
	return next, true
}
