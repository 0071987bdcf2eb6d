package lab_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-http/lockstep/internal/lab"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// say sends bytes to a server at an origin and returns the answer.
func say(t *testing.T, origin, text string) *http.Response {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "HOST", strings.TrimPrefix(origin, "http://"))); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// TestBytes sends what no client of a library sends. Nothing of it gets past the check of the host.
func TestBytes(t *testing.T) {
	at := startLab(t)
	for _, q := range []struct {
		name, text string
		status     int
	}{
		{"the page", "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n", 200},
		{"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n", 421},
		{"a URL of somebody else", "GET http://evil.test/ HTTP/1.1\r\nHost: HOST\r\n\r\n", 421},
		{"a tunnel", "CONNECT evil.test:443 HTTP/1.1\r\nHost: HOST\r\n\r\n", 421},
		{"all of another server", "OPTIONS * HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421},
		{"a trailing dot", "GET / HTTP/1.1\r\nHost: HOST.\r\n\r\n", 421},
		{"two lengths", "POST /api/run HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
		{"two hosts", "GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil.test\r\n\r\n", 400},
		{"a header without end", "GET / HTTP/1.1\r\nHost: HOST\r\nA: " + strings.Repeat("x", 64<<10), 431},
	} {
		t.Run(q.name, func(t *testing.T) {
			answer := say(t, at, q.text)
			if answer.StatusCode != q.status || answer.Header.Get("Set-Cookie") != "" {
				t.Errorf("status %d, want %d: %v", answer.StatusCode, q.status, answer.Header)
			}
		})
	}
}

// A broken library panics, and a slow one has its runs stopped.
type (
	broken struct{ *lesson.Library }
	slow   struct{ *lesson.Library }
)

func (broken) Run(context.Context, lesson.Setup) (*lesson.Run, error) { panic("a defect") }

// Run ends as a run does on a machine that has no time for it.
func (s slow) Run(ctx context.Context, setup lesson.Setup) (*lesson.Run, error) {
	ctx, cancel := context.WithDeadline(ctx, time.Now())
	defer cancel()
	return s.Library.Run(ctx, setup)
}

// TestSlowRun has a run stopped for want of time: that is no mistake of the page, and may be asked again.
func TestSlowRun(t *testing.T) {
	w := httptest.NewRecorder()
	withLibrary(t, func(l *lesson.Library) lab.Library { return slow{l} }).ServeHTTP(w, question{method: "POST", path: "/api/run", header: own, body: `{}`}.request())
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "too long") {
		t.Errorf("status %d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
}

// withLibrary is a server over another library.
func withLibrary(t *testing.T, other func(*lesson.Library) lab.Library) *lab.Server {
	t.Helper()
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	library, err := lesson.New(lesson.Options{Catalogue: catalogue})
	if err != nil {
		t.Fatal(err)
	}
	s, err := lab.New(lab.Options{Library: other(library), Catalogue: catalogue, Host: "localhost", Port: 8400})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDefect holds the answer of a handler that panics to the headers of every other one.
func TestDefect(t *testing.T) {
	s := withLibrary(t, func(l *lesson.Library) lab.Library { return broken{l} })
	for range 10 { // more often than may run at a time
		w := httptest.NewRecorder()
		s.ServeHTTP(w, question{method: "POST", path: "/api/run", header: own, body: `{}`}.request())
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "a defect") {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		headersOf(t, w)
	}
}

// TestConnections opens more connections than there may be: the ones too many are told so, and when others
// have gone there is room again.
func TestConnections(t *testing.T) {
	server := httptest.NewUnstartedServer(newServer())
	server.Config.ConnState = lab.Limited(3)
	server.Start()
	defer server.Close()
	var open []net.Conn
	for range 3 {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second)) // one that is let in hears nothing
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Fatalf("the fourth connection: %v, %v", answer, err)
	}
	answer.Body.Close()
	for _, c := range open {
		c.Close()
	}
	for { // the server notices a moment later
		answer := say(t, "http://"+server.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n")
		if answer.StatusCode == http.StatusMisdirectedRequest { // it has another port than it was told
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestThousandPages opens the page, runs a scenario and looks on from a thousand pages at once, over real
// connections. Each is answered with what it asked for or with when to come again, the page itself is
// always there, and afterwards nothing is left of it.
func TestThousandPages(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens a thousand pages")
	}
	const pages = 1000
	at := startLab(t)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: pages}}
	fetch(t, client, http.MethodGet, at+"/", "").Body.Close()
	before := runtime.NumGoroutine()
	var served, busy atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	ask := func(method, path, body string) int {
		r, err := http.NewRequestWithContext(ctx, method, at+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return 0
		}
		if path != "/api/site/visits" {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		switch {
		case answer.StatusCode == http.StatusOK:
			served.Add(1)
		case answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
			busy.Add(1)
		default:
			t.Errorf("%s: status %d", path, answer.StatusCode)
		}
		return answer.StatusCode
	}
	var all sync.WaitGroup
	for range pages {
		all.Go(func() {
			if got := ask(http.MethodGet, "/", ""); got != http.StatusOK {
				t.Errorf("the page: status %d", got)
			}
			if got := ask(http.MethodGet, "/api/library", ""); got != http.StatusOK {
				t.Errorf("the library: status %d", got)
			}
			ask(http.MethodPost, "/api/run", `{"switches": {"SESSION_COOKIE_SECURE": "False"}}`)
			ask(http.MethodGet, "/api/site/visits", "")
		})
	}
	all.Wait()
	t.Logf("%d served, %d told to come again", served.Load(), busy.Load())
	if ask(http.MethodPost, "/api/run", `{}`) != http.StatusOK {
		t.Error("the lab does not come back")
	}
	cancel()
	client.CloseIdleConnections()
	for try := 0; runtime.NumGoroutine() > before+20; try++ {
		if try == 500 {
			t.Fatalf("%d goroutines are left, and there were %d", runtime.NumGoroutine(), before)
		}
		client.CloseIdleConnections()
		time.Sleep(20 * time.Millisecond)
	}
}

// pipes is a listener of connections in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8400} }

// TestSlowPaste has somebody whose pasted text never arrives: who comes after is served.
func TestSlowPaste(t *testing.T) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	library, err := lesson.New(lesson.Options{Catalogue: catalogue})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := lab.New(lab.Options{Library: library, Catalogue: catalogue, Host: "localhost", Port: 8400})
		if err != nil {
			t.Fatal(err)
		}
		server, l := s.HTTP(), make(pipes)
		go server.Serve(l)
		defer server.Close()
		defer close(l)
		paste := func(text string) net.Conn {
			c, theirs := net.Pipe()
			l <- theirs
			_, err := io.WriteString(c, "POST /api/explain HTTP/1.1\r\nHost: localhost:8400\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n"+text)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for _, one := range []struct {
			c      net.Conn
			status int
		}{
			{paste("{"), http.StatusBadRequest},
			{paste(`{"kind":"line","text":"a=b; Secure","url":"https://a.test/"}`), http.StatusOK},
		} {
			defer one.c.Close()
			answer, err := http.ReadResponse(bufio.NewReader(one.c), nil)
			if err != nil || answer.StatusCode != one.status {
				t.Fatalf("got %v, %v, want status %d", answer, err, one.status)
			}
			answer.Body.Close()
		}
	})
}
