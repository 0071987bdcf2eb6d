package trace_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// TestMixed holds what is said of the http URLs of a page, and that none of them is asked for.
func TestMixed(t *testing.T) {
	const (
		script = `<script src=http://cdn.test/a.js></script>`
		image  = `<img src=http://cdn.test/a.png>`
		form   = `<form method=post action=http://shop.test/pay><input name=card></form>`
	)
	for _, c := range []struct {
		name, page, visit string
		policy            [2]string
		want              []rule.ID
		subject           string // of the first, in its facts
	}{
		{name: "nothing", page: `<p>`},
		{name: "each kind", page: script + image + form, want: []rule.ID{"mixed-blocked", "mixed-upgraded", "mixed-form"}, subject: "script"},
		{name: "over http", page: script + image + form, visit: "http://shop.test/"},
		{name: "this machine", page: `<script src=http://127.0.0.1:1/></script><img src=http://localhost/>`},
		{name: "an image at an address is not upgraded", page: `<img src=http://10.0.0.1/a.png>`, want: []rule.ID{"mixed-blocked"}, subject: "img"},
		{name: "a set of images is not upgraded", page: `<img srcset="http://cdn.test/a 2x">`, want: []rule.ID{"mixed-blocked"}, subject: "img"},
		{name: "a policy", page: script + image + form, policy: [2]string{"Content-Security-Policy", "default-src *; upgrade-insecure-requests"}, want: []rule.ID{"mixed-by-policy"}, subject: "script"},
		{name: "a policy in the page", page: `<meta http-equiv=Content-Security-Policy content=upgrade-insecure-requests>` + script, want: []rule.ID{"mixed-by-policy"}, subject: "script"},
		{name: "a policy that only reports", page: script, policy: [2]string{"Content-Security-Policy-Report-Only", "upgrade-insecure-requests"}, want: []rule.ID{"mixed-blocked"}, subject: "script"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests atomic.Int32
			client := serveBoth(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				if c.policy[0] != "" {
					w.Header().Set(c.policy[0], c.policy[1])
				}
				fmt.Fprint(w, "<!doctype html>"+c.page)
			}))
			target := c.visit
			if target == "" {
				target = "https://shop.test/"
			}
			v, err := client.Visit(t.Context(), http.MethodGet, target, nil)
			if err != nil {
				t.Fatal(err)
			}
			all := v.Last().All(rule.MixedContent)
			if got := rulesOf(v.Last(), rule.MixedContent); !slices.Equal(got, c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			if c.subject != "" {
				if _, ok := all[0].Fact(c.subject); !ok {
					t.Errorf("no %s in %+v", c.subject, all[0])
				}
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestFormUpgraded holds that a form goes where the verdict says that it does.
func TestFormUpgraded(t *testing.T) {
	for _, upgrades := range []bool{false, true} {
		client := serveBoth(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if upgrades {
				w.Header().Set("Content-Security-Policy", "upgrade-insecure-requests")
			}
			fmt.Fprint(w, "<!doctype html><form method=post action=http://shop.test/pay><input name=card></form>")
		}))
		if _, err := client.Visit(t.Context(), http.MethodGet, "https://shop.test/", nil); err != nil {
			t.Fatal(err)
		}
		v, err := client.Submit(t.Context(), client.Document.Forms[0], nil)
		if err != nil || v.Hops[0].Secure() != upgrades {
			t.Errorf("with the policy %t: %s, %v", upgrades, v.Hops[0].URL, err)
		}
	}
}

// TestOffer holds what is said of how a site brings its visitors to https.
func TestOffer(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }
	toHTTPS := func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			goTo(w, 301, "https://"+r.Host+r.RequestURI)
			return
		}
		answer(w, r)
	}
	for _, c := range []struct {
		name    string
		site    http.HandlerFunc
		refuses string // the port on which nothing listens
		want    rule.ID
	}{
		{"redirects", toHTTPS, "", ""},
		{"answers over both", answer, "", "offer-not-led"},
		{"http only", answer, "443", "offer-http-only"},
		{"redirects to nobody", toHTTPS, "443", "offer-broken"},
		{"https only", answer, "80", ""},
		{"neither", answer, "80 443", ""},
		{"a loop over http", func(w http.ResponseWriter, r *http.Request) { goTo(w, 302, r.URL.Path) }, "443", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := serveBoth(t, c.site)
			dial := client.Dial
			client.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if _, port, _ := net.SplitHostPort(addr); c.refuses == port || c.refuses == "80 443" {
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
				}
				return dial(ctx, network, addr)
			}
			run, err := client.Lesson(t.Context(), "http://shop.test/")
			if err != nil {
				t.Fatal(err)
			}
			var got rule.ID
			for i := range run.Visits {
				if v, ok := run.Visits[i].Last().Verdict(rule.OfferHTTPS, ""); ok {
					got = v.Rule
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestMixedRequests holds which requests for parts of a page leave over http.
func TestMixedRequests(t *testing.T) {
	page := func(u string, parent *browser.Document) *browser.Document {
		at, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		return &browser.Document{URL: at, Parent: parent}
	}
	secure := page("https://shop.test/", nil)
	for _, c := range []struct {
		name    string
		as      browser.Destination
		from    *browser.Document
		to      string
		profile browser.Profile
		want    rule.ID
		left    string // the URL that is asked for; "" when none is
	}{
		{"a fetch", browser.AsFetch, secure, "http://shop.test/", browser.Chromium(), "mixed-blocked", ""},
		{"a fetch of another site", browser.AsFetch, secure, "http://cdn.test/", browser.Firefox(), "mixed-blocked", ""},
		{"a script", browser.AsScript, secure, "http://cdn.test/", browser.Profile{}, "mixed-blocked", ""},
		{"a frame", browser.AsIframe, secure, "http://cdn.test/", browser.Chromium(), "mixed-blocked", ""},
		{"a frame of http in a page of https", browser.AsFetch, page("http://cdn.test/", secure), "http://cdn.test/", browser.Chromium(), "mixed-blocked", ""},
		{"an image", browser.AsImage, secure, "http://cdn.test/", browser.Chromium(), "mixed-upgraded", "https://cdn.test/"},
		{"an image at an address", browser.AsImage, secure, "http://192.0.2.1/", browser.Chromium(), "mixed-blocked", ""},
		{"a link", browser.AsNavigation, secure, "http://cdn.test/", browser.Chromium(), "", "http://cdn.test/"},
		{"a page of http", browser.AsFetch, page("http://shop.test/", nil), "http://shop.test/", browser.Chromium(), "", "http://shop.test/"},
		{"this machine", browser.AsFetch, secure, "http://localhost/", browser.Chromium(), "", "http://localhost/"},
		{"curl", browser.AsFetch, secure, "http://cdn.test/", browser.Curl(), "", "http://cdn.test/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests atomic.Int32
			client := serveBoth(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("Access-Control-Allow-Origin", "*")
			}))
			client.Browser.Profile = c.profile
			v, err := client.Navigate(t.Context(), trace.Navigation{URL: c.to, As: c.as, Initiator: c.from})
			if err != nil {
				t.Fatal(err)
			}
			last := v.Last()
			got, _ := last.Verdict(rule.MixedContent, "")
			if got.Rule != c.want || last.Left != (c.left != "") || last.Left && last.URL != c.left || (requests.Load() == 0) != (c.left == "") {
				t.Errorf("%s by %q, left %t, %d requests; want %q by %q", last.URL, got.Rule, last.Left, requests.Load(), c.left, c.want)
			}
		})
	}
}

// TestMixedRedirect holds that a redirect leads no fetch of a page of https to http.
func TestMixedRedirect(t *testing.T) {
	var plain atomic.Int32
	client := serveBoth(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if r.TLS == nil {
			plain.Add(1)
			return
		}
		http.Redirect(w, r, "http://shop.test/", http.StatusFound)
	}))
	at, err := url.Parse("https://shop.test/")
	if err != nil {
		t.Fatal(err)
	}
	v, err := client.Navigate(t.Context(), trace.Navigation{URL: "https://shop.test/a", As: browser.AsFetch, Initiator: &browser.Document{URL: at}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := v.Last().Verdict(rule.MixedContent, ""); len(v.Hops) != 2 || got.Rule != "mixed-blocked" || plain.Load() != 0 {
		t.Errorf("%d hops, %q, %d requests over http", len(v.Hops), got.Rule, plain.Load())
	}
}
