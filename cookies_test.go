package lockstep_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

type cookieTest struct {
	name   string
	cookie lockstep.Cookie
	host   string // "" is shop.test
	want   string // the line that is sent
	error  string // or a part of the error
}

var cookieTests = []cookieTest{
	{name: "default", cookie: lockstep.Cookie{Name: "a", Value: "v"}, want: "a=v; Path=/"},
	{name: "empty value", cookie: lockstep.Cookie{Name: "a"}, want: `a=""; Path=/`},
	{name: "all", want: "a=v; Domain=shop.test; expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; Max-Age=60; Partitioned; Path=/x; SameSite=None; Secure", cookie: lockstep.Cookie{
		Name: "a", Value: "v", Domain: "shop.test", Path: "/x", MaxAge: time.Minute, Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode, Partitioned: true,
	}},
	{name: "dot before the domain", cookie: lockstep.Cookie{Name: "a", Value: "v", Domain: ".shop.test"}, want: "a=v; Domain=.shop.test; Path=/"},
	{name: "SameSite default", cookie: lockstep.Cookie{Name: "a", Value: "v", SameSite: http.SameSiteDefaultMode}, want: "a=v; Path=/"},
	{name: "SameSite Strict", cookie: lockstep.Cookie{Name: "a", Value: "v", SameSite: http.SameSiteStrictMode}, want: "a=v; Path=/; SameSite=Strict"},
	{name: "MaxAge is cut", cookie: lockstep.Cookie{Name: "a", Value: "v", MaxAge: 1999 * time.Millisecond}, want: "a=v; expires=Tue, 14 Nov 2023 22:13:21 GMT; Max-Age=1; Path=/"},
	{name: "MaxAge of part of a second", cookie: lockstep.Cookie{Name: "a", Value: "v", MaxAge: 500 * time.Millisecond}, want: "a=v; expires=Tue, 14 Nov 2023 22:13:21 GMT; Max-Age=1; Path=/"},
	{name: "Expires beyond all durations", cookie: lockstep.Cookie{Name: "a", Value: "v", Expires: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, want: "a=v; expires=Fri, 31 Dec 9999 00:00:01 GMT; Max-Age=251702214401; Path=/"},
	{name: "MaxAge below zero", cookie: lockstep.Cookie{Name: "a", Value: "v", MaxAge: -5 * time.Second}, want: "a=v; expires=Tue, 14 Nov 2023 22:13:15 GMT; Max-Age=-5; Path=/"},
	{name: "Expires", cookie: lockstep.Cookie{Name: "a", Value: "v", Expires: guardNow.Add(time.Minute)}, want: "a=v; expires=Tue, 14 Nov 2023 22:14:21 GMT; Max-Age=61; Path=/"},
	{name: "Expires in the past", cookie: lockstep.Cookie{Name: "a", Value: "v", Expires: guardNow.Add(-time.Hour)}, want: "a=v; expires=Tue, 14 Nov 2023 22:13:20 GMT; Max-Age=0; Path=/"},
	{name: "host prefix", cookie: lockstep.Cookie{Name: "__Host-a", Value: "v", Secure: true}, want: "__Host-a=v; Path=/; Secure"},
	{name: "another host's port", cookie: lockstep.Cookie{Name: "a", Value: "v", Domain: "shop.test"}, host: "www.shop.test:8080", want: "a=v; Domain=shop.test; Path=/"},

	{name: "S11 line end in the value", cookie: lockstep.Cookie{Name: "a", Value: "a\r\nX: y"}, want: `a="a\015\012X: y"; Path=/`},
	{name: "S11 attribute in the value", cookie: lockstep.Cookie{Name: "a", Value: "a;Domain=evil"}, want: `a="a\073Domain=evil"; Path=/`},
	{name: "S11 Latin-1", cookie: lockstep.Cookie{Name: "a", Value: "é"}, want: `a="\351"; Path=/`},
	{name: "S11 beyond Latin-1", cookie: lockstep.Cookie{Name: "a", Value: "a€"}, error: "above U+00FF"},
	{name: "S11 attribute in the path", cookie: lockstep.Cookie{Name: "a", Path: "/; Domain=evil"}, error: "ends the attribute"},
	{name: "S11 line end in the domain", cookie: lockstep.Cookie{Name: "a", Domain: "shop.test\r\nX: y"}, error: "ends the attribute"},
	{name: "empty name", error: "name is empty"},
	{name: "bad name", cookie: lockstep.Cookie{Name: "a b"}, error: "not allowed"},
	{name: "attribute's name", cookie: lockstep.Cookie{Name: "PATH"}, error: "name of an attribute"},
	{name: "two ends", cookie: lockstep.Cookie{Name: "a", MaxAge: 1, Expires: guardNow}, error: "MaxAge and Expires"},
	{name: "SameSite unknown", cookie: lockstep.Cookie{Name: "a", SameSite: 9}, error: "SameSite"},

	{name: "S03 host prefix with domain", cookie: lockstep.Cookie{Name: "__Host-a", Value: "v", Domain: "shop.test", Secure: true}, error: "store-prefix-host"},
	{name: "S03 host prefix with path", cookie: lockstep.Cookie{Name: "__Host-a", Value: "v", Path: "/x", Secure: true}, error: "store-prefix-host"},
	{name: "S03 secure prefix without Secure", cookie: lockstep.Cookie{Name: "__Secure-a", Value: "v"}, error: "store-prefix-secure"},
	{name: "S04 SameSite None without Secure", cookie: lockstep.Cookie{Name: "a", Value: "v", SameSite: http.SameSiteNoneMode}, error: "store-none-not-secure"},
	{name: "S05 public suffix", cookie: lockstep.Cookie{Name: "a", Value: "v", Domain: "com"}, host: "shop.com", error: "store-public-suffix"},
	{name: "S05 foreign domain", cookie: lockstep.Cookie{Name: "a", Value: "v", Domain: "other.com"}, error: "store-domain"},
	{name: "S05 address", cookie: lockstep.Cookie{Name: "a", Value: "v", Domain: "127.0.0.1"}, error: "no browser stores it"},
	{name: "S06 too long", cookie: lockstep.Cookie{Name: "a", Value: strings.Repeat("v", 5000)}, error: "4096"},
}

func TestSetCookie(t *testing.T) {
	for _, tt := range cookieTests {
		t.Run(tt.name, func(t *testing.T) {
			host := tt.host
			if host == "" {
				host = "shop.test"
			}
			var err error
			resp, verdicts := watched(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err = lockstep.SetCookie(w, r, tt.cookie)
			})), get(t, "https", "/", host))
			lines := resp.Header["Set-Cookie"]
			if tt.error != "" {
				if err == nil || !strings.Contains(err.Error(), tt.error) || len(lines) > 0 {
					t.Errorf("error %v, sent %q; want %q", err, lines, tt.error)
				}
				return
			}
			if err != nil || len(lines) != 1 || lines[0] != tt.want {
				t.Fatalf("error %v, sent\n%q, want\n%q", err, lines, tt.want)
			}
			v := about(t, verdicts, rule.SetCookie, tt.cookie.Name)
			if !v.Yes || strings.Contains(v.Facts[0].Value, tt.cookie.Value) && len(tt.cookie.Value) > 1 {
				t.Errorf("verdict %+v", v)
			}
		})
	}
}

