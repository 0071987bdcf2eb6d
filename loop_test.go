package lockstep_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
)

// A loopTest is what a request over http gets, and what the same request gets right after it.
type loopTest struct {
	name          string
	change        func(*lockstep.Settings) // beside SECURE_SSL_REDIRECT
	peer          string                   // "" is 10.0.0.7, which proxied trusts
	host          string                   // "" is shop.test
	header        [2]string
	first, second rule.ID // "" is redirect-to-https, and the first's
}

const (
	forwarded = rule.ID("redirect-loop-forwarded")
	repeated  = rule.ID("redirect-loop-repeated")
	suspect   = rule.ID("note-redirect-not-cached")
)

func loopProxied(s *lockstep.Settings) {
	s.SecureProxySSLHeader = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}
	s.TrustedProxies = []string{"10.0.0.0/8"}
}

func loopTests() []loopTest {
	proto := func(value string) [2]string { return [2]string{"X-Forwarded-Proto", value} }
	fetch := [2]string{"Sec-Fetch-Site", "none"}
	return []loopTest{
		{name: "nothing said"},
		{name: "http", header: proto("http")},
		{name: "nobody was named", header: proto("https"), first: forwarded},
		{name: "nobody was named, letter case", header: proto("HTTPS"), first: forwarded},
		{name: "nobody was named, list", header: proto("https, http"), first: forwarded},
		{name: "nobody was named, list the other way", header: proto("http,https"), first: forwarded},
		{name: "a word that holds it", header: proto("httpss")},
		{name: "scheme", header: [2]string{"X-Forwarded-Scheme", "https"}, first: forwarded},
		{name: "protocol", header: [2]string{"X-Forwarded-Protocol", "https"}, first: forwarded},
		{name: "ssl", header: [2]string{"X-Forwarded-Ssl", "on"}, first: forwarded},
		{name: "ssl off", header: [2]string{"X-Forwarded-Ssl", "off"}},
		{name: "url scheme", header: [2]string{"X-Url-Scheme", "https"}, first: forwarded},
		{name: "front end", header: [2]string{"Front-End-Https", "On"}, first: forwarded},
		{name: "cloudfront", header: [2]string{"Cloudfront-Forwarded-Proto", "https"}, first: forwarded},
		{name: "RFC 7239", header: [2]string{"Forwarded", `for=192.0.2.60;proto=http, for="[2001:db8::1]";Proto="https"`}, first: forwarded},
		{name: "RFC 7239, http", header: [2]string{"Forwarded", "for=192.0.2.60;proto=http;host=https"}},

		// The proxy says http, and one in front of it says https.
		{name: "a trusted list", change: loopProxied, header: proto("https,http"), first: forwarded},
		{name: "a trusted proxy that says http", change: loopProxied, header: proto("http")},
		{name: "a trusted proxy without the header", change: loopProxied},
		{name: "a trusted proxy with another header", change: loopProxied, header: [2]string{"X-Forwarded-Ssl", "on"}, first: forwarded},

		// Who is not named may be a client that reached the port: it is redirected, once.
		{name: "not a trusted proxy", change: loopProxied, peer: "192.0.2.1:1", header: proto("https"), first: suspect, second: repeated},
		{name: "not a trusted proxy, another header", change: loopProxied, peer: "192.0.2.1:1", header: [2]string{"Front-End-Https", "on"}, first: suspect, second: repeated},

		{name: "a browser at https", header: fetch, first: suspect, second: repeated},
		{name: "a browser at https, a trusted proxy that says http", change: func(s *lockstep.Settings) {
			loopProxied(s)
			s.SecureProxySSLHeader[0] = "HTTP_X_PROTO" // which it does not send
		}, header: fetch, first: suspect, second: repeated},
		{name: "a browser at localhost", host: "localhost:8000", header: fetch},
		{name: "a browser below localhost", host: "app.localhost", header: fetch},
		{name: "a browser at 127.0.0.1", host: "127.0.0.1:8000", header: fetch},
		{name: "a browser at ::1", host: "[::1]:8000", header: fetch},

		{name: "to another host", change: sslHost("secure.test"), header: proto("https")},
		{name: "to another host, browser", change: sslHost("secure.test"), header: fetch},
		{name: "to the host that was asked", change: sslHost("secure.test"), host: "Secure.test", header: proto("https"), first: forwarded},
		{name: "exempt", change: exempting("^a$"), header: proto("https"), first: "redirect-exempt"},
	}
}

func (tt loopTest) request(t *testing.T) *http.Request {
	r := get(t, "http", "/a?b=c", or(tt.host, "shop.test"))
	r.RemoteAddr = or(tt.peer, "10.0.0.7:4321")
	if tt.header[0] != "" {
		r.Header.Set(tt.header[0], tt.header[1])
	}
	return r
}

