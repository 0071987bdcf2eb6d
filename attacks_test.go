package lockstep_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// An attackTest is a bad input by the number under which it is known, and what the site does with it.
type attackTest struct {
	id   string
	test func(t *testing.T)
}

// The bad inputs about CSRF, Set-Cookie, Cookie and Host: each has a test or a reason.
var attackIDs = [...]struct {
	letter string
	last   int
}{{"C", 12}, {"S", 11}, {"K", 12}, {"H", 8}}

// Why a bad input is not for the site to answer.
var notOfTheSite = map[string]string{
	"C10": "no test asserts a time; tokens are compared with crypto/subtle, in django.CSRFTokensMatch",
	"C12": "a handshake is a GET, which Django's CSRF protection lets pass; the gate asks for the Origin, and a handler can ask Guard.Host",
	"S02": "SetCookie writes each attribute once; lines of other programs are for the gate to rewrite",
	"S07": "folded lines come from the upstream of the gate alone",
	"K11": "the size of a request's header is the server's limit: http.Server.MaxHeaderBytes",
	"K12": "likewise: 431 is answered before a handler is asked",
}

func TestAttacks(t *testing.T) {
	all := slices.Concat(attacksOnForms, attacksBySetCookie, attacksByCookie, attacksByHost)
	for _, row := range attackIDs {
		for n := 1; n <= row.last; n++ {
			id := fmt.Sprintf("%s%02d", row.letter, n)
			tested := slices.ContainsFunc(all, func(a attackTest) bool { return a.id == id })
			if tested == (notOfTheSite[id] != "") {
				t.Errorf("%s has to have a test or a reason, one of the two", id)
			}
		}
	}
	for _, a := range all {
		t.Run(a.id, a.test)
	}
}

// csrfRules wants each of the requests to be decided by a rule. The keys are header lines.
func csrfRules(t *testing.T, change func(*lockstep.Settings), want map[string]rule.ID) {
	t.Helper()
	g := newGuard(t, change)
	for lines, id := range want {
		r := serverRequest(t, "https", "POST", "/", "app.example", csrfPair)
		for line := range strings.SplitSeq(lines, "\n") {
			if name, value, found := strings.Cut(line, ": "); found {
				r.Header.Set(name, value)
			}
		}
		if v := g.CSRF(r); v.Rule != id || v.Yes != (id == "csrf-ok") {
			t.Errorf("%q: %s, want %s", lines, v.Rule, id)
		}
	}
}

