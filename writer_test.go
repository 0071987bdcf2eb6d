package lockstep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

// Each way in which a first byte can leave: session, cookie and headers are in the response by then.
var waysOut = []struct {
	name   string
	write  func(http.ResponseWriter) error
	status int
	body   string
}{
	{"return", func(http.ResponseWriter) error { return nil }, 200, ""},
	{"WriteHeader", func(w http.ResponseWriter) error { w.WriteHeader(http.StatusTeapot); return nil }, 418, ""},
	{"no content", func(w http.ResponseWriter) error { w.WriteHeader(http.StatusNoContent); return nil }, 204, ""},
	{"Write", func(w http.ResponseWriter) error { _, err := w.Write([]byte("abc")); return err }, 200, "abc"},
	{"Write nothing", func(w http.ResponseWriter) error { _, err := w.Write(nil); return err }, 200, ""},
	{"WriteString", func(w http.ResponseWriter) error { _, err := io.WriteString(w, "abc"); return err }, 200, "abc"},
	{"Flush", func(w http.ResponseWriter) error {
		w.(http.Flusher).Flush()
		_, err := w.Write([]byte("abc"))
		return err
	}, 200, "abc"},
	{"ResponseController.Flush", func(w http.ResponseWriter) error {
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		_, err := w.Write([]byte("abc"))
		return err
	}, 200, "abc"},
	{"ReadFrom", func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("abc")); return err }, 200, "abc"},
	{"ReadFrom a big one", func(w http.ResponseWriter) error {
		n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(strings.Repeat("a", 100_000)))
		if n != 100_000 {
			return fmt.Errorf("%d bytes", n)
		}
		return err
	}, 200, strings.Repeat("a", 100_000)},
	{"early hints first", func(w http.ResponseWriter) error {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		return nil
	}, 201, ""},
	{"deadlines", func(w http.ResponseWriter) error {
		return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
	}, 200, ""},
	{"file", func(w http.ResponseWriter) error {
		http.ServeContent(w, httptest.NewRequest(http.MethodGet, "/", nil), "a.txt", time.Time{}, strings.NewReader("abc"))
		return nil
	}, 200, "abc"},
}

func startServer(t *testing.T, h http.Handler, http2 bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestFirstByte(t *testing.T) {
	for _, tt := range waysOut {
		h := newGuard(t, hsts(60)).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := session.From(r.Context()).Set("a", 1); err != nil {
				t.Error(err)
			}
			if err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: "theme", Value: "dark"}); err != nil {
				t.Error(err)
			}
			// An HTTP/2 stream that answers HEAD is over after its header.
			if err := tt.write(w); err != nil && r.Method != http.MethodHead {
				t.Error(err)
			}
		}))
		for _, http2 := range []bool{false, true} {
			s := startServer(t, h, http2)
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				t.Run(fmt.Sprintf("%s/%s/h2=%v", tt.name, method, http2), func(t *testing.T) {
					req, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Host = "shop.test"
					resp, err := s.Client().Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					body, err := io.ReadAll(resp.Body)
					if err != nil {
						t.Fatal(err)
					}
					if want := tt.body; resp.StatusCode != tt.status || method == http.MethodGet && string(body) != want {
						t.Errorf("status %d, %d bytes", resp.StatusCode, len(body))
					}
					if c := resp.Cookies(); len(c) != 2 || c[0].Name != "theme" || c[1].Name != "sessionid" {
						t.Errorf("cookies %v", c)
					}
					if resp.Header.Get(sts) != "max-age=60" || resp.Header.Get("Vary") != "Cookie" {
						t.Errorf("header %v", resp.Header)
					}
				})
			}
		}
	}
}

// Informational responses begin nothing: a cookie can be set after them.
func TestEarlyHints(t *testing.T) {
	s := startServer(t, newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: "a", Value: "1"}); err != nil {
			t.Error(err)
		}
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
	})), false)
	var hints http.Header
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { hints = http.Header(h); return nil },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if hints.Get("Link") == "" || hints.Get("X-Frame-Options") != "" || hints.Get("Set-Cookie") != "" {
		t.Errorf("hints %v", hints)
	}
	if resp.Header.Get("Set-Cookie") != "a=1; Path=/" {
		t.Errorf("header %v", resp.Header)
	}
}

func TestSetCookieTooLate(t *testing.T) {
	resp := answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("a"))
		if err := lockstep.SetCookie(w, r, lockstep.Cookie{Name: "a", Value: "1"}); err == nil {
			t.Error("no error")
		}
	})), get(t, "https", "/", "shop.test"))
	if resp.Header["Set-Cookie"] != nil {
		t.Errorf("sent %q", resp.Header["Set-Cookie"])
	}
}

func hijackTest(t *testing.T, before func(http.ResponseWriter, *http.Request)) (status string, header http.Header, err error) {
	t.Helper()
	var failed error
	s := startServer(t, newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before(w, r)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if failed = err; err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
	})), false)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Status, resp.Header, failed
}

func TestHijack(t *testing.T) {
	status, _, err := hijackTest(t, func(http.ResponseWriter, *http.Request) {})
	if err != nil || status != "101 Switching Protocols" {
		t.Errorf("%s, %v", status, err)
	}
}

func TestHijackWithUnsentCookies(t *testing.T) {
	for name, before := range map[string]func(http.ResponseWriter, *http.Request){
		"cookie": func(w http.ResponseWriter, r *http.Request) {
			_ = lockstep.SetCookie(w, r, lockstep.Cookie{Name: "a", Value: "1"})
		},
		"session": func(_ http.ResponseWriter, r *http.Request) { _ = session.From(r.Context()).Set("a", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			status, header, err := hijackTest(t, before)
			if err == nil || status != "500 Internal Server Error" || header.Get("Set-Cookie") == "" {
				t.Errorf("%s, %v, %v", status, err, header)
			}
		})
	}
}

