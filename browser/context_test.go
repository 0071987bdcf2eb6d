package browser_test

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// from is a request that a page causes.
func from(tb testing.TB, page, method, address string) browser.Request {
	tb.Helper()
	req := visit(tb, address)
	req.Method, req.Initiator = method, &browser.Document{URL: visit(tb, page).URL}
	return req
}

// TestSameSite asks of one cookie of each SameSite what goes along, by where the request comes from. The
// cookies are an hour old.
func TestSameSite(t *testing.T) {
	const (
		all    = "strict lax none default"
		links  = "lax none default"
		others = "none"
	)
	for _, c := range []struct {
		sentence, page, method, url string
		sent                        string
		kind                        string // of a cross-site request
	}{
		{"a person typed it", "", "GET", "https://shop.test/", all, ""},
		{"a person typed it, whatever the method", "", "POST", "https://shop.test/", all, ""},
		{"a link of the same origin", "https://shop.test/p", "GET", "https://shop.test/", all, ""},
		{"a form of the same origin", "https://shop.test/p", "POST", "https://shop.test/", all, ""},
		{"a form of another port", "https://shop.test:8443/p", "POST", "https://shop.test/", all, ""},
		{"a form of a subdomain", "https://www.shop.test/p", "POST", "https://shop.test/", all, ""},
		{"a link of another site", "https://evil.test/", "GET", "https://shop.test/", links, "link"},
		{"HEAD is safe", "https://evil.test/", "HEAD", "https://shop.test/", links, "link"},
		{"a form of another site", "https://evil.test/", "POST", "https://shop.test/", others, "unsafe-method"},
		{"any other method counts as unsafe", "https://evil.test/", "PATCH", "https://shop.test/", others, "unsafe-method"},
		{"a link of the same host under http", "http://shop.test/p", "GET", "https://shop.test/", links, "cross-scheme"},
		{"a form of the same host under http", "http://www.shop.test/p", "POST", "https://shop.test/", others, "cross-scheme"},
		{"a page of no site", "data:text/html,x", "GET", "https://shop.test/", links, "link"},
	} {
		var b browser.Browser
		for _, line := range []string{"strict=1; Secure; SameSite=Strict", "lax=1; Secure; SameSite=Lax", "none=1; Secure; SameSite=None", "default=1; Secure"} {
			b.StoreCookie(visit(t, "https://shop.test/"), line, start, nil)
		}
		req := visit(t, c.url)
		if req.Method = c.method; c.page != "" {
			req = from(t, c.page, c.method, c.url)
		}
		var sent []string
		rec := rule.NewRecorder(func(v rule.Verdict) {
			if v.Yes {
				sent = append(sent, v.Subject)
				return
			}
			if kind, _ := v.Fact("kind"); kind != c.kind || !strings.HasPrefix(string(v.Rule), "send-samesite-") || len(v.Notes) > 0 {
				t.Errorf("%s: %s kept back by %s %v, kind %q", c.sentence, v.Subject, v.Rule, v.Notes, kind)
			}
		})
		b.CookieHeader(req, start.Add(time.Hour), rec)
		if got := strings.Join(sent, " "); got != c.sent {
			t.Errorf("%s: sent %q, want %q", c.sentence, got, c.sent)
		}
	}
}

// TestLaxAllowUnsafe is about the note on what Chromium would have sent: for a cookie without SameSite,
// for two minutes, and when nothing else keeps it back.
func TestLaxAllowUnsafe(t *testing.T) {
	for _, c := range []struct {
		line, url string
		age       time.Duration
		want      string
	}{
		{"a=1; Secure", "https://shop.test/", 119 * time.Second, "send-samesite-default-lax (note-lax-allow-unsafe)"},
		{"a=1; Secure", "https://shop.test/", 120 * time.Second, "send-samesite-default-lax"},
		{"a=1; Secure; SameSite=Lax", "https://shop.test/", time.Second, "send-samesite-lax"},
		{"a=1; Secure", "http://shop.test/", time.Second, "send-secure-over-http send-samesite-default-lax"},
	} {
		var b browser.Browser
		b.StoreCookie(visit(t, "https://shop.test/"), c.line, start, nil)
		var got string
		b.CookieHeader(from(t, "https://evil.test/", "POST", c.url), start.Add(c.age), rule.NewRecorder(func(v rule.Verdict) { got = reasons(v) }))
		if got != c.want {
			t.Errorf("%s after %v at %s: %s, want %s", c.line, c.age, c.url, got, c.want)
		}
	}
}

