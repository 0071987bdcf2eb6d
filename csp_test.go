package lockstep_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
)

// A cspTest is a policy and what goes out with a handler that asks for the nonce, and with one that
// does not. NONCE stands for the nonce.
type cspTest struct {
	name          string
	policy        lockstep.CSP
	with, without string // "" is no header
}

// What Django's build_policy (django/utils/csp.py, 6.0) makes of the same policies, but that it sends
// an empty header for an empty policy.
var cspTests = []cspTest{
	{name: "off"},
	{name: "order", policy: lockstep.CSP{{"z-src", "b", "a"}, {"a-src", "'self'"}}, with: "z-src b a; a-src 'self'", without: "z-src b a; a-src 'self'"},
	{name: "name alone", policy: lockstep.CSP{{"upgrade-insecure-requests"}, {"img-src", "*"}}, with: "upgrade-insecure-requests; img-src *", without: "upgrade-insecure-requests; img-src *"},
	{name: "nonce", policy: lockstep.CSP{{"script-src", "'self'", lockstep.CSPNonceSource, "https:"}}, with: "script-src 'self' 'nonce-NONCE' https:", without: "script-src 'self' https:"},
	{name: "nonce in two", policy: lockstep.CSP{{"script-src", lockstep.CSPNonceSource}, {"style-src", lockstep.CSPNonceSource, "'self'"}}, with: "script-src 'nonce-NONCE'; style-src 'nonce-NONCE' 'self'", without: "style-src 'self'"},
	{name: "nonce alone", policy: lockstep.CSP{{"script-src", lockstep.CSPNonceSource}}, with: "script-src 'nonce-NONCE'"},
}

var nonceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

func TestCSP(t *testing.T) {
	for _, tt := range cspTests {
		t.Run(tt.name, func(t *testing.T) {
			for header, change := range map[string]func(*lockstep.Settings){
				"Content-Security-Policy":             func(s *lockstep.Settings) { s.SecureCSP = tt.policy },
				"Content-Security-Policy-Report-Only": func(s *lockstep.Settings) { s.SecureCSPReportOnly = tt.policy },
			} {
				g := newGuard(t, change)
				var nonce string
				asks := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					nonce = lockstep.CSPNonce(r)
					if again := lockstep.CSPNonce(r); again != nonce || !nonceForm.MatchString(nonce) {
						t.Errorf("nonce %q, then %q", nonce, again)
					}
				})
				resp := answerOf(g.Wrap(asks), get(t, "https", "/", "shop.test"))
				wantHeader(t, resp, header, strings.ReplaceAll(tt.with, "NONCE", nonce))
				first := nonce
				if answerOf(g.Wrap(asks), get(t, "https", "/", "shop.test")); nonce == first {
					t.Errorf("the nonce %q came twice", nonce)
				}
				resp = answerOf(g.Wrap(hello), get(t, "https", "/", "shop.test"))
				wantHeader(t, resp, header, tt.without)
			}
		})
	}
}

// wantHeader wants a header of one line, or none for "".
func wantHeader(t *testing.T, resp *http.Response, name, want string) {
	t.Helper()
	var lines []string
	if want != "" {
		lines = []string{want}
	}
	if got := resp.Header[name]; !slices.Equal(got, lines) {
		t.Errorf("%s: %q, want %q", name, got, lines)
	}
}

func withCSP(s *lockstep.Settings) {
	s.SecureSSLRedirect, s.AllowedHosts = true, []string{"shop.test"}
	s.SecureCSP = lockstep.CSP{{"script-src", lockstep.CSPNonceSource}, {"img-src", "*"}}
}

func TestCSPVerdicts(t *testing.T) {
	asks := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { lockstep.CSPNonce(r) })
	own := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Security-Policy", "sandbox") })
	late := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		lockstep.CSPNonce(r)
	})
	for _, tt := range []struct {
		name string
		app  http.Handler
		by   rule.ID
		note []rule.ID
		want string // the header, without its nonce
	}{
		{"asked", asks, "header-csp-nonce", nil, "script-src 'nonce-'; img-src *"},
		{"not asked", hello, "header-sent", []rule.ID{"note-csp-nonce-unused"}, "img-src *"},
		{"of the app", own, "header-set-by-app", nil, "sandbox"},
		{"late", late, "note-csp-nonce-late", nil, "img-src *"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, verdicts := watched(newGuard(t, withCSP).Wrap(tt.app), get(t, "https", "/", "shop.test"))
			got := regexp.MustCompile(`nonce-[\w-]+`).ReplaceAllString(resp.Header.Get("Content-Security-Policy"), "nonce-")
			var last rule.Verdict
			for _, v := range verdicts {
				if v.Subject == "Content-Security-Policy" {
					last = v
				}
			}
			if last.Rule != tt.by || !slices.Equal(last.Notes, tt.note) || got != tt.want {
				t.Errorf("%s, notes %v, header %q", last.Rule, last.Notes, got)
			}
		})
	}
}

