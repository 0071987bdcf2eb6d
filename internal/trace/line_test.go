package trace_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

var lineTime = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func explainLine(t *testing.T, line, at string) trace.LineStory {
	t.Helper()
	u, err := trace.ParseLineURL(at)
	if err != nil {
		t.Fatal(err)
	}
	return trace.ExplainLine(&browser.Browser{}, line, u, lineTime, false, lookupRule)
}

// lookupRule finds the rules that decide about cookies.
func lookupRule(id rule.ID) (rule.Rule, bool) {
	all := slices.Concat(browser.Rules(), cookie.Rules())
	i := slices.IndexFunc(all, func(r rule.Rule) bool { return r.ID == id })
	if i < 0 {
		return rule.Rule{}, false
	}
	return all[i], true
}

func TestExplainLine(t *testing.T) {
	for _, c := range []struct {
		name, line, at string
		rule           rule.ID
		yes            bool
		tokens         string // each "text effect rule", joined by commas
		sent           string // of the requests that are asked about, those that carry the cookie
	}{
		{
			"all that counts", "id=1; Secure; HttpOnly; Path=/; SameSite=Strict", "https://shop.test/cart", "store-ok", true,
			"id counts, … counts, Secure counts, HttpOnly counts, Path=/ counts, SameSite=Strict counts",
			"the same page again, the root of the site",
		},
		{
			"a Path of a folder", "id=1; Path=/cart; SameSite=None; Secure", "https://shop.test/cart", "store-ok", true,
			"id counts, … counts, Path=/cart counts, SameSite=None counts, Secure counts",
			"the same page again, a link on another site, a form that another site sends",
		},
		{
			"a Domain reaches other hosts", "id=1; Domain=.shop.test; Path=/", "https://www.shop.test/", "store-ok", true,
			"id counts, … counts, Domain=.shop.test counts note-leading-dot, Path=/ counts",
			"the same page again, the same page over http, the host sub.www.shop.test, the host shop.test, a link on another site",
		},
		{"Secure over http", "id=1; Secure", "http://shop.test/", "store-secure-over-http", false, "id counts, … counts, Secure refused store-secure-over-http", ""},
		{
			"what is ignored", `id=1; Path="/"; SameSite=lox; colour=red; Max-Age=soon; Expires=never`, "https://shop.test/", "store-ok", true,
			`id counts, … counts, Path="/" ignored note-path-invalid, SameSite=lox ignored note-samesite-unknown, colour=… ignored note-attr-unknown, ` +
				"Max-Age=soon ignored note-max-age-invalid, Expires=never ignored note-expires-unparsable",
			"the same page again, the same page over http, a link on another site",
		},
		{
			"what is overridden", "id=1; Path=/a; Path=/; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=60", "https://shop.test/", "store-ok", true,
			"id counts, … counts, Path=/a overridden, Path=/ counts, Expires=Thu, 01 Jan 2099 00:00:00 GMT overridden note-max-age-wins, Max-Age=60 counts",
			"the same page again, the same page over http, a link on another site",
		},
		{"a deletion", "id=; Max-Age=0; Path=/", "https://shop.test/", "store-deleted", true, "id counts,  counts, Max-Age=0 counts, Path=/ counts", ""},
		{"a deletion that is refused", "id=; Max-Age=0; Domain=other.test", "https://shop.test/", "store-domain-mismatch", false, "id counts,  counts, Max-Age=0 counts, Domain=other.test refused store-domain-mismatch", ""},
		{"a Secure deletion over http", "id=; Max-Age=0; Secure", "http://shop.test/", "store-secure-over-http", false, "id counts,  counts, Max-Age=0 counts, Secure refused store-secure-over-http", ""},
		{"an address as Domain", "id=1; Path=/; Domain=192.168.1.1; Priority=High", "http://192.168.1.1/", "store-ok", true, "id counts, … counts, Path=/ counts, Domain=192.168.1.1 ignored note-public-suffix-host, Priority=High ignored note-attr-unknown", "the same page again, the same page over https, a link on another site"},
		{"nothing", "", "https://shop.test/", "store-empty", false, "(nameless) refused store-empty,  counts", ""},
		{"an address", "id=1; Path=/", "http://192.168.1.1/", "store-ok", true, "id counts, … counts, Path=/ counts", "the same page again, the same page over https, a link on another site"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := explainLine(t, c.line, c.at)
			if s.Verdict.Rule != c.rule || s.Verdict.Yes != c.yes {
				t.Errorf("verdict %v by %s, want %v by %s", s.Verdict.Yes, s.Verdict.Rule, c.yes, c.rule)
			}
			var tokens, sent []string
			for _, k := range s.Tokens {
				tokens = append(tokens, strings.TrimRight(k.Text+" "+k.Effect+" "+string(k.Rule), " "))
				if k.Does == "" {
					t.Errorf("nothing is said of %q", k.Text)
				}
			}
			for _, a := range s.Asked {
				if a.Verdict.Yes {
					sent = append(sent, a.What)
				}
			}
			if got := strings.Join(tokens, ", "); got != c.tokens {
				t.Errorf("tokens\n%s, want\n%s", got, c.tokens)
			}
			if got := strings.Join(sent, ", "); got != c.sent {
				t.Errorf("sent with %q, want %q", got, c.sent)
			}
		})
	}
}

