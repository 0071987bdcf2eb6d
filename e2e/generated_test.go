package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
)

// A tour is a generated journey of one browser through two sites of its own: documents one after the
// other, and what each of them asks for. It depends on the seed and its number only.
type tour struct {
	sites  []string // the site it is about, and one that is cross-site to it
	legs   []leg
	blocks bool // the browser blocks third parties
}

// A leg is a document and what happens in it, in order.
type leg struct {
	arrival errand
	within  []errand
}

// An errand is one request, with what its response says; or, as a script, a line that the document
// assigns to document.cookie, which it then reads.
type errand struct {
	id          int    // unique in the run; it is in the URL as n
	kind        string // typed, link, form, fetch, image, iframe or script
	url         string
	method      string              // of a fetch
	credentials browser.Credentials // of a fetch, and of an image with the attribute crossorigin
	lines       []string            // Set-Cookie
	hsts        string              // Strict-Transport-Security; "": none

	status int     // of a redirect
	next   *errand // to which it leads

	script *string // what a script of the document in a frame assigns first
	child  *errand // what that document asks for then
}

// documents are the kinds whose answer is a document.
var documents = []string{"typed", "link", "form", "iframe"}

// last is where the redirects end.
func (e *errand) last() *errand {
	for e.next != nil {
		e = e.next
	}
	return e
}

// each calls do with every request of the leg.
func (l *leg) each(do func(e *errand)) {
	l.arrival.each(do)
	for i := range l.within {
		l.within[i].each(do)
	}
}

func (e *errand) each(do func(e *errand)) {
	for ; e != nil; e = e.next {
		do(e)
		if e.child != nil {
			e.child.each(do)
		}
	}
}

// A generator makes tours.
type generator struct {
	*rand.Rand

	sites []string
	next  int // the ID of the next errand
}

// errandsPerTour is more than a tour has errands, so that the IDs of two tours are never the same.
const errandsPerTour = 1000

func newTour(seed uint64, number int) *tour {
	g := &generator{
		Rand:  rand.New(rand.NewPCG(seed, uint64(number))),
		sites: []string{fmt.Sprintf("c%d.test", number), fmt.Sprintf("x%d.test", number)},
		next:  number * errandsPerTour,
	}
	t := &tour{sites: g.sites, blocks: number == 0 || g.IntN(2) == 0}
	scheme := ""
	for i := range 3 {
		kind := "typed"
		if i > 0 {
			kind = pick(g, "typed", "link", "form", "form")
		}
		schemes := []string{"http", "https", "https"}
		if kind == "form" && scheme == "https" { // Chromium warns of a form that leads from https to http
			schemes = []string{scheme}
		}
		l := leg{arrival: g.request(kind, schemes)}
		scheme = schemeAfter(&l.arrival)
		for range 2 + g.IntN(3) {
			l.within = append(l.within, g.inner(scheme, l.arrival.last()))
		}
		t.legs = append(t.legs, l)
	}
	if number == 0 { // one line of each known difference is always there
		before, known := &t.legs[0], &t.legs[1]
		before.within, known.within, known.arrival.kind = nil, nil, "typed"
		before.arrival.next, known.arrival.next, before.arrival.hsts = nil, nil, ""
		before.arrival.url = fmt.Sprintf("https://c0.test/?n=%d", before.arrival.id)
		known.arrival.url = fmt.Sprintf("http://c0.test/?n=%d", known.arrival.id)
		before.arrival.lines = append(before.arrival.lines, "over=1; Secure")
		known.arrival.lines = append(known.arrival.lines, exemplars...)
		t.legs = append(t.legs[:2], g.oddities()...)
		return t
	}
	again := g.errand("typed", "http") // which is upgraded, if the host has become a known HSTS host
	again.url = fmt.Sprintf("http://%s%s/?n=%d", knownHost, g.sites[0], again.id)
	t.legs = append(t.legs, leg{arrival: again})
	return t
}

// oddities are legs with what Chromium does and the profile does not: a page whose cookies are no UTF-8,
// with an image that has the attribute crossorigin, and with a frame of another site that has one of the
// page's own site in it; and a form that is redirected to another origin with its method.
func (g *generator) oddities() []leg {
	to := func(kind, host string) errand {
		g.next++
		return errand{id: g.next - 1, kind: kind, url: fmt.Sprintf("https://%s/?n=%d", host, g.next-1)}
	}
	page, cookie, image, frame, child := to("typed", "c0.test"), to("cookie", "c0.test"), to("image", "c0.test"), to("iframe", "x0.test"), to("image", "c0.test")
	page.lines = []string{"bytes=\xff; Secure"}
	cookie.script = new("a=1")
	image.credentials, frame.child = browser.CredentialsInclude, &child
	form, end := to("form", "c0.test"), to("form", "x0.test")
	form.status, form.next = 307, &end
	return []leg{{arrival: page, within: []errand{cookie, image, frame}}, {arrival: form}}
}

