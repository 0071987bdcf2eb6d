package browser

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A Destination is what an answer is for.
type Destination string

// The destinations. A form, like a link, navigates.
const (
	AsNavigation Destination = "" // the document that the window shows next
	AsIframe     Destination = "iframe"
	AsImage      Destination = "image"
	AsFetch      Destination = "fetch" // fetch and XMLHttpRequest
	AsScript     Destination = "script"
)

// ParseDestination reads the word for a destination: navigate or form, iframe, image, fetch, script.
// Another word is none.
func ParseDestination(word string) (Destination, bool) {
	if word == "navigate" || word == "form" {
		return AsNavigation, true
	}
	d := Destination(word)
	return d, slices.Contains([]Destination{AsIframe, AsImage, AsFetch, AsScript}, d)
}

// String returns a word that [ParseDestination] reads.
func (d Destination) String() string { return cmp.Or(string(d), "navigate") }

// navigates reports whether the answer becomes a document, of the window or of a frame.
func (d Destination) navigates() bool { return d == AsNavigation || d == AsIframe }

// Credentials is the credentials mode of a request: whether cookies are sent with it and stored from it.
type Credentials string

// The credentials modes (Fetch standard, section 2.2.5). The default is same-origin for a fetch, and
// include for everything else.
const (
	CredentialsDefault    Credentials = ""
	CredentialsOmit       Credentials = "omit"
	CredentialsSameOrigin Credentials = "same-origin"
	CredentialsInclude    Credentials = "include"
)

// ParseCredentials reads the word for a credentials mode, which "" is not.
func ParseCredentials(word string) (Credentials, bool) {
	c := Credentials(word)
	return c, slices.Contains([]Credentials{CredentialsOmit, CredentialsSameOrigin, CredentialsInclude}, c)
}

// credentials is the mode of the request.
func (req *Request) credentials() Credentials {
	switch {
	case req.As.navigates():
		return CredentialsInclude
	case req.As == AsFetch:
		return cmp.Or(req.Credentials, CredentialsSameOrigin)
	}
	return cmp.Or(req.Credentials, CredentialsInclude)
}

// MaxFrames is how many documents deep a frame may be in its window. What is deeper counts as cross-site.
const MaxFrames = 64

// A siteContext is what the circumstances of a request say about its cookies. The zero siteContext is
// that of a visit typed by a person, which is same-site whatever was there before.
type siteContext struct {
	nested     bool // not the document of the window itself, but something within
	crossSite  bool // another site, or the same under another scheme, has a part in it
	thirdParty bool // the host is none of the site that the window shows
	blockable  bool // it counts as a third party where those are blocked, which looks at schemes too
	unsafe     bool // with a method that may change something
	script     bool // a script asks for the cookies, by document.cookie
	omitted    bool // by the credentials mode no cookies go along and none are stored

	partition partition // of Partitioned cookies, and of all where third parties are partitioned
}

// plain reports whether nothing in the circumstances keeps an unpartitioned cookie back.
func (x *siteContext) plain() bool {
	return !x.crossSite && !x.thirdParty && !x.blockable && !x.script && !x.omitted
}

// opaqueSite stands for the site of a document that has none, such as a file.
const opaqueSite = "(opaque)"

// A partition is the key of a part of the store: the top-level site, and whether a document on the way
// to it is of another one. The zero partition is that of cookies without one.
//
// CHIPS, "Partitioned cookies with ancestor chain bit".
type partition struct {
	site      string
	tls       bool
	crossSite bool
}

// String returns the key for a fact: "https://shop.test", with "cross-site ancestor" where that is so.
func (p partition) String() string {
	if p == (partition{}) {
		return "none"
	}
	scheme := "http://"
	if p.tls {
		scheme = "https://"
	}
	if p.crossSite {
		return scheme + p.site + ", cross-site ancestor"
	}
	return scheme + p.site
}

// frames returns the documents around what is asked for, outwards. The last is the one that the window
// shows. There are MaxFrames and one more at most.
func (req *Request) frames() []*Document {
	d := req.Initiator
	if req.As == AsIframe && req.Container != nil {
		d = req.Container
	}
	var all []*Document
	for ; d != nil && len(all) <= MaxFrames; d = d.Parent {
		all = append(all, d)
	}
	return all
}

// context judges the current URL against the documents that have a part in the request. The URLs that
// redirected here do not count (section 5.2); the method is that of the current request.
func (b *Browser) context(req *Request, t *target) siteContext {
	if b.Profile.noPages {
		return siteContext{}
	}
	c := siteContext{partition: partition{site: t.site, tls: t.tls}}
	if req.Initiator == nil {
		return c
	}
	c.nested = req.As != AsNavigation
	c.unsafe = !safeMethod(req.Method)
	from, ok := b.target(req.Initiator.URL)
	c.crossSite = !ok || !b.sameSite(&from, t)
	if c.nested {
		b.judgeFrames(&c, req.frames(), t)
		c.omitted = !req.withCredentials()
	}
	return c
}

// judgeFrames judges t, which is asked for within documents: the last is that of the window.
func (b *Browser) judgeFrames(c *siteContext, frames []*Document, t *target) {
	top, ok := b.target(frames[len(frames)-1].URL)
	c.partition = partition{site: cmp.Or(top.site, opaqueSite), tls: top.tls}
	c.thirdParty = !ok || top.site != t.site
	c.blockable = !ok || !b.sameSite(&top, t)
	c.crossSite = c.crossSite || !ok || len(frames) > MaxFrames || !b.sameSite(&top, t)
	apart := !ok || top.site != t.site || top.tls != t.tls
	for _, d := range frames[:len(frames)-1] {
		from, ok := b.target(d.URL)
		c.crossSite = c.crossSite || !ok || !b.sameSite(&from, t)
		c.thirdParty = c.thirdParty || !ok || from.site != top.site
		c.blockable = c.blockable || !ok || !b.sameSite(&from, &top)
		apart = apart || !ok || from.site != top.site || from.tls != top.tls
	}
	c.partition.crossSite = apart
}

