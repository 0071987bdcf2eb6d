package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/lockstep-http/lockstep/browser"
)

// A keeper keeps cookies and says which go to a URL.
type keeper struct {
	name  string
	store func(u *url.URL, line string)
	ask   func(u *url.URL) string // the header
}

// cookiesKept is the number of cookies of a site, over ten folders.
const cookiesKept = 50

// lockstepKeeper is the browser of package browser, asked at one time.
func lockstepKeeper() keeper {
	now := time.Now()
	b := &browser.Browser{MaxCookies: 200_000}
	return keeper{
		lockstepName,
		func(u *url.URL, line string) { b.StoreCookie(browser.Request{URL: u}, line, now, nil) },
		func(u *url.URL) string { return b.CookieHeader(browser.Request{URL: u}, now, nil) },
	}
}

// stdKeeper is the cookie jar of the standard library, whose answer is put into a header as a client
// does.
func stdKeeper(tb testing.TB) keeper {
	tb.Helper()
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		tb.Fatal(err)
	}
	return keeper{
		"net/http/cookiejar",
		func(u *url.URL, line string) {
			c, err := http.ParseSetCookie(line)
			if err != nil {
				tb.Fatal(err)
			}
			jar.SetCookies(u, []*http.Cookie{c})
		},
		func(u *url.URL) string {
			var header strings.Builder
			for _, c := range jar.Cookies(u) {
				if header.Len() > 0 {
					header.WriteString("; ")
				}
				header.WriteString(c.Name)
				header.WriteByte('=')
				header.WriteString(c.Value)
			}
			return header.String()
		},
	}
}

// fill stores cookies of so many sites, and returns a URL to which ten cookies go.
func (k keeper) fill(tb testing.TB, sites int) *url.URL {
	tb.Helper()
	var u *url.URL
	for site := range sites {
		var err error
		if u, err = url.Parse(fmt.Sprintf("https://www.shop%d.test/folder3/page", site)); err != nil {
			tb.Fatal(err)
		}
		for i := range cookiesKept {
			path := "/"
			if i%10 > 0 {
				path = fmt.Sprintf("/folder%d", i%10)
			}
			k.store(u, fmt.Sprintf("cookie%d=%024d; Secure; Max-Age=86400; Path=%s", i, i, path))
		}
	}
	return u
}

// Both send the same cookies.
func TestKeepersAgree(t *testing.T) {
	var answers [][]string
	for _, k := range []keeper{lockstepKeeper(), stdKeeper(t)} {
		pairs := strings.Split(k.ask(k.fill(t, 3)), "; ")
		if len(pairs) != 10 {
			t.Errorf("%s sends %d cookies: %q", k.name, len(pairs), pairs)
		}
		slices.Sort(pairs)
		answers = append(answers, pairs)
	}
	if !slices.Equal(answers[0], answers[1]) {
		t.Errorf("%q and %q", answers[0], answers[1])
	}
}

// Which cookies go to a URL, of a site that has 50: with nothing else stored, and with 100,000 cookies in
// all. The time that counts is cpu-ns/op, which other programs on the machine do not change much.
func BenchmarkCookies(b *testing.B) {
	for _, sites := range []int{1, 2000} {
		for _, k := range []keeper{lockstepKeeper(), stdKeeper(b)} {
			b.Run(fmt.Sprintf("%d/%s", sites*cookiesKept, strings.ReplaceAll(k.name, "/", ".")), func(b *testing.B) {
				u := k.fill(b, sites)
				b.ReportAllocs()
				b.ResetTimer()
				start := cpuTime()
				for range b.N {
					if k.ask(u) == "" {
						b.Fatal("no cookie goes along")
					}
				}
				took := cpuTime() - start
				b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(b.N)/took.Seconds(), "questions/cpu-s")
			})
		}
	}
}