var attacksOnForms = []attackTest{
	{"C01", func(t *testing.T) { csrfRules(t, nil, map[string]rule.ID{"": "csrf-referer-missing"}) }},
	{"C02", func(t *testing.T) {
		csrfRules(t, nil, map[string]rule.ID{
			"Origin: null": "csrf-origin-mismatch", "Origin: https://evil": "csrf-origin-mismatch",
			"Origin: http://app.example": "csrf-origin-mismatch", "Origin: https://app.example:444": "csrf-origin-mismatch",
			"Origin: https://app.example": "csrf-ok",
		})
	}},
	{"C03", func(t *testing.T) {
		csrfRules(t, nil, map[string]rule.ID{
			"Referer: http://app.example/": "csrf-referer-insecure", "Referer: https://": "csrf-referer-malformed",
			"Referer: https://app.example.evil": "csrf-referer-mismatch", "Referer: https://app.example/": "csrf-ok",
		})
	}},
	{"C04", func(t *testing.T) {
		csrfRules(t, func(s *lockstep.Settings) { s.CSRFTrustedOrigins = []string{"https://*.example.com"} }, map[string]rule.ID{
			"Origin: https://example.com.evil": "csrf-origin-mismatch", "Origin: http://a.example.com": "csrf-origin-mismatch",
			"Origin: https://a.example.com:444": "csrf-origin-mismatch", "Origin: https://a.example.com": "csrf-ok",
		})
	}},
	{"C05", func(t *testing.T) {
		masked := django.MaskCSRFSecret(secret32, strings.Repeat("m", 32))
		want := map[string]rule.ID{
			secret32: "csrf-ok", masked: "csrf-ok",
			masked[:63]: "csrf-token-length", masked + "a": "csrf-token-length", secret32[:31]: "csrf-token-length", "": "csrf-token-length",
			masked[:63] + "-": "csrf-token-characters", strings.Repeat("é", 16): "csrf-token-characters",
			strings.Repeat("c", 32): "csrf-token-incorrect", django.MaskCSRFSecret(strings.Repeat("c", 32), masked[:32]): "csrf-token-incorrect",
			django.MaskCSRFSecret(masked[32:], masked[:32]): "csrf-token-incorrect", // masked twice
		}
		for token, id := range want {
			csrfRules(t, nil, map[string]rule.ID{"Origin: https://app.example\nX-Csrftoken: " + token: id})
		}
	}},
	{"C06", func(t *testing.T) { // cookie tossing: the attacker's subdomain sets the cookie, and posts its token
		tossed := strings.Repeat("e", 32)
		pair := "Cookie: csrftoken=" + tossed + "; __hOsT-csrftoken=" + tossed + "; \u00a0__Host-csrftoken=" + tossed + "\nX-Csrftoken: " + tossed
		csrfRules(t, func(s *lockstep.Settings) {
			s.CSRFCookieName, s.CSRFCookieSecure = "__Host-csrftoken", true
		}, map[string]rule.ID{
			"Origin: https://app.example\n" + pair:                                 "csrf-cookie-missing",
			"Origin: https://blog.app.example\nSec-Fetch-Site: same-site\n" + pair: "csrf-origin-mismatch",
		})
		csrfRules(t, nil, map[string]rule.ID{ // under Django's name the browser's own word decides
			"Referer: https://app.example/\nSec-Fetch-Site: same-site\n" + pair: "csrf-fetch-site",
		})
	}},
	{"C07", func(t *testing.T) { // the token of before the login is worth nothing after it
		s := newCSRFSite(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login" {
				if err := lockstep.Login(r, lockstep.User{ID: "1", Password: "p"}); err != nil {
					t.Error(err)
				}
			}
			fmt.Fprint(w, lockstep.CSRFToken(r))
		})
		before := s.do(t, "GET", "/", "").Body.String()
		if w := s.do(t, "POST", "/login", ""); w.Code != http.StatusForbidden {
			t.Errorf("a login without a token: %d", w.Code)
		}
		after := s.do(t, "POST", "/login", "csrfmiddlewaretoken="+before)
		if after.Code != http.StatusOK {
			t.Fatal(after.Code)
		}
		for token, want := range map[string]int{before: 403, after.Body.String(): 200} {
			if w := s.do(t, "POST", "/", "csrfmiddlewaretoken="+token); w.Code != want {
				t.Errorf("after the login: %d, want %d", w.Code, want)
			}
		}
	}},
	{"C08", func(t *testing.T) {
		g := newGuard(t, nil)
		for method, safe := range map[string]bool{
			"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true,
			"POST": false, "post": false, "get": false, "PUT": false, "DELETE": false, "BREW": false,
		} {
			r := serverRequest(t, "https", method, "/", "app.example", "X-HTTP-Method-Override: GET", "X-Method-Override: GET")
			if v := g.CSRF(r); v.Yes != safe {
				t.Errorf("%s: %s", method, v.Rule)
			}
		}
	}},
	{"C09", func(t *testing.T) { // BREACH: nothing of the secret is twice in what is compressed
		s := newCSRFSite(t, nil, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, lockstep.CSRFToken(r)) })
		s.do(t, "GET", "/", "")
		seen := map[string]bool{}
		for range 10 {
			token := s.do(t, "GET", "/", "").Body.String()
			for i := range len(token) - 16 {
				if block := token[i : i+16]; seen[block] || strings.Contains(s.jar["csrftoken"], block) {
					t.Fatalf("%q came before", block)
				}
			}
			for i := range len(token) - 16 {
				seen[token[i:i+16]] = true
			}
		}
	}},
	{"C11", func(t *testing.T) {
		for value, id := range map[string]rule.ID{
			"cross-site": "csrf-fetch-site", "same-site": "csrf-fetch-site", "same-origin": "csrf-ok", "none": "csrf-ok",
		} {
			csrfRules(t, nil, map[string]rule.ID{"Referer: https://app.example/\nSec-Fetch-Site: " + value: id})
		}
		g := newGuard(t, func(s *lockstep.Settings) { s.InsecureCSRFExempt = []string{"/hook/"} })
		for target, exempt := range map[string]bool{"/hook/": true, "/hook/a": true, "/hook": false, "/x/../hook/": false, "//hook/": false, "/hook/../pay": false} {
			if v := g.CSRF(serverRequest(t, "https", "POST", target, "app.example")); (v.Rule == "csrf-exempt") != exempt {
				t.Errorf("%s: %s", target, v.Rule)
			}
		}
	}},
}

