package browser_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

func redirectRequest(t testing.TB, method, u string) browser.Request {
	t.Helper()
	return browser.Request{Method: method, URL: visitURL(t, u)}
}

func TestRedirectLocation(t *testing.T) {
	const base = "https://shop.test/a/b?q=1#top"
	for _, c := range []struct{ base, location, want string }{
		// Absolute, relative to the scheme, to the host, to the path.
		{base, "https://other.test/x", "https://other.test/x#top"},
		{base, "http://other.test", "http://other.test/#top"},
		{base, "//other.test/x", "https://other.test/x#top"},
		{base, "/x", "https://shop.test/x#top"},
		{base, "x/y", "https://shop.test/a/x/y#top"},
		{base, "../x", "https://shop.test/x#top"},
		{base, "../../../x", "https://shop.test/x#top"},
		{base, "./", "https://shop.test/a/#top"},
		{base, "?p=2", "https://shop.test/a/b?p=2#top"},
		{base, "?", "https://shop.test/a/b?#top"},
		{"http://shop.test", "x", "http://shop.test/x"},
		{"http://shop.test", "?x", "http://shop.test/?x"},
		// Fragments.
		{base, "#", "https://shop.test/a/b?q=1"},
		{base, "#end", "https://shop.test/a/b?q=1#end"},
		{base, "/x#end", "https://shop.test/x#end"},
		{base, "/x#a b%zz", "https://shop.test/x#a%20b%25zz"},
		// What the URL standard makes of slashes and schemes.
		{base, `/\evil.example`, "https://evil.example/#top"},
		{base, `\\evil.example\x`, "https://evil.example/x#top"},
		{base, "///evil.example", "https://evil.example/#top"},
		{base, "https:evil", "https://shop.test/a/evil#top"},
		{base, "https:/evil", "https://shop.test/evil#top"},
		{base, "https:", "https://shop.test/a/b?q=1#top"},
		{base, "http:evil", "http://evil/#top"},
		{base, "http:/evil/x", "http://evil/x#top"},
		{base, "HTTPS:///evil/x", "https://evil/x#top"},
		{base, "\t//ev\nil.example/\r\nx ", "https://evil.example/x#top"},
		{base, "a_b:c", "https://shop.test/a/a_b:c#top"},
		{base, "1:2", "https://shop.test/a/1:2#top"},
		{base, "10.0.0.1:8000/x", "https://shop.test/a/10.0.0.1:8000/x#top"},
		// Hosts and ports.
		{base, "https://OTHER.test:443/", "https://other.test/#top"},
		{base, "http://other.test:80", "http://other.test/#top"},
		{base, "https://other.test:080/", "https://other.test:80/#top"},
		{base, "https://other.test:/", "https://other.test/#top"},
		{base, "http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/#top"},
		{base, "https://bücher.test/", "https://xn--bcher-kva.test/#top"},
		{base, "https://app@evil.example/", "https://app@evil.example/#top"},
		{"https://shop.test:8443/", "/x", "https://shop.test:8443/x"},
		// Paths and queries: nothing is decoded, and what cannot travel is encoded.
		{base, "//shop.test//evil.example/..", "https://shop.test//#top"},
		{base, "https://shop.test//evil.example", "https://shop.test//evil.example#top"},
		{base, "/a%2Fb/%7E/;x=1/[0]", "https://shop.test/a%2Fb/%7E/;x=1/[0]#top"},
		{base, "/x/%2e%2E/y/%2e", "https://shop.test/y/#top"},
		{base, "/é ü", "https://shop.test/%C3%A9%20%C3%BC#top"},
		{base, "/\xff", "https://shop.test/%FF#top"},
		{base, "/x%zz%", "https://shop.test/x%25zz%25#top"},
		{base, "/{a}|%2F", "https://shop.test/%7Ba%7D%7C%2F#top"},
		{base, "/x\x01\x7f", "https://shop.test/x%01%7F#top"},
		{base, `/x?a=%zz&b=é d"<>'`, "https://shop.test/x?a=%zz&b=%C3%A9%20d%22%3C%3E%27#top"},
		{base, "/x?a=1;b=2?c", "https://shop.test/x?a=1;b=2?c#top"},
	} {
		var chain browser.Chain
		next, v := chain.Next(redirectRequest(t, "GET", c.base), 302, c.location, "", nil)
		if v.Rule != "follow-redirect" || !v.Yes {
			t.Errorf("%q from %s: %s", c.location, c.base, v.Rule)
			continue
		}
		if got := next.URL.String(); got != c.want {
			t.Errorf("%q from %s leads to %s, want %s", c.location, c.base, got, c.want)
		}
	}
}