func TestRefusedCookieVerdict(t *testing.T) {
	var log bytes.Buffer
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = lockstep.SetCookie(w, r, lockstep.Cookie{Name: "__Host-id", Value: "secret", Domain: "other.test"})
	}))
	for range 3 {
		_, verdicts := watched(h, get(t, "https", "/", "shop.test"))
		v := about(t, verdicts, rule.SetCookie, "__Host-id")
		if v.Yes || !strings.HasPrefix(string(v.Rule), "store-") || len(v.Also) == 0 || !slices.Contains(v.Notes, "note-cookie-not-sent") {
			t.Errorf("verdict %+v", v)
		}
		want := rule.Fact{Name: "Set-Cookie", Value: "__Host-id=…; Domain=other.test; Path=/"}
		if v.Facts[0] != want {
			t.Errorf("facts %v", v.Facts)
		}
	}
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "cookie=__Host-id") || strings.Contains(log.String(), "secret") {
		t.Errorf("log %s", &log)
	}
}

// What the app writes by itself goes out as it is, and is noticed.
func TestCookiesOfTheApp(t *testing.T) {
	var log bytes.Buffer
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "fine", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "__Host-id", Value: "1", Path: "/"})
	}))
	resp, verdicts := watched(h, get(t, "https", "/", "shop.test"))
	if got := resp.Header["Set-Cookie"]; !slices.Equal(got, []string{"fine=1", "__Host-id=1; Path=/"}) {
		t.Errorf("sent %q", got)
	}
	if v := about(t, verdicts, rule.SetCookie, "fine"); v.Rule != "set-cookie-sent" || v.Notes != nil {
		t.Errorf("verdict %+v", v)
	}
	v := about(t, verdicts, rule.SetCookie, "__Host-id")
	if !v.Yes || v.Rule != "set-cookie-sent" || len(v.Notes) < 2 || v.Notes[0] != "note-cookie-impossible" {
		t.Errorf("verdict %+v", v)
	}
	if strings.Count(log.String(), "\n") != 1 {
		t.Errorf("log %s", &log)
	}
}

