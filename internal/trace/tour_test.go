package trace_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// everywhere serves every host, over http and https, and keeps what it was asked.
type everywhere struct {
	asked chan *http.Request
	roots *x509.CertPool
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
}

// newEverywhere serves cookies of every SameSite at /login, and one of a fetch at /api.
func newEverywhere(t *testing.T) *everywhere {
	t.Helper()
	authority, err := cert.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &everywhere{asked: make(chan *http.Request, 100), roots: x509.NewCertPool()}
	e.roots.AppendCertsFromPEM(authority.PEM())
	e.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", l.Addr().String())
	}
	server := &http.Server{Handler: e, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go server.Serve(listen.Both(l, authority.ServerConfig(time.Now)))
	t.Cleanup(func() { server.Close() })
	return e
}

// ServeHTTP implements [http.Handler].
func (e *everywhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.asked <- r.Clone(context.Background())
	set := func(lines ...string) {
		for _, l := range lines {
			w.Header().Add("Set-Cookie", l)
		}
	}
	switch r.URL.Path {
	case "/login":
		set("default=1; Path=/", "lax=1; SameSite=Lax; Path=/; HttpOnly", "strict=1; SameSite=Strict; Path=/", "none=1; SameSite=None; Secure; Path=/")
	case "/api":
		set("fetched=1; SameSite=None; Secure; Path=/", "fetchedlax=1; SameSite=Lax; Path=/")
	case "/hop":
		http.Redirect(w, r, "https://other.test/api", http.StatusFound)
	case "/open":
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			w.Header().Set("Access-Control-Allow-Methods", "PUT, DELETE")
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			set("early=1; Secure; SameSite=None")
		}
	case "/quiet":
		w.Header().Set("Referrer-Policy", "no-referrer")
	case "/hsts":
		w.Header().Set("Strict-Transport-Security", "max-age=3600")
	}
}

// client is one of a profile that reaches every host.
func (e *everywhere) client(p browser.Profile) *trace.Client {
	return &trace.Client{Browser: &browser.Browser{Profile: p}, Roots: e.roots, Dial: e.dial, Timeout: 5 * time.Second}
}

// last is the last request that was asked for.
func (e *everywhere) last(t *testing.T) *http.Request {
	t.Helper()
	var last *http.Request
	for len(e.asked) > 0 {
		last = <-e.asked
	}
	if last == nil {
		t.Fatal("nothing was asked for")
	}
	return last
}

