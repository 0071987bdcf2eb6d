package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
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
	chromium := startChromium(t, path, s, chromedp.Flag("disable-site-isolation-trials", true))
	w := newWitness(chromium, t)
	j := &generatedJudge{known: readKnown(t), used: map[string]int{}}
	ran := 0
	for number := range tours {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			ran++
			j.tour(t, newTour(seed, number), w, &sights)
		})
	}
	t.Logf("%d lines, %d refused by both; %d cookies sent, %d kept back by both; %d stores compared; differences %v", j.lines, j.refused, j.sent, j.kept, j.stores, j.used)
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
	cookie string
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
	s.seen[id] = sight{time.Now(), strings.Join(r.Header["Cookie"], "; ")}
	w.Header()["Set-Cookie"] = e.lines
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<!doctype html><link rel=icon href='data:,'>")
	if e.child != nil {
		fmt.Fprintf(w, "<img src=%q>", e.child.url)
	}
}

// A witness is a tab of Chromium, with what it told of each errand.
type witness struct {
	ctx context.Context

	mu       sync.Mutex
	ids      map[network.RequestID]int
	sent     map[network.RequestID]*network.EventRequestWillBeSentExtraInfo
	received map[network.RequestID]*network.EventResponseReceivedExtraInfo
}

func newWitness(chromium context.Context, t *testing.T) *witness {
	t.Helper()
	w := &witness{
		ids:      map[network.RequestID]int{},
		sent:     map[network.RequestID]*network.EventRequestWillBeSentExtraInfo{},
		received: map[network.RequestID]*network.EventResponseReceivedExtraInfo{},
	}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(w.hear))
	t.Cleanup(cancel)
	w.ctx = ctx
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *witness) hear(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil {
			if id, err := strconv.Atoi(u.Query().Get("n")); err == nil {
				w.ids[e.RequestID] = id
			}
		}
	case *network.EventRequestWillBeSentExtraInfo:
		w.sent[e.RequestID] = e
	case *network.EventResponseReceivedExtraInfo:
		w.received[e.RequestID] = e
	}
}

// told is what Chromium said of an errand.
type told struct {
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

func (w *witness) heard(id int) (told, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for request, of := range w.ids {
		if of == id {
			all := told{w.sent[request], w.received[request]}
			return all, all.sent != nil && all.received != nil
		}
	}
	return told{}, false
}

// make has Chromium do a leg, and waits until the last of its requests is answered.
func (w *witness) make(ctx context.Context, t *testing.T, l *leg) {
	t.Helper()
	e := &l.arrival
	switch e.kind {
	case "typed":
		r, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: e.url})
		if err != nil || r.ErrorText != "" {
			t.Fatalf("visiting %s: %v %s", e.url, err, r.ErrorText)
		}
	case "link":
		w.script(ctx, t, fmt.Sprintf(`{const a = document.createElement("a"); a.href = %q; document.documentElement.append(a); a.click(); true}`, e.url))
	case "form":
		w.script(ctx, t, fmt.Sprintf(`{const f = document.createElement("form"); f.method = "post"; f.action = %q; document.documentElement.append(f); f.submit(); true}`, e.url))
	}
	w.arrive(ctx, t, e)
	var calls []string
	for i := range l.within {
		calls = append(calls, l.within[i].call())
	}
	w.script(ctx, t, fmt.Sprintf(loads, strings.Join(calls, "\n")))
}

// loads is a script that makes requests one after the other; each is over when its answer is there.
const loads = `(async () => {
	const element = (name, url) => new Promise(done => {
		const e = document.createElement(name); e.onload = e.onerror = done; e.src = url; document.documentElement.append(e);
	});
	%s
	return true;
})()`

// call is the part of the script that makes the request.
func (e *errand) call() string {
	switch e.kind {
	case "image":
		return fmt.Sprintf(`await element("img", %q);`, e.url)
	case "iframe":
		return fmt.Sprintf(`await element("iframe", %q);`, e.url)
	}
	mode := browser.CredentialsSameOrigin
	if e.credentials != browser.CredentialsDefault {
		mode = e.credentials
	}
	return fmt.Sprintf(`await fetch(%q, {mode: "no-cors", credentials: %q}).catch(() => {});`, e.url, mode)
}

func (w *witness) script(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	r, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: text, AwaitPromise: new(true), UserGesture: new(true)})
	if err != nil || r.ExceptionDetails != nil {
		t.Fatalf("%s: %v %v", text, err, r)
	}
}

// arrive waits until the document of e is there.
func (w *witness) arrive(ctx context.Context, t *testing.T, e *errand) {
	t.Helper()
	want := fmt.Sprintf(`location.search === "?n=%d" && document.readyState === "complete"`, e.id)
	for {
		r, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: want, ReturnByValue: new(true)})
		if err == nil && string(r.Result.Value) == "true" { // between two documents there is an error
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Chromium did not get to %s: %v", e.url, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
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
