package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/site"
)

var update = flag.Bool("update", false, "rewrite expected output in scripts and documents")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lockstep": main})
}

// TestScripts runs the program as a person would: every script is a session at a terminal, with the
// sites of this test to talk to.
func TestScripts(t *testing.T) {
	sites := newSites(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			for name, value := range sites.env {
				env.Setenv(name, value)
			}
			env.Setenv("FREE", freePort(t))
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else every command takes a second under -race
			return os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), sites.ca, 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"answers": answers,
			"pause":   pause,
			"appears": appears,
		},
	})
}

// exits CODE COMMAND runs a command that ends with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT ...]")
	}
	code := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// answers ADDRESS waits until something listens there.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	var d net.Dialer
	for range 1200 { // a minute, for a busy machine with -race
		conn, err := d.DialContext(context.Background(), "tcp", args[0])
		if err == nil {
			conn.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nothing listens on %s", args[0])
}

// appears FILE REGEXP waits until a file that a command writes holds a text.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	wanted := regexp.MustCompile(args[1])
	for range 1200 {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && wanted.Match(text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not hold %s", args[0], args[1])
}

// pause DURATION waits, where there is nothing to ask.
func pause(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}

// Sites are what the scripts trace: each by the name of an environment variable.
type sites struct {
	env map[string]string
	ca  []byte
}

func newSites(t *testing.T) sites {
	t.Helper()
	authority, err := cert.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	guard, err := lockstep.New(scenario.LessonSettings("shop.test"), lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := sites{env: map[string]string{}, ca: authority.PEM()}
	serve := func(name string, h http.Handler) {
		l := loopback(t)
		server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
		go server.Serve(listen.Both(l, authority.ServerConfig(time.Now)))
		t.Cleanup(func() { server.Close() })
		s.env[name] = port(l)
	}
	serve("GUARDED", guard.Wrap(&site.App{Default: site.Page{Do: site.Counter}}))
	serve("BARE", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }))
	serve("LOOP", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+"/", http.StatusMovedPermanently)
	}))
	serve("UNTOLD", untoldProxy(t))
	serve("WAYS", http.HandlerFunc(ways))
	serve("BIG", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Filler", strings.Repeat("x", 1<<20))
	}))
	serve("STRANGE", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, line := range []string{"\x1b[31mred=1", "=", "a=" + strings.Repeat("x", 5000), "é=\xff\xfe; Domain=\xff", ";;;", "ok=1; Secure"} {
			w.Header().Add("Set-Cookie", line)
		}
	}))
	serve("ACCOUNTS", accounts(t))
	serve("CONTEXTS", contexts())
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "sid=1")
	}))
	t.Cleanup(plain.Close)
	s.env["PLAIN"] = port(plain.Listener)
	silent := loopback(t)
	go func() { // takes connections and never answers; those that nobody holds would be closed
		var held []net.Conn
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			held = append(held, conn)
			defer held[len(held)-1].Close()
		}
	}()
	s.env["SILENT"] = port(silent)
	return s
}

// ways is a site with a page for each diagnosis, and a redirect to whatever the query names.
func ways(w http.ResponseWriter, r *http.Request) {
	to := map[string]string{"/a": "/a/", "/a/": "/a", "/account": "/in", "/in": "/account", "/to": r.URL.Query().Get("u")}[r.URL.Path]
	switch r.URL.Path {
	case "/in":
		w.Header().Set("Set-Cookie", "sid=1; Path=/in")
	case "/mixed":
		fmt.Fprint(w, "<!doctype html><script src=http://cdn.test/a.js></script><img src=http://cdn.test/a.png><form method=post action=http://shop.test/pay><input name=card></form>")
	case "/endless":
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}
	if to != "" {
		w.Header()["Location"] = []string{to}
		w.WriteHeader(http.StatusFound)
	}
}