// tour visits all but the last URL as if typed, and that in the circumstances.
func (e *everywhere) tour(t *testing.T, p browser.Profile, x trace.Circumstances, urls ...string) trace.Run {
	t.Helper()
	var all []trace.Navigation
	for _, u := range urls[:len(urls)-1] {
		all = append(all, trace.Navigation{URL: u})
	}
	last, err := x.Navigation(urls[len(urls)-1])
	if err != nil {
		t.Fatal(err)
	}
	run, err := e.client(p).Tour(t.Context(), append(all, last))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// TestTour is about what the server gets from each context after a login: cookies, and the header lines that
// say where the request comes from. The words of the header are those that Chromium 156 sends.
func TestTour(t *testing.T) {
	const (
		app  = "https://app.test/api"
		evil = "https://evil.test/page?x=1"
	)
	var (
		bis, chromium, firefox, curl = browser.Profile{}, browser.Chromium(), browser.Firefox(), browser.Curl()

		all = "default lax none strict"
	)
	for _, c := range []struct {
		name    string
		profile browser.Profile
		x       trace.Circumstances
		method  string
		cookies string
		stored  string // of those that the answer sets
		header  string // Origin, Referer, then Sec-Fetch: Site, Mode, User, Dest; - for none
	}{
		{"typed", bis, trace.Circumstances{}, "GET", all, "fetched fetchedlax", "- - none navigate ?1 document"},
		{"a link of another site", bis, trace.Circumstances{From: evil}, "GET", "default lax none", "fetched fetchedlax", "- https://evil.test/ cross-site navigate ?1 document"},
		{"a link of its own site", bis, trace.Circumstances{From: "https://www.app.test/"}, "GET", all, "fetched fetchedlax", "- https://www.app.test/ same-site navigate ?1 document"},
		{"a link over http of its own site", bis, trace.Circumstances{From: "http://app.test/"}, "GET", "default lax none", "fetched fetchedlax", "- http://app.test/ cross-site navigate ?1 document"},
		{"the same in Firefox", firefox, trace.Circumstances{From: "http://app.test/"}, "GET", all, "fetched fetchedlax", "- http://app.test/ cross-site navigate ?1 document"},
		{"a form of another site", bis, trace.Circumstances{From: evil, As: "form"}, "POST", "none", "fetched fetchedlax", "https://evil.test https://evil.test/ cross-site navigate ?1 document"},
		{"the same, within two minutes", chromium, trace.Circumstances{From: evil, As: "form"}, "POST", "default none", "fetched fetchedlax", "https://evil.test https://evil.test/ cross-site navigate ?1 document"},
		{"a form by its method", bis, trace.Circumstances{From: evil, Method: "post"}, "POST", "none", "fetched fetchedlax", "https://evil.test https://evil.test/ cross-site navigate ?1 document"},
		{"a form that sends GET", bis, trace.Circumstances{From: evil, As: "form", Method: "get"}, "GET", "default lax none", "fetched fetchedlax", "- https://evil.test/ cross-site navigate ?1 document"},
		{"a form of its own", bis, trace.Circumstances{From: app, As: "form"}, "POST", all, "fetched fetchedlax", "https://app.test https://app.test/api same-origin navigate ?1 document"},
		{"a fetch of its own", bis, trace.Circumstances{From: "https://app.test/x", As: "fetch"}, "GET", all, "fetched fetchedlax", "- https://app.test/x same-origin cors - empty"},
		{"a fetch of its own without credentials", bis, trace.Circumstances{From: "https://app.test/x", As: "fetch", Credentials: "omit"}, "GET", "", "", "- https://app.test/x same-origin cors - empty"},
		{"a DELETE of its own", bis, trace.Circumstances{From: "https://app.test/x", As: "fetch", Method: "delete"}, "DELETE", all, "fetched fetchedlax", "https://app.test https://app.test/x same-origin cors - empty"},
		{"a fetch across origins of one site", bis, trace.Circumstances{From: "https://www.app.test/x", As: "fetch"}, "GET", "", "", "https://www.app.test https://www.app.test/ same-site cors - empty"},
		{"the same with credentials", bis, trace.Circumstances{From: "https://www.app.test/x", As: "fetch", Credentials: "include"}, "GET", all, "fetched fetchedlax", "https://www.app.test https://www.app.test/ same-site cors - empty"},
		{"a fetch of another site", bis, trace.Circumstances{From: evil, As: "fetch", Credentials: "include"}, "GET", "none", "fetched", "https://evil.test https://evil.test/ cross-site cors - empty"},
		{"the same in Firefox's partition", firefox, trace.Circumstances{From: evil, As: "fetch", Credentials: "include"}, "GET", "", "fetched", "https://evil.test https://evil.test/ cross-site cors - empty"},
		{"an image of another site", bis, trace.Circumstances{From: evil, As: "image"}, "GET", "none", "fetched", "- https://evil.test/ cross-site no-cors - image"},
		{"an image with crossorigin", bis, trace.Circumstances{From: evil, As: "image", Credentials: "same-origin"}, "GET", "", "", "https://evil.test https://evil.test/ cross-site cors - image"},
		{"a script of its own", bis, trace.Circumstances{From: "https://app.test/x", As: "script"}, "GET", all, "fetched fetchedlax", "- https://app.test/x same-origin no-cors - script"},
		{"a frame in another site", bis, trace.Circumstances{From: evil, As: "iframe"}, "GET", "none", "fetched", "- https://evil.test/ cross-site navigate - iframe"},
		{"a frame, by the window alone", bis, trace.Circumstances{Top: evil, As: "iframe"}, "GET", "none", "fetched", "- https://evil.test/ cross-site navigate - iframe"},
		{"its own page in a frame of another site fetches", bis, trace.Circumstances{From: "https://app.test/x", Top: evil, As: "fetch"}, "GET", "none", "fetched", "- https://app.test/x same-origin cors - empty"},
		{"a POST into a frame", bis, trace.Circumstances{From: "https://app.test/x", As: "iframe", Method: "POST"}, "POST", all, "fetched fetchedlax", "https://app.test https://app.test/x same-origin navigate - iframe"},
		{"a file on the disk", bis, trace.Circumstances{From: "file:///home/me/a.html", As: "form"}, "POST", "none", "fetched fetchedlax", "null - cross-site navigate ?1 document"},
		{"curl has no pages", curl, trace.Circumstances{From: evil, As: "fetch", Method: "POST"}, "POST", all, "fetched fetchedlax", "- - - - - -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEverywhere(t)
			run := e.tour(t, c.profile, c.x, "https://app.test/login", app)
			r := e.last(t)
			if r.Method != c.method {
				t.Errorf("the server got %s, want %s", r.Method, c.method)
			}
			if got := cookiesOf(r); got != c.cookies {
				t.Errorf("the server got the cookies %q, want %q", got, c.cookies)
			}
			if got := fieldsOf(r, "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest"); got != c.header {
				t.Errorf("the server got the header %q, want %q", got, c.header)
			}
			if c.method == "POST" && r.ContentLength != 0 {
				t.Errorf("a body of %d bytes", r.ContentLength)
			}
			if got := storedBy(run.Visits[1].Last()); got != c.stored {
				t.Errorf("stored %q, want %q", got, c.stored)
			}
		})
	}
}

