package lockstep_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/internal/oracle"
	"github.com/lockstep-http/lockstep/session"
)

// Every version at which something changed that a client or the Django beside the site can tell, and
// the one before it; a series alone is its newest patch.
var djangoVersions = []string{
	"3.2", "4.2.25", "4.2.26", "4.2.27", "4.2",
	"5.2.7", "5.2.8", "5.2.9", "5.2.13", "5.2.14", "5.2.15", "5.2",
	"6.0.4", "6.0.5", "6.0.6", "6.0", "6.1",
}

// A versionTest is one change between versions: what is asked of a site, and what it answers by
// version. A version that is not named answers as the one before it in djangoVersions.
type versionTest struct {
	change string
	ask    func(t *testing.T, s lockstep.Settings) string
	want   map[string]string
}

// always is the answer of every version.
func always(want string) map[string]string { return map[string]string{"3.2": want} }

// TestDjangoVersions goes through the changes between Djangos. Those of Python's own API have no
// case: bool(request.session), W027 (a check), and the default digest of salted_hmac, which Django
// itself never uses.
func TestDjangoVersions(t *testing.T) {
	for _, tt := range slices.Concat(versionsOfCSRF, versionsOfRequests, versionsOfSessions, versionsOfCookies) {
		t.Run(tt.change, func(t *testing.T) {
			var want string
			for _, version := range djangoVersions {
				if changed, ok := tt.want[version]; ok {
					want = changed
				}
				s := lockstep.DjangoDefaults(version)
				s.SecretKey, s.AllowedHosts = guardKey, []string{"*"}
				if got := tt.ask(t, s); got != want {
					t.Errorf("%s: %s, want %s", version, got, want)
				}
			}
		})
	}
}

var versionsOfCSRF = []versionTest{
	{
		change: "4.0: Origin is checked", ask: func(t *testing.T, s lockstep.Settings) string {
			return answered(t, s, hello, "POST", "https", "/", "Origin: https://evil.test", "Referer: https://shop.test/", csrfPair)
		},
		want: map[string]string{"3.2": "200", "4.2.25": "403 Origin checking failed - https://evil.test does not match any trusted origins."},
	},
	{
		change: "4.0: CSRF_TRUSTED_ORIGINS have a scheme", ask: func(_ *testing.T, s lockstep.Settings) string {
			var taken []string
			for _, entry := range []string{"pay.shop.test", ".shop.test", "https://pay.shop.test", "https://*.shop.test"} {
				s.CSRFTrustedOrigins = []string{entry}
				if _, err := lockstep.CheckSettings(s); err == nil {
					taken = append(taken, entry)
				}
			}
			return strings.Join(taken, " ")
		},
		want: map[string]string{"3.2": "pay.shop.test .shop.test", "4.2.25": "https://pay.shop.test https://*.shop.test"},
	},
	{
		change: "4.0: a reason for each", ask: func(t *testing.T, s lockstep.Settings) string {
			none := answered(t, s, hello, "POST", "http", "/", "Cookie: csrftoken="+secret32)
			short := answered(t, s, hello, "POST", "http", "/", "Cookie: csrftoken="+secret32, "X-Csrftoken: short")
			return none + "; " + short
		},
		want: map[string]string{
			"3.2":    "403 CSRF token missing or incorrect.; 403 CSRF token missing or incorrect.",
			"4.2.25": "403 CSRF token missing.; 403 CSRF token from the 'X-Csrftoken' HTTP header has incorrect length.",
		},
	},
	{
		change: "4.1: the CSRF cookie is the secret, unmasked", ask: func(t *testing.T, s lockstep.Settings) string {
			resp := responseTo(t, s, func(_ http.ResponseWriter, r *http.Request) { lockstep.CSRFToken(r) })
			return strconv.Itoa(len(cookieValue(resp, "csrftoken")))
		},
		want: map[string]string{"3.2": "64", "4.2.25": "32"},
	},
	{
		change: "both lengths are read", ask: func(t *testing.T, s lockstep.Settings) string {
			masked := django.MaskCSRFSecret(secret32, strings.Repeat("m", 32))
			bare := answered(t, s, hello, "POST", "http", "/", "Cookie: csrftoken="+secret32, "X-Csrftoken: "+masked)
			return bare + " " + answered(t, s, hello, "POST", "http", "/", "Cookie: csrftoken="+masked, "X-Csrftoken: "+secret32)
		},
		want: always("200 200"),
	},
}

const secret32 = "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"

