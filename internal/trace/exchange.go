package trace

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// What a site may make the client read and wait for.
const (
	maxHeader      = 256 << 10   // bytes of an answer's header
	maxBody        = 1 << 20     // bytes of an answer's body; what is longer is left unread
	maxCookieLines = 200         // Set-Cookie lines of an answer; browsers keep 180 cookies of a site
	maxLines       = 1000        // lines of an answer's header
	maxInformed    = 5           // answers of status 1xx before the real one
	maxVisit       = time.Minute // for one visit with its redirects, or one request when that is given longer
	defaultTimeout = 10 * time.Second
)

// userAgent is sent with every request, so that a log shows what asked.
const userAgent = "Lockstep-trace"

// accept is what every request asks for.
const accept = "text/html,*/*;q=0.8"

// errHeaderTooBig is the end of an answer whose header is longer than maxHeader.
var errHeaderTooBig = fmt.Errorf("the header is longer than %d bytes", maxHeader)

// An answer is what one exchange brought, before the browser has looked at it.
type answer struct {
	status      int
	fields      []Field // as they came, byte for byte, in order
	body        []byte
	plainText   bool
	html        bool
	left        bool   // the body, from where it was no longer read
	encoded     string // the coding of a body that is not read; "": none
	certificate error  // why the certificate is not valid; nil over http, too
	tls         *tls.ConnectionState
	known       bool
	verdicts    []rule.Verdict // the site's, when known
}

