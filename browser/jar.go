package browser

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A Transport is an [http.RoundTripper] that sends each request as a browser would and tells the Browser
// what comes back: for tests that are to know whether a login would stick. It replaces the Cookie header
// and those of [Request.ContextHeader], and reads Set-Cookie, Strict-Transport-Security and
// Clear-Site-Data as they came. The [http.Client] around it follows the redirects, and has no Jar.
//
// A request is one that a person typed, unless [InContext] says otherwise. Where HSTS takes it to https,
// the answer is a 307 that no server gave, as browsers show it; a Client follows it.
type Transport struct {
	Browser *Browser             // required
	Base    http.RoundTripper    // nil: http.DefaultTransport
	Now     func() time.Time     // nil: time.Now
	Watch   func(v rule.Verdict) // is told each decision, in order; nil: nobody
}

type circumstances struct{}

// InContext returns a context whose requests are made as req says: Initiator, ByScript, As, Container,
// Credentials and ReferrerPolicy are taken from it. Redirects keep them.
func InContext(ctx context.Context, req Request) context.Context {
	return context.WithValue(ctx, circumstances{}, req)
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	now, rec := timeOf(t.Now), recorderOf(t.Watch)
	req := requestOf(r)
	if to, v := t.Browser.Upgrade(req.URL, now, rec); v.Yes {
		return upgraded(r, to), nil
	}
	out := r.Clone(r.Context())
	out.Header.Del("Cookie")
	if header := t.Browser.CookieHeader(req, now, rec); header != "" {
		out.Header.Set("Cookie", header)
	}
	for _, f := range req.ContextHeader(rec) {
		out.Header.Set(f.Name, f.Value)
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	answer, err := base.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	t.take(req, answer, rec)
	answer.Request = r
	return answer, nil
}

// take tells the browser what an answer has for it.
func (t *Transport) take(req Request, answer *http.Response, rec *rule.Recorder) {
	now := timeOf(t.Now)
	if fields := answer.Header.Values("Strict-Transport-Security"); len(fields) > 0 {
		trusted := answer.TLS != nil && len(answer.TLS.VerifiedChains) > 0
		t.Browser.StoreHSTS(req.URL, fields, trusted, now, rec)
	}
	for _, line := range answer.Header.Values("Set-Cookie") {
		t.Browser.StoreCookie(req, line, now, rec)
	}
	if fields := answer.Header.Values("Clear-Site-Data"); len(fields) > 0 {
		t.Browser.ClearSiteData(req, fields, now, rec)
	}
}

// requestOf is r as a browser makes it, with the redirects that a Client followed to get there.
func requestOf(r *http.Request) Request {
	req, _ := r.Context().Value(circumstances{}).(Request)
	urls, policies := []*url.URL{r.URL}, []ReferrerPolicy{""}
	for a := r.Response; a != nil && len(urls) <= MaxRequests; a = a.Request.Response {
		urls = append(urls, a.Request.URL)
		policies = append(policies, ParseReferrerPolicy(a.Header.Values("Referrer-Policy")))
	}
	last := len(urls) - 1
	req.URL = urls[last]
	for i := last; i > 0; i-- {
		req = req.Onward(urls[i-1])
		req.ReferrerPolicy = cmp.Or(policies[i], req.ReferrerPolicy)
	}
	req.Method, req.ContentType = r.Method, r.Header.Get("Content-Type")
	return req
}

// upgraded is the answer to a request that goes to https without having been sent.
func upgraded(r *http.Request, to *url.URL) *http.Response {
	if r.Body != nil {
		_ = r.Body.Close() // as every RoundTripper does
	}
	return &http.Response{
		Status: "307 Internal Redirect", StatusCode: http.StatusTemporaryRedirect,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Location": {to.String()}, "Non-Authoritative-Reason": {"HSTS"}},
		Body:   http.NoBody, Request: r,
	}
}

// A Jar is an [http.CookieJar] over a Browser. It knows of a request no more than its URL, and takes it for
// one that a person typed. A Client hands it no line that net/http cannot read, and writes a value with a
// space or a comma in quotes. [Transport] has none of these limits.
type Jar struct {
	Browser *Browser             // required
	Now     func() time.Time     // nil: time.Now
	Watch   func(v rule.Verdict) // is told each decision, in order; nil: nobody
}

// SetCookies implements [http.CookieJar].
func (j *Jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		line := c.Raw
		if line == "" {
			line = c.String()
		}
		j.Browser.StoreCookie(Request{URL: u}, line, timeOf(j.Now), recorderOf(j.Watch))
	}
}

// Cookies implements [http.CookieJar].
func (j *Jar) Cookies(u *url.URL) []*http.Cookie {
	header := j.Browser.CookieHeader(Request{URL: u}, timeOf(j.Now), recorderOf(j.Watch))
	var cookies []*http.Cookie
	for _, p := range cookie.ParseHeader(header) {
		c := &http.Cookie{Name: p.Name, Value: p.Value} //nolint:gosec // one to be sent has no attributes
		if inner, quoted := unquoted(p.Value); quoted {
			c.Value, c.Quoted = inner, true // or else net/http drops the quotes
		}
		cookies = append(cookies, c)
	}
	return cookies
}

// unquoted takes a quote off each end of a value that has both.
func unquoted(value string) (inner string, quoted bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value, false
	}
	return value[1 : len(value)-1], true
}

func timeOf(clock func() time.Time) time.Time {
	if clock == nil {
		return time.Now() //nolint:forbidigo // the adapter asks the clock
	}
	return clock()
}

func recorderOf(watch func(rule.Verdict)) *rule.Recorder {
	if watch == nil {
		return nil
	}
	return rule.NewRecorder(watch)
}