// S10: Django sends a Secure cookie over http; the verdict says that no browser keeps it.
func TestSecureCookieOverHTTP(t *testing.T) {
	h := newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: "a", Value: "v", Secure: true}); err != nil {
			t.Error(err)
		}
	}))
	for _, tt := range []struct {
		scheme, host string
		notes        []rule.ID
	}{
		{"http", "shop.test", []rule.ID{"note-secure-cookie-over-http"}},
		{"https", "shop.test", nil},
		{"http", "localhost:8000", nil},
		{"http", "[::1]:8000", nil},
	} {
		resp, verdicts := watched(h, get(t, tt.scheme, "/", tt.host))
		if got := resp.Header.Get("Set-Cookie"); got != "a=v; Path=/; Secure" {
			t.Errorf("sent %q", got)
		}
		if v := about(t, verdicts, rule.SetCookie, "a"); !slices.Equal(v.Notes, tt.notes) {
			t.Errorf("%s %s: notes %v", tt.scheme, tt.host, v.Notes)
		}
	}
}

func TestReplaceCookie(t *testing.T) {
	set := func(c lockstep.Cookie) func(http.ResponseWriter, *http.Request) error {
		return func(w http.ResponseWriter, r *http.Request) error { return lockstep.SetCookie(w, r, c) }
	}
	del := func(c lockstep.Cookie) func(http.ResponseWriter, *http.Request) error {
		return func(w http.ResponseWriter, r *http.Request) error { return lockstep.DeleteCookie(w, r, c) }
	}
	tests := []struct {
		name string
		do   []func(http.ResponseWriter, *http.Request) error
		want []string
	}{
		{"later replaces earlier, in its place", []func(http.ResponseWriter, *http.Request) error{
			set(lockstep.Cookie{Name: "a", Value: "1", Secure: true}), set(lockstep.Cookie{Name: "b", Value: "1"}), set(lockstep.Cookie{Name: "a", Value: "2"}),
		}, []string{"a=2; Path=/", "b=1; Path=/"}},
		{"delete, then set", []func(http.ResponseWriter, *http.Request) error{
			del(lockstep.Cookie{Name: "a"}), set(lockstep.Cookie{Name: "a", Value: "v"}),
		}, []string{"a=v; Path=/"}},
		{"set, then delete", []func(http.ResponseWriter, *http.Request) error{
			set(lockstep.Cookie{Name: "a", Value: "v", HttpOnly: true}), del(lockstep.Cookie{Name: "a"}),
		}, []string{`a=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/`}},
		{"another path is another cookie", []func(http.ResponseWriter, *http.Request) error{
			set(lockstep.Cookie{Name: "a", Value: "1"}), set(lockstep.Cookie{Name: "a", Value: "2", Path: "/x"}), set(lockstep.Cookie{Name: "a", Value: "3", Domain: "shop.test"}),
		}, []string{"a=1; Path=/", "a=2; Path=/x", "a=3; Domain=shop.test; Path=/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, do := range tt.do {
					if err := do(w, r); err != nil {
						t.Error(err)
					}
				}
			})), get(t, "https", "/", "shop.test"))
			if got := resp.Header["Set-Cookie"]; !slices.Equal(got, tt.want) {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
		})
	}
}