func cookiesOf(r *http.Request) string {
	var names []string
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func fieldsOf(r *http.Request, names ...string) string {
	var values []string
	for _, name := range names {
		value := r.Header.Get(name)
		if value == "" {
			value = "-"
		}
		values = append(values, value)
	}
	return strings.Join(values, " ")
}

func storedBy(h *trace.Hop) string {
	var names []string
	for _, v := range h.All(rule.StoreCookie) {
		if v.Yes {
			names = append(names, v.Subject)
		}
	}
	return strings.Join(names, " ")
}

// TestCircumstances holds that what means nothing is refused, with what to say instead.
func TestCircumstances(t *testing.T) {
	const from = "https://app.test/"
	for _, c := range []struct {
		name          string
		x             trace.Circumstances
		problem, hint string
	}{
		{"no kind", trace.Circumstances{As: "video", From: from}, `as "video"`, "navigate, form, fetch, iframe, image, script"},
		{"a fetch of nobody", trace.Circumstances{As: "fetch"}, "a page asks", "--from URL"},
		{"an image of nobody", trace.Circumstances{As: "image"}, "a page asks", "--from URL"},
		{"a form of nobody", trace.Circumstances{As: "form"}, "nobody types a POST", "--from URL"},
		{"a POST of nobody", trace.Circumstances{Method: "POST"}, "nobody types a POST", "--from URL"},
		{"the mode of a link", trace.Circumstances{From: from, Credentials: "omit"}, "mode of a fetch", "--as fetch"},
		{"the mode of a typed URL", trace.Circumstances{Credentials: "include"}, "nobody types", "--from URL"},
		{"the mode of a frame", trace.Circumstances{From: from, As: "iframe", Credentials: "include"}, "mode of a fetch", "--as fetch"},
		{"no mode", trace.Circumstances{From: from, As: "fetch", Credentials: "always"}, `mode "always"`, "omit, same-origin and include"},
		{"an image without credentials", trace.Circumstances{From: from, As: "image", Credentials: "omit"}, "without credentials", "crossorigin=anonymous"},
		{"a window around a link", trace.Circumstances{From: from, Top: from}, "--top", "--as iframe"},
		{"a link that deletes", trace.Circumstances{From: from, Method: "DELETE"}, `never sends "DELETE"`, "--as fetch --method DELETE"},
		{"an image that posts", trace.Circumstances{From: from, As: "image", Method: "POST"}, `never sends "POST"`, "--as fetch"},
		{"no method", trace.Circumstances{From: from, As: "fetch", Method: "GET /"}, "no method", "a word"},
		{"no method at all", trace.Circumstances{From: from, As: "fetch", Method: "é"}, "no method", "a word"},
		{"a method that scripts have not", trace.Circumstances{From: from, As: "fetch", Method: "trace"}, "refuses the method trace", "no script"},
		{"no page", trace.Circumstances{From: "app.test", As: "fetch"}, "--from: ", "https://app.example/"},
		{"no window", trace.Circumstances{From: from, Top: "ftp://app.test/", As: "iframe"}, "--top: ", "https://app.example/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.x.Navigation("https://app.test/api")
			var e *trace.CircumstancesError
			if !errors.As(err, &e) || !strings.Contains(e.Problem, c.problem) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("error %v", err)
			}
		})
	}
	for _, x := range []trace.Circumstances{{}, {As: "navigate"}, {Method: "get"}, {As: "navigate", Method: "GET"}} {
		if n, err := x.Navigation(from); !x.Typed() || err != nil || n.Initiator != nil {
			t.Errorf("%v is not typed: %v", x, err)
		}
	}
}

