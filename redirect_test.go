package lockstep_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
)

type locationTest struct {
	name, target, host string
	want               string
}

// Location as a real Django 3.2 answers it; rows P of the attacks.
var locationTests = []locationTest{
	{"root", "/", "shop.test", "https://shop.test/"},
	{"query", "/a?b=1&c", "shop.test", "https://shop.test/a?b=1&c"},
	{"port is kept", "/", "shop.test:8080", "https://shop.test:8080/"},
	{"port 80 is kept", "/", "shop.test:80", "https://shop.test:80/"},
	{"H03 any port", "/x", "app.example:99999", "https://app.example:99999/x"},
	{"H04 letter case and dot", "/x", "APP.EXAMPLE.", "https://APP.EXAMPLE./x"},
	{"IPv6", "/x", "[::1]:8000", "https://[::1]:8000/x"},
	{"quoting of the path", "/a=b;c[d]%2Fe%7Ef%2Bg%c3%a9%20%3F%23%25%0A", "h", "https://h/a%3Db%3Bc%5Bd%5D/e~f+g%C3%A9%20%3F%23%25%0A"},
	{"not UTF-8", "/%FF", "h", "https://h/%25FF"},
	{"query is kept", "/a?x=%zz&y=%41+b;c[1]?=", "h", "https://h/a?x=%zz&y=%41+b;c[1]?="},
	{"question mark alone", "/a?", "h", "https://h/a"},
	{"dot segments", "/a/../b/./c", "h", "https://h/a/../b/./c"},
	{"P01", "//evil.example/%2f..", "app.example", "https://app.example//evil.example//.."},
	{"P02", `/\evil.example`, "app.example", "https://app.example/%5Cevil.example"},
	{"P03", "/x%0d%0aSet-Cookie:%20a=b", "app.example", "https://app.example/x%0D%0ASet-Cookie:%20a%3Db"},
	{"P05", "/admin#/pub", "app.example", "https://app.example/admin%23/pub"},
	{"P06 semicolon", "/pub;/../admin", "app.example", "https://app.example/pub%3B/../admin"},
	{"P06 overlong", "/pub/%c0%ae%c0%ae/admin", "app.example", "https://app.example/pub/%25C0%25AE%25C0%25AE/admin"},
	{"P06 NUL", "/x%00.png", "app.example", "https://app.example/x%00.png"},
	{"P07", "/x?a=1;b=2", "app.example", "https://app.example/x?a=1;b=2"},
	{"P08", "/é", "app.example", "https://app.example/%C3%A9"},
}

func TestRedirectLocation(t *testing.T) {
	g := newGuard(t, redirecting)
	for _, tt := range locationTests {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, "PURGE"} {
				r := serverRequest(t, "http", method, tt.target, tt.host)
				location, v := g.Redirect(r)
				if location != tt.want || !v.Yes || v.Rule != "redirect-to-https" {
					t.Errorf("location %q, rule %s; want %q", location, v.Rule, tt.want)
				}
				resp := answerOf(g.Wrap(hello), r)
				if resp.StatusCode != http.StatusMovedPermanently || resp.Header.Get("Location") != tt.want {
					t.Errorf("%s: %d %q, want %q", method, resp.StatusCode, resp.Header.Get("Location"), tt.want)
				}
			}
		})
	}
}

// P05, P06: what net/http refuses by itself never comes as far as the Guard.
func TestTargetsThatServerRefuses(t *testing.T) {
	for _, target := range []string{"/x%zz", "/x%", "x", "/a\x01b"} {
		text := "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"
		if _, err := readRequest(text); err == nil {
			t.Errorf("%q is read", target)
		}
	}
}

func TestRedirectAnswer(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) {
		s.SecureSSLRedirect, s.SecureHSTSSeconds = true, 60
		s.SessionSaveEveryRequest = true
	})
	resp := answerOf(g.Wrap(hello), get(t, "http", "/", "shop.test", "Cookie: sessionid=x"))
	want := map[string]string{
		"Location":                   "https://shop.test/",
		"Content-Type":               "text/html; charset=utf-8",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin",
	}
	if len(resp.Header) != len(want) {
		t.Errorf("headers %v", resp.Header)
	}
	for name, value := range want {
		if resp.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, resp.Header.Get(name), value)
		}
	}
	if resp.ContentLength > 0 {
		t.Errorf("a body of %d bytes", resp.ContentLength)
	}
}

type redirectTest struct {
	name   string
	change func(*lockstep.Settings)
	scheme string
	target string
	host   string
	rule   rule.ID
	status int
}

func exempting(patterns ...string) func(*lockstep.Settings) {
	return func(s *lockstep.Settings) { s.SecureSSLRedirect, s.SecureRedirectExempt = true, patterns }
}

func sslHost(host string) func(*lockstep.Settings) {
	return func(s *lockstep.Settings) {
		s.SecureSSLRedirect, s.SecureSSLHost = true, host
		s.AllowedHosts = []string{"shop.test"}
	}
}

