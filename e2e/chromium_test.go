package e2e_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// visitTimeout is for one visit of Chromium, which takes a fraction of a second.
const visitTimeout = 20 * time.Second

// TestChromium has Chromium make the visits that our browser made, each at a new site.
func TestChromium(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	s := newStage(t)
	chromium := startChromium(t, path, s)
	j := &judge{witness: "Chromium"}
	j.run(t, lessons, func(t *testing.T, l lesson) (ours, theirs facts) {
		base := lockstep.DjangoDefaults("6.1")
		s.put(t, l, base)
		run := l.visit(t, s.client(), s.addr)
		s.put(t, l, base)
		tab := newTab(chromium, t, l.cache)
		ours, theirs = facts{}, facts{}
		for i, v := range run.Visits {
			at := fmt.Sprintf("visit %d", i+1)
			ourVisit(v).facts(ours, at)
			tab.visit(t, v.Typed).facts(theirs, at)
		}
		return ours, theirs
	})
}

// startChromium starts a Chromium whose every connection leads to s, and which trusts its
// certificate: with an error that is merely ignored it would not honour HSTS.
func startChromium(t *testing.T, path string, s *stage, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	key, err := x509.MarshalPKIXPublicKey(s.certificate.Leaf.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(key)
	var output output
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.CombinedOutput(&output),
		// It keeps crash reports outside of its user data folder.
		chromedp.Env("HOME=" + t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * "+s.addr),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(hash[:])),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-proxy-server", true),
	}, more)
	// The context of a test is over before the cleanup that ends Chromium in an orderly way.
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v; it said:\n%s", err, output.String())
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("ending Chromium: %v; it said:\n%s", err, output.String())
		}
	})
	return ctx
}

// An output keeps what Chromium says.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns what was said so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// A tab is a page of Chromium with cookies, HSTS and a cache of its own.
type tab struct {
	ctx context.Context

	mu       sync.Mutex
	requests map[network.RequestID]*navigation
}

// A navigation is what Chromium told of one request and of those it was redirected to. What was
// really sent and received comes in events of its own, in the same order but at another time.
type navigation struct {
	urls      []string
	responses []*network.Response // of hops, in order
	extra     []bool              // whether the hop has the two events that follow
	sent      []*network.EventRequestWillBeSentExtraInfo
	received  []*network.EventResponseReceivedExtraInfo
	over      bool
	failed    string // how it failed; ""
}

func newTab(chromium context.Context, t *testing.T, cache bool) *tab {
	t.Helper()
	p := &tab{requests: map[network.RequestID]*navigation{}}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.ctx = ctx
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: !cache}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		n := p.of(e.RequestID)
		if e.RedirectResponse != nil {
			n.responses, n.extra = append(n.responses, e.RedirectResponse), append(n.extra, e.RedirectHasExtraInfo)
		}
		n.urls = append(n.urls, e.Request.URL)
	case *network.EventResponseReceived:
		n := p.of(e.RequestID)
		n.responses, n.extra = append(n.responses, e.Response), append(n.extra, e.HasExtraInfo)
	case *network.EventRequestWillBeSentExtraInfo:
		n := p.of(e.RequestID)
		n.sent = append(n.sent, e)
	case *network.EventResponseReceivedExtraInfo:
		n := p.of(e.RequestID)
		n.received = append(n.received, e)
	case *network.EventLoadingFinished:
		p.of(e.RequestID).over = true
	case *network.EventLoadingFailed:
		n := p.of(e.RequestID)
		n.over, n.failed = true, e.ErrorText
	case *fetch.EventRequestPaused:
		go p.fulfill(e)
	}
}

func (p *tab) of(id network.RequestID) *navigation {
	n, ok := p.requests[id]
	if !ok {
		n = &navigation{}
		p.requests[id] = n
	}
	return n
}

// visit has Chromium ask for target as if a person had typed it, and waits until all is told. The
// request of the page has the ID of its loader; others, such as the one for the icon, are not asked
// about.
func (p *tab) visit(t *testing.T, target string) visit {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
	defer cancel()
	start, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: target})
	if err != nil || start.ErrorText != "" {
		t.Fatalf("visiting %s: %v %s", target, err, start.ErrorText)
	}
	id := network.RequestID(start.LoaderID)
	v := visit{hops: p.await(ctx, t, id), over: time.Now()}
	body, err := chromedp.Call(ctx, network.GetResponseBody, network.GetResponseBodyParams{RequestID: id})
	if err != nil {
		t.Fatal(err)
	}
	held, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID})
	if err != nil {
		t.Fatal(err)
	}
	v.hops[len(v.hops)-1].text = strings.TrimSpace(string(body.Body))
	for _, c := range held.Cookies {
		v.cookies = append(v.cookies, stored(c))
	}
	return v
}

