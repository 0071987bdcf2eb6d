package browser_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// start is when the tests take place.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// visit is a request for an address that a person typed.
func visit(tb testing.TB, address string) browser.Request {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return browser.Request{Method: "GET", URL: u}
}

// reasons writes what a verdict decided: its rule, then the others, then the notes in parentheses.
func reasons(v rule.Verdict) string {
	words := []string{string(v.Rule)}
	for _, id := range v.Also {
		words = append(words, string(id))
	}
	for _, id := range v.Notes {
		words = append(words, "("+string(id)+")")
	}
	return strings.Join(words, " ")
}

// A cookieTest is a browser that gets Set-Cookie lines and is then asked for the Cookie header.
type cookieTest struct {
	sentence string
	lines    []received
	stored   string // the cookies afterwards, name=value with Domain or host and Path, one each
	queries  []query
}

// received is one Set-Cookie line, received an hour after the one before when later is set.
type received struct {
	from, line string
	why        string // the rule that decides, and the others; notes of every cookie left out
	later      bool
}

// query asks for the header at a URL, and for the rule of every cookie that is asked about.
type query struct {
	url, header string
	why         string // name:rule, separated by spaces
}

// everyday are the notes that say nothing about a test that is about something else.
var everyday = []rule.ID{"note-host-only", "note-default-path"}

func (test cookieTest) run(t *testing.T) {
	var b browser.Browser
	now := start
	for _, r := range test.lines {
		if r.later {
			now = now.Add(time.Hour)
		}
		v := b.StoreCookie(visit(t, r.from), r.line, now, nil)
		v.Notes = slices.DeleteFunc(v.Notes, func(id rule.ID) bool { return slices.Contains(everyday, id) })
		if got := reasons(v); got != r.why {
			t.Errorf("%s: %q from %s\n got %s\nwant %s", test.sentence, r.line, r.from, got, r.why)
		}
	}
	var stored []string
	for _, c := range b.Cookies(now) {
		stored = append(stored, strings.Replace(c.String(), "…", c.Value(), 1))
	}
	if got := strings.Join(stored, ", "); got != test.stored {
		t.Errorf("%s: stored\n got %s\nwant %s", test.sentence, got, test.stored)
	}
	for _, q := range test.queries {
		var why []string
		rec := rule.NewRecorder(func(v rule.Verdict) { why = append(why, v.Subject+":"+reasons(v)) })
		if got := b.CookieHeader(visit(t, q.url), now, rec); got != q.header {
			t.Errorf("%s: %s gets %q, want %q", test.sentence, q.url, got, q.header)
		}
		if got := strings.Join(why, ", "); got != q.why {
			t.Errorf("%s: %s\n got %s\nwant %s", test.sentence, q.url, got, q.why)
		}
		if got := b.CookieHeader(visit(t, q.url), now, nil); got != q.header {
			t.Errorf("%s: %s gets %q when nobody watches, want %q", test.sentence, q.url, got, q.header)
		}
	}
}

