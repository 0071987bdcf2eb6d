package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep/browser"
)

const (
	tours     = 22  // how many a run has
	leastGot  = 300 // how many lines a run has to judge
	seedNamed = "LOCKSTEP_TEST_SEED"
)

// TestGenerated has Chromium make tours that are new each time, and asks the chromium profile what it
// does there: which cookies go along and in which order, why others stay behind, which lines are refused
// and why, and what is stored in the end. LOCKSTEP_TEST_SEED repeats a run, and -run a tour of it.
func TestGenerated(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	seed := generatedSeed(t)
	t.Logf("%s=%d repeats this run", seedNamed, seed)
	s := newStage(t)
	var sights sights
	var h http.Handler = &sights
	s.site.Store(&h)
	// Frames of other sites in one process with their page: else each would be a target of its own, to be listened to.
	chromium := startChromium(t, path, s, chromedp.Flag("disable-site-isolation-trials", true), chromedp.UserDataDir(allowsThirdParties(t)))
	w := newWitness(chromium, t)
	j := &generatedJudge{known: readKnown(t), used: map[string]int{}}
	ran := 0
	for number := range tours {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			ran++
			j.tour(t, newTour(seed, number), w, &sights)
		})
	}
	t.Logf("%d requests, %d of them redirected and %d upgraded; %d lines, %d refused by both; %d cookies sent, %d kept back by both; %d times document.cookie; %d stores compared; differences %v",
		j.requests, j.redirected, j.upgraded, j.lines, j.refused, j.sent, j.kept, j.read, j.stores, j.used)
	if ran < tours || t.Failed() {
		return // what was not met may be in a tour that was not made
	}
	if j.lines < leastGot {
		t.Errorf("only %d lines were judged", j.lines)
	}
	j.unused(t)
}

func generatedSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv(seedNamed)
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", seedNamed, err)
	}
	return seed
}

// readKnown reads the differences that are meant: their kind and the reason.
func readKnown(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "generated.json"))
	if err != nil {
		t.Fatal(err)
	}
	var known map[string]string
	if err := json.Unmarshal(data, &known); err != nil {
		t.Fatal(err)
	}
	return known
}

// A sight is a request as it arrived.
type sight struct {
	at     time.Time
	header http.Header
}

// sights is the site of every tour: it answers errands and notes what arrived.
type sights struct {
	mu      sync.Mutex
	errands map[int]*errand
	seen    map[int]sight
}

func (s *sights) begin(t *tour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errands, s.seen = map[int]*errand{}, map[int]sight{}
	for i := range t.legs {
		t.legs[i].each(func(e *errand) { s.errands[e.id] = e })
	}
}

func (s *sights) of(id int) (sight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.seen[id]
	return found, ok
}