// knownHost is the name of the hosts that may be known HSTS hosts.
const knownHost = "hsts."

// schemeAfter is the scheme of the document that e ends at: https where it may be.
func schemeAfter(e *errand) string {
	if last := e.last().url; strings.HasPrefix(last, "https:") || strings.Contains(last, knownHost) {
		return "https"
	}
	return "http"
}

// exemplars are lines that Chromium reads in ways of its own, and one of each difference in
// testdata/generated.json, for a document over http that may not replace the Secure cookie over.
var exemplars = []string{
	"plus=1; Max-Age=+3600", "old=1; Expires=01 Jan 1600 00:00:00", "last=1; Max-Age=3600; Max-Age=-",
	"later=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Expires=never", "apart=1; Secure; Partitioned", "over=2; Secure",
}

func pick[T any](g *generator, all ...T) T { return all[g.IntN(len(all))] }

// inner is what happens in the document of here, of the given scheme: no mixed content, which would not
// leave. Half of the fetches begin at the document's own origin.
func (g *generator) inner(scheme string, here *errand) errand {
	kind := pick(g, "fetch", "fetch", "image", "iframe", "iframe", "script", "cookie")
	if kind == "cookie" {
		g.next++
		return errand{id: g.next - 1, kind: kind, script: g.scriptLine()}
	}
	if kind == "iframe" {
		return g.frame(scheme, maxDepth)
	}
	e := g.request(kind, mixable(scheme))
	switch kind {
	case "fetch":
		e.credentials = pick(g, browser.CredentialsDefault, browser.CredentialsInclude, browser.CredentialsInclude, browser.CredentialsOmit, browser.CredentialsSameOrigin)
		e.method = pick(g, "GET", "GET", "POST")
		if u, err := url.Parse(here.url); err == nil && u.Scheme == scheme && g.IntN(2) == 0 {
			e.url = fmt.Sprintf("%s://%s/?n=%d", scheme, u.Host, e.id)
			e.hsts = ""
		}
	case "image":
		e.credentials = pick(g, browser.CredentialsDefault, browser.CredentialsDefault, browser.CredentialsSameOrigin, browser.CredentialsInclude)
	}
	return e
}

// maxDepth is how many frames are within each other.
const maxDepth = 3

// frame is a frame of a document, with another one in it or an image.
func (g *generator) frame(scheme string, depth int) errand {
	e := g.request("iframe", mixable(scheme))
	if schemeAfter(&e) == "https" {
		scheme = "https"
	}
	last := e.last()
	if g.IntN(2) == 0 {
		last.script = g.scriptLine()
	}
	child := g.request("image", mixable(scheme))
	if depth > 1 && g.IntN(2) == 0 {
		child = g.frame(scheme, depth-1)
	}
	last.child = &child
	return e
}

// mixable are the schemes that a document of the given one may ask for.
func mixable(scheme string) []string {
	if scheme == "https" {
		return []string{scheme}
	}
	return []string{"http", "http", "https"}
}

// request is an errand of that kind; a third of them is redirected.
func (g *generator) request(kind string, schemes []string) errand {
	e := g.errand(kind, pick(g, schemes...))
	for at := &e; g.IntN(3) == 0 && e.id+maxHops > g.next; at = at.next {
		next := g.errand(kind, pick(g, schemes...))
		at.status, at.next = pick(g, 301, 302, 302, 303, 307, 307, 308), &next
	}
	return e
}

// maxHops is more than a chain of redirects has.
const maxHops = 4

func (g *generator) errand(kind, scheme string) errand {
	site := g.sites[0]
	if g.IntN(3) == 0 {
		site = g.sites[1]
	}
	host := pick(g, "", "", "", "www.", "www.", "a.www.", knownHost, knownHost, "a."+knownHost) + site
	e := errand{id: g.next, kind: kind}
	e.url = fmt.Sprintf("%s://%s%s?n=%d", scheme, host, pick(g, "/", "/a", "/a/b", "/a/b/c", "/A/b", "/ab"), e.id)
	g.next++
	for range 1 + g.IntN(3) {
		e.lines = append(e.lines, g.line(host, site))
	}
	if strings.Contains(host, knownHost) {
		e.hsts = pick(g, "", "max-age=3600", "max-age=3600", "max-age=3600; includeSubDomains", "max-age=0", "includeSubDomains", "max-age")
	}
	return e
}