var cookieTests = []cookieTest{
	{
		sentence: "A cookie without Domain and Path is for its host and folder.",
		lines:    []received{{from: "https://www.shop.test/cart/show", line: "a=1", why: "store-ok"}},
		stored:   "a=1; host=www.shop.test; Path=/cart",
		queries: []query{
			{"https://www.shop.test/cart", "a=1", "a:send-ok"},
			{"https://WWW.shop.test:8443/cart/x?y", "a=1", "a:send-ok"},
			{"http://www.shop.test/cart/", "a=1", "a:send-ok"},
			{"wss://www.shop.test/cart/", "a=1", "a:send-ok"},
			{"https://www.shop.test/", "", "a:send-path"},
			{"https://www.shop.test/cartx", "", "a:send-path"},
			{"https://shop.test/cart", "", "a:send-host-only"},
			{"https://a.www.shop.test/", "", "a:send-host-only send-path"},
			{"https://other.test/cart", "", ""},
			{"ftp://www.shop.test/cart", "", ""},
		},
	},
	{
		sentence: "A cookie with Domain is for the hosts under it.",
		lines:    []received{{from: "https://www.shop.test/", line: "a=1; Domain=.Shop.Test", why: "store-ok (note-leading-dot)"}},
		stored:   "a=1; Domain=shop.test; Path=/",
		queries: []query{
			{"https://shop.test", "a=1", "a:send-ok"},
			{"https://x.y.shop.test", "a=1", "a:send-ok"},
			{"https://shop.test.", "", ""},
			{"https://bishop.test", "", ""},
		},
	},
	{
		sentence: "A cookie of a deeper host is not for its siblings and parents.",
		lines:    []received{{from: "https://a.www.shop.test/", line: "a=1; Domain=www.shop.test", why: "store-ok"}},
		stored:   "a=1; Domain=www.shop.test; Path=/",
		queries: []query{
			{"https://www.shop.test", "a=1", "a:send-ok"},
			{"https://shop.test", "", "a:send-domain-mismatch"},
			{"https://api.shop.test", "", "a:send-domain-mismatch"},
		},
	},
	{
		sentence: "A Secure cookie neither comes nor goes over HTTP.",
		lines: []received{
			{from: "http://shop.test/", line: "a=1; Secure", why: "store-secure-over-http"},
			{from: "https://shop.test/", line: "b=2; Secure; Path=/x", why: "store-ok"},
		},
		stored: "b=2; host=shop.test; Path=/x; Secure",
		queries: []query{
			{"https://shop.test/x", "b=2", "b:send-ok"},
			{"http://shop.test/x", "", "b:send-secure-over-http"},
			{"http://www.shop.test/", "", "b:send-host-only send-path send-secure-over-http"},
		},
	},
	{
		sentence: "On this machine HTTP counts as secure.",
		lines: []received{
			{from: "http://localhost:8000/", line: "a=1; Secure", why: "store-ok (note-loopback-secure)"},
			{from: "http://127.9.8.7/", line: "b=2; Secure", why: "store-ok (note-loopback-secure)"},
			{from: "http://[::1]:8000/", line: "__Host-c=3; Secure; Path=/", why: "store-ok (note-loopback-secure)"},
			{from: "http://app.localhost./", line: "d=4; Secure", why: "store-ok (note-loopback-secure)"},
			{from: "http://192.168.0.1/", line: "e=5; Secure", why: "store-secure-over-http"},
			{from: "http://localhost/", line: "a=6", why: "store-replaced"},
		},
		stored: "a=6; host=localhost; Path=/, b=2; host=127.9.8.7; Path=/; Secure, " +
			"__Host-c=3; host=::1; Path=/; Secure, d=4; host=app.localhost.; Path=/; Secure",
		queries: []query{
			{"http://localhost", "a=6", "a:send-ok"},
			{"http://127.9.8.7", "b=2", "b:send-ok (note-loopback-secure)"},
			{"http://[::1]", "__Host-c=3", "__Host-c:send-ok (note-loopback-secure)"},
			{"https://[::1]", "__Host-c=3", "__Host-c:send-ok"},
		},
	},
	{
		sentence: "HTTP leaves Secure cookies alone.",
		lines: []received{
			{from: "https://www.shop.test/", line: "a=1; Secure; Path=/login; Domain=shop.test", why: "store-ok"},
			{from: "http://www.shop.test/", line: "a=2; Path=/login", why: "store-would-overlay-secure"},
			{from: "http://www.shop.test/", line: "a=2; Path=/login/en", why: "store-would-overlay-secure"},
			{from: "http://shop.test/", line: "a=2; Path=/login; Domain=shop.test", why: "store-would-overlay-secure"},
			{from: "http://x.shop.test/", line: "a=; Path=/login; Max-Age=0", why: "store-would-overlay-secure"},
			{from: "http://www.shop.test/", line: "a=3; Path=/", why: "store-ok"},
			{from: "http://www.shop.test/", line: "A=4; Path=/login", why: "store-ok"},
			{from: "https://www.shop.test/", line: "a=5; Path=/login; Domain=shop.test", why: "store-replaced"},
		},
		stored: "a=5; Domain=shop.test; Path=/login, a=3; host=www.shop.test; Path=/, A=4; host=www.shop.test; Path=/login",
		queries: []query{
			{
				"http://www.shop.test/login", "a=5; A=4; a=3",
				"a:send-ok (note-same-name-twice), A:send-ok, a:send-ok (note-same-name-twice)",
			},
		},
	},
	{
		sentence: "A Secure cookie that has expired protects nothing.",
		lines: []received{
			{from: "https://shop.test/", line: "a=1; Secure; Max-Age=60", why: "store-ok"},
			{from: "http://shop.test/", line: "a=2", why: "store-ok", later: true},
		},
		stored:  "a=2; host=shop.test; Path=/",
		queries: []query{{"http://shop.test", "a=2", "a:send-ok"}},
	},
	{
		sentence: "Every refusal has all its reasons, in the order of the draft.",
		lines: []received{
			{
				from: "http://shop.test/", line: "__Host-a=1; Secure; Domain=com; SameSite=None; x=\x01",
				why: "store-control-char store-public-suffix store-domain-mismatch store-secure-over-http store-prefix-host (note-attr-unknown)",
			},
			{from: "http://shop.test/", line: "__Secure-a=1; SameSite=None", why: "store-none-not-secure store-prefix-secure"},
			{from: "https://shop.test/", line: "a=1; Secure", why: "store-ok"},
			{from: "http://shop.test/", line: "a=2; SameSite=None", why: "store-would-overlay-secure store-none-not-secure"},
			{from: "http://shop.test/", line: "=__Host-a", why: "store-nameless-prefix (note-nameless)"},
		},
		stored:  "a=1; host=shop.test; Path=/; Secure",
		queries: []query{{"https://shop.test", "a=1", "a:send-ok"}},
	},
	{
		sentence: "Name, domain, host-only-flag and path tell cookies apart; replacing keeps age and place.",
		lines: []received{
			{from: "https://shop.test/", line: "a=1", why: "store-ok"},
			{from: "https://shop.test/", line: "a=2; Domain=shop.test", why: "store-ok", later: true},
			{from: "https://shop.test/", line: "a=3; Path=/x", why: "store-ok"},
			{from: "https://shop.test/", line: "b=4", why: "store-ok"},
			{from: "http://shop.test/", line: "a=5; HttpOnly", why: "store-replaced", later: true},
		},
		stored: "a=5; host=shop.test; Path=/; HttpOnly, a=2; Domain=shop.test; Path=/, a=3; host=shop.test; Path=/x, b=4; host=shop.test; Path=/",
		queries: []query{{
			"https://shop.test/x", "a=3; a=5; a=2; b=4",
			"a:send-ok (note-same-name-twice), a:send-ok (note-same-name-twice), a:send-ok (note-same-name-twice), b:send-ok",
		}},
	},
	{
		sentence: "Deleting needs the same domain and path.",
		lines: []received{
			{from: "https://www.shop.test/", line: "a=1; Domain=shop.test; Path=/x", why: "store-ok"},
			{from: "https://www.shop.test/", line: "a=; Path=/x; Max-Age=0", why: "store-delete-missed"},
			{from: "https://www.shop.test/", line: "a=; Domain=shop.test; Max-Age=0", why: "store-delete-missed"},
			{from: "https://www.shop.test/", line: "b=2", why: "store-ok"},
			{from: "https://www.shop.test/", line: "b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", why: "store-deleted"},
		},
		stored:  "a=1; Domain=shop.test; Path=/x",
		queries: []query{{"https://www.shop.test/x", "a=1", "a:send-ok"}},
	},
	{
		sentence: "An expired cookie is told of once.",
		lines: []received{
			{from: "https://shop.test/", line: "a=1; Max-Age=3600", why: "store-ok"},
			{from: "https://shop.test/", line: "b=2; Max-Age=3601", why: "store-ok"},
			{from: "https://other.test/", line: "c=3", why: "store-ok", later: true},
		},
		stored:  "b=2; host=shop.test; Path=/, c=3; host=other.test; Path=/",
		queries: []query{{"https://shop.test", "b=2", "b:send-ok, a:send-expired"}, {"https://shop.test", "b=2", "b:send-ok"}},
	},
	{
		sentence: "A host that is a public suffix keeps cookies to itself.",
		lines: []received{
			{from: "https://github.io/", line: "a=1; Domain=github.io", why: "store-ok (note-public-suffix-host)"},
			{from: "https://me.github.io/", line: "b=2; Domain=github.io", why: "store-public-suffix"},
		},
		stored:  "a=1; host=github.io; Path=/",
		queries: []query{{"https://me.github.io", "", ""}, {"https://github.io", "a=1", "a:send-ok"}},
	},
	{
		sentence: "Nameless cookies are sent as their value.",
		lines: []received{
			{from: "https://shop.test/", line: "token", why: "store-ok (note-nameless)"},
			{from: "https://shop.test/", line: "=other", why: "store-replaced (note-nameless)"},
			{from: "https://shop.test/", line: "a=", why: "store-ok"},
		},
		stored:  "=other; host=shop.test; Path=/, a=; host=shop.test; Path=/",
		queries: []query{{"https://shop.test", "other; a=", ":send-ok, a:send-ok"}},
	},
	{
		sentence: "SameSite is kept, and a lifetime has an end.",
		lines: []received{
			{from: "https://shop.test/", line: "a=1; SameSite=Strict; Max-Age=99999999", why: "store-ok (note-lifetime-capped)"},
			{from: "https://shop.test/", line: "b=2; SameSite=None; Secure", why: "store-ok"},
		},
		stored:  "a=1; host=shop.test; Path=/; SameSite=Strict, b=2; host=shop.test; Path=/; Secure; SameSite=None",
		queries: []query{{"https://shop.test", "a=1; b=2", "a:send-ok, b:send-ok"}},
	},
	{
		sentence: "Paths are compared as they are sent.",
		lines: []received{
			{from: "https://shop.test/a%2Fb/c", line: "a=1", why: "store-ok"},
			{from: "https://shop.test/", line: "b=2; Path=/%C3%A9", why: "store-ok"},
			{from: "https://shop.test/", line: "c=3; Path=/é", why: "store-ok"},
		},
		stored: "a=1; host=shop.test; Path=/a%2Fb, b=2; host=shop.test; Path=/%C3%A9, c=3; host=shop.test; Path=/é",
		queries: []query{
			{"https://shop.test/é", "b=2", "b:send-ok, a:send-path, c:send-path"},
			{"https://shop.test/a/b", "", "b:send-path, a:send-path, c:send-path"},
		},
	},
}

