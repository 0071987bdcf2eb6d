package trace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// TestPasswordStaysHome holds to which URLs a password goes, from a page at this machine and from one at
// another: to the origin of the page that was asked for, over a connection that is secure.
func TestPasswordStaysHome(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer other.Close()
	got := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			got = string(body)
			if to := r.URL.Query().Get("to"); to != "" {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method=post action="%s"><input name=user><input type=password name=p></form>`, r.URL.Query().Get("action"))
	}))
	defer server.Close()
	for _, c := range []struct {
		action string
		sent   bool
		rule   rule.ID // of the last hop: about the connection
	}{
		{"", true, "connect-ok"},
		{other.URL + "/", true, "connect-ok"}, // this machine, too
		{"http://shop.test/", false, "connect-body-withheld"},
		{"https://shop.test/", false, "connect-body-withheld"},
		{"?to=http://shop.test/", true, "connect-body-withheld"},
		{"?to=https://shop.test/", true, "connect-body-withheld"},
		{"?to=/", true, "connect-ok"},
	} {
		got = ""
		visits, err := client().Login(t.Context(), server.URL+"/?action="+url.QueryEscape(c.action), form.Credentials{User: "me", Password: "hunter2"})
		if err != nil {
			t.Fatal(err)
		}
		last := visits[len(visits)-1].Last()
		if ids := rulesOf(last, rule.Connect); len(ids) != 1 || ids[0] != c.rule {
			t.Errorf("action %q: %v, want %s", c.action, ids, c.rule)
		}
		if sent := strings.Contains(got, "hunter2"); sent != c.sent && c.action != other.URL+"/" {
			t.Errorf("action %q: sent here %t, want %t", c.action, sent, c.sent)
		}
		if text := fmt.Sprintf("%+v", visits); strings.Contains(text, "hunter2") {
			t.Errorf("action %q: the visits tell the password", c.action)
		}
	}
}

// TestNoPasswordInClear holds that a page that came over plain http from another machine gets no password,
// whatever its form says.
func TestNoPasswordInClear(t *testing.T) {
	for _, action := range []string{"", "https://shop.test/"} {
		c := client()
		posted := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				posted++
			}
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<form method=post action="%s"><input name=user><input type=password name=p></form>`, action)
		}))
		defer server.Close()
		host, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
		var d net.Dialer
		c.Dial = trace.DialTo([]trace.ConnectTo{{ToHost: host, ToPort: port}}, d.DialContext)
		_, err := c.Login(t.Context(), "http://shop.test/", form.Credentials{User: "me", Password: "hunter2"})
		if err == nil || !strings.Contains(err.Error(), "came over plain http") || posted > 0 {
			t.Errorf("action %q: %v, posted %d times", action, err, posted)
		}
		v, err := c.Navigate(t.Context(), trace.Navigation{URL: "http://shop.test/", Body: []byte("hunter2"), BodyOnlyTo: &url.URL{Scheme: "http", Host: "shop.test"}})
		if err != nil || v.Last().Left || posted > 0 {
			t.Errorf("sent over plain http: %v, posted %d times", err, posted)
		}
	}
}