// refusedCookies wants SetCookie to refuse each cookie, and nothing to be sent.
func refusedCookies(t *testing.T, host string, cookies ...lockstep.Cookie) {
	t.Helper()
	for _, c := range cookies {
		resp := answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := lockstep.SetCookie(w, r, c); err == nil {
				t.Errorf("%s is set", c)
			}
		})), get(t, "https", "/", host))
		if resp.Header["Set-Cookie"] != nil {
			t.Errorf("sent %q", resp.Header["Set-Cookie"])
		}
	}
}

var attacksBySetCookie = []attackTest{
	{"S01", func(t *testing.T) { // lines that the application writes past SetCookie: never split, and logged
		for _, bad := range []string{"a=b\rX-Split: 1", "a=b\nX-Split: 1", "a=b\x00c", "a=b\x01c"} {
			var log bytes.Buffer
			g := mustNew(t, djangoSettings(nil), lockstep.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			server := httptest.NewServer(g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Add("Set-Cookie", bad)
			})))
			text := rawText(t, server.Listener.Addr(), "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
			server.Close()
			if strings.Contains(text, "\nX-Split") || strings.Contains(text, "\rX-Split") || !strings.Contains(log.String(), "no browser stores this cookie") {
				t.Errorf("%q becomes %q, log %q", bad, text, log.String())
			}
		}
	}},
	{"S03", func(t *testing.T) {
		refusedCookies(t, "app.example",
			lockstep.Cookie{Name: "__Host-x", Secure: true, Domain: "app.example"},
			lockstep.Cookie{Name: "__Host-x", Secure: true, Path: "/a"},
			lockstep.Cookie{Name: "__hOsT-x", Path: "/"},
			lockstep.Cookie{Name: "__Secure-x"})
	}},
	{"S04", func(t *testing.T) {
		refusedCookies(t, "app.example", lockstep.Cookie{Name: "x", SameSite: http.SameSiteNoneMode})
	}},
	{"S05", func(t *testing.T) {
		refusedCookies(t, "app.com",
			lockstep.Cookie{Name: "x", Domain: "com"}, lockstep.Cookie{Name: "x", Domain: "other.com"}, lockstep.Cookie{Name: "x", Domain: "127.0.0.1"})
		refusedCookies(t, "app.com:8080", lockstep.Cookie{Name: "x", Domain: ".com"})
	}},
	{"S06", func(t *testing.T) {
		refusedCookies(t, "app.example", lockstep.Cookie{Name: "x", Value: strings.Repeat("v", 5000)})
	}},
	{"S08", func(t *testing.T) { // a deletion has what the browser asks for before it deletes
		for name, want := range map[string]string{
			"__Host-x": "Secure", "__Secure-x": "Secure", "x": "",
		} {
			resp := answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := lockstep.DeleteCookie(w, r, lockstep.Cookie{Name: name, SameSite: http.SameSiteLaxMode}); err != nil {
					t.Error(err)
				}
			})), get(t, "https", "/", "app.example"))
			line := resp.Header.Get("Set-Cookie")
			if !strings.Contains(line, "Max-Age=0; Path=/; SameSite=Lax") || strings.Contains(line, "Secure") && !strings.HasSuffix(line, want) || !strings.HasSuffix(line, want) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}},
	{"S09", func(t *testing.T) { // a page that is public, and sets a session
		resp := answerOf(newGuard(t, func(s *lockstep.Settings) { s.SessionSaveEveryRequest = true }).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=600")
			_ = session.From(r.Context()).Set("a", 1)
		})), get(t, "https", "/", "app.example"))
		if resp.Header.Get("Vary") != "Cookie" || resp.Header["Set-Cookie"] == nil {
			t.Errorf("%v", resp.Header)
		}
	}},
	{"S10", func(t *testing.T) { // the http port of a site as recommended gives out no cookie
		g, err := lockstep.New(lockstep.Recommended(guardKey, "app.example"), lockstep.Options{Now: fixedNow})
		if err != nil {
			t.Fatal(err)
		}
		for _, lines := range [][]string{nil, {"Cookie: __Host-sessionid=short"}, {"X-Forwarded-Proto: https"}} {
			resp := answerOf(g.Wrap(setItem("a", 1)), get(t, "http", "/", "app.example", lines...))
			if resp.Header["Set-Cookie"] != nil || resp.StatusCode == http.StatusOK {
				t.Errorf("%s, %q", resp.Status, resp.Header["Set-Cookie"])
			}
		}
	}},
	{"S11", func(t *testing.T) {
		for value, want := range map[string]string{
			"a\r\nX: y":     `a="a\015\012X: y"; Path=/`,
			"a;Domain=evil": `a="a\073Domain=evil"; Path=/`,
			"é":             `a="\351"; Path=/`,
		} {
			if got := setting(t, djangoSettings(nil), lockstep.Cookie{Name: "a", Value: value}); got != want {
				t.Errorf("%q: %q, want %q", value, got, want)
			}
		}
		refusedCookies(t, "app.example", lockstep.Cookie{Name: "a", Value: "€"}, lockstep.Cookie{Name: "a", Path: "/;Secure"},
			lockstep.Cookie{Name: "a\r\nX", Value: "y"}, lockstep.Cookie{Name: "a", Domain: "app.example\r\nX: y"})
	}},
}

