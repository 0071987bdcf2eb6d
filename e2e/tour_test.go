package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// A circumstance is in what way a page asks for https://shop.test/end, or for the same over http where it is
// plain, with the words that trace has for it.
type circumstance struct {
	name string
	html string // of the page at x.From; END is the URL, and then() is to be called when it is over
	x    trace.Circumstances

	plain, blocked bool // blocked: nothing is asked for
	away           bool // asked for is a redirect to it
}

// url is what the page asks for.
func (c circumstance) url() string {
	if c.plain {
		return "http://shop.test/end"
	}
	if c.away {
		return "https://shop.test/away"
	}
	return asked
}

const (
	fetching  = `<script>fetch("END", OPTIONS).catch(() => 0).then(then)</script>`
	embedding = ` src="END" onload="then()" onerror="then()">`
)

var circumstances = []circumstance{
	{name: "fetch of its own", html: with(`{}`), x: trace.Circumstances{From: "https://shop.test/p?q=1", As: "fetch"}},
	{name: "fetch of its own, omit", html: with(`{credentials: "omit"}`), x: trace.Circumstances{From: "https://shop.test/p", As: "fetch", Credentials: "omit"}},
	{name: "fetch of its own, POST", html: with(`{method: "post"}`), x: trace.Circumstances{From: "https://shop.test/p", As: "fetch", Method: "post"}},
	{name: "fetch of its own, DELETE", html: with(`{method: "delete"}`), x: trace.Circumstances{From: "https://shop.test/p", As: "fetch", Method: "delete"}},
	{name: "fetch of its own, patch", html: with(`{method: "patch"}`), x: trace.Circumstances{From: "https://shop.test/p", As: "fetch", Method: "patch"}},
	{name: "fetch of a subdomain", html: with(`{}`), x: trace.Circumstances{From: "https://www.shop.test/p", As: "fetch"}},
	{name: "fetch of a subdomain, include", html: with(`{credentials: "include"}`), x: trace.Circumstances{From: "https://www.shop.test/p", As: "fetch", Credentials: "include"}},
	{name: "fetch of another site, include", html: with(`{credentials: "include"}`), x: trace.Circumstances{From: "https://evil.test/p?q=1", As: "fetch", Credentials: "include"}},
	{name: "fetch of another site, POST", html: with(`{method: "POST", credentials: "include"}`), x: trace.Circumstances{From: "https://evil.test/p", As: "fetch", Method: "POST", Credentials: "include"}},
	{name: "fetch over http, include", html: with(`{credentials: "include"}`), x: trace.Circumstances{From: "http://shop.test/p", As: "fetch", Credentials: "include"}},
	{name: "fetch that may, DELETE", html: with(`{method: "DELETE", credentials: "include"}`), x: trace.Circumstances{From: "https://www.shop.test/p", As: "fetch", Method: "DELETE", Credentials: "include"}},
	{name: "fetch that may not, PUT", html: with(`{method: "PUT", credentials: "include"}`), x: trace.Circumstances{From: "https://www.shop.test/p", As: "fetch", Method: "PUT", Credentials: "include"}},
	{name: "fetch of another site that may not, PUT", html: with(`{method: "PUT"}`), x: trace.Circumstances{From: "https://evil.test/p", As: "fetch", Method: "PUT"}},
	{name: "image of another site", html: "<img" + embedding, x: trace.Circumstances{From: "https://evil.test/p", As: "image"}},
	{name: "image of a subdomain", html: "<img" + embedding, x: trace.Circumstances{From: "https://www.shop.test/p", As: "image"}},
	{name: "image with crossorigin", html: "<img crossorigin=anonymous" + embedding, x: trace.Circumstances{From: "https://www.shop.test/p", As: "image", Credentials: "same-origin"}},
	{name: "image with crossorigin and credentials", html: "<img crossorigin=use-credentials" + embedding, x: trace.Circumstances{From: "https://www.shop.test/p", As: "image", Credentials: "include"}},
	{name: "script of its own", html: "<script" + embedding + "</script>", x: trace.Circumstances{From: "https://shop.test/p", As: "script"}},
	{name: "script of another site", html: "<script" + embedding + "</script>", x: trace.Circumstances{From: "https://evil.test/p", As: "script"}},
	{name: "frame of its own", html: "<iframe" + embedding, x: trace.Circumstances{From: "https://shop.test/p", As: "iframe"}},
	{name: "frame in another site", html: "<iframe" + embedding, x: trace.Circumstances{From: "https://evil.test/p", As: "iframe"}},
	{name: "fetch of a frame in another site", html: with(`{}`), x: trace.Circumstances{From: "https://shop.test/p", Top: "https://evil.test/top", As: "fetch"}},
	{name: "frame of a frame, around it another site", html: "<iframe" + embedding, x: trace.Circumstances{From: "https://shop.test/p", Top: "https://evil.test/top", As: "iframe"}},
	{name: "image of a frame in its subdomain", html: "<img" + embedding, x: trace.Circumstances{From: "https://shop.test/p", Top: "https://www.shop.test/top", As: "image"}},
	{name: "redirect: fetch of a subdomain", html: with(`{}`), x: trace.Circumstances{From: "https://www.shop.test/p", As: "fetch"}, away: true},
	{name: "redirect: fetch of another site", html: with(`{}`), x: trace.Circumstances{From: "https://evil.test/p", As: "fetch"}, away: true, blocked: true},
	{name: "redirect: fetch of a subdomain, include", html: with(`{credentials: "include"}`), x: trace.Circumstances{From: "https://www.shop.test/p", As: "fetch", Credentials: "include"}, away: true, blocked: true},
	{name: "redirect: image of another site", html: "<img" + embedding, x: trace.Circumstances{From: "https://evil.test/p", As: "image"}, away: true},
	{name: "redirect: image with crossorigin", html: "<img crossorigin=anonymous" + embedding, x: trace.Circumstances{From: "https://evil.test/p", As: "image", Credentials: "same-origin"}, away: true, blocked: true},
	{name: "mixed: fetch", html: with(`{}`), x: trace.Circumstances{From: "https://shop.test/p", As: "fetch"}, plain: true, blocked: true},
	{name: "mixed: fetch, DELETE", html: with(`{method: "DELETE"}`), x: trace.Circumstances{From: "https://www.shop.test/p", As: "fetch", Method: "DELETE"}, plain: true, blocked: true},
	{name: "mixed: script", html: "<script" + embedding + "</script>", x: trace.Circumstances{From: "https://evil.test/p", As: "script"}, plain: true, blocked: true},
	{name: "mixed: frame", html: `<iframe src="END"></iframe><script>setTimeout(then, 500)</script>`, x: trace.Circumstances{From: "https://shop.test/p", As: "iframe"}, plain: true, blocked: true},
	{name: "mixed: image", html: "<img" + embedding, x: trace.Circumstances{From: "https://shop.test/p", As: "image"}, plain: true},
	{name: "mixed: image of another site", html: "<img" + embedding, x: trace.Circumstances{From: "https://evil.test/p", As: "image"}, plain: true},
}