// csrfPair is a cookie and its token, in one line for the two headers.
const csrfPair = "Cookie: csrftoken=" + secret32 + "\r\nX-Csrftoken: " + secret32

var versionsOfRequests = []versionTest{
	{
		change: "4.0: an opener policy, no XSS filter", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SecureCrossOriginOpenerPolicy, s.SecureBrowserXSSFilter = "same-origin", true
			h := responseTo(t, s, hello).Header
			return "COOP " + h.Get("Cross-Origin-Opener-Policy") + ", XSS " + h.Get("X-XSS-Protection")
		},
		want: map[string]string{"3.2": "COOP , XSS 1; mode=block", "4.2.25": "COOP same-origin, XSS "},
	},
	{ // docs/divergences.md: 3.2 compares the whole value, 4.1 and later the leftmost
		change: "4.1: lists in X-Forwarded-Proto", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SecureProxySSLHeader, s.InsecureTrustAnyProxy = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}, true
			var secure []string
			for _, value := range []string{"https", " https ", "HTTPS", "https,http", "http,https"} {
				g := mustNew(t, s, lockstep.Options{Now: fixedNow})
				if r := get(t, "http", "/", "shop.test"); g.Secure(with(r, "X-Forwarded-Proto", value)).Yes {
					secure = append(secure, strings.TrimSpace(value))
				}
			}
			return strings.Join(secure, " ")
		},
		want: always("https https HTTPS http,https"),
	},
	{
		change: "header names with an underscore", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SecureProxySSLHeader, s.InsecureTrustAnyProxy = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}, true
			g := mustNew(t, s, lockstep.Options{Now: fixedNow})
			return fmt.Sprint(g.Secure(get(t, "http", "/", "shop.test", "X_Forwarded_Proto: https")).Yes)
		},
		want: always("false"),
	},
	{ // docs/divergences.md: before 5.0 it passed
		change: "5.0: a host with a line end", ask: func(t *testing.T, s lockstep.Settings) string {
			r := get(t, "http", "/", "shop.test")
			r.Host = "shop.test\n" // which net/http would not have read
			return fmt.Sprint(mustNew(t, s, lockstep.Options{}).Host(r).Yes)
		},
		want: always("false"),
	},
	{
		change: "5.2: preserve_request is not for SECURE_SSL_REDIRECT", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SecureSSLRedirect = true
			return answered(t, s, hello, "POST", "http", "/")
		},
		want: always("301"),
	},
	{
		change: "the length limit of redirects", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SecureSSLRedirect = true
			var statuses []string
			for _, length := range []int{2048, 2049, 16384, 16385} { // of the Location
				target := "/" + strings.Repeat("a", length-len("https://shop.test/"))
				statuses = append(statuses, answered(t, s, hello, "GET", "http", target))
			}
			return strings.Join(statuses, " ")
		},
		want: map[string]string{
			"3.2":    "301 301 301 301",
			"4.2.26": "301 400 Unsafe redirect exceeding 2048 characters 400 Unsafe redirect exceeding 2048 characters 400 Unsafe redirect exceeding 2048 characters",
			"4.2.27": "301 301 301 400 Unsafe redirect exceeding 16384 characters",
			"5.2.7":  "301 301 301 301",
			"5.2.8":  "301 400 Unsafe redirect exceeding 2048 characters 400 Unsafe redirect exceeding 2048 characters 400 Unsafe redirect exceeding 2048 characters",
			"5.2.9":  "301 301 301 400 Unsafe redirect exceeding 16384 characters",
		},
	},
	{
		change: "the length limit counts quoted characters", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SecureSSLRedirect = true
			return answered(t, s, hello, "GET", "http", "/"+strings.Repeat("=", 700))[:3]
		},
		want: map[string]string{"3.2": "301", "4.2.26": "400", "4.2.27": "301", "5.2.8": "400", "5.2.9": "301"},
	},
	{
		change: "6.0: SECURE_CSP", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SecureCSP = lockstep.CSP{{"default-src", "'self'"}}
			return orRefused(s, func() string { return responseTo(t, s, hello).Header.Get("Content-Security-Policy") })
		},
		want: map[string]string{
			"3.2":    "SECURE_CSP: Django 3.2 does not have it, it came with 6.0; take it out, or set DJANGO_VERSION to the Django that is beside this site",
			"4.2.25": "SECURE_CSP: Django 4.2 does not have it, it came with 6.0; take it out, or set DJANGO_VERSION to the Django that is beside this site",
			"5.2.7":  "SECURE_CSP: Django 5.2 does not have it, it came with 6.0; take it out, or set DJANGO_VERSION to the Django that is beside this site",
			"6.0.4":  "default-src 'self'",
		},
	},
	{
		change: "4.1: SECRET_KEY_FALLBACKS", ask: func(t *testing.T, s lockstep.Settings) string {
			cookie := "a=" + django.NewCookieSigner("a", "", s.DjangoVersion == "6.1", "former key").SignAt("hello", guardNow)
			s.SecretKeyFallbacks = []string{"former key"}
			s.SignedCookieLegacySaltFallback = true
			return orRefused(s, func() string { return readSigned(t, s, cookie, "") })
		},
		want: map[string]string{
			"3.2":    "SECRET_KEY_FALLBACKS: Django 3.2 does not have it, it came with 4.1; take it out, or set DJANGO_VERSION to the Django that is beside this site",
			"4.2.25": "hello",
		},
	},
}

