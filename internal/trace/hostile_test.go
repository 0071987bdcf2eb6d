package trace_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// streams serves every connection by answer, which gets the path that was asked for and may write for as
// long as somebody reads.
func streams(t *testing.T, answer func(w io.Writer, path string)) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				path := ""
				var request []byte
				for piece := make([]byte, 64<<10); !bytes.Contains(request, []byte("\r\n\r\n")); {
					n, err := conn.Read(piece)
					if err != nil {
						return
					}
					request = append(request, piece[:n]...)
				}
				fmt.Sscanf(string(request), "GET %s", &path)
				answer(conn, path)
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/"
}

// forEver writes piece until nobody reads any more.
func forEver(w io.Writer, piece string) {
	text := []byte(strings.Repeat(piece, 1+(32<<10)/len(piece)))
	for {
		if _, err := w.Write(text); err != nil {
			return
		}
	}
}

// drip writes one octet after the other, with a pause before each.
func drip(w io.Writer, text string) {
	for i := range text {
		time.Sleep(20 * time.Millisecond)
		if _, err := io.WriteString(w, text[i:i+1]); err != nil {
			return
		}
	}
}

func bomb(t *testing.T) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 256 {
		w.Write(zeros)
	}
	w.Close()
	return packed.String()
}

// TestHostileServers holds that whatever a server does ends within the limits, by a rule, and costs less
// memory than it could send. That a case ends at all is seen by the test ending.
func TestHostileServers(t *testing.T) {
	const page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
	packed := bomb(t)
	for _, c := range []struct {
		name    string
		answer  func(w io.Writer, path string)
		rule    rule.ID
		notes   []rule.ID
		cookies int // that were looked at
	}{
		{"a body without end", func(w io.Writer, _ string) {
			io.WriteString(w, page+"Set-Cookie: a=1\r\n\r\n")
			forEver(w, "<form><input name=a>")
		}, "connect-ok", []rule.ID{"note-body-left"}, 1},
		{"a chunk without end", func(w io.Writer, _ string) {
			io.WriteString(w, page+"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n")
			forEver(w, "x")
		}, "connect-ok", []rule.ID{"note-body-left"}, 0},
		{"a chunk whose length has no end", func(w io.Writer, _ string) {
			io.WriteString(w, page+"Transfer-Encoding: chunked\r\n\r\n1;")
			forEver(w, "x")
		}, "connect-ok", []rule.ID{"note-body-left"}, 0},
		{"a page without end of elements in each other", func(w io.Writer, _ string) {
			io.WriteString(w, page+"\r\n")
			forEver(w, "<div><table><tr><td>")
		}, "connect-ok", []rule.ID{"note-body-left"}, 0},
		{"a header without end", func(w io.Writer, _ string) { io.WriteString(w, page); forEver(w, "X: y\r\n") }, "connect-header-too-big", nil, 0},
		{"a line without end", func(w io.Writer, _ string) { io.WriteString(w, page+"X: "); forEver(w, "x") }, "connect-header-too-big", nil, 0},
		{"a line of 10 MB", func(w io.Writer, _ string) {
			io.WriteString(w, page+"X: "+strings.Repeat("x", 10<<20)+"\r\n\r\n")
		}, "connect-header-too-big", nil, 0},
		{"a status line without end", func(w io.Writer, _ string) { forEver(w, "HTTP/1.1 200 ") }, "connect-header-too-big", nil, 0},
		{"1xx without end", func(w io.Writer, _ string) { forEver(w, "HTTP/1.1 103 Early Hints\r\n\r\n") }, "connect-bad-answer", nil, 0},
		{"10,000 cookies", func(w io.Writer, _ string) {
			io.WriteString(w, page)
			for i := range 10000 {
				fmt.Fprintf(w, "Set-Cookie: c%d=%d\r\n", i, i)
			}
			io.WriteString(w, "Content-Length: 0\r\n\r\n")
		}, "connect-ok", []rule.ID{"note-too-many-cookie-lines"}, 200},
		{"10,000 fields", func(w io.Writer, _ string) {
			io.WriteString(w, page+"Set-Cookie: a=1\r\n")
			for i := range 10000 {
				fmt.Fprintf(w, "X-%d: %d\r\n", i, i)
			}
			io.WriteString(w, "Content-Length: 0\r\n\r\n")
		}, "connect-ok", nil, 1},
		{"a bomb", func(w io.Writer, _ string) {
			io.WriteString(w, page+"Content-Encoding: gzip\r\nSet-Cookie: a=1\r\n\r\n"+packed)
		}, "connect-ok", []rule.ID{"note-body-encoded"}, 1},
		{"a bomb in a bomb", func(w io.Writer, _ string) {
			io.WriteString(w, page+"Content-Encoding: br, gzip\r\nContent-Encoding: deflate\r\n\r\n"+packed)
		}, "connect-ok", []rule.ID{"note-body-encoded"}, 0},
		{"a header that drips", func(w io.Writer, _ string) { drip(w, page+strings.Repeat("X: y\r\n", 1000)) }, "connect-timeout", nil, 0},
		{"a body that drips", func(w io.Writer, _ string) {
			io.WriteString(w, page+"Set-Cookie: a=1\r\n\r\n")
			drip(w, strings.Repeat("x", 1000))
		}, "connect-ok", []rule.ID{"note-body-left"}, 1},
		{"nothing", func(w io.Writer, _ string) { time.Sleep(time.Second) }, "connect-timeout", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := streams(t, c.answer)
			client := client()
			client.Timeout = 500 * time.Millisecond
			if c.rule != "connect-timeout" && !strings.Contains(c.name, "drips") {
				client.Timeout = time.Minute // what ends, ends by another limit
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v, err := client.Visit(t.Context(), http.MethodGet, url, nil)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := v.Last().Verdict(rule.Connect, "")
			if got.Rule != c.rule || !slices.Equal(got.Notes, c.notes) {
				t.Errorf("%s %v, want %s %v; %+v", got.Rule, got.Notes, c.rule, c.notes, got.Facts)
			}
			if n := len(v.Last().All(rule.StoreCookie)); n != c.cookies {
				t.Errorf("%d cookies were looked at, want %d", n, c.cookies)
			}
			// The server of the test allocates as well; 200 MB is far less than any of them sends.
			if used := after.TotalAlloc - before.TotalAlloc; used > 200<<20 {
				t.Errorf("%d MB were allocated", used>>20)
			}
		})
	}
}

