package site_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/oracle"
	"github.com/lockstep-http/lockstep/internal/site"
)

var safeNexts = []string{"/", "/account", "/account?tab=1&x=//evil.example/", "/a/../b", "/%2F%2Fevil.example", "/a:b", "/a@b", "/?next=https://evil.example/", "/#top"}

var unsafeNexts = []string{
	"", "account", "//evil.example", "///evil.example", "////evil.example/", `/\evil.example`, `\\evil.example`, `\/evil.example`, `/\/evil.example`,
	"https:evil.example", "https:/evil.example", "https://evil.example", "http:///evil.example", "https://app.example@evil.example", "//app.example@evil.example",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "\t//evil.example", "/\t/evil.example", "/\n/evil.example", "/\r\nLocation: x", "\x08//evil.example", "/\x00", " //evil.example",
	"/ //evil.example", "%09//evil.example", "/\u2028/evil.example", "/\u00a0/evil.example", "/\xff", "/%zz", "https://", "mailto:a@b", "/" + strings.Repeat("a", 1000), "//", "/%", "?next=1", "#",
}

func TestSafeNext(t *testing.T) {
	for _, next := range safeNexts {
		if got := site.SafeNext(next, "/fallback"); got != next {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	for _, next := range unsafeNexts {
		if got := site.SafeNext(next, "/fallback"); got != "/fallback" {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}

// Whatever passes here passes a real Django as well, which knows more ways around.
func TestSafeNextIsStricterThanDjango(t *testing.T) {
	type question struct {
		Op    string   `json:"op"`
		URL   string   `json:"url"`
		Hosts []string `json:"hosts"`
		HTTPS bool     `json:"https"`
	}
	questions := make([]question, 0, len(safeNexts))
	for _, next := range safeNexts {
		questions = append(questions, question{"safe_url", next, []string{"localhost:8443"}, true})
	}
	answers := oracle.Ask[struct{ Result bool }](t, questions)
	for i, a := range answers {
		if !a.Result {
			t.Errorf("Django refuses %q", questions[i].URL)
		}
	}
}

// What passes leads a browser to the site it is on.
func FuzzSafeNext(f *testing.F) {
	for _, next := range append(safeNexts, unsafeNexts...) {
		f.Add(next)
	}
	base, _ := url.Parse("https://localhost:8443/login")
	f.Fuzz(func(t *testing.T, next string) {
		got := site.SafeNext(next, "/fallback")
		// As a browser reads an address: without tabs and line ends, "\" for "/".
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(got, func(r rune) bool { return r <= ' ' }))
		to, err := base.Parse(read)
		if err != nil || to.Scheme != "https" || to.Host != base.Host || to.User != nil {
			t.Errorf("%q leads to %v, %v", next, to, err)
		}
	})
}
