package scenario

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

var rules rule.Set

// Rules returns the rules of what somebody does who is on the path between the browser and the site.
func Rules() []rule.Rule { return rules.All() }

var (
	pathForged = rules.Add(rule.Rule{
		ID:       "path-forged",
		Source:   "RFC 9110, section 17.1",
		Sentence: "Somebody else answered in the place of the site, and the browser could not tell.",
		Fix:      "Over http anybody on the path can do that: let the browser come over https only, with HSTS; and give no host below your name to others.",
		Scenario: `
forge http://shop.test/prize Set-Cookie: a=1
visit http://shop.test/prize
`,
	})
	pathStripped = rules.Add(rule.Rule{
		ID:       "path-stripped",
		Source:   "RFC 6797, section 2.4.1 (active network attackers)",
		Sentence: "Somebody on the path speaks https with the site and http with the browser, and takes Secure and HSTS out of the answers.",
		Fix:      "Let the browser know before that the site is to be asked over https only: HSTS, for a first visit the preload list.",
		Scenario: `
network stripped
visit http://shop.test/
`,
	})
)

// Limits of what somebody on the path takes in.
const (
	maxTapped = 64 << 10 // bytes of a connection, in each direction
	maxForged = 100      // addresses at which somebody else answers
)

// A forgery is what somebody else answers in the place of the site.
type forgery struct{ lines [][2]string }

// forge has somebody else answer at u from now on, with a line. In its value {name} stands for the name of the
// session cookie and {cookie} for that of the present browser, with its value.
func (w *world) forge(u *url.URL, name, value string) error {
	filled, err := w.fillIn(value)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := forgedKey(u.Scheme == "https", u.Host, u.Path)
	f, ok := w.forged[key]
	if !ok && len(w.forged) >= maxForged {
		return fmt.Errorf("more than %d addresses at which somebody else answers", maxForged)
	}
	f.lines = append(slices.Clone(f.lines), [2]string{name, filled})
	w.forged[key] = f
	return nil
}

func (w *world) fillIn(value string) (string, error) {
	if !strings.Contains(value, "{") {
		return value, nil
	}
	s, err := w.settings()
	if err != nil {
		return "", err
	}
	name := s.SessionCookieName
	value = strings.ReplaceAll(value, "{name}", name)
	if !strings.Contains(value, "{cookie}") {
		return value, nil
	}
	for _, c := range w.browser.Cookies(w.now()) {
		if c.Name() == name {
			return strings.ReplaceAll(value, "{cookie}", name+"="+c.Value()), nil
		}
	}
	return "", &absentError{"the browser has no cookie " + name}
}

func forgedKey(secure bool, host, path string) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	if path == "" {
		path = "/"
	}
	return scheme + "://" + strings.ToLower(host) + path
}

// answerForged answers in the place of the site, and reports whether it did.
func (w *world) answerForged(rw http.ResponseWriter, r *http.Request) bool {
	w.mu.Lock()
	f, ok := w.forged[forgedKey(r.TLS != nil, r.Host, r.URL.Path)]
	w.mu.Unlock()
	if !ok {
		return false
	}
	for _, line := range f.lines {
		rw.Header()[line[0]] = append(rw.Header()[line[0]], line[1])
	}
	if rec := rule.FromContext(r.Context()); rec.Watching() {
		rec.Record(rule.Verdict{
			Side: rule.Path, Question: rule.Answer, Subject: r.Host + r.URL.Path, Yes: true, Rule: pathForged,
			Facts: []rule.Fact{{Name: "asked for", Value: forgedKey(r.TLS != nil, r.Host, r.URL.Path)}},
		})
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(rw, "not from the site")
	return true
}

func parseForge(rest string) (func(*world) error, error) {
	target, line, _ := strings.Cut(rest, " ")
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("want URL HEADER: VALUE, such as http://shop.test/prize Set-Cookie: a=1")
	}
	name, value, err := headerLine(line)
	return func(w *world) error { return w.forge(u, name, value) }, err
}

func parseOverhear(rest string) (func(*world) error, error) {
	return func(w *world) error { return w.overhear(rest) }, nil
}

// A tap is a connection of the person's browser, as somebody on the path has it: every byte, and over TLS
// nothing that can be read.
type tap struct {
	net.Conn
	host string

	mu       sync.Mutex // a connection that runs out of time is closed, with a last word, beside the visit
	up, down bytes.Buffer
}

// Read implements [net.Conn].
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.keep(&t.down, p[:n])
	return n, err
}

// Write implements [net.Conn].
func (t *tap) Write(p []byte) (int, error) {
	t.keep(&t.up, p)
	return t.Conn.Write(p)
}

func (t *tap) keep(of *bytes.Buffer, p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of.Write(p[:min(len(p), max(0, maxTapped-of.Len()))])
}

// had is what went over the connection by now, to the site and back.
func (t *tap) had() (up, down []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.up.Bytes()), bytes.Clone(t.down.Bytes())
}

// A heard cookie is the last value that one had in clear, and the host that it is for.
type heard struct{ value, host string }