// scriptLine is a line that a script assigns, which is text.
func (g *generator) scriptLine() *string {
	return new(strings.ToValidUTF8(g.line(g.sites[0], g.sites[0]), ""))
}

// line is a Set-Cookie line for the host. Most of it makes sense; what makes it go wrong is rare enough
// that not every line does. NUL, CR and LF are not in it: with them there is no response.
func (g *generator) line(host, site string) string {
	text := g.pair()
	if g.IntN(3) == 0 { // as sites do it
		text += "; Secure; HttpOnly; Path=/; SameSite=" + pick(g, "Strict", "Lax", "None", "None; Partitioned")
	}
	for range g.IntN(5) {
		text += pick(g, ";", "; ", " ;\t") + g.attribute(host, site)
	}
	return strings.Trim(text, " \t")
}

func (g *generator) pair() string {
	name := pick(g, "a", "b", "c", "d", "sessionid", "csrftoken", g.prefixed())
	value := fmt.Sprint(g.IntN(1000))
	if g.IntN(6) == 0 {
		name = pick(g, "", " ", "é", "\xff\xfe", "a b", `"q"`, "a,b", "$Version", "a\tb", "A")
	}
	switch g.IntN(16) {
	case 0:
		value = pick(g, "", "a=b", `"q u"`, "\tx ", "a\tb", "é€😀", "\x80\xff", "a,b", g.prefixed(), "%00")
	case 1:
		value = "x" + string(rune(pick(g, 1, 8, 9, 11, 12, 31, 127))) + "y"
	case 2:
		value = strings.Repeat("v", max(0, 4096-len(name)+g.IntN(3)-1))
	case 3:
		return pick(g, value, "token", name, "="+name+"="+value, "=", "")
	}
	return name + pick(g, "=", "=", "=", " = ") + value
}

func (g *generator) prefixed() string {
	return g.spelt(pick(g, "__Secure-", "__Host-", "__Host-", "__Http-", "__Host-Http-")) + pick(g, "a", "b", "")
}

// spelt is a word in one of the ways in which people spell it.
func (g *generator) spelt(word string) string {
	return pick(g, word, word, word, strings.ToLower(word), strings.ToUpper(word))
}

func (g *generator) attribute(host, site string) string {
	equals := pick(g, "=", "=", "=", " = ", "=\t")
	switch g.IntN(9) {
	case 0, 1:
		return g.spelt("Secure") + pick(g, "", "", "", "=", "=false", " ", " x")
	case 2:
		return g.spelt("HttpOnly") + pick(g, "", "", "=0")
	case 3:
		return g.spelt("SameSite") + pick(g, equals+g.spelt(pick(g, "Strict", "Lax", "None", "None")), equals+pick(g, "", "x", `"Lax"`), "")
	case 4:
		return g.spelt("Domain") + equals + g.domain(host, site)
	case 5:
		return g.spelt("Path") + equals + pick(g, "/", "/", "/a", "/a/", "/a/b", "/A", "a", "", "/%61", `"/"`, "/"+strings.Repeat("p", 1022+g.IntN(3)))
	case 6:
		return g.spelt("Max-Age") + equals + pick(g, "3600", "3600", "0", "-1", "99999999999999999999", "+7200", "1.5", "", `"60"`, "007200", "-", "34560001")
	case 7:
		return g.spelt("Expires") + equals + pick(g, dates...)
	}
	return pick(g, "Partitioned", "partitioned", "Partitioned=x", "Priority=High", "x=y", "", "=", "é=\xff", "Version=1", "x=a\x7f")
}

var dates = []string{
	"Wed, 21 Oct 2099 07:28:00 GMT", "Wednesday, 21-Oct-99 07:28:00 GMT", "Wed Oct 21 07:28:00 2099", "21 oct 2099 7:28:0", "2099 21 Oct 07:28:00",
	"Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01-Jan-70 00:00:01 GMT", "01 Jan 1600 00:00:00", "31 Feb 2099 00:00:00", "21 Oct 2099 24:00:00",
	"0", "", "tomorrow", "Wed, 21 Oct 2099", "2099-10-21T07:28:00Z",
}

func (g *generator) domain(host, site string) string {
	return pick(g, host, host, site, site, "."+site, ".."+site, strings.ToUpper(site), "www."+site, "x."+host, host+".",
		"test", ".test", "evil.test", "", ".", "é."+site, host+":443", "https://"+host, "127.0.0.1", "%77ww."+site, `"`+site+`"`)
}
