package lockstep_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// What other libraries of this field get wrong, each with a test that Lockstep does not. The comments
// say what the peer did when it was asked.

// alexedwards/scs v2.9.0: ResponseController.Flush goes round its writer, so that the session cookie
// is lost when the handler flushes first. gorilla/sessions v1.4.0: Save after the first byte returns
// nil and sets nothing.
func TestDefectCookieLostToWhatWasSentFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.txt")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string]func(http.ResponseWriter, *http.Request) error{
		"flushed by a controller": func(w http.ResponseWriter, _ *http.Request) error { return http.NewResponseController(w).Flush() },
		"flushed":                 func(w http.ResponseWriter, _ *http.Request) error { w.(http.Flusher).Flush(); return nil },
		"a file served":           func(w http.ResponseWriter, r *http.Request) error { http.ServeFile(w, r, file); return nil },
		"a file copied": func(w http.ResponseWriter, _ *http.Request) error {
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(w, f)
			return err
		},
		"the connection taken over": func(w http.ResponseWriter, _ *http.Request) error {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
				return fmt.Errorf("the connection was taken over with cookies unsent")
			}
			return nil // and the handler answers in the ordinary way
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := session.From(r.Context()).Set("a", 1); err != nil {
					t.Error(err)
				}
				if err := send(w, r); err != nil {
					t.Error(err)
				}
			})), false)
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if cookieValue(resp, "sessionid") == "" {
				t.Errorf("%s, Set-Cookie %q", resp.Status, resp.Header["Set-Cookie"])
			}
		})
	}
}

// Libraries that ask http.Request.FormValue, as many a handler does: a token in the URL, which ends up
// in logs and Referer headers, counts as much as one in the form.
func TestDefectTokenInQuery(t *testing.T) {
	s := newCSRFSite(t, nil, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, lockstep.CSRFToken(r)) })
	token := s.do(t, "GET", "/", "").Body.String()
	if w := s.do(t, "POST", "/?csrfmiddlewaretoken="+token, "a=b"); w.Code != http.StatusForbidden {
		t.Errorf("in the query: %d", w.Code)
	}
	if w := s.do(t, "POST", "/", "csrfmiddlewaretoken="+token); w.Code != http.StatusOK {
		t.Errorf("in the form: %d", w.Code)
	}
}

// Fiber before 2.52.5 (CVE-2024-38513) and gorilla/sessions: a session begins under the id that the
// client brought, so that whoever planted it is logged in with the victim.
func TestDefectSessionIDOfTheClient(t *testing.T) {
	s := newLoginSite()
	const planted = "attackerattackerattackerattacker"
	victim := s.browser()
	victim.jar["sessionid"] = planted
	victim.login(t, "1")
	if victim.jar["sessionid"] == planted {
		t.Error("the planted id was taken on")
	}
	attacker := s.browser()
	attacker.jar["sessionid"] = planted
	attacker.want(t, "", "authenticated-no-login")

	// And an id that the site gave to the attacker, before the login, is worth nothing after it.
	attacker = s.browser()
	attacker.do(t, func(_ http.ResponseWriter, r *http.Request) string {
		return fmt.Sprint(session.From(r.Context()).Set("cart", 7))
	})
	victim = s.browser()
	victim.jar["sessionid"] = attacker.jar["sessionid"]
	victim.login(t, "1")
	attacker.want(t, "", "authenticated-no-login")
	if id, _ := victim.who(t); id != "1" {
		t.Errorf("the victim is %q", id)
	}
}

// A tlsProxy speaks TLS with the client and http with the site, and says so in a header, or not.
func tlsProxy(t *testing.T, site http.Handler, header [2]string) *httptest.Server {
	t.Helper()
	inner := httptest.NewServer(site)
	t.Cleanup(inner.Close)
	target, err := url.Parse(inner.URL)
	if err != nil {
		t.Fatal(err)
	}
	return startServer(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		if header[0] != "" {
			r.Out.Header.Set(header[0], header[1])
		}
	}}, false)
}

// follow asks for a URL as a browser does that speaks TLS with host, and follows redirects.
func follow(t *testing.T, server *httptest.Server, host string) (status, hops int, page string) {
	t.Helper()
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // whom the server's certificate is for
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	at := "https://" + host + "/page"
	for hops = 1; hops <= 20; hops++ {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "none")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusMovedPermanently {
			return resp.StatusCode, hops, string(body)
		}
		at = resp.Header.Get("Location")
	}
	return 0, hops, ""
}

