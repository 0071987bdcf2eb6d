package lockstep_test

import (
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
)

// djangoHost is Django's own expression (django/http/request.py, 5.0), in lower case already.
var djangoHost = regexp.MustCompile(`^([a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(?::([0-9]+))?$`)

func FuzzHost(f *testing.F) {
	for _, tt := range hostTests {
		f.Add(tt.host)
	}
	s := djangoSettings(nil)
	g, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host string) {
		v := g.Host(&http.Request{Host: host})
		lower := strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, host)
		m := djangoHost.FindStringSubmatch(lower)
		want := m != nil && m[1] != "."
		if want && m[1][0] == '[' {
			_, err := netip.ParseAddr(m[1][1 : len(m[1])-1])
			want = err == nil
		}
		if v.Yes != want || v.Subject != host {
			t.Errorf("%q: yes %v, want %v", host, v.Yes, want)
		}
		if v.Yes { // what is allowed can stand in a URL
			if u, err := url.Parse("https://" + host + "/"); err != nil || u.User != nil || !strings.HasPrefix(u.Host, host) {
				t.Errorf("%q is not the host of a URL: %v", host, err)
			}
		}
	})
}

func FuzzForwardedProto(f *testing.F) {
	for _, tt := range secureTests {
		f.Add(strings.Join(tt.lines, "\n"))
	}
	s := djangoSettings(proxied)
	g, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		h := http.Header{"X-Forwarded-Proto": strings.Split(lines, "\n")}
		v := g.Secure(&http.Request{Header: h, RemoteAddr: "192.0.2.1:1"})
		all := strings.Split(strings.ReplaceAll(lines, "\n", ","), ",")
		if want := strings.EqualFold(strings.TrimSpace(all[len(all)-1]), "https"); v.Yes != want {
			t.Errorf("%q: %v", lines, v.Yes)
		}
		if v := g.Secure(&http.Request{Header: h, RemoteAddr: "198.51.100.1:1"}); v.Yes {
			t.Errorf("%q is believed from anybody", lines)
		}
	})
}

func FuzzRedirectLocation(f *testing.F) {
	for _, tt := range locationTests {
		path, query, _ := strings.Cut(tt.target, "?")
		f.Add(path, query)
	}
	s := djangoSettings(redirecting)
	g, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		r := &http.Request{Host: "app.example", URL: &url.URL{Path: "/" + path, RawQuery: query}}
		location, v := g.Redirect(r)
		rest, ok := strings.CutPrefix(location, "https://app.example/")
		if !v.Yes || !ok {
			t.Fatalf("location %q", location)
		}
		for i := range len(rest) {
			if c := rest[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\\' {
				t.Fatalf("location %q has %q", location, c)
			}
		}
	})
}

func FuzzAbsoluteURI(f *testing.F) {
	for _, location := range []string{"/b", "../c", "//x/y", "?q#f", "a;p/..;q", "mailto:x", ":", "http://", "[", "\t/\n"} {
		f.Add("/dir/page", location)
	}
	f.Fuzz(func(t *testing.T, path, location string) {
		r := &http.Request{Host: "app.example", URL: &url.URL{Path: "/" + path}}
		got := lockstep.AbsoluteURI(r, location)
		for i := range len(got) {
			if c := got[i]; c <= ' ' || c >= 0x7f {
				t.Fatalf("%q has %q", got, c)
			}
		}
	})
}

func FuzzSetCookie(f *testing.F) {
	f.Add("a", "v", "shop.test", "/")
	f.Add("__Host-a", "a\r\nb;", "", "/; Domain=evil")
	s := djangoSettings(nil)
	g, err := lockstep.New(s, lockstep.Options{Now: fixedNow})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, value, domain, path string) {
		resp := answerOf(g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: name, Value: value, Domain: domain, Path: path})
			lines := w.Header()["Set-Cookie"]
			if (err == nil) != (len(lines) == 1) {
				t.Errorf("error %v, lines %q", err, lines)
			}
		})), get(t, "https", "/", "shop.test"))
		line := resp.Header.Get("Set-Cookie")
		if line == "" {
			return
		}
		if strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("line %q", line)
		}
		pair, _, _ := strings.Cut(line, "; ")
		back := get(t, "https", "/", "shop.test", "Cookie: "+pair)
		if got, ok := lockstep.ReadCookie(back, name); !ok || got != strings.ToValidUTF8(value, "\ufffd") {
			t.Errorf("%q is read back as %q, %v from %q", value, got, ok, line)
		}
	})
}