func TestCookies(t *testing.T) {
	for _, test := range cookieTests {
		test.run(t)
	}
}

func TestStoreFacts(t *testing.T) {
	var b browser.Browser
	rec := rule.NewRecorder(func(rule.Verdict) {})
	store := func(line string) rule.Verdict {
		return b.StoreCookie(visit(t, "https://www.shop.test/account/"), line, start, rec)
	}
	v := store("id=s3cret; Secure; HttpOnly; SameSite=Lax; Max-Age=60; Domain=shop.test")
	for name, want := range map[string]string{
		"request-host": "www.shop.test", "request-path": "/account/", "secure connection": "true",
		"domain": "shop.test", "host-only-flag": "false", "path": "/account", "secure-only-flag": "true",
		"http-only-flag": "true", "same-site-flag": "Lax", "persistent-flag": "true",
		"creation-time": "2026-01-01T00:00:00Z", "expiry-time": "2026-01-01T00:01:00Z",
	} {
		if got, ok := v.Fact(name); !ok || got != want {
			t.Errorf("fact %q is %q, want %q", name, got, want)
		}
	}
	if got := fmt.Sprintf("%+v", v); strings.Contains(got, "s3cret") {
		t.Errorf("the value shows in %s", got)
	}
	fact := func(line, name, want string) {
		t.Helper()
		if got, _ := store(line).Fact(name); got != want {
			t.Errorf("%q: fact %q is %q, want %q", line, name, got, want)
		}
	}
	fact("id=; Path=/; Max-Age=0", "surviving cookie", "id=…; Domain=shop.test; Path=/account; Secure; HttpOnly; SameSite=Lax")
	fact("no=; Max-Age=0", "surviving cookie", "none")
	fact("id=2; Domain=api.shop.test", "kind", "sibling")
	fact("__Host-id=2; Secure", "lacks", "Path=/")
	v = b.StoreCookie(visit(t, "http://shop.test/"), "id=2; Path=/account", start, rec)
	if got, _ := v.Fact("secure cookie"); got != "id=…; Domain=shop.test; Path=/account; Secure; HttpOnly; SameSite=Lax" {
		t.Errorf("the Secure cookie that is left alone is %q", got)
	}
}