func TestRedirectRefused(t *testing.T) {
	for _, c := range []struct {
		location string
		want     rule.ID
	}{
		{"ftp://shop.test/", "follow-other-scheme"},
		{"javascript:alert(1)", "follow-other-scheme"},
		{" DATA:text/html,x", "follow-other-scheme"},
		{"localhost:8000/x", "follow-other-scheme"},
		{"java\nscript:x", "follow-other-scheme"},
		{"https://", "follow-bad-location"},
		{"//", "follow-bad-location"},
		{"http:", "follow-bad-location"},
		{"https://[::1", "follow-bad-location"},
		{"https://[::1]evil/", "follow-bad-location"},
		{"https://[fe80::1%25eth0]/", "follow-bad-location"},
		{"https://shop.test:99999/", "follow-bad-location"},
		{"https://shop.test:80a/", "follow-bad-location"},
		{"https://sh op.test/", "follow-bad-location"},
		{"https://sh\x00op.test/", "follow-bad-location"},
		{"https://shop.test|/", "follow-bad-location"},
		{"/" + strings.Repeat("x", browser.MaxLocation), "follow-bad-location"},
		{"https://" + strings.Repeat("x", 300), "follow-bad-location"},
		{"https://" + manyLetters(20000), "follow-bad-location"}, // takes seconds when it is converted
	} {
		var chain browser.Chain
		next, v := chain.Next(redirectRequest(t, "GET", "https://shop.test/"), 302, c.location, "", rule.NewRecorder(func(rule.Verdict) {}))
		if v.Rule != c.want || v.Yes || next != (browser.Request{}) {
			t.Errorf("%.80q: %s, next %v, want %s", c.location, v.Rule, next, c.want)
		}
		if problem, ok := v.Fact("problem"); !ok || problem == "" {
			t.Errorf("%.80q: no problem is named", c.location)
		}
	}
}

// manyLetters returns n different letters, which make the worst label for Punycode.
func manyLetters(n int) string {
	var letters strings.Builder
	for i := range n {
		letters.WriteRune('一' + rune(i))
	}
	return letters.String()
}

func TestRedirectMethod(t *testing.T) {
	all := []int{301, 302, 303, 307, 308}
	for _, c := range []struct {
		method string
		became map[int]string // by status; others keep the method
	}{
		{"GET", nil},
		{"HEAD", nil},
		{"", map[int]string{301: "GET", 302: "GET", 303: "GET", 307: "GET", 308: "GET"}},
		{"POST", map[int]string{301: "GET", 302: "GET", 303: "GET"}},
		{"PUT", map[int]string{303: "GET"}},
		{"DELETE", map[int]string{303: "GET"}},
	} {
		for _, status := range all {
			var chain browser.Chain
			next, v := chain.Next(redirectRequest(t, c.method, "http://shop.test/"), status, "https://shop.test/", "", nil)
			want := c.method
			if became, ok := c.became[status]; ok {
				want = became
			}
			if next.Method != want {
				t.Errorf("%d after %s: %s, want %s", status, c.method, next.Method, want)
			}
			if noted := slices.Contains(v.Notes, "note-method-became-get"); noted != (c.method != "" && want != c.method) {
				t.Errorf("%d after %s: notes %v", status, c.method, v.Notes)
			}
		}
	}
}

func TestRedirectNot(t *testing.T) {
	for _, c := range []struct {
		status   int
		location string
		recorded bool
	}{
		{200, "/x", false},
		{201, "/x", false},
		{404, "", false},
		{300, "/x", true},
		{304, "/x", true},
		{305, "/x", true},
		{306, "/x", true},
		{309, "/x", true},
		{301, "", true},
		{302, "", true},
		{308, "", true},
	} {
		recorded := false
		var chain browser.Chain
		next, v := chain.Next(redirectRequest(t, "GET", "http://shop.test/"), c.status, c.location, "", rule.NewRecorder(func(rule.Verdict) { recorded = true }))
		if v.Rule != "follow-not-redirect" || v.Yes || next != (browser.Request{}) || recorded != c.recorded {
			t.Errorf("%d to %q: %s, next %v, recorded %v", c.status, c.location, v.Rule, next, recorded)
		}
	}
}