// TestHostileRedirects is about what a visit of redirects may cost: as many as are followed, each with the
// largest header that is read.
func TestHostileRedirects(t *testing.T) {
	url := streams(t, func(w io.Writer, path string) {
		fmt.Fprintf(w, "HTTP/1.1 302 Found\r\nLocation: %sx\r\n", path)
		for i := range 200 {
			fmt.Fprintf(w, "Set-Cookie: %s%d%s=%s; Path=%[1]s\r\n", path[1:], i, strings.Repeat("n", 500), strings.Repeat("v", 600))
		}
		io.WriteString(w, "Content-Length: 0\r\n\r\n")
	})
	c := client()
	v, err := c.Visit(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := v.Diagnosis(); len(v.Hops) != 20 || d.Rule != "loop-growing" {
		t.Errorf("%d hops, diagnosis %+v, last %+v", len(v.Hops), d, v.Last().Response == nil)
	}
	var held runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&held)
	if held.HeapAlloc > 200<<20 {
		t.Errorf("%d MB are held after it", held.HeapAlloc>>20)
	}
	var saved bytes.Buffer
	if err := (&trace.Run{Visits: []trace.Visit{v}}).WriteJSON(&saved); err != nil {
		t.Fatal(err)
	}
	if _, err := trace.ReadJSON(&saved); err != nil {
		t.Errorf("reading it again: %v", err)
	}
}

// TestForeignSchemes holds that no redirect leads out of http and https, however the scheme is written.
func TestForeignSchemes(t *testing.T) {
	for _, location := range []string{
		"file:///etc/passwd", "FILE:///etc/passwd", "data:text/html,x", "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)",
		"ftp://shop.test/", "about:blank", "blob:http://shop.test/x", "ws://shop.test/", "view-source:http://shop.test/", "gopher://127.0.0.1:6379/_x",
		"unix:/run/docker.sock", "mailto:a@shop.test", "x:y", " file:///etc/passwd",
	} {
		url := streams(t, func(w io.Writer, _ string) {
			io.WriteString(w, "HTTP/1.1 302 Found\r\nLocation: "+location+"\r\nContent-Length: 0\r\n\r\n")
		})
		v, err := client().Visit(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := rulesOf(v.Last(), rule.FollowRedirect); len(v.Hops) != 1 || !slices.Equal(got, []rule.ID{"follow-other-scheme"}) {
			t.Errorf("%q: %d hops, %v", location, len(v.Hops), got)
		}
	}
}

// TestStopsAnywhere holds that a run is stopped wherever it stands, and says so.
func TestStopsAnywhere(t *testing.T) {
	for name, answer := range map[string]func(w io.Writer, path string){
		"in a header": func(w io.Writer, _ string) { drip(w, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: y\r\n", 1000)) },
		"in a body": func(w io.Writer, _ string) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\n")
			drip(w, strings.Repeat("x", 1000))
		},
		"between redirects": func(w io.Writer, path string) {
			time.Sleep(20 * time.Millisecond)
			io.WriteString(w, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "+path+"x\r\n\r\n")
		},
		"before the answer": func(io.Writer, string) { time.Sleep(time.Second) },
		"in an endless page": func(w io.Writer, _ string) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\n")
			drip(w, strings.Repeat("x", 1000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			run, err := client().Lesson(ctx, streams(t, answer))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("stopped with %v", err)
			}
			for _, v := range run.Visits {
				if offered, ok := v.Last().Verdict(rule.OfferHTTPS, ""); ok {
					t.Errorf("a run that was stopped says %+v", offered)
				}
			}
		})
	}
}

// TestVisitEnds holds that a visit ends in its time, although each of its requests does: here each takes
// nine seconds of ten. With a longer time for one request, that is the time of the visit, too.
func TestVisitEnds(t *testing.T) {
	for _, c := range []struct {
		timeout, ends time.Duration
	}{{10 * time.Second, time.Minute}, {90 * time.Second, 90 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			client := client()
			client.Timeout = c.timeout
			client.Dial = func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					path, request := "", make([]byte, 4096)
					if n, _ := theirs.Read(request); n > 0 {
						fmt.Sscanf(string(request[:n]), "GET %s", &path)
						time.Sleep(9 * time.Second)
						fmt.Fprintf(theirs, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %sx\r\n\r\n", path)
					}
				}()
				return ours, nil
			}
			began := time.Now()
			v, err := client.Visit(t.Context(), http.MethodGet, "http://shop.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			why, _ := v.Last().Verdict(rule.Connect, "")
			if took := time.Since(began); why.Rule != "connect-timeout" || took != c.ends {
				t.Errorf("%s after %v and %d requests, want the end after %v", why.Rule, took, len(v.Hops), c.ends)
			}
			time.Sleep(10 * time.Second) // the last server notices
		})
	}
}