// S08: a deletion has what a browser needs to accept it.
func TestDeleteCookie(t *testing.T) {
	const gone = `=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/`
	tests := []struct {
		name   string
		cookie lockstep.Cookie
		want   string
	}{
		{"plain", lockstep.Cookie{Name: "a", Value: "ignored"}, "a" + gone},
		{"host prefix", lockstep.Cookie{Name: "__Host-a"}, "__Host-a" + gone + "; Secure"},
		{"SameSite None", lockstep.Cookie{Name: "a", SameSite: http.SameSiteNoneMode}, "a" + gone + "; SameSite=None; Secure"},
		{"said to be Secure", lockstep.Cookie{Name: "a", Secure: true, SameSite: http.SameSiteLaxMode}, "a" + gone + "; SameSite=Lax; Secure"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, verdicts := watched(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := lockstep.DeleteCookie(w, r, tt.cookie); err != nil {
					t.Error(err)
				}
			})), get(t, "https", "/", "shop.test"))
			if got := resp.Header.Get("Set-Cookie"); got != tt.want {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
			if v := about(t, verdicts, rule.SetCookie, ""); !v.Yes || v.Rule != "set-cookie-deletion" {
				t.Errorf("verdict %+v", v)
			}
		})
	}
}

// K01 to K10: reading is Django's.
func TestReadCookie(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		read  string
		want  string
		ok    bool
	}{
		{"none", nil, "a", "", false},
		{"K01 the last wins", []string{"sessionid=good; sessionid=evil"}, "sessionid", "evil", true},
		{"K02 two lines", []string{"a=1", "b=2"}, "b", "2", true},
		{"K03 quotes do not protect", []string{`$Version=1; p="x; sessionid=s3cret; q=y"`}, "sessionid", "s3cret", true},
		{"K04 octal escapes", []string{`a="\163\145\163"`}, "a", "ses", true},
		{"K05 white space that only Python strips", []string{"a=1; \u00a0__Host-a=evil; \u2000__Secure-b=evil; \x0b__Host-a=evil; \u0085__Host-a=evil"}, "__Host-a", "", false},
		{"K05 spaces and tabs are stripped by everybody", []string{"\u00a0__Host-a=evil;\t __Host-a =good; \x1c__Host-a=evil"}, "__Host-a", "good", true},
		{"K05 without a prefix it is Django's", []string{"\u00a0a=1"}, "a", "1", true},
		{"K06 nameless", []string{"=__Host-a=evil; __Host-a"}, "__Host-a", "", false},
		{"K07 letter case", []string{"__hOsT-a=1"}, "__Host-a", "", false},
		{"K09 not percent-decoded", []string{"sess%69onid=2"}, "sessionid", "", false},
		{"K10 many", []string{strings.Repeat("a=1;", 3001) + "b=2"}, "b", "2", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get(t, "https", "/", "shop.test")
			if tt.lines != nil {
				r.Header["Cookie"] = tt.lines
			}
			if got, ok := lockstep.ReadCookie(r, tt.read); got != tt.want || ok != tt.ok {
				t.Errorf("%q, %v; want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestCookiesWithoutGuard(t *testing.T) {
	w, r := http.ResponseWriter(nil), get(t, "https", "/", "shop.test")
	if err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: "a"}); err == nil {
		t.Error("SetCookie gives no error")
	}
	if _, err := lockstep.SignedCookie(r, "a", "", 0); err == nil {
		t.Error("SignedCookie gives no error")
	}
}

func TestSessionCookie(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) { s.SessionCookieSecure = true })
	visit := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if r.URL.Path == "/bye" {
			if err := s.Flush(); err != nil {
				t.Error(err)
			}
			return
		}
		if err := s.Set("visits", 1); err != nil {
			t.Error(err)
		}
		if err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: "theme", Value: "dark"}); err != nil {
			t.Error(err)
		}
	})
	resp, verdicts := watched(g.Wrap(visit), get(t, "https", "/", "shop.test"))
	lines := resp.Header["Set-Cookie"]
	if len(lines) != 2 || lines[0] != "theme=dark; Path=/" {
		t.Fatalf("sent %q", lines)
	}
	value, attributes, _ := strings.Cut(lines[1], ";")
	const want = " expires=Tue, 28 Nov 2023 22:13:20 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure"
	if !strings.HasPrefix(value, "sessionid=") || len(value) != len("sessionid=")+32 || attributes != want {
		t.Errorf("sent %q", lines[1])
	}
	if resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("Vary %q", resp.Header.Get("Vary"))
	}
	v := about(t, verdicts, rule.SetCookie, "sessionid")
	if v.Rule != "set-cookie-sent" || v.Facts[0].Value != "sessionid=…;"+want {
		t.Errorf("verdict %+v", v)
	}
	resp, verdicts = watched(g.Wrap(visit), get(t, "https", "/bye", "shop.test", "Cookie: "+value))
	if got := resp.Header.Get("Set-Cookie"); got != `sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax` {
		t.Errorf("sent %q", got)
	}
	if v := about(t, verdicts, rule.SetCookie, "sessionid"); v.Rule != "set-cookie-deletion" {
		t.Errorf("verdict %+v", v)
	}
}

