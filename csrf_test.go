package lockstep_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
)

// A secret, and tokens for it and for another one.
var (
	secret      = strings.Repeat("s", 32)
	masked      = django.MaskCSRFSecret(secret, strings.Repeat("Mask", 8))
	maskedAgain = django.MaskCSRFSecret(secret, strings.Repeat("9", 32))
	foreign     = django.MaskCSRFSecret(strings.Repeat("f", 32), strings.Repeat("Mask", 8))
)

const (
	fields    = "application/x-www-form-urlencoded"
	ownOrigin = "https://shop.test"
	ownPage   = "https://shop.test/form"
)

// A csrfTest is a request, what Django 6.1 says of it, and by which rule it is decided. What Django
// 3.2 says of it is asked of a real one by internal/oracle.
type csrfTest struct {
	name    string
	trusted []string // CSRF_TRUSTED_ORIGINS
	domain  string   // CSRF_COOKIE_DOMAIN

	scheme, method, target, host string // "" is https, POST, /, shop.test
	headers                      [][2]string
	cookie                       string
	kind, body                   string

	rule   rule.ID
	reason string // of Django 6.1; "" passes
	ours   bool   // the refusal is Lockstep's own; Django lets it pass
}

func header(pairs ...string) (all [][2]string) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, [2]string{pairs[i], pairs[i+1]})
	}
	return all
}

const csrfCookie = "csrftoken="

// form is a POST of a form from a page of the site.
func form(name, cookie, body string, by rule.ID, reason string) csrfTest {
	return csrfTest{
		name: name, headers: header("Referer", ownPage), cookie: csrfCookie + cookie, kind: fields, body: body,
		rule: by, reason: reason,
	}
}

// from is a POST with a good token from a page elsewhere.
func from(name string, headers [][2]string, by rule.ID, reason string) csrfTest {
	return csrfTest{name: name, headers: headers, cookie: csrfCookie + secret, kind: fields, body: "csrfmiddlewaretoken=" + masked, rule: by, reason: reason}
}

func (c csrfTest) trusting(origin string) csrfTest {
	c.trusted = []string{origin}
	return c
}

func (c csrfTest) with(change func(*csrfTest)) csrfTest { change(&c); return c }

const (
	notTrusted       = " does not match any trusted origins."
	noReferer        = "Referer checking failed - no Referer."
	malformedReferer = "Referer checking failed - Referer is malformed."
	insecure         = "Referer checking failed - Referer is insecure while host is secure."
	fromPOST         = "CSRF token from POST "
	fromHeader       = "CSRF token from the 'X-Csrftoken' HTTP header "
)

func badOrigin(origin string) string { return "Origin checking failed - " + origin + notTrusted }

func badReferer(referer string) string { return "Referer checking failed - " + referer + notTrusted }