// readCookies wants names to be read from the lines of a Cookie header; "" is no such cookie.
func readCookies(t *testing.T, lines []string, want map[string]string) {
	t.Helper()
	r := get(t, "https", "/", "app.example")
	r.Header["Cookie"] = lines
	for name, value := range want {
		if got, _ := lockstep.ReadCookie(r, name); got != value {
			t.Errorf("%q of %q: %q, want %q", name, lines, got, value)
		}
	}
}

var attacksByCookie = []attackTest{
	{"K01", func(t *testing.T) { // the last, as Django; under a __Host- name nobody can add one
		readCookies(t, []string{"sessionid=good; sessionid=evil"}, map[string]string{"sessionid": "evil"})
	}},
	{"K02", func(t *testing.T) {
		readCookies(t, []string{"sessionid=good", "b=2"}, map[string]string{"sessionid": "good", "b": "2"})
	}},
	{"K03", func(t *testing.T) {
		readCookies(t, []string{`$Version=1; p="x; sessionid=s3cret; q=y"`}, map[string]string{"sessionid": "s3cret", "p": `"x`, "q": `y"`})
	}},
	{"K04", func(t *testing.T) {
		readCookies(t, []string{`a="\163\145\163"`}, map[string]string{"a": "ses"})
	}},
	{"K05", func(t *testing.T) {
		for _, space := range []string{"\u2000", "\u0085", "\u00a0", "\x0b", "\x1c"} {
			readCookies(t, []string{space + "__Host-sessionid=evil; a=1"}, map[string]string{"__Host-sessionid": "", "a": "1"})
		}
	}},
	{"K06", func(t *testing.T) {
		readCookies(t, []string{"=__Host-sessionid=evil; __Host-x"}, map[string]string{"__Host-sessionid": "", "__Host-x": ""})
	}},
	{"K07", func(t *testing.T) {
		readCookies(t, []string{"__hOsT-sessionid=evil"}, map[string]string{"__Host-sessionid": "", "__hOsT-sessionid": "evil"})
	}},
	{"K08", func(t *testing.T) { // bytes are kept; control characters never get past net/http
		readCookies(t, []string{"a=é"}, map[string]string{"a": "é"})
		server := httptest.NewServer(newGuard(t, nil).Wrap(hello))
		defer server.Close()
		if resp := raw(t, server.Listener.Addr(), "GET / HTTP/1.1\r\nHost: app.example\r\nCookie: a=\x01\r\n\r\n"); resp.StatusCode != http.StatusBadRequest {
			t.Error(resp.Status)
		}
	}},
	{"K09", func(t *testing.T) { // as Django, which trims; who can set "sessionid " can set "sessionid"
		readCookies(t, []string{"sess ion=1; a[b]=2; sess%69onid=3"}, map[string]string{"sessionid": "", "sess ion": "1", "a[b]": "2", "sess%69onid": "3"})
		readCookies(t, []string{"sessionid =2"}, map[string]string{"sessionid": "2"})
	}},
	{"K10", func(t *testing.T) { // see TestDefectManyCookiesMakeAnonymous: nobody becomes anonymous
		readCookies(t, []string{"sessionid=good; " + strings.Repeat("a=1; ", 3001)}, map[string]string{"sessionid": "good"})
	}},
}

