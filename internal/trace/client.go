package trace

import (
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
	"github.com/lockstep-http/lockstep/rule"
)

// A Client performs the requests of one browser. Browser is required; the zero value of every other
// field is ready. A Client makes one request at a time, each on a connection of its own.
type Client struct {
	Browser  *browser.Browser
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the operating system's
	Roots    *x509.CertPool                                                    // nil: the system's
	Insecure bool                                                              // go on when a certificate is not valid; HSTS is not stored then
	Now      func() time.Time                                                  // nil: time.Now
	Timeout  time.Duration                                                     // for one request; 0: 10 s
	Watch    *Watch                                                            // the site's, when it runs in this process; nil: foreign
}

// Visit asks for target as if a person had typed it, follows redirects as a browser does, and returns
// the hops. Fields of header are added to every request of the visit; Host replaces the Host field.
// A visit that gets no answer is a visit: its last hop has no Response and a verdict that says why.
// The error is about target itself, or ctx.
func (c *Client) Visit(ctx context.Context, method, target string, header http.Header) (Visit, error) {
	u, err := parseTarget(target)
	if err != nil {
		return Visit{}, err
	}
	var (
		visit = Visit{Typed: u.Redacted()}
		chain browser.Chain
		req   = browser.Request{Method: method, URL: u}
	)
	for {
		hop, next, more := c.hop(ctx, req, &chain, header)
		visit.Hops = append(visit.Hops, hop)
		if ctx.Err() != nil {
			return visit, fmt.Errorf("visiting %s: %w", visit.Typed, context.Cause(ctx))
		}
		if !more {
			return visit, nil
		}
		req = next
	}
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

// hop makes one request and asks the browser everything about it. more says that a redirect is to be
// followed with next.
func (c *Client) hop(ctx context.Context, req browser.Request, chain *browser.Chain, header http.Header) (hop Hop, next browser.Request, more bool) {
	now := c.now()
	rec := rule.NewRecorder(func(v rule.Verdict) { hop.Verdicts = append(hop.Verdicts, v) })
	req.URL, _ = c.Browser.Upgrade(req.URL, now, rec)
	cookies := c.Browser.CookieHeader(req, now, rec)
	hop.At, hop.Method, hop.URL = now, req.Method, req.URL.Redacted()
	defer func() { hop.Cookies, hop.HSTS = c.snapshot() }()

	a, left, err := c.exchange(ctx, req, cookies, header)
	if hop.Left = left; left {
		hop.Cookie = shortenCookie(cookies)
	}
	if err != nil {
		rec.Record(unanswered(req.URL, err))
		return hop, next, false
	}
	rec.Record(connected(req.URL, a))
	hop.Known, hop.Response = a.known, a.presentable()
	for _, v := range a.verdicts {
		rec.Record(v)
	}
	location := a.first("Location")
	if !a.known {
		rec.Record(observe(hop.URL, a.status, location))
	}
	c.take(req, a, rec)
	if a.status/100 != 3 {
		return hop, next, false
	}
	next, v := chain.Next(req, a.status, location, cookies, rec)
	return hop, next, v.Yes
}

// take hands the browser what an answer tells it to remember: HSTS, then each cookie in order.
func (c *Client) take(req browser.Request, a *answer, rec *rule.Recorder) {
	now := c.now()
	if fields := a.values("Strict-Transport-Security"); len(fields) > 0 {
		c.Browser.StoreHSTS(req.URL, fields, a.certificate == nil, now, rec)
	}
	lines := a.values("Set-Cookie")
	for _, line := range lines[:min(len(lines), maxCookieLines)] {
		c.Browser.StoreCookie(req, line, now, rec)
	}
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Client) snapshot() ([]StoredCookie, []KnownHost) {
	var (
		now     = c.now()
		cookies []StoredCookie
		hosts   []KnownHost
	)
	for _, k := range c.Browser.Cookies(now) {
		s := StoredCookie{
			Name: k.Name(), Domain: k.Domain(), HostOnly: k.HostOnly(), Path: k.Path(),
			Secure: k.Secure(), HttpOnly: k.HttpOnly(), SameSite: k.SameSite().String(),
		}
		if k.Persistent() {
			s.Expires = k.Expires()
		}
		cookies = append(cookies, s)
	}
	for _, h := range c.Browser.KnownHSTSHosts(now) {
		hosts = append(hosts, KnownHost{Host: h.Host, IncludeSubDomains: h.IncludeSubDomains, Expires: h.Expiry})
	}
	return cookies, hosts
}

// maxText is how many bytes of the first line of a text a Response keeps.
const maxText = 80

// presentable is the answer as a Run keeps it: cookie values shortened, no text of a foreign site.
func (a *answer) presentable() *Response {
	r := &Response{Status: a.status}
	for _, f := range a.fields {
		r.Fields = append(r.Fields, shortenField(f))
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
