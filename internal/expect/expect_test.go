package expect_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/expect"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// runs are scenarios whose runs the expectations are held against.
var runs = map[string]string{
	"lesson":   "lesson http://shop.test/",
	"clear":    "set SESSION_COOKIE_SECURE=False\nlesson http://shop.test/",
	"neither":  "set SECURE_SSL_REDIRECT=False\nset SESSION_COOKIE_SECURE=False\nlesson http://shop.test/",
	"refused":  "set SECURE_SSL_REDIRECT=False\nlesson http://shop.test/",
	"hsts":     "set SECURE_HSTS_SECONDS=3600\nset SECURE_HSTS_INCLUDE_SUBDOMAINS=True\nlesson http://shop.test/",
	"below":    "set SECURE_HSTS_SECONDS=3600\nset SECURE_HSTS_INCLUDE_SUBDOMAINS=True\nvisit https://shop.test/\nset SECURE_HSTS_SECONDS=0\nvisit http://www.shop.test/",
	"none":     "on / app plain\nlesson http://shop.test/",
	"offline":  "network refused\nvisit http://shop.test/",
	"deleted":  "on /a app cookie a=1\non /b app delete-cookie a\nvisit https://shop.test/a\nvisit https://shop.test/b",
	"twohops":  "on /a app plain\nset SECURE_SSL_REDIRECT=False\non /a status 302\non /a send Location: http://www.shop.test/b\nvisit http://shop.test/a",
	"policies": "on /a send Set-Cookie: a=1; Path=/a; Domain=shop.test; Max-Age=60; Secure; SameSite=Strict\nvisit https://shop.test/a\nvisit https://shop.test/a/b",
}