// values returns the values of a header field, in order.
func (a *answer) values(name string) []string {
	var all []string
	for _, f := range a.fields {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return all
}

// first returns the first value of a header field, or "".
func (a *answer) first(name string) string {
	if all := a.values(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// exchange sends the request on a connection of its own and reads the answer, within the limits of
// this package.
// left says that the request was sent, whatever came of it. One that is private is sent to a name of this
// machine only if that is where it leads.
func (c *Client) exchange(ctx context.Context, req browser.Request, hr *http.Request, private bool) (a *answer, left bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	conn, err := c.connect(ctx, req)
	if err != nil {
		return nil, false, first(ctx.Err(), err)
	}
	defer conn.Close()
	if private && (c.Insecure || req.URL.Scheme != "https") && !isHere(conn.RemoteAddr()) {
		return nil, false, errElsewhere
	}
	if c.Watch != nil {
		c.Watch.Expect(conn.LocalAddr().String())
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := hr.Write(conn); err != nil {
		return nil, true, first(ctx.Err(), err) // some of it may have left
	}
	a, err = readAnswer(bufio.NewReader(conn), hr)
	if err != nil {
		return nil, true, first(ctx.Err(), err)
	}
	if secured, ok := conn.(*tls.Conn); ok {
		state := secured.ConnectionState()
		a.tls, a.certificate = &state, c.verify(state, req.URL.Hostname())
	}
	if c.Watch != nil {
		a.verdicts, a.known = c.Watch.Decided(ctx, conn.LocalAddr().String())
	}
	return a, true, nil
}

// errElsewhere is that a name of this machine leads to another one: a resolver says so, or --connect-to.
var errElsewhere = errors.New("the address is not one of this machine")

// isHere reports whether an address is one of this machine. Others than of TCP are of this process.
func isHere(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// first returns the first error that is one: that a context ended explains what broke because of it.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) timeout() time.Duration {
	if c.Timeout == 0 {
		return defaultTimeout
	}
	return c.Timeout
}

// newRequest writes one request of a navigation: with what the browser says of where it comes from, and
// the body, unless a redirect has dropped it.
func newRequest(ctx context.Context, req browser.Request, cookies string, context []browser.HeaderField, n *Navigation) (*http.Request, error) {
	u := *req.URL
	u.Fragment, u.RawFragment = "", ""
	var body io.Reader = http.NoBody
	if n.sendsBody(req) {
		body = bytes.NewReader(n.Body)
	}
	hr, err := http.NewRequestWithContext(ctx, req.Method, u.String(), body)
	if err != nil {
		return nil, err
	}
	hr.Close = true
	hr.Header.Set("User-Agent", userAgent)
	hr.Header.Set("Accept", accept)
	if req.ContentType != "" {
		hr.Header.Set("Content-Type", req.ContentType)
	}
	for _, f := range context {
		hr.Header.Set(f.Name, f.Value)
	}
	if cookies != "" {
		hr.Header.Set("Cookie", cookies)
	}
	for name, values := range n.Header {
		if name == "Host" {
			hr.Host = values[0]
			continue
		}
		hr.Header[name] = slices.Clone(values)
	}
	return hr, nil
}

// contextOf returns the header lines of a request that say where it comes from, as they were sent.
func contextOf(hr *http.Request) []Field {
	var fields []Field
	for _, name := range []string{"Origin", "Referer", requestMethod, "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest"} {
		for _, value := range hr.Header[name] {
			fields = append(fields, Field{Name: name, Value: value})
		}
	}
	return fields
}

// connect dials the host of the request, over TLS for https.
func (c *Client) connect(ctx context.Context, req browser.Request) (net.Conn, error) {
	host, port := req.URL.Hostname(), req.URL.Port()
	secure := req.URL.Scheme == "https"
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[secure]
	}
	conn, err := c.dial(ctx, net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	c.reached(ctx, req.URL.Host, conn.RemoteAddr())
	if !secure {
		return conn, nil
	}
	secured := tls.Client(conn, &tls.Config{
		ServerName: host,
		NextProtos: []string{"http/1.1"},
		Time:       c.now,
		MinVersion: tls.VersionTLS12,
		// The chain is verified below, so that the reason can be told and --insecure can go on.
		InsecureSkipVerify: true, //nolint:gosec // verified in VerifyConnection
		VerifyConnection: func(state tls.ConnectionState) error {
			if c.Insecure {
				return nil
			}
			return c.verify(state, host)
		},
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

func (c *Client) dial(ctx context.Context, addr string) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx, "tcp", addr)
	}
	return Dial(ctx, "tcp", addr)
}

// verify reports why the certificate of a connection to host is not valid, or nil.
func (c *Client) verify(state tls.ConnectionState, host string) error {
	options := x509.VerifyOptions{Roots: c.Roots, DNSName: host, CurrentTime: c.now(), Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	if _, err := state.PeerCertificates[0].Verify(options); err != nil {
		return &certificateError{err}
	}
	return nil
}

// readAnswer reads the answer to hr, past those of status 1xx.
//
// Package net/http fails on a header with a control character, where browsers refuse no more than the
// cookie in it. So the header is kept here as it came, and net/http gets it without those characters.
func readAnswer(r *bufio.Reader, hr *http.Request) (*answer, error) {
	for range maxInformed + 1 {
		head, err := readHead(r)
		if err != nil {
			return nil, err
		}
		clean := bufio.NewReader(io.MultiReader(bytes.NewReader(withoutControls(head)), r))
		resp, err := http.ReadResponse(clean, hr) //nolint:bodyclose // closing would read a body without end; the connection is closed
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		a := &answer{
			status: resp.StatusCode, fields: fieldsOf(head), encoded: codingOf(resp.Header),
			plainText: strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain"),
			html:      isHTML(resp.Header.Get("Content-Type")),
		}
		a.readBody(resp.Body)
		return a, nil
	}
	return nil, errors.New("more than a few answers of status 1xx")
}

// readBody reads what a page may have. A body that ends early is no concern of cookies: what came of it is
// kept. One in a coding, which was not asked for, is not unpacked, since little of it can be much.
func (a *answer) readBody(body io.Reader) {
	if a.encoded != "" {
		a.plainText, a.html = false, false
		return
	}
	read, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	a.body, a.left = read[:min(len(read), maxBody)], err != nil || len(read) > maxBody
}

// codingOf is the Content-Encoding of an answer, or "" when the body is as it is.
func codingOf(h http.Header) string {
	coding := strings.ToLower(strings.Join(h["Content-Encoding"], ", "))
	if coding == "identity" {
		return ""
	}
	return coding
}

// readHead reads the status line and the header, up to and with the empty line.
func readHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := r.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case len(head) > maxHeader:
			return nil, errHeaderTooBig
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		case !bytes.HasPrefix(head, []byte("HTTP/")):
			return nil, errors.New("it does not begin with HTTP/")
		case bytes.HasSuffix(head, []byte("\n\r\n")), bytes.HasSuffix(head, []byte("\n\n")):
			return head, nil
		}
	}
}

// withoutControls is head without the control characters that net/http does not read. NUL stays: no
// browser reads that either.
func withoutControls(head []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < ' ' && r != 0 && r != '\t' && r != '\r' && r != '\n' || r == 0x7f {
			return ' '
		}
		return r
	}, bytes.ToValidUTF8(head, []byte("?")))
}

// fieldsOf takes the lines of a header apart. A line that begins with a space goes on with the one
// before it (RFC 9112, section 5.2).
func fieldsOf(head []byte) []Field {
	var (
		fields []Field
		parts  []string // of the value of the last field
	)
	finish := func() {
		if len(fields) > 0 {
			fields[len(fields)-1].Value = strings.Join(parts, " ")
		}
	}
	lines := strings.Split(strings.TrimRight(string(head), "\r\n"), "\n")
	for _, line := range lines[1:min(len(lines), maxLines+1)] {
		line = strings.TrimSuffix(line, "\r")
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			parts = append(parts, strings.Trim(line, " \t"))
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if found {
			finish()
			fields, parts = append(fields, Field{Name: name}), []string{strings.Trim(value, " \t")}
		}
	}
	finish()
	return fields
}
