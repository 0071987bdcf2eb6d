package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
)

// A deed is a request that is measured.
type deed struct {
	name   string
	method string
	path   string
	plain  bool // over http
	forged bool // a page of another site causes it
	token  tokenPlace
	stored bool // what it costs depends on where sessions are kept
}

// tokenPlace is where a request has its CSRF token.
type tokenPlace int

const (
	noToken tokenPlace = iota
	inHeader
	inForm
)

var (
	untouched = deed{name: "GET, session untouched", method: http.MethodGet, path: plainPath}
	reading   = deed{name: "GET that reads the session", method: http.MethodGet, path: readPath, stored: true}
	writing   = deed{name: "POST, token in a header, writes", method: http.MethodPost, path: visitPath, token: inHeader, stored: true}
	sending   = deed{name: "POST of a form with its token, writes", method: http.MethodPost, path: visitPath, token: inForm, stored: true}
	redirect  = deed{name: "GET over http, redirected", method: http.MethodGet, path: plainPath, plain: true}
	forging   = deed{name: "forged POST, refused", method: http.MethodPost, path: visitPath, forged: true}
)

var deeds = []deed{untouched, reading, writing, sending, redirect, forging}

// wants is the status that a stack answers with; 0 when the stack does not do such a thing.
func (d deed) wants(s *stack) int {
	switch {
	case d.plain && s.redirects:
		return http.StatusMovedPermanently
	case d.forged && s.refusal != 0:
		return s.refusal
	case d.plain, d.forged, d.stored && !s.holds:
		return 0
	}
	return http.StatusOK
}

// A visitor is a browser that is logged in on a stack and has a form of it open.
type visitor struct {
	stack   *stack
	cookies map[string]string
	token   string
}

func arrive(s *stack) (*visitor, error) {
	v := &visitor{stack: s, cookies: map[string]string{"theme": "dark"}}
	for _, path := range []string{loginPath, formPath} {
		answer := v.perform(v.request(deed{method: http.MethodGet, path: path}))
		if answer.Code != http.StatusOK {
			return nil, fmt.Errorf("%s: %s answered %d: %s", s.name, path, answer.Code, answer.Body)
		}
		if path == formPath {
			v.token = answer.Body.String()
		}
	}
	return v, nil
}

// request returns a request as Chromium sends it, with the visitor's cookies.
func (v *visitor) request(d deed) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), d.method, "https://"+host+d.path, http.NoBody)
	r.Body, r.TLS = nil, connection // a handler gets a path only, and its scheme from the connection
	r.URL.Scheme, r.URL.Host, r.RequestURI = "", "", d.path
	if d.plain {
		r.TLS = nil
	}
	own, site := "https://"+host, "same-origin"
	if d.forged {
		own, site = "https://evil.test", "cross-site"
	}
	headers := [][2]string{
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
		{"Accept-Language", "en-GB,en;q=0.9"},
		{"Accept-Encoding", "gzip, deflate, br, zstd"},
		{"Referer", own + formPath},
		{"Cookie", v.cookieHeader()},
	}
	if !d.plain { // over http no browser says more
		headers = append(headers, [][2]string{
			{"Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Site", site}, {"Sec-Fetch-User", "?1"},
		}...)
	}
	if d.method == http.MethodPost {
		headers = append(headers, [2]string{"Origin", own})
	}
	for _, h := range headers {
		r.Header.Set(h[0], h[1])
	}
	v.addToken(r, d.token)
	return r
}

func (v *visitor) addToken(r *http.Request, place tokenPlace) {
	switch place {
	case noToken:
	case inHeader:
		if v.stack.tokenHeader != "" {
			r.Header.Set(v.stack.tokenHeader, v.token)
		}
	case inForm:
		form := url.Values{noteField: {noteText}}
		if v.stack.tokenField != "" {
			form.Set(v.stack.tokenField, v.token)
		}
		body := &again{text: form.Encode()}
		body.rewind()
		r.Body, r.ContentLength = body, int64(len(body.text))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
}

func (v *visitor) cookieHeader() string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(v.cookies)) {
		pairs = append(pairs, name+"="+v.cookies[name])
	}
	return strings.Join(pairs, "; ")
}

// perform sends r and keeps the cookies of the answer.
func (v *visitor) perform(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	v.stack.handler.ServeHTTP(w, r)
	v.keep(w.Header())
	return w
}

func (v *visitor) keep(h http.Header) {
	for _, line := range h["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		v.cookies[name] = value
	}
}

// visits asks how often the visitor has been counted.
func (v *visitor) visits() string {
	return v.perform(v.request(deed{method: http.MethodGet, path: visitsPath})).Body.String()
}

// again is a body that can be read again.
type again struct {
	strings.Reader
	text string
}

func (b *again) rewind() { b.Reset(b.text) }

// Close implements [io.Closer].
func (b *again) Close() error { return nil }

var _ io.ReadCloser = (*again)(nil)

// A sink is a response writer that keeps its header between requests, and of the rest the status.
type sink struct {
	header http.Header
	status int
}

// Header implements [http.ResponseWriter].
func (w *sink) Header() http.Header { return w.header }

// Write implements [http.ResponseWriter].
func (w *sink) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	return len(p), nil
}

// WriteString implements [io.StringWriter], as the writer of net/http's server does.
func (w *sink) WriteString(s string) (int, error) { //nolint:unparam // as io.StringWriter has it
	w.begin(http.StatusOK)
	return len(s), nil
}

// WriteHeader implements [http.ResponseWriter].
func (w *sink) WriteHeader(status int) { w.begin(status) }

func (w *sink) begin(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// A repeater sends one request many times.
type repeater struct {
	visitor *visitor
	deed    deed
	request *http.Request
	body    *again // nil when there is none
	answer  sink
	want    int
}

func (v *visitor) repeater(d deed) *repeater {
	p := &repeater{visitor: v, deed: d, request: v.request(d), want: d.wants(v.stack)}
	p.body, _ = p.request.Body.(*again)
	p.answer.header = make(http.Header, 16)
	return p
}

// run sends the request n times. What every answer has to be is looked at, so that nothing is
// measured that did not happen.
func (p *repeater) run(n int) error {
	for range n {
		clear(p.answer.header)
		p.answer.status = 0
		if p.body != nil {
			p.body.rewind()
			p.request.Body = p.body
			p.request.Form, p.request.PostForm = nil, nil
		}
		p.visitor.stack.handler.ServeHTTP(&p.answer, p.request)
		if p.answer.status != p.want {
			return fmt.Errorf("%s: %s: answered %d, want %d", p.visitor.stack.name, p.deed.name, p.answer.status, p.want)
		}
	}
	return nil
}