func TestUnwatched(t *testing.T) {
	var b browser.Browser
	req := visit(t, "https://shop.test/")
	if v := b.StoreCookie(req, "a=1", start, nil); v.Facts != nil {
		t.Errorf("facts without a watcher: %v", v.Facts)
	}
	b.StoreCookie(req, "b=2; Path=/x", start, nil)
	if n := testing.AllocsPerRun(100, func() { b.CookieHeader(req, start, nil) }); n > 1 {
		t.Errorf("an unwatched question costs %v allocations, want one, which is the header", n)
	}
}

func TestWatcherMayAsk(t *testing.T) {
	var b browser.Browser
	asked := 0
	rec := rule.NewRecorder(func(rule.Verdict) { asked += len(b.Cookies(start)) })
	b.StoreCookie(visit(t, "https://shop.test/"), "a=1", start, rec)
	b.CookieHeader(visit(t, "https://shop.test/"), start, rec)
	if asked != 2 {
		t.Errorf("the watcher saw %d cookies, want 2", asked)
	}
}

func TestNoCookieURLs(t *testing.T) {
	var b browser.Browser
	rec := rule.NewRecorder(func(v rule.Verdict) { t.Errorf("recorded %v", v) })
	for _, address := range []string{"ftp://shop.test/", "https:///x", "about:blank", "/x", "https://a b.test/"} {
		u := &url.URL{Scheme: "https", Host: "a b.test"}
		if parsed, err := url.Parse(address); err == nil {
			u = parsed
		}
		v := b.StoreCookie(browser.Request{URL: u}, "a=1", start, rec)
		if v.Yes || v.Rule != "" || b.CookieHeader(browser.Request{URL: u}, start, rec) != "" || browser.SecureConnection(u) {
			t.Errorf("%s carries cookies: %v", address, v)
		}
	}
}

