package trace

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A Client performs the requests of one browser. Browser is required; the zero value of every other
// field is ready. A Client makes one request at a time, each on a connection of its own.
//
// What is sent in a body, and the page that comes back, may hold secrets such as passwords and tokens:
// they stay in the Client, and no Run has them.
type Client struct {
	Browser  *browser.Browser
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the operating system's
	Roots    *x509.CertPool                                                    // nil: the system's
	Insecure bool                                                              // go on when a certificate is not valid; HSTS is not stored then
	Now      func() time.Time                                                  // nil: time.Now
	Timeout  time.Duration                                                     // for one request; 0: 10 s
	Watch    *Watch                                                            // the site's, when it runs in this process; nil: foreign

	AllowPrivate bool // follow a redirect from a public address into a private network

	// InsecureKeepCookieValues says that [Run.WriteCurl] is to have the values of the cookies, which then
	// are in the memory of the Run. No other writer has them.
	InsecureKeepCookieValues bool

	Document *Document // the page that the browser shows; nil before the first visit, and for an error page

	Values *Values // of the cookies of a run that several Clients make; nil: of this one's

	places map[string]space // where hosts were first reached
}

// Visit asks for target as if a person had typed it: it is Navigate with nothing else given.
func (c *Client) Visit(ctx context.Context, method, target string, header http.Header) (Visit, error) {
	return c.Navigate(ctx, Navigation{Method: method, URL: target, Header: header})
}

// A Navigation is what the browser is to ask for.
type Navigation struct {
	Method string // "": GET, or POST with a body
	URL    string

	Initiator *browser.Document // the page that leads there; nil: a person typed the URL
	ByScript  bool              // a script of that page asked, and nobody clicked

	// What is for something within that page, and is no document of the window: see [browser.Request].
	As          browser.Destination
	Container   *browser.Document
	Credentials browser.Credentials

	ContentType string // of Body
	Body        []byte // nil: none

	// BodyOnlyTo, when not nil, is the origin to which alone the body may go, over a secure connection: a
	// form or a redirect that would take it elsewhere is not followed.
	BodyOnlyTo *url.URL

	Header http.Header // added to every request; Host replaces the Host field

	preflight func(*answer) // of a request that asks for permission: takes the answer; nil for any other
}

// sendsBody reports whether a request of the navigation still has its body, which a redirect may drop.
func (n *Navigation) sendsBody(req browser.Request) bool {
	return n.Body != nil && req.ContentType == n.ContentType && req.Method != http.MethodGet
}

// Navigate asks for a URL, follows redirects as a browser does, with the body as long as they keep it,
// and returns the hops. The page it ends at is in Document then.
// A visit that gets no answer is a visit: its last hop has no Response and a verdict that says why.
// The error is about the URL itself, or ctx.
func (c *Client) Navigate(ctx context.Context, n Navigation) (Visit, error) {
	u, err := parseTarget(n.URL)
	if err != nil {
		return Visit{}, err
	}
	if n.Method == "" && n.Body != nil {
		n.Method = http.MethodPost
	}
	var (
		visit = Visit{Typed: u.Redacted(), Profile: named(c.Browser.Profile)}
		chain = c.Browser.Profile.Chain()
		req   = browser.Request{
			Method: n.Method, URL: u, Initiator: n.Initiator, ByScript: n.ByScript, ContentType: n.ContentType,
			As: n.As, Container: n.Container, Credentials: n.Credentials,
		}
	)
	if n.Initiator != nil {
		visit.From, visit.Context = n.Initiator.URL.Redacted(), contextOfVisit(&n)
	}
	inTime, cancel := context.WithTimeout(c.enclose(ctx, &n, u), max(maxVisit, c.timeout()))
	defer cancel()
	for {
		if ask, asked, may := c.preflight(inTime, req, &n); asked {
			visit.Hops = append(visit.Hops, ask)
			if ctx.Err() != nil {
				return visit, fmt.Errorf("visiting %s: %w", visit.Typed, context.Cause(ctx))
			}
			if !may {
				return visit, nil
			}
		}
		hop, next, more := c.hop(inTime, req, &chain, &n)
		visit.Hops = append(visit.Hops, hop)
		if ctx.Err() != nil {
			return visit, fmt.Errorf("visiting %s: %w", visit.Typed, context.Cause(ctx))
		}
		if !more {
			visit.conclude()
			return visit, nil
		}
		req = next
	}
}

// named is the name of a profile as a Visit has it.
func named(p browser.Profile) string {
	if p.Name() == (browser.Profile{}).Name() {
		return ""
	}
	return p.Name()
}

// parseTarget accepts what a browser can be asked to visit: an absolute http or https URL.
func parseTarget(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the URL: %w", errors.Unwrap(err))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("URL %q does not begin with http:// or https://", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("URL %q names no host", u.Redacted())
	case !isPort(u.Port()):
		return nil, fmt.Errorf("URL %q has port %s, and the last one is 65535", u.Redacted(), u.Port())
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// isPort accepts what a URL may have for a port, which [url.Parse] holds to digits.
func isPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil
}