// TestPasswordOfAnEcho is a login at a site that writes the password into all that it answers. The run, which
// people save and show, has it nowhere.
func TestPasswordOfAnEcho(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `<form method=post><input name=user><input type=password name=p></form>`)
			return
		}
		p := r.PostFormValue("p")
		w.Header().Set("X-Plain", p)
		w.Header().Add("Set-Cookie", url.QueryEscape(p)+"=1; Path=/"+url.PathEscape(p))
		w.Header().Add("Set-Cookie", "a=1; Path=/"+url.PathEscape(p))
		w.Header().Set("Location", "/in/"+url.PathEscape(p)+"?p="+url.QueryEscape(p))
		w.WriteHeader(http.StatusSeeOther)
	}))
	defer server.Close()
	for _, password := range []string{"hunter2", "hunter 2*~ü&<", "four"} {
		run, err := client().LoginLesson(t.Context(), server.URL, "/login", form.Credentials{User: "me", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		story := trace.TellLogin(run, nobody)
		var out bytes.Buffer
		story.WriteTable(&out, true)
		story.WriteTranscript(&out, true)
		if err := run.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		_, inForm, _ := strings.Cut(url.Values{"p": {password}}.Encode(), "=")
		for _, secret := range []string{password, url.PathEscape(password), url.QueryEscape(password), inForm, "hunter"} {
			if strings.Contains(out.String(), secret) {
				i := strings.Index(out.String(), secret)
				t.Errorf("%q is told: …%s…", secret, out.String()[max(0, i-150):min(out.Len(), i+20)])
			}
		}
		if !strings.Contains(out.String(), "/in/…?p=…") {
			t.Error("the story does not tell where the login led")
		}
	}
}

// TestPasswordThatIsAWord holds that a run is told as it was when the password is a word of the site's own.
func TestPasswordThatIsAWord(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<form method=post><input name=user><input type=password name=p></form>`)
	}))
	defer server.Close()
	for _, password := range []string{"login", "http", "1", "127.0.0.1"} {
		run, err := client().LoginLesson(t.Context(), server.URL, "/login", form.Credentials{User: "me", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := run.LoginVerdict(); !ok || v.Subject != server.URL+"/login" || run.Visits[len(run.Visits)-1].Typed != server.URL+"/" {
			t.Errorf("password %q: %+v, %q", password, v, run.Visits[len(run.Visits)-1].Typed)
		}
	}
}

// farConn is a connection whose other end says it is on another machine.
type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

// TestThisMachineIsThisMachine holds that a name of this machine is trusted for the address that it has: a
// resolver may have another opinion of shop.localhost, and so may --connect-to.
func TestThisMachineIsThisMachine(t *testing.T) {
	posted := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posted++
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<form method=post><input name=user><input type=password name=p></form>`)
	})
	plain, secured := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secured.Close()
	for _, test := range []struct {
		server   *httptest.Server
		page     string
		insecure bool
		far      bool
		posts    int
	}{
		{plain, "http://shop.localhost/", false, false, 1},
		{plain, "http://shop.localhost/", false, true, 0},
		{plain, "http://127.0.0.1/", false, true, 0}, // by --connect-to
		{secured, "https://shop.localhost/", true, false, 1},
		{secured, "https://shop.localhost/", true, true, 0},
	} {
		posted = 0
		c := client()
		c.Insecure = test.insecure
		c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, test.server.Listener.Addr().String())
			if err == nil && test.far {
				conn = farConn{conn}
			}
			return conn, err
		}
		visits, err := c.Login(t.Context(), test.page, form.Credentials{User: "me", Password: "hunter2"})
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]rule.ID{0: "connect-body-withheld", 1: "connect-ok"}[test.posts]
		last := visits[len(visits)-1].Last()
		if ids := rulesOf(last, rule.Connect); len(ids) != 1 || ids[0] != want || posted != test.posts || last.Left != (posted > 0) {
			t.Errorf("%+v: %v, posted %d times", test, ids, posted)
		}
	}
}

// TestLoginLesson is a login on this machine without TLS, and the ways in which there is none.
func TestLoginLesson(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.PostFormValue("p") == "hunter2":
			w.Header().Set("Set-Cookie", "sessionid=0123456789abcdef; HttpOnly")
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case r.URL.Path == "/login":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `<form method=post><input name=user><input type=password name=p></form>`)
		case r.URL.Path == "/away":
			http.Redirect(w, r, "http://shop.invalid/", http.StatusFound)
		}
	}))
	defer server.Close()
	run, err := client().LoginLesson(t.Context(), server.URL, "/login", form.Credentials{User: "me", Password: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	v, ok := run.LoginVerdict()
	if !ok || !v.Yes || v.Rule != "observed-login-cookie" {
		t.Errorf("the login: %v %v", v, ok)
	}
	story := trace.TellLogin(run, nobody)
	var out bytes.Buffer
	story.WriteTable(&out, true)
	story.WriteTranscript(&out, true)
	story.WriteMarkdown(&out, true)
	for _, want := range []string{"the login form is sent", "Did the login work?", "value of sessionid"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q", want)
		}
	}
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "0123456789abcdef") {
		t.Error("the story tells a secret")
	}
	for path, want := range map[string]string{
		"/":     "the page has no form",
		"/away": "http://shop.invalid/ gave no answer",
	} {
		var refused *form.LoginError
		if _, err := client().LoginLesson(t.Context(), server.URL, path, form.Credentials{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestValuesThatLookAlike holds that a cookie whose value changed at the login is told to have another one
// when the two begin alike, or show nothing, and also when the run was saved.
func TestValuesThatLookAlike(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{"s%3AabcdefghijklmnopQ", "s%3AzyxwvutsrqponmlkQ", "sets sid to another value"},
		{"short-1", "short-2", "sets sid to another value"},
		{"s%3AabcdefghijklmnopQ", "s%3AabcdefghijklmnopQ", "renews sid"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			if r.Method == http.MethodPost {
				w.Header().Set("Set-Cookie", "sid="+c.after)
				return
			}
			w.Header().Set("Set-Cookie", "sid="+c.before)
			io.WriteString(w, `<form method=post><input name=user><input type=password name=p></form>`)
		}))
		defer server.Close()
		visits, err := client().Login(t.Context(), server.URL+"/", form.Credentials{User: "me", Password: "hunter2"})
		if err != nil {
			t.Fatal(err)
		}
		var saved bytes.Buffer
		run := trace.Run{Visits: visits}
		if err := run.WriteJSON(&saved); err != nil {
			t.Fatal(err)
		}
		again, err := trace.ReadJSON(&saved)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []trace.Run{run, again} {
			story := trace.TellLogin(r, func(rule.ID) (rule.Rule, bool) { return rule.Rule{}, false })
			if got := story.Steps[1].Result; !strings.Contains(got, c.want) {
				t.Errorf("%s, then %s: %q does not say %q", c.before, c.after, got, c.want)
			}
		}
	}
}

