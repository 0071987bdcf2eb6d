package scenario_test

import (
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// Who is on the path gets what went over it in clear, and only that.
func TestOnThePath(t *testing.T) {
	tests := []struct {
		name, text string
		sent       string // of the cookie, in the last request, "" for nothing
	}{
		{"a cookie without Secure goes over http", `
set SESSION_COOKIE_SECURE=False
visit https://shop.test/
visit http://shop.test/
as Mallory
overhear
visit https://shop.test/`, "sessionid"},
		{"over https nothing is to hear, Secure or not", `
set SESSION_COOKIE_SECURE=False
visit https://shop.test/
visit https://shop.test/
as Mallory
overhear
visit https://shop.test/`, ""},
		{"a Secure cookie does not go over http", `
visit https://shop.test/
visit http://shop.test/
as Mallory
overhear
visit https://shop.test/`, ""},
		{"an answer over http sets one", `
set SECURE_SSL_REDIRECT=False
set SESSION_COOKIE_SECURE=False
visit http://shop.test/
as Mallory
overhear
visit https://shop.test/`, "sessionid"},
		{"one by its name", `
on /a send Set-Cookie: a=1
on /b app plain
set SECURE_SSL_REDIRECT=False
visit http://shop.test/a
as Mallory
overhear a
visit https://shop.test/b`, "a"},
		{"nobody listens to himself", `
set SECURE_SSL_REDIRECT=False
on /a app plain
on /a send Set-Cookie: a=1
on /b app plain
as Mallory
visit http://shop.test/a
as Eve
overhear a
visit https://shop.test/b`, ""},
		{"TLS taken away takes Secure away", `
network stripped
visit http://shop.test/
as Mallory
network ok
overhear
visit https://shop.test/`, "sessionid"},
		{"TLS that was asked for stays", `
network stripped
visit https://shop.test/
as Mallory
network ok
overhear
visit https://shop.test/`, ""},
		{"TLS on another port stays, too", `
network stripped
visit https://shop.test:8443/
visit https://shop.test:8443/`, "sessionid"},
		{"an answer of somebody else", `
on /b app plain
forge http://shop.test/a Set-Cookie: {name}=x; Path=/
visit http://shop.test/a
visit https://shop.test/b`, "sessionid"},
		{"an answer with somebody else's cookie", `
as Mallory
visit https://shop.test/
forge http://shop.test/a Set-Cookie: {cookie}; Path=/
as
visit http://shop.test/a
visit https://shop.test/`, "sessionid"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := do(t, test.text)
			last := result.Run.Visits[len(result.Run.Visits)-1].Hops[0]
			name, _, _ := strings.Cut(last.Cookie, "=")
			if name != test.sent {
				t.Errorf("the last request has the cookie %q, want %q", name, test.sent)
			}
		})
	}
}

// The site believes in https where somebody has taken it away from the browser.
func TestStripped(t *testing.T) {
	result := do(t, `
set SECURE_HSTS_SECONDS=3600
site ada correct-horse
network stripped
visit http://shop.test/login
submit /login username=ada password=correct-horse`)
	for _, v := range result.Run.Visits {
		for i := range v.Hops {
			h := &v.Hops[i]
			secure, _ := h.Verdict(rule.IsSecure, "")
			if h.Secure() || !secure.Yes || len(h.HSTS) > 0 {
				t.Errorf("%s: https %v, is_secure %v, HSTS %v", h.URL, h.Secure(), secure.Yes, h.HSTS)
			}
		}
	}
	if !scenario.Holds(result.Run, "csrf-ok", "") || !scenario.Holds(result.Run, "authenticated-ok", "") {
		t.Error("the login does not go through")
	}
}

// The site never sees what somebody else answers.
func TestForged(t *testing.T) {
	result := do(t, "forge http://shop.test/a Set-Cookie: a=1\nvisit http://shop.test/a")
	h := result.Run.Visits[0].Hops[0]
	for _, v := range h.Verdicts {
		if v.Side == rule.Site {
			t.Errorf("the site decided: %+v", v)
		}
	}
	if h.Response.Status != 200 {
		t.Errorf("status %d", h.Response.Status)
	}
}

func do(t *testing.T, text string) scenario.Result {
	t.Helper()
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Do(t.Context(), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// What a scenario opens with is known without running it, and may be turned around.
func TestOpening(t *testing.T) {
	s, err := scenario.Parse("set SECURE_SSL_REDIRECT=False\nproxy X-Proto http https\nvisit POST https://shop.test/a\nset DEBUG=True")
	if err != nil {
		t.Fatal(err)
	}
	o := s.Opening()
	if len(o.Set) != 1 || o.Proxy != "X-Proto" || o.URL != "https://shop.test/a" {
		t.Errorf("%+v", o)
	}
	for _, test := range []struct {
		options scenario.Options
		url     string
		secure  bool
	}{
		{scenario.Options{}, "https://shop.test/a", false}, // the proxy asks over http, and nobody listens to it
		{scenario.Options{Proxy: scenario.NoProxy}, "https://shop.test/a", true},
		{scenario.Options{Start: "http", Proxy: scenario.NoProxy}, "http://shop.test/a", false},
		{scenario.Options{Proxy: "X-Forwarded-Proto", Set: []string{"SECURE_PROXY_SSL_HEADER=('HTTP_X_FORWARDED_PROTO', 'https')", "TRUSTED_PROXIES=['127.0.0.1']"}}, "https://shop.test/a", true},
	} {
		result, err := s.Do(t.Context(), test.options)
		if err != nil {
			t.Fatal(err)
		}
		h := firstHop(result)
		if v, _ := h.Verdict(rule.IsSecure, ""); h.URL != test.url || v.Yes != test.secure {
			t.Errorf("%+v: %s, is_secure %v", test.options, h.URL, v.Yes)
		}
	}
}

func firstHop(r scenario.Result) *trace.Hop { return &r.Run.Visits[0].Hops[0] }
