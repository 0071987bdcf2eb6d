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
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// says serves one answer, byte for byte, to everybody who connects.
func says(t *testing.T, text string) string {
	t.Helper()
	return streams(t, func(w io.Writer, _ string) { io.WriteString(w, text) })
}

func client() *trace.Client {
	return &trace.Client{Browser: &browser.Browser{}, Timeout: 5 * time.Second}
}

func rulesOf(h *trace.Hop, q rule.Question) []rule.ID {
	var ids []rule.ID
	for _, v := range h.All(q) {
		ids = append(ids, v.Rule)
	}
	return ids
}

// TestAnswers is about what servers send, byte for byte: what becomes of each cookie, and of the
// answer itself.
func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, answer string
		connect      rule.ID
		stored       []rule.ID
	}{
		{"plain", ok + "Set-Cookie: a=1\r\n\r\n", "connect-ok", []rule.ID{"store-ok"}},
		{"a name in lower case", ok + "set-cookie: a=1\r\nSET-COOKIE: b=2\r\n\r\n", "connect-ok", []rule.ID{"store-ok", "store-ok"}},
		{"a control character spoils its cookie only", ok + "Set-Cookie: a=\x01\r\nSet-Cookie: b=\x7f\r\nSet-Cookie: c=3\r\n\r\n", "connect-ok", []rule.ID{"store-control-char", "store-control-char", "store-ok"}},
		{"bytes that are no UTF-8", ok + "Set-Cookie: a=\xff\xfe\r\n\r\n", "connect-ok", []rule.ID{"store-ok"}},
		{"a line that goes on", ok + "Set-Cookie: a=1;\r\n Path=/x\r\n\r\n", "connect-ok", []rule.ID{"store-ok"}},
		{"line feeds only", "HTTP/1.1 200 OK\nSet-Cookie: a=1\n\n", "connect-ok", []rule.ID{"store-ok"}},
		{"1xx before it", "HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\n\r\n" + ok + "Set-Cookie: a=1\r\n\r\n", "connect-ok", []rule.ID{"store-ok"}},
		{"1xx for ever", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50), "connect-bad-answer", nil},
		{"an empty answer", "", "connect-closed", nil},
		{"half a header", ok + "Set-Cookie: a=1\r\n", "connect-closed", nil},
		{"another protocol", "220 mail.shop.test ESMTP\r\n\r\n", "connect-bad-answer", nil},
		{"a NUL", ok + "X: \x00\r\n\r\n", "connect-bad-answer", nil},
		{"a name with a space", ok + "Set Cookie: a=1\r\nX : y\r\n\r\n", "connect-ok", nil},
		{"a header without end", ok + "X: " + strings.Repeat("x", 300<<10), "connect-header-too-big", nil},
		{"a body that ends early", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nSet-Cookie: a=1\r\n\r\nabc", "connect-ok", []rule.ID{"store-ok"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := client().Visit(t.Context(), http.MethodGet, says(t, c.answer), nil)
			if err != nil {
				t.Fatal(err)
			}
			h := v.Last()
			if got := rulesOf(h, rule.Connect); !slices.Equal(got, []rule.ID{c.connect}) {
				t.Errorf("connect: %v, want %s; %+v", got, c.connect, h.Verdicts)
			}
			if got := rulesOf(h, rule.StoreCookie); !slices.Equal(got, c.stored) {
				t.Errorf("store cookie: %v, want %v", got, c.stored)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	for _, target := range []string{"", "shop.test", "ftp://shop.test/", "http://", "http://[::1", "http://%zz/", "file:///etc/passwd", "http:shop.test"} {
		if v, err := client().Visit(t.Context(), http.MethodGet, target, nil); err == nil || len(v.Hops) > 0 {
			t.Errorf("%q was visited: %v", target, v)
		}
	}
}

// TestEndlessBody holds that a body without end is left, not read for ever.
func TestEndlessBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	started := time.Now()
	v, err := client().Visit(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil || v.Last().Response == nil || time.Since(started) > 4*time.Second {
		t.Errorf("no answer in time: %v, %+v", err, v)
	}
}

func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	if _, err := client().Visit(ctx, http.MethodGet, server.URL, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
}

// TestRedirects follows as a browser does: method, limit and loop.
func TestRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /form", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/done", http.StatusFound) })
	mux.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, c := range []struct {
		method, path, last string
		hops               int
		rule               rule.ID
	}{
		{"POST", "/form", "GET", 2, "follow-redirect"},
		{"GET", "/loop", "GET", 2, "follow-loop"},
		{"GET", "/out", "GET", 1, "follow-other-scheme"},
	} {
		v, err := client().Visit(t.Context(), c.method, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Hops) != c.hops || v.Last().Method != c.last {
			t.Errorf("%s: %d hops, the last a %s; want %d and %s", c.path, len(v.Hops), v.Last().Method, c.hops, c.last)
		}
		var followed []rule.ID
		for i := range v.Hops {
			followed = append(followed, rulesOf(&v.Hops[i], rule.FollowRedirect)...)
		}
		if !slices.Contains(followed, c.rule) {
			t.Errorf("%s: %v, want %s", c.path, followed, c.rule)
		}
	}
}