func TestSecureConnection(t *testing.T) {
	for address, want := range map[string]bool{
		"https://shop.test": true, "wss://shop.test": true, "HTTPS://shop.test": true,
		"http://localhost": true, "ws://127.0.0.1:80": true, "http://[::1]": true,
		"http://shop.test": false, "http://10.0.0.1": false,
	} {
		if got := browser.SecureConnection(visit(t, address).URL); got != want {
			t.Errorf("SecureConnection(%s) = %t, want %t", address, got, want)
		}
	}
}

func TestSiteLimit(t *testing.T) {
	var b browser.Browser
	req := visit(t, "https://shop.test/")
	var evicted []rule.Verdict
	rec := rule.NewRecorder(func(v rule.Verdict) {
		if slices.Contains(v.Notes, "note-evicted") {
			evicted = append(evicted, v)
		}
	})
	b.StoreCookie(req, "first=1; Secure", start, rec)
	for i := 1; i < 200; i++ {
		b.StoreCookie(req, fmt.Sprintf("c%d=1", i), start.Add(time.Duration(i)*time.Second), rec)
	}
	// 181 are brought down to 150 once, and 19 more come: as seen in Chromium and Firefox.
	cookies := b.Cookies(start)
	if len(cookies) != 169 || len(evicted) != 1 {
		t.Fatalf("%d cookies after %d tidyings, want 169 after 1", len(cookies), len(evicted))
	}
	if got, _ := evicted[0].Fact("evicted cookie"); got != "c1=…; host=shop.test; Path=/" {
		t.Errorf("the first to go is %q, want the oldest without Secure", got)
	}
	if cookies[0].Name() != "first" || cookies[1].Name() != "c32" {
		t.Errorf("left are %v and %v, want the Secure one and c32", cookies[0], cookies[1])
	}
}