func TestHijackNotSupported(t *testing.T) {
	resp := answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("error %v", err)
		}
		w.WriteHeader(http.StatusNotImplemented)
	})), get(t, "https", "/", "shop.test"))
	if resp.StatusCode != http.StatusNotImplemented || resp.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
	}
}

// A panic passes through, and nothing is saved or sent.
func TestPanicPasses(t *testing.T) {
	var store session.Memory
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Sessions: &store})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() != any(http.ErrAbortHandler) {
			t.Error("the panic did not pass")
		}
		if store.Len() != 0 {
			t.Error("the session was saved")
		}
	}()
	answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = session.From(r.Context()).Set("a", 1)
		panic(http.ErrAbortHandler)
	})), get(t, "https", "/", "shop.test"))
}

// failingStore is a store whose server has gone.
type failingStore struct{ err error }

func (s failingStore) Load(context.Context, string) (session.Record, error) {
	return session.Record{}, s.err
}

func (s failingStore) Save(context.Context, string, session.Record, session.Record) error {
	return s.err
}
func (s failingStore) Delete(context.Context, string) error { return s.err }

func TestSessionStoreFails(t *testing.T) {
	var log bytes.Buffer
	g, err := lockstep.New(djangoSettings(hsts(60)), lockstep.Options{
		Sessions: failingStore{errors.New("connection refused")}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var wrote error
	resp := answerOf(g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = session.From(r.Context()).Set("a", 1)
		_ = lockstep.SetCookie(w, r, lockstep.Cookie{Name: "a", Value: "1"})
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Location", "/next")
		w.WriteHeader(http.StatusSeeOther)
		_, wrote = io.WriteString(w, "the page of the app")
	})), get(t, "https", "/", "shop.test"))
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || string(body) != "503 Service Unavailable\n" || wrote == nil {
		t.Errorf("status %d, body %q, error of Write %v", resp.StatusCode, body, wrote)
	}
	want := map[string]string{
		"Retry-After": "5", sts: "max-age=60", "X-Content-Type-Options": "nosniff",
		"Set-Cookie": "", "Content-Encoding": "", "Location": "", "X-Frame-Options": "",
	}
	for name, value := range want {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("%s: %q", name, got)
		}
	}
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("log %s", &log)
	}
}

// Z04: a session that another request ended stays ended.
func TestSessionInterrupted(t *testing.T) {
	var store session.Memory
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Sessions: &store})
	if err != nil {
		t.Fatal(err)
	}
	login := answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = session.From(r.Context()).Set("user", 1)
	})), get(t, "https", "/", "shop.test"))
	sent := "Cookie: sessionid=" + login.Cookies()[0].Value
	slow := g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = session.From(r.Context()).Set("user", 2)
		logout := g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = session.From(r.Context()).Flush()
		}))
		answerOf(logout, get(t, "https", "/bye", "shop.test", sent))
	}))
	resp := answerOf(slow, get(t, "https", "/", "shop.test", sent))
	if resp.StatusCode != http.StatusBadRequest || resp.Header["Set-Cookie"] != nil || store.Len() != 0 {
		t.Errorf("status %d, cookies %q, %d sessions", resp.StatusCode, resp.Header["Set-Cookie"], store.Len())
	}
}

// A client that has gone does not undo what the app did.
func TestSessionOfGoneClient(t *testing.T) {
	var store session.Memory
	g, err := lockstep.New(djangoSettings(nil), lockstep.Options{Sessions: &store})
	if err != nil {
		t.Fatal(err)
	}
	ctx, gone := context.WithCancel(t.Context())
	answerOf(g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = session.From(r.Context()).Set("paid", true)
		gone()
	})), get(t, "https", "/", "shop.test").WithContext(ctx))
	if store.Len() != 1 {
		t.Errorf("%d sessions", store.Len())
	}
}

func TestVary(t *testing.T) {
	tests := []struct{ before, want []string }{
		{nil, []string{"Cookie"}},
		{[]string{"Accept"}, []string{"Accept, Cookie"}},
		{[]string{"Accept", "Origin,"}, []string{"Accept, Origin, Cookie"}},
		{[]string{"accept, cookie"}, []string{"accept, cookie"}},
		{[]string{"Accept", "*"}, []string{"*"}},
	}
	for _, tt := range tests {
		resp := answerOf(newGuard(t, nil).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.before != nil {
				w.Header()["Vary"] = tt.before
			}
			session.From(r.Context()).Get("a")
		})), get(t, "https", "/", "shop.test"))
		if got := resp.Header["Vary"]; !slices.Equal(got, tt.want) {
			t.Errorf("%q becomes %q, want %q", tt.before, got, tt.want)
		}
	}
}

// A handler that http.TimeoutHandler has given up on must not reach the response with its cookies.
func TestTimeoutHandler(t *testing.T) {
	late := make(chan error)
	release := make(chan struct{})
	h := newGuard(t, nil).Wrap(http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		late <- lockstep.SetCookie(w, r, lockstep.Cookie{Name: "a", Value: "1"})
	}), time.Millisecond, ""))
	resp := answerOf(h, get(t, "https", "/", "shop.test"))
	close(release)
	if err := <-late; err == nil {
		t.Error("SetCookie gives no error")
	}
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header["Set-Cookie"] != nil || resp.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
	}
}
