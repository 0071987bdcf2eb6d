package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
)

// A tour is a generated journey of one browser through two sites of its own: documents one after the
// other, and what each of them asks for. It depends on the seed and its number only.
type tour struct {
	sites []string // the site it is about, and one that is cross-site to it
	legs  []leg
}

// A leg is a document and what it asks for, in order.
type leg struct {
	arrival errand
	within  []errand
}

// An errand is one request, with the Set-Cookie lines of its response.
type errand struct {
	id          int    // unique in the run; it is in the URL as n
	kind        string // typed, link, form, fetch, image or iframe
	url         string
	credentials browser.Credentials // of a fetch
	lines       []string
	child       *errand // the image in the document of a frame
}

// each calls do with every errand of the leg, in the order in which they are made.
func (l *leg) each(do func(e *errand)) {
	do(&l.arrival)
	for i := range l.within {
		do(&l.within[i])
		if l.within[i].child != nil {
			do(l.within[i].child)
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
	t := &tour{sites: g.sites}
	scheme := ""
	for i := range 3 {
		kind := "typed"
		if i > 0 {
			kind = pick(g, "typed", "link", "form", "form")
		}
		if kind != "form" || scheme == "http" { // Chromium warns of a form that leads from https to http
			scheme = pick(g, "http", "https", "https")
		}
		l := leg{arrival: g.errand(kind, scheme)}
		for range 2 + g.IntN(3) {
			l.within = append(l.within, g.inner(scheme))
		}
		t.legs = append(t.legs, l)
	}
	if number == 0 { // one line of each known difference is always there
		before, known := &t.legs[0], &t.legs[1]
		before.within, known.within, known.arrival.kind = nil, nil, "typed"
		before.arrival.url = fmt.Sprintf("https://c0.test/?n=%d", before.arrival.id)
		known.arrival.url = fmt.Sprintf("http://c0.test/?n=%d", known.arrival.id)
		before.arrival.lines = append(before.arrival.lines, "over=1; Secure")
		known.arrival.lines = append(known.arrival.lines, exemplars...)
	}
	return t
}

// exemplars are lines that Chromium reads in ways of its own, and one of each difference in
// testdata/generated.json, for a document over http that may not replace the Secure cookie over.
var exemplars = []string{
	"plus=1; Max-Age=+3600", "old=1; Expires=01 Jan 1600 00:00:00", "last=1; Max-Age=3600; Max-Age=-",
	"later=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Expires=never", "apart=1; Secure; Partitioned", "over=2; Secure",
}

func pick[T any](g *generator, all ...T) T { return all[g.IntN(len(all))] }

// inner is what a document of the given scheme asks for: no mixed content, which would not leave.
func (g *generator) inner(scheme string) errand {
	mixable := func() string {
		if scheme == "https" {
			return scheme
		}
		return pick(g, "http", "http", "https")
	}
	e := g.errand(pick(g, "fetch", "fetch", "image", "iframe"), mixable())
	switch e.kind {
	case "fetch":
		e.credentials = pick(g, browser.CredentialsDefault, browser.CredentialsInclude, browser.CredentialsInclude, browser.CredentialsOmit)
	case "iframe":
		if strings.HasPrefix(e.url, "https:") {
			scheme = "https"
		}
		child := g.errand("image", mixable())
		e.child = &child
	}
	return e
}

func (g *generator) errand(kind, scheme string) errand {
	site := g.sites[0]
	if g.IntN(4) == 0 {
		site = g.sites[1]
	}
	host := pick(g, "", "", "www.", "a.www.") + site
	e := errand{id: g.next, kind: kind}
	e.url = fmt.Sprintf("%s://%s%s?n=%d", scheme, host, pick(g, "/", "/a", "/a/b", "/a/b/c", "/A/b", "/ab"), e.id)
	g.next++
	for range 1 + g.IntN(3) {
		e.lines = append(e.lines, g.line(host, site))
	}
	return e
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
		return g.spelt("Max-Age") + equals + pick(g, "3600", "3600", "0", "-1", "99999999999999999999", "+5", "1.5", "", `"60"`, "007200", "-", "34560001")
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
