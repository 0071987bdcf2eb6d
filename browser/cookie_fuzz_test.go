package browser_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// FuzzStore gives a browser two lines and asks for a header. What the verdicts say is what
// happened; only what is stored is sent, each cookie once; a refused line changes nothing.
func FuzzStore(f *testing.F) {
	f.Add("https://www.shop.test/a/b", "a=1; Secure; Domain=shop.test", "a=; Max-Age=0", "http://shop.test/a", 60)
	f.Add("http://localhost/", "__Host-a=1; Secure; Path=/", "=__Host-a", "http://app.localhost./x", 0)
	f.Add("https://[::1]:8000/", "a=1; Domain=[::1]", "a=2", "http://[::1]/", 3)
	f.Add("https://github.io/", "a=1; Domain=github.io", "token; SameSite=None", "https://me.github.io/", 1<<30)
	f.Add("https://a..test./%2F", "a=1; Domain=.test.; Path=/%2f", "\xff=\x01", "ws://a..test./", -1)
	f.Fuzz(func(t *testing.T, from, line1, line2, to string, seconds int) {
		set, err1 := url.Parse(from)
		get, err2 := url.Parse(to)
		if err1 != nil || err2 != nil {
			t.Skip()
		}
		var b browser.Browser
		for _, line := range []string{line1, line2} {
			storeChecked(t, &b, browser.Request{URL: set}, line)
		}
		later := start.Add(time.Duration(seconds%(1<<20)) * time.Second)
		stored := b.Cookies(later)
		var sent []string
		rec := rule.NewRecorder(func(v rule.Verdict) {
			if v.Yes != (v.Rule == "send-ok") || v.Rule == "" || len(v.Facts) == 0 {
				t.Errorf("odd verdict %v", v)
			}
			if v.Yes {
				sent = append(sent, v.Subject)
			}
		})
		header := b.CookieHeader(browser.Request{URL: get}, later, rec)
		pairs := cookie.ParseHeader(header)
		if len(sent) > len(stored) || len(pairs) > len(sent) {
			t.Errorf("%q: %d pairs for the %d verdicts %q, and %d are stored", header, len(pairs), len(sent), sent, len(stored))
		}
		for _, c := range stored {
			header = strings.Replace(header, cookie.FormatHeader([]cookie.Pair{{Name: c.Name(), Value: c.Value()}}), "", 1)
		}
		if rest := strings.Trim(header, "; "); rest != "" && len(sent) == len(stored) {
			t.Errorf("%q was sent and is not stored", rest)
		}
		if got := b.CookieHeader(browser.Request{URL: get}, later, nil); len(cookie.ParseHeader(got)) != len(pairs) {
			t.Errorf("asked again, %q goes", got)
		}
	})
}

// storeChecked stores a line and checks the verdict against what is stored afterwards.
func storeChecked(t *testing.T, b *browser.Browser, req browser.Request, line string) {
	t.Helper()
	before := b.Cookies(start)
	v := b.StoreCookie(req, line, start, nil)
	after := b.Cookies(start)
	if watched := b.StoreCookie(req, line, start, rule.NewRecorder(func(rule.Verdict) {})); !v.Yes && watched.Rule != v.Rule {
		t.Errorf("%q is refused by %s, and watched by %s", line, v.Rule, watched.Rule)
	}
	switch v.Rule {
	case "store-ok":
		checkStored(t, after[len(after)-1], line)
		if len(after) != len(before)+1 {
			t.Errorf("%q: %d cookies, and %d before", line, len(after), len(before))
		}
	case "store-replaced":
		if len(after) != len(before) {
			t.Errorf("%q: %d cookies, and %d before", line, len(after), len(before))
		}
	case "store-deleted":
		if len(after) != len(before)-1 {
			t.Errorf("%q: %d cookies, and %d before", line, len(after), len(before))
		}
	default:
		if v.Yes || !slices.Equal(before, after) {
			t.Errorf("%q: %s changed what is stored", line, v.Rule)
		}
	}
}

// checkStored checks a cookie that was stored from a line against the line.
func checkStored(t *testing.T, c browser.Cookie, line string) {
	t.Helper()
	l := cookie.Parse(line)
	if c.Name() != l.Name || c.Value() != l.Value || c.Secure() != l.Secure || c.HttpOnly() != l.HttpOnly || c.SameSite() != l.SameSite {
		t.Errorf("%q is stored as %v", line, c)
	}
	if len(c.Name())+len(c.Value()) > cookie.MaxPair || c.Path() == "" || c.Path()[0] != '/' || c.Domain() == "" {
		t.Errorf("%q is stored as %v", line, c)
	}
	if c.Persistent() && c.Expires().After(start.Add(cookie.MaxLifetime)) {
		t.Errorf("%q is stored until %v", line, c.Expires())
	}
	if problems := l.Problems(c.Domain()); c.HostOnly() && len(problems) > 0 {
		t.Errorf("%q is stored in spite of %v", line, problems)
	}
}

// FuzzProfiles gives every browser a line and asks it for a header and a script for its cookies, from a
// page in frames of others. Whatever comes, a refused line changes nothing, nothing hidden is read, and
// what a script sees is sent too.
func FuzzProfiles(f *testing.F) {
	f.Add("https://shop.test/a", "https://news.test/", "a=1; Secure; SameSite=None; Partitioned", "iframe", uint8(1), false)
	f.Add("http://localhost/", "http://localhost:8000/", "__Http-a=1; HttpOnly; Secure", "fetch", uint8(2), true)
	f.Add("https://xn--lve-6lad.test/", "file:///a", "=a=\xff\t; Domain=\u00e9l\u00e8ve.test", "image", uint8(3), false)
	f.Add("https://shop.test/", "https://shop.test/", "foo", "navigate", uint8(0), true)
	f.Fuzz(func(t *testing.T, address, page, line, as string, frames uint8, byScript bool) {
		u, err1 := url.Parse(address)
		from, err2 := url.Parse(page)
		if err1 != nil || err2 != nil {
			t.Skip()
		}
		kind, _ := browser.ParseDestination(as)
		asker := &browser.Document{URL: from}
		own := &browser.Document{URL: u}
		for range frames % 4 {
			asker, own = &browser.Document{URL: u, Parent: asker}, &browser.Document{URL: u, Parent: own}
		}
		for _, p := range browser.Profiles() {
			b := browser.Browser{Profile: p}
			req := browser.Request{URL: u, Initiator: asker, As: kind}
			var v rule.Verdict
			if byScript {
				v = b.StoreScriptCookie(own, line, start, nil)
			} else {
				v = b.StoreCookie(req, line, start, nil)
			}
			if stored := b.Cookies(start); v.Rule == "store-ok" && len(stored) != 1 {
				t.Errorf("%s: %q: %s, and %d are stored", p, line, v.Rule, len(stored))
			}
			read := cookie.ParseHeader(b.ScriptCookies(own, start, nil))
			all := b.Cookies(start)
			if len(read) > len(all) || len(read) > 0 && all[0].HttpOnly() {
				t.Errorf("%s: a script reads %q of %v", p, read, all)
			}
			b.ClearSiteData(req, []string{line}, start, nil)
			b.CookieHeader(req, start, rule.NewRecorder(func(v rule.Verdict) {
				if v.Rule == "" || v.Yes != (v.Rule == "send-ok") {
					t.Errorf("%s: odd verdict %v", p, v)
				}
			}))
		}
	})
}