// listenIn takes in what was to hear on the connections of the last visit.
func (w *world) listenIn() {
	for _, t := range w.taps {
		up, down := t.had()
		for _, line := range headOf(up, "Cookie") {
			for _, p := range cookie.ParseHeader(line) {
				w.heard[p.Name] = heard{p.Value, t.host}
			}
		}
		for _, line := range headOf(down, "Set-Cookie") {
			if l := cookie.Parse(line); l.Value != "" {
				w.heard[l.Name] = heard{l.Value, t.host}
			}
		}
	}
	w.taps = nil
}

// headOf are the values of a field in the head of what went over a connection, if that can be read.
func headOf(sent []byte, name string) []string {
	head, _, _ := bytes.Cut(sent, []byte("\r\n\r\n"))
	if !bytes.Contains(head, []byte("HTTP/1.1")) {
		return nil
	}
	var all []string
	for line := range strings.SplitSeq(string(head), "\r\n") {
		field, value, found := strings.Cut(line, ":")
		if found && strings.EqualFold(field, name) {
			all = append(all, strings.TrimSpace(value))
		}
	}
	return all
}

// overhear puts a cookie into the present browser that went over the person's connections in clear, that of the
// session when name is "". If none did, there is nothing to put there.
func (w *world) overhear(name string) error {
	if name == "" {
		s, err := w.settings()
		if err != nil {
			return err
		}
		name = s.SessionCookieName
	}
	h, ok := w.heard[name]
	if !ok {
		return nil
	}
	u := &url.URL{Scheme: "https", Host: h.host, Path: "/"}
	line := fmt.Sprintf("%s=%s; Path=/; Secure", name, h.value)
	if v := w.browser.StoreCookie(browser.Request{URL: u}, line, w.now(), nil); !v.Yes {
		return fmt.Errorf("the cookie cannot be stored: %s", v.Rule)
	}
	return nil
}

// strip is a connection that ends at somebody on the path: what the browser asks over http he asks of the
// site, to which up leads, over https. TLS of the browser he has to let through.
func (w *world) strip(ctx context.Context, host string, up net.Conn) net.Conn {
	here, there := net.Pipe()
	stop := context.AfterFunc(ctx, func() { up.Close(); there.Close() })
	go func() {
		defer stop()
		defer there.Close()
		defer up.Close()
		from := bufio.NewReader(there)
		first, err := from.Peek(1)
		switch {
		case err != nil:
		case first[0] == handshake:
			passOn(from, there, up)
		default:
			relay(from, there, tls.Client(up, &tls.Config{
				ServerName: host, RootCAs: w.authority.Pool(), Time: w.now, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
			}))
		}
	}()
	return &stripped{Conn: here, addr: up.LocalAddr()}
}

// handshake is the first byte of TLS (RFC 8446, section 5.1).
const handshake = 22

// passOn hands on every byte, until either side ends.
func passOn(from io.Reader, browser, site net.Conn) {
	go func() {
		_, _ = io.Copy(site, from)
		site.Close()
	}()
	_, _ = io.Copy(browser, site)
}

// A stripped connection goes by the address under which the site knows the one behind it, by which the verdicts
// of the site are found.
type stripped struct {
	net.Conn
	addr net.Addr
}

// LocalAddr implements [net.Conn].
func (s *stripped) LocalAddr() net.Addr { return s.addr }

// relay hands one request on, and its answer back. What goes wrong is seen by the browser as no answer.
func relay(from *bufio.Reader, browser io.Writer, site io.ReadWriter) {
	r, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	for _, name := range []string{"Origin", "Referer"} {
		for i, value := range r.Header[name] {
			r.Header[name][i] = strings.Replace(value, "http://", "https://", 1)
		}
	}
	if err := r.Write(site); err != nil {
		return
	}
	answer, err := http.ReadResponse(bufio.NewReader(site), r)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	weaken(answer.Header)
	_ = answer.Write(browser)
}

// weaken takes out of an answer what would lead the browser to https.
func weaken(h http.Header) {
	h.Del("Strict-Transport-Security")
	for _, name := range []string{"Location", "Content-Security-Policy"} {
		for i, value := range h[name] {
			h[name][i] = strings.ReplaceAll(value, "https://", "http://")
		}
	}
	for i, line := range h["Set-Cookie"] {
		parts := strings.Split(line, ";")
		parts = slices.DeleteFunc(parts, func(p string) bool { return strings.EqualFold(strings.TrimSpace(p), "Secure") })
		h["Set-Cookie"][i] = strings.Join(parts, ";")
	}
}

// markStripped notes on the hops of a visit that somebody stripped them.
func markStripped(v *trace.Visit) {
	for i := range v.Hops {
		h := &v.Hops[i]
		if h.Secure() || h.Response == nil {
			continue
		}
		mark := rule.Verdict{
			Side: rule.Path, Question: rule.Answer, Subject: h.URL, Yes: true, Rule: pathStripped,
			Facts: []rule.Fact{{Name: "asked by the browser", Value: "http"}, {Name: "asked of the site", Value: "https"}},
		}
		at := slices.IndexFunc(h.Verdicts, func(v rule.Verdict) bool { return v.Side == rule.Site })
		if at < 0 {
			at = len(h.Verdicts)
		}
		h.Verdicts = slices.Insert(h.Verdicts, at, mark)
	}
}