// hostAnswers wants a status for what stands in the lines of a request, over a real connection.
func hostAnswers(t *testing.T, change func(*lockstep.Settings), want map[string]int) {
	t.Helper()
	server := httptest.NewServer(newGuard(t, change).Wrap(hello))
	defer server.Close()
	for head, status := range want {
		resp := raw(t, server.Listener.Addr(), head+"\r\n\r\n")
		if resp.StatusCode != status {
			t.Errorf("%q: %s, want %d", head, resp.Status, status)
		}
	}
}

func allowing(hosts ...string) func(*lockstep.Settings) {
	return func(s *lockstep.Settings) { s.AllowedHosts = hosts }
}

var attacksByHost = []attackTest{
	{"H01", func(t *testing.T) {
		want := map[string]int{
			"GET / HTTP/1.1": 400, "GET / HTTP/1.1\r\nHost: app.example\r\nHost: app.example": 400,
		}
		for _, host := range []string{"user@app.example", "app.example/", "app example", "äpp.example", `app\example`, `"<script>"`, "app.example,evil.example"} {
			want["GET / HTTP/1.1\r\nHost: "+host] = 400
		}
		hostAnswers(t, nil, want)
	}},
	{"H02", func(t *testing.T) {
		hostAnswers(t, nil, map[string]int{
			"GET / HTTP/1.1\r\nHost: app.example:80a": 400, "GET / HTTP/1.1\r\nHost: [::1]evil": 400,
			"GET / HTTP/1.1\r\nHost: [::1%25eth0]": 400, "GET / HTTP/1.1\r\nHost: ": 400,
		})
	}},
	{"H03", func(t *testing.T) { // as Django, which keeps the port
		wantLocation(t, "app.example:99999", "https://app.example:99999/x")
	}},
	{"H04", func(t *testing.T) { wantLocation(t, "APP.EXAMPLE.", "https://APP.EXAMPLE./x") }},
	{"H05", func(t *testing.T) {
		hostAnswers(t, allowing("app.example"), map[string]int{
			"GET http://evil.example/x HTTP/1.1\r\nHost: app.example": 400,
			"GET http://app.example/x HTTP/1.1\r\nHost: evil.example": 200,
		})
	}},
	{"H06", func(t *testing.T) {
		for _, tt := range []struct {
			pattern, host string
			status        int
		}{
			{".example.com", "evil.example", 400},
			{"*", "evil.example", 200},
			{"example.com", "evil.example", 400},
			{".example.com", "badexample.com", 400},
			{".example.com", "a.example.com", 200},
		} {
			hostAnswers(t, allowing(tt.pattern), map[string]int{"GET / HTTP/1.1\r\nHost: " + tt.host: tt.status})
		}
	}},
	{"H07", func(t *testing.T) {
		const head = "GET / HTTP/1.1\r\nHost: app.example\r\nX-Forwarded-Host: evil.example"
		trusting := func(used bool, proxies ...string) func(*lockstep.Settings) {
			return func(s *lockstep.Settings) {
				s.AllowedHosts, s.UseXForwardedHost, s.TrustedProxies = []string{"app.example"}, used, proxies
			}
		}
		hostAnswers(t, trusting(false), map[string]int{head: 200})
		hostAnswers(t, trusting(true, "127.0.0.0/8"), map[string]int{head: 400})
		hostAnswers(t, trusting(true, "192.0.2.1"), map[string]int{head: 200}) // the peer is no proxy
	}},
	{"H08", func(t *testing.T) {
		hostAnswers(t, allowing("example.com"), map[string]int{"GET / HTTP/1.1\r\nHost: xn--example-.com": 400})
	}},
}

func wantLocation(t *testing.T, host, want string) {
	t.Helper()
	g := newGuard(t, func(s *lockstep.Settings) { s.SecureSSLRedirect, s.AllowedHosts = true, []string{"app.example"} })
	if got := answerOf(g.Wrap(hello), get(t, "http", "/x", host)).Header.Get("Location"); got != want {
		t.Errorf("Location %q, want %q", got, want)
	}
}
