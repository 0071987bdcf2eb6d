package browser_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
)

type hstsHeaderCase struct {
	ID                string
	Header            string
	Valid             bool
	MaxAge            int64 `json:"max_age"`
	ChromiumMaxAge    int64 `json:"chromium_capped_max_age"`
	IncludeSubDomains bool  `json:"include_subdomains"`
}

// differs asks the parser, and then the store, which holds the lifetime down as Chromium does, and says
// what is not as the case has it.
func (c hstsHeaderCase) differs() (how string, yes bool) {
	policy, token, ok := browser.ParseHSTS(c.Header)
	var b browser.Browser
	v := b.StoreHSTS(hstsURL, []string{c.Header}, true, hstsStart, nil)
	known := b.KnownHSTSHosts(hstsStart)
	read := browser.HSTSPolicy{MaxAge: min(time.Duration(c.MaxAge), longest) * time.Second, IncludeSubDomains: c.IncludeSubDomains}
	want := browser.HSTSHost{Host: "shop.test", IncludeSubDomains: c.IncludeSubDomains, Expiry: hstsStart.Add(time.Duration(c.ChromiumMaxAge) * time.Second)}
	switch {
	case ok != c.Valid:
		return fmt.Sprintf("valid %v, token %q", ok, token), true
	case !ok && token == "" && strings.Trim(c.Header, " ;") != "":
		return "no token is named", true
	case !ok:
		return string(v.Rule), v.Rule != "hsts-syntax"
	case policy != read:
		return fmt.Sprintf("%+v, want %+v", policy, read), true
	case c.MaxAge == 0:
		return fmt.Sprintf("%s, known %v", v.Rule, known), v.Rule != "hsts-removed" || len(known) != 0
	}
	return fmt.Sprintf("known %v, want %v", known, want), len(known) != 1 || known[0] != want
}

var hstsURL = &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}

// longest is how many seconds a time.Duration can hold.
const longest = time.Duration(1<<63-1) / time.Second

func TestParseHSTS(t *testing.T) {
	for _, c := range []struct {
		field  string
		policy browser.HSTSPolicy
		token  string // "" when the field is fine
	}{
		{field: "max-age=60; includeSubDomains; preload", policy: browser.HSTSPolicy{MaxAge: time.Minute, IncludeSubDomains: true, Preload: true}},
		{field: "max-age=60;\tPreload\t", policy: browser.HSTSPolicy{MaxAge: time.Minute, Preload: true}},
		{field: `max-age="\6\0"`, policy: browser.HSTSPolicy{MaxAge: time.Minute}},
		{field: `max-age=60; x="a\"b;c"; y=z`, policy: browser.HSTSPolicy{MaxAge: time.Minute}},
		{field: "max-age=60; x; x", policy: browser.HSTSPolicy{MaxAge: time.Minute}},
		{field: "max-age=007", policy: browser.HSTSPolicy{MaxAge: 7 * time.Second}},
		{field: "max-age=9223372037", policy: browser.HSTSPolicy{MaxAge: longest * time.Second}},
		{field: "", token: "max-age"},
		{field: "includeSubDomains", token: "max-age"},
		{field: "31536000; includeSubDomains", token: "max-age"},
		{field: "max-age=60, includeSubDomains", token: "max-age=60, includeSubDomains"},
		{field: "max-age=60; includeSubDomains=1; x", token: "includeSubDomains=1"},
		{field: "max-age=60; max-age=60; x", token: "max-age=60"},
		{field: "max-age = -1 ; x", token: "max-age = -1"},
		{field: `max-age=60; x="a; b`, token: `x="a; b`},
		{field: "max-age=\"60\" s; x", token: "max-age=\"60\" s"},
		{field: "max-age:60; x", token: "max-age:60"},
		{field: "max-age=６０", token: "max-age=６０"},
		{field: "max-age=60\x00", token: "max-age=60\x00"},
	} {
		policy, token, ok := browser.ParseHSTS(c.field)
		if policy != c.policy || token != c.token || ok != (c.token == "") {
			t.Errorf("ParseHSTS(%q) = %+v, %q, %v; want %+v, %q", c.field, policy, token, ok, c.policy, c.token)
		}
	}
	if _, token, ok := browser.ParseHSTS("max-age=60" + strings.Repeat(";", browser.MaxHSTSField)); ok || len(token) > 2000 {
		t.Errorf("a line that is too long: token of %d octets, ok %v", len(token), ok)
	}
}

func FuzzParseHSTS(f *testing.F) {
	for _, seed := range []string{
		"max-age=31536000; includeSubDomains; preload", `max-age="1"`, `x="a\";b"; max-age=0`, "max-age=1;=", ";;", "max-age=1 includeSubDomains",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		policy, token, ok := browser.ParseHSTS(field)
		switch {
		case !ok && policy != browser.HSTSPolicy{}:
			t.Errorf("%q is refused, and is %+v", field, policy)
		case !ok && token != "max-age" && !strings.Contains(field, token):
			t.Errorf("%q is spoilt by %q, which is not in it", field, token)
		case ok && token != "":
			t.Errorf("%q is fine, and spoilt by %q", field, token)
		case ok && (policy.MaxAge < 0 || policy.MaxAge%time.Second != 0):
			t.Errorf("%q: max-age %v", field, policy.MaxAge)
		}
		// What is read is a set of directives, so more of them in another order change nothing.
		again, _, okAgain := browser.ParseHSTS("; other ;" + field + "\t;")
		if len(field)+20 < browser.MaxHSTSField && (again != policy || okAgain != ok) {
			t.Errorf("%q among others: %+v, %v; alone: %+v, %v", field, again, okAgain, policy, ok)
		}
	})
}