var versionsOfSessions = []versionTest{
	{
		change: "4.2: nothing is saved with any 5xx", ask: func(t *testing.T, s lockstep.Settings) string {
			var saved []string
			for _, status := range []int{200, 404, 499, 500, 501, 503} {
				resp := responseTo(t, s, func(w http.ResponseWriter, r *http.Request) {
					_ = session.From(r.Context()).Set("a", 1)
					w.WriteHeader(status)
				})
				if len(resp.Header["Set-Cookie"]) > 0 {
					saved = append(saved, strconv.Itoa(status))
				}
			}
			return strings.Join(saved, " ")
		},
		want: map[string]string{"3.2": "200 404 499 501 503", "4.2.25": "200 404 499"},
	},
	{
		change: "Vary with SESSION_SAVE_EVERY_REQUEST", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SessionSaveEveryRequest = true
			store := new(session.Memory)
			g := mustNew(t, s, lockstep.Options{Now: fixedNow, Sessions: store})
			first := answerOf(g.Wrap(setItem("a", 1)), get(t, "https", "/", "shop.test"))
			again := answerOf(g.Wrap(hello), get(t, "https", "/", "shop.test", "Cookie: sessionid="+cookieValue(first, "sessionid")))
			return fmt.Sprintf("%d cookie, Vary %q", len(again.Header["Set-Cookie"]), again.Header.Get("Vary"))
		},
		want: map[string]string{
			"3.2": `1 cookie, Vary ""`, "5.2.14": `1 cookie, Vary "Cookie"`, "6.0.4": `1 cookie, Vary ""`, "6.0.5": `1 cookie, Vary "Cookie"`,
		},
	},
	{
		change: "4.1: set_expiry(datetime)", ask: func(t *testing.T, s lockstep.Settings) string { return momentOf(t, s) },
		want: map[string]string{
			"3.2":    "session: Django up to 4.0 cannot read an expiry that is a moment: call SetExpiry with seconds, which count from every save",
			"4.2.25": "2023-11-14T22:14:20",
			"5.2.7":  "2023-11-14T22:14:20+00:00",
		},
	},
	{
		change: "USE_TZ is True", ask: func(t *testing.T, s lockstep.Settings) string {
			s.UseTZ = true
			return momentOf(t, s)[:19] + strings.Repeat("+", strings.Count(momentOf(t, s), "+00:00"))
		},
		want: map[string]string{"3.2": "session: Django up ", "4.2.25": "2023-11-14T22:14:20+"},
	},
	{
		change: "USE_TZ is False", ask: func(t *testing.T, s lockstep.Settings) string {
			s.UseTZ = false
			return momentOf(t, s)[:19] + strings.Repeat("+", strings.Count(momentOf(t, s), "+00:00"))
		},
		want: map[string]string{"3.2": "session: Django up ", "4.2.25": "2023-11-14T22:14:20"},
	},
	{ // docs/divergences.md: Django compares with its own kind of moments only, and 3.2 with none
		change: "_session_expiry by somebody else", ask: func(t *testing.T, s lockstep.Settings) string {
			var ages []string
			for _, text := range []string{"2023-11-14T22:14:20", "2023-11-14T22:14:20+00:00", "2023-11-14T23:14:20.500000+01:00"} {
				resp := responseTo(t, s, setItem("_session_expiry", text))
				_, age, _ := strings.Cut(strings.Join(resp.Header["Set-Cookie"], ""), "Max-Age=")
				ages = append(ages, strings.Split(age, ";")[0])
			}
			return strings.Join(ages, " ")
		},
		want: always("60 60 60"),
	},
	{ // docs/divergences.md: Django 3.2 reads them with DEFAULT_HASHING_ALGORITHM
		change: "4.0: SHA-1 signatures", ask: func(t *testing.T, s lockstep.Settings) string {
			return readSigned(t, s, "a="+sha1Signed("hello"), "bc")
		},
		want: always("bad signature"),
	},
	{ // docs/divergences.md: only JSON is ever read
		change: "5.0: PickleSerializer", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SessionEngine = "django.contrib.sessions.backends.signed_cookies"
			pickled := "\x80\x05\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s." // {"a": 1}
			cookie := django.NewSigner(django.SignedCookieSessionSalt, guardKey).Dumps([]byte(pickled), false, guardNow)
			var has bool
			answerOf(mustNew(t, s, lockstep.Options{Now: fixedNow}).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				has = session.From(r.Context()).Has("a")
			})), get(t, "https", "/", "shop.test", "Cookie: sessionid="+cookie))
			return fmt.Sprint(has)
		},
		want: always("false"),
	},
}