// ServeHTTP implements [http.Handler].
func (s *sights) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.URL.Query().Get("n"))
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.errands[id]
	if err != nil || e == nil { // what a browser asks for by itself
		http.NotFound(w, r)
		return
	}
	s.seen[id] = sight{time.Now(), r.Header.Clone()}
	h := w.Header()
	h["Set-Cookie"] = e.lines
	h.Set("Cache-Control", "no-store")
	if e.hsts != "" {
		h.Set("Strict-Transport-Security", e.hsts)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if e.next != nil {
		h.Set("Location", e.next.url)
		w.WriteHeader(e.status)
		return
	}
	if !slices.Contains(documents, e.kind) {
		h.Set("Content-Type", map[string]string{"script": "text/javascript", "image": "image/gif"}[e.kind])
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>", e.inline())
}

// inline is the script of a document: that of the window keeps what those in frames tell it.
func (e *errand) inline() string {
	if e.kind != "iframe" {
		return `<script>const told = {}; addEventListener("message", e => told[e.data[0]] = e.data[1])</script>`
	}
	script := ""
	if e.script != nil {
		script = "document.cookie = " + quoted(*e.script) + ";"
	}
	script += fmt.Sprintf(`top.postMessage([%d, document.cookie], "*");`, e.id)
	if c := e.child; c != nil {
		script += fmt.Sprintf(`const c = document.createElement(%q); c.src = %q; document.documentElement.append(c);`, tags[c.kind], c.url)
	}
	return "<script>" + script + "</script>"
}

// tags are the elements by which documents ask.
var tags = map[string]string{"image": "img", "iframe": "iframe", "script": "script"}

// quoted is text as a script has it.
func quoted(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}

// A witness is a tab of Chromium that is asked about errands.
type witness struct{ *tab }

func newWitness(chromium context.Context, t *testing.T) *witness {
	t.Helper()
	return &witness{newTab(chromium, t, false)}
}

// blocks has it block cookies of third parties, or not.
func (w *witness) blocks(ctx context.Context, t *testing.T, blocks bool) {
	t.Helper()
	if _, err := chromedp.Call(ctx, network.SetCookieControls, network.SetCookieControlsParams{EnableThirdPartyCookieRestriction: blocks}); err != nil {
		t.Fatal(err)
	}
}

// told is what Chromium said of an errand.
type told struct {
	upgraded bool
	sent     *network.EventRequestWillBeSentExtraInfo
	received *network.EventResponseReceivedExtraInfo
}

// about returns what was told of the errand, once it is all there.
func (w *witness) about(ctx context.Context, t *testing.T, e *errand) told {
	t.Helper()
	for {
		if all, ok := w.heard(e.id); ok {
			return all
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Chromium did not tell all about the %s of %s: %v", e.kind, e.url, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (w *witness) heard(id int) (all told, ok bool) {
	mark := fmt.Sprintf("?n=%d", id)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.requests {
		if !slices.ContainsFunc(n.urls, func(u string) bool { return strings.HasSuffix(u, mark) }) || !n.allTold() {
			continue
		}
		for _, h := range n.told() {
			if strings.HasSuffix(h.url, mark) {
				all.upgraded = all.upgraded || h.status == upgraded
				all.sent, all.received = h.sent, h.received
			}
		}
		return all, all.sent != nil
	}
	return told{}, false
}

// arrive has Chromium go to the document of a leg.
func (w *witness) arrive(ctx context.Context, t *testing.T, e *errand) {
	t.Helper()
	switch e.kind {
	case "typed":
		r, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: e.url})
		if err != nil || r.ErrorText != "" {
			t.Fatalf("visiting %s: %v %s", e.url, err, r.ErrorText)
		}
	case "link":
		clickIn(ctx, t, fmt.Sprintf(`{const a = document.createElement("a"); a.href = %q; document.documentElement.append(a); a.click(); true}`, e.url))
	case "form":
		clickIn(ctx, t, fmt.Sprintf(`{const f = document.createElement("form"); f.method = "post"; f.action = %q; document.documentElement.append(f); f.submit(); true}`, e.url))
	}
	want := fmt.Sprintf(`location.search === "?n=%d" && document.readyState === "complete"`, e.last().id)
	for {
		r, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: want, ReturnByValue: new(true)})
		if err == nil && string(r.Result.Value) == "true" { // between two documents there is an error
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Chromium did not get to %s: %v", e.last().url, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// within has the document that is shown do one thing after the other, and returns what its scripts and
// those of its frames read from document.cookie, by their errands.
func (w *witness) within(ctx context.Context, t *testing.T, errands []errand) map[int]string {
	t.Helper()
	var calls []string
	frames := 0
	for i := range errands {
		calls = append(calls, errands[i].call())
		errands[i].each(func(e *errand) {
			if e.kind == "iframe" && e.next == nil {
				frames++
			}
		})
	}
	evaluateIn[bool](ctx, t, fmt.Sprintf(loads, strings.Join(calls, "\n")))
	for {
		if all := evaluateIn[map[int]string](ctx, t, "told"); len(all) >= frames {
			return all
		}
		if ctx.Err() != nil {
			t.Fatalf("the frames did not tell what they read: %v", context.Cause(ctx))
		}
	}
}

// loads is a script that does one thing after the other; a request is over when its answer is there.
const loads = `(async () => {
	const element = (name, url, mode) => new Promise(done => {
		const e = document.createElement(name); e.onload = e.onerror = done;
		if (mode) e.crossOrigin = mode;
		e.src = url; document.documentElement.append(e);
	});
	%s
	return true;
})()`

// call is the part of the script that does the errand.
func (e *errand) call() string {
	switch e.kind {
	case "cookie":
		return fmt.Sprintf(`document.cookie = %s; told[%d] = document.cookie;`, quoted(*e.script), e.id)
	case "fetch":
		mode := browser.CredentialsSameOrigin
		if e.credentials != browser.CredentialsDefault {
			mode = e.credentials
		}
		return fmt.Sprintf(`await fetch(%q, {method: %q, credentials: %q}).catch(() => {});`, e.url, cmp.Or(e.method, "GET"), mode)
	}
	crossOrigin := map[browser.Credentials]string{browser.CredentialsSameOrigin: "anonymous", browser.CredentialsInclude: "use-credentials"}[e.credentials]
	return fmt.Sprintf(`await element(%q, %q, %q);`, tags[e.kind], e.url, crossOrigin)
}

// stored returns the cookies of the sites.
func (w *witness) stored(ctx context.Context, t *testing.T, sites []string) []holding {
	t.Helper()
	held, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(w.ctx).BrowserContextID})
	if err != nil {
		t.Fatal(err)
	}
	var all []holding
	for _, c := range held.Cookies {
		if !slices.ContainsFunc(sites, func(site string) bool { return c.Domain == site || strings.HasSuffix(c.Domain, "."+site) }) {
			continue
		}
		s, partition := stored(c), "none"
		if k := c.PartitionKey; k != nil {
			partition = k.TopLevelSite
			if k.HasCrossSiteAncestor {
				partition += ", cross-site ancestor"
			}
		}
		all = append(all, holding{fmt.Sprintf("%q=%q domain %s host-only %t path %q secure %t httponly %t samesite %s partition %s",
			ascii(s.Name), ascii(c.Value), s.Domain, s.HostOnly, ascii(s.Path), s.Secure, s.HttpOnly, s.SameSite, partition), s.Expires})
	}
	return sorted(all)
}