// FuzzCircumstances holds that whatever is said is refused, or asks for something that a page can ask for.
func FuzzCircumstances(f *testing.F) {
	f.Add("fetch", "delete", "include", "https://app.test/", "", "https://shop.test/")
	f.Add("iframe", "POST", "", "", "file:///a", "http://[::1]:80")
	f.Fuzz(func(t *testing.T, as, method, credentials, from, top, target string) {
		x := trace.Circumstances{As: as, Method: method, Credentials: credentials, From: from, Top: top}
		n, err := x.Navigation(target)
		var e *trace.CircumstancesError
		switch {
		case errors.As(err, &e):
			if e.Problem == "" || e.Hint == "" {
				t.Errorf("%+v says nothing", e)
			}
		case err != nil:
			t.Error(err)
		case n.Initiator == nil && !x.Typed():
			t.Errorf("nobody asks for %+v", n)
		}
	})
}

// TestTourPolicy holds that a page which was visited asks under its Referrer-Policy.
func TestTourPolicy(t *testing.T) {
	e := newEverywhere(t)
	e.tour(t, browser.Profile{}, trace.Circumstances{From: "https://app.test/quiet", As: "form"}, "https://app.test/quiet", "https://app.test/api")
	if got := fieldsOf(e.last(t), "Origin", "Referer"); got != "null -" {
		t.Errorf("Origin and Referer are %q", got)
	}
}

// TestPreflight holds that what a script may not send without asking is asked for first, without cookies, and
// that it does not leave when the answer does not allow it.
func TestPreflight(t *testing.T) {
	for _, c := range []struct {
		name, target, from, method string
		profile                    browser.Profile
		asked                      string // each method with the cookies that it carried
	}{
		{"allowed", "https://app.test/open", "https://www.app.test/", "DELETE", browser.Profile{}, "OPTIONS: DELETE: default lax none strict"},
		{"another method than those", "https://app.test/open", "https://www.app.test/", "PATCH", browser.Profile{}, "OPTIONS:"},
		{"not allowed", "https://app.test/api", "https://www.app.test/", "DELETE", browser.Profile{}, "OPTIONS:"},
		{"a redirect", "https://app.test/hop", "https://www.app.test/", "DELETE", browser.Profile{}, "OPTIONS:"},
		{"its own origin", "https://app.test/api", "https://app.test/", "DELETE", browser.Profile{}, "DELETE: default lax none strict"},
		{"a method that needs none", "https://app.test/api", "https://www.app.test/", "POST", browser.Profile{}, "POST: default lax none strict"},
		{"curl does not ask", "https://app.test/api", "https://www.app.test/", "DELETE", browser.Curl(), "DELETE: default lax none strict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEverywhere(t)
			x := trace.Circumstances{As: "fetch", From: c.from, Method: c.method, Credentials: "include"}
			run := e.tour(t, c.profile, x, "https://app.test/login", c.target)
			<-e.asked // the login
			var asked []string
			for len(e.asked) > 0 {
				r := <-e.asked
				asked = append(asked, strings.TrimSpace(r.Method+": "+cookiesOf(r)))
				if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != c.method {
					t.Errorf("OPTIONS asks for %q", r.Header.Get("Access-Control-Request-Method"))
				}
			}
			if got := strings.Join(asked, " "); got != c.asked {
				t.Errorf("the server got %q, want %q", got, c.asked)
			}
			if h := run.Visits[1].Hops[0]; storedBy(&h) != "" && h.Method == http.MethodOptions {
				t.Errorf("the answer to OPTIONS stored %s", storedBy(&h))
			}
			story := trace.Tell(run, "", lookupRule)
			refused := c.asked == "OPTIONS:"
			if got := slices.ContainsFunc(story.Moments, func(m trace.Moment) bool { return m.Rule == "preflight-refused" }); got != refused {
				t.Errorf("the key moments are %+v", story.Moments)
			}
		})
	}
}