var versionsOfCookies = []versionTest{
	{
		change: "the salt of signed cookies, written", ask: func(t *testing.T, s lockstep.Settings) string {
			resp := responseTo(t, s, func(w http.ResponseWriter, r *http.Request) {
				if err := lockstep.SetSignedCookie(w, r, lockstep.Cookie{Name: "a", Value: "hello"}, "bc"); err != nil {
					t.Error(err)
				}
			})
			return map[string]string{signedV1: "v1", signedV2: "v2"}[cookieValue(resp, "a")]
		},
		want: map[string]string{"3.2": "v1", "5.2.15": "v2", "6.0.4": "v1", "6.0.6": "v2"},
	},
	{
		change: "the salt of signed cookies, read by default", ask: func(t *testing.T, s lockstep.Settings) string {
			return readSigned(t, s, "a="+signedV1, "bc") + ", " + readSigned(t, s, "a="+signedV2, "bc")
		},
		want: map[string]string{
			"3.2": "hello, bad signature", "5.2.15": "hello, hello", "6.0.4": "hello, bad signature", "6.0.6": "hello, hello", "6.1": "bad signature, hello",
		},
	},
	{
		change: "SIGNED_COOKIE_LEGACY_SALT_FALLBACK is the other way round", ask: func(t *testing.T, s lockstep.Settings) string {
			s.SignedCookieLegacySaltFallback = !s.SignedCookieLegacySaltFallback
			return readSigned(t, s, "a="+signedV1, "bc") + ", " + readSigned(t, s, "a="+signedV2, "bc")
		},
		want: map[string]string{
			"3.2": "hello, bad signature", "5.2.15": "bad signature, hello", "6.0.4": "hello, bad signature", "6.0.6": "bad signature, hello", "6.1": "hello, hello",
		},
	},
	{ // docs/divergences.md: before 4.1 a TypeError
		change: "4.1: max_age=timedelta", ask: func(t *testing.T, s lockstep.Settings) string {
			return setting(t, s, lockstep.Cookie{Name: "a", Value: "v", MaxAge: time.Minute})
		},
		want: always("a=v; expires=Tue, 14 Nov 2023 22:14:20 GMT; Max-Age=60; Path=/"),
	},
	{ // docs/divergences.md: before 4.1 expires won
		change: "4.1: a datetime and max_age", ask: func(t *testing.T, s lockstep.Settings) string {
			return setting(t, s, lockstep.Cookie{Name: "a", Value: "v", MaxAge: time.Minute, Expires: guardNow})
		},
		want: always(`setting cookie "a": MaxAge and Expires are both set`),
	},
	{ // Django under WSGI sent " a=v" to the server
		change: "6.0: no space before Set-Cookie", ask: func(t *testing.T, s lockstep.Settings) string {
			return setting(t, s, lockstep.Cookie{Name: "a", Value: "v"})
		},
		want: always("a=v; Path=/"),
	},
	{ // docs/divergences.md: WSGI joins them with a comma
		change: "6.0: several Cookie headers", ask: func(t *testing.T, s lockstep.Settings) string {
			var value string
			answerOf(mustNew(t, s, lockstep.Options{}).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				value, _ = lockstep.ReadCookie(r, "a")
			})), get(t, "https", "/", "shop.test", "Cookie: a=1", "Cookie: b=2"))
			return value
		},
		want: always("1"),
	},
}