func TestRedirectLoop(t *testing.T) {
	for _, tt := range loopTests() {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, func(s *lockstep.Settings) {
				s.SecureSSLRedirect = true
				if tt.change != nil {
					tt.change(s)
				}
			})
			for i, want := range []rule.ID{rule.ID(or(string(tt.first), "redirect-to-https")), rule.ID(or(string(tt.second), or(string(tt.first), "redirect-to-https")))} {
				_, asked := g.Redirect(tt.request(t)) // which remembers nothing
				resp, verdicts := watched(g.Wrap(hello), tt.request(t))
				v := about(t, verdicts, rule.RedirectToHTTPS, "/a")
				if asked.Rule != v.Rule || asked.Yes != v.Yes {
					t.Errorf("request %d: Redirect says %v, and %v was done", i, asked, v)
				}
				wantLoop(t, i, want, v, resp)
			}
		})
	}
}

// wantLoop wants a redirect, a redirect that is not cached, or a diagnosis.
func wantLoop(t *testing.T, i int, want rule.ID, v rule.Verdict, resp *http.Response) {
	t.Helper()
	status, cached, cache := 301, "", ""
	switch want {
	case "redirect-exempt":
		status = 200
	case suspect:
		want, cached, cache = "redirect-to-https", string(suspect), "no-store"
	case forwarded, repeated:
		status, cache = 500, "no-store"
	}
	noted := ""
	if len(v.Notes) > 0 {
		noted = string(v.Notes[0])
	}
	if v.Rule != want || noted != cached || v.Yes != (status == 301) {
		t.Errorf("request %d: %s, %v, notes %v; want %s", i, v.Rule, v.Yes, v.Notes, want)
	}
	if resp.StatusCode != status || resp.Header.Get("Cache-Control") != cache || (resp.Header.Get("Location") != "") != (status == 301) || len(resp.Header["Set-Cookie"]) > 0 {
		t.Errorf("request %d: %s %v", i, resp.Status, resp.Header)
	}
}

// The page names the settings; what was seen, and where from, is for the log.
func TestRedirectLoopSaysWhatToSet(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*lockstep.Settings)
		peer    string
		headers [][2]string
		log     []string
	}{
		{"nothing set", nil, "10.0.0.7:1", [][2]string{{"X-Forwarded-Proto", "https"}}, []string{`SECURE_PROXY_SSL_HEADER = (\"HTTP_X_FORWARDED_PROTO\", \"https\")`, `TRUSTED_PROXIES = [\"10.0.0.7\"]`, "X-Forwarded-Proto says https"}},
		{"nothing set, ssl", nil, "10.0.0.7:1", [][2]string{{"X-Forwarded-Ssl", "on"}}, []string{`(\"HTTP_X_FORWARDED_SSL\", \"on\")`}},
		{"nothing set, RFC 7239", nil, "10.0.0.7:1", [][2]string{{"Forwarded", "proto=https"}}, []string{`(\"HTTP_X_FORWARDED_PROTO\", \"https\")`, "Forwarded says https"}},
		{"a list", loopProxied, "10.0.0.7:1", [][2]string{{"X-Forwarded-Proto", "https,http"}}, []string{"only before its last element", "10.0.0.7"}},
		{"another header", loopProxied, "10.0.0.7:1", [][2]string{{"Front-End-Https", "on"}}, []string{"HTTP_X_FORWARDED_PROTO, which does not", "10.0.0.7"}},
		{"not trusted", loopProxied, "192.0.2.1:1", [][2]string{{"X-Forwarded-Proto", "https"}}, []string{"192.0.2.1, which sent it, is not in TRUSTED_PROXIES"}},
		{"a browser", nil, "10.0.0.7:1", [][2]string{{"Sec-Fetch-Site", "none"}}, []string{"Sec-Fetch-Site", `TRUSTED_PROXIES = [\"10.0.0.7\"]`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			s := djangoSettings(func(s *lockstep.Settings) {
				s.SecureSSLRedirect = true
				if tt.change != nil {
					tt.change(s)
				}
			})
			g, err := lockstep.New(s, lockstep.Options{Now: fixedNow, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			var w *httptest.ResponseRecorder
			for range 2 {
				r := get(t, "http", "/a", "shop.test")
				r.RemoteAddr = tt.peer
				for _, h := range tt.headers {
					r.Header.Set(h[0], h[1])
				}
				w = httptest.NewRecorder()
				g.Wrap(hello).ServeHTTP(w, r)
			}
			page := w.Body.String()
			if !strings.Contains(page, "SECURE_PROXY_SSL_HEADER") || !strings.Contains(page, "TRUSTED_PROXIES") || strings.Contains(page, "10.0.0.7") || strings.Contains(page, "192.0.2.1") {
				t.Errorf("page %q", page)
			}
			for _, part := range append(tt.log, `"level":"ERROR"`, `"status":500`, `"rule":"redirect-loop-`) {
				if !strings.Contains(log.String(), part) {
					t.Errorf("the log is %q, which lacks %q", log.String(), part)
				}
			}
		})
	}
}

// A redirect was given to one client, for one URL, and is remembered for a moment.
func TestRedirectIsForgotten(t *testing.T) {
	for _, tt := range []struct {
		name, target, host, peer string
		passed                   time.Duration
		want                     int
	}{
		{"another path", "/b", "shop.test", "10.0.0.7:1", 0, 301},
		{"another query", "/a?b", "shop.test", "10.0.0.7:1", 0, 301},
		{"another host", "/a", "app.test", "10.0.0.7:1", 0, 301},
		{"another client", "/a", "shop.test", "10.0.0.8:1", 0, 301},
		{"another connection of the same client", "/a", "shop.test", "10.0.0.7:2", 10 * time.Second, 500},
		{"too late", "/a", "shop.test", "10.0.0.7:1", 10*time.Second + time.Nanosecond, 301},
		{"the clock went back", "/a", "shop.test", "10.0.0.7:1", -time.Second, 301},
	} {
		now := guardNow
		g, err := lockstep.New(djangoSettings(redirecting), lockstep.Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(target, host, peer string) int {
			r := get(t, "http", target, host)
			r.Header.Set("Sec-Fetch-Site", "none")
			r.RemoteAddr = peer
			return answerOf(g.Wrap(hello), r).StatusCode
		}
		first := ask("/a", "shop.test", "10.0.0.7:1")
		now = now.Add(tt.passed)
		if second := ask(tt.target, tt.host, tt.peer); first != 301 || second != tt.want {
			t.Errorf("%s: %d and then %d, want 301 and %d", tt.name, first, second, tt.want)
		}
	}
}

// Whoever says https on the http port gets no content, whatever is said, and no cookie.
func TestRedirectLoopGivesNoContent(t *testing.T) {
	secret := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "content") })
	for _, tt := range loopTests() {
		if tt.first == "redirect-exempt" {
			continue
		}
		g := newGuard(t, func(s *lockstep.Settings) {
			s.SecureSSLRedirect = true
			if tt.change != nil {
				tt.change(s)
			}
		})
		for range 3 {
			w := httptest.NewRecorder()
			g.Wrap(secret).ServeHTTP(w, tt.request(t))
			if strings.Contains(w.Body.String(), "content") || w.Code == http.StatusOK {
				t.Errorf("%s: %d %q", tt.name, w.Code, w.Body.String())
			}
		}
	}
}