func TestRedirectDowngrade(t *testing.T) {
	for _, c := range []struct {
		from, to string
		noted    bool
	}{
		{"https://shop.test/", "http://shop.test/", true},
		{"https://shop.test/", "/", false},
		{"http://shop.test/", "http://shop.test/x", false},
		{"http://shop.test/", "https://shop.test/", false},
	} {
		var chain browser.Chain
		_, v := chain.Next(redirectRequest(t, "GET", c.from), 302, c.to, "", nil)
		if noted := slices.Contains(v.Notes, "note-downgrade-to-http"); noted != c.noted {
			t.Errorf("%s to %s: notes %v", c.from, c.to, v.Notes)
		}
	}
}

// A redirectHop is one response of a visit.
type redirectHop struct {
	location string
	cookies  string // the Cookie header of the request
}

// followHops makes a visit in which each request is answered by the hop of its turn, the last again
// and again, and returns the last verdict with the number of requests.
func followHops(t *testing.T, from string, hops ...redirectHop) (v rule.Verdict, requests int) {
	t.Helper()
	var chain browser.Chain
	rec := rule.NewRecorder(func(rule.Verdict) {})
	req := redirectRequest(t, "GET", from)
	for {
		h := hops[min(requests, len(hops)-1)]
		requests++
		if req, v = chain.Next(req, 301, h.location, h.cookies, rec); !v.Yes {
			return v, requests
		}
	}
}