// TestTourURLs holds that nothing is asked for when one of the URLs is none.
func TestTourURLs(t *testing.T) {
	e := newEverywhere(t)
	run, err := e.client(browser.Profile{}).Tour(t.Context(), []trace.Navigation{{URL: "https://app.test/login"}, {URL: "ftp://app.test/"}})
	if err == nil || len(run.Visits) > 0 || len(e.asked) > 0 {
		t.Errorf("%d visits: %v", len(run.Visits), err)
	}
}

// TestTourStory holds that each hop is a step, that the context is named, that a script's cookies are told,
// and that a saved run is told in the same way.
func TestTourStory(t *testing.T) {
	e := newEverywhere(t)
	x := trace.Circumstances{From: "https://app.test/x", Top: "https://top.test/", As: "fetch", Credentials: "include"}
	run := e.tour(t, browser.Profile{}, x, "https://app.test/login", "https://app.test/hop")
	story := trace.Tell(run, "", lookupRule)
	var actions []string
	for _, st := range story.Steps {
		actions = append(actions, st.Action)
	}
	if want := []string{
		"typed: GET https://app.test/login",
		"fetch by https://app.test/x, which is a frame of https://top.test/, credentials include: GET https://app.test/hop",
		"redirected: GET https://other.test/api",
	}; !slices.Equal(actions, want) {
		t.Errorf("the steps are %q", actions)
	}
	if got := *run.Visits[1].Context; got != (trace.Context{As: "fetch", Top: "https://top.test/", Credentials: "include"}) || run.Visits[1].From != "https://app.test/x" {
		t.Errorf("the context is %+v", got)
	}
	read := map[string]rule.ID{}
	for _, v := range run.Visits[1].Last().All(rule.ReadCookie) {
		read[v.Subject] = v.Rule
	}
	if want := map[string]rule.ID{"default": "send-samesite-default-lax", "lax": "read-httponly", "strict": "send-samesite-strict", "none": "send-ok"}; !maps.Equal(read, want) {
		t.Errorf("document.cookie: %v", read)
	}
	var saved, was, now bytes.Buffer
	if err := run.WriteJSON(&saved); err != nil {
		t.Fatal(err)
	}
	again, err := trace.ReadJSON(&saved)
	if err != nil {
		t.Fatal(err)
	}
	story.WriteTable(&was, true)
	told := trace.Tell(again, "", lookupRule)
	told.WriteTable(&now, true)
	if was.String() != now.String() {
		t.Errorf("the saved run is told otherwise:\n%s\n%s", was.String(), now.String())
	}
}

// TestScriptAfterNavigation holds that the document which came is the one whose script asks.
func TestScriptAfterNavigation(t *testing.T) {
	for _, c := range []struct {
		x    trace.Circumstances
		want string
	}{
		{trace.Circumstances{}, "default none strict"},
		{trace.Circumstances{From: "https://evil.test/"}, "default none strict"},
		{trace.Circumstances{From: "https://evil.test/", As: "iframe"}, "none"},
		{trace.Circumstances{From: "https://evil.test/", As: "image"}, ""},
	} {
		run := newEverywhere(t).tour(t, browser.Profile{}, c.x, "https://app.test/login", "https://app.test/")
		var found []string
		for _, v := range run.Visits[1].Last().All(rule.ReadCookie) {
			if v.Yes {
				found = append(found, v.Subject)
			}
		}
		if got := strings.Join(slices.Sorted(slices.Values(found)), " "); got != c.want {
			t.Errorf("%+v: document.cookie has %q, want %q", c.x, got, c.want)
		}
	}
}

