package lockstep_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

const exampleKey = "a secret of more than fifty characters, kept out of the repository"

func Example() {
	guard, err := lockstep.New(lockstep.Recommended(exampleKey, "shop.test"), lockstep.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	site := guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		visits, _ := session.Value[int](s, "visits")
		_ = s.Set("visits", visits+1)
		fmt.Fprintf(w, "visit %d to %s", visits+1, lockstep.AbsoluteURI(r, ""))
	}))

	first := httptest.NewRecorder()
	site.ServeHTTP(first, httptest.NewRequest(http.MethodGet, "http://shop.test/cart", nil))
	fmt.Println(first.Code, first.Header().Get("Location"))

	second := httptest.NewRecorder()
	site.ServeHTTP(second, httptest.NewRequest(http.MethodGet, "https://shop.test/cart", nil))
	fmt.Println(second.Code, second.Body)
	// Output:
	// 301 https://shop.test/cart
	// 200 visit 1 to https://shop.test/cart
}

// Every mistake in the settings is found at once.
func ExampleNew_incorrect() {
	settings := lockstep.Recommended("", "https://shop.test")
	_, err := lockstep.New(settings, lockstep.Options{})
	var mistake *lockstep.SettingError
	fmt.Println(errors.As(err, &mistake), mistake.Setting)
	fmt.Println(err)
	// Output:
	// true SECRET_KEY
	// SECRET_KEY: must not be empty; set it to 50 or more random characters and keep them secret
	// ALLOWED_HOSTS = "https://shop.test": has a scheme, so it never matches; write "shop.test"
}

// A watcher is told every decision, with the rule and the facts.
func ExampleGuard_Wrap() {
	settings := lockstep.Recommended(exampleKey, "shop.test")
	guard, err := lockstep.New(settings, lockstep.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodGet, "http://shop.test/cart", nil)
	r = r.WithContext(rule.WithWatch(r.Context(), func(v rule.Verdict) {
		if v.Question != rule.SendHeader {
			fmt.Println(v.Question, v.Subject, v.Yes, v.Rule)
		}
	}))
	guard.Wrap(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// is_secure shop.test false secure-plain-http
	// allow host shop.test true host-allowed
	// redirect to https /cart true redirect-to-https
}

// A Guard can be asked without acting on the answer.
func ExampleGuard_Redirect() {
	settings := lockstep.Recommended(exampleKey, "shop.test")
	settings.SecureRedirectExempt = []string{"^health$"}
	guard, err := lockstep.New(settings, lockstep.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, url := range []string{"http://shop.test:8080/a;b?c", "http://shop.test/health", "https://shop.test/", "http://evil.test/"} {
		location, v := guard.Redirect(httptest.NewRequest(http.MethodGet, url, nil))
		fmt.Printf("%v %q\n", v.Rule, location)
	}
	// Output:
	// redirect-to-https "https://shop.test:8080/a%3Bb?c"
	// redirect-exempt ""
	// redirect-already-secure ""
	// host-not-allowed ""
}

func ExampleSetCookie() {
	example(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(lockstep.SetCookie(w, r, lockstep.Cookie{Name: "theme", Value: "dark; light", SameSite: http.SameSiteLaxMode}))
		fmt.Println(w.Header().Get("Set-Cookie"))
	})
	// Output:
	// <nil>
	// theme="dark\073 light"; Path=/; SameSite=Lax
}

// What no browser would store is refused before it is sent.
func ExampleSetCookie_incorrect() {
	example(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(lockstep.SetCookie(w, r, lockstep.Cookie{Name: "id", Value: "1", SameSite: http.SameSiteNoneMode}) != nil)
		fmt.Println(len(w.Header()["Set-Cookie"]))
	})
	// Output:
	// true
	// 0
}

func ExampleSetSignedCookie() {
	example(func(w http.ResponseWriter, r *http.Request) {
		_ = lockstep.SetSignedCookie(w, r, lockstep.Cookie{Name: "plan", Value: "basic"}, "billing")
		cookie, _ := http.ParseSetCookie(w.Header().Get("Set-Cookie"))

		r.AddCookie(cookie) // the browser sends it back
		fmt.Println(lockstep.SignedCookie(r, "plan", "billing", 0))

		r.Header.Set("Cookie", "plan=premium"+cookie.Value[len("basic"):]) // somebody changes it
		_, err := lockstep.SignedCookie(r, "plan", "billing", 0)
		fmt.Println(err)
	})
	// Output:
	// basic <nil>
	// reading cookie "plan": signature does not match
}

func ExampleAbsoluteURI() {
	example(func(_ http.ResponseWriter, r *http.Request) {
		for _, location := range []string{"", "/pay", "../b?c", "//pay.test/"} {
			fmt.Println(lockstep.AbsoluteURI(r, location))
		}
	})
	// Output:
	// https://shop.test/dir/page?x=1
	// https://shop.test/pay
	// https://shop.test/b?c
	// https://pay.test/
}

// example runs a handler behind a Guard.
func example(h http.HandlerFunc) {
	guard, err := lockstep.New(lockstep.Recommended(exampleKey, "shop.test"), lockstep.Options{Now: fixedNow})
	if err != nil {
		fmt.Println(err)
		return
	}
	guard.Wrap(h).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://shop.test/dir/page?x=1", nil))
}

// A script that the page holds itself runs by the nonce of the response, and by nothing else.
func ExampleCSPNonce() {
	settings := lockstep.Recommended(exampleKey, "shop.test")
	settings.SecureCSP = lockstep.CSP{
		{"default-src", "'self'"},
		{"script-src", "'self'", lockstep.CSPNonceSource},
	}
	guard, err := lockstep.New(settings, lockstep.Options{Rand: strings.NewReader("sixteen  letters")}) // leave Rand out
	if err != nil {
		fmt.Println(err)
		return
	}
	page := guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<script nonce=%q>…</script>\n", lockstep.CSPNonce(r))
	}))
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://shop.test/", nil))
	fmt.Print(w.Body)
	fmt.Println(w.Header().Get("Content-Security-Policy"))
	// Output:
	// <script nonce="c2l4dGVlbiAgbGV0dGVycw">…</script>
	// default-src 'self'; script-src 'self' 'nonce-c2l4dGVlbiAgbGV0dGVycw'
}
