package trace_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// request is an entry of a recording: when it began, in milliseconds, what it carried and what came back.
func request(ms int, url, sent, received string, more ...har.Field) har.Entry {
	e := har.Entry{Started: lineTime.Add(time.Duration(ms) * time.Millisecond), Taken: 10 * time.Millisecond, Method: http.MethodGet, URL: url, Status: 200, Sent: more}
	if sent != "" {
		e.Sent = append(e.Sent, har.Field{Name: "Cookie", Value: sent})
	}
	if received != "" {
		e.Received = har.Header{{Name: "Set-Cookie", Value: received}}
	}
	return e
}

func play(t *testing.T, entries []har.Entry) (*trace.Playback, []trace.Visit) {
	t.Helper()
	var visits []trace.Visit
	p, err := trace.PlayHAR(&har.Log{Entries: entries}, &browser.Browser{}, true, func(v trace.Visit) error {
		visits = append(visits, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, visits
}

// TestPlayHARDifferences holds what a recording has against what the rules have.
func TestPlayHARDifferences(t *testing.T) {
	const page = "https://shop.test/"
	kind := func(k trace.DifferenceKind, cookie, rule string) string {
		return strings.TrimSpace(fmt.Sprintf("%s: %s %s", cookie, k, rule))
	}
	script := func(site, page string) []har.Field {
		return []har.Field{{Name: "Sec-Fetch-Mode", Value: "cors"}, {Name: "Sec-Fetch-Site", Value: site}, {Name: "Origin", Value: page}}
	}
	taking := func(e har.Entry, d time.Duration) har.Entry {
		e.Taken = d
		return e
	}
	letting := func(e har.Entry) har.Entry {
		e.Received = append(e.Received, har.Field{Name: "Access-Control-Allow-Credentials", Value: "true"})
		return e
	}
	cached, preflight, unanswered := request(100, page, "", ""), request(100, page, "", "", har.Field{Name: "Origin", Value: page}), request(100, page, "", "")
	cached.Local, preflight.Method, unanswered.Status = true, http.MethodOptions, 0
	internal := request(100, "http://shop.test/", "", "")
	internal.Received = har.Header{{Name: "Non-Authoritative-Reason", Value: "HSTS"}}
	carried := request(50, page, "a=1", "")
	for _, c := range []struct {
		name    string
		entries []har.Entry
		want    string
		before  int
	}{
		{"as the rules have it", []har.Entry{request(0, page, "", "a=1"), request(100, page, "a=1", "")}, "", 0},
		{"the file is not in the order of time", []har.Entry{request(100, page, "a=1", ""), request(0, page, "", "a=1")}, "", 0},
		{"a request that left before the answer was there", []har.Entry{request(0, page, "", "a=1"), request(5, page, "", ""), carried}, "", 0},
		{"a request cut to the millisecond in which the answer before it came", []har.Entry{taking(request(0, page, "", "a=1"), 10_900*time.Microsecond), request(10, page, "a=1", "")}, "", 0},
		{"set before the recording", []har.Entry{request(0, page, "a=1; b=2", "")}, "", 2},
		{"another value", []har.Entry{request(0, page, "", "a=1"), request(100, page, "a=2", ""), request(200, page, "a=2", "")}, kind(trace.OtherValue, "a", ""), 0},
		{"not sent", []har.Entry{request(0, page, "", "a=1"), carried, request(100, page, "", "")}, kind(trace.NotSent, "a", ""), 0},
		{"kept back and sent", []har.Entry{request(0, page, "", "a=1; Secure"), request(100, "http://shop.test/", "a=1", "")}, kind(trace.SentKept, "a", "send-secure-over-http"), 0},
		{"refused and sent", []har.Entry{request(0, page, "", "a=1; SameSite=None"), request(100, page, "a=1", "")}, kind(trace.SentUnstored, "a", "store-none-not-secure"), 0},
		{"deleted and gone", []har.Entry{request(0, page, "", "a=1"), carried, request(100, page, "a=1", "a=; Max-Age=0"), request(200, page, "", "")}, "", 0},
		{"a deletion of what was there before", []har.Entry{request(0, page, "", "a=; Max-Age=0"), request(100, page, "a=1", "")}, "", 1},
		{"two of one name", []har.Entry{request(0, page, "", "a=1"), request(50, page, "a=1", "a=2; Domain=shop.test"), request(100, page, "a=1; a=2", "")}, "", 0},
		{"an answer from the cache", []har.Entry{request(0, page, "", "a=1"), carried, cached}, "", 0},
		{"a preflight", []har.Entry{request(0, page, "", "a=1"), carried, preflight}, "", 0},
		{"no answer", []har.Entry{request(0, page, "", "a=1"), carried, unanswered}, "", 0},
		{"a redirect inside the browser", []har.Entry{request(0, page, "", "a=1"), carried, internal}, "", 0},
		{"a script of another site", []har.Entry{request(0, page, "", "a=1"), carried, request(100, page, "", "", script("cross-site", "https://evil.test")...)}, "", 0},
		{"a script of another site, and SameSite=None", []har.Entry{request(0, page, "", "a=1; SameSite=None; Secure"), carried, request(100, page, "", "", script("cross-site", "https://evil.test")...)}, "", 0},
		{"a script of another site that the answer lets read with credentials", []har.Entry{request(0, page, "", "a=1; SameSite=None; Secure"), carried, letting(request(100, page, "", "", script("cross-site", "https://evil.test")...))}, kind(trace.NotSent, "a", "untold"), 0},
		{"a script of another site with credentials", []har.Entry{request(0, page, "", "a=1; SameSite=None; Secure"), request(50, page, "", "b=1; SameSite=None; Secure"), carried, request(100, page, "b=1", "", script("cross-site", "https://evil.test")...)}, kind(trace.NotSent, "a", ""), 0},
		{"a script of the same site", []har.Entry{request(0, page, "", "a=1"), carried, request(100, page, "", "", script("same-origin", page)...)}, kind(trace.NotSent, "a", "untold"), 0},
		{"a script of the same site that sends another cookie", []har.Entry{request(0, page, "", "a=1"), request(0, page, "", "b=1"), request(50, page, "a=1; b=1", ""), request(100, page, "b=1", "", script("same-origin", page)...)}, kind(trace.NotSent, "a", ""), 0},
		{"no Cookie line at all", []har.Entry{request(0, page, "", "a=1"), request(100, page, "", "")}, "", 0},
		{"a link from another site", []har.Entry{request(0, page, "", "a=1; SameSite=Strict"), carried, request(100, page, "a=1", "", har.Field{Name: "Sec-Fetch-Mode", Value: "navigate"}, har.Field{Name: "Sec-Fetch-Site", Value: "cross-site"})}, kind(trace.SentKept, "a", "send-samesite-strict"), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := play(t, c.entries)
			var got []string
			for _, d := range p.Differences {
				got = append(got, kind(d.Kind, d.Cookie, string(d.Rule)))
			}
			for _, d := range p.Untold {
				got = append(got, kind(d.Kind, d.Cookie, "untold"))
			}
			if strings.Join(got, ", ") != c.want || p.Before != c.before {
				t.Errorf("differences %q, %d cookies from before; want %q, %d", got, p.Before, c.want, c.before)
			}
		})
	}
}

func TestPlayHARTallies(t *testing.T) {
	p, visits := play(t, []har.Entry{
		request(0, "https://shop.test/", "", "a=secret-value-of-a; Secure"),
		request(100, "https://www.shop.test/", "", "a=1; Domain=other.test"),
		request(200, "http://shop.test/", "", ""),
		request(300, "https://shop.test/", "a=secret-value-of-a", "a=2; Secure"),
	})
	want := []trace.PlayedCookie{{
		Site: "shop.test", Name: "a", Sent: 1,
		Stored: trace.Tally{{Rule: "store-ok", Times: 1}, {Rule: "store-replaced", Times: 1}}, Refused: trace.Tally{{Rule: "store-domain-mismatch", Times: 1}},
		KeptBack: trace.Tally{{Rule: "send-host-only", Times: 1}, {Rule: "send-secure-over-http", Times: 1}},
	}}
	if !reflect.DeepEqual(p.Cookies, want) {
		t.Errorf("cookies %+v, want %+v", p.Cookies, want)
	}
	if p.Requests != 4 || p.Hosts != 2 || len(visits) != 4 || len(visits[3].Last().Cookies) != 1 {
		t.Errorf("%d requests to %d hosts, %d visits", p.Requests, p.Hosts, len(visits))
	}
	var out bytes.Buffer
	if err := (&trace.Run{Visits: visits}).WriteJSON(&out); err != nil || strings.Contains(out.String(), "secret-value") {
		t.Errorf("a value is shown: %v, %s", err, out.String())
	}
	again, err := trace.ReadJSON(&out)
	if err != nil || len(again.Visits) != 4 {
		t.Errorf("what was written cannot be read: %v", err)
	}
}

// chromiumRecording is a recording of Chromium that e2e made, in which third parties are allowed.
func chromiumRecording(tb testing.TB) *har.Log {
	tb.Helper()
	f, err := os.Open("testdata/chromium.har")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	log, err := har.Read(f, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return log
}

// TestPlayHAROfChromium holds that a recording of Chromium differs in nothing from its profile, and neither
// does what other recorders would have had of the same requests. Less that is recorded leaves more open, and
// is never taken for a difference.
func TestPlayHAROfChromium(t *testing.T) {
	without := func(names ...string) func(*har.Log) {
		return func(l *har.Log) {
			for i := range l.Entries {
				e := &l.Entries[i]
				e.Sent = slices.DeleteFunc(e.Sent, func(f har.Field) bool { return slices.Contains(names, f.Name) })
			}
		}
	}
	proxied := func(l *har.Log) {
		l.Pages = nil
		for i := range l.Entries {
			l.Entries[i].Page, l.Entries[i].Kind, l.Entries[i].Parser = "", "", ""
		}
	}
	titled := func(l *har.Log) { // as Firefox has them
		for id := range l.Pages {
			l.Pages[id] = "Welcome"
		}
	}
	fetch := []string{"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User"}
	for _, c := range []struct {
		name   string
		lose   []func(*har.Log)
		untold int // times, at most
	}{
		{"as Chrome exports it", nil, 17},
		{"the pages have no URL", []func(*har.Log){titled}, 17},
		{"through a proxy", []func(*har.Log){proxied}, 40},
		{"without Sec-Fetch", []func(*har.Log){without(fetch...)}, 40},
		{"without Sec-Fetch, through a proxy", []func(*har.Log){without(fetch...), proxied}, 200},
		{"without Sec-Fetch and Accept, through a proxy", []func(*har.Log){without(append(fetch, "Accept")...), proxied}, 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := chromiumRecording(t)
			for _, lose := range c.lose {
				lose(log)
			}
			p, err := trace.PlayHAR(log, &browser.Browser{Profile: browser.Chromium()}, false, func(trace.Visit) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range p.Differences {
				t.Errorf("a difference: %+v", d)
			}
			times := 0
			for _, d := range p.Untold {
				times += d.Times
			}
			if times > c.untold || times == 0 || p.Before > 0 || p.Requests < 80 {
				t.Errorf("%d requests, %d cookies from before; %d times it cannot be told, want %d at most", p.Requests, p.Before, times, c.untold)
			}
		})
	}
}

// TestHAROfTrace holds that a recording of a real run differs in nothing from the rules.
func TestHAROfTrace(t *testing.T) {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Add("Set-Cookie", fmt.Sprintf("session=0123456789abcdef%d; Secure; HttpOnly", n))
		w.Header().Add("Set-Cookie", "short=1; Path=/a")
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/a/b", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	c := client()
	var run trace.Run
	for range 3 {
		v, err := c.Visit(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		run.Visits = append(run.Visits, v)
	}
	var file bytes.Buffer
	if err := run.HAR().Write(&file, "Lockstep", "test"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(file.String(), "456789abcdef") {
		t.Error("a value is in the recording")
	}
	log, err := har.Read(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, visits := play(t, log.Entries)
	if len(p.Differences) > 0 || p.Before > 0 || p.NoneSent {
		t.Errorf("the recording differs: %+v", p)
	}
	i := 0
	for _, v := range run.Visits {
		for _, h := range v.Hops {
			if got := visits[i].Last(); got.Cookie != h.Cookie || got.URL != h.URL || got.Response.Status != h.Response.Status {
				t.Errorf("request %d is %s with %q, want %s with %q", i+1, got.URL, got.Cookie, h.URL, h.Cookie)
			}
			i++
		}
	}
	if i != 6 {
		t.Errorf("%d requests, want 6", i)
	}
}

// FuzzPlayHAR holds that no recording does more than fail.
func FuzzPlayHAR(f *testing.F) {
	text, err := os.ReadFile("testdata/chromium.har")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"log":{"entries":[{"startedDateTime":"2026-11-25T20:31:03Z","time":5,"request":{"method":"GET","url":"https://shop.test/","headers":[{"name":"Cookie","value":"a=1"},{"name":"Origin","value":"null"}]},` +
		`"response":{"status":302,"headers":[{"name":"Set-Cookie","value":"a=\u0000\nb=2; Domain=shop.test"},{"name":"Location","value":"//"}]}}]}}`))
	f.Add([]byte(`{"log":{"entries":[{"startedDateTime":"9999-12-31T23:59:59Z","request":{"url":"http://[::1"}},{"startedDateTime":"1970-01-01T00:00:00Z","request":{"url":"ws://a b"}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := har.Read(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		var out bytes.Buffer
		p, err := trace.PlayHAR(log, &browser.Browser{}, true, func(v trace.Visit) error {
			trace.WriteVisit(&out, &v)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		p.WriteText(&out, true)
		if strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("a control character is shown: %q", out.String())
		}
	})
}
