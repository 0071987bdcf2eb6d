package browser_test

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
)

var stateTime = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// remembering is a browser that has visited a few sites.
func remembering(t *testing.T) *browser.Browser {
	t.Helper()
	b := &browser.Browser{}
	for i, c := range []struct{ at, line string }{
		{"https://shop.test/", "__Host-id=secret-value; Secure; HttpOnly; Path=/; SameSite=Strict"},
		{"https://www.shop.test/a;x/b", "theme=dark"},
		{"https://www.shop.test/", "shared=\xff\xfe; Domain=shop.test; Max-Age=60"},
		{"https://shop.test/" + strings.Repeat("x", 2000) + "/y", "=nameless=1; SameSite=None; Secure"},
		{"http://127.0.0.1:8000/", "local=1; SameSite=Lax"},
		{"https://github.io/", "suffix=1; Domain=github.io"},
	} {
		u, err := url.Parse(c.at)
		if err != nil {
			t.Fatal(err)
		}
		if v := b.StoreCookie(browser.Request{URL: u}, c.line, stateTime.Add(time.Duration(i)*time.Millisecond), nil); !v.Yes {
			t.Fatalf("%s is not stored: %s", c.line, v.Rule)
		}
		b.StoreHSTS(u, []string{"max-age=3600; includeSubDomains"}, true, stateTime, nil)
	}
	return b
}

// TestStateRestore holds that a browser that was given the state of another does as that one does.
func TestStateRestore(t *testing.T) {
	now := stateTime.Add(time.Second)
	was := remembering(t)
	state := was.State(now)
	var is browser.Browser
	if err := is.Restore(state, now); err != nil {
		t.Fatal(err)
	}
	if got := is.State(now); !reflect.DeepEqual(got, state) || len(state.Cookies) != 6 || len(state.HSTS) != 3 {
		t.Errorf("the state is %v, was %v", got, state)
	}
	for _, at := range []string{"https://shop.test/", "https://www.shop.test/a;x/", "http://shop.test/", "http://127.0.0.1:9000/", "https://github.io/", "https://a.github.io/"} {
		u, _ := url.Parse(at)
		req := browser.Request{URL: u}
		if got, want := is.CookieHeader(req, now, nil), was.CookieHeader(req, now, nil); got != want {
			t.Errorf("%s gets %q, got %q before", at, got, want)
		}
	}
	later := now.Add(2 * time.Minute)
	if err := is.Restore(state, later); err != nil || len(is.Cookies(later)) != 5 {
		t.Errorf("after two minutes there are %d cookies: %v", len(is.Cookies(later)), err)
	}
}

func TestStateRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*browser.SavedCookie)
		want  string
	}{
		{"no domain", func(c *browser.SavedCookie) { c.Domain = "" }, `cookie 2, Domain: "" is no canonical host`},
		{"a domain in capitals", func(c *browser.SavedCookie) { c.Domain = "SHOP.test" }, "cookie 2, Domain"},
		{"no path", func(c *browser.SavedCookie) { c.Path = "" }, "cookie 2, Path"},
		{"a line feed in the path", func(c *browser.SavedCookie) { c.Path = "/\n" }, "cookie 2, Path"},
		{"an unknown SameSite", func(c *browser.SavedCookie) { c.SameSite = 9 }, "cookie 2, SameSite"},
		{"neither name nor value", func(c *browser.SavedCookie) { c.Name, c.Value = "", "" }, "cookie 2: a browser refuses it, by store-empty"},
		{"a control character", func(c *browser.SavedCookie) { c.Value = "a\r\nX: y" }, "by store-control-char"},
		{"too long", func(c *browser.SavedCookie) { c.Value = strings.Repeat("x", 5000) }, "by store-too-big"},
		{"None without Secure", func(c *browser.SavedCookie) { c.SameSite = cookie.SameSiteNone }, "by store-none-not-secure"},
		{"a prefix that lies", func(c *browser.SavedCookie) { c.Name = "__Secure-x" }, "by store-prefix-secure"},
		{"a semicolon in the value", func(c *browser.SavedCookie) { c.Value = "a; Secure" }, "cookie 2, Value: no line gives it"},
		{"an equals sign in the name", func(c *browser.SavedCookie) { c.Name = "a=b" }, "cookie 2, Name: no line gives it"},
		{"a public suffix with subdomains", func(c *browser.SavedCookie) { c.Domain, c.HostOnly = "github.io", false }, "cookie 2, HostOnly"},
		{"a partition that is no site", func(c *browser.SavedCookie) { c.Partition.Site = "a b" }, "cookie 2, Partition"},
		{"a partition without a site", func(c *browser.SavedCookie) { c.Partition.TLS = true }, "cookie 2, Partition"},
		{"one twice", func(c *browser.SavedCookie) { c.Name, c.Value, c.Domain, c.Path = "other", "", "shop.test", "/" }, "cookie 2: there is another one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			saved := browser.SavedCookie{Name: "a", Value: "1", Domain: "shop.test", Path: "/", HostOnly: true, Created: stateTime}
			other := saved
			other.Name = "other"
			c.spoil(&saved)
			b := remembering(t)
			err := b.Restore(browser.State{Cookies: []browser.SavedCookie{other, saved}}, stateTime)
			var e *browser.StateError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if len(b.Cookies(stateTime)) != 6 {
				t.Error("the browser has changed")
			}
		})
	}
	for _, host := range []string{"", "127.0.0.1", "127.1", "localhost", "SHOP.test", "shop.test.", "a b", "shop.test:80"} {
		var b browser.Browser
		err := b.Restore(browser.State{HSTS: []browser.HSTSHost{{Host: host, Expiry: stateTime.Add(time.Hour)}}}, stateTime)
		if err == nil || !strings.Contains(err.Error(), "known HSTS host 1, Host: ") {
			t.Errorf("host %q: error %v", host, err)
		}
	}
}

// TestStateTimes holds that a file with times from the future gives no cookie more than a line does.
func TestStateTimes(t *testing.T) {
	far := stateTime.AddDate(1000, 0, 0)
	var b browser.Browser
	err := b.Restore(browser.State{
		Cookies: []browser.SavedCookie{{Name: "a", Domain: "shop.test", Path: "/", HostOnly: true, Created: far, Expires: far}},
		HSTS:    []browser.HSTSHost{{Host: "shop.test", Expiry: far}},
	}, stateTime)
	if err != nil {
		t.Fatal(err)
	}
	s := b.State(stateTime)
	if !s.Cookies[0].Created.Equal(stateTime) || !s.Cookies[0].Expires.Equal(stateTime.Add(cookie.MaxLifetime)) || !s.HSTS[0].Expiry.Equal(stateTime.Add(browser.MaxHSTSLifetime)) {
		t.Errorf("state %+v %+v", s.Cookies[0].Expires, s.HSTS[0])
	}
}

func TestSavedCookieHidesValue(t *testing.T) {
	s := remembering(t).State(stateTime)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s.Cookies[0]), s.Cookies[0].LogValue().String()} {
		if strings.Contains(text, "secret-value") {
			t.Errorf("printed %s", text)
		}
	}
}
