package lockstep_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

// The lesson's sample does by hand, in one view, what two settings do for every view:
//
//	def welcome(request):
//	    if not request.is_secure():
//	        return redirect(request.build_absolute_uri().replace("http://", "https://"))
//	    response = HttpResponse("welcome")
//	    response.set_cookie("sessionid", "abc123", secure=True)
//	    return response
//
// Here it is in Go, beside the settings that make it unnecessary. It works, and gets three things
// wrong that the settings do not: the redirect is 302, which no browser remembers, where theirs is
// 301; it changes an http:// in the query as well; and the cookie has no HttpOnly, so that scripts
// can read it.
func Example_lesson() {
	byHand := func(w http.ResponseWriter, r *http.Request) {
		if !lockstep.IsSecure(r) {
			http.Redirect(w, r, strings.ReplaceAll(lockstep.AbsoluteURI(r, ""), "http://", "https://"), http.StatusFound)
			return
		}
		if err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: "sessionid", Value: "abc123", Secure: true}); err != nil {
			http.Error(w, "no cookie", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "welcome")
	}
	bySettings := func(w http.ResponseWriter, r *http.Request) {
		if err := session.From(r.Context()).Set("visits", 1); err != nil {
			http.Error(w, "no session", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "welcome")
	}

	plain := lockstep.DjangoDefaults("6.1")
	plain.SecretKey = "a secret of more than fifty characters, kept out of the repository"
	plain.AllowedHosts = []string{"shop.test"}
	secured := plain
	secured.SecureSSLRedirect = true
	secured.SessionCookieSecure = true

	sites := []struct {
		name     string
		settings lockstep.Settings
		view     http.HandlerFunc
	}{{"by hand", plain, byHand}, {"by settings", secured, bySettings}}

	for _, url := range []string{"http://shop.test/?next=http://shop.test/cart", "https://shop.test/"} {
		fmt.Println("GET", url)
		for _, site := range sites {
			guard, err := lockstep.New(site.settings, lockstep.Options{Now: fixedNow})
			if err != nil {
				fmt.Println(err)
				return
			}
			w := httptest.NewRecorder()
			guard.Wrap(site.view).ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
			fmt.Printf("  %-11s  %d", site.name, w.Code)
			if location := w.Header().Get("Location"); location != "" {
				fmt.Print("  Location: ", location)
			}
			if cookie := w.Header().Get("Set-Cookie"); cookie != "" {
				_, attributes, _ := strings.Cut(cookie, ";")
				fmt.Print("  Set-Cookie: sessionid=…;", attributes)
			}
			fmt.Println()
		}
	}
	// Output:
	// GET http://shop.test/?next=http://shop.test/cart
	//   by hand      302  Location: https://shop.test/?next=https://shop.test/cart
	//   by settings  301  Location: https://shop.test/?next=http://shop.test/cart
	// GET https://shop.test/
	//   by hand      200  Set-Cookie: sessionid=…; Path=/; Secure
	//   by settings  200  Set-Cookie: sessionid=…; expires=Tue, 28 Nov 2023 22:13:20 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure
}