func csrfTests() []csrfTest {
	token := "csrfmiddlewaretoken=" + masked
	plain := func(c *csrfTest) { c.scheme, c.headers = "http", nil }
	method := func(m string) func(*csrfTest) { return func(c *csrfTest) { c.method = m } }
	sent := func(name, value string) func(*csrfTest) {
		return func(c *csrfTest) { c.headers = append(c.headers, [2]string{name, value}) }
	}
	part := "--b\r\nContent-Disposition: form-data; name=\"csrfmiddlewaretoken\"\r\n\r\n" + masked + "\r\n--b--\r\n"
	multi := func(c *csrfTest) { c.kind, c.body = "multipart/form-data; boundary=b", part }
	return []csrfTest{
		// Methods.
		form("GET", "", "", "csrf-safe-method", "").with(method("GET")),
		form("HEAD", "", "", "csrf-safe-method", "").with(method("HEAD")),
		form("OPTIONS", "", "", "csrf-safe-method", "").with(method("OPTIONS")),
		form("TRACE", "", "", "csrf-safe-method", "").with(method("TRACE")),
		form("get in lower case", secret, "", "csrf-token-missing", "CSRF token missing.").with(method("get")),
		form("PUT without a token", secret, "", "csrf-token-missing", "CSRF token missing.").with(method("PUT")),
		form("DELETE without a token", secret, "", "csrf-token-missing", "CSRF token missing.").with(method("DELETE")),
		form("a method that nobody knows", secret, "", "csrf-token-missing", "CSRF token missing.").with(method("BREW")),
		form("PUT with a form", secret, token, "csrf-token-missing", "CSRF token missing.").with(method("PUT")),
		form("PUT with a header", secret, "", "csrf-ok", "").with(method("PUT")).with(sent("X-CSRFToken", masked)),
		form("X-HTTP-Method-Override", secret, "", "csrf-token-missing", "CSRF token missing.").with(sent("X-HTTP-Method-Override", "GET")),

		// Tokens.
		form("masked", secret, token, "csrf-ok", ""),
		form("masked otherwise", secret, "csrfmiddlewaretoken="+maskedAgain, "csrf-ok", ""),
		form("bare", secret, "csrfmiddlewaretoken="+secret, "csrf-ok", ""),
		form("cookie masked", maskedAgain, token, "csrf-ok", ""),
		form("cookie and token the same", masked, token, "csrf-ok", ""),
		form("cookie masked, token bare", masked, "csrfmiddlewaretoken="+secret, "csrf-ok", ""),
		form("of another secret", secret, "csrfmiddlewaretoken="+foreign, "csrf-token-incorrect", fromPOST+"incorrect."),
		form("one character off", secret, "csrfmiddlewaretoken="+masked[:63]+"~", "csrf-token-characters", fromPOST+"has invalid characters."),
		form("63 characters", secret, "csrfmiddlewaretoken="+masked[:63], "csrf-token-length", fromPOST+"has incorrect length."),
		form("65 characters", secret, token+"a", "csrf-token-length", fromPOST+"has incorrect length."),
		form("not ASCII", secret, "csrfmiddlewaretoken="+strings.Repeat("%C3%A9", 32), "csrf-token-characters", fromPOST+"has invalid characters."),
		form("masked twice", secret, "csrfmiddlewaretoken="+django.MaskCSRFSecret(masked[:32], strings.Repeat("9", 32)), "csrf-token-incorrect", fromPOST+"incorrect."),
		form("empty token", secret, "csrfmiddlewaretoken=", "csrf-token-missing", "CSRF token missing."),
		form("no token", secret, "a=1", "csrf-token-missing", "CSRF token missing."),
		form("last of two", secret, "csrfmiddlewaretoken="+foreign+"&"+token, "csrf-ok", ""),
		form("last of two is wrong", secret, token+"&csrfmiddlewaretoken="+foreign, "csrf-token-incorrect", fromPOST+"incorrect."),
		form("escaped name", secret, "csrf%6Diddlewaretoken="+masked, "csrf-ok", ""),
		form("escaped token", secret, "csrfmiddlewaretoken=%"+fmt.Sprintf("%02x", masked[0])+masked[1:], "csrf-ok", ""),
		form("semicolon is no separator", secret, "a=1;"+token, "csrf-token-missing", "CSRF token missing."),
		form("in the query", secret, "", "csrf-token-missing", "CSRF token missing.").with(func(c *csrfTest) { c.target = "/?" + token }),
		form("header", secret, "", "csrf-ok", "").with(sent("X-CSRFToken", masked)),
		form("header wrong", secret, "", "csrf-token-incorrect", fromHeader+"incorrect.").with(sent("X-CSRFToken", foreign)),
		form("header short", secret, "", "csrf-token-length", fromHeader+"has incorrect length.").with(sent("X-CSRFToken", "short")),
		form("header with a dash", secret, "", "csrf-token-characters", fromHeader+"has invalid characters.").with(sent("X-CSRFToken", secret[1:]+"-")),
		form("header empty", secret, "", "csrf-token-length", fromHeader+"has incorrect length.").with(sent("X-CSRFToken", "")),
		form("form before header", secret, token, "csrf-ok", "").with(sent("X-CSRFToken", foreign)),
		form("wrong form before good header", secret, "csrfmiddlewaretoken="+foreign, "csrf-token-incorrect", fromPOST+"incorrect.").with(sent("X-CSRFToken", masked)),
		form("empty form field, good header", secret, "csrfmiddlewaretoken=", "csrf-ok", "").with(sent("X-CSRFToken", masked)),
		form("multipart", secret, "", "csrf-ok", "").with(multi),
		form("multipart of another type", secret, token, "csrf-token-missing", "CSRF token missing.").with(func(c *csrfTest) { c.kind = "text/plain" }),
		form("JSON", secret, `{"csrfmiddlewaretoken":"`+masked+`"}`, "csrf-token-missing", "CSRF token missing.").with(func(c *csrfTest) { c.kind = "application/json" }),

		// Cookies.
		form("no cookie", "", token, "csrf-cookie-missing", "CSRF cookie not set.").with(func(c *csrfTest) { c.cookie = "" }),
		form("another cookie", "", token, "csrf-cookie-missing", "CSRF cookie not set.").with(func(c *csrfTest) { c.cookie = "a=b" }),
		form("cookie empty", "", token, "csrf-cookie-length", "CSRF cookie has incorrect length."),
		form("cookie short", secret[:31], token, "csrf-cookie-length", "CSRF cookie has incorrect length."),
		form("cookie with a dash", secret[:31]+"-", token, "csrf-cookie-characters", "CSRF cookie has invalid characters."),
		form("two cookies, last good", "", token, "csrf-ok", "").with(func(c *csrfTest) { c.cookie = "csrftoken=" + foreign + "; csrftoken=" + secret }),
		form("two cookies, last foreign", "", token, "csrf-token-incorrect", fromPOST+"incorrect.").with(func(c *csrfTest) { c.cookie = "csrftoken=" + secret + "; csrftoken=" + foreign }),

		// Origin. Django 3.2 ignores it.
		from("own origin", header("Origin", ownOrigin, "Referer", ownPage), "csrf-ok", ""),
		from("own origin, no Referer", header("Origin", ownOrigin), "csrf-ok", ""),
		from("evil origin", header("Origin", "https://evil.test", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("https://evil.test")),
		from("null", header("Origin", "null", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("null")),
		from("empty origin", header("Origin", "", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("")),
		from("http origin", header("Origin", "http://shop.test", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("http://shop.test")),
		from("another port", header("Origin", "https://shop.test:444", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("https://shop.test:444")),
		from("default port written out", header("Origin", "https://shop.test:443", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("https://shop.test:443")),
		from("sibling", header("Origin", "https://www.shop.test", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("https://www.shop.test")),
		from("upper case", header("Origin", "https://SHOP.test", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("https://SHOP.test")),
		from("origin with a path", header("Origin", "https://shop.test/", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("https://shop.test/")),
		from("origin no URL", header("Origin", "https://[", "Referer", ownPage), "csrf-origin-mismatch", badOrigin("https://[")),
		from("host with its port", header("Origin", "https://shop.test", "Referer", "https://shop.test:443/"), "csrf-origin-mismatch", badOrigin("https://shop.test")).with(func(c *csrfTest) { c.host = "shop.test:443" }),
		from("own origin with a port", header("Origin", "https://shop.test:8443", "Referer", "https://shop.test:8443/"), "csrf-ok", "").with(func(c *csrfTest) { c.host = "shop.test:8443" }),
		from("http, own origin", header("Origin", "http://shop.test"), "csrf-ok", "").with(func(c *csrfTest) { c.scheme = "http" }),
		from("http, https origin", header("Origin", "https://shop.test"), "csrf-origin-mismatch", badOrigin("https://shop.test")).with(func(c *csrfTest) { c.scheme = "http" }),
		from("http, nothing said", nil, "csrf-ok", "").with(plain),
		from("http, evil Referer", header("Referer", "http://evil.test/"), "csrf-ok", "").with(func(c *csrfTest) { c.scheme = "http" }),
		from("trusted", header("Origin", "https://pay.test", "Referer", "https://pay.test/"), "csrf-ok", "").trusting("https://pay.test"),
		from("trusted, other scheme", header("Origin", "http://pay.test", "Referer", "http://pay.test/"), "csrf-origin-mismatch", badOrigin("http://pay.test")).trusting("https://pay.test"),
		from("trusted, other port", header("Origin", "https://pay.test:444", "Referer", "https://pay.test:444/"), "csrf-origin-mismatch", badOrigin("https://pay.test:444")).trusting("https://pay.test"),
		from("trusted with its port", header("Origin", "https://pay.test:444", "Referer", "https://pay.test:444/"), "csrf-ok", "").trusting("https://pay.test:444"),
		from("below a wildcard", header("Origin", "https://a.pay.test", "Referer", "https://a.pay.test/"), "csrf-ok", "").trusting("https://*.pay.test"),
		from("far below a wildcard", header("Origin", "https://b.a.pay.test", "Referer", "https://b.a.pay.test/"), "csrf-ok", "").trusting("https://*.pay.test"),
		from("apex of a wildcard", header("Origin", "https://pay.test", "Referer", "https://pay.test/"), "csrf-ok", "").trusting("https://*.pay.test"),
		from("wildcard, other scheme", header("Origin", "http://a.pay.test", "Referer", "http://a.pay.test/"), "csrf-origin-mismatch", badOrigin("http://a.pay.test")).trusting("https://*.pay.test"),
		from("wildcard, other port", header("Origin", "https://a.pay.test:444", "Referer", "https://a.pay.test:444/"), "csrf-origin-mismatch", badOrigin("https://a.pay.test:444")).trusting("https://*.pay.test"),
		from("wildcard, name that ends alike", header("Origin", "https://evilpay.test", "Referer", "https://evilpay.test/"), "csrf-origin-mismatch", badOrigin("https://evilpay.test")).trusting("https://*.pay.test"),
		from("wildcard, name that begins alike", header("Origin", "https://a.pay.test.evil", "Referer", "https://a.pay.test.evil/"), "csrf-origin-mismatch", badOrigin("https://a.pay.test.evil")).trusting("https://*.pay.test"),

		// Referer.
		from("no Referer", nil, "csrf-referer-missing", noReferer),
		from("empty Referer", header("Referer", ""), "csrf-referer-malformed", malformedReferer),
		from("Referer without a scheme", header("Referer", "shop.test"), "csrf-referer-malformed", malformedReferer),
		from("Referer without a host", header("Referer", "https://"), "csrf-referer-malformed", malformedReferer),
		from("Referer relative to a scheme", header("Referer", "//shop.test/"), "csrf-referer-malformed", malformedReferer),
		from("Referer over http", header("Referer", "http://shop.test/form"), "csrf-referer-insecure", insecure),
		from("Referer of a script", header("Referer", "javascript://shop.test/"), "csrf-referer-insecure", insecure),
		from("own Referer", header("Referer", ownPage), "csrf-ok", ""),
		from("own Referer, scheme in upper case", header("Referer", "HTTPS://shop.test/form"), "csrf-ok", ""),
		from("own Referer, host in upper case", header("Referer", "https://SHOP.test/form"), "csrf-referer-mismatch", badReferer("https://SHOP.test/form")),
		from("own Referer, default port", header("Referer", "https://shop.test:443/form"), "csrf-referer-mismatch", badReferer("https://shop.test:443/form")),
		from("Referer with a user", header("Referer", "https://shop.test@evil.test/form"), "csrf-referer-mismatch", badReferer("https://shop.test@evil.test/form")),
		from("Referer with our user", header("Referer", "https://evil.test@shop.test/form"), "csrf-referer-mismatch", badReferer("https://evil.test@shop.test/form")),
		from("evil Referer", header("Referer", "https://evil.test/form"), "csrf-referer-mismatch", badReferer("https://evil.test/form")),
		from("Referer that begins alike", header("Referer", "https://shop.test.evil/form"), "csrf-referer-mismatch", badReferer("https://shop.test.evil/form")),
		from("Referer without a path", header("Referer", "https://evil.test"), "csrf-referer-mismatch", badReferer("https://evil.test")),
		from("trusted Referer", header("Referer", "https://pay.test/form"), "csrf-ok", "").trusting("https://pay.test"),
		from("trusted Referer, entry of another scheme", header("Referer", "https://pay.test/form"), "csrf-ok", "").trusting("http://pay.test"),
		from("Referer below a wildcard", header("Referer", "https://a.pay.test/form"), "csrf-ok", "").trusting("https://*.pay.test"),
		from("Referer below the cookie's domain", header("Referer", "https://www.shop.test/form"), "csrf-ok", "").with(func(c *csrfTest) { c.domain = ".shop.test" }),
		from("Referer of the cookie's domain without a dot", header("Referer", "https://www.shop.test/form"), "csrf-referer-mismatch", badReferer("https://www.shop.test/form")).with(func(c *csrfTest) { c.domain = "shop.test" }),
		from("Referer beside the cookie's domain", header("Referer", "https://evil.test/form"), "csrf-referer-mismatch", badReferer("https://evil.test/form")).with(func(c *csrfTest) { c.domain = ".shop.test" }),

		from("a Referer that Python cannot read", header("Referer", "https://["), "csrf-referer-malformed", malformedReferer),

		// The second lock.
		from("Sec-Fetch-Site same-origin", header("Referer", ownPage, "Sec-Fetch-Site", "same-origin"), "csrf-ok", ""),
		from("Sec-Fetch-Site none", header("Referer", ownPage, "Sec-Fetch-Site", "none"), "csrf-ok", ""),
		from("Sec-Fetch-Site same-site", header("Referer", ownPage, "Sec-Fetch-Site", "same-site"), "csrf-fetch-site", "").with(func(c *csrfTest) { c.ours = true }),
		from("Sec-Fetch-Site cross-site", header("Referer", ownPage, "Sec-Fetch-Site", "cross-site"), "csrf-fetch-site", "").with(func(c *csrfTest) { c.ours = true }),
		from("Sec-Fetch-Site of nobody", header("Referer", ownPage, "Sec-Fetch-Site", "same-origin, cross-site"), "csrf-fetch-site", "").with(func(c *csrfTest) { c.ours = true }),
		from("Sec-Fetch-Site cross-site from a trusted origin", header("Origin", "https://pay.test", "Referer", "https://pay.test/", "Sec-Fetch-Site", "cross-site"), "csrf-ok", "").trusting("https://pay.test"),
	}
}

func (c csrfTest) request(t *testing.T) *http.Request {
	t.Helper()
	r := serverRequest(t, or(c.scheme, "https"), or(c.method, http.MethodPost), or(c.target, "/"), or(c.host, "shop.test"))
	for _, line := range c.headers {
		r.Header.Add(line[0], line[1])
	}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	if c.kind != "" {
		r.Header.Set("Content-Type", c.kind)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
	}
	return r
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// A csrfOutcome is what a Guard did with a request.
type csrfOutcome struct {
	status  int
	reason  string
	verdict rule.Verdict
	reached bool // the handler
	cookies []string
	vary    string
	post    string // the form that the handler saw, as JSON
}

func (c csrfTest) ask(t *testing.T) csrfOutcome {
	t.Helper()
	s := lockstep.DjangoDefaults("6.1")
	s.SecretKey, s.AllowedHosts, s.CSRFTrustedOrigins, s.CSRFCookieDomain = guardKey, []string{"*"}, c.trusted, c.domain
	var log bytes.Buffer
	g, err := lockstep.New(s, lockstep.Options{Now: fixedNow, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	var out csrfOutcome
	req := c.request(t)
	req = req.WithContext(rule.WithWatch(req.Context(), func(v rule.Verdict) {
		if v.Question == rule.CheckCSRF {
			out.verdict = v
		}
	}))
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		out.reached = true
		if err := r.ParseMultipartForm(1 << 20); err != nil && r.MultipartForm == nil && strings.HasPrefix(c.kind, "multipart") {
			t.Errorf("the handler cannot read the form: %v", err)
		}
		post, _ := json.Marshal(r.PostForm)
		out.post = string(post)
	})).ServeHTTP(w, req)
	var line struct {
		Level, Logger, Reason, Rule string
		Status                      int
	}
	if json.Unmarshal(log.Bytes(), &line) == nil && line.Logger == "django.security.csrf" {
		out.reason = line.Reason
		if line.Level != "WARN" || line.Rule != string(out.verdict.Rule) || line.Status != w.Code {
			t.Errorf("the log has %s", log.Bytes())
		}
	}
	for _, text := range []string{log.String(), fmt.Sprint(out.verdict), w.Body.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, masked) || strings.Contains(text, foreign) {
			t.Errorf("a token is shown: %s", text)
		}
	}
	out.status, out.cookies, out.vary = w.Code, w.Header()["Set-Cookie"], w.Header().Get("Vary")
	return out
}

// TestCSRF holds the Guard to the rules, and to what Django 6.1 says (facts of its middleware).
func TestCSRF(t *testing.T) {
	for _, c := range csrfTests() {
		t.Run(c.name, func(t *testing.T) {
			got := c.ask(t)
			if got.verdict.Rule != c.rule || got.verdict.Yes != got.reached || got.reached != (c.reason == "" && !c.ours) {
				t.Errorf("%+v, want %s", got, c.rule)
			}
			if !c.ours && got.reason != c.reason {
				t.Errorf("reason %q, want %q", got.reason, c.reason)
			}
			if want := map[bool]int{true: 200, false: 403}[got.reached]; got.status != want {
				t.Errorf("status %d, want %d", got.status, want)
			}
		})
	}
}

func cookieLine(jar map[string]string) string {
	var pairs []string
	for name, value := range jar {
		pairs = append(pairs, name+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "; ")
}

// A csrfSite is a site with a form, for a browser that keeps cookies by name.
type csrfSite struct {
	h   http.Handler
	jar map[string]string
}

func newCSRFSite(t *testing.T, change func(*lockstep.Settings), h http.HandlerFunc) *csrfSite {
	t.Helper()
	g, err := lockstep.New(djangoSettings(change), lockstep.Options{Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	return &csrfSite{h: g.Wrap(h), jar: map[string]string{}}
}

func (s *csrfSite) do(t *testing.T, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "https://shop.test"+target, strings.NewReader(body))
	r.Header.Set("Origin", ownOrigin)
	r.Header.Set("Referer", ownPage)
	r.Header.Set("Content-Type", fields)
	if len(s.jar) > 0 {
		r.Header.Set("Cookie", cookieLine(s.jar))
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if s.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(s.jar, c.Name)
		}
	}
	return w
}

// A page gives out a token, and the token comes back, with the secret in a cookie and in the session.
func TestCSRFToken(t *testing.T) {
	for _, version := range []string{"3.2", "4.2", "5.2", "6.0", "6.1"} {
		for _, inSession := range []bool{false, true} {
			t.Run(fmt.Sprint(version, " in session ", inSession), func(t *testing.T) {
				s := newCSRFSite(t, func(s *lockstep.Settings) {
					s.DjangoVersion, s.CSRFUseSessions = version, inSession
				}, func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						fmt.Fprint(w, "done")
						return
					}
					fmt.Fprint(w, lockstep.CSRFToken(r)+" "+lockstep.CSRFToken(r))
				})
				page := s.do(t, "GET", "/", "")
				first, second, _ := strings.Cut(page.Body.String(), " ")
				if len(first) != 64 || first == second || !django.CSRFTokensMatch(first, second) {
					t.Fatalf("tokens %q", page.Body)
				}
				if got := page.Header().Get("Vary"); got != "Cookie" {
					t.Errorf("Vary: %s", got)
				}
				holds(t, s, version, inSession, page.Header()["Set-Cookie"], first)
				for _, token := range []string{first, second} {
					if w := s.do(t, "POST", "/", "csrfmiddlewaretoken="+token); w.Code != 200 || len(w.Header()["Set-Cookie"]) != 0 {
						t.Errorf("POST: %d, Set-Cookie %q", w.Code, w.Header()["Set-Cookie"])
					}
				}
				if again := s.do(t, "GET", "/", "").Body.String()[:64]; again == first || !django.CSRFTokensMatch(again, first) {
					t.Errorf("the second page has %q, the first %q", again, first)
				}
			})
		}
	}
}

// holds looks at where the secret went.
func holds(t *testing.T, s *csrfSite, version string, inSession bool, lines []string, token string) {
	t.Helper()
	length := 32
	if version == "3.2" {
		length = 64
	}
	if inSession {
		if s.jar["csrftoken"] != "" || s.jar["sessionid"] == "" {
			t.Errorf("cookies %v", s.jar)
		}
		return
	}
	if len(s.jar["csrftoken"]) != length || !django.CSRFTokensMatch(s.jar["csrftoken"], token) || len(lines) != 1 {
		t.Errorf("cookies %q, token %q", lines, token)
	}
	if !strings.HasSuffix(lines[0], "; expires=Tue, 12 Nov 2024 22:13:20 GMT; Max-Age=31449600; Path=/; SameSite=Lax") {
		t.Errorf("Set-Cookie: %s", lines[0])
	}
}

// A cookie that is none of ours is replaced whether or not a page asks for a token, from 4.1 on.
func TestCSRFCookieReplaced(t *testing.T) {
	for _, test := range []struct {
		version, cookie string
		replaced        bool
	}{
		{"6.1", "csrftoken=short", true},
		{"6.1", "csrftoken=" + secret[1:] + "-", true},
		{"6.1", "csrftoken=" + secret, false},
		{"6.1", "csrftoken=" + masked, false},
		{"6.1", "", false},
		{"3.2", "csrftoken=short", false},
	} {
		g, err := lockstep.New(djangoSettings(func(s *lockstep.Settings) { s.DjangoVersion = test.version }), lockstep.Options{Now: fixedNow})
		if err != nil {
			t.Fatal(err)
		}
		resp := answerOf(g.Wrap(hello), get(t, "https", "/", "shop.test", "Cookie: "+test.cookie))
		if got := len(resp.Header["Set-Cookie"]) == 1 && resp.Header.Get("Vary") == "Cookie"; got != test.replaced {
			t.Errorf("%+v: Set-Cookie %q, Vary %q", test, resp.Header["Set-Cookie"], resp.Header["Vary"])
		}
	}
}

// Tokens given out before RotateCSRFToken are worth nothing after it.
func TestRotateCSRFToken(t *testing.T) {
	s := newCSRFSite(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/rotate" {
			if err := lockstep.RotateCSRFToken(r); err != nil {
				t.Error(err)
			}
		}
		if r.Method == http.MethodGet {
			fmt.Fprint(w, lockstep.CSRFToken(r))
			if err := lockstep.RotateCSRFToken(r); err == nil {
				t.Error("a token is rotated after the response has begun")
			}
		}
	})
	old := s.do(t, "GET", "/", "").Body.String()
	if w := s.do(t, "POST", "/rotate", "csrfmiddlewaretoken="+old); w.Code != 200 {
		t.Fatal(w.Code)
	}
	if w := s.do(t, "POST", "/", "csrfmiddlewaretoken="+old); w.Code != 403 {
		t.Errorf("the old token gives %d", w.Code)
	}
	if w := s.do(t, "POST", "/", "csrfmiddlewaretoken="+s.do(t, "GET", "/", "").Body.String()); w.Code != 200 {
		t.Errorf("the new token gives %d", w.Code)
	}
}

// Forms that Django refuses with 400, by their size.
func TestCSRFFormLimits(t *testing.T) {
	multi := func(files, fields int, size int) (kind, body string) {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		for i := range fields {
			_ = m.WriteField(fmt.Sprint("f", i), "")
		}
		_ = m.WriteField("big", strings.Repeat("x", size))
		for i := range files {
			f, _ := m.CreateFormFile("file", fmt.Sprint(i))
			_, _ = io.WriteString(f, "x")
		}
		_ = m.WriteField("csrfmiddlewaretoken", masked)
		_ = m.Close()
		return m.FormDataContentType(), b.String()
	}
	test := func(name string, by rule.ID, kind, body string) {
		t.Run(name, func(t *testing.T) {
			got := csrfTest{headers: header("Referer", ownPage), cookie: csrfCookie + secret, kind: kind, body: body}.ask(t)
			want := map[rule.ID]int{"csrf-ok": 200, "csrf-form-refused": 400, "csrf-token-missing": 403}[by]
			if got.verdict.Rule != by || got.status != want {
				t.Errorf("%s, %d; want %s, %d", got.verdict.Rule, got.status, by, want)
			}
		})
	}
	token := "&csrfmiddlewaretoken=" + masked
	test("largest body", "csrf-ok", fields, "a="+strings.Repeat("x", 2_621_440-len(token)-2)+token)
	test("a byte more", "csrf-form-refused", fields, "a="+strings.Repeat("x", 2_621_440-len(token)-1)+token)
	test("most fields", "csrf-ok", fields, strings.Repeat("a&", 998)+"a"+token)
	test("a field more", "csrf-form-refused", fields, strings.Repeat("a&", 999)+"a"+token)
	kind, body := multi(100, 10, 10)
	test("most files", "csrf-ok", kind, body)
	kind, body = multi(101, 10, 10)
	test("a file more", "csrf-form-refused", kind, body)
	kind, body = multi(0, 10, 2_621_441)
	test("multipart too big", "csrf-form-refused", kind, body)
	kind, body = multi(0, 990, 10)
	test("multipart with many fields", "csrf-ok", kind, body)
	test("multipart without a boundary", "csrf-form-refused", "multipart/form-data", body)
	test("multipart that is none", "csrf-form-refused", "multipart/form-data; boundary=b", "nothing of that")
}

// A body that breaks off has no token, and one that was read in front of the Guard has the one that
// was found there.
func TestCSRFBodies(t *testing.T) {
	g := newGuard(t, nil)
	post := func(body io.Reader) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "https://shop.test/", body)
		r.Header = http.Header{"Origin": {ownOrigin}, "Content-Type": {fields}, "Cookie": {csrfCookie + secret}}
		return r
	}
	broken := post(io.MultiReader(strings.NewReader("csrfmiddlewaretoken="+masked), brokenReader{}))
	if v := g.CSRF(broken); v.Rule != "csrf-token-missing" {
		t.Errorf("a body that breaks off: %+v", v)
	}
	read := post(strings.NewReader("csrfmiddlewaretoken=" + masked))
	if err := read.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if v := g.CSRF(read); !v.Yes {
		t.Errorf("a form that was read before: %+v", v)
	}
	r := post(strings.NewReader("a=1&csrfmiddlewaretoken=" + masked))
	if v := g.CSRF(r); !v.Yes {
		t.Errorf("%+v", v)
	}
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "a=1&csrfmiddlewaretoken="+masked {
		t.Errorf("the body is %q afterwards, %v", body, err)
	}
}

// Whoever reads a multipart form behind the Guard, its files are gone from the disk with the request: the
// server cleans up after the request that it knows, and the handler's is a copy.
func TestFormFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, test := range []struct {
		name, method, target string
		fails                bool // the handler panics
	}{
		{"read by the Guard", http.MethodPost, "/", false},
		{"read by the Guard, and the handler panics", http.MethodPost, "/", true},
		{"another method, token in the header", http.MethodPut, "/", false},
		{"another method, and the handler panics", http.MethodPut, "/", true},
		{"exempt", http.MethodPost, "/hook", false},
		{"safe method", http.MethodGet, "/", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			written := 0
			g := newGuard(t, func(s *lockstep.Settings) {
				s.SecureSSLRedirect, s.InsecureCSRFExempt, s.AllowedHosts = false, []string{"/hook"}, []string{"*"}
			})
			server := httptest.NewUnstartedServer(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if err := r.ParseMultipartForm(1); err != nil {
					t.Error(err)
				}
				left, _ := os.ReadDir(dir)
				written = len(left)
				if test.fails {
					panic(http.ErrAbortHandler)
				}
			})))
			server.Start()
			var b bytes.Buffer
			m := multipart.NewWriter(&b)
			f, _ := m.CreateFormFile("file", "a")
			_, _ = f.Write(make([]byte, 16<<20))
			_ = m.WriteField("csrfmiddlewaretoken", masked)
			_ = m.Close()
			r, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.target, &b)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Content-Type": {m.FormDataContentType()}, "Cookie": {csrfCookie + secret}, "X-Csrftoken": {masked}}
			if resp, err := server.Client().Do(r); err == nil {
				resp.Body.Close()
			}
			server.Close() // when the handler is done
			if written == 0 {
				t.Error("the handler found no file on the disk")
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("%d files are left, %v", len(left), err)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// INSECURE_CSRF_EXEMPT matches what a ServeMux would serve, and not what it would redirect.
func TestCSRFExempt(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) {
		s.InsecureCSRFExempt = []string{"POST /hook/", "/{any}/hook", "/a/{x}", "/{x}/a", "other.test/pay"}
	})
	for _, test := range []struct {
		method, host, target string
		exempt               bool
	}{
		{"POST", "shop.test", "/hook/", true},
		{"POST", "shop.test", "/hook/a", true},
		{"POST", "shop.test", "/hook", false},
		{"PUT", "shop.test", "/hook/", false},
		{"PUT", "shop.test", "/x/hook", true},
		{"POST", "shop.test", "/x/../hook/", false},
		{"POST", "shop.test", "//hook/", false},
		{"POST", "shop.test", "/hook/..%2faccount", false}, // browsers send these as they are, and
		{"POST", "shop.test", "/hook/a%2F..%2F..%2Faccount", false},
		{"POST", "shop.test", "/hook/%2e%2e/account", false}, // who cleans URL.Path has another path
		{"POST", "shop.test", "/hook/.%2Faccount", false},
		{"POST", "shop.test", "/hook/a%2Fb", true},
		{"POST", "shop.test", "/hook/a..b", true},
		{"POST", "shop.test", "/a/a", true},
		{"POST", "shop.test", "/pay", false},
		{"POST", "other.test", "/pay", true},
		{"POST", "shop.test", "/", false},
	} {
		r := serverRequest(t, "https", test.method, test.target, test.host)
		if v := g.CSRF(r); (v.Rule == "csrf-exempt") != test.exempt || v.Yes != test.exempt {
			t.Errorf("%+v: %+v", test, v)
		}
	}
	for _, bad := range []string{"", "hook", "POST", "/{", "/{a}{b}"} {
		s := djangoSettings(func(s *lockstep.Settings) { s.InsecureCSRFExempt = []string{bad} })
		if _, err := lockstep.New(s, lockstep.Options{}); err == nil || !strings.Contains(err.Error(), "INSECURE_CSRF_EXEMPT") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// With CSRF_USE_SESSIONS a page that asks for no token leaves the session alone.
func TestCSRFInSessionIsLazy(t *testing.T) {
	g := newGuard(t, func(s *lockstep.Settings) { s.CSRFUseSessions = true })
	resp := answerOf(g.Wrap(hello), get(t, "https", "/", "shop.test", "Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345"))
	if resp.Header.Get("Vary") != "" || len(resp.Header["Set-Cookie"]) != 0 {
		t.Errorf("%v", resp.Header)
	}
}

// A store that fails refuses what changes state, and says 503 to who asks for a token.
func TestCSRFStoreFails(t *testing.T) {
	g, err := lockstep.New(djangoSettings(func(s *lockstep.Settings) { s.CSRFUseSessions = true }), lockstep.Options{Sessions: failingStore{errors.New("refused")}, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{"GET": 503, "POST": 503} {
		reached := false
		r := serverRequest(t, "https", method, "/", "shop.test", "Origin: "+ownOrigin, "Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345", "X-Csrftoken: "+masked)
		resp := answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			reached = true
			lockstep.CSRFToken(r)
		})), r)
		if resp.StatusCode != want || reached != (method == "GET") {
			t.Errorf("%s: %d, reached %v", method, resp.StatusCode, reached)
		}
	}
}

// CSRFFailure answers in place of the page.
func TestCSRFFailure(t *testing.T) {
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{CSRFFailure: func(w http.ResponseWriter, _ *http.Request, v rule.Verdict) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "no: ", v.Rule)
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	g.Wrap(hello).ServeHTTP(w, serverRequest(t, "https", "POST", "/", "shop.test"))
	if w.Code != 403 || w.Body.String() != "no: csrf-referer-missing" || w.Header().Get("X-Frame-Options") != "DENY" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

// A token asked for outside of a Guard is a mistake of the program.
func TestCSRFTokenWithoutGuard(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a token is given out without a Guard")
		}
	}()
	lockstep.CSRFToken(httptest.NewRequest(http.MethodGet, "/", nil))
}