var redirectTests = []redirectTest{
	{name: "off", scheme: "http", target: "/", rule: "redirect-off", status: 200},
	{name: "off and secure", scheme: "https", target: "/", rule: "redirect-off", status: 200},
	{name: "secure", change: redirecting, scheme: "https", target: "/", rule: "redirect-already-secure", status: 200},
	{name: "exempt", change: exempting("x", "^health$"), scheme: "http", target: "/health?q", rule: "redirect-exempt", status: 200},
	{name: "not exempt", change: exempting("^health$"), scheme: "http", target: "/health/", rule: "redirect-to-https", status: 301},
	{name: "slash is not part of the path", change: exempting("/health"), scheme: "http", target: "/health", rule: "redirect-to-https", status: 301},
	{name: "all slashes go", change: exempting("^health$"), scheme: "http", target: "///health", rule: "redirect-exempt", status: 200},
	{name: "search, not match", change: exempting("alt"), scheme: "http", target: "/health", rule: "redirect-exempt", status: 200},
	{name: "decoded", change: exempting("^a b$"), scheme: "http", target: "/a%20b", rule: "redirect-exempt", status: 200},
	{name: "line end", change: exempting("^health$"), scheme: "http", target: "/health%0A", rule: "redirect-to-https", status: 301},
	{name: "P04 dot segment", change: exempting("^healthz$"), scheme: "http", target: "/healthz/../admin", rule: "redirect-to-https", status: 301},
	{name: "P04 open pattern, as Django", change: exempting("^healthz"), scheme: "http", target: "/healthz/%2e%2e/admin", rule: "redirect-exempt", status: 200},
	{name: "P04 letter case", change: exempting("^healthz$"), scheme: "http", target: "/HEALTHZ", rule: "redirect-to-https", status: 301},
	{name: "P04 semicolon", change: exempting("^healthz$"), scheme: "http", target: "/healthz;x", rule: "redirect-to-https", status: 301},
	{name: "P04 number sign", change: exempting("^healthz$"), scheme: "http", target: "/healthz#/admin", rule: "redirect-to-https", status: 301},
	{name: "P04 query", change: exempting("healthz"), scheme: "http", target: "/x?/healthz", rule: "redirect-to-https", status: 301},
	{name: "SSL host", change: sslHost("secure.test:8443"), scheme: "http", target: "/a", host: "shop.test", rule: "redirect-to-https", status: 301},
	{name: "SSL host asks for no host", change: sslHost("secure.test"), scheme: "http", target: "/a", host: "evil_host", rule: "redirect-to-https", status: 301},
	{name: "SSL host, secure, bad host", change: sslHost("secure.test"), scheme: "https", target: "/a", host: "evil.test", rule: "redirect-already-secure", status: 400},
	{
		name: "bad host", scheme: "http", target: "/", host: "evil.test", rule: "host-not-allowed", status: 400,
		change: func(s *lockstep.Settings) { s.SecureSSLRedirect, s.AllowedHosts = true, []string{"shop.test"} },
	},
}

func TestRedirect(t *testing.T) {
	for _, tt := range redirectTests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, tt.change)
			r := get(t, tt.scheme, tt.target, "shop.test")
			if tt.host != "" {
				r.Host = tt.host
			}
			location, v := g.Redirect(r)
			if v.Rule != tt.rule || v.Yes != (location != "") || v.Yes != (tt.rule == "redirect-to-https") {
				t.Errorf("rule %s, yes %v, location %q", v.Rule, v.Yes, location)
			}
			resp := answerOf(g.Wrap(hello), r)
			if resp.StatusCode != tt.status || resp.Header.Get("Location") != location {
				t.Errorf("status %d, Location %q, want %d %q", resp.StatusCode, resp.Header.Get("Location"), tt.status, location)
			}
		})
	}
}

// P09: a body is not read before the redirect.
func TestRedirectReadsNoBody(t *testing.T) {
	r := serverRequest(t, "http", http.MethodPost, "/", "shop.test", "Content-Length: 10737418240")
	r.Body = unreadable{t}
	answerOf(newGuard(t, redirecting).Wrap(hello), r)
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, http.ErrBodyReadAfterClose
}
func (unreadable) Close() error { return nil }

// The verdicts of one request come in the order in which it meets the questions.
func TestVerdictOrder(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) {
		s.SecureSSLRedirect = true
		s.AllowedHosts = []string{"shop.test"}
	})
	tests := []struct {
		name, scheme, host string
		want               []rule.ID
	}{
		{"served", "https", "shop.test", []rule.ID{
			"secure-over-tls", "host-allowed", "redirect-already-secure", "csrf-safe-method", "session-untouched",
			"header-hsts-off", "header-sent", "header-sent", "header-sent",
			"header-off", "header-off", "header-off", "header-off", "header-sent", // last X-Frame-Options
		}},
		{"redirected", "http", "shop.test", []rule.ID{
			"secure-plain-http", "host-allowed", "redirect-to-https",
			"header-hsts-off", "header-sent", "header-sent", "header-sent", "header-off", "header-off",
		}},
		{"refused before the redirect", "http", "evil.test", []rule.ID{"secure-plain-http", "host-not-allowed"}},
		{"refused", "https", "evil.test", []rule.ID{
			"secure-over-tls", "host-not-allowed", "session-untouched",
			"header-hsts-off", "header-sent", "header-sent", "header-sent", "header-off", "header-off", "header-off", "header-off",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, verdicts := watched(g.Wrap(hello), get(t, tt.scheme, "/", tt.host))
			if ids := ruleIDs(verdicts); !slices.Equal(ids, tt.want) {
				t.Errorf("rules %v\nwant  %v", ids, tt.want)
			}
			for _, v := range verdicts {
				if v.Side != rule.Site || v.Question == "" || len(v.Facts) == 0 || strings.Contains(string(v.Rule), "_") {
					t.Errorf("verdict %+v", v)
				}
			}
		})
	}
}

// What a redirect leads to has the host that was validated, whatever the path is.
func TestRedirectStaysOnHost(t *testing.T) {
	g := newGuard(t, redirecting)
	for _, tt := range locationTests {
		location, _ := g.Redirect(get(t, "http", tt.target, tt.host))
		u, err := url.Parse(strings.ReplaceAll(location, "%", "")) // broken escapes of queries are kept
		if err != nil || u.Scheme != "https" || u.Host != tt.host {
			t.Errorf("%q: %v", location, err)
		}
	}
}