// FuzzCSRFOrigin holds that only the site's own origin and the trusted ones pass, whatever Origin,
// Referer and Sec-Fetch-Site are.
func FuzzCSRFOrigin(f *testing.F) {
	for _, c := range csrfTests() {
		seed := map[string]string{}
		for _, h := range c.headers {
			seed[h[0]] = h[1]
		}
		f.Add(seed["Origin"], seed["Referer"], seed["Sec-Fetch-Site"], c.scheme != "http", false)
		f.Add(seed["Origin"], seed["Referer"], seed["Sec-Fetch-Site"], c.scheme != "http", true)
	}
	guards := map[string]*lockstep.Guard{}
	for version, trusted := range map[string]string{"6.1": "https://*.pay.test", "3.2": ".pay.test"} {
		s := djangoSettings(func(s *lockstep.Settings) {
			s.DjangoVersion, s.CSRFTrustedOrigins = version, []string{trusted}
		})
		g, err := lockstep.New(s, lockstep.Options{})
		if err != nil {
			f.Fatal(err)
		}
		guards[version] = g
	}
	f.Fuzz(func(t *testing.T, origin, referer, fetch string, secure, none bool) {
		for version, g := range guards {
			scheme := map[bool]string{true: "https", false: "http"}[secure]
			r := serverRequest(t, scheme, "POST", "/", "shop.test", "Cookie: "+csrfCookie+secret, "X-Csrftoken: "+masked)
			r.Header["Sec-Fetch-Site"] = []string{fetch}
			r.Header["Referer"] = []string{referer}
			if !none {
				r.Header["Origin"] = []string{origin}
			}
			v := g.CSRF(r)
			if !v.Yes {
				continue
			}
			own := true
			switch {
			case !none && version != "3.2":
				own = origin == scheme+"://shop.test" || trustedByHand(origin)
			case secure:
				own = trustedByHand(referer) || strings.HasPrefix(strings.ToLower(unspaced(referer)), "https:") && hostByHand(referer) == "shop.test"
			}
			if !own {
				t.Fatalf("Django %s: %+v passes with Origin %q (sent: %v), Referer %q", version, v, origin, !none, referer)
			}
			if fetch != "" && fetch != "same-origin" && fetch != "none" && (none || !trustedByHand(origin)) {
				t.Fatalf("%+v passes with Sec-Fetch-Site %q", v, fetch)
			}
		}
	})
}

// trustedByHand reports whether text is an origin at or below https://pay.test.
func trustedByHand(text string) bool {
	host := hostByHand(text)
	return strings.HasPrefix(strings.ToLower(unspaced(text)), "https:") && (host == "pay.test" || strings.HasSuffix(host, ".pay.test"))
}

// hostByHand is what stands between the two slashes of a URL and what follows, as a browser and
// Python read it.
func hostByHand(text string) string {
	_, rest, found := strings.Cut(unspaced(text), "://")
	if !found {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	host, _, _ = strings.Cut(host, "#")
	return host
}

// unspaced is text without what Python takes out of URLs.
func unspaced(text string) string {
	text = strings.TrimLeftFunc(text, func(r rune) bool { return r <= ' ' })
	return strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(text)
}

// FuzzCSRFForm holds the search for the token to what net/url reads of the same form, where it reads it.
func FuzzCSRFForm(f *testing.F) {
	for _, c := range csrfTests() {
		f.Add(c.kind, c.body)
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		g := newGuard(t, nil)
		r := serverRequest(t, "http", "POST", "/", "shop.test", "Cookie: "+csrfCookie+secret)
		r.Header["Content-Type"] = []string{kind}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		v := g.CSRF(r)
		if values, err := url.ParseQuery(body); err == nil && kind == fields && strings.Count(body, "&") < 1000 {
			token := ""
			if all := values["csrfmiddlewaretoken"]; len(all) > 0 {
				token = all[len(all)-1]
			}
			if v.Yes != django.CSRFTokensMatch(token, secret) {
				t.Fatalf("%+v, and the form has the token %q", v, token)
			}
			if again, _ := io.ReadAll(r.Body); string(again) != body {
				t.Fatalf("the body became %q", again)
			}
		}
	})
}
