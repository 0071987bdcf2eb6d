package browser_test

import (
	"fmt"
	"net/url"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// A Secure cookie is stored over HTTPS, and stays behind when the next request is not secure.
func Example() {
	var b browser.Browser
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	https := browser.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}}
	http := browser.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "shop.test", Path: "/"}}

	v := b.StoreCookie(https, "sessionid=abc; Path=/; Secure; HttpOnly; SameSite=Lax", now, nil)
	fmt.Println(v.Subject, v.Yes, v.Rule)

	rec := rule.NewRecorder(func(v rule.Verdict) { fmt.Println(v.Subject, v.Yes, v.Rule) })
	fmt.Printf("https: %q\n", b.CookieHeader(https, now, rec))
	fmt.Printf("http: %q\n", b.CookieHeader(http, now, rec))
	// Output:
	// sessionid true store-ok
	// sessionid true send-ok
	// https: "sessionid=abc"
	// sessionid false send-secure-over-http
	// http: ""
}

// A line is refused by every rule that applies; the first one decides.
func ExampleBrowser_StoreCookie() {
	var b browser.Browser
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	req := browser.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "shop.test", Path: "/"}}

	v := b.StoreCookie(req, "__Host-id=1; Secure; Domain=www.shop.test", now, rule.NewRecorder(func(rule.Verdict) {}))
	kind, _ := v.Fact("kind")
	lacks, _ := v.Fact("lacks")
	fmt.Println(v.Rule, kind)
	fmt.Println(v.Also, lacks)
	// Output:
	// store-domain-mismatch deeper-than-host
	// [store-secure-over-http store-prefix-host] Path=/, no Domain
}