// FuzzExplainLine holds that any line at any URL can be explained, and that its value is not shown.
func FuzzExplainLine(f *testing.F) {
	f.Add("id=0123456789abcdefghij; Secure; Path=/", "https://shop.test/cart?x#y")
	f.Add("a=\x01\xff;;=;Domain=.;SameSite=None;Max-Age=-9999999999999999999", "http://[::1]:8080/%zz")
	f.Add("__Host-x=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://xn--lve-6lad.test.")
	f.Fuzz(func(t *testing.T, line, at string) {
		u, err := trace.ParseLineURL(at)
		if err != nil {
			return
		}
		if _, err := url.Parse(u.String()); err != nil {
			t.Fatalf("%q is no URL: %v", u, err)
		}
		s := trace.ExplainLine(&browser.Browser{}, line, u, lineTime, false, lookupRule)
		var text, data bytes.Buffer
		s.WriteText(&text)
		if err := s.WriteJSON(&data); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(data.Bytes()) {
			t.Errorf("not JSON: %q", data.String())
		}
		if strings.ContainsFunc(strings.ReplaceAll(text.String(), "\n", ""), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("a control character is shown: %q", text.String())
		}
		secret := cookie.Parse(line).Value
		if len(secret) > 40 && strings.Contains(text.String(), secret) && !strings.Contains(at, secret) && strings.Count(line, secret) == 1 {
			t.Errorf("the value %q is shown", secret)
		}
	})
}

// TestExplainLineInProfiles holds that a line is taken apart as the browser reads it, and that what other
// profiles read otherwise is told. What is a value to some is never shown as the name that it is to others.
func TestExplainLineInProfiles(t *testing.T) {
	at, err := trace.ParseLineURL("https://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	told := func(t trace.Token) string { return strings.TrimSpace(t.Text + " " + t.Effect + " " + string(t.Rule)) }
	for _, c := range []struct {
		name, line string
		profile    browser.Profile
		tokens     []string // without name and value
		reads      []string // of other profiles
	}{
		{"alike", "id=1; Secure", browser.Chromium(), []string{"Secure counts"}, nil},
		{"a Max-Age with a sign", "id=1; Max-Age=+10", browser.Profile{}, []string{"Max-Age=+10 ignored note-max-age-invalid"}, []string{"chromium: Max-Age=+10 counts"}},
		{"the same in Chromium", "id=1; Max-Age=+10", browser.Chromium(), []string{"Max-Age=+10 counts"}, []string{"rfc6265bis, firefox, curl: Max-Age=+10 ignored note-max-age-invalid"}},
		{"a date that is none", "id=1; Expires=soon", browser.Chromium(), []string{"Expires=soon ignored note-expires-unparsable"}, nil},
		{
			"the last of two, which is none", "id=1; Max-Age=5; Max-Age=soon", browser.Firefox(),
			[]string{"Max-Age=5 counts", "Max-Age=soon ignored note-max-age-invalid"},
			[]string{"chromium: Max-Age=5 overridden", "chromium: Max-Age=soon counts note-max-age-invalid"},
		},
		{"a value alone", "a-secret-that-is-long", browser.Profile{}, []string{}, []string{"firefox: a-se… counts", "firefox: counts"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := trace.ExplainLine(&browser.Browser{Profile: c.profile}, c.line, at, lineTime, false, lookupRule)
			got, reads := []string{}, []string(nil)
			for _, token := range s.Tokens[2:] {
				got = append(got, told(token))
			}
			for _, r := range s.Reads {
				reads = append(reads, strings.Join(r.Profiles, ", ")+": "+told(r.Token))
			}
			if !slices.Equal(got, c.tokens) {
				t.Errorf("tokens %q, want %q", got, c.tokens)
			}
			if !slices.Equal(reads, c.reads) {
				t.Errorf("read otherwise %q, want %q", reads, c.reads)
			}
			var out bytes.Buffer
			if s.WriteText(&out); strings.Contains(out.String(), "secret") {
				t.Errorf("a value is shown:\n%s", out.String())
			}
		})
	}
}
