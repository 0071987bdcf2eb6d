package browser_test

import (
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// mirror is a site, over http and https, that sets a cookie at /set, redirects at /go to what the query says,
// and otherwise writes the request's Cookie, Origin and Sec-Fetch-Site.
func mirror(t *testing.T) *http.Transport {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/set":
			w.Header()["Set-Cookie"] = []string{"strict=1; Secure; SameSite=Strict; Path=/", "=; Path=/", "token"}
			w.Header().Set("Strict-Transport-Security", "max-age=60")
		case "/clear":
			w.Header().Set("Clear-Site-Data", `"cookies"`)
		case "/go":
			http.Redirect(w, r, r.URL.RawQuery, http.StatusTemporaryRedirect)
			return
		}
		io.WriteString(w, strings.Join([]string{r.Header.Get("Cookie"), r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")}, "|"))
	})
	plain, secured := httptest.NewServer(h), httptest.NewTLSServer(h)
	t.Cleanup(func() { plain.Close(); secured.Close() })
	base := secured.Client().Transport.(*http.Transport).Clone()
	base.TLSClientConfig.ServerName = "example.com" // which the certificate of httptest is for
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		to := plain.Listener.Addr().String()
		if _, port, _ := net.SplitHostPort(addr); port == "443" {
			to = secured.Listener.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

func get(t *testing.T, client *http.Client, ctx context.Context, method, address string) string { //nolint:revive // t first, as everywhere
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "made=up")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestTransport(t *testing.T) {
	seen := map[rule.ID]bool{}
	b := &browser.Browser{}
	client := &http.Client{Transport: &browser.Transport{
		Browser: b, Base: mirror(t), Now: func() time.Time { return start }, Watch: func(v rule.Verdict) { seen[v.Rule] = true },
	}}
	news := browser.InContext(t.Context(), browser.Request{Initiator: &browser.Document{URL: visit(t, newsPage).URL}})
	frame := browser.InContext(t.Context(), browser.Request{Initiator: &browser.Document{URL: visit(t, newsPage).URL}, As: browser.AsIframe})
	for _, c := range []struct {
		sentence     string
		ctx          context.Context
		method, path string
		want         string
	}{
		{"nothing is there, and what the caller made up does not go", t.Context(), "GET", "https://shop.test/", "||none"},
		{"cookies are set", t.Context(), "GET", "https://shop.test/set", "||none"},
		{"they go along, the nameless one too", t.Context(), "GET", "https://shop.test/", "strict=1; token||none"},
		{"HSTS takes http to https", t.Context(), "GET", "http://shop.test/", "strict=1; token||none"},
		{"a link of another site", news, "GET", "https://shop.test/", "token||cross-site"},
		{"a form of another site", news, "POST", "https://shop.test/", "|https://news.test|cross-site"},
		{"a frame in another site", frame, "GET", "https://shop.test/", "||cross-site"},
		{"a form that a third site hands on", news, "POST", "https://blog.test/go?https://shop.test/", "|null|cross-site"},
		{"a link that another site hands on", t.Context(), "GET", "https://blog.test/go?https://shop.test/", "strict=1; token||none"},
		{"all is cleared", t.Context(), "GET", "https://shop.test/clear", "strict=1; token||none"},
		{"and gone", t.Context(), "GET", "https://shop.test/", "||none"},
	} {
		if got := get(t, client, c.ctx, c.method, c.path); got != c.want {
			t.Errorf("%s: %q, want %q", c.sentence, got, c.want)
		}
	}
	for _, id := range []rule.ID{"store-ok", "store-empty", "hsts-stored", "upgrade-hsts", "send-samesite-strict", "clear-cookies"} {
		if !seen[id] {
			t.Errorf("no verdict by %s among %v", id, slices.Collect(maps.Keys(seen)))
		}
	}
}

// TestTransportDistrusts holds that HSTS over a certificate that nobody verified is not stored.
func TestTransportDistrusts(t *testing.T) {
	base := mirror(t)
	base.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	b := &browser.Browser{}
	get(t, &http.Client{Transport: &browser.Transport{Browser: b, Base: base}}, t.Context(), "GET", "https://shop.test/set")
	if known := b.KnownHSTSHosts(time.Now()); len(known) != 0 {
		t.Errorf("known are %v", known)
	}
}

func TestJar(t *testing.T) {
	var refused []rule.ID
	jar := &browser.Jar{Browser: &browser.Browser{}, Watch: func(v rule.Verdict) {
		if !v.Yes {
			refused = append(refused, v.Rule)
		}
	}}
	u := visit(t, "http://shop.test/").URL
	jar.SetCookies(u, []*http.Cookie{
		{Name: "a", Value: "1", Path: "/", HttpOnly: true},
		{Name: "b", Value: "2", Secure: true},
		{Raw: "c=3; SameSite=None"},
	})
	got := jar.Cookies(u)
	if len(got) != 1 || got[0].String() != "a=1" {
		t.Errorf("kept are %v", got)
	}
	if want := []rule.ID{"store-secure-over-http", "store-none-not-secure"}; !slices.Equal(refused, want) {
		t.Errorf("refused by %v, want %v", refused, want)
	}
	var _ http.CookieJar = jar
}

// TestJarKeepsQuotes holds that a quoted value goes back with its quotes, which are bytes of it.
func TestJarKeepsQuotes(t *testing.T) {
	jar := &browser.Jar{Browser: &browser.Browser{}}
	u := visit(t, "https://shop.test/").URL
	for _, line := range []string{`a="1"`, `b=""`, `c="`, `d=1`} {
		jar.SetCookies(u, []*http.Cookie{{Raw: line}})
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range jar.Cookies(u)[:2] {
		r.AddCookie(c)
	}
	if got, want := r.Header.Get("Cookie"), `a="1"; b=""`; got != want {
		t.Errorf("Cookie: %s, want %s", got, want)
	}
}

// TestTransportUpgradesForm holds that a form goes over https with its method and body, whatever HSTS
// makes of its URL.
func TestTransportUpgradesForm(t *testing.T) {
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		io.WriteString(w, r.Method+" "+string(body))
	}))
	defer site.Close()
	base := site.Client().Transport.(*http.Transport).Clone()
	base.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, site.Listener.Addr().String())
	}
	defer base.CloseIdleConnections()
	b := &browser.Browser{}
	b.PreloadHSTS(browser.HSTSHost{Host: "example.com"})
	client := &http.Client{Transport: &browser.Transport{Browser: b, Base: base}}
	answer, err := client.Post("http://example.com/pay", "application/x-www-form-urlencoded", strings.NewReader("amount=1"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || string(got) != "POST amount=1" || answer.Request.URL.Scheme != "https" {
		t.Errorf("%s got %q, error %v", answer.Request.URL, got, err)
	}
}

// TestManyClients uses one Browser from many goroutines, by a Jar and by Transports. It is for -race.
func TestManyClients(t *testing.T) {
	b, base := &browser.Browser{}, mirror(t)
	jar := &browser.Jar{Browser: b}
	var all sync.WaitGroup
	for i := range 8 {
		client := &http.Client{Transport: &browser.Transport{Browser: b, Base: base}}
		if i%2 == 0 {
			client = &http.Client{Transport: base, Jar: jar}
		}
		all.Go(func() {
			for range 5 {
				for _, path := range []string{"/set", "/", "/clear"} {
					get(t, client, t.Context(), "GET", "https://shop.test"+path)
				}
				b.State(time.Now())
			}
		})
	}
	all.Wait()
}
