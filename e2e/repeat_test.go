package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// unread is the status of an answer that a script may not read.
const unread = "unread"

// A toldHop is what Chromium told of one hop.
type toldHop struct {
	url, status string
	sent        *network.EventRequestWillBeSentExtraInfo // nil for an upgrade, which is never sent
	received    *network.EventResponseReceivedExtraInfo
}

// told are the hops of a navigation.
func (n *navigation) told() []toldHop {
	var all []toldHop
	sent, received := n.sent, n.received
	for i, u := range n.urls {
		h := toldHop{url: u, status: unread}
		extra := true
		if i < len(n.responses) {
			h.status, extra = status(n.responses[i]), n.extra[i]
		}
		if extra && len(sent) > 0 && len(received) > 0 {
			h.sent, h.received = sent[0], received[0]
			sent, received = sent[1:], received[1:]
		}
		all = append(all, h)
	}
	return all
}

// allTold reports whether nothing more is to come of a navigation, which may have failed.
func (n *navigation) allTold() bool {
	if n.failed == "" || n.failed == "net::ERR_TOO_MANY_REDIRECTS" {
		return n.over && (n.failed != "" || n.complete())
	}
	upgrades := 0
	for _, extra := range n.extra {
		if !extra {
			upgrades++
		}
	}
	want := len(n.urls) - upgrades
	return n.over && len(n.sent) >= want && len(n.received) >= want
}

// repeat has Chromium ask for what our browser asked for, from a page of its own where there was one.
func (p *tab) repeat(ctx context.Context, t *testing.T, n *trace.Navigation) (*navigation, error) {
	t.Helper()
	if n.Initiator != nil {
		if n.Initiator.Parent != nil || n.Initiator.ReferrerPolicy != "" || n.Container != nil {
			return nil, fmt.Errorf("no page for %+v", n)
		}
		p.open(ctx, t, n.Initiator.URL.String())
	}
	before := p.known()
	if n.Initiator == nil {
		if n.Method != "" && n.Method != http.MethodGet || n.Body != nil {
			return nil, fmt.Errorf("nobody types a %s", n.Method)
		}
		if _, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: n.URL}); err != nil {
			return nil, err
		}
	} else {
		script, err := asks(n)
		if err != nil {
			return nil, err
		}
		evaluate := evaluateIn[bool]
		if n.As == browser.AsNavigation {
			evaluate = clickIn
		}
		evaluate(ctx, t, script)
	}
	return p.result(ctx, t, n.URL, before), nil
}

// asks is the script by which a page asks for what n says.
func asks(n *trace.Navigation) (string, error) {
	switch {
	case n.As != browser.AsNavigation:
		e := errand{kind: n.As.String(), url: n.URL, credentials: n.Credentials}
		return fmt.Sprintf(loads, strings.Replace(e.call(), `mode: "no-cors", `, "", 1)), nil
	case n.Body == nil:
		return fmt.Sprintf(`{const a = document.createElement("a"); a.href = %q; document.documentElement.append(a); a.click(); true}`, n.URL), nil
	}
	fields, err := formFields(n)
	if err != nil {
		return "", err
	}
	script := fmt.Sprintf(`{const f = document.createElement("form"); f.method = "post"; f.action = %q; document.documentElement.append(f);`, n.URL)
	for name, values := range fields {
		script += fmt.Sprintf(`{const i = document.createElement("input"); i.name = %q; i.value = %q; f.append(i);}`, name, values[0])
	}
	return script + `f.submit(); true}`, nil
}

// open has Chromium show an empty page at the URL, which no server is asked for.
func (p *tab) open(ctx context.Context, t *testing.T, target string) {
	t.Helper()
	if _, err := chromedp.Call(ctx, fetch.Enable, fetch.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	r, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: target})
	if err != nil || r.ErrorText != "" {
		t.Fatalf("opening a page at %s: %v %s", target, err, r.ErrorText)
	}
	for evaluateIn[string](ctx, t, "location.href + document.readyState") != target+"complete" {
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := chromedp.Call(ctx, fetch.Disable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
}

// fulfill answers what was held up with an empty page.
func (p *tab) fulfill(e *fetch.EventRequestPaused) {
	_, _ = chromedp.Call(p.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{
		RequestID: e.RequestID, ResponseCode: 200,
		ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "text/html"}},
		Body:            []byte("<!doctype html><title>a page</title><link rel=icon href='data:,'>"),
	})
}

// known are the requests so far.
func (p *tab) known() map[network.RequestID]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[network.RequestID]bool{}
	for id := range p.requests {
		all[id] = true
	}
	return all
}

// result is what became of the new request for target, when all of it is told.
func (p *tab) result(ctx context.Context, t *testing.T, target string, before map[network.RequestID]bool) *navigation {
	t.Helper()
	for {
		if n := p.found(target, before); n != nil {
			return n
		}
		select {
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			for id, n := range p.requests {
				if !before[id] {
					t.Logf("%s %+v", id, n)
				}
			}
			t.Fatalf("Chromium did not tell all about %s: %v", target, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *tab) found(target string, before map[network.RequestID]bool) *navigation {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, n := range p.requests {
		if !before[id] && slices.Index(n.urls, target) == 0 && n.allTold() {
			copied := *n
			return &copied
		}
	}
	return nil
}

// cookies are those that Chromium has stored.
func (p *tab) cookies(ctx context.Context, t *testing.T) []trace.StoredCookie {
	t.Helper()
	held, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID})
	if err != nil {
		t.Fatal(err)
	}
	var all []trace.StoredCookie
	for _, c := range held.Cookies {
		all = append(all, stored(c))
	}
	return all
}

// evaluateIn is what a script comes to in the document that is shown.
func evaluateIn[T any](ctx context.Context, t *testing.T, script string) T {
	t.Helper()
	return evaluateAs[T](ctx, t, script, false)
}

// clickIn runs a script as if a person had clicked.
func clickIn(ctx context.Context, t *testing.T, script string) bool {
	t.Helper()
	return evaluateAs[bool](ctx, t, script, true)
}

func evaluateAs[T any](ctx context.Context, t *testing.T, script string, clicked bool) (value T) {
	t.Helper()
	r, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{
		Expression: script, AwaitPromise: new(true), UserGesture: &clicked, ReturnByValue: new(true),
	})
	if err != nil || r.ExceptionDetails != nil {
		t.Fatalf("%s: %v %+v", script, err, r)
	}
	if err := json.Unmarshal([]byte(r.Result.Value), &value); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return value
}