// unrolled/secure v1.17: X-Forwarded-Proto is compared exactly, so that "HTTPS" and "https,http" (two
// proxies) send the browser to where it is, for ever.
func TestDefectForwardedProtoLoops(t *testing.T) {
	for value, want := range map[string]int{
		"https": 200, "HTTPS": 200, " https ": 200, "http,https": 200,
		"https,http": 500, // what the proxy itself said is http: a page says so
		"http":       500, // likewise
	} {
		t.Run(value, func(t *testing.T) {
			g := newGuard(t, func(s *lockstep.Settings) {
				s.SecureSSLRedirect = true
				s.SecureProxySSLHeader = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}
				s.TrustedProxies = []string{"127.0.0.0/8", "::1"}
			})
			status, hops, page := follow(t, tlsProxy(t, g.Wrap(hello), [2]string{"X-Forwarded-Proto", value}), "shop.test")
			if status != want || hops > 2 || status == 500 && !strings.Contains(page, "SECURE_PROXY_SSL_HEADER") {
				t.Errorf("%d after %d requests: %q", status, hops, page)
			}
		})
	}
}

// Every library of this field, and Django: behind a proxy of which the site was not told, a redirect
// to https leads to the URL that was asked, and the browser says ERR_TOO_MANY_REDIRECTS.
func TestDefectRedirectToWhatWasAsked(t *testing.T) {
	for name, header := range map[string][2]string{"silent proxy": {}, "proxy that says https": {"X-Forwarded-Proto", "https"}} {
		t.Run(name, func(t *testing.T) {
			status, hops, page := follow(t, tlsProxy(t, newGuard(t, redirecting).Wrap(hello), header), "shop.test")
			if status != 500 || hops > 2 || !strings.Contains(page, "SECURE_PROXY_SSL_HEADER") {
				t.Errorf("%d after %d requests: %q", status, hops, page)
			}
		})
	}
}

// unrolled/secure, gin-contrib/secure and echo (and Django): X-Forwarded-Proto makes a plain request
// secure, whoever sends it. unrolled/secure: X-Forwarded-Host passes the host check likewise.
func TestDefectProxyHeaderFromAnybody(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) {
		loopProxied(s)
		s.SecureSSLRedirect, s.UseXForwardedHost, s.AllowedHosts = true, true, []string{"shop.test"}
	})
	server := httptest.NewServer(g.Wrap(hello)) // 127.0.0.1 is no proxy of this site
	t.Cleanup(server.Close)
	if resp := raw(t, server.Listener.Addr(), "GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: https\r\n\r\n"); resp.StatusCode != http.StatusMovedPermanently {
		t.Errorf("X-Forwarded-Proto: %s", resp.Status)
	}
	if resp := raw(t, server.Listener.Addr(), "GET / HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: shop.test\r\n\r\n"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("X-Forwarded-Host: %s", resp.Status)
	}
}

// gorilla/csrf v1.7.3 (CVE-2025-47909): trusted origins are hosts, so that a page of http, which
// anybody on the way can write, posts to the site on https.
func TestDefectHTTPOriginOnHTTPSSite(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) {
		s.CSRFTrustedOrigins = []string{"https://sub.example.com", "https://*.shop.test"}
	})
	for origin, want := range map[string]rule.ID{
		"https://sub.example.com": "csrf-ok", "http://sub.example.com": "csrf-origin-mismatch",
		"https://a.shop.test": "csrf-ok", "http://a.shop.test": "csrf-origin-mismatch",
		"https://shop.test": "csrf-ok", "http://shop.test": "csrf-origin-mismatch",
	} {
		if v := g.CSRF(serverRequest(t, "https", "POST", "/", "shop.test", "Origin: "+origin, csrfPair)); v.Rule != want {
			t.Errorf("%s: %s", origin, v.Rule)
		}
	}
}

