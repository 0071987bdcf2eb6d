package browser_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

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

// A Jar takes the place of that of net/http/cookiejar in a test that is there already. That one keeps the
// cookie of this login; a browser does not, and Watch says why.
func ExampleJar() {
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "__Host-session=abc; Secure; SameSite=Lax")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer site.Close()

	client := site.Client()
	jar := &browser.Jar{Browser: &browser.Browser{}, Watch: func(v rule.Verdict) {
		lacks, _ := v.Fact("lacks")
		fmt.Println(v.Question, v.Subject, v.Yes, v.Rule, "lacks", lacks)
	}}
	client.Jar = jar
	answer, err := client.Get(site.URL + "/login")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer.Body.Close()
	fmt.Println("kept:", len(jar.Browser.Cookies(time.Now())))
	// Output:
	// store cookie __Host-session false store-prefix-host lacks Path=/
	// kept: 0
}
