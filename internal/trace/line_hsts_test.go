package trace_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

func TestExplainHSTS(t *testing.T) {
	for _, c := range []struct {
		name, line, at string
		rule           rule.ID
		says           string // the directives, joined by commas
		upgraded       string // of the visits that are asked about, those that go over https
	}{
		{"a host", "max-age=31536000", "https://www.shop.test/a", "hsts-stored", "max-age=31536000", "the host, typed with http, another port of it"},
		{"a host and those under it", "max-age=300; includeSubDomains; preload", "https://shop.test/", "hsts-stored", "max-age=300, includeSubDomains, preload", "the host, typed with http, another port of it, a host under it"},
		{"quoted", `MAX-AGE="60" ;; foo=bar`, "https://shop.test:8443/", "hsts-stored", "max-age=60", "the host, typed with http, another port of it"},
		{"forgotten", "max-age=0", "https://shop.test/", "hsts-removed", "max-age=0", ""},
		{"over http", "max-age=300", "http://shop.test/", "hsts-over-http", "max-age=300", ""},
		{"an address", "max-age=300", "https://[::1]/", "hsts-ip", "max-age=300", ""},
		{"localhost", "max-age=300", "https://localhost/", "hsts-localhost", "max-age=300", ""},
		{"no max-age", "includeSubDomains", "https://shop.test/", "hsts-syntax", "", ""},
		{"commas", "max-age=300, includeSubDomains", "https://shop.test/", "hsts-syntax", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := trace.ParseLineURL(c.at)
			if err != nil {
				t.Fatal(err)
			}
			s := trace.ExplainHSTS(&browser.Browser{}, c.line, at, lineTime, lookupRule)
			if s.Verdict.Rule != c.rule {
				t.Errorf("verdict by %s, want %s", s.Verdict.Rule, c.rule)
			}
			var says, upgraded []string
			for _, d := range s.Says {
				says = append(says, d.Text)
			}
			for _, a := range s.Asked {
				if a.Verdict.Yes {
					upgraded = append(upgraded, a.What)
				}
			}
			if got := strings.Join(says, ", "); got != c.says || (got == "") != (s.Token != "") {
				t.Errorf("it says %q and is spoilt by %q, want %q", got, s.Token, c.says)
			}
			if got := strings.Join(upgraded, ", "); got != c.upgraded {
				t.Errorf("upgraded are %q, want %q", got, c.upgraded)
			}
		})
	}
}

func TestExplainCookieHeader(t *testing.T) {
	for _, c := range []struct {
		line, want string
		whole      bool
	}{
		{"a=1; b=2", "a=…; b=…", false},
		{"a=1; b=2", "a=1; b=2", true},
		{"id=0123456789abcdefghij; id=2", "id=0123…; id=… note-same-name-twice", false},
		{"token; Path=/", "…; Path=…", false},
		{" ; ;", "", false},
	} {
		s := trace.ExplainCookieHeader(c.line, c.whole)
		var got []string
		for _, k := range s.Cookies {
			got = append(got, strings.TrimSpace(k.Text+" "+string(k.Rule)))
			if k.Does == "" {
				t.Errorf("%q: nothing is said of %q", c.line, k.Text)
			}
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%q is %q, want %q", c.line, text, c.want)
		}
	}
}

// TestExplainLineBlames looks for the token because of which a line is refused.
func TestExplainLineBlames(t *testing.T) {
	for line, want := range map[string]string{
		"a=1; Secure; Domain=other.test":         "Secure store-secure-over-http, Domain=other.test store-domain-mismatch",
		"a=1; SameSite=None; SameSite=lox":       "",
		"a=1; SameSite=Lax; samesite=NONE":       "samesite=NONE store-none-not-secure",
		"__Host-a=1; Path=/a":                    "__Host-a store-prefix-host",
		"a=" + strings.Repeat("x", 4096):         "xxxx… store-too-big",
		"a=1; Domain=test; Domain=élève.example": "Domain=élève.example store-domain-non-ascii",
		"=__Secure-a":                            "… store-nameless-prefix",
		"":                                       "(nameless) store-empty",
		"a=1; Path=/":                            "",
	} {
		var blamed []string
		for _, k := range explainLine(t, line, "http://shop.test/").Tokens {
			if k.Effect == "refused" {
				blamed = append(blamed, k.Text+" "+string(k.Rule))
			}
		}
		if got := strings.Join(blamed, ", "); got != want {
			t.Errorf("%.60q: blamed is %q, want %q", line, got, want)
		}
	}
}

// TestExplainLineFolded is about what a proxy makes that joins Set-Cookie lines: the value of the second
// cookie is in an attribute of the first, and is not shown either.
func TestExplainLineFolded(t *testing.T) {
	s := explainLine(t, "a=1; Path=/, sessionid=0123456789abcdefghij; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "https://shop.test/")
	var text bytes.Buffer
	s.WriteText(&text)
	if got := text.String(); strings.Contains(got, "456789") || !strings.Contains(got, "Path=/, sessionid=0123…") || !strings.Contains(got, "Expires=Thu, 01 Jan 2099 00:00:00 GMT") {
		t.Errorf("the story is\n%s", got)
	}
	if !slices.ContainsFunc(s.Tokens, func(k trace.Token) bool { return k.Rule == "note-comma-in-value" }) {
		t.Errorf("no token says what the comma is: %+v", s.Tokens)
	}
}

// FuzzExplainHSTS holds that any line at any URL can be explained.
func FuzzExplainHSTS(f *testing.F) {
	f.Add("max-age=31536000; includeSubDomains; preload", "https://shop.test/")
	f.Add("max-age=\"9999999999999999999999", "https://[::1]:8080/%zz")
	f.Add("\x1b[2Jmax-age=0;;a=b", "http://xn--lve-6lad.test.")
	f.Fuzz(func(t *testing.T, line, at string) {
		u, err := trace.ParseLineURL(at)
		if err != nil {
			return
		}
		s := trace.ExplainHSTS(&browser.Browser{}, line, u, lineTime, lookupRule)
		c := trace.ExplainCookieHeader(line, true)
		var text, data, more bytes.Buffer
		s.WriteText(&text)
		c.WriteText(&text)
		if err := s.WriteJSON(&data); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteJSON(&more); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(data.Bytes()) || !json.Valid(more.Bytes()) {
			t.Errorf("not JSON: %q, %q", data.String(), more.String())
		}
		if strings.ContainsFunc(strings.ReplaceAll(text.String(), "\n", ""), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("a control character is shown: %q", text.String())
		}
	})
}
