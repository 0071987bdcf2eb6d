package scenario_test

import (
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"fly http://shop.test/":           `line 1: no command "fly": there are set, on,`,
		"\n# a comment\nvisit shop.test":  "line 3",
		"visit get http://shop.test/":     "want [METHOD] URL",
		"set SECURE_SSL_REDIRECT":         "want NAME=VALUE",
		"on a app plain":                  "begins with /",
		"on /a app nonsense":              `no app "nonsense"`,
		"on /a app cookie a=1 Sequre":     `no attribute "Sequre"`,
		"on /a send nothing":              "want HEADER: VALUE",
		`on /a send X: \q`:                "escapes",
		"on /a status 99":                 "status from 200 to 599",
		"on /a dance":                     "want app, send, status or meanwhile",
		"on /a meanwhile b":               "begins with /",
		"forge shop.test a: b":            "want URL HEADER",
		"forge http://shop.test/ a":       "want HEADER",
		"network slow":                    "certificate-expired",
		"store broken":                    "want ok or failed",
		"wait a while":                    "not a duration",
		"wait -1s":                        "not a duration",
		"expect":                          "want RULE [SUBJECT]",
		"expect send-okay":                `no rule "send-okay"`,
		"foreign country":                 "want nothing",
		"lesson shop.test":                "want a URL",
		strings.Repeat("foreign\n", 1001): "more than 1000 commands",
		"#" + strings.Repeat("x", 64<<10): "are more than",
		"header X-Forwarded-Proto":        "want HEADER: VALUE",
		"from evil.test":                  "want URL [POLICY]",
		"login https://shop.test/ me":     "want URL USER PASSWORD",
		"login /a me secret":              "want URL USER PASSWORD",
		"from https://evil.test/ never":   `no referrer policy "never"`,
		"post shop.test":                  "want URL [NAME=VALUE ...]",
		"post https://shop.test/ a":       `want NAME=VALUE, not "a"`,
		"submit a":                        `want NAME=VALUE, not "a"`,
		`submit a=\q`:                     "want NAME=VALUE",
		"top news":                        "want a URL",
		"load image":                      "want KIND [METHOD] URL",
		"load image shop.test":            "want KIND [METHOD] URL",
		"load form https://shop.test/":    `no kind "form"`,
		"load fetch https://a.test/ all":  `no credentials mode "all"`,
		"script":                          "want get, or set LINE",
		"script set":                      "want get, or set LINE",
		"script get a":                    "want get, or set LINE",
		`script set \q`:                   "escapes",
		"preload":                         "want a host",
		"profile netscape":                "there are rfc6265bis, chromium, firefox, curl",
		"profile firefox ignored":         `no policy "ignored"`,
	} {
		if _, err := scenario.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// TestRunRefuses is about what only running can find.
func TestRunRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"set NONSENSE=1\nvisit http://shop.test/":                  "line 1",
		"set SESSION_COOKIE_SAMESITE='x'\nvisit http://shop.test/": "SESSION_COOKIE_SAMESITE",
		"wait 1s":                              "visits nothing",
		"visit ftp://shop.test/":               "line 1",
		"visit http://shop.test:99999/x":       "line 1",
		"submit a=1":                           "no page was visited",
		"top https://news.test/":               "no from names",
		"load image https://shop.test/":        "no from names",
		"script get":                           "no page was visited",
		"visit https://shop.test/\nsubmit a=1": "has 0 such forms",
		"on /a app html <form method=post><input name=a></form>\nvisit https://shop.test/a\nsubmit b=1":    `no field "b"`,
		"on /a app html <form action=/x></form><form action=/y></form>\nvisit https://shop.test/a\nsubmit": "has 2 such forms",
		"on /a app html <form><input type=password name=p></form>\nvisit https://shop.test/a\nsubmit p=1":  "put the password into the URL",
		"on /a app html <form action=javascript:x></form>\nvisit https://shop.test/a\nsubmit":              "reading the action",
		"visit https://shop.test/\nnetwork refused\nvisit https://shop.test/\nsubmit":                      "no page was visited",
	} {
		s, err := scenario.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, err := s.Do(t.Context(), scenario.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestExpectations holds that an expectation can fail, and is told with its line.
func TestExpectations(t *testing.T) {
	s, err := scenario.Parse("visit http://shop.test/\nexpect redirect-to-https\nexpect send-ok sessionid\nvisit https://shop.test/\nexpect send-ok sessionid\nexpect send-ok other\n")
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Do(t.Context(), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var missed []int
	for _, e := range result.Missed {
		missed = append(missed, e.Line)
	}
	if len(missed) != 2 || missed[0] != 3 || missed[1] != 6 {
		t.Errorf("missed %v, want lines 3 and 6", result.Missed)
	}
}

// TestForms holds what submit and post send, and where from: an echo in the site tells.
func TestForms(t *testing.T) {
	for text, want := range map[string]string{
		"visit https://shop.test/a\nsubmit /x user=me":                                  "POST /x https://shop.test https://shop.test/a same-origin user=me&token=t",
		"visit https://shop.test/a\nsubmit /x token=forged":                             "POST /x https://shop.test https://shop.test/a same-origin user=&token=forged",
		`visit https://shop.test/a` + "\n" + `submit /x user=a\x20b\u00e9`:              "POST /x https://shop.test https://shop.test/a same-origin user=a+b%C3%A9&token=t",
		"visit https://shop.test/a\nsubmit /y q=1":                                      "GET /y?q=1  https://shop.test/a same-origin ",
		"from https://evil.test/p\npost https://shop.test/x a=1 b=2":                    "POST /x https://evil.test https://evil.test/ cross-site a=1&b=2",
		"from https://shop.test/p no-referrer\npost https://shop.test/x a=1":            "POST /x null  same-origin a=1",
		"from https://evil.test/p\nheader Origin: x\npost https://shop.test/x":          "POST /x x https://evil.test/ cross-site ",
		"from https://evil.test/p\nvisit https://shop.test/\nvisit https://shop.test/x": "GET /x   none ",
		"post https://shop.test/x a=1":                                                  "POST /x   none a=1",
	} {
		s, err := scenario.Parse("set SECURE_REFERRER_POLICY=None\nset INSECURE_CSRF_EXEMPT=['/x']\non /a app html <form method=post action=/x><input name=user><input type=hidden name=token value=t></form><form action=/y><input name=q></form>\non /x app echo\non /y app echo\n" + text)
		if err != nil {
			t.Fatal(err)
		}
		result, err := s.Do(t.Context(), scenario.Options{})
		if err != nil {
			t.Fatal(err)
		}
		last := result.Run.Visits[len(result.Run.Visits)-1].Last()
		if got := last.Response.Text; got != want {
			t.Errorf("%q:\n got %q\nwant %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(scenario.Lesson)
	f.Add("on /a send Set-Cookie: a=\\x01\nheader Host: evil.test\nwait 400d\nnetwork refused\nstore failed\nforeign\nexpect send-ok a\n")
	f.Add("from https://evil.test/ no-referrer\npost https://shop.test/ a=\\x20\nsubmit /x b=1\n")
	f.Add("# Why?\n#\n# So.\n#\n# Profiles: chromium, curl\n\nvisit https://shop.test/\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenario.Parse(text)
		if err != nil {
			return
		}
		if q, err := s.Question(); err == nil && (q.Text == "" || q.Answer == "") {
			t.Errorf("a question without a text or an answer: %+v", q)
		}
	})
}

// TestLessonUnderSettings runs the lesson under settings and holds what must be true of its rows,
// whatever the settings are: the table is read from the run, so each cell has to agree with the
// verdict that is behind it.
func TestLessonUnderSettings(t *testing.T) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	const (
		notOverHTTP = "no: a Secure cookie is not sent over a connection that is not secure"
		notPath     = "no: the path of the request is neither the Path of the cookie nor under it; case counts"
	)
	type want struct{ result1, sent2, result3, sent4, sent5 string }
	for _, c := range []struct {
		name string
		set  string
		want want
	}{
		{"the lesson", "", want{"301 to https://shop.test/", "no (first request)", "the browser stores it", "yes: sessionid", notOverHTTP}},
		{"not Secure", "set SESSION_COOKIE_SECURE=False", want{"301 to https://shop.test/", "no (first request)", "the browser stores it", "yes: sessionid", "yes: sessionid"}},
		{"no redirect", "set SECURE_SSL_REDIRECT=False", want{"200, processed (visit 1); sets sessionid: the browser refuses it: a cookie with Secure is refused when it comes over a connection that is not secure", "no (first request)", "the browser stores it", "yes: sessionid", notOverHTTP}},
		{"neither", "set SECURE_SSL_REDIRECT=False\nset SESSION_COOKIE_SECURE=False", want{"200, processed (visit 1); sets sessionid in clear: the browser stores it", "yes: sessionid", "the browser stores it", "yes: sessionid", "yes: sessionid"}},
		{"another path", "set SESSION_COOKIE_PATH='/other'", want{"301 to https://shop.test/", "no (first request)", "the browser stores it", notPath, notPath}},
		{"a foreign domain", "set SESSION_COOKIE_DOMAIN='other.test'", want{"301 to https://shop.test/", "no (first request)", "the browser refuses it: a Domain that is neither the host nor a domain the host is under is refused", "no (none stored)", "no (none stored)"}},
		{"HSTS", "set SECURE_HSTS_SECONDS=60", want{"301 to https://shop.test/", "no (first request)", "the browser stores it", "yes: sessionid", "yes: sessionid"}},
		{"another host", "set SECURE_SSL_HOST='www.shop.test'", want{"301 to https://www.shop.test/", "no (first request)", "the browser stores it", "no (none stored)", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := scenario.Parse(c.set + "\nlesson http://shop.test/")
			if err != nil {
				t.Fatal(err)
			}
			result, err := s.Do(t.Context(), scenario.Options{})
			if err != nil {
				t.Fatal(err)
			}
			story := trace.Tell(result.Run, "sessionid", catalogue.Lookup)
			st := story.Steps
			if c.name == "another host" { // what the browser does there is not the lesson's affair
				c.want.sent4, c.want.sent5 = st[3].Sent, st[4].Sent
			}
			got := want{st[0].Result, st[1].Sent, st[2].Result, st[3].Sent, st[4].Sent}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			for _, step := range st {
				for _, p := range step.Parts {
					checkDeclared(t, catalogue, p.Verdict)
				}
			}
		})
	}
}

// checkDeclared holds that every rule that a verdict names is in the catalogue.
func checkDeclared(t *testing.T, c *scenario.Catalogue, v rule.Verdict) {
	t.Helper()
	for _, id := range append(append([]rule.ID{v.Rule}, v.Also...), v.Notes...) {
		if _, ok := c.Lookup(id); !ok && id != "" {
			t.Errorf("%s %s names the rule %q, which no package declares", v.Question, v.Subject, id)
		}
	}
}

// TestProxy holds what a site sees behind a proxy: the scheme is what the header says, and without
// the setting every request is plain HTTP, which ends in a page that says so.
func TestProxy(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"set TRUSTED_PROXIES=['127.0.0.1']\nset SECURE_PROXY_SSL_HEADER=('HTTP_X_FORWARDED_PROTO', 'https')\nproxy X-Forwarded-Proto\nvisit http://shop.test/", "secure-proxy-header"},
		{"set TRUSTED_PROXIES=['127.0.0.1']\nset SECURE_PROXY_SSL_HEADER=('HTTP_X_FORWARDED_SSL', 'on')\nproxy X-Forwarded-Ssl off on\nvisit http://shop.test/", "secure-proxy-header"},
		{"proxy X-Forwarded-Proto\nvisit http://shop.test/", "redirect-loop-forwarded"},
	} {
		s, err := scenario.Parse(c.text + "\nexpect " + c.want)
		if err != nil {
			t.Fatal(err)
		}
		result, err := s.Do(t.Context(), scenario.Options{})
		if err != nil || len(result.Missed) > 0 {
			t.Errorf("%s\nmissed %v, %v: %+v", c.text, result.Missed, err, result.Run)
		}
	}
	if _, err := scenario.Parse("proxy X-Forwarded-Proto https"); err == nil {
		t.Error("a proxy with one word was taken")
	}
}

// TestPassOver holds that a step for which a form or a cookie is not there is told and passed over when
// that is asked for, and is an error else.
func TestPassOver(t *testing.T) {
	s, err := scenario.Parse("as thief\nsteal\nas\nvisit https://shop.test/\non / app html <p>\nvisit https://shop.test/\nstep a form\nsubmit /x\nstep a visit\nvisit https://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(t.Context(), scenario.Options{}); err == nil || !strings.Contains(err.Error(), `line 2 of a scenario, "steal": the person's browser has no cookie sessionid`) {
		t.Errorf("without PassOver: %v", err)
	}
	result, err := s.Do(t.Context(), scenario.Options{PassOver: true})
	if err != nil {
		t.Fatal(err)
	}
	want := trace.Skipped{Before: 2, Title: "a form", Why: "the page https://shop.test/ has no form for /x"}
	if len(result.Skipped) != 1 || result.Skipped[0] != want {
		t.Errorf("skipped %+v, want %+v", result.Skipped, want)
	}
	if len(result.Run.Visits) != 3 || result.Run.Visits[2].Title != "a visit" {
		t.Errorf("visited %+v", result.Run.Visits)
	}
}

// TestFrames puts a page into frames of others: with each, what it needs has more cross-site documents
// around it.
func TestFrames(t *testing.T) {
	const text = `
on /a send Set-Cookie: a=1; Secure; SameSite=Lax
visit https://shop.test/a
from https://shop.test/
load image https://shop.test/a
expect store-replaced a
from https://shop.test/
top https://news.test/
load image https://shop.test/a
expect send-samesite-lax a
from https://shop.test/
top https://shop.test/
top https://news.test/
load iframe https://shop.test/a
script set b=1
expect store-ok b
profile firefox
from https://shop.test/
top https://news.test/
script get
expect send-other-partition b
`
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Do(t.Context(), scenario.Options{})
	if err != nil || len(result.Missed) > 0 {
		t.Errorf("%v, missed %v", err, result.Missed)
	}
}