// TestSides holds that the rows in which profiles differ are marked, and that each has an entry.
func TestSides(t *testing.T) {
	e := newEverywhere(t)
	var sides trace.Sides
	for _, p := range browser.Profiles() {
		run := e.tour(t, p, trace.Circumstances{From: "https://evil.test/", As: "form"}, "https://app.test/login", "https://app.test/api")
		story := trace.Tell(run, "", lookupRule)
		sides = append(sides, trace.Side{Profile: p.Name(), Story: &story})
	}
	var table, lines bytes.Buffer
	sides.WriteTable(&table, false)
	for _, want := range []string{
		"Step  Action  ", "\n1     typed", "\n2 *   form on", "rfc6265bis ", "chromium ", "firefox ", "curl",
		"\ndefault, stored  ", "\ndefault, last request *  ", "\nlax, document.cookie  ", "none; kept", "The profiles differ",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	if err := sides.WriteJSON(&lines); err != nil {
		t.Fatal(err)
	}
	differs := map[string][]string{}
	for l := range bytes.Lines(lines.Bytes()) {
		var entry struct {
			Schema, Profile string
			Differs         []string
			Run             []json.RawMessage
		}
		if err := json.Unmarshal(l, &entry); err != nil || entry.Schema != trace.SidesSchema || len(entry.Run) < 10 {
			t.Fatalf("%v: %s", err, l)
		}
		differs[entry.Profile] = entry.Differs
	}
	if want := map[string][]string{
		"rfc6265bis": {}, "chromium": {"step 2", "default, last request"}, "firefox": {"step 2", "default, last request"},
		"curl": {"step 2", "default, last request", "lax, last request", "strict, last request"},
	}; !reflect.DeepEqual(differs, want) {
		t.Errorf("differences: %v", differs)
	}
	var page bytes.Buffer
	if err := sides.WriteHTML(&page, "side by side", nil); err != nil || !strings.Contains(page.String(), `<h2 id="sides">`) || !strings.Contains(page.String(), "Profile firefox") {
		t.Errorf("the page: %v", err)
	}
	var alike bytes.Buffer
	trace.Sides{sides[0], {Profile: "twin", Story: sides[0].Story}}.WriteTable(&alike, false)
	if !strings.Contains(alike.String(), "rfc6265bis, twin") || !strings.Contains(alike.String(), "do the same") {
		t.Errorf("two that are alike:\n%s", alike.String())
	}
}

// TestKnownFromTheStart holds that a request which HSTS keeps off the network is told as such, not as one
// that was never made.
func TestKnownFromTheStart(t *testing.T) {
	e := newEverywhere(t)
	c := e.client(browser.Profile{})
	u := &url.URL{Scheme: "https", Host: "app.test", Path: "/hsts"}
	c.Browser.StoreHSTS(u, []string{"max-age=3600"}, true, time.Now(), nil)
	run, err := c.Lesson(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	story := trace.Tell(run, "", lookupRule)
	first := story.Steps[0]
	if first.Action != "HTTP request to http://app.test/hsts" || first.Result != "upgraded by HSTS before the network (upgrade-hsts)" || first.Sent != "no (nothing was sent)" {
		t.Errorf("step 1 is %+v", first)
	}
	if len(story.Moments) == 0 || !slices.ContainsFunc(story.Moments, func(m trace.Moment) bool { return m.Step == 1 && strings.HasPrefix(string(m.Rule), "upgrade-") }) {
		t.Errorf("the key moments are %+v", story.Moments)
	}
	var prose bytes.Buffer
	story.WriteTranscript(&prose, false)
	if strings.Contains(prose.String(), "did not get here") || !strings.Contains(prose.String(), "Upgraded by HSTS") {
		t.Errorf("the transcript:\n%s", prose.String())
	}
	for len(e.asked) > 0 {
		if r := <-e.asked; r.TLS == nil && r.Header.Get("Sec-Fetch-Site") == "" {
			t.Error("something went over http")
		}
	}
}