// accounts is a site behind the Guard whose login form has a token.
func accounts(t *testing.T) http.Handler {
	t.Helper()
	guard, err := lockstep.New(scenario.LessonSettings("shop.test", "127.0.0.1"), lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.PostFormValue("password") == "correct horse":
			if err := lockstep.Login(r, lockstep.User{ID: r.PostFormValue("username"), Password: "x"}); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			http.Redirect(w, r, "/", http.StatusFound)
		case r.URL.Path == "/login":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, "<form method=post>%s<input name=username><input type=password name=password></form>", lockstep.CSRFField(r))
		default:
			fmt.Fprintln(w, "hello")
		}
	}))
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func port(l net.Listener) string {
	_, p, _ := net.SplitHostPort(l.Addr().String())
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l := loopback(t)
	defer l.Close()
	return port(l)
}

// TestWriteErrors holds that output that could not be written is a failure.
func TestWriteErrors(t *testing.T) {
	var stderr bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: full{}, stderr: &stderr}
	if code := run(t.Context(), []string{"demo"}, p); code != exitFailed || !strings.Contains(stderr.String(), "writing the output") {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestProgress holds that a terminal is told how far the playing of a recording is, that the line does not
// stay, and that a file is told nothing.
func TestProgress(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run.har")
	const text = `{"log":{"entries":[{"startedDateTime":"2026-11-25T20:31:03Z","request":{"url":"https://shop.test/","headers":[{"name":"Cookie","value":"a=1"}]}}]}}`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	told := "\r\x1b[K\r\x1b[Kplaying " + name + " ... 1 of 1 requests\r\x1b[K"
	for _, c := range []struct {
		terminal bool
		format   string
		want     string
	}{{true, "table", told}, {true, "html", told}, {true, "json", "\r\x1b[K\r\x1b[K"}, {false, "table", ""}} {
		var stdout, stderr bytes.Buffer
		p := &program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, terminal: c.terminal}
		if code := run(t.Context(), []string{"trace", "--har", name, "--format", c.format}, p); code != exitOK || stderr.String() != c.want {
			t.Errorf("%+v: exit %d, %q on standard error", c, code, stderr.String())
		}
	}
}

// TestRecordingIsStopped holds that nobody waits for the end of a long recording, be it read or played.
func TestRecordingIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	reading := &endless{stop: stop}
	var stderr bytes.Buffer
	p := &program{stdin: reading, stdout: io.Discard, stderr: &stderr}
	if code := run(ctx, []string{"trace", "--har", "-"}, p); code != exitFailed || !strings.Contains(stderr.String(), "stopped") || reading.reads != 3 {
		t.Errorf("reading: exit %d after %d reads, %q", code, reading.reads, stderr.String())
	}

	const entry = `{"startedDateTime":"2026-11-25T20:31:03Z","request":{"url":"https://shop.test/","headers":[{"name":"Cookie","value":"a=1"}]}}`
	ctx, stop = context.WithCancel(t.Context())
	playing := &stopsAtOutput{stop: stop}
	stderr.Reset()
	p = &program{stdin: strings.NewReader(`{"log":{"entries":[` + strings.Repeat(entry+",", 5000) + entry + `]}}`), stdout: playing, stderr: &stderr}
	if code := run(ctx, []string{"trace", "--har", "-", "--format", "json"}, p); code != exitFailed || !strings.Contains(stderr.String(), "stopped") || playing.bytes > 256<<10 {
		t.Errorf("playing: exit %d after %d bytes, %q", code, playing.bytes, stderr.String())
	}
}

// An endless recording is stopped at the third time that something is read of it.
type endless struct {
	stop  context.CancelFunc
	reads int
}

func (e *endless) Read(b []byte) (int, error) {
	switch e.reads++; e.reads {
	case 3:
		e.stop()
	case 100:
		return 0, io.EOF // so that a program that does not stop ends
	}
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// stopsAtOutput stops at the first output.
type stopsAtOutput struct {
	stop  context.CancelFunc
	bytes int
}

func (s *stopsAtOutput) Write(b []byte) (int, error) {
	s.stop()
	s.bytes += len(b)
	return len(b), nil
}
