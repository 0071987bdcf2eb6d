package lockstep_test

import (
	"context"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

// A form that is sent by POST holds the token. It is masked anew each time, so that the text differs
// and what it stands for does not.
func ExampleCSRFField() {
	form := template.Must(template.New("form").Parse(`<form method="post" action="/cart">{{.CSRF}}<button>Add</button></form>` + "\n"))
	example(func(w http.ResponseWriter, r *http.Request) {
		field := lockstep.CSRFField(r) // before the first byte: the cookie goes along
		token := strings.Split(string(field), `"`)[5]
		_ = form.Execute(os.Stdout, struct{ CSRF template.HTML }{template.HTML(strings.Replace(string(field), token, "…", 1))})
		fmt.Println(len(token), field == lockstep.CSRFField(r))
	})
	// Output:
	// <form method="post" action="/cart"><input type="hidden" name="csrfmiddlewaretoken" value="…"><button>Add</button></form>
	// 64 false
}

// A template that calls for the token while it writes does so too late: the first byte has left, and
// the cookie that the token has to match cannot go along. Whoever sends the form gets 403.
func ExampleCSRFField_incorrect() {
	page := template.Must(template.New("page").Parse(`<h1>A long page</h1>{{call .}}`))
	site := behindGuard(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = page.Execute(w, func() template.HTML { return lockstep.CSRFField(r) })
	})
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://shop.test/", nil))
	fmt.Println(strings.Contains(w.Body.String(), "csrfmiddlewaretoken"), w.Result().Cookies())
	// Output:
	// true []
}

// A script sends the token in a header.
func ExampleCSRFToken() {
	site := behindGuard(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, lockstep.CSRFToken(r))
		}
	})
	page := httptest.NewRecorder()
	site.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "https://shop.test/", nil))

	for _, token := range []string{page.Body.String(), ""} {
		r := httptest.NewRequest(http.MethodPost, "https://shop.test/", nil)
		r.Header.Set("Origin", "https://shop.test")
		r.AddCookie(page.Result().Cookies()[0])
		r.Header.Set("X-Csrftoken", token)
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 403
}

// A Guard can be asked about a request without acting on the answer.
func ExampleGuard_CSRF() {
	settings := lockstep.Recommended(exampleKey, "shop.test")
	settings.CSRFTrustedOrigins = []string{"https://pay.shop.test"}
	guard, err := lockstep.New(settings, lockstep.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, origin := range []string{"https://shop.test", "https://pay.shop.test", "https://evil.test", "null"} {
		r := httptest.NewRequest(http.MethodPost, "https://shop.test/cart", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Cookie", "__Host-csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
		r.Header.Set("X-Csrftoken", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
		v := guard.CSRF(r)
		fmt.Println(v.Yes, v.Rule)
	}
	// Output:
	// true csrf-ok
	// true csrf-ok
	// false csrf-origin-mismatch
	// false csrf-origin-mismatch
}

// What other programs send has no token. It is let through by pattern, and has to prove itself by
// something that no browser adds on its own, such as a signature of the body.
func ExampleSettings_insecureCSRFExempt() {
	settings := lockstep.Recommended(exampleKey, "shop.test")
	settings.InsecureCSRFExempt = []string{"POST /hooks/{name}"}
	guard, err := lockstep.New(settings, lockstep.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/hooks/payment", "/hooks/payment/more", "/cart"} {
		v := guard.CSRF(httptest.NewRequest(http.MethodPost, "https://shop.test"+path, nil))
		fmt.Println(path, v.Yes, v.Rule)
	}
	// Output:
	// /hooks/payment true csrf-exempt
	// /hooks/payment/more false csrf-referer-missing
	// /cart false csrf-referer-missing
}

// The password has been found right; from here on the session is ada's, under a key that nobody knew
// before.
func ExampleLogin() {
	you := newVisitor()
	fmt.Println(you.asks("/cart"))
	before := you.session
	fmt.Println(you.asks("/login"))
	fmt.Println("a new key:", you.session != before)
	fmt.Println(you.asks("/account"))
	// Output:
	// 1 in the cart
	// welcome
	// a new key: true
	// ada, 1 in the cart
}

// When the password changes, whoever was logged in with the old one is not any more.
func ExampleCurrentUser() {
	you := newVisitor()
	you.asks("/login")
	fmt.Println(you.asks("/account"))
	you.user.Password = "pbkdf2_sha256$…the hash of another password"
	fmt.Println(you.asks("/account"))
	// Output:
	// ada, 0 in the cart
	// nobody
}

func ExampleLogout() {
	you := newVisitor()
	you.asks("/cart")
	you.asks("/login")
	stolen := you.session
	fmt.Println(you.asks("/logout"))
	fmt.Printf("the browser's cookie: %q\n", you.session)
	you.session = stolen
	fmt.Println(you.asks("/account"))
	// Output:
	// good bye
	// the browser's cookie: ""
	// nobody
}

// behindGuard puts a handler behind a Guard for shop.test.
func behindGuard(h http.HandlerFunc) http.Handler {
	guard, err := lockstep.New(lockstep.Recommended(exampleKey, "shop.test"), lockstep.Options{})
	if err != nil {
		panic(err)
	}
	return guard.Wrap(h)
}

// A visitor is somebody with a session cookie at a small site with one account.
type visitor struct {
	site    http.Handler
	user    lockstep.User
	session string // what the browser holds
}

func newVisitor() *visitor {
	v := &visitor{user: lockstep.User{ID: "1", Password: "pbkdf2_sha256$…the hash of the password"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/cart", v.cart)
	mux.HandleFunc("/login", v.login)
	mux.HandleFunc("/account", v.account)
	mux.HandleFunc("/logout", v.logout)
	v.site = behindGuard(mux.ServeHTTP)
	return v
}

func (v *visitor) cart(w http.ResponseWriter, r *http.Request) {
	_ = session.From(r.Context()).Set("cart", 1)
	fmt.Fprint(w, "1 in the cart")
}

func (v *visitor) login(w http.ResponseWriter, r *http.Request) {
	if err := lockstep.Login(r, v.user); err != nil {
		http.Error(w, "come again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, "welcome")
}

func (v *visitor) account(w http.ResponseWriter, r *http.Request) {
	_, ok, err := lockstep.CurrentUser(r, func(_ context.Context, id string) (lockstep.User, error) {
		if id != v.user.ID {
			return lockstep.User{}, fs.ErrNotExist
		}
		return v.user, nil
	})
	switch {
	case err != nil:
		http.Error(w, "come again", http.StatusServiceUnavailable)
	case !ok:
		fmt.Fprint(w, "nobody")
	default:
		inCart, _ := session.Value[int](session.From(r.Context()), "cart")
		fmt.Fprintf(w, "ada, %d in the cart", inCart)
	}
}

func (v *visitor) logout(w http.ResponseWriter, r *http.Request) {
	if err := lockstep.Logout(r); err != nil {
		http.Error(w, "come again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, "good bye")
}

// asks visits a page with the cookie that the browser has, and keeps the one that comes back.
func (v *visitor) asks(path string) string {
	r := httptest.NewRequest(http.MethodGet, "https://shop.test"+path, nil)
	if v.session != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-sessionid", Value: v.session})
	}
	w := httptest.NewRecorder()
	v.site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "__Host-sessionid" {
			v.session = c.Value
		}
	}
	return w.Body.String()
}
