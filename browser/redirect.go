package browser

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// MaxRequests is how many requests one visit makes at most. Chromium stops there too.
const MaxRequests = 20

// maxFactLength is how many octets of a header or a URL a fact shows.
const maxFactLength = 1024

// A Chain follows the redirects of one visit. The zero Chain has made no request and is ready; each
// visit has its own. It is not safe for concurrent use.
type Chain struct {
	asked []exchange
	max   int // 0 is MaxRequests
}

// exchange is what counts of a request when one asks whether it was made before.
type exchange struct {
	method, url, cookies string
}

// The answers of [Chain.Next].
var (
	followRedirect = rules.Add(rule.Rule{
		ID:       "follow-redirect",
		Source:   "Fetch standard, HTTP-redirect fetch; RFC 9110, section 15.4",
		Sentence: "The response has a redirect status and a Location, so the browser asks for that URL next.",
		Fix:      "Answer with another status than 301, 302, 303, 307 and 308 to have this response shown.",
		Scenario: `
visit http://shop.test/
`,
	})

	followNotRedirect = rules.Add(rule.Rule{
		ID:       "follow-not-redirect",
		Source:   "Fetch standard, location URL; RFC 9110, section 15.4",
		Sentence: "The status is not one that redirects, or the response has no Location, so the browser shows the response itself.",
		Fix:      "To redirect, send one of 301, 302, 303, 307 and 308 together with a Location header.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
on /a app plain
on /a status 302
visit http://shop.test/a
`,
	})

	followLoop = rules.Add(rule.Rule{
		ID:       "follow-loop",
		Source:   "RFC 9110, section 15.4",
		Sentence: "The request repeats an earlier one of this visit, same method, URL and cookies, and was redirected again, so the redirects never end.",
		Fix:      "When an https URL redirects to itself, the site takes HTTPS for HTTP, most often because a proxy ends TLS before it: have the proxy set a header such as X-Forwarded-Proto and name it in SECURE_PROXY_SSL_HEADER. Otherwise let one of the hops that are named answer instead of redirecting.",
		Scenario: `
on /a app plain
on /a status 301
on /a send Location: https://shop.test/a
visit http://shop.test/a
`,
	})

	followTooMany = rules.Add(rule.Rule{
		ID:       "follow-too-many",
		Source:   "Chromium, as observed; Fetch standard, HTTP-redirect fetch, step 7",
		Sentence: "The visit has made as many requests as a browser makes, which are 20, in Firefox 21 and in curl 51, and the last was redirected again.",
		Fix:      "Redirect to the final URL at once instead of from one URL to the next.",
		Scenario: scenarioOfManyRedirects(),
	})

	noteMethodBecameGet = rules.Add(rule.Rule{
		ID:       "note-method-became-get",
		Source:   "Fetch standard, HTTP-redirect fetch; RFC 9110, sections 15.4.2 to 15.4.4",
		Sentence: "The next request is a GET without a body: 301 and 302 turn POST into GET, and 303 turns every method but HEAD.",
		Fix:      "Answer 307 or 308 to have method and body sent again, or give the form an https URL so that there is no redirect.",
		Scenario: `
visit POST http://shop.test/
`,
	})

	noteDowngradeToHTTP = rules.Add(rule.Rule{
		ID:       "note-downgrade-to-http",
		Source:   "RFC 9110, section 4.2",
		Sentence: "The redirect leads from https to http, so what follows travels in clear.",
		Fix:      "Build the Location with https; request.build_absolute_uri() does when request.is_secure() is True.",
		Scenario: `
on /a app plain
on /a status 302
on /a send Location: http://shop.test/b
visit https://shop.test/a
`,
	})
)

// scenarioOfManyRedirects returns a scenario in which each page redirects to the next.
func scenarioOfManyRedirects() string {
	var text strings.Builder
	text.WriteString("set SECURE_SSL_REDIRECT=False\n")
	for n := 1; n <= MaxRequests; n++ {
		fmt.Fprintf(&text, "on /%d app plain\non /%d status 302\non /%d send Location: /%d\n", n, n, n, n+1)
	}
	text.WriteString("visit http://shop.test/1\n")
	return text.String()
}

// Next returns the request that a browser makes after req was answered with status, and whether it
// makes one. It is asked about every response of the visit, in order. The location is the Location
// header, "" when there is none; cookieHeader is the Cookie header that req carried, which tells
// one request for a URL from the next. The method of req is as HTTP has it: upper case, and "" is
// GET.
//
// When the answer is no, next is zero, and the visit is over: the rule follow-not-redirect means
// that the response is shown, any other that the browser shows an error. A verdict about a
// response that has no redirect status at all is returned but not recorded, as nobody would ask.
//
// A Location is read as the URL standard has it: resolved against the URL of req, backslashes as
// slashes, the fragment inherited where it has none of its own. The next request comes from the same
// document as req, and remembers where it has been; what the response says of a Referrer-Policy is for
// the caller to put into it, with [ParseReferrerPolicy].
func (c *Chain) Next(req Request, status int, location, cookieHeader string, rec *rule.Recorder) (next Request, v rule.Verdict) {
	req.Method = cmp.Or(req.Method, "GET")
	v = rule.Verdict{Side: rule.Browser, Question: rule.FollowRedirect, Subject: shownURL(req.URL)}
	if !redirects(status) || location == "" {
		v.Rule = followNotRedirect
		if rec.Watching() && status/100 == 3 {
			v.Facts = redirectFacts(req, status, location)
			rec.Record(v)
		}
		return Request{}, v
	}
	repeated := c.record(exchange{req.Method, askedURL(req.URL), cookieHeader})
	to, refused, problem := resolveLocation(req.URL, location)
	if to != nil {
		v.Subject = shownURL(to)
	}
	if reasons := c.refuse(refused, repeated); len(reasons) > 0 {
		v.Rule, v.Also = reasons[0], reasons[1:]
	} else {
		v.Rule, v.Yes = followRedirect, true
		next = req.Onward(to)
		if next.Method = nextMethod(status, req.Method); next.Method != req.Method {
			next.ContentType = ""
		}
		v.Notes = redirectNotes(req, next)
	}
	if rec.Watching() {
		v.Facts = slices.Concat(redirectFacts(req, status, location), problemFacts(problem), c.loopFacts(repeated))
		rec.Record(v)
	}
	return next, v
}

// Onward returns req at another URL, to which it went on by itself: what [Browser.Upgrade] returned. Method
// and body stay, and it remembers where it has been, which Origin and Sec-Fetch-Site tell.
//
// RFC 6797, section 8.3; Fetch standard, main fetch.
func (req Request) Onward(to *url.URL) Request {
	next := req
	next.URL, next.before = to, &journey{urls: req.urls()}
	if req.Initiator != nil {
		next.before.referrer, _ = req.referrer()
	}
	return next
}

// refuse returns the rules by which the redirect is not followed, in the order in which they
// decide.
func (c *Chain) refuse(location rule.ID, repeated int) []rule.ID {
	var reasons []rule.ID
	if location != "" {
		reasons = append(reasons, location)
	}
	if repeated > 0 {
		reasons = append(reasons, followLoop)
	}
	if len(c.asked) >= c.limit() {
		reasons = append(reasons, followTooMany)
	}
	return reasons
}

// limit is how many requests the visit makes at most.
func (c *Chain) limit() int { return cmp.Or(c.max, MaxRequests) }

// record remembers a request, and returns the number of the first request of the visit that was
// the same, or 0. Numbers begin at 1.
func (c *Chain) record(e exchange) (repeated int) {
	repeated = slices.Index(c.asked, e) + 1
	if len(c.asked) < c.limit() {
		c.asked = append(c.asked, e)
	}
	return repeated
}

// The redirect statuses (Fetch standard, section 2.2.3). Package net/http, which has names for
// them, is not for a browser without a network.
const (
	movedPermanently  = 301
	found             = 302
	seeOther          = 303
	temporaryRedirect = 307
	permanentRedirect = 308
)

// redirects reports whether status is a redirect status.
func redirects(status int) bool {
	switch status {
	case movedPermanently, found, seeOther, temporaryRedirect, permanentRedirect:
		return true
	}
	return false
}

// nextMethod returns the method of the request that follows a redirect.
func nextMethod(status int, method string) string {
	switch {
	case (status == movedPermanently || status == found) && method == "POST",
		status == seeOther && method != "GET" && method != "HEAD":
		return "GET"
	}
	return method
}

func redirectNotes(req, next Request) []rule.ID {
	var notes []rule.ID
	if next.Method != req.Method {
		notes = append(notes, noteMethodBecameGet)
	}
	if req.URL.Scheme == "https" && next.URL.Scheme == "http" {
		notes = append(notes, noteDowngradeToHTTP)
	}
	return notes
}

func redirectFacts(req Request, status int, location string) []rule.Fact {
	facts := []rule.Fact{
		{Name: "method", Value: shown(req.Method)},
		{Name: "url", Value: shownURL(req.URL)},
		{Name: "status", Value: strconv.Itoa(status)},
	}
	if location != "" {
		facts = append(facts, rule.Fact{Name: "Location", Value: shown(location)})
	}
	return facts
}

func problemFacts(problem string) []rule.Fact {
	if problem == "" {
		return nil
	}
	return []rule.Fact{{Name: "problem", Value: problem}}
}

// loopFacts tells which hop was repeated, and what the loop is. The last hop is the one that
// repeats.
func (c *Chain) loopFacts(repeated int) []rule.Fact {
	if repeated == 0 {
		return nil
	}
	last := len(c.asked)
	loop := fmt.Sprintf("hops %d to %d, again and again", repeated, last-1)
	first := c.asked[repeated-1]
	if repeated == last-1 {
		loop = fmt.Sprintf("%s redirects to itself", shown(first.url))
		if repeated > 1 && first.url == strings.Replace(c.asked[repeated-2].url, "http:", "https:", 1) {
			loop = "http redirects to https, and then " + loop
		}
	}
	return []rule.Fact{
		{Name: "hop", Value: strconv.Itoa(repeated)},
		{Name: "repeated by hop", Value: strconv.Itoa(last)},
		{Name: "loop", Value: loop},
	}
}

// askedURL returns u as it is asked for, without fragment and credentials.
func askedURL(u *url.URL) string {
	asked := *u
	asked.User, asked.Fragment, asked.RawFragment = nil, "", ""
	asked.Path = cmp.Or(asked.Path, "/")
	return asked.String()
}

// shownURL returns u as it may be shown, without a password.
func shownURL(u *url.URL) string { return shown(askedURL(u)) }

// shown returns s, or its beginning when it is too long for a fact.
func shown(s string) string {
	if len(s) <= maxFactLength {
		return s
	}
	return strings.ToValidUTF8(s[:maxFactLength], "") + "…"
}