// A trusted proxy that says http has been asked: other headers may be what it passed on of the client's.
func TestRedirectLoopAsksTheProxyFirst(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) { loopProxied(s); s.SecureSSLRedirect = true })
	for range 2 {
		r := get(t, "http", "/", "shop.test", "X-Forwarded-Proto: http", "X-Forwarded-Ssl: on", "Forwarded: proto=https")
		r.RemoteAddr = "10.0.0.7:1"
		if resp := answerOf(g.Wrap(hello), r); resp.StatusCode != http.StatusMovedPermanently || resp.Header["Cache-Control"] != nil {
			t.Errorf("%s, Cache-Control %q", resp.Status, resp.Header["Cache-Control"])
		}
	}
}

// A host that is refused is refused, loop or not.
func TestRedirectLoopOfRefusedHost(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) { s.SecureSSLRedirect, s.AllowedHosts = true, []string{"shop.test"} })
	r := get(t, "http", "/", "evil.test", "X-Forwarded-Proto: https")
	if resp := answerOf(g.Wrap(hello), r); resp.StatusCode != http.StatusBadRequest {
		t.Error(resp.Status)
	}
	if _, v := g.Redirect(r); v.Yes || v.Rule != "host-not-allowed" {
		t.Errorf("%+v", v)
	}
}

func FuzzForwardedHTTPS(f *testing.F) {
	f.Add("Forwarded", `for=1;proto="https"`)
	f.Add("X-Forwarded-Proto", "https,http")
	f.Add("Sec-Fetch-Site", "")
	g := newGuard(f, redirecting)
	h := g.Wrap(hello)
	f.Fuzz(func(t *testing.T, name, value string) {
		r := get(t, "http", "/", "shop.test")
		r.Header = http.Header{name: {value}}
		resp := answerOf(h, r)
		switch resp.StatusCode {
		case http.StatusMovedPermanently:
		case http.StatusInternalServerError:
			if said := strings.ToLower(value); !strings.Contains(said, "https") && !strings.Contains(said, "on") && name != "Sec-Fetch-Site" {
				t.Errorf("%s: %q", name, value)
			}
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Error("cached")
			}
		default:
			t.Errorf("%d for %s: %q", resp.StatusCode, name, value)
		}
	})
}