func with(options string) string { return strings.ReplaceAll(fetching, "OPTIONS", options) }

const (
	setting = "https://shop.test/set"
	asked   = "https://shop.test/end"
)

// An asking is a site that notes who asks for /end and how, and lets scripts of www.shop.test send DELETE.
type asking struct {
	circumstance

	mu    sync.Mutex
	noted []string
	done  chan struct{}
}

// ServeHTTP implements [http.Handler].
func (o *asking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch r.URL.Path {
	case "/set":
		for _, line := range []string{"strict=1; SameSite=Strict", "lax=1; SameSite=Lax", "none=1; SameSite=None", "default=1"} {
			w.Header().Add("Set-Cookie", line+"; Secure")
		}
	case "/top":
		fmt.Fprintf(w, "<!doctype html><iframe src=%q></iframe>", o.x.From)
	case "/p":
		io.WriteString(w, `<!doctype html><script>const then = () => fetch("/done")</script>`+strings.ReplaceAll(o.html, "END", o.url()))
	case "/end":
		o.note(r)
		w.Header().Set("Access-Control-Allow-Origin", "https://www.shop.test")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Allow-Methods", "DELETE")
	case "/away":
		w.Header().Set("Access-Control-Allow-Origin", "https://www.shop.test")
		http.Redirect(w, r, asked, http.StatusFound)
	case "/done":
		o.done <- struct{}{}
	default:
		http.NotFound(w, r) // what a browser asks for by itself
	}
}

func (o *asking) note(r *http.Request) {
	lines := []string{r.Method, fmt.Sprintf("over TLS: %t", r.TLS != nil)}
	for _, name := range []string{"Origin", "Referer", "Access-Control-Request-Method", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest", "Content-Type", "Content-Length"} {
		lines = append(lines, name+": "+strings.Join(r.Header[name], " | "))
	}
	var names []string
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.noted = append(o.noted, strings.Join(append(lines, "cookies: "+strings.Join(names, " ")), "\n  "))
}

// take returns what was noted, once, as text.
func (o *asking) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.Join(o.noted, "\n")
	o.noted = nil
	return text
}

// TestTour has Chromium load pages that ask, and our browser ask as they do: what arrives has to be the same.
// Debian's Chromium blocks the cookies of third parties.
func TestTour(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	s := newStage(t)
	chromium := startChromium(t, path, s)
	for _, c := range circumstances {
		t.Run(c.name, func(t *testing.T) {
			o := &asking{circumstance: c, done: make(chan struct{}, 1)}
			var h http.Handler = o
			s.site.Store(&h)
			theirs := chromiumTour(chromium, t, o)
			last, err := c.x.Navigation(c.url())
			if err != nil {
				t.Fatal(err)
			}
			client := s.client()
			client.Browser = &browser.Browser{Profile: browser.Chromium().WithThirdParty(browser.ThirdPartyBlocked)}
			if _, err := client.Tour(t.Context(), []trace.Navigation{{URL: setting}, last}); err != nil {
				t.Fatal(err)
			}
			if ours := o.take(); ours != theirs || (ours == "") != c.blocked {
				t.Errorf("Lockstep:\n%s\nChromium:\n%s", ours, theirs)
			}
		})
	}
}

func chromiumTour(chromium context.Context, t *testing.T, o *asking) string {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	defer cancel()
	ctx, end := context.WithTimeout(ctx, visitTimeout)
	defer end()
	start := o.x.From
	if o.x.Top != "" {
		start = o.x.Top
	}
	for _, target := range []string{setting, start} {
		r, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: target})
		if err != nil || r.ErrorText != "" {
			t.Fatalf("visiting %s: %v %s", target, err, r.ErrorText)
		}
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		t.Fatalf("Chromium did not get to the end: %v\n%s", context.Cause(ctx), o.take())
	}
	return o.take()
}
