package cookie_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
)

func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"", "=", "token", "a=1; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=5; Domain=.shop.test",
		`a="1;2"; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Secure=false`, "a=1; Max-Age=+5; Max-Age=; Expires=1 Jan 1600 0:0:0; Expires=", "__Host-a=1; Domain=[::1]", "a=\xff\x01; Domain=\u212a.test",
	} {
		f.Add(line, "shop.test")
	}
	f.Fuzz(func(t *testing.T, line, host string) {
		l := cookie.Parse(line)
		if strings.ContainsAny(l.Name, ";=") || strings.Contains(l.Value, ";") {
			t.Errorf("name %q or value %q holds a separator", l.Name, l.Value)
		}
		if l.Path != "" && l.Path[0] != '/' || len(l.Path) > cookie.MaxAttribute || len(l.Domain) > cookie.MaxAttribute {
			t.Errorf("path %q, domain %q", l.Path, l.Domain)
		}
		inDialect := cookie.Dialect{SignedMaxAge: true, EarlyDates: true, LastExpiry: true}.Parse(line)
		for _, l := range []cookie.Line{l, inDialect} {
			if at, persistent := l.Expiry(now); persistent && at.After(now.Add(cookie.MaxLifetime)) || !persistent && !at.IsZero() {
				t.Errorf("expires %v, persistent %t", at, persistent)
			}
		}
		inDialect.HasMaxAge, inDialect.MaxAge, inDialect.Expires = l.HasMaxAge, l.MaxAge, l.Expires
		if a, b := show(l), show(inDialect); a != b {
			t.Errorf("a dialect of expiry reads %q as %q, not as %q", line, b, a)
		}
		for _, p := range l.Problems(host) {
			l.Explain(p, host)
		}
		again := cookie.Parse(rewrite(l))
		if l.Name == "" && strings.Contains(l.Value, "=") {
			return // what was nameless because of "=a=b" cannot be written otherwise
		}
		if got, want := show(again), show(l); got != want {
			t.Errorf("%q read again as %q:\n got %q\nwant %q", line, rewrite(l), got, want)
		}
		agreeWithNetHTTP(t, line, l)
	})
}

// rewrite writes what was understood of a line as a line.
func rewrite(l cookie.Line) string {
	text := show(l)
	if strings.HasPrefix(l.Domain, ".") || strings.TrimLeft(l.Domain, " \t") != l.Domain {
		// With a dot for the one that reading takes off, and that kept white space from being taken off.
		text = strings.Replace(text, "; Domain=", "; Domain=.", 1)
	}
	if !l.Expires.IsZero() {
		text, _, _ = strings.Cut(text, "; Expires=")
		text += "; Expires=" + l.Expires.Format(http.TimeFormat)
	}
	return text
}

// agreeWithNetHTTP compares with the reading of net/http for the lines both take: net/http refuses
// and unquotes what a browser keeps, and keeps the white space a browser removes.
func agreeWithNetHTTP(t *testing.T, line string, l cookie.Line) {
	peer, err := http.ParseSetCookie(line)
	if err != nil || peer.Quoted || len(line) > cookie.MaxAttribute || strings.ContainsFunc(line, unusual) {
		return
	}
	if strings.Trim(peer.Name, " ") != l.Name || strings.Trim(peer.Value, " ") != l.Value || peer.Secure != l.Secure || peer.HttpOnly != l.HttpOnly {
		t.Errorf("%q: net/http reads %v, this reads %s", line, peer, show(l))
	}
}

func unusual(r rune) bool { return r < 0x20 || r >= 0x7F || r == '"' }

func FuzzParseDate(f *testing.F) {
	for _, date := range []string{"Thu, 01 Jan 2026 00:00:00 GMT", "1 jan 70 1:2:3x", "31 Feb 2026 0:0:0", "Sunday, 06-Nov-94 08:49:37 GMT"} {
		f.Add(date)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := cookie.ParseDate(s)
		// A space in front changes nothing, but that the form that servers send is not recognised.
		if slow, okSlow := cookie.ParseDate(" " + s); okSlow != ok || !slow.Equal(at) {
			t.Errorf("ParseDate(%q) = %v, %t; with a space in front %v, %t", s, at, ok, slow, okSlow)
		}
		if ok && (at.Year() < 1601 || at.Year() > 9999 || at.Location() != time.UTC) {
			t.Errorf("ParseDate(%q) = %v", s, at)
		}
		if again, ok2 := cookie.ParseDate(at.Format(http.TimeFormat)); ok && (!ok2 || !again.Equal(at)) {
			t.Errorf("ParseDate(%q) = %v, and read again %v", s, at, again)
		}
		// net/http takes a sign for part of a number: it reads "+4" and "-4" as years of two digits. And it
		// keeps fractions of a second.
		signed := strings.Contains(s, "+") || strings.Contains(s, "--")
		if peer, err := http.ParseTime(s); err == nil && peer.Year() >= 1970 && strings.HasSuffix(s, "GMT") && !signed && (!ok || !peer.Truncate(time.Second).Equal(at)) {
			t.Errorf("ParseDate(%q) = %v, %t; net/http says %v", s, at, ok, peer)
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	for _, header := range []string{"", "a=1; b=2", `$Version=1; p="x; q"`, "=x;;y = z ", "\u00a0a=1"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		pairs := cookie.ParseHeader(header)
		for _, p := range pairs {
			if strings.ContainsAny(p.Name, ";=") || strings.Contains(p.Value, ";") {
				t.Errorf("%q: pair %q=%q holds a separator", header, p.Name, p.Value)
			}
		}
		ambiguous := func(p cookie.Pair) bool {
			return p.Name == "" && strings.ContainsAny(p.Value, "= \t") || p == cookie.Pair{}
		}
		if slices.ContainsFunc(pairs, ambiguous) {
			return
		}
		if again := cookie.ParseHeader(cookie.FormatHeader(pairs)); !reflect.DeepEqual(again, pairs) {
			t.Errorf("%q: read again %#v, want %#v", header, again, pairs)
		}
	})
}
