package lockstep_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
)

type hostTest struct {
	name    string
	allowed []string // nil is "*"
	host    string
	rule    rule.ID
}

const (
	allowed    rule.ID = "host-allowed"
	notAllowed rule.ID = "host-not-allowed"
	malformed  rule.ID = "host-malformed"
)

var hostTests = []hostTest{
	{name: "name", host: "shop.test", rule: allowed},
	{name: "port", host: "shop.test:8000", rule: allowed},
	{name: "IPv4", host: "127.0.0.1:80", rule: allowed},
	{name: "IPv6", host: "[2001:DB8::1]:443", rule: allowed},
	{name: "IPv6 without port", host: "[::1]", rule: allowed},
	{name: "shortest IPv6", host: "[::]", rule: allowed},
	{name: "IPv4 in IPv6", host: "[::FFFF:192.0.2.1]:80", rule: allowed},
	{name: "dots only look odd", host: "a..b", rule: allowed},
	{name: "hyphen", host: "-", rule: allowed},
	{name: "leading dot", host: ".shop.test", rule: allowed},
	{name: "H03 port out of range", host: "shop.test:99999", rule: allowed},
	{name: "port with zeros", host: "shop.test:000080", rule: allowed},
	{name: "H04 upper case and dot", allowed: []string{"app.example"}, host: "APP.EXAMPLE.", rule: allowed},

	{name: "H01 no Host", host: "", rule: malformed},
	{name: "H01 userinfo", host: "user@shop.test", rule: malformed},
	{name: "H01 slash", host: "shop.test/", rule: malformed},
	{name: "H01 space", host: "shop test", rule: malformed},
	{name: "H01 non-ASCII", host: "shöp.test", rule: malformed},
	{name: "H01 backslash", host: `shop.test\evil`, rule: malformed},
	{name: "H01 markup", host: `"<script>`, rule: malformed},
	{name: "H01 comma list", host: "a.test,b.test", rule: malformed},
	{name: "H02 letters after the port", host: "app.example:80a", rule: malformed},
	{name: "H02 text after an address", host: "[::1]evil", rule: malformed},
	{name: "H02 zone", host: "[::1%25eth0]", rule: malformed},
	{name: "empty port", host: "shop.test:", rule: malformed},
	{name: "a dot alone", host: ".", rule: malformed},
	{name: "underscore", host: "my_host", rule: malformed},
	{name: "brackets without colon", host: "[abc]", rule: malformed},
	{name: "brackets with one colon at the end", host: "[abc:]", rule: malformed},
	{name: "brackets around what is no address", host: "[:0]", rule: malformed}, // see divergentCases
	{name: "brackets around IPv4", host: "[192.0.2.1]", rule: malformed},
	{name: "bracket alone", host: "[", rule: malformed},
	{name: "closing bracket alone", host: "]", rule: malformed},
	{name: "IPv6 without brackets", host: "::1", rule: malformed},
	{name: "Kelvin sign", allowed: []string{"k.test"}, host: "\u212a.test", rule: malformed},
	{name: "line end", host: "shop.test\n", rule: malformed},

	{name: "H06 leading dot, another host", allowed: []string{".example.com"}, host: "evil.example", rule: notAllowed},
	{name: "H06 leading dot, apex", allowed: []string{".example.com"}, host: "example.com", rule: allowed},
	{name: "H06 leading dot, below", allowed: []string{".example.com"}, host: "a.b.example.com:80", rule: allowed},
	{name: "H06 leading dot, suffix of a name", allowed: []string{".example.com"}, host: "badexample.com", rule: notAllowed},
	{name: "H06 exact", allowed: []string{"example.com"}, host: "evil.example", rule: notAllowed},
	{name: "H06 exact, below", allowed: []string{"example.com"}, host: "a.example.com", rule: notAllowed},
	{name: "H06 star", allowed: []string{"*"}, host: "evil.example", rule: allowed},
	{name: "H06 pattern in upper case", allowed: []string{"Example.COM"}, host: "example.com", rule: allowed},
	{name: "H08 punycode of ASCII", allowed: []string{"example.com"}, host: "xn--example-.com", rule: notAllowed},
	{name: "several", allowed: []string{"a.test", "b.test"}, host: "b.test", rule: allowed},
	{name: "none allowed", allowed: []string{}, host: "shop.test", rule: notAllowed},
}

func TestHost(t *testing.T) {
	for _, tt := range hostTests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, func(s *lockstep.Settings) {
				if tt.allowed != nil {
					s.AllowedHosts = tt.allowed
				}
			})
			r := get(t, "https", "/", "shop.test")
			r.Host = tt.host
			v := g.Host(r)
			if v.Rule != tt.rule || v.Yes != (tt.rule == allowed) || v.Subject != tt.host {
				t.Errorf("rule %s, yes %v, subject %q; want %s", v.Rule, v.Yes, v.Subject, tt.rule)
			}
			called := false
			resp := answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				called = true
				if got := lockstep.Host(r); got != tt.host {
					t.Errorf("Host = %q", got)
				}
			})), r)
			if want := map[bool]int{true: 200, false: 400}[v.Yes]; resp.StatusCode != want || called != v.Yes {
				t.Errorf("status %d, app called %v", resp.StatusCode, called)
			}
		})
	}
}

// H05: the authority of an absolute target replaces Host, as RFC 9112, section 3.2.2, has it.
func TestHostOfAbsoluteTarget(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) { s.AllowedHosts = []string{"app.example"} })
	if v := g.Host(get(t, "http", "http://evil.example/x", "app.example")); v.Rule != notAllowed {
		t.Errorf("rule %s", v.Rule)
	}
}

