package browser_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// A test of a site asks as a browser does. This login sets a Secure cookie over plain http: the server is
// content, and so is a client with a jar of its own, but in a browser the login would not stick.
func ExampleTransport() {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			w.Header().Add("Set-Cookie", "sessionid=abc; Path=/; Secure; HttpOnly; SameSite=Lax")
		}
		if _, err := r.Cookie("sessionid"); err != nil {
			io.WriteString(w, "not logged in")
			return
		}
		io.WriteString(w, "logged in")
	}))
	defer site.Close()

	client := &http.Client{Transport: &browser.Transport{
		Browser: &browser.Browser{Profile: browser.Chromium()},
		// The name is that of the site: to a browser the machine itself, 127.0.0.1, is secure without TLS.
		Base: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, site.Listener.Addr().String())
		}},
		Watch: func(v rule.Verdict) {
			if v.Question == rule.StoreCookie {
				fmt.Println(v.Subject, v.Yes, v.Rule)
			}
		},
	}}
	for _, path := range []string{"/login", "/account"} {
		answer, err := client.Get("http://shop.test" + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		page, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Println(path, string(page))
	}
	// Output:
	// sessionid false store-secure-over-http
	// /login not logged in
	// /account not logged in
}
