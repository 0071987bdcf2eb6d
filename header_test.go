package lockstep_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
)

type headerTest struct {
	name   string
	change func(*lockstep.Settings)
	scheme string // "" is https
	host   string // "" is shop.test
	app    http.Header
	header string
	want   []string
	rule   rule.ID
}

func hsts(seconds int, change ...func(*lockstep.Settings)) func(*lockstep.Settings) {
	return func(s *lockstep.Settings) {
		s.SecureHSTSSeconds = seconds
		for _, c := range change {
			c(s)
		}
	}
}

func subdomains(s *lockstep.Settings) { s.SecureHSTSIncludeSubdomains = true }
func preload(s *lockstep.Settings)    { s.SecureHSTSPreload = true }

func django32(s *lockstep.Settings) { s.DjangoVersion = "3.2" }

const sts = "Strict-Transport-Security"

var headerTests = []headerTest{
	{name: "HSTS off", header: sts, rule: "header-hsts-off"},
	{name: "HSTS", change: hsts(60), header: sts, want: []string{"max-age=60"}, rule: "header-hsts-sent"},
	{name: "HSTS subdomains", change: hsts(60, subdomains), header: sts, want: []string{"max-age=60; includeSubDomains"}, rule: "header-hsts-sent"},
	{name: "HSTS preload", change: hsts(60, preload), header: sts, want: []string{"max-age=60; preload"}, rule: "header-hsts-sent"},
	{name: "HSTS both", change: hsts(60, preload, subdomains), header: sts, want: []string{"max-age=60; includeSubDomains; preload"}, rule: "header-hsts-sent"},
	{name: "HSTS over http", change: hsts(60), scheme: "http", header: sts, rule: "header-hsts-not-secure"},
	{name: "HSTS on localhost", change: hsts(60), host: "localhost:8443", header: sts, rule: "header-hsts-loopback"},
	{name: "HSTS below localhost", change: hsts(60), host: "App.LOCALHOST.", header: sts, rule: "header-hsts-loopback"},
	{name: "HSTS on 127.0.0.1", change: hsts(60), host: "127.0.0.1", header: sts, rule: "header-hsts-loopback"},
	{name: "HSTS on ::1", change: hsts(60), host: "[::1]:8443", header: sts, rule: "header-hsts-loopback"},
	{name: "HSTS near localhost", change: hsts(60), host: "notlocalhost", header: sts, want: []string{"max-age=60"}, rule: "header-hsts-sent"},
	{name: "HSTS of the app", change: hsts(60), app: http.Header{sts: {"max-age=0"}}, header: sts, want: []string{"max-age=0"}, rule: "header-set-by-app"},
	{name: "nosniff", header: "X-Content-Type-Options", want: []string{"nosniff"}, rule: "header-sent"},
	{name: "nosniff off", change: func(s *lockstep.Settings) { s.SecureContentTypeNosniff = false }, header: "X-Content-Type-Options", rule: "header-off"},
	{name: "referrer", change: func(s *lockstep.Settings) { s.SecureReferrerPolicy = []string{"no-referrer", "same-origin"} }, header: "Referrer-Policy", want: []string{"no-referrer,same-origin"}, rule: "header-sent"},
	{name: "referrer of the app", app: http.Header{"Referrer-Policy": {"origin"}}, header: "Referrer-Policy", want: []string{"origin"}, rule: "header-set-by-app"},
	{name: "opener", header: "Cross-Origin-Opener-Policy", want: []string{"same-origin"}, rule: "header-sent"},
	{name: "opener off", change: func(s *lockstep.Settings) { s.SecureCrossOriginOpenerPolicy = "" }, header: "Cross-Origin-Opener-Policy", rule: "header-off"},
	{name: "XSS filter of 3.2", change: func(s *lockstep.Settings) { django32(s); s.SecureBrowserXSSFilter = true }, header: "X-Xss-Protection", want: []string{"1; mode=block"}, rule: "header-sent"},
	{name: "framing", header: "X-Frame-Options", want: []string{"DENY"}, rule: "header-sent"},
	{name: "framing in small letters", change: func(s *lockstep.Settings) { s.XFrameOptions = "sameorigin" }, header: "X-Frame-Options", want: []string{"SAMEORIGIN"}, rule: "header-sent"},
	{name: "framing off", change: func(s *lockstep.Settings) { s.XFrameOptions = "" }, header: "X-Frame-Options", rule: "header-off"},
	{name: "framing of the app, two lines", app: http.Header{"X-Frame-Options": {"A", "B"}}, header: "X-Frame-Options", want: []string{"A", "B"}, rule: "header-set-by-app"},
}

func TestHeaders(t *testing.T) {
	for _, tt := range headerTests {
		t.Run(tt.name, func(t *testing.T) {
			scheme, host := tt.scheme, tt.host
			if scheme == "" {
				scheme = "https"
			}
			if host == "" {
				host = "shop.test"
			}
			app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), tt.app)
				w.WriteHeader(http.StatusNotFound)
			})
			resp, verdicts := watched(newGuard(t, tt.change).Wrap(app), get(t, scheme, "/", host))
			if got := resp.Header[tt.header]; !slices.Equal(got, tt.want) {
				t.Errorf("%s: %q, want %q", tt.header, got, tt.want)
			}
			v := about(t, verdicts, rule.SendHeader, tt.header)
			if v.Rule != tt.rule || v.Yes != (tt.want != nil) {
				t.Errorf("rule %s, yes %v; want %s", v.Rule, v.Yes, tt.rule)
			}
		})
	}
}

// What later Djangos do not have is not sent, and the other way round.
func TestHeadersOfVersions(t *testing.T) {
	all := func(version string) func(*lockstep.Settings) {
		return func(s *lockstep.Settings) { s.DjangoVersion, s.SecureBrowserXSSFilter = version, true }
	}
	for version, header := range map[string]string{"3.2": "Cross-Origin-Opener-Policy", "4.2": "X-Xss-Protection", "6.1": "X-Xss-Protection"} {
		resp := answerOf(newGuard(t, all(version)).Wrap(hello), get(t, "https", "/", "shop.test"))
		if got := resp.Header[header]; got != nil {
			t.Errorf("%s sends %s: %q", version, header, got)
		}
	}
}

// The lines of constant headers are shared by all responses: an app that adds to one of them
// afterwards must not change those of others.
func TestHeadersAreShared(t *testing.T) {
	g := newGuard(t, hsts(60))
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.Header().Add("X-Frame-Options", "mine")
	})
	answerOf(g.Wrap(app), get(t, "https", "/", "shop.test"))
	resp := answerOf(g.Wrap(hello), get(t, "https", "/", "shop.test"))
	if got := resp.Header["X-Frame-Options"]; !slices.Equal(got, []string{"DENY"}) {
		t.Errorf("X-Frame-Options %q", got)
	}
}