// TestValuesAreShortened holds that no cookie value gets into a run, whole.
func TestValuesAreShortened(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwxyz012345"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "sessionid="+secret+"; HttpOnly")
		w.Header().Add("Set-Cookie", `q="x;`+secret+`"; Path=/q`)
		w.Header().Add("X-Auth-Token", secret)
		w.Header().Add("Set-Cookie", secret)
	}))
	defer server.Close()
	c := client()
	var run trace.Run
	for range 2 {
		v, err := c.Visit(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		run.Visits = append(run.Visits, v)
	}
	if got := run.Visits[1].Hops[0].Cookie; got != "sessionid=abcd…; abcd…" {
		t.Errorf("the Cookie header is kept as %q", got)
	}
	var out bytes.Buffer
	if err := run.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	s := trace.Tell(run, "", nobody)
	s.WriteTable(&out, true)
	s.WriteMarkdown(&out, true)
	s.WriteTranscript(&out, true)
	if strings.Contains(out.String(), secret[:5]) {
		t.Errorf("a value was written:\n%s", out.String())
	}
}

func nobody(rule.ID) (rule.Rule, bool) { return rule.Rule{}, false }

// TestWatch pairs verdicts by connection: two clients at a time each get their own.
func TestWatch(t *testing.T) {
	var watch trace.Watch
	server := httptest.NewUnstartedServer(watch.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule.FromContext(r.Context()).Record(rule.Verdict{Side: rule.Site, Question: rule.IsSecure, Subject: r.URL.Path})
	})))
	server.Config.ConnState = watch.ConnState
	server.Start()
	defer server.Close()
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			c := client()
			c.Watch = &watch
			path := fmt.Sprintf("/%d", i)
			v, err := c.Visit(context.Background(), http.MethodGet, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := v.Last().Verdict(rule.IsSecure, "")
			if !v.Last().Known || !ok || got.Subject != path {
				t.Errorf("got the verdict %+v of a site that is known: %v", got, v.Last().Known)
			}
		})
	}
	// A request that net/http refuses never reaches the site: nothing is known of it, at once.
	c := client()
	c.Watch = &watch
	started := time.Now()
	v, err := c.Visit(t.Context(), http.MethodGet, server.URL, http.Header{"X": {strings.Repeat("x", 2<<20)}})
	if err != nil || v.Last().Known {
		t.Errorf("known: %v, %v", v, err)
	}
	if time.Since(started) > 900*time.Millisecond {
		t.Error("it waited for a request that never came")
	}
}