// await returns the hops of a request when all about them is told.
func (p *tab) await(ctx context.Context, t *testing.T, id network.RequestID) []hop {
	t.Helper()
	for {
		if hops := p.told(id); hops != nil {
			return hops
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Chromium did not tell all about %s: %v", id, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *tab) told(id network.RequestID) []hop {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.of(id); n.complete() {
		return n.hops()
	}
	return nil
}

// complete reports whether every request has its answer, and its two events where it was said to have
// them.
func (n *navigation) complete() bool {
	want := 0
	for _, extra := range n.extra {
		if extra {
			want++
		}
	}
	return n.over && len(n.responses) == len(n.urls) && len(n.sent) >= want && len(n.received) >= want
}

func (n *navigation) hops() []hop {
	var hops []hop
	sent, received := n.sent, n.received
	for i, url := range n.urls {
		h := hop{url: url, status: status(n.responses[i])}
		if n.extra[i] {
			h.handled(sent[0], received[0])
			sent, received = sent[1:], received[1:]
		}
		hops = append(hops, h)
	}
	return hops
}

// upgraded is the status of a hop that never left, because the host is a known HSTS host.
const upgraded = "upgraded by HSTS"

func status(r *network.Response) string {
	if reason, ok := r.Headers["Non-Authoritative-Reason"]; ok {
		return fmt.Sprintf("upgraded by %s", reason)
	}
	if r.FromDiskCache {
		return fmt.Sprintf("%d from its cache", r.Status)
	}
	return strconv.FormatInt(r.Status, 10)
}

// handled adds what Chromium did with the cookies of a hop.
func (h *hop) handled(sent *network.EventRequestWillBeSentExtraInfo, received *network.EventResponseReceivedExtraInfo) {
	for _, c := range sent.AssociatedCookies {
		if len(c.BlockedReasons) == 0 {
			h.sent = append(h.sent, called(c.Cookie.Name))
		} else {
			h.kept = append(h.kept, fmt.Sprintf("%s (%s)", called(c.Cookie.Name), words(c.BlockedReasons)))
		}
	}
	refused := map[string]string{}
	for _, c := range received.BlockedCookies {
		refused[c.CookieLine] = words(c.BlockedReasons)
	}
	for name, value := range received.Headers {
		if !strings.EqualFold(name, "Set-Cookie") {
			continue
		}
		for line := range strings.SplitSeq(fmt.Sprint(value), "\n") {
			pair, _, _ := strings.Cut(line, ";")
			name, _, found := strings.Cut(pair, "=")
			if !found {
				name = "" // what has no "=" is a value
			}
			h.lines = append(h.lines, became(strings.TrimSpace(name), refused[line]))
		}
	}
}

// words are reasons in one order.
func words[R ~string](reasons []R) string {
	all := make([]string, len(reasons))
	for i, r := range reasons {
		all[i] = string(r)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

func called(name string) string { return cmp.Or(name, "(nameless)") }

// became is what became of a Set-Cookie line.
func became(name, refused string) string {
	if refused == "" {
		return called(name) + " accepted"
	}
	return called(name) + " refused: " + refused
}

// stored is a cookie of Chromium in Lockstep's words.
func stored(c *network.Cookie) trace.StoredCookie {
	s := trace.StoredCookie{
		Name: c.Name, Domain: strings.TrimPrefix(c.Domain, "."), HostOnly: !strings.HasPrefix(c.Domain, "."),
		Path: c.Path, Secure: c.Secure, HttpOnly: c.HTTPOnly, SameSite: string(c.SameSite),
	}
	if s.SameSite == "" {
		s.SameSite = "Default"
	}
	if !c.Session {
		s.Expires = time.UnixMicro(int64(c.Expires * 1e6))
	}
	return s
}

// chromiumReasons are Chromium's words for the rules by which our browser keeps cookies back and
// refuses them.
var chromiumReasons = map[rule.ID]string{
	"send-domain-mismatch":       "DomainMismatch",
	"send-host-only":             "DomainMismatch",
	"send-path":                  "NotOnPath",
	"send-secure-over-http":      "SecureOnly",
	"store-domain-mismatch":      "InvalidDomain",
	"store-none-not-secure":      "SameSiteNoneInsecure",
	"store-nameless-prefix":      "InvalidPrefix",
	"store-prefix-host":          "InvalidPrefix",
	"store-prefix-secure":        "InvalidPrefix",
	"store-public-suffix":        "InvalidDomain",
	"store-secure-over-http":     "SecureOnly",
	"store-would-overlay-secure": "OverwriteSecure",
}

// reasons are the rules of a verdict in Chromium's words; a rule without one stands for itself.
func reasons(v rule.Verdict) string {
	var all []string
	for _, id := range append([]rule.ID{v.Rule}, v.Also...) {
		all = append(all, cmp.Or(chromiumReasons[id], string(id)))
	}
	return words(all)
}

// ourVisit is a visit of our browser in the form of Chromium's: an upgrade is a hop of its own.
func ourVisit(v trace.Visit) visit {
	var w visit
	for i := range v.Hops {
		h := &v.Hops[i]
		if u, ok := h.Verdict(rule.UpgradeToHTTPS, ""); ok && u.Yes {
			url, _ := u.Fact("url")
			w.hops = append(w.hops, hop{url: url, status: upgraded})
		}
		w.hops = append(w.hops, ourHop(h))
	}
	last := v.Last()
	w.cookies, w.over = last.Cookies, last.At
	return w
}

func ourHop(h *trace.Hop) hop {
	o := hop{url: h.URL, status: "no answer"}
	if h.Response != nil {
		o.status, o.text = strconv.Itoa(h.Response.Status), h.Response.Text
	}
	for _, v := range h.All(rule.SendCookie) {
		if v.Yes {
			o.sent = append(o.sent, called(v.Subject))
		} else {
			o.kept = append(o.kept, fmt.Sprintf("%s (%s)", called(v.Subject), reasons(v)))
		}
	}
	for _, v := range h.All(rule.StoreCookie) {
		refused := ""
		if !v.Yes && v.Rule != "store-delete-missed" { // which refuses nothing: there was nothing to delete
			refused = reasons(v)
		}
		o.lines = append(o.lines, became(v.Subject, refused))
	}
	return o
}
