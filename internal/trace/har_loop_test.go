package trace_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// TestPlayHARLoops holds that redirects without an end are told of a recording as of a visit.
func TestPlayHARLoops(t *testing.T) {
	for _, c := range []struct {
		name string
		urls []string // each redirects to the next, again and again
		set  string   // by the first
		sent bool     // whether it comes back
		byHS bool     // http URLs are left by the browser itself
		most int      // requests
		want string
	}{
		{"a proxy that is not believed", []string{"https://shop.test/"}, "", false, false, 20, "loop-tls-unseen"},
		{"schemes", []string{"https://shop.test/", "http://shop.test/"}, "", false, false, 20, "loop-schemes"},
		{"a cookie that is refused", []string{"https://shop.test/", "https://shop.test/login"}, "id=1; Domain=other.test", false, false, 20, "loop-cookie-refused"},
		{"a cookie that is not sent", []string{"https://shop.test/login", "https://shop.test/"}, "id=1; Path=/login/in", false, false, 20, "loop-cookie-kept-back"},
		{"a cookie that is not read", []string{"https://shop.test/login", "https://shop.test/"}, "id=1", true, false, 20, "loop-cookie-unread"},
		{"HSTS", []string{"https://shop.test/", "http://shop.test/"}, "", false, true, 40, "loop-hsts"},
		{"redirects that end", []string{"https://shop.test/", "http://shop.test/"}, "", false, false, 9, ""},
		{"a way without a repeat", []string{"/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9", "/10", "/11", "/12"}, "", false, false, 11, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var entries []har.Entry
			for i := range c.most {
				url, next := c.urls[i%len(c.urls)], c.urls[(i+1)%len(c.urls)]
				if strings.HasPrefix(url, "/") {
					url, next = "https://shop.test"+url, "https://shop.test"+next
				}
				e := request(20*i, url, "", "")
				e.Status = http.StatusMovedPermanently
				e.Received = append(e.Received, har.Field{Name: "Location", Value: next})
				if c.set != "" && i%len(c.urls) == 0 {
					e.Received = append(e.Received, har.Field{Name: "Set-Cookie", Value: c.set})
				}
				if c.sent && i > 0 {
					e.SetCookie("id", "id=1")
				}
				if c.byHS && strings.HasPrefix(url, "http:") {
					e.Status = http.StatusTemporaryRedirect
					e.Received = append(e.Received, har.Field{Name: "Non-Authoritative-Reason", Value: "HSTS"})
				}
				entries = append(entries, e)
			}
			p, visits := play(t, entries)
			if c.want == "" {
				if len(p.Loops) > 0 {
					t.Fatalf("told %+v", p.Loops)
				}
				return
			}
			if len(p.Loops) != 1 || string(p.Loops[0].Verdict.Rule) != c.want || p.Loops[0].First != "request 1" {
				t.Fatalf("told %+v, want %s from request 1 on", p.Loops, c.want)
			}
			told := 0
			for _, v := range visits {
				if _, ok := v.Diagnosis(); ok {
					told++
				}
			}
			if told != 1 || !strings.Contains(p.Loops[0].Tell(), "Hop 1 comes again as hop") && !strings.Contains(p.Loops[0].Tell(), "comes again as hop 10") {
				t.Errorf("told by %d visits: %s", told, p.Loops[0].Tell())
			}
		})
	}
}

// TestPlayHARTooManyCookies holds that a recording does not take longer the shorter its cookies are.
func TestPlayHARTooManyCookies(t *testing.T) {
	const in = 2000
	line := strings.Repeat("a=1; ", in)
	var entries []har.Entry
	for i := range 1002 {
		entries = append(entries, request(20*i, fmt.Sprintf("https://shop.test/%d", i), line, ""))
	}
	n := 0
	_, err := trace.PlayHAR(&har.Log{Entries: entries}, &browser.Browser{}, false, func(trace.Visit) error {
		n++
		return nil
	})
	if !errors.Is(err, trace.ErrTooManyCookies) || n != 1000 || !strings.HasPrefix(err.Error(), "request 1001: ") {
		t.Errorf("%d requests, %v", n, err)
	}
}