// TestCrossSiteMayStore holds that a top-level navigation sets cookies of every SameSite.
func TestCrossSiteMayStore(t *testing.T) {
	var b browser.Browser
	for _, line := range []string{"strict=1; SameSite=Strict", "lax=1; SameSite=Lax", "default=1"} {
		if v := b.StoreCookie(from(t, "https://evil.test/", "POST", "https://shop.test/"), line, start, nil); v.Rule != "store-ok" {
			t.Errorf("%s: %s", line, v.Rule)
		}
	}
}

// A contextTest is a request and the header that says where it comes from: Origin, Referer and
// Sec-Fetch-Site, each "-" when it is not there.
type contextTest struct {
	sentence     string
	page, policy string // "" is typed; the default
	method       string
	urls         []string // that are asked one after the other, each redirecting to the next by 307
	header       string   // at the last
	rules        string   // about Origin and Referer there
}

func TestContextHeader(t *testing.T) {
	for _, c := range []contextTest{
		{"typed", "", "", "GET", []string{"https://shop.test/"}, "- - none", ""},
		{"typed, redirected", "", "", "GET", []string{"https://shop.test/", "https://other.test/"}, "- - none", ""},
		{"typed over http", "", "", "GET", []string{"http://shop.test/"}, "- - -", ""},
		{"typed on this machine", "", "", "GET", []string{"http://localhost/"}, "- - none", ""},

		{"the same origin", "https://shop.test/p?q#f", "", "POST", []string{"https://shop.test/"}, "https://shop.test https://shop.test/p?q same-origin", "origin-sent referer-whole"},
		{"a link", "https://shop.test/p", "", "GET", []string{"https://shop.test/"}, "- https://shop.test/p same-origin", "origin-safe-method referer-whole"},
		{"a user name stays at home", "https://me:secret@shop.test/p", "", "GET", []string{"https://shop.test/"}, "- https://shop.test/p same-origin", "origin-safe-method referer-whole"},
		{"a port", "https://shop.test:8443/p", "", "POST", []string{"https://shop.test/"}, "https://shop.test:8443 https://shop.test:8443/ same-site", "origin-sent referer-origin"},
		{"the port of the scheme is none", "https://shop.test:443/p", "", "POST", []string{"https://SHOP.test/"}, "https://shop.test https://shop.test/p same-origin", "origin-sent referer-whole"},
		{"an address", "http://[::1]:8000/p", "", "POST", []string{"http://[::1]:8000/"}, "http://[::1]:8000 http://[::1]:8000/p same-origin", "origin-sent referer-whole"},
		{"two addresses are two sites", "http://127.0.0.1/", "", "POST", []string{"http://localhost/"}, "http://127.0.0.1 http://127.0.0.1/ cross-site", "origin-sent referer-origin"},
		{"a subdomain", "https://www.shop.test/p", "", "POST", []string{"https://shop.test/"}, "https://www.shop.test https://www.shop.test/ same-site", "origin-sent referer-origin"},
		{"another site", "https://evil.test/p", "", "POST", []string{"https://shop.test/"}, "https://evil.test https://evil.test/ cross-site", "origin-sent referer-origin"},
		{"another scheme", "http://shop.test/p", "", "POST", []string{"https://shop.test/"}, "http://shop.test http://shop.test/ cross-site", "origin-sent referer-origin"},
		{"to http", "https://shop.test/p", "", "POST", []string{"http://shop.test/"}, "null - -", "origin-null-policy referer-downgrade"},
		{"from this machine to http", "http://localhost/p", "", "POST", []string{"http://shop.test/"}, "http://localhost - -", "origin-sent referer-downgrade"},
		{"a file", "file:///home/me/x", "", "POST", []string{"https://shop.test/"}, "null - cross-site", "origin-opaque referer-none"},
		{"a URL too long to tell", "https://shop.test/" + strings.Repeat("x", 4096), "", "GET", []string{"https://shop.test/"}, "- https://shop.test/ same-origin", "origin-safe-method referer-whole"},

		{"no-referrer", "https://shop.test/p", "no-referrer", "POST", []string{"https://shop.test/"}, "null - same-origin", "origin-null-policy referer-policy"},
		{"same-origin at home", "https://shop.test/p", "same-origin", "POST", []string{"https://shop.test/"}, "https://shop.test https://shop.test/p same-origin", "origin-sent referer-whole"},
		{"same-origin elsewhere", "https://www.shop.test/p", "same-origin", "POST", []string{"https://shop.test/"}, "null - same-site", "origin-null-policy referer-policy"},
		{"origin", "https://shop.test/p", "origin", "POST", []string{"http://shop.test/"}, "https://shop.test https://shop.test/ -", "origin-sent referer-origin"},
		{"strict-origin", "https://shop.test/p", "strict-origin", "POST", []string{"https://shop.test/"}, "https://shop.test https://shop.test/ same-origin", "origin-sent referer-origin"},
		{"strict-origin to http", "https://shop.test/p", "strict-origin", "POST", []string{"http://shop.test/"}, "null - -", "origin-null-policy referer-downgrade"},
		{"origin-when-cross-origin", "https://evil.test/p", "origin-when-cross-origin", "POST", []string{"http://shop.test/"}, "https://evil.test https://evil.test/ -", "origin-sent referer-origin"},
		{"no-referrer-when-downgrade", "https://evil.test/p", "no-referrer-when-downgrade", "POST", []string{"https://shop.test/"}, "https://evil.test https://evil.test/p cross-site", "origin-sent referer-whole"},
		{"no-referrer-when-downgrade to http", "https://evil.test/p", "no-referrer-when-downgrade", "POST", []string{"http://shop.test/"}, "null - -", "origin-null-policy referer-downgrade"},
		{"unsafe-url", "https://evil.test/p", "unsafe-url", "POST", []string{"http://shop.test/"}, "https://evil.test https://evil.test/p -", "origin-sent referer-whole"},
		{"a word that is none", "https://evil.test/p", "never-ever", "POST", []string{"https://shop.test/"}, "https://evil.test https://evil.test/ cross-site", "origin-sent referer-origin"},

		{"redirected at home", "https://shop.test/p", "", "POST", []string{"https://shop.test/r", "https://shop.test/"}, "https://shop.test https://shop.test/p same-origin", "origin-sent referer-whole"},
		{"its own origin may redirect away", "http://shop.test/p", "", "POST", []string{"http://shop.test/r", "https://shop.test/"}, "http://shop.test http://shop.test/ cross-site", "origin-sent referer-origin"},
		{"another site and back", "https://shop.test/p", "", "POST", []string{"https://login.test/r", "https://shop.test/"}, "null https://shop.test/ cross-site", "origin-null-redirect referer-whole"},
		{"a third site", "https://evil.test/p", "", "POST", []string{"https://login.test/r", "https://shop.test/"}, "null https://evil.test/ cross-site", "origin-null-redirect referer-origin"},
		{"within another site", "https://evil.test/p", "", "POST", []string{"https://shop.test/r", "https://shop.test/"}, "https://evil.test https://evil.test/ cross-site", "origin-sent referer-origin"},
		{"a subdomain and back", "https://shop.test/p", "", "GET", []string{"https://www.shop.test/r", "https://shop.test/"}, "- https://shop.test/ same-site", "origin-safe-method referer-whole"},
		{"what http held back does not come again", "https://shop.test/p", "", "GET", []string{"http://shop.test/r", "https://shop.test/"}, "- - cross-site", "origin-safe-method referer-none"},
	} {
		req := visit(t, c.urls[0])
		if req.Method = c.method; c.page != "" {
			req = from(t, c.page, c.method, c.urls[0])
			req.Initiator.ReferrerPolicy = browser.ReferrerPolicy(c.policy)
		}
		var chain browser.Chain
		for _, to := range c.urls[1:] {
			var v rule.Verdict
			if req, v = chain.Next(req, 307, to, "", nil); !v.Yes {
				t.Fatalf("%s: %s", c.sentence, v.Rule)
			}
		}
		var decided []string
		header := map[string]string{}
		for _, f := range req.ContextHeader(rule.NewRecorder(func(v rule.Verdict) { decided = append(decided, string(v.Rule)) })) {
			header[f.Name] = f.Value
		}
		var got []string
		for _, name := range []string{"Origin", "Referer", "Sec-Fetch-Site"} {
			value, ok := header[name]
			if !ok {
				value = "-"
			}
			got = append(got, value)
		}
		if got := strings.Join(got, " "); got != c.header || strings.Join(decided, " ") != c.rules {
			t.Errorf("%s\n got %s, by %s\nwant %s, by %s", c.sentence, got, decided, c.header, c.rules)
		}
	}
}