// hop makes one request of a navigation and asks the browser everything about it. more says that a
// redirect is to be followed with next.
func (c *Client) hop(ctx context.Context, req browser.Request, chain *browser.Chain, n *Navigation) (hop Hop, next browser.Request, more bool) {
	now := c.now()
	rec := rule.NewRecorder(func(v rule.Verdict) { hop.Verdicts = append(hop.Verdicts, v) })
	hop.At, hop.Method = now, cmp.Or(req.Method, http.MethodGet)
	defer func() { hop.Cookies, hop.HSTS = c.snapshot() }()
	if !c.unmixed(&req, rec) {
		hop.URL, c.Document = req.URL.Redacted(), nil
		return hop, next, false
	}
	if to, v := c.Browser.Upgrade(req.URL, now, rec); v.Yes {
		req = req.Onward(to)
	}
	cookies := c.Browser.CookieHeader(req, now, rec)
	hop.URL = req.URL.Redacted()

	if n.sendsBody(req) && n.BodyOnlyTo != nil && !mayGo(req.URL, n.BodyOnlyTo) {
		c.Document = nil
		rec.Record(withheld(req.URL, n.BodyOnlyTo, "the password does not go there"))
		return hop, next, false
	}
	hr, err := newRequest(ctx, req, cookies, c.contextHeader(req, rec), n)
	if err != nil {
		rec.Record(unanswered(req.URL, err))
		return hop, next, false
	}
	a, left, err := c.exchange(ctx, req, hr, n.sendsBody(req) && n.BodyOnlyTo != nil)
	if hop.Left = left; left {
		hop.Cookie, hop.Sent = shortenCookie(cookies), contextOf(hr)
		if c.InsecureKeepCookieValues {
			hop.whole = cookies
		}
	}
	if err != nil {
		c.Document = nil
		v := unanswered(req.URL, err)
		if errors.Is(err, errElsewhere) {
			v = withheld(req.URL, n.BodyOnlyTo, err.Error())
		}
		rec.Record(v)
		return hop, next, false
	}
	rec.Record(connected(req.URL, a))
	hop.Known, hop.Response, hop.saysLoop = a.known, c.presentable(a), saysLoop(a)
	for _, v := range a.verdicts {
		rec.Record(v)
	}
	location := a.first("Location")
	if !a.known {
		rec.Record(observe(hop.URL, a.status, location))
	}
	c.take(req, a, rec)
	if n.preflight != nil {
		n.preflight(a)
		return hop, next, false // no redirect of an answer to OPTIONS is followed
	}
	if a.status/100 == 3 {
		if location != "" && c.Browser.Profile.ShowsPages() && !req.MayFollow(a.values, rec) {
			return hop, next, false
		}
		var v rule.Verdict
		if next, v = chain.Next(req, a.status, location, cookies, rec); v.Yes {
			next.ReferrerPolicy = cmp.Or(browser.ParseReferrerPolicy(a.values("Referrer-Policy")), req.ReferrerPolicy)
			return hop, next, true
		}
	}
	if req.As == browser.AsNavigation {
		c.show(req.URL, a, rec)
	}
	return hop, next, false
}

// contextHeader is what the browser says of where a request comes from. One without pages says nothing.
func (c *Client) contextHeader(req browser.Request, rec *rule.Recorder) []browser.HeaderField {
	if !c.Browser.Profile.ShowsPages() {
		return nil
	}
	return req.ContextHeader(rec)
}

// take hands the browser what an answer tells it to remember: HSTS, then each cookie in order, and to
// forget.
func (c *Client) take(req browser.Request, a *answer, rec *rule.Recorder) {
	now := c.now()
	if fields := a.values("Strict-Transport-Security"); len(fields) > 0 {
		c.Browser.StoreHSTS(req.URL, fields, a.certificate == nil, now, rec)
	}
	lines := a.values("Set-Cookie")
	for _, line := range lines[:min(len(lines), maxCookieLines)] {
		c.Browser.StoreCookie(req, line, now, rec)
	}
	if fields := a.values("Clear-Site-Data"); len(fields) > 0 {
		c.Browser.ClearSiteData(req, fields, now, rec)
	}
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Client) snapshot() ([]StoredCookie, []KnownHost) { return snapshot(c.Browser, c.now()) }

// snapshot is what a browser holds at now.
func snapshot(b *browser.Browser, now time.Time) (cookies []StoredCookie, hosts []KnownHost) {
	for _, k := range b.Cookies(now) {
		s := StoredCookie{
			Name: k.Name(), Domain: k.Domain(), HostOnly: k.HostOnly(), Path: shortenFolded(k.Path()),
			Secure: k.Secure(), HttpOnly: k.HttpOnly(), SameSite: k.SameSite().String(),
		}
		if k.Persistent() {
			s.Expires = k.Expires()
		}
		cookies = append(cookies, s)
	}
	for _, h := range b.KnownHSTSHosts(now) {
		hosts = append(hosts, KnownHost{Host: h.Host, IncludeSubDomains: h.IncludeSubDomains, Expires: h.Expiry})
	}
	return cookies, hosts
}

// maxText is how many bytes of the first line of a text a Response keeps.
const maxText = 80

// presentable is the answer as a Run keeps it: cookie values shortened, no text of a foreign site.
func (c *Client) presentable(a *answer) *Response {
	if c.Values == nil {
		c.Values = &Values{}
	}
	r := &Response{Status: a.status}
	for _, f := range a.fields {
		shown := shortenField(f)
		if strings.EqualFold(f.Name, "Set-Cookie") {
			shown.Number = c.Values.number(cookie.Parse(f.Value))
		}
		r.Fields = append(r.Fields, shown)
	}
	if a.plainText && a.known {
		line, _, _ := strings.Cut(string(a.body), "\n")
		r.Text = clean(line[:min(len(line), maxText)])
	}
	return r
}

// printable keeps the control characters of a foreign text from reaching a terminal.
func printable(r rune) rune {
	if strconv.IsPrint(r) {
		return r
	}
	return '?'
}