// H07: X-Forwarded-Host counts only when it is asked for and a trusted proxy sends it.
func TestForwardedHost(t *testing.T) {
	on := func(s *lockstep.Settings) {
		s.AllowedHosts = []string{"app.example"}
		s.UseXForwardedHost = true
		s.TrustedProxies = []string{"192.0.2.1"}
	}
	tests := []struct {
		name   string
		change func(*lockstep.Settings)
		remote string
		lines  []string
		rule   rule.ID
		host   string
		notes  []rule.ID
	}{
		{name: "off", change: func(s *lockstep.Settings) { s.AllowedHosts = []string{"app.example"} }, lines: []string{"X-Forwarded-Host: evil.example"}, rule: allowed, host: "app.example"},
		{name: "on", change: on, lines: []string{"X-Forwarded-Host: evil.example"}, rule: notAllowed, host: "evil.example"},
		{name: "on, allowed", change: on, lines: []string{"X-Forwarded-Host: APP.example:444"}, rule: allowed, host: "APP.example:444"},
		{name: "on, empty", change: on, lines: []string{"X-Forwarded-Host:"}, rule: malformed},
		{name: "on, two lines", change: on, lines: []string{"X-Forwarded-Host: app.example", "X-Forwarded-Host: app.example"}, rule: malformed, host: "app.example,app.example"},
		{name: "on, untrusted", change: on, remote: "198.51.100.7:1", lines: []string{"X-Forwarded-Host: evil.example"}, rule: allowed, host: "app.example", notes: []rule.ID{"note-forwarded-host-untrusted"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get(t, "https", "/", "app.example", tt.lines...)
			if tt.remote != "" {
				r.RemoteAddr = tt.remote
			}
			v := newGuard(t, tt.change).Host(r)
			if v.Rule != tt.rule || v.Subject != tt.host || !slices.Equal(v.Notes, tt.notes) {
				t.Errorf("rule %s, host %q, notes %v", v.Rule, v.Subject, v.Notes)
			}
		})
	}
}

// A refusal is one line in the log, in Django's words, and tells the client nothing.
func TestRefusedHostLog(t *testing.T) {
	var log bytes.Buffer
	s := djangoSettings(func(s *lockstep.Settings) { s.AllowedHosts = []string{"app.example"} })
	g, err := lockstep.New(s, lockstep.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	r := get(t, "https", "/a%0Ab%1b%5b31m", "evil.example:81", "Cookie: sessionid=secret0123456789")
	resp := answerOf(g.Wrap(hello), r)
	body := new(bytes.Buffer)
	_, _ = body.ReadFrom(resp.Body)
	if resp.StatusCode != http.StatusBadRequest || body.String() != "400 Bad Request\n" {
		t.Errorf("status %d, body %q", resp.StatusCode, body)
	}
	line := log.String()
	for _, want := range []string{
		`Invalid HTTP_HOST header: 'evil.example:81'. You may need to add 'evil.example' to ALLOWED_HOSTS.`,
		`"logger":"django.security.DisallowedHost"`, `"rule":"host-not-allowed"`, `"client":"192.0.2.1"`, `"status":400`,
	} {
		if !strings.Contains(line, want) {
			t.Errorf("log lacks %s: %s", want, line)
		}
	}
	if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b") || strings.Contains(line, "secret") {
		t.Errorf("log %q", line)
	}
	r.Host = strings.Repeat("a", 1<<20) + "_"
	log.Reset()
	answerOf(g.Wrap(hello), r)
	if log.Len() > 8192 {
		t.Errorf("a log line of %d bytes", log.Len())
	}
}

// With DEBUG the page tells the reason, too, as text.
func TestRefusedHostPageInDebug(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) { s.Debug, s.AllowedHosts = true, nil })
	resp := answerOf(g.Wrap(hello), get(t, "https", "/", "evil.test"))
	body := new(bytes.Buffer)
	_, _ = body.ReadFrom(resp.Body)
	if !strings.Contains(body.String(), "'evil.test'") || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%q %v", body, resp.Header)
	}
	if resp := answerOf(g.Wrap(hello), get(t, "https", "/", "app.localhost:8000")); resp.StatusCode != http.StatusOK {
		t.Errorf("localhost gets %d", resp.StatusCode)
	}
}

func TestHostWithoutGuard(t *testing.T) {
	if got := lockstep.Host(get(t, "http", "/", "my_host")); got != "my_host" {
		t.Errorf("Host = %q", got)
	}
}

// X07: whose address the log tells.
func TestClientInLog(t *testing.T) {
	tests := []struct{ name, remote, forwarded, want string }{
		{"no proxy", "198.51.100.7:1", "", "198.51.100.7"},
		{"untrusted peer", "198.51.100.7:1", "127.0.0.1", "198.51.100.7"},
		{"trusted proxy", "192.0.2.1:1", "203.0.113.9", "203.0.113.9"},
		{"client wrote the first", "192.0.2.1:1", "127.0.0.1, 203.0.113.9", "203.0.113.9"},
		{"two proxies", "192.0.2.1:1", "203.0.113.9, 2001:db8::1", "203.0.113.9"},
		{"not an address", "192.0.2.1:1", "unknown", "192.0.2.1"},
		{"pipe", "pipe", "", "pipe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			s := djangoSettings(func(s *lockstep.Settings) {
				proxied(s)
				s.AllowedHosts = nil
			})
			g, err := lockstep.New(s, lockstep.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			r := get(t, "https", "/", "shop.test", "X-Forwarded-For: "+tt.forwarded)
			r.RemoteAddr = tt.remote
			answerOf(g.Wrap(hello), r)
			if !strings.Contains(log.String(), " client="+tt.want+"\n") {
				t.Errorf("log %s", &log)
			}
		})
	}
}