// Every peer: SameSite=None without Secure and __Host- with a Domain go out in silence, and no browser
// stores them (gorilla/sessions #154).
func TestDefectImpossibleCookieIsSent(t *testing.T) {
	for _, c := range []lockstep.Cookie{
		{Name: "a", SameSite: http.SameSiteNoneMode},
		{Name: "__Host-a", Secure: true, Domain: "shop.test"},
		{Name: "__Host-a", Secure: true, Path: "/x"},
		{Name: "__Host-a"},
		{Name: "__Secure-a"},
	} {
		resp := answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := lockstep.SetCookie(w, r, c); err == nil {
				t.Errorf("%+v is set", c)
			}
		})), get(t, "https", "/", "shop.test"))
		if resp.Header["Set-Cookie"] != nil {
			t.Errorf("sent %q", resp.Header["Set-Cookie"])
		}
	}
	for _, change := range []func(*lockstep.Settings){
		func(s *lockstep.Settings) { s.SessionCookieSameSite = "None" },
		func(s *lockstep.Settings) { s.SessionCookieName = "__Host-sessionid" },
		func(s *lockstep.Settings) { s.CSRFCookieName = "__Secure-csrftoken" },
	} {
		if _, err := lockstep.New(djangoSettings(change), lockstep.Options{}); err == nil {
			t.Error("New takes settings whose cookies no browser stores")
		}
	}
}

// unrolled/secure: "example.com:8080" and "example.com." are refused with 500 when "example.com" is
// allowed.
func TestDefectHostWithPortOrDot(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) { s.AllowedHosts = []string{"example.com"} })
	for host, want := range map[string]int{
		"example.com": 200, "example.com:8080": 200, "example.com.": 200, "example.com.:8443": 200, "EXAMPLE.com": 200,
		"evil.test": 400, "example.com.evil.test": 400, "example.com:8080.evil.test": 400,
	} {
		if resp := answerOf(g.Wrap(hello), get(t, "https", "/", host)); resp.StatusCode != want {
			t.Errorf("%s: %s", host, resp.Status)
		}
	}
}

// net/http since CVE-2025-58186: from 3,001 cookies on, http.Request.Cookies is empty and the user is
// anonymous, which nobody is told.
func TestDefectManyCookiesMakeAnonymous(t *testing.T) {
	s := newLoginSite()
	b := s.browser()
	b.login(t, "1")
	g, err := lockstep.New(s.settings, lockstep.Options{Now: fixedNow, Sessions: &s.store})
	if err != nil {
		t.Fatal(err)
	}
	var who string
	server := startServer(t, g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		u, _, err := lockstep.CurrentUser(r, s.find)
		if who = u.ID; err != nil || len(r.Cookies()) != 0 {
			t.Errorf("%v, and net/http sees %d cookies", err, len(r.Cookies()))
		}
	})), false)
	for _, line := range []string{
		strings.Repeat("a=1; ", 4000) + "sessionid=" + b.jar["sessionid"],
		"sessionid=" + b.jar["sessionid"] + strings.Repeat("; a=1", 4000),
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		req.Header.Set("Cookie", line)
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if who != "1" {
			t.Errorf("the user is %q", who)
		}
	}
}

// race has one request of a session wait, inside its handler, until another is done.
func race(t *testing.T, slow, meanwhile http.HandlerFunc) (slowly *http.Response, store *session.Memory, cookie string) {
	t.Helper()
	store = new(session.Memory)
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Now: fixedNow, Sessions: store})
	if err != nil {
		t.Fatal(err)
	}
	first := answerOf(g.Wrap(setItem("user", 42)), get(t, "https", "/", "shop.test"))
	cookie = "Cookie: sessionid=" + cookieValue(first, "sessionid")
	entered, release := make(chan struct{}), make(chan struct{})
	var done sync.WaitGroup
	slowRequest, fastRequest := get(t, "https", "/slow", "shop.test", cookie), get(t, "https", "/fast", "shop.test", cookie)
	done.Go(func() {
		slowly = answerOf(g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session.From(r.Context()).Get("user") // it has been read when the other one changes it
			close(entered)
			<-release
			slow(w, r)
		})), slowRequest)
	})
	<-entered
	answerOf(g.Wrap(meanwhile), fastRequest)
	close(release)
	done.Wait()
	return slowly, store, cookie
}

// alexedwards/scs: a session that was destroyed by a logout comes back when a request that was in
// flight commits, and the old cookie is user 42 again (20 of 20).
func TestDefectDestroyedSessionComesBack(t *testing.T) {
	resp, store, cookie := race(t, setItem("last", "page"), func(_ http.ResponseWriter, r *http.Request) {
		if err := session.From(r.Context()).Flush(); err != nil {
			t.Error(err)
		}
	})
	if resp.StatusCode != http.StatusBadRequest || resp.Header["Set-Cookie"] != nil || store.Len() != 0 {
		t.Errorf("%s, Set-Cookie %q, %d sessions", resp.Status, resp.Header["Set-Cookie"], store.Len())
	}
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Now: fixedNow, Sessions: store})
	if err != nil {
		t.Fatal(err)
	}
	answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if session.From(r.Context()).Has("user") {
			t.Error("the session is back")
		}
	})), get(t, "https", "/", "shop.test", cookie))
}

