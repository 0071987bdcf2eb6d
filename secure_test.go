package lockstep_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
)

type secureTest struct {
	name   string
	change func(*lockstep.Settings)
	scheme string
	remote string // "" is 192.0.2.1:1234, a trusted proxy
	lines  []string
	rule   rule.ID
	notes  []rule.ID
}

var secureTests = []secureTest{
	{name: "TLS", scheme: "https", rule: "secure-over-tls"},
	{name: "plain HTTP", scheme: "http", rule: "secure-plain-http"},
	{name: "proxy says https", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto: https"}, rule: "secure-proxy-header"},
	{name: "proxy says http over TLS", change: proxied, scheme: "https", lines: []string{"X-Forwarded-Proto: http"}, rule: "secure-proxy-header-differs"},
	{name: "proxy says nothing", change: proxied, scheme: "https", rule: "secure-over-tls"},
	{name: "proxy says an empty word", change: proxied, scheme: "https", lines: []string{"X-Forwarded-Proto:"}, rule: "secure-proxy-header-differs"},
	{name: "letter case", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto: HTTPS"}, rule: "secure-proxy-header"},
	{name: "white space", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto:  https\t"}, rule: "secure-proxy-header"},
	{name: "another word", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto: httpss"}, rule: "secure-proxy-header-differs"},
	{
		name: "X01 untrusted peer", change: proxied, scheme: "http", remote: "198.51.100.7:4000",
		lines: []string{"X-Forwarded-Proto: https"}, rule: "secure-plain-http", notes: []rule.ID{"note-proxy-header-untrusted"},
	},
	{
		name: "X01 untrusted peer cannot lower TLS", change: proxied, scheme: "https", remote: "198.51.100.7:4000",
		lines: []string{"X-Forwarded-Proto: http"}, rule: "secure-over-tls", notes: []rule.ID{"note-proxy-header-untrusted"},
	},
	{name: "X02 list, nearest says http", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto: https, http"}, rule: "secure-proxy-header-differs"},
	{name: "X02 list, nearest says https", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto: http,https"}, rule: "secure-proxy-header"},
	{name: "X02 list with an open end", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto: https,"}, rule: "secure-proxy-header-differs"},
	{name: "X03 two lines", change: proxied, scheme: "http", lines: []string{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, rule: "secure-proxy-header-differs"},
	{name: "X04 underscores", change: proxied, scheme: "http", lines: []string{"X_Forwarded_Proto: https"}, rule: "secure-plain-http"},
	{name: "X04 dots", change: proxied, scheme: "http", lines: []string{"X.Forwarded.Proto: https"}, rule: "secure-plain-http"},
	{name: "X06 other names", change: proxied, scheme: "http", lines: []string{"Forwarded: proto=https", "X-Forwarded-Ssl: on", "Front-End-Https: on", "X-Url-Scheme: https"}, rule: "secure-plain-http"},
	{
		name: "X08 no trusted proxies is nobody", scheme: "http", change: redirecting,
		lines: []string{"X-Forwarded-Proto: https"}, rule: "secure-plain-http", notes: []rule.ID{"note-proxy-header-unused"},
	},
	{name: "IPv6 prefix", change: proxied, scheme: "http", remote: "[2001:db8::7]:1", lines: []string{"X-Forwarded-Proto: https"}, rule: "secure-proxy-header"},
	{name: "IPv4 in IPv6 spelling", change: proxied, scheme: "http", remote: "[::ffff:192.0.2.1]:1", lines: []string{"X-Forwarded-Proto: https"}, rule: "secure-proxy-header"},
	{
		name: "Unix socket", change: proxied, scheme: "http", remote: "@",
		lines: []string{"X-Forwarded-Proto: https"}, rule: "secure-plain-http", notes: []rule.ID{"note-proxy-header-untrusted"},
	},
	{
		name: "any proxy, said so", scheme: "http", remote: "198.51.100.7:1", lines: []string{"X-Forwarded-Proto: https"}, rule: "secure-proxy-header",
		change: func(s *lockstep.Settings) {
			proxied(s)
			s.TrustedProxies, s.InsecureTrustAnyProxy = nil, true
		},
	},
}

func TestSecure(t *testing.T) {
	for _, tt := range secureTests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, tt.change)
			r := get(t, tt.scheme, "/", "shop.test", tt.lines...)
			if tt.remote != "" {
				r.RemoteAddr = tt.remote
			}
			v := g.Secure(r)
			if v.Rule != tt.rule || !slices.Equal(v.Notes, tt.notes) {
				t.Errorf("rule %s, notes %v; want %s, %v", v.Rule, v.Notes, tt.rule, tt.notes)
			}
			if v.Facts != nil {
				t.Errorf("facts for nobody: %v", v.Facts)
			}
			// Whoever asks in the handler gets the same answer, and nobody who was redirected gets there.
			answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got := lockstep.IsSecure(r); got != v.Yes {
					t.Errorf("IsSecure = %v, Secure = %v", got, v.Yes)
				}
			})), r)
		})
	}
}

func TestSecureFacts(t *testing.T) {
	g := newGuard(t, proxied)
	r := get(t, "http", "/", "shop.test", "X-Forwarded-Proto: http", "X-Forwarded-Proto: https")
	r = r.WithContext(rule.WithWatch(r.Context(), func(v rule.Verdict) { t.Errorf("recorded: %v", v) }))
	want := []rule.Fact{
		{Name: "request.is_secure()", Value: "True"},
		{Name: "wsgi.url_scheme", Value: "http"},
		{Name: "SECURE_PROXY_SSL_HEADER", Value: "('HTTP_X_FORWARDED_PROTO', 'https')"},
		{Name: "REMOTE_ADDR", Value: "192.0.2.1"},
		{Name: "HTTP_X_FORWARDED_PROTO", Value: "http,https"},
	}
	if v := g.Secure(r); !slices.Equal(v.Facts, want) {
		t.Errorf("facts %v, want %v", v.Facts, want)
	}
}

func TestIsSecureWithoutGuard(t *testing.T) {
	for scheme, want := range map[string]bool{"http": false, "https": true} {
		if got := lockstep.IsSecure(get(t, scheme, "/", "shop.test", "X-Forwarded-Proto: https")); got != want {
			t.Errorf("IsSecure over %s = %v", scheme, got)
		}
	}
}