func TestTotalLimit(t *testing.T) {
	var b browser.Browser
	for i := range 3001 {
		b.StoreCookie(visit(t, fmt.Sprintf("https://shop%d.test/", i)), "a=1", start.Add(time.Duration(i)*time.Second), nil)
	}
	cookies := b.Cookies(start)
	if len(cookies) != 2700 || cookies[0].Domain() != "shop301.test" {
		t.Errorf("%d cookies are left, the first from %s; want 2700 from shop301.test", len(cookies), cookies[0].Domain())
	}
}

func TestStoredCookieHoldsNothingElse(t *testing.T) {
	var b browser.Browser
	line := "id=s3cret; Path=/x; HttpOnly; SameSite=Lax; Max-Age=60"
	b.StoreCookie(visit(t, "https://shop.test/"), line, start, nil)
	c := b.Cookies(start)[0]
	if c.Name() != "id" || c.Value() != "s3cret" || c.Domain() != "shop.test" || !c.HostOnly() || c.Path() != "/x" ||
		c.Secure() || !c.HttpOnly() || c.SameSite() != cookie.SameSiteLax || !c.Persistent() ||
		!c.Expires().Equal(start.Add(time.Minute)) || !c.Created().Equal(start) {
		t.Errorf("got %v", c)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, c) + c.LogValue().String(); strings.Contains(got, "s3cret") {
			t.Errorf("%s shows the value: %s", verb, got)
		}
	}
}

// BenchmarkCookieHeader asks which cookies go to a page: of a site that has 50, of which some or most go
// along, and in a store of 100,000.
func BenchmarkCookieHeader(b *testing.B) {
	for _, c := range []struct {
		name, path string
		sites      int
		watched    bool
	}{
		{"10_of_50", "/folder3/page", 1, false},
		{"watched", "/folder3/page", 1, true},
		{"10_of_100000", "/folder3/page", 2000, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			br := browser.Browser{MaxCookies: 200_000}
			for i := range 50 * c.sites {
				path := []string{"/", "/folder1", "/folder2", "/folder3", "/folder4", "/folder5", "/folder6", "/folder7", "/folder8", "/folder9"}[i%10]
				site := fmt.Sprintf("https://www.shop%d.test/", i/50)
				br.StoreCookie(visit(b, site), fmt.Sprintf("cookie%d=%032d; Secure; Max-Age=86400; Path=%s", i%50, i, path), start, nil)
			}
			req := visit(b, "https://www.shop0.test"+c.path)
			var rec *rule.Recorder
			if c.watched {
				rec = rule.NewRecorder(func(rule.Verdict) {})
			}
			b.ReportAllocs()
			for b.Loop() {
				if br.CookieHeader(req, start, rec) == "" {
					b.Fatal("no cookie goes along")
				}
			}
		})
	}
}

func BenchmarkStoreCookie(b *testing.B) {
	var br browser.Browser
	req := visit(b, "https://www.shop.test/")
	b.ReportAllocs()
	for b.Loop() {
		br.StoreCookie(req, "sessionid=abc; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=1209600", start, nil)
	}
}

// TestFoldedLinesKeepSecrets is about Set-Cookie lines that a proxy has joined with commas: the value of the
// second cookie is in an attribute of the first, and is told no more than any other value.
func TestFoldedLinesKeepSecrets(t *testing.T) {
	const secret = "0123456789"
	for _, line := range []string{
		"a=1; Path=/x, sessionid=" + secret, "a=1; Domain=shop.test, b=2, sessionid=" + secret, "a=1; Path=/, " + "b=" + secret + ", c=" + secret,
	} {
		var b browser.Browser
		var told []string
		rec := rule.NewRecorder(func(v rule.Verdict) { told = append(told, fmt.Sprintf("%+v", v)) })
		b.StoreCookie(visit(t, "https://shop.test/x"), line, start, rec)
		b.StoreCookie(visit(t, "https://shop.test/x"), "a=; Max-Age=0", start, rec)
		for _, c := range b.Cookies(start) {
			told = append(told, c.String())
		}
		if text := strings.Join(told, "\n"); strings.Contains(text, secret) || !strings.Contains(text, "=…") {
			t.Errorf("%q: %s", line, text)
		}
	}
}