// alexedwards/scs (20 of 20) and Django (18 of 20): of two requests at a time the later save
// overwrites what the earlier one wrote.
func TestDefectLostUpdate(t *testing.T) {
	resp, store, cookie := race(t, setItem("slow", 1), setItem("fast", 2))
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Now: fixedNow, Sessions: store})
	if err != nil {
		t.Fatal(err)
	}
	answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for _, key := range []string{"user", "slow", "fast"} {
			if !session.From(r.Context()).Has(key) {
				t.Errorf("%s is lost", key)
			}
		}
	})), get(t, "https", "/", "shop.test", cookie))
}

// The requests on which nosurf v1.2, gorilla/csrf v1.7.3 and http.CrossOriginProtection disagree, all
// with a valid token where the library has tokens. The comments are what they do.
func TestDefectsOfCSRF(t *testing.T) {
	behind := func(s *lockstep.Settings) { loopProxied(s); s.TrustedProxies = []string{"192.0.2.1"} }
	for _, tt := range []struct {
		name, scheme string
		change       func(*lockstep.Settings)
		lines        []string
		want         rule.ID
	}{
		{"https, same origin, modern browser", "https", nil, []string{"Origin: https://shop.test", "Sec-Fetch-Site: same-origin"}, "csrf-ok"},
		{"plain http on a LAN", "http", nil, []string{"Origin: http://shop.test"}, "csrf-ok"},                                                       // nosurf 400, gorilla 403
		{"plain http, a browser that trusts the name", "http", nil, []string{"Origin: http://shop.test", "Sec-Fetch-Site: same-origin"}, "csrf-ok"}, // gorilla 403
		{"TLS ended at a proxy", "http", behind, []string{"X-Forwarded-Proto: https", "Origin: https://shop.test", "Sec-Fetch-Site: same-origin"}, "csrf-ok"},
		{"TLS ended at a proxy that rewrites Host", "http", func(s *lockstep.Settings) { behind(s); s.UseXForwardedHost = true }, []string{
			"X-Forwarded-Proto: https", "X-Forwarded-Host: www.shop.test", "Origin: https://www.shop.test", // gorilla 403, nosurf 400 without Sec-Fetch-Site
		}, "csrf-ok"},
		{"a page of http posts to https, old browser", "https", nil, []string{"Origin: http://shop.test"}, "csrf-origin-mismatch"}, // CrossOriginProtection 200
		{"a sibling subdomain", "https", nil, []string{"Origin: https://blog.shop.test", "Sec-Fetch-Site: same-site"}, "csrf-origin-mismatch"},
		{"another site", "https", nil, []string{"Origin: https://evil.test", "Sec-Fetch-Site: cross-site"}, "csrf-origin-mismatch"},
		{"Origin: null alone", "https", nil, []string{"Origin: null"}, "csrf-origin-mismatch"},
		{"curl", "https", nil, nil, "csrf-referer-missing"}, // CrossOriginProtection 200
		{"another site without Origin", "https", nil, []string{"Referer: https://shop.test/", "Sec-Fetch-Site: cross-site"}, "csrf-fetch-site"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newGuard(t, tt.change).CSRF(serverRequest(t, tt.scheme, "POST", "/", "shop.test", append(tt.lines, csrfPair)...))
			if v.Rule != tt.want {
				t.Errorf("%s, want %s", v.Rule, tt.want)
			}
		})
	}
}

// nosurf and gorilla/csrf: a cookie that a subdomain planted, with its own token, passes. Under the
// names of Recommended no subdomain can plant it.
func TestDefectPlantedToken(t *testing.T) {
	planted := strings.Repeat("e", django.CSRFSecretLength)
	s := lockstep.Recommended(guardKey, "shop.test")
	g, err := lockstep.New(s, lockstep.Options{Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	r := serverRequest(t, "https", "POST", "/", "shop.test", "Origin: https://shop.test", "Cookie: csrftoken="+planted, "X-Csrftoken: "+planted)
	if v := g.CSRF(r); v.Rule != "csrf-cookie-missing" {
		t.Error(v.Rule)
	}
}

// raw sends a request as it is written and returns the answer.
func raw(t *testing.T, addr net.Addr, text string) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(rawText(t, addr, text))), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// rawText is raw for what came, as it came.
func rawText(t *testing.T, addr net.Addr, text string) string {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.Replace(text, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