func TestRedirectLoop(t *testing.T) {
	for _, c := range []struct {
		name, from string
		hops       []redirectHop
		requests   int
		facts      map[string]string
	}{
		{
			"https to itself behind a proxy", "http://shop.test/a#x",
			[]redirectHop{{location: "https://shop.test/a"}},
			3,
			map[string]string{"hop": "2", "repeated by hop": "3", "loop": "http redirects to https, and then https://shop.test/a redirects to itself"},
		},
		{
			"to itself", "https://shop.test",
			[]redirectHop{{location: "https://shop.test/#y"}},
			2,
			map[string]string{"hop": "1", "repeated by hop": "2", "loop": "https://shop.test/ redirects to itself"},
		},
		{
			"between http and https", "http://shop.test/",
			[]redirectHop{{location: "https://shop.test/"}, {location: "http://shop.test/"}},
			3,
			map[string]string{"hop": "1", "repeated by hop": "3", "loop": "hops 1 to 2, again and again"},
		},
		{
			"a cookie makes another request of it, once", "https://shop.test/",
			[]redirectHop{{location: "/"}, {location: "/", cookies: "a=1"}},
			3,
			map[string]string{"hop": "2", "repeated by hop": "3"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, requests := followHops(t, c.from, c.hops...)
			if v.Rule != "follow-loop" || len(v.Also) != 0 || requests != c.requests {
				t.Errorf("%s, also %v, after %d requests", v.Rule, v.Also, requests)
			}
			for name, want := range c.facts {
				if got, _ := v.Fact(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			for _, fact := range v.Facts {
				if strings.Contains(fact.Value, "a=1") {
					t.Errorf("fact %s shows a cookie", fact.Name)
				}
			}
		})
	}
}

func TestRedirectTooMany(t *testing.T) {
	var hops []redirectHop
	for i := range 2 * browser.MaxRequests {
		hops = append(hops, redirectHop{location: fmt.Sprintf("/%d", i)})
	}
	v, requests := followHops(t, "https://shop.test/", hops...)
	if v.Rule != "follow-too-many" || requests != 20 {
		t.Errorf("%s after %d requests", v.Rule, requests)
	}
	loopAtTheEnd := append(slices.Clone(hops[:18]), redirectHop{location: "/17"})
	v, requests = followHops(t, "https://shop.test/", loopAtTheEnd...)
	if v.Rule != "follow-loop" || !slices.Equal(v.Also, []rule.ID{"follow-too-many"}) || requests != 20 {
		t.Errorf("%s, also %v, after %d requests", v.Rule, v.Also, requests)
	}
}

func TestRedirectAfterTheEnd(t *testing.T) {
	var chain browser.Chain
	for i := range 3 * browser.MaxRequests {
		_, v := chain.Next(redirectRequest(t, "GET", fmt.Sprintf("https://shop.test/%d", i)), 302, "/x", "", nil)
		if want := i+1 < browser.MaxRequests; v.Yes != want {
			t.Fatalf("request %d: %s", i+1, v.Rule)
		}
	}
}

func TestRedirectHidesCredentials(t *testing.T) {
	var chain browser.Chain
	_, v := chain.Next(redirectRequest(t, "GET", "https://user:secret@shop.test/"), 302, "/x", "sessionid=secret", rule.NewRecorder(func(rule.Verdict) {}))
	for _, fact := range append(v.Facts, rule.Fact{Name: "subject", Value: v.Subject}) {
		if strings.Contains(fact.Value, "secret") {
			t.Errorf("%s is %q", fact.Name, fact.Value)
		}
	}
}

func TestRulesOfHSTSAndRedirects(t *testing.T) {
	for _, r := range browser.Rules() {
		ofOurs := regexp.MustCompile(`^(hsts|upgrade|follow|note-hsts|note-method|note-downgrade)-`).MatchString(string(r.ID))
		if ofOurs && (r.Source == "" || !strings.HasSuffix(r.Sentence, ".") || !strings.HasSuffix(r.Fix, ".") || !strings.Contains(r.Scenario, "visit ") && !strings.Contains(r.Scenario, "load ")) {
			t.Errorf("%s is not complete: %+v", r.ID, r)
		}
	}
}

// plainLocation matches what the URL standard and RFC 3986 read alike.
var plainLocation = regexp.MustCompile(`^(https?://[a-z0-9.-]*[a-z])?(/[a-z0-9._~-]+)*/?(\?[a-z0-9=&]+)?(#[a-z]+)?$`)

func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{
		"https://shop.test/", "/x?y#z", "//other.test", `/\evil.example`, "javascript:x", "https://[::1]:8443/", "http:x", "?", "#", "%zz", "/é", "https://u:p@h/",
	} {
		f.Add("http://shop.test/a/b?q#f", seed, 301, "GET")
		f.Add("https://shop.test:8443", seed, 307, "POST")
	}
	f.Fuzz(func(t *testing.T, from, location string, status int, method string) {
		base, err := url.Parse(from)
		if err != nil || base.Host == "" || base.Opaque != "" || base.Scheme != "http" && base.Scheme != "https" {
			t.Skip()
		}
		var chain browser.Chain
		next, v := chain.Next(browser.Request{Method: method, URL: base}, status, location, "", rule.NewRecorder(func(rule.Verdict) {}))
		if v.Yes != (v.Rule == "follow-redirect") || v.Yes != (next.URL != nil) {
			t.Fatalf("%s, yes %v, next %v", v.Rule, v.Yes, next)
		}
		if !v.Yes {
			return
		}
		if next.URL.Scheme != "http" && next.URL.Scheme != "https" || next.URL.Host == "" {
			t.Errorf("%q from %q leads to %s", location, from, next.URL)
		}
		if again, err := url.Parse(next.URL.String()); err != nil || again.String() != next.URL.String() {
			t.Errorf("%q from %q leads to %q, which reads back as %v, %v", location, from, next.URL, again, err)
		}
		if base.RawQuery == "" && strings.ContainsFunc(next.URL.RequestURI(), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			t.Errorf("%q from %q gives the request line %q", location, from, next.URL.RequestURI())
		}
		if plainLocation.MatchString(location) && plainLocation.MatchString(from) && location != "" {
			agreeWithRFC3986(t, base, location, next.URL)
		}
	})
}

// agreeWithRFC3986 compares with net/url, which reads as the RFC does.
func agreeWithRFC3986(t *testing.T, base *url.URL, location string, got *url.URL) {
	want, err := base.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	if want.Path == "" {
		want.Path = "/"
	}
	if want.Fragment == "" {
		want.Fragment = base.Fragment
	}
	if got.String() != want.String() {
		t.Errorf("%q from %q leads to %s, and by RFC 3986 to %s", location, base, got, want)
	}
}

func ExampleChain_Next() {
	u, _ := url.Parse("http://shop.test/cart")
	req := browser.Request{Method: "GET", URL: u}
	var chain browser.Chain
	for {
		next, v := chain.Next(req, 301, "https://shop.test/cart", "", rule.NewRecorder(func(rule.Verdict) {}))
		fmt.Println(req.URL, v.Rule)
		if !v.Yes {
			loop, _ := v.Fact("loop")
			fmt.Println(loop)
			return
		}
		req = next
	}
	// Output:
	// http://shop.test/cart follow-redirect
	// https://shop.test/cart follow-redirect
	// https://shop.test/cart follow-loop
	// http redirects to https, and then https://shop.test/cart redirects to itself
}