// TestLoginWithoutHTTPS holds that no step is said to be over https that was not.
func TestLoginWithoutHTTPS(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.Method == http.MethodPost {
			w.Header().Set("Set-Cookie", "sid=abcdefghijklmnopqrstuv")
			return
		}
		io.WriteString(w, `<form method=post action=/in><input name=user><input type=password name=p></form>`)
	}))
	defer server.Close()
	run, err := client().LoginLesson(t.Context(), server.URL+"/", "/login", form.Credentials{User: "me", Password: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	story := trace.TellLogin(run, func(rule.ID) (rule.Rule, bool) { return rule.Rule{}, false })
	if got, want := story.Steps[4].Action, "next request: GET "+server.URL+"/"; got != want {
		t.Errorf("step 5 is %q, want %q", got, want)
	}
	var text strings.Builder
	story.WriteTable(&text, false)
	if strings.Contains(text.String(), "Next HTTPS request") || !strings.Contains(text.String(), "Next request  ") {
		t.Errorf("the table of cookies:\n%s", text.String())
	}
}

// TestLoginFormAgain holds which pages after a login show its form again.
func TestLoginFormAgain(t *testing.T) {
	const login = `<form method=post action=/in><input name=user><input type=password name=password></form>`
	for _, c := range []struct {
		sentence, page string
		want           rule.ID
	}{
		{"the same form", login, "observed-login-form-again"},
		{"the same form, after too many attempts", "429" + login, "observed-login-refused"},
		{"with one more field", `<form method=post action=/in><input name=user><input type=password name=password><input name=code></form>`, "observed-login-form-again"},
		{"with another action", `<form method=post action=/again><input name=user><input type=password name=password></form>`, "observed-login-form-again"},
		{"one that changes the password", `<form method=post action=/password><input type=password name=old><input type=password name=password></form>`, "observed-login-cookie"},
		{"one that logs out", `<form method=post action=/out><button>Log out</button></form>`, "observed-login-cookie"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			again, tooMany := strings.CutPrefix(c.page, "429")
			switch {
			case r.Method == http.MethodPost && tooMany:
				w.WriteHeader(http.StatusTooManyRequests)
				io.WriteString(w, again)
			case r.Method == http.MethodPost:
				w.Header().Set("Set-Cookie", "sid=abcdefghijklmnopqrstuv")
				http.Redirect(w, r, "/account", http.StatusSeeOther)
			case r.URL.Path == "/account":
				io.WriteString(w, c.page)
			default:
				io.WriteString(w, login)
			}
		}))
		defer server.Close()
		visits, err := client().Login(t.Context(), server.URL+"/", form.Credentials{User: "me", Password: "hunter2"})
		if err != nil {
			t.Fatal(err)
		}
		if ids := rulesOf(visits[1].Last(), rule.LogIn); len(ids) != 1 || ids[0] != c.want {
			t.Errorf("%s: %v, want %s", c.sentence, ids, c.want)
		}
	}
}