func runOf(t testing.TB, name string) trace.Run {
	t.Helper()
	text, ok := runs[name]
	if !ok {
		t.Fatalf("no run %q", name)
	}
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Do(t.Context(), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result.Run
}

func TestCheck(t *testing.T) {
	all := map[string]trace.Run{}
	for _, c := range []struct {
		run, expectation string
		holds            bool
		rule, why        string
	}{
		{"lesson", "cookie sessionid never over http", true, "send-secure-over-http", "kept back"},
		{"clear", "cookie sessionid never over http", false, "send-ok", "sent"},
		{"neither", "cookie sessionid never over http", false, "store-ok", "set by the answer"},
		{"refused", "cookie sessionid never over http", false, "store-secure-over-http", "set by the answer"},
		{"hsts", "cookie sessionid never over http", true, "", "no request over http was made after it was set"},
		{"none", "cookie sessionid never over http", false, "", "the site never set sessionid, nor any other cookie"},
		{"lesson", "cookie other never over http", false, "", "the site never set other; it set sessionid"},
		{"lesson", "cookie other never", true, "", "the site never set it"},
		{"lesson", "cookie sessionid never", false, "store-ok", "set by the answer"},

		{"lesson", "cookie sessionid stored", true, "store-ok", "stored"},
		{"lesson", "cookie sessionid stored over https at /", true, "store-ok", "stored"},
		{"lesson", "cookie sessionid stored at https://shop.test", true, "store-ok", "stored"},
		{"lesson", "cookie sessionid stored at /other", false, "", "no answer at /other set it"},
		{"lesson", "cookie other stored", false, "", "the site never set other; it set sessionid"},
		{"refused", "cookie sessionid stored over http", false, "store-secure-over-http", "set, and not stored"},
		{"refused", "cookie sessionid not stored over http", true, "store-secure-over-http", "set, and not stored"},
		{"lesson", "cookie sessionid not stored", false, "store-ok", "stored"},
		{"lesson", "cookie sessionid not stored over http", true, "", "no answer over http set it"},
		{"lesson", "cookie other not stored", false, "", "the site never set other; it set sessionid"},
		{"lesson", "cookie sessionid not stored at /other", false, "", "nothing was asked for at /other"},
		{"lesson", "cookie sessionid not sent at /other", false, "", "nothing was asked for at /other"},
		{"lesson", "cookie sessionid never over http at https://shop.test/other", false, "", "nothing was asked for at https://shop.test/other"},
		{"lesson", "no cookie at /other", false, "", "nothing was asked for at /other"},
		{"hsts", "cookie sessionid not sent over http at /", true, "", "no request over http at / was made after it was set"},
		{"deleted", "cookie a not stored at /b", true, "store-deleted", "set, and not stored"},
		{"deleted", "cookie a sent at /b", true, "send-ok", "sent"},

		{"lesson", "cookie sessionid sent", true, "send-ok", "sent"},
		{"lesson", "cookie sessionid sent over https", true, "send-ok", "sent"},
		{"lesson", "cookie sessionid sent over http", false, "send-secure-over-http", "kept back"},
		{"hsts", "cookie sessionid sent over http", false, "", "no request over http was made after it was set"},
		{"lesson", "cookie sessionid not sent over http", true, "send-secure-over-http", "kept back"},
		{"lesson", "cookie sessionid not sent over https", false, "send-ok", "sent"},
		{"lesson", "cookie other sent", false, "", "the site never set other; it set sessionid"},
		{"lesson", "cookie other not sent", false, "", "the site never set other; it set sessionid"},

		{"lesson", "cookie sessionid has Secure HttpOnly SameSite=Lax Path=/ host-only persistent", true, "", "stored like that"},
		{"lesson", "cookie sessionid has secure httponly samesite=lax", true, "", "stored like that"},
		{"clear", "cookie sessionid has HttpOnly Secure", false, "", "stored without Secure"},
		{"lesson", "cookie sessionid has session", false, "", "stored without session"},
		{"policies", "cookie a has Path=/a Domain=shop.test SameSite=Strict persistent", true, "", "stored like that"},
		{"policies", "cookie a has host-only", false, "", "stored without host-only"},
		{"policies", "cookie a has Path=/", false, "", "stored without Path=/"},
		{"lesson", "cookie other has Secure", false, "", "the site never set other; it set sessionid"},

		{"lesson", "no cookie over http", true, "send-secure-over-http", "sessionid is kept back, as are all others"},
		{"clear", "no cookie over http", false, "send-ok", "sessionid is sent"},
		{"refused", "no cookie over http", false, "store-secure-over-http", "sessionid is set by the answer"},
		{"none", "no cookie", true, "", "no cookie was there to send"},
		{"lesson", "no cookie", false, "store-ok", "sessionid is set by the answer"},

		{"lesson", "http redirects to https", true, "follow-redirect", "301 to https://shop.test/"},
		{"neither", "http redirects to https", false, "", "answered with 200 over http"},
		{"twohops", "http redirects to https", false, "follow-redirect", "the first answer leads to http://www.shop.test/b"},
		{"offline", "http redirects to https", false, "connect-refused", "no answer over http"},
		{"deleted", "http redirects to https", false, "", "nothing was asked for over http"},
		{"below", "http redirects to https", true, "upgrade-hsts", "upgraded before it left"},

		{"hsts", "hsts", true, "hsts-stored", "shop.test is a known HSTS host until 2026-01-01"},
		{"hsts", "hsts at least 1h", true, "hsts-stored", "shop.test is a known HSTS host until 2026-01-01"},
		{"hsts", "hsts at least 365d", false, "hsts-stored", "shop.test is a known HSTS host for 1h0m0s"},
		{"below", "hsts", true, "", "shop.test is a known HSTS host until 2026-01-01"},
		{"lesson", "hsts", false, "", "shop.test is no known HSTS host"},
		{"offline", "hsts", false, "", "nothing was answered over https"},

		{"lesson", "rule send-secure-over-http", true, "send-secure-over-http", "send cookie sessionid"},
		{"lesson", "rule send-secure-over-http sessionid", true, "send-secure-over-http", "send cookie sessionid"},
		{"lesson", "rule send-secure-over-http other", false, "", "no verdict fell by it"},
		{"lesson", "no rule send-path", true, "", "no verdict fell by it"},
		{"lesson", "no rule note-host-only", false, "store-ok", "store cookie sessionid"},
	} {
		run, ok := all[c.run]
		if !ok {
			run = runOf(t, c.run)
			all[c.run] = run
		}
		e, err := expect.Parse(c.expectation)
		if err != nil {
			t.Error(err)
			continue
		}
		a := e.Check(&run)
		if a.Holds != c.holds || string(a.Rule) != c.rule || a.Why != c.why {
			t.Errorf("%s: %s: %+v\nwant holds %t, rule %s, %s", c.run, c.expectation, a, c.holds, c.rule, c.why)
		}
		if (a.Visit > 0) != (a.Hop > 0) || c.rule != "" && a.Visit == 0 {
			t.Errorf("%s: %s: decided by hop %d of visit %d", c.run, c.expectation, a.Hop, a.Visit)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "it begins with none of",
		"cookies":                             "it begins with none of",
		"http redirects":                      "it begins with none of",
		"cookie":                              "the name of the cookie is missing",
		"cookie a":                            "behind the name stands one of",
		"cookie a not":                        "behind the name stands one of",
		"cookie a sent over":                  "behind over stands http or https",
		"cookie a sent over tls":              "behind over stands http or https",
		"cookie a sent at":                    "a URL or a path is missing",
		"cookie a sent at shop":               `"shop" is neither a URL nor a path`,
		"cookie a sent at /x over https":      `"over" is more than there is to read`,
		"cookie a has":                        "an attribute is missing",
		"cookie a has Sequre":                 `"Sequre" is not Secure`,
		"cookie a has SameSite=Loose":         `"Loose" is not Lax`,
		"cookie a has SameSite":               `"SameSite" is not Secure`,
		"cookie a has Secure over https":      `"over" is not Secure`,
		"no cookie a":                         `"a" is more than there is to read`,
		"hsts at most 1h":                     `"at" is more than there is to read`,
		"hsts at least":                       "a duration is missing",
		"hsts at least long":                  `"long" is not a duration`,
		"hsts at least -1h":                   `"-1h" is not a duration`,
		"rule":                                "the ID of a rule is missing",
		"rule send-ok a b":                    `"b" is more than there is to read`,
		"cookie " + strings.Repeat("a", 2000): "at most 1024 bytes",
	} {
		if _, err := expect.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// example is a line of the reference: an expectation, and whether it holds for which run of this test.
var example = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (holds|does not hold) \\|")

// TestReference holds the examples of the reference to what they say of the lesson, and the reference to
// naming every form.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "expectations.md"))
	if err != nil {
		t.Fatal(err)
	}
	run := runOf(t, "lesson")
	examples := example.FindAllStringSubmatch(string(text), -1)
	for _, m := range examples {
		e, err := expect.Parse(m[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if a := e.Check(&run); a.Holds != (m[2] == "holds") {
			t.Errorf("%s: it says %q, and %+v", m[1], m[2], a)
		}
	}
	if len(examples) < len(expect.Forms()) {
		t.Errorf("%d examples for %d forms", len(examples), len(expect.Forms()))
	}
	for _, f := range expect.Forms() {
		if !strings.Contains(string(text), "| `"+f.Form+"` | "+f.Meaning+" |") {
			t.Errorf("the reference lacks: | `%s` | %s |", f.Form, f.Meaning)
		}
	}
}

func FuzzExpectation(f *testing.F) {
	for _, form := range expect.Forms() {
		f.Add(strings.NewReplacer("[WHERE]", "over https at /", "[at least DURATION]", "at least 1h", "ATTRIBUTE ...", "Path=/", "[SUBJECT]", "a").Replace(form.Form))
	}
	f.Add("cookie \x00 sent at https://[::1]:1/%zz#x")
	run := runOf(f, "policies")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := expect.Parse(text)
		if err != nil {
			return
		}
		again, err := expect.Parse(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("%q was read, and %q is %q: %v", text, e, again, err)
		}
		if a, b := e.Check(&run), again.Check(&run); a != b {
			t.Errorf("%q: %+v, and again %+v", text, a, b)
		}
		e.Check(&trace.Run{})
	})
}