// mustNew is a Guard for settings that are good.
func mustNew(t *testing.T, s lockstep.Settings, o lockstep.Options) *lockstep.Guard {
	t.Helper()
	g, err := lockstep.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// with is r with a header line.
func with(r *http.Request, name, value string) *http.Request {
	r.Header[name] = append(r.Header[name], value)
	return r
}

func responseTo(t *testing.T, s lockstep.Settings, h http.HandlerFunc) *http.Response {
	t.Helper()
	return answerOf(mustNew(t, s, lockstep.Options{Now: fixedNow}).Wrap(h), get(t, "https", "/", "shop.test"))
}

// answered is the status and, where the log has one, the reason.
func answered(t *testing.T, s lockstep.Settings, h http.Handler, method, scheme, target string, lines ...string) string {
	t.Helper()
	var log bytes.Buffer
	g := mustNew(t, s, lockstep.Options{Now: fixedNow, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w := httptest.NewRecorder()
	g.Wrap(h).ServeHTTP(w, serverRequest(t, scheme, method, target, "shop.test", lines...))
	_, _ = io.Copy(io.Discard, w.Body)
	_, reason, found := strings.Cut(log.String(), " reason=")
	reason, _, _ = strings.Cut(reason, " rule=")
	if unquoted, err := strconv.Unquote(reason); err == nil {
		reason = unquoted
	}
	if !found {
		return strconv.Itoa(w.Code)
	}
	return strconv.Itoa(w.Code) + " " + reason
}

// orRefused is what New has against s, or what ask answers.
func orRefused(s lockstep.Settings, ask func() string) string {
	if _, err := lockstep.CheckSettings(s); err != nil {
		return err.Error()
	}
	return ask()
}

func cookieValue(resp *http.Response, name string) string {
	for _, line := range resp.Header["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		if value, found := strings.CutPrefix(pair, name+"="); found {
			return value
		}
	}
	return ""
}

// setItem is an app that sets an item of the session.
func setItem(key string, value any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := session.From(r.Context()).Set(key, value); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// momentOf is how a session holds the moment at which it ends, or why it does not.
func momentOf(t *testing.T, s lockstep.Settings) (text string) {
	t.Helper()
	responseTo(t, s, func(_ http.ResponseWriter, r *http.Request) {
		if err := session.From(r.Context()).SetExpiryAt(guardNow.Add(time.Minute)); err != nil {
			text = err.Error()
			return
		}
		text, _ = session.Value[string](session.From(r.Context()), "_session_expiry")
	})
	return text
}

func readSigned(t *testing.T, s lockstep.Settings, cookie, salt string) (value string) {
	t.Helper()
	answerOf(mustNew(t, s, lockstep.Options{Now: fixedNow}).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var err error
		if value, err = lockstep.SignedCookie(r, "a", salt, 0); errors.Is(err, django.ErrBadSignature) {
			value = "bad signature"
		}
	})), get(t, "https", "/", "shop.test", "Cookie: "+cookie))
	return value
}

// setting is the line that sets c, or why it is not set.
func setting(t *testing.T, s lockstep.Settings, c lockstep.Cookie) (text string) {
	t.Helper()
	resp := responseTo(t, s, func(w http.ResponseWriter, r *http.Request) {
		if err := lockstep.SetCookie(w, r, c); err != nil {
			text = err.Error()
		}
	})
	return text + resp.Header.Get("Set-Cookie")
}

// sha1Signed is what Django 3.2 writes for cookie "a" and salt "bc" with DEFAULT_HASHING_ALGORITHM.
func sha1Signed(value string) string {
	signed := value + ":1r31eq"
	key := sha1.Sum([]byte("abc" + "signer" + "django.http.cookies" + guardKey))
	mac := hmac.New(sha1.New, key[:])
	mac.Write([]byte(signed))
	return signed + ":" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Why a moment is not written for Django 3.2: whoever has such a session gets 500 from it.
func TestMomentsOnDjango(t *testing.T) {
	answer := oracle.Ask[struct{ Responses []struct{ Status int } }](t, []map[string]any{{
		"view": "session", "now": guardNow.Unix(), "requests": []map[string]any{{
			"url": "https://shop.test/", "args": map[string]any{"ops": []any{[]any{"set", "_session_expiry", "2023-11-14T22:14:20+00:00"}}},
		}},
	}})[0]
	if status := answer.Responses[0].Status; status != http.StatusInternalServerError {
		t.Errorf("Django answers %d", status)
	}
}
