package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// TestRecording has Chromium make a session, saves it as DevTools would, and holds what an import makes of
// the file against which cookies Chromium says it sent and kept back. LOCKSTEP_TEST_RECORDING names a folder
// to keep the recordings in.
func TestRecording(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	for name, profile := range map[string]browser.Profile{
		"third parties allowed": browser.Chromium(),
		"third parties blocked": browser.Chromium().WithThirdParty(browser.ThirdPartyBlocked),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			var h http.Handler = http.HandlerFunc(bazaar)
			s.site.Store(&h)
			r := record(startChromium(t, path, s, recordedAs(t, profile)...), t)
			full := r.archive(t, true)
			if dir := os.Getenv("LOCKSTEP_TEST_RECORDING"); dir != "" {
				keep(t, filepath.Join(dir, "chromium-"+profile.ThirdParty().String()+".har"), full)
			}
			r.judge(t, full, profile)
			r.sanitised(t)
		})
	}
}

// keep saves a recording without those lines of the headers that every request and answer has alike.
func keep(t *testing.T, name string, archive []byte) {
	t.Helper()
	var file struct {
		Log struct {
			Version any              `json:"version"`
			Creator any              `json:"creator"`
			Pages   any              `json:"pages"`
			Entries []map[string]any `json:"entries"`
		} `json:"log"`
	}
	if err := json.Unmarshal(archive, &file); err != nil {
		t.Fatal(err)
	}
	dull := []string{"user-agent", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "accept-encoding", "accept-language", "connection", "host", "cache-control", "content-length", "date", "upgrade-insecure-requests"}
	for _, e := range file.Log.Entries {
		for _, message := range []string{"request", "response"} {
			m := e[message].(map[string]any)
			m["headers"] = slices.DeleteFunc(m["headers"].([]any), func(line any) bool {
				return slices.Contains(dull, strings.ToLower(fmt.Sprint(line.(map[string]any)["name"])))
			})
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(bytes.ReplaceAll(text, []byte(`{"_connectionId"`), []byte("\n"+`{"_connectionId"`)), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

// recordedAs are the options with which Chromium does with third parties what the profile does: Debian's
// blocks them unless its preferences say otherwise.
func recordedAs(t *testing.T, profile browser.Profile) []chromedp.ExecAllocatorOption {
	t.Helper()
	dir := t.TempDir()
	mode := 0
	if profile.ThirdParty() == browser.ThirdPartyBlocked {
		mode = 1
	}
	if err := os.Mkdir(filepath.Join(dir, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"profile": {"cookie_controls_mode": %d}}`, mode)
	if err := os.WriteFile(filepath.Join(dir, "Default", "Preferences"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// Frames of other sites in one process with their page: else each would be a target of its own, to be listened to.
	return []chromedp.ExecAllocatorOption{chromedp.UserDataDir(dir), chromedp.Flag("disable-site-isolation-trials", true)}
}

// bazaar is the site of the session: what it answers depends on the path.
func bazaar(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if origin := r.Header.Get("Origin"); origin != "" && !strings.HasPrefix(r.URL.Path, "/open") {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Allow-Headers", "x-lesson")
	} else if origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
	if strings.HasSuffix(r.URL.Path, ".png") || r.URL.Path == "/set-by-image" {
		w.Header().Set("Content-Type", "image/png")
	}
	set := func(lines ...string) { w.Header()["Set-Cookie"] = append(w.Header()["Set-Cookie"], lines...) }
	switch {
	case r.Method == http.MethodOptions:
	case r.URL.Path == "/enter":
		set("clear=1", "early=1; Secure")
		http.Redirect(w, r, "https://"+r.Host+"/login", http.StatusFound)
	case r.URL.Path == "/login":
		set("strict=1; Secure; SameSite=Strict", "lax=1; Secure; SameSite=Lax", "none=1; Secure; SameSite=None", "default=1; Secure",
			"deep=1; Path=/deep; Secure; SameSite=None", "part=1; Secure; SameSite=None; Partitioned", "refused=1; SameSite=None", "other=1; Domain=other.test",
			"wide=1; Domain=shop.test; Secure; SameSite=None", "__Host-h=1; Secure; Path=/; SameSite=None", "__Host-bad=1; Secure; Path=/x")
		http.Redirect(w, r, "/home", http.StatusSeeOther)
	case strings.HasPrefix(r.URL.Path, "/away"):
		http.Redirect(w, r, "https://"+r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	case strings.HasPrefix(r.URL.Path, "/set"):
		name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/"), "/")
		set(name+"=1; Secure; SameSite=None; Path=/", name+"-lax=1; Secure; SameSite=Lax; Path=/", name+"-part=1; Secure; SameSite=None; Partitioned; Path=/")
	case r.URL.Path == "/frame":
		fmt.Fprint(w, `<!doctype html><link rel=icon href="data:,"><img src="/framed.png"><img src="https://evil.test/framed.png"><img src="https://cdn.test/framed.png"><iframe src="https://evil.test/nested"></iframe>`)
		return
	case r.URL.Path == "/nested":
		fmt.Fprint(w, `<!doctype html><link rel=icon href="data:,"><img src="https://shop.test/nested.png"><img src="/nested.png">`)
		return
	}
	fmt.Fprint(w, `<!doctype html><link rel=icon href="data:,"><title>bazaar</title>`)
}

// A recorder is a tab of Chromium and what its protocol told of each request, in order.
type recorder struct {
	ctx context.Context

	mu       sync.Mutex
	frame    string // the ID of the window's frame
	requests []*recordedRequest
	last     map[network.RequestID]*recordedRequest
	sent     map[network.RequestID][]*network.EventRequestWillBeSentExtraInfo
	received map[network.RequestID][]*network.EventResponseReceivedExtraInfo
}

// A recordedRequest is one hop.
type recordedRequest struct {
	begun    *network.EventRequestWillBeSent
	hop      int // of its request ID, among those that have further information
	extra    bool
	response *network.Response
	taken    float64 // seconds
	over     bool
}

// record makes the session. Each step ends when all that was asked for was answered.
func record(chromium context.Context, t *testing.T) *recorder {
	t.Helper()
	r := &recorder{
		last: map[network.RequestID]*recordedRequest{}, sent: map[network.RequestID][]*network.EventRequestWillBeSentExtraInfo{},
		received: map[network.RequestID][]*network.EventResponseReceivedExtraInfo{},
	}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithListener(r.hear))
	t.Cleanup(cancel)
	ctx, end := context.WithTimeout(ctx, 2*visitTimeout)
	t.Cleanup(end)
	r.ctx = ctx
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	tree, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.frame = string(tree.FrameTree.Frame.ID)
	r.mu.Unlock()

	const include, same, omit = "include", "same-origin", "omit"
	r.visit(t, "http://shop.test/enter")
	r.visit(t, "https://shop.test/deep/er")
	r.loads(t, "https://shop.test/a.png", "https://www.shop.test/a.png", "http://shop.test/plain.png", "https://evil.test/a.png")
	r.fetches(t, include, "https://shop.test/api", "https://www.shop.test/api", "https://evil.test/set-by-fetch", "https://shop.test/away?to=www.shop.test/api")
	r.fetches(t, same, "https://shop.test/api", "https://www.shop.test/set-nothing", "https://evil.test/open", "https://shop.test/away?to=www.shop.test/api")
	r.fetches(t, omit, "https://shop.test/api?omit", "https://www.shop.test/open")
	r.frames(t, "https://evil.test/frame")
	r.visit(t, "https://evil.test/page")
	r.loads(t, "https://shop.test/b.png", "https://shop.test/deep/b.png", "https://shop.test/away?to=evil.test/b.png", "https://evil.test/away?to=shop.test/c.png", "https://shop.test/set-by-image")
	r.fetches(t, include, "https://shop.test/api", "https://shop.test/set-included", "https://evil.test/away?to=shop.test/api")
	r.fetches(t, same, "https://shop.test/open", "https://shop.test/set-not-included", "https://evil.test/api")
	r.evaluate(t, `fetch("https://shop.test/preflight", {credentials: "include", headers: {"X-Lesson": "1"}}).catch(() => {})`)
	r.frames(t, "https://shop.test/frame", "https://shop.test/deep/frame", "https://evil.test/away?to=shop.test/frame")
	r.click(t, `<a id=go href="https://shop.test/linked">go</a>`, "/linked")
	r.visit(t, "https://evil.test/form")
	r.click(t, `<form method=post action="https://shop.test/posted"><button id=go>go</button></form>`, "/posted")
	r.visit(t, "https://evil.test/quiet")
	r.click(t, `<a id=go rel=noreferrer href="https://evil.test/away?to=shop.test/quietly">go</a>`, "/quietly")
	r.visit(t, "http://shop.test/plain")
	r.loads(t, "http://shop.test/d.png", "https://shop.test/d.png", "http://evil.test/d.png")
	r.frames(t, "https://shop.test/frame")
	r.click(t, `<form method=post action="https://shop.test/posted-again"><button id=go>go</button></form>`, "/posted-again")
	r.visit(t, "http://evil.test/plain")
	r.loads(t, "http://shop.test/e.png")
	r.frames(t, "http://shop.test/frame")
	r.click(t, `<form action="http://shop.test/searched"><button id=go>go</button></form>`, "/searched")
	r.visit(t, "https://shop.test/last")
	time.Sleep(50 * time.Millisecond) // what is told of failures has no certain end
	return r
}

func (r *recorder) hear(event any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		hop := 0
		if before := r.last[e.RequestID]; before != nil {
			before.answered(e.RedirectResponse, e.RedirectHasExtraInfo, float64(e.Timestamp))
			hop = before.hop
			if e.RedirectHasExtraInfo {
				hop++
			}
		}
		q := &recordedRequest{begun: e, hop: hop, over: !strings.HasPrefix(e.Request.URL, "http")}
		r.last[e.RequestID] = q
		r.requests = append(r.requests, q)
	case *network.EventResponseReceived:
		if q := r.last[e.RequestID]; q != nil {
			q.answered(e.Response, e.HasExtraInfo, float64(e.Timestamp))
		}
	case *network.EventRequestWillBeSentExtraInfo:
		r.sent[e.RequestID] = append(r.sent[e.RequestID], e)
	case *network.EventResponseReceivedExtraInfo:
		r.received[e.RequestID] = append(r.received[e.RequestID], e)
	case *network.EventLoadingFailed:
		if q := r.last[e.RequestID]; q != nil {
			q.over = true
		}
	}
}

func (q *recordedRequest) answered(response *network.Response, extra bool, at float64) {
	q.response, q.extra, q.over = response, extra, true
	q.taken = at - float64(q.begun.Timestamp)
}

// settle waits until everything that was asked for is answered, and told about.
func (r *recorder) settle(t *testing.T) {
	t.Helper()
	for {
		if r.settled() {
			return
		}
		select {
		case <-r.ctx.Done():
			t.Fatalf("Chromium did not tell all: %v", context.Cause(r.ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (r *recorder) settled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.requests {
		if !q.over || q.extra && (len(r.sent[q.begun.RequestID]) <= q.hop || len(r.received[q.begun.RequestID]) <= q.hop) {
			return false
		}
	}
	return true
}

func (r *recorder) visit(t *testing.T, target string) {
	t.Helper()
	if v, err := chromedp.Call(r.ctx, page.Navigate, page.NavigateParams{URL: target}); err != nil || v.ErrorText != "" {
		t.Fatalf("visiting %s: %v %s", target, err, v.ErrorText)
	}
	r.arrive(t, `true`)
}

// arrive waits until the document for which the expression holds is there whole.
func (r *recorder) arrive(t *testing.T, expression string) {
	t.Helper()
	for {
		v, err := chromedp.Call(r.ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: `document.readyState === "complete" && ` + expression, ReturnByValue: new(true)})
		if err == nil && string(v.Result.Value) == "true" { // between two documents there is an error
			r.settle(t)
			return
		}
		select {
		case <-r.ctx.Done():
			t.Fatalf("Chromium did not get to the document for which %s: %v", expression, context.Cause(r.ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (r *recorder) evaluate(t *testing.T, expression string) {
	t.Helper()
	v, err := chromedp.Call(r.ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: fmt.Sprintf(`(async () => { %s; return true })()`, expression), AwaitPromise: new(true)})
	if err != nil || v.ExceptionDetails != nil {
		t.Fatalf("%s: %v %v", expression, err, v)
	}
	time.Sleep(2 * time.Millisecond) // a recording has milliseconds
	r.settle(t)
}

func (r *recorder) elements(t *testing.T, name string, urls []string) {
	t.Helper()
	for _, u := range urls {
		r.evaluate(t, fmt.Sprintf(`await new Promise(done => { const e = document.createElement(%q); e.onload = e.onerror = done; e.src = %q; document.documentElement.append(e) })`, name, u))
	}
}

func (r *recorder) loads(t *testing.T, urls ...string)  { t.Helper(); r.elements(t, "img", urls) }
func (r *recorder) frames(t *testing.T, urls ...string) { t.Helper(); r.elements(t, "iframe", urls) }

func (r *recorder) fetches(t *testing.T, mode string, urls ...string) {
	t.Helper()
	for _, u := range urls {
		r.evaluate(t, fmt.Sprintf(`await fetch(%q, {credentials: %q}).catch(() => {})`, u, mode))
	}
}

// click puts markup into the document and clicks what has the ID "go".
func (r *recorder) click(t *testing.T, markup, path string) {
	t.Helper()
	r.evaluate(t, fmt.Sprintf(`document.body.innerHTML = %q`, markup))
	if err := chromedp.Do(r.ctx, chromedp.Click(chromedp.CSS("#go"))); err != nil {
		t.Fatal(err)
	}
	r.arrive(t, fmt.Sprintf(`location.pathname === %q`, path))
}

// told returns what Chromium said of what a request carried and what came back; nil for one that did not leave.
func (r *recorder) told(q *recordedRequest) (*network.EventRequestWillBeSentExtraInfo, *network.EventResponseReceivedExtraInfo) {
	failed := q.response == nil && min(len(r.sent[q.begun.RequestID]), len(r.received[q.begun.RequestID])) > q.hop
	if !q.extra && !failed {
		return nil, nil
	}
	return r.sent[q.begun.RequestID][q.hop], r.received[q.begun.RequestID][q.hop]
}

// archive writes what was recorded as DevTools exports it, with or without what it calls sensitive data.
// The names and the order of the fields are those of its files; what cookies do not depend on is short.
func (r *recorder) archive(t *testing.T, full bool) []byte {
	t.Helper()
	type object = map[string]any
	var pages, entries []object
	shown := map[network.RequestID]object{}
	for _, q := range r.requests {
		u := q.begun.Request.URL
		if !strings.HasPrefix(u, "http") {
			continue
		}
		started := startedAt(q).Format("2006-01-02T15:04:05.000Z")
		if q.begun.Type == "Document" && string(q.begun.FrameID) == r.frame {
			if p := shown[q.begun.RequestID]; p != nil {
				p["title"] = u
			} else {
				p = object{"startedDateTime": started, "id": fmt.Sprintf("page_%d", len(pages)+1), "title": u, "pageTimings": object{"onContentLoad": 10.5, "onLoad": 12.25}}
				pages, shown[q.begun.RequestID] = append(pages, p), p
			}
		}
		sent, received := r.told(q)
		headers, answers, status := q.begun.Request.Headers, network.Headers{}, int64(0)
		if q.response != nil {
			answers, status = q.response.Headers, q.response.Status
		}
		if sent != nil {
			headers, answers = sent.Headers, received.Headers
			status = received.StatusCode
		}
		entry := object{
			"_connectionId": "12", "_initiator": q.begun.Initiator, "_priority": q.begun.Request.InitialPriority, "_resourceType": strings.ToLower(string(q.begun.Type)),
			"cache": object{}, "connection": "443", "request": object{
				"method": q.begun.Request.Method, "url": u, "httpVersion": "http/1.1", "headers": exported(headers, full), "queryString": []object{},
				"cookies": cookiesOf(headers, full), "headersSize": -1, "bodySize": 0,
			}, "response": object{
				"status": status, "statusText": "", "httpVersion": "", "headers": exported(answers, full), "cookies": []object{},
				"content": object{"size": 0, "mimeType": "x-unknown"}, "redirectURL": header(answers, "location"), "headersSize": -1, "bodySize": -1, "_transferSize": 0, "_error": nil, "_fetchedViaServiceWorker": false,
			},
			"serverIPAddress": "127.0.0.1", "startedDateTime": started, "time": q.taken*1e3 + 1,
			"timings": object{"blocked": 1.5, "dns": -1, "ssl": -1, "connect": -1, "send": 0.1, "wait": q.taken * 1e3, "receive": 1, "_blocked_queueing": 1.2, "_workerStart": -1},
		}
		if len(pages) > 0 {
			entry["pageref"] = pages[len(pages)-1]["id"]
		}
		entries = append(entries, entry)
	}
	text, err := json.MarshalIndent(object{"log": object{
		"version": "1.2", "creator": object{"name": "WebInspector", "version": "537.36"}, "pages": pages, "entries": entries,
	}}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// startedAt is when a request began, to the millisecond.
func startedAt(q *recordedRequest) time.Time {
	return time.UnixMicro(int64(float64(q.begun.WallTime) * 1e6)).UTC().Truncate(time.Millisecond)
}

func header(h network.Headers, name string) string {
	for n, v := range h {
		if strings.EqualFold(n, name) {
			return fmt.Sprint(v)
		}
	}
	return ""
}

// exported is a header as DevTools exports it: several values of one name, which the protocol joins with line
// feeds, are lines of their own; the other flavour lacks those of cookies and logins.
func exported(h network.Headers, full bool) []map[string]string {
	all := []map[string]string{}
	for name, value := range h {
		if !full && slices.Contains([]string{"cookie", "set-cookie", "authorization"}, strings.ToLower(name)) {
			continue
		}
		for one := range strings.SplitSeq(fmt.Sprint(value), "\n") {
			all = append(all, map[string]string{"name": name, "value": one})
		}
	}
	slices.SortStableFunc(all, func(a, b map[string]string) int { return cmp.Compare(a["name"], b["name"]) })
	return all
}

func cookiesOf(h network.Headers, full bool) []map[string]string {
	all := []map[string]string{}
	for pair := range strings.SplitSeq(header(h, "cookie"), "; ") {
		if name, value, ok := strings.Cut(pair, "="); ok && full {
			all = append(all, map[string]string{"name": name, "value": value})
		}
	}
	return all
}

// judge imports the recording and compares each decision about a cookie with Chromium's.
func (r *recorder) judge(t *testing.T, archive []byte, profile browser.Profile) {
	t.Helper()
	log, err := har.Read(bytes.NewReader(archive), nil)
	if err != nil {
		t.Fatal(err)
	}
	var left []*recordedRequest // those of which an import tells, in the order in which they began
	for _, q := range r.requests {
		if strings.HasPrefix(q.begun.Request.URL, "http") {
			left = append(left, q)
		}
	}
	slices.SortStableFunc(left, func(a, b *recordedRequest) int { return startedAt(a).Compare(startedAt(b)) })
	seen, sent, kept, untold := 0, 0, 0, 0
	played, err := trace.PlayHAR(log, &browser.Browser{Profile: profile}, false, func(v trace.Visit) error {
		var number int
		fmt.Sscanf(v.Title, "request %d", &number)
		q := left[number-1]
		info, received := r.told(q)
		if q.begun.Request.URL != v.Last().URL || q.begun.Request.Method != v.Last().Method {
			return fmt.Errorf("request %d is %s %s, not %s", number, v.Last().Method, v.Last().URL, q.begun.Request.URL)
		}
		if info == nil {
			return nil
		}
		seen++
		r.judgeLines(t, v.Last(), received)
		theirs := map[string]string{}
		for _, c := range info.AssociatedCookies {
			if theirs[c.Cookie.Name] = "sent"; len(c.BlockedReasons) > 0 {
				theirs[c.Cookie.Name] = fmt.Sprint(c.BlockedReasons)
			}
		}
		h := v.Last()
		for _, d := range h.All(rule.SendCookie) {
			open := slices.ContainsFunc(h.All(rule.MatchRecording), func(m rule.Verdict) bool { return m.Subject == d.Subject && m.Rule == "recording-untold" })
			switch {
			case open:
				untold++
				if !slices.Contains(withoutCredentials, h.URL) {
					t.Errorf("%s %s, %s: this could be told: %v", h.Method, h.URL, d.Subject, d.Facts)
				}
			case d.Yes && theirs[d.Subject] == "sent":
				sent++
			case !d.Yes && theirs[d.Subject] != "sent":
				kept++
			default:
				t.Errorf("%s %s (%s), %s: the import has %t by %s, Chromium %q\n%v", h.Method, h.URL, q.begun.Type, d.Subject, d.Yes, d.Rule, theirs[d.Subject], d.Facts)
			}
			delete(theirs, d.Subject)
		}
		for name, what := range theirs {
			if what == "sent" {
				t.Errorf("%s %s: Chromium sent %s, which the import does not know", h.Method, h.URL, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range played.Differences {
		t.Errorf("a difference from Chromium: %+v", d)
	}
	t.Logf("%d requests of %d, %d pages; by both %d cookies sent and %d kept back; %d times it cannot be told", seen, len(left), len(log.Pages), sent, kept, untold)
	if seen < 50 || sent < 100 || kept < 150 || played.Before > 0 {
		t.Errorf("too little was judged, or %d cookies came from before the recording", played.Before)
	}
}

// withoutCredentials are what a script asked for without credentials, which no recording tells.
var withoutCredentials = []string{"https://www.shop.test/set-nothing", "https://www.shop.test/api", "https://shop.test/api?omit", "https://shop.test/set-not-included"}

// judgeLines compares which Set-Cookie lines were refused. Chromium tells nothing of those that came to a script
// without credentials.
func (r *recorder) judgeLines(t *testing.T, h *trace.Hop, received *network.EventResponseReceivedExtraInfo) {
	t.Helper()
	refused := map[string]bool{}
	for _, c := range received.BlockedCookies {
		name, _, _ := strings.Cut(c.CookieLine, "=")
		refused[name] = true
	}
	for _, d := range h.All(rule.StoreCookie) {
		if d.Yes == refused[d.Subject] && d.Rule != "store-credentials-mode" {
			t.Errorf("%s %s: the import has %t by %s about the line of %s; Chromium refuses it: %t\n%v", h.Method, h.URL, d.Yes, d.Rule, d.Subject, refused[d.Subject], d.Facts)
		}
	}
}

// sanitised holds that the export without sensitive data is seen to be one.
func (r *recorder) sanitised(t *testing.T) {
	t.Helper()
	log, err := har.Read(bytes.NewReader(r.archive(t, false)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if sent, set := log.HasCookies(); sent || set || !strings.HasPrefix(log.Creator, "WebInspector") {
		t.Errorf("read as a recording of %s with cookies: sent %t, set %t", log.Creator, sent, set)
	}
}
