package oracle

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/django"
)

// A serverError is why net/http would have answered 400 before any handler saw the request.
type serverError struct{ err error }

func (e *serverError) Error() string { return "net/http: " + e.err.Error() }

var (
	urlForm  = regexp.MustCompile(`(?s)^(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?`)
	portForm = regexp.MustCompile(`^(\[[^\]]*\]|[^:]*)(?::(\d+))?$`)
)

// incoming is a request of a line as a Go server hands it to a handler.
func (w *world) incoming(question object) (*http.Request, error) {
	m := urlForm.FindStringSubmatch(question.text("url"))
	if m == nil {
		return nil, valueError("bad url %q", question.text("url"))
	}
	secure, host, path, query := m[1] == "https", m[2], m[3], m[4]
	method := "GET"
	if question.given("method") {
		method = question.text("method")
	}
	target := question.text("script_name") + orSlash(path)
	if query != "" {
		target += "?" + query
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
	if err != nil {
		return nil, &serverError{err}
	}
	r.Host = host
	if question.has("host") {
		r.Host = latin1(question.text("host"))
	}
	r.RemoteAddr = "127.0.0.1:50000"
	environ := question.object("environ")
	for _, name := range environ.Keys() {
		if name != "REMOTE_ADDR" {
			return nil, unsupported("environ %s is WSGI's", name)
		}
		r.RemoteAddr = net.JoinHostPort(environ.text(name), "50000")
	}
	if secure {
		r.TLS = new(tls.ConnectionState)
	}
	if err := w.addHeaders(r, question); err != nil {
		return nil, err
	}
	addBody(r, question)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: portOf(host, secure)}
	return r.WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, local)), nil
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// latin1 takes each character up to U+00FF for a byte, as a WSGI server hands headers over.
func latin1(text string) string {
	var b strings.Builder
	for _, c := range text {
		if c <= 0xff {
			b.WriteByte(byte(c)) //nolint:gosec // compared above
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func portOf(host string, secure bool) int {
	if m := portForm.FindStringSubmatch(host); m != nil && m[2] != "" {
		port, _ := strconv.Atoi(m[2])
		return port
	}
	if secure {
		return 443
	}
	return 80
}

// addHeaders adds the headers as they are: those that a server of Go refuses are not for a Guard.
func (w *world) addHeaders(r *http.Request, question object) error {
	for name, value := range headersOf(question) {
		if strings.ContainsAny(value, "\r\n\x00") {
			return &serverError{fmt.Errorf("invalid header value %q", value)}
		}
		if strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	switch cookies := question.object("cookies"); {
	case question.has("cookie_header"):
		r.Header["Cookie"] = []string{question.text("cookie_header")}
	case len(w.jar)+cookies.Len() > 0:
		sent := map[string]string{}
		maps.Copy(sent, w.jar)
		for _, name := range cookies.Keys() {
			sent[name] = pythonText(cookies.raw(name))
		}
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(sent)) {
			pairs = append(pairs, name+"="+sent[name])
		}
		r.Header["Cookie"] = []string{strings.Join(pairs, "; ")}
	}
	return nil
}

// headersOf are the headers of a question, which has them as an object or as a list of pairs.
func headersOf(question object) func(func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for _, pair := range question.list("headers") {
			if p := listOf(pair); len(p) == 2 && !yield(textOf(p[0]), textOf(p[1])) {
				return
			}
		}
		headers := question.object("headers")
		for _, name := range headers.Keys() {
			if !yield(name, headers.text(name)) {
				return
			}
		}
	}
}

func addBody(r *http.Request, question object) {
	kind, body := "", ""
	switch {
	case question.has("form"):
		kind, body = "application/x-www-form-urlencoded", formOf(question.object("form"))
	case question.has("multipart"):
		kind, body = "multipart/form-data; boundary=oracleboundary", multipartOf(question.object("multipart"))
	case question.has("json"):
		kind, body = "application/json", string(question.raw("json"))
	case question.has("body"):
		body = question.text("body")
	}
	if question.text("content_type") != "" {
		kind = question.text("content_type")
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if r.Body = http.NoBody; body != "" {
		r.Body = io.NopCloser(strings.NewReader(body))
	}
	r.ContentLength = int64(len(body))
}

// formOf is Python's urlencode(doseq=True).
func formOf(form object) string {
	var pairs []string
	for _, name := range form.Keys() {
		values := form.list(name)
		if values == nil {
			values = []json.RawMessage{form.raw(name)}
		}
		for _, value := range values {
			pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(pythonText(value)))
		}
	}
	return strings.Join(pairs, "&")
}

func multipartOf(form object) string {
	var b strings.Builder
	for _, name := range form.Keys() {
		fmt.Fprintf(&b, "--oracleboundary\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", name, pythonText(form.raw(name)))
	}
	return b.String() + "--oracleboundary--\r\n"
}

// A response takes what a Guard and a view answer.
type response struct {
	header http.Header
	sent   http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// shownBody is how much of a body that is not JSON oracle.py shows, in characters.
const shownBody = 400

// answer is the response as oracle.py tells it.
func (w *response) answer(cookies []setCookie) (o django.Object) {
	o.Set("status", mustMarshal(w.status))
	o.Set("reason", mustMarshal(http.StatusText(w.status)))
	headers := [][]string{}
	for _, name := range slices.Sorted(maps.Keys(w.sent)) {
		for _, value := range w.sent[name] {
			if name != "Set-Cookie" {
				headers = append(headers, []string{name, value})
			}
		}
	}
	o.Set("headers", mustMarshal(headers))
	lines, values := []json.RawMessage{}, django.Object{}
	for _, c := range cookies {
		lines = append(lines, c.json())
		values.Set(c.name, mustMarshal(django.UnquoteCookie(c.coded)))
	}
	o.Set("set_cookies", mustMarshal(lines))
	o.Set("cookies", values.AppendJSON(nil))
	if kind := w.sent.Get("Content-Type"); strings.HasPrefix(kind, "application/json") {
		if value, err := python(w.body.Bytes()); err == nil {
			o.Set("json", value)
			return o
		}
	}
	text := strings.ToValidUTF8(w.body.String(), "\ufffd")
	if n := utf8.RuneCountInString(text); n > shownBody {
		text = string([]rune(text)[:shownBody]) + fmt.Sprintf("...(%d)", n)
	}
	o.Set("body", mustMarshal(text))
	return o
}

// A setCookie is a Set-Cookie line, taken apart as oracle.py does.
type setCookie struct {
	line, name, coded string
	attributes        [][2]string // without a value: "true"
}

func (w *response) cookies() (all []setCookie) {
	for _, line := range w.sent["Set-Cookie"] {
		parts := strings.Split(line, "; ")
		c := setCookie{line: line}
		c.name, c.coded, _ = strings.Cut(parts[0], "=")
		for _, part := range parts[1:] {
			name, value, _ := strings.Cut(part, "=")
			c.attributes = append(c.attributes, [2]string{name, value})
		}
		all = append(all, c)
	}
	return all
}

func (c *setCookie) attribute(name string) string {
	for _, a := range c.attributes {
		if a[0] == name {
			return a[1]
		}
	}
	return ""
}

func (c *setCookie) json() json.RawMessage {
	var attributes django.Object
	for _, a := range c.attributes {
		if attributes.Set(a[0], mustMarshal(a[1])); a[1] == "" {
			attributes.Set(a[0], mustMarshal(true))
		}
	}
	return objectFrom("raw", c.line, "name", c.name, "value", django.UnquoteCookie(c.coded), "coded_value", c.coded, "attrs", attributes)
}
