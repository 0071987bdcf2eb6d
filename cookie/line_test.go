package cookie_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// show writes what a browser understands of a line, in one order.
func show(l cookie.Line) string {
	parts := []string{l.Name + "=" + l.Value}
	add := func(yes bool, text string) {
		if yes {
			parts = append(parts, text)
		}
	}
	add(l.Domain != "", "Domain="+l.Domain)
	add(l.Path != "", "Path="+l.Path)
	add(l.Secure, "Secure")
	add(l.HttpOnly, "HttpOnly")
	add(l.Partitioned, "Partitioned")
	add(l.SameSite != cookie.SameSiteDefault, "SameSite="+l.SameSite.String())
	add(l.HasMaxAge, fmt.Sprintf("Max-Age=%.0f", l.MaxAge.Seconds()))
	add(!l.Expires.IsZero(), "Expires="+l.Expires.Format(time.RFC3339))
	return strings.Join(parts, "; ")
}

func TestParse(t *testing.T) {
	long := strings.Repeat("a", cookie.MaxAttribute)
	for _, test := range []struct {
		sentence string
		line     string
		want     string
		notes    []rule.ID
	}{
		{"name and value", "a=1", "a=1", nil},
		{"spaces and tabs around both are removed", " \ta\t =\t 1 2 \t", "a=1 2", nil},
		{"only the first equals sign separates", "a=b=c", "a=b=c", nil},
		{"without an equals sign all is value", "token", "=token", []rule.ID{"note-nameless"}},
		{"nothing before the equals sign", "=a=b", "=a=b", []rule.ID{"note-nameless"}},
		{"nothing at all", "", "=", nil},
		{"quotes are ordinary bytes", `a="1 2"`, `a="1 2"`, nil},
		{"a semicolon ends the value inside quotes too", `a="1;2"`, `a="1`, []rule.ID{"note-truncated-at-semicolon", "note-attr-unknown"}},
		{"a comma is data", "a=1, b=2", "a=1, b=2", []rule.ID{"note-comma-in-value"}},
		{"percent sequences are not decoded", "a%3D=%31", "a%3D=%31", nil},
		{"bytes that are not UTF-8 stay", "a=\xff\xfe", "a=\xff\xfe", nil},
		{"empty attributes are nothing", "a=1;; ;", "a=1", nil},
		{"attribute names have no case", "a=1; pAtH=/x; SECURE; httponly", "a=1; Path=/x; Secure; HttpOnly", nil},
		{"a letter that folds into ASCII is another one", "a=1; \u017fecure", "a=1", []rule.ID{"note-attr-unknown"}},
		{"a flag is on whatever its value", "a=1; Secure=false; HttpOnly=0", "a=1; Secure; HttpOnly", []rule.ID{"note-secure-with-value"}},
		{"two words are one unknown attribute", "a=1; Secure HttpOnly", "a=1", []rule.ID{"note-attr-unknown"}},
		{"the last Domain counts", "a=1; Domain=a.test; Domain=B.Test", "a=1; Domain=b.test", nil},
		{"an empty Domain takes an earlier one away", "a=1; Domain=a.test; Domain=", "a=1", nil},
		{"one leading dot is removed", "a=1; Domain=.a.test", "a=1; Domain=a.test", []rule.ID{"note-leading-dot"}},
		{"and not a second one", "a=1; Domain=..a.test", "a=1; Domain=.a.test", []rule.ID{"note-leading-dot"}},
		{"a dot alone stays", "a=1; Domain=.", "a=1; Domain=.", nil},
		{"an IPv6 address in brackets", "a=1; Domain=[::1]", "a=1; Domain=::1", nil},
		{"only ASCII letters get lower case", "a=1; Domain=\u212aA.test", "a=1; Domain=\u212aa.test", nil},
		{"the last Path counts", "a=1; Path=/x; Path=/y", "a=1; Path=/y", nil},
		{"a Path that is not valid takes an earlier one away", "a=1; Path=/x; Path=y", "a=1", []rule.ID{"note-path-invalid"}},
		{"a Path in quotes does not begin with a slash", `a=1; Path="/"`, "a=1", []rule.ID{"note-path-invalid"}},
		{"SameSite has no case", "a=1; samesite=sTrict", "a=1; SameSite=Strict", nil},
		{"the last SameSite counts", "a=1; SameSite=None; SameSite=Lax", "a=1; SameSite=Lax", nil},
		{"an unknown SameSite is Default", "a=1; SameSite=Lax; SameSite=Odd", "a=1", []rule.ID{"note-samesite-unknown"}},
		{"Partitioned is read", "a=1; Secure; Partitioned", "a=1; Secure; Partitioned", nil},
		{"Max-Age in seconds", "a=1; Max-Age=60", "a=1; Max-Age=60", nil},
		{"a negative Max-Age is zero", "a=1; Max-Age=-1", "a=1; Max-Age=0", nil},
		{"a very negative Max-Age too", "a=1; Max-Age=-99999999999999999999999", "a=1; Max-Age=0", nil},
		{"a huge Max-Age is all there is", "a=1; Max-Age=99999999999999999999999", "a=1; Max-Age=9223372036", nil},
		{"a Max-Age that is no whole number is none", "a=1; Max-Age=1.5", "a=1", []rule.ID{"note-max-age-invalid"}},
		{"nor is a plus sign", "a=1; Max-Age=+1", "a=1", []rule.ID{"note-max-age-invalid"}},
		{"nor a minus sign alone", "a=1; Max-Age=-", "a=1", []rule.ID{"note-max-age-invalid"}},
		{"the last valid Max-Age counts", "a=1; Max-Age=5; Max-Age=x", "a=1; Max-Age=5", []rule.ID{"note-max-age-invalid"}},
		{"the last valid Expires counts", "a=1; Expires=Thu, 01 Jan 2026 00:00:05 GMT; Expires=soon", "a=1; Expires=2026-01-01T00:00:05Z", []rule.ID{"note-expires-unparsable"}},
		{"both is noted", "a=1; Max-Age=5; Expires=Thu, 01 Jan 2026 00:00:05 GMT", "a=1; Max-Age=5; Expires=2026-01-01T00:00:05Z", []rule.ID{"note-max-age-wins"}},
		{"1024 octets of an attribute are kept", "a=1; Domain=" + long, "a=1; Domain=" + long, nil},
		{"1025 are not", "a=1; Domain=" + long + "a", "a=1", []rule.ID{"note-attr-too-long"}},
	} {
		l := cookie.Parse(test.line)
		if got := show(l); got != test.want {
			t.Errorf("%s: Parse(%q)\n got %q\nwant %q", test.sentence, test.line, got, test.want)
		}
		if !slices.Equal(l.Notes, test.notes) {
			t.Errorf("%s: Parse(%q) notes %q, want %q", test.sentence, test.line, l.Notes, test.notes)
		}
	}
}