// ContentSecurityPolicyMiddleware comes behind SecurityMiddleware and before CommonMiddleware.
func TestCSPOfRefusals(t *testing.T) {
	g := newGuard(t, withCSP)
	for _, tt := range []struct {
		name, scheme, method, host, want string
		status                           int
	}{
		{"redirected", "http", "GET", "shop.test", "", 301},
		{"a host refused before the redirect", "http", "GET", "evil.test", "", 400},
		{"a host refused", "https", "GET", "evil.test", "img-src *", 400},
		{"a form refused", "https", "POST", "shop.test", "img-src *", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := answerOf(g.Wrap(hello), serverRequest(t, tt.scheme, tt.method, "/", tt.host))
			if resp.StatusCode != tt.status {
				t.Errorf("status %d", resp.StatusCode)
			}
			wantHeader(t, resp, "Content-Security-Policy", tt.want)
		})
	}
}

// Settings are copied, the sources of a policy too.
func TestCSPIsCopied(t *testing.T) {
	policy := lockstep.CSP{{"img-src", "*"}}
	s := djangoSettings(func(s *lockstep.Settings) { s.SecureCSP = policy })
	c, err := lockstep.CheckSettings(s)
	if err != nil {
		t.Fatal(err)
	}
	policy[0][1] = "evil.test"
	if got := c.Settings.SecureCSP.String(); got != "img-src *" {
		t.Error(got)
	}
}

func TestCSPNonceWithoutGuard(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	lockstep.CSPNonce(httptest.NewRequest(http.MethodGet, "/", nil))
}

// runPolicyItems is runSettingsItems for a part of what is said; "" is nothing.
func runPolicyItems(t *testing.T, setting string, set func(*lockstep.Settings, string), tests []settingsItemTest) {
	t.Helper()
	for _, test := range tests {
		s := settingsWithKey()
		set(&s, test.item)
		_, err := lockstep.CheckSettings(s)
		var bad *lockstep.SettingError
		if errors.As(err, &bad) != (test.want != "") || bad != nil && (bad.Setting != setting || !strings.Contains(bad.Problem+"; "+bad.Hint, test.want)) {
			t.Errorf("%s %q: %v, want %q", setting, test.item, err, test.want)
		}
	}
}

func TestSettingsPolicies(t *testing.T) {
	runPolicyItems(t, "SECURE_CSP", func(s *lockstep.Settings, source string) { s.SecureCSP = lockstep.CSP{{"script-src", source}} }, []settingsItemTest{
		{"'self'", ""},
		{"https://*.shop.test:*/a/?b", ""},
		{"'sha256-AbC/+='", ""},
		{lockstep.CSPNonceSource, ""},
		{"self", "is a host to browsers"},
		{"Unsafe-Inline", "is a host to browsers"},
		{"'nonce-abc'", "is the same in every response"},
		{"a b", "is not one source"},
		{"a;b", "is not one source"},
		{"a,b", "is not one source"},
		{"a\r\nb", "is not one source"},
		{"ü.test", "is not one source"},
		{"", "is not one source"},
	})
	runPolicyItems(t, "SECURE_CSP_REPORT_ONLY", func(s *lockstep.Settings, name string) {
		s.SecureCSPReportOnly = lockstep.CSP{{"img-src", "*"}, strings.Fields(name)}
	}, []settingsItemTest{
		{"report-uri /csp", ""},
		{"upgrade-insecure-requests", ""},
		{"IMG-SRC *", "is there twice"},
		{"'self'", "does not begin with the name"},
		{"", "does not begin with the name"},
		{"a;b c", "does not begin with the name"},
	})
	runPolicyItems(t, "SECURE_PERMISSIONS_POLICY", func(s *lockstep.Settings, item string) {
		s.SecurePermissionsPolicy = []string{"camera=()", item}
	}, []settingsItemTest{
		{"geolocation=(self)", ""},
		{`geolocation=(self "https://pay.shop.test")`, ""},
		{"fullscreen=*", ""},
		{"picture-in-picture=self", ""},
		{"geolocation 'self'", "is not an item"},
		{"geolocation=('self')", "is not an item"},
		{"geolocation=(self), usb=()", "is not an item"},
		{"geolocation=(self\r\n)", "is not an item"},
		{"camera=(self)", "another item is about"},
		{"", "is not an item"},
	})
	runPolicyItems(t, "SECURE_CROSS_ORIGIN_RESOURCE_POLICY", func(s *lockstep.Settings, value string) {
		s.SecureCrossOriginResourcePolicy = value
	}, []settingsItemTest{
		{"same-site", ""},
		{"same-origin", ""},
		{"cross-origin", ""},
		{"Same-Origin", "is not a value that is known"},
	})
}

// The headers of Lockstep's own settings, on every response.
func TestOwnHeaders(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) {
		s.SecureSSLRedirect = true
		s.SecureCrossOriginResourcePolicy = "same-site"
		s.SecurePermissionsPolicy = []string{"camera=()", "geolocation=(self)"}
	})
	for _, scheme := range []string{"http", "https"} {
		resp := answerOf(g.Wrap(hello), get(t, scheme, "/", "shop.test"))
		wantHeader(t, resp, "Cross-Origin-Resource-Policy", "same-site")
		wantHeader(t, resp, "Permissions-Policy", "camera=(), geolocation=(self)")
	}
}