func TestParseConnectTo(t *testing.T) {
	for _, c := range []struct {
		text string
		want trace.ConnectTo
	}{
		{"shop.test:80:127.0.0.1:8080", trace.ConnectTo{Host: "shop.test", Port: "80", ToHost: "127.0.0.1", ToPort: "8080"}},
		{"::127.0.0.1:8080", trace.ConnectTo{ToHost: "127.0.0.1", ToPort: "8080"}},
		{"SHOP.test:443:[::1]:8443", trace.ConnectTo{Host: "shop.test", Port: "443", ToHost: "::1", ToPort: "8443"}},
		{"[::1]:80::81", trace.ConnectTo{Host: "::1", Port: "80", ToPort: "81"}},
		{"a:::", trace.ConnectTo{Host: "a"}},
	} {
		got, err := trace.ParseConnectTo(c.text)
		if err != nil || got != c.want {
			t.Errorf("%q is %+v, %v; want %+v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", "a", "a:1", "a:1:b", "a:x:b:2", "a:1:b:70000", "a:1:b:2:c", "[::1:80:b:2"} {
		if got, err := trace.ParseConnectTo(text); err == nil {
			t.Errorf("%q is %+v, want an error", text, got)
		}
	}
}

func FuzzConnectTo(f *testing.F) {
	f.Add("shop.test:80:[::1]:8080")
	f.Fuzz(func(t *testing.T, text string) {
		trace.ParseConnectTo(text)
	})
}

// FuzzAnswer gives a Client whatever bytes: it neither panics nor waits, and what it keeps can be
// written and read again.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 301 Moved\r\nLocation: /x\r\nSet-Cookie: a=\x01\r\nStrict-Transport-Security: max-age=1\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := client()
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				theirs.Read(make([]byte, 4096))
				theirs.Write(answer)
			}()
			return ours, nil
		}
		v, err := c.Visit(t.Context(), http.MethodGet, "http://shop.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		run := trace.Run{Visits: []trace.Visit{v}}
		var saved bytes.Buffer
		if err := run.WriteJSON(&saved); err != nil {
			t.Fatal(err)
		}
		again, err := trace.ReadJSON(&saved)
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		for _, r := range []trace.Run{run, again} {
			var out bytes.Buffer
			s := trace.Tell(r, "", nobody)
			s.WriteTable(&out, true)
			s.WriteTranscript(&out, true)
			if i := strings.IndexFunc(out.String(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x9b }); i >= 0 {
				t.Errorf("a control character was written: %q", out.String()[i:])
			}
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`{"schema":"lockstep.trace/1","kind":"hop","visit":1,"hop":1,"request":{"typed":"http://shop.test/","method":"GET","url":"http://shop.test/"}}`)
	const stored = `
{"schema":"lockstep.trace/1","kind":"verdict","visit":1,"hop":1,"verdict":{"side":"browser","question":"store cookie","subject":"a","yes":true,"rule":"store-ok"}}`
	f.Add(`{"schema":"lockstep.trace/1","kind":"hop","visit":1,"hop":1,"request":{"title":"a script","typed":"","method":"SCRIPT","url":"http://shop.test/"}}` + stored)
	f.Add(`{"schema":"lockstep.trace/1","kind":"hop","visit":1,"hop":1,"request":{"context":{"as":"fetch"},"method":"GET","url":"http://shop.test/","sent":[{"name":"Access-Control-Request-Method","value":""}]}}` + stored)
	f.Add(`{"schema":"lockstep.trace/1","kind":"verdict","visit":0,"hop":0,"verdict":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		run, err := trace.ReadJSON(strings.NewReader(text))
		if err != nil {
			return
		}
		s := trace.Tell(run, "", nobody)
		s.WriteTable(io.Discard, true)
		s.WriteMarkdown(io.Discard, true)
		s.WriteTranscript(io.Discard, true)
		sides := trace.Sides{{Profile: "one", Story: &s}, {Profile: "two", Story: &s}}
		sides.WriteTable(io.Discard, true)
		sides.WriteMarkdown(io.Discard, true)
		if err := errors.Join(sides.WriteJSON(io.Discard), sides.WriteHTML(io.Discard, "", nil)); err != nil {
			t.Error(err)
		}
	})
}

func TestReadJSONRefuses(t *testing.T) {
	const hop = `{"schema":"lockstep.trace/1","kind":"hop","visit":1,"hop":1,"request":{"url":"http://shop.test/"}}`
	for text, want := range map[string]string{
		"":                              "holds no hop",
		"nonsense":                      "line 1",
		`{"schema":"lockstep.trace/2"}`: `schema "lockstep.trace/2" is not`,
		strings.Replace(hop, `"hop":1`, `"hop":2`, 1):                                   "out of order",
		strings.Replace(hop, `"visit":1`, `"visit":0`, 1):                               "count from 1",
		strings.Replace(hop, `"hop",`, `"hip",`, 1):                                     `kind "hip"`,
		hop + "\n" + strings.Replace(hop, `"visit":1`, `"visit":3`, 1):                  "line 2",
		`{"schema":"lockstep.trace/1","kind":"verdict","visit":1,"hop":1,"verdict":{}}`: "out of order",
	} {
		if _, err := trace.ReadJSON(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestHostileAnswers holds that what a hostile site can send costs no more than it is worth.
func TestHostileAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	many := strings.Builder{}
	for i := range 9000 {
		fmt.Fprintf(&many, "Set-Cookie: cookie%d=%d\r\n", i, i)
	}
	for name, answer := range map[string]string{
		"many cookies":         ok + many.String() + "\r\n",
		"a field without end":  ok + "X: a\r\n" + strings.Repeat(" b\r\n", 60000) + "\r\n",
		"many fields":          ok + strings.Repeat("A: b\r\n", 30000) + "\r\n",
		"a terminal's control": ok + "Set-Cookie: a\u009b31m=1\r\nLocation: /\u202e\u200b\U000e0001\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			url := says(t, answer)
			c := client()
			var run trace.Run
			for range 3 {
				v, err := c.Visit(t.Context(), http.MethodGet, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(v.Last().All(rule.StoreCookie)); n > 200 {
					t.Errorf("%d cookies were looked at", n)
				}
				run.Visits = append(run.Visits, v)
			}
			var out bytes.Buffer
			if err := run.WriteJSON(&out); err != nil {
				t.Fatal(err)
			}
			s := trace.Tell(run, "", nobody)
			if len(s.Cookies) > 50 {
				t.Errorf("a story of %d cookies", len(s.Cookies))
			}
			s.WriteTable(&out, true)
			s.WriteMarkdown(&out, true)
			s.WriteTranscript(&out, true)
			if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !strconv.IsPrint(r) }); i >= 0 {
				t.Errorf("written to a terminal: %q", out.String()[i:min(i+40, out.Len())])
			}
			if _, err := trace.ReadJSON(strings.NewReader(out.String()[:strings.LastIndex(out.String(), "}\n")+2])); err != nil {
				t.Errorf("reading it again: %v", err)
			}
		})
	}
}