// sameSite reports whether two targets have one registrable domain and, unless the profile does not
// mind, one scheme. Port and path make no difference.
func (b *Browser) sameSite(x, y *target) bool {
	return x.site == y.site && (x.tls == y.tls || b.Profile.schemeless)
}

// withCredentials reports whether by its mode the request carries cookies. In the mode same-origin a
// redirect over another origin ends that for good.
//
// Fetch standard, section 4.6, HTTP-network-or-cache fetch, step 8.
func (req *Request) withCredentials() bool {
	if mode := req.credentials(); mode != CredentialsSameOrigin {
		return mode == CredentialsInclude
	}
	from := originOf(req.Initiator.URL)
	return !slices.ContainsFunc(req.urls(), func(u *url.URL) bool { return !originOf(u).same(from) })
}

// safeMethod reports whether a method asks to change nothing (RFC 9110, section 9.2.1).
func safeMethod(method string) bool {
	switch cmp.Or(method, "GET") {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// siteFacts tells where a request comes from; of a typed one there is nothing to tell.
func siteFacts(req *Request, t *target) []rule.Fact {
	if req.Initiator == nil {
		return nil
	}
	facts := []rule.Fact{
		{Name: "initiator", Value: shownOrigin(req.Initiator.URL)},
		{Name: "same-site request", Value: strconv.FormatBool(!t.context.crossSite)},
	}
	if t.context.crossSite {
		facts = append(facts,
			rule.Fact{Name: "kind", Value: crossSiteKind(req, t)},
			rule.Fact{Name: "method", Value: shown(cmp.Or(req.Method, "GET"))})
	}
	if t.context.nested {
		facts = append(facts, nestedFacts(req, t)...)
	}
	return facts
}

// crossSiteKind says what makes a cross-site request one that SameSite is about: cross-scheme when the same
// site is another one only because of its scheme, and otherwise iframe, subresource, unsafe-method, or
// link, which keeps back SameSite=Strict alone.
func crossSiteKind(req *Request, t *target) string {
	from, ok := targetOf(req.Initiator.URL)
	switch {
	case ok && from.site == t.site && !t.context.thirdParty:
		return "cross-scheme"
	case req.As == AsIframe:
		return "iframe"
	case t.context.nested:
		return "subresource"
	case t.context.unsafe:
		return "unsafe-method"
	}
	return "link"
}

// nestedFacts tells of a request for something within a document.
func nestedFacts(req *Request, t *target) []rule.Fact {
	facts := []rule.Fact{
		{Name: "asked for as", Value: req.As.String()},
		{Name: "credentials mode", Value: string(req.credentials())},
		{Name: "partition", Value: t.context.partition.String()},
		{Name: "third party", Value: strconv.FormatBool(t.context.thirdParty)},
	}
	if frames := req.frames(); len(frames) > 1 {
		origins := make([]string, len(frames))
		for i, d := range frames {
			origins[i] = originOf(d.URL).String()
		}
		facts = append(facts, rule.Fact{Name: "frames, outwards", Value: shown(strings.Join(origins, ", "))})
	}
	return facts
}

// shownOrigin is the origin of u for a fact.
func shownOrigin(u *url.URL) string { return shown(originOf(u).String()) }

// maxHosts is how many hosts a browser remembers to have read. More than that begin anew.
const maxHosts = 1024

// A host is a host as the cookie rules look at it.
type host struct {
	name     string // canonical
	site     string // its registrable domain
	loopback bool
}

// target is [targetOf] for this browser, which has read most hosts before. b.mu is held.
func (b *Browser) target(u *url.URL) (target, bool) {
	tls, ok := schemes[u.Scheme]
	if !ok {
		if tls, ok = schemes[strings.ToLower(u.Scheme)]; !ok {
			return target{}, false
		}
	}
	name := u.Hostname()
	h, ok := b.hosts[name]
	if !ok {
		if h, ok = readHost(name); !ok {
			return target{}, false
		}
		h = b.remember(name, h)
	}
	loopback := h.loopback && (!b.Profile.localhostOnly || h.name == "localhost" || h.name == "127.0.0.1" || h.name == "::1")
	return target{host: h.name, site: h.site, path: pathOf(u), tls: tls, loopback: loopback}, true
}

// remember keeps what was read of a name, in memory of its own, and returns it.
func (b *Browser) remember(name string, h host) host {
	if b.hosts == nil || len(b.hosts) >= maxHosts {
		b.hosts = make(map[string]host)
	}
	h = host{strings.Clone(h.name), strings.Clone(h.site), h.loopback}
	b.hosts[strings.Clone(name)] = h
	return h
}

func readHost(name string) (host, bool) {
	canonical, err := cookie.CanonicalHost(name)
	if err != nil {
		return host{}, false
	}
	return host{canonical, cookie.RegistrableDomain(canonical), cookie.Loopback(canonical)}, true
}

// pathOf returns the path as it is sent.
func pathOf(u *url.URL) string { return cmp.Or(u.EscapedPath(), "/") }