func TestCookiePrintsNoValue(t *testing.T) {
	var log bytes.Buffer
	c := lockstep.Cookie{Name: "id", Value: "secret"}
	slog.New(slog.NewJSONHandler(&log, nil)).Info("cookie", "cookie", c)
	if text := log.String() + fmt.Sprintf("%v %+v %s", c, c, c); strings.Contains(text, "secret") || !strings.Contains(text, "id=…") {
		t.Error(text)
	}
}

// The session's own cookie is looked at like any other, although most of its lines are alike.
func TestSessionCookieThatNoBrowserStoresIsLogged(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*lockstep.Settings)
		value  string // of the session
		rule   string // "" when the cookie is fine
	}{
		{"defaults", nil, "a", ""},
		{"another domain", func(s *lockstep.Settings) { s.SessionCookieDomain = "other.test" }, "a", "store-domain-mismatch"},
		{"its own domain", func(s *lockstep.Settings) { s.SessionCookieDomain = "shop.test" }, "a", ""},
		{"long name", func(s *lockstep.Settings) { s.SessionCookieName = strings.Repeat("s", 4080) }, "a", "store-too-big"},
		{"large session in its cookie", func(s *lockstep.Settings) {
			s.SessionEngine = "django.contrib.sessions.backends.signed_cookies"
		}, cryptic(6000), "store-too-big"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log strings.Builder
			g, err := lockstep.New(djangoSettings(test.change), lockstep.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_ = session.From(r.Context()).Set("value", test.value)
			})), get(t, "https", "/", "shop.test"))
			if logged := strings.Contains(log.String(), "rule="); logged != (test.rule != "") || !strings.Contains(log.String(), test.rule) {
				t.Errorf("logged %q, want rule %q", log.String(), test.rule)
			}
		})
	}
}

// cryptic is a text that cannot be compressed by much.
func cryptic(n int) string {
	text := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(text)
	return base64.StdEncoding.EncodeToString(text)
}