// TestContextHeaderByScript is about what tells a click from a script.
func TestContextHeaderByScript(t *testing.T) {
	req := from(t, "https://evil.test/", "POST", "https://shop.test/")
	clicked := slices.Contains(req.ContextHeader(nil), browser.HeaderField{Name: "Sec-Fetch-User", Value: "?1"})
	req.ByScript = true
	scripted := slices.ContainsFunc(req.ContextHeader(nil), func(f browser.HeaderField) bool { return f.Name == "Sec-Fetch-User" })
	if !clicked || scripted {
		t.Errorf("Sec-Fetch-User after a click %t, by a script %t", clicked, scripted)
	}
}

// TestRedirectDropsBody holds that the next request has a body only while the method stays.
func TestRedirectDropsBody(t *testing.T) {
	for status, want := range map[int]string{301: "GET ", 302: "GET ", 303: "GET ", 307: "POST text/plain", 308: "POST text/plain"} {
		var chain browser.Chain
		req := from(t, "https://shop.test/", "POST", "https://shop.test/")
		req.ContentType = "text/plain"
		next, _ := chain.Next(req, status, "/x", "", nil)
		if got := next.Method + " " + next.ContentType; got != want || next.Initiator != req.Initiator {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

func TestParseReferrerPolicy(t *testing.T) {
	for _, c := range []struct {
		fields []string
		want   browser.ReferrerPolicy
	}{
		{nil, ""},
		{[]string{"nonsense"}, ""},
		{[]string{"no-referrer"}, "no-referrer"},
		{[]string{"No-Referrer, \tsame-origin ,later"}, "same-origin"},
		{[]string{"origin", "unsafe-url"}, "unsafe-url"},
		{[]string{"no-referrer same-origin"}, ""},
	} {
		if got := browser.ParseReferrerPolicy(c.fields); got != c.want {
			t.Errorf("%q: %q, want %q", c.fields, got, c.want)
		}
	}
}

func TestResolveURL(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "shop.test", Path: "/a/b", RawQuery: "q=1", Fragment: "f"}
	for reference, want := range map[string]string{
		"c": "https://shop.test/a/c", "": "https://shop.test/a/b?q=1", "#x": "https://shop.test/a/b?q=1#x", "//other.test": "https://other.test/",
	} {
		if got, err := browser.ResolveURL(base, reference); err != nil || got.String() != want {
			t.Errorf("%q: %v %v, want %s", reference, got, err, want)
		}
	}
	for _, reference := range []string{"javascript:x", "https://[x", "mailto:me@x"} {
		if _, err := browser.ResolveURL(base, reference); err == nil {
			t.Errorf("%q: no error", reference)
		}
	}
}

// FuzzContext holds what is true of the header whatever the URLs are.
func FuzzContext(f *testing.F) {
	f.Add("https://me:secret@shop.test/p#f", "POST", "https://shop.test/", "", "https://other.test/")
	f.Add("data:x", "GET", "http://[::1]/", "unsafe-url", "//x")
	f.Fuzz(func(t *testing.T, page, method, to, policy, location string) {
		document, err1 := url.Parse(page)
		u, err2 := url.Parse(to)
		if err1 != nil || err2 != nil || u.Scheme != "https" && u.Scheme != "http" {
			return
		}
		req := browser.Request{Method: method, URL: u, Initiator: &browser.Document{URL: document, ReferrerPolicy: browser.ReferrerPolicy(policy)}}
		for range 3 {
			for _, h := range req.ContextHeader(nil) {
				if strings.ContainsAny(h.Value, "\r\n\x00 ") {
					t.Errorf("%s: %q", h.Name, h.Value)
				}
				if h.Name != "Origin" && h.Name != "Referer" || h.Value == "null" {
					continue
				}
				said, err := url.Parse(h.Value)
				if err != nil || said.User != nil || said.Fragment != "" || said.Scheme != "http" && said.Scheme != "https" {
					t.Errorf("%s: %q, %v", h.Name, h.Value, err)
				}
			}
			var chain browser.Chain
			next, v := chain.Next(req, 307, location, "", nil)
			if !v.Yes {
				return
			}
			req = next
		}
	})
}

// TestContextHeaderWithin is about requests for something within a document: Origin, Sec-Fetch-Site, -Mode,
// -User and -Dest of each.
func TestContextHeaderWithin(t *testing.T) {
	for _, c := range []struct {
		from circumstance
		want string
	}{
		{circumstance{page: shopPage, address: shopPage}, "- same-origin navigate ?1 document"},
		{circumstance{page: newsPage, as: browser.AsIframe, address: shopPage}, "- cross-site navigate - iframe"},
		{circumstance{page: apiPage, as: browser.AsImage, address: shopPage}, "- same-site no-cors - image"},
		{circumstance{page: apiPage, as: browser.AsScript, mode: browser.CredentialsSameOrigin, address: shopPage}, "https://api.shop.test same-site cors - script"},
		{circumstance{page: shopPage, as: browser.AsFetch, address: shopPage}, "- same-origin cors - empty"},
		{circumstance{page: shopPage, as: browser.AsFetch, method: "POST", address: shopPage}, "https://shop.test same-origin cors - empty"},
		{circumstance{page: newsPage, as: browser.AsFetch, address: shopPage}, "https://news.test cross-site cors - empty"},
		{circumstance{page: "file:///a", as: browser.AsFetch, address: shopPage}, "null cross-site cors - empty"},
	} {
		got := map[string]string{}
		for _, f := range c.from.request(t).ContextHeader(nil) {
			got[f.Name] = f.Value
		}
		var words []string
		for _, name := range []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest"} {
			words = append(words, cmp.Or(got[name], "-"))
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s as %s from %s: %s, want %s", c.from.address, c.from.as, c.from.page, got, c.want)
		}
	}
}

// TestUpgradedForm is a form that HSTS takes to https: Chromium says then that it comes from nowhere and
// from another site.
func TestUpgradedForm(t *testing.T) {
	req := from(t, "https://shop.test/form", "POST", "http://shop.test/pay").Onward(visit(t, "https://shop.test/pay").URL)
	header := req.ContextHeader(nil)
	want := []browser.HeaderField{
		{Name: "Origin", Value: "null"},
		{Name: "Sec-Fetch-Site", Value: "cross-site"},
		{Name: "Sec-Fetch-Mode", Value: "navigate"},
		{Name: "Sec-Fetch-User", Value: "?1"},
		{Name: "Sec-Fetch-Dest", Value: "document"},
	}
	if !slices.Equal(header, want) {
		t.Errorf("%v, want %v", header, want)
	}
}
