package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// A logbook is a site that writes down what comes, and redirects /301 and its like to /end.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

// ServeHTTP implements [http.Handler].
func (l *logbook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"), body))
	status := map[string]int{"/301": 301, "/302": 302, "/303": 303, "/307": 307, "/308": 308}[r.URL.Path]
	switch {
	case status != 0:
		w.Header().Set("Location", "/end")
		w.WriteHeader(status)
	case r.URL.Path == "/login":
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Referrer-Policy", "same-origin")
		io.WriteString(w, `<form method=post action=/307><input name=user><input type=password name=password><input type=hidden name=csrfmiddlewaretoken value=tokentokentoken></form>`)
	case r.URL.Path == "/empty":
		w.WriteHeader(http.StatusNoContent)
	}
}

func newLogbook(t *testing.T) (l *logbook, at string) {
	t.Helper()
	l = &logbook{}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return l, server.URL
}

// TestBodyOverRedirects holds which redirects a body goes along with.
func TestBodyOverRedirects(t *testing.T) {
	for path, want := range map[string]string{
		"/301": "GET /end  ", "/302": "GET /end  ", "/303": "GET /end  ",
		"/307": "POST /end text/plain x", "/308": "POST /end text/plain x",
	} {
		l, at := newLogbook(t)
		_, err := client().Navigate(t.Context(), trace.Navigation{URL: at + path, ContentType: "text/plain", Body: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.lines; !slices.Equal(got, []string{"POST " + path + " text/plain x", want}) {
			t.Errorf("%q, want the second to be %q", got, want)
		}
	}
}

// TestDocument holds what the page is after each kind of answer.
func TestDocument(t *testing.T) {
	_, at := newLogbook(t)
	c := client()
	for _, s := range []struct{ url, page string }{
		{at + "/login", "/login same-origin 1"},
		{at + "/empty", "/login same-origin 1"}, // no content: the page stays
		{at + "/307", "/end  0"},
		{"http://127.0.0.1:1/", "none"},
		{at + "/login", "/login same-origin 1"},
	} {
		if _, err := c.Visit(t.Context(), http.MethodGet, s.url, nil); err != nil {
			t.Fatal(err)
		}
		got := "none"
		if d := c.Document; d != nil {
			got = fmt.Sprintf("%s %s %d", d.URL.Path, d.ReferrerPolicy, len(d.Forms))
		}
		if got != s.page {
			t.Errorf("after %s: %s, want %s", s.url, got, s.page)
		}
	}
}

// TestSecretsStayOut fills in a login form and looks for what was filled in, and for the token, in all
// that is kept and written.
func TestSecretsStayOut(t *testing.T) {
	l, at := newLogbook(t)
	c := client()
	first, err := c.Visit(t.Context(), http.MethodGet, at+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := c.Document.Forms[0]
	if err := f.Set("password", "hunter2hunter2"); err != nil {
		t.Fatal(err)
	}
	second, err := c.Submit(t.Context(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "POST /end application/x-www-form-urlencoded user=&password=hunter2hunter2&csrfmiddlewaretoken=tokentokentoken"
	if got := l.lines[len(l.lines)-1]; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	run := trace.Run{Visits: []trace.Visit{first, second}}
	var out bytes.Buffer
	if err := run.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	saved, err := trace.ReadJSON(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if got := saved.Visits[1]; got.From != at+"/login" || len(got.Hops[0].Sent) == 0 || got.Hops[0].Sent[0] != (trace.Field{Name: "Origin", Value: at}) {
		t.Errorf("saved as %+v", got)
	}
	story := trace.Tell(run, "", nobody)
	story.WriteTable(&out, true)
	fmt.Fprintf(&out, "%+v %#v %+v", run, run, c.Document)
	for _, secret := range []string{"hunter2", "tokentoken"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s was written", secret)
		}
	}
}

// TestNoPasswordInURL holds that a form with GET does not take a password into the URL.
func TestNoPasswordInURL(t *testing.T) {
	at := says(t, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<form><input type=password name=p></form>")
	c := client()
	if _, err := c.Visit(t.Context(), http.MethodGet, at, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(t.Context(), c.Document.Forms[0], nil); err == nil || !strings.Contains(err.Error(), "method=post") {
		t.Errorf("submitted: %v", err)
	}
}

// TestRedirectPolicy holds that a redirect may change the policy of what follows.
func TestRedirectPolicy(t *testing.T) {
	var referers []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		referers = append(referers, r.Referer())
		if r.URL.Path == "/" {
			w.Header().Set("Referrer-Policy", "no-referrer")
			http.Redirect(w, r, "/end", http.StatusFound)
		}
	}))
	defer server.Close()
	u, err := url.Parse(server.URL + "/page")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	if _, err := client().Navigate(ctx, trace.Navigation{URL: server.URL, Initiator: &browser.Document{URL: u}}); err != nil {
		t.Fatal(err)
	}
	if want := []string{server.URL + "/page", ""}; !slices.Equal(referers, want) {
		t.Errorf("Referer %q, want %q", referers, want)
	}
}