func TestAttributesAsWritten(t *testing.T) {
	l := cookie.Parse("a=1; Path = /x ; path=/y; Max-Age=5; Expires=Thu, 01 Jan 2026 00:00:05 GMT; Expires=0; Priority=High; Secure; Secure")
	want := []cookie.Attribute{
		{Name: "Path", Value: "/x", Effect: cookie.Overridden},
		{Name: "path", Value: "/y", Effect: cookie.Applied},
		{Name: "Max-Age", Value: "5", Effect: cookie.Applied},
		{Name: "Expires", Value: "Thu, 01 Jan 2026 00:00:05 GMT", Effect: cookie.Overridden, Note: "note-max-age-wins"},
		{Name: "Expires", Value: "0", Effect: cookie.Ignored, Note: "note-expires-unparsable"},
		{Name: "Priority", Value: "High", Effect: cookie.Ignored, Note: "note-attr-unknown"},
		{Name: "Secure", Effect: cookie.Applied},
		{Name: "Secure", Effect: cookie.Applied},
	}
	if !slices.Equal(l.Attributes, want) {
		t.Errorf("got %+v\nwant %+v", l.Attributes, want)
	}
}

func TestManyAttributes(t *testing.T) {
	l := cookie.Parse("a=1; Path=/x" + strings.Repeat("; x", 2*cookie.MaxAttributes) + "; Path=/y; Secure")
	if len(l.Attributes) != cookie.MaxAttributes {
		t.Errorf("%d attributes are listed, want %d", len(l.Attributes), cookie.MaxAttributes)
	}
	if !l.Secure || l.Path != "/y" || l.Attributes[0].Effect != cookie.Overridden {
		t.Errorf("the attributes after those that are listed do not count: %s", show(l))
	}
}

func TestExpiry(t *testing.T) {
	capped := now.Add(cookie.MaxLifetime)
	for _, test := range []struct {
		line       string
		at         time.Time
		persistent bool
		capped     bool
	}{
		{"a=1", time.Time{}, false, false},
		{"a=1; Max-Age=60", now.Add(time.Minute), true, false},
		{"a=1; Max-Age=0", time.Unix(0, 0).UTC(), true, false},
		{"a=1; Max-Age=34560000", capped, true, false},
		{"a=1; Max-Age=34560001", capped, true, true},
		{"a=1; Max-Age=99999999999999999999", capped, true, true},
		{"a=1; Expires=Thu, 01 Jan 2026 00:01:00 GMT", now.Add(time.Minute), true, false},
		{"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", time.Unix(0, 0).UTC(), true, false},
		{"a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", capped, true, true},
		{"a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Max-Age=60", now.Add(time.Minute), true, false},
		{"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", now.Add(time.Minute), true, false},
		{"a=1; Expires=0", time.Time{}, false, false},
	} {
		l := cookie.Parse(test.line)
		at, persistent := l.Expiry(now)
		if !at.Equal(test.at) || persistent != test.persistent {
			t.Errorf("%q: Expiry = %v, %t; want %v, %t", test.line, at, persistent, test.at, test.persistent)
		}
		if got := slices.Contains(l.NotesAt(now), "note-lifetime-capped"); got != test.capped {
			t.Errorf("%q: lifetime capped is %t, want %t", test.line, got, test.capped)
		}
	}
}

func TestLineHidesValue(t *testing.T) {
	l := cookie.Parse("id=s3cret; Path=/; Secure; Odd=1")
	for _, got := range []string{l.String(), fmt.Sprint(l), fmt.Sprintf("%+v", l), cookie.Pair{Name: "id", Value: "s3cret"}.String()} {
		if strings.Contains(got, "s3cret") {
			t.Errorf("the value shows in %q", got)
		}
	}
	if got, want := l.String(), "id=…; Path=/; Secure"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
