package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// A journey is a case of where requests come from: a person types a URL, and on the page that comes
// clicks what has the ID "go". The request for /end is the last.
type journey struct {
	name      string
	start     string            // the URL that is typed
	html      string            // of the page there; "" is the end already
	policy    string            // its Referrer-Policy
	redirects map[string]string // by path: the status, and the URL that it leads to; a policy may follow
}

const (
	post = `<form method=post action="%s"><input name=a value=1><button id=go>Go</button></form>`
	link = `<a id=go href="%s">go</a>`
)

func leads(markup, to string) string { return fmt.Sprintf(markup, to) }

var journeys = []journey{
	{name: "typed", start: "https://shop.test/end"},
	{name: "typed over http", start: "http://shop.test/end"},
	{name: "typed and redirected to https", start: "http://shop.test/r", redirects: map[string]string{"/r": "301 https://shop.test/end"}},

	{name: "form of the same origin", start: "https://shop.test/p?q=1#f", html: leads(post, "/end")},
	{name: "form of the same origin over http", start: "http://shop.test/p", html: leads(post, "/end")},
	{name: "form of a subdomain", start: "https://www.shop.test/p", html: leads(post, "https://shop.test/end")},
	{name: "form of another site", start: "https://evil.test/p?q=1", html: leads(post, "https://shop.test/end")},
	{name: "form of another site over http", start: "http://evil.test/p", html: leads(post, "http://shop.test/end")},
	{name: "form from http to https", start: "http://shop.test/p?q=1", html: leads(post, "https://shop.test/end")},
	{name: "form that is submitted by GET", start: "https://shop.test/p", html: `<form action="/end"><input name=a value=1><button id=go>Go</button></form>`},

	{name: "link of the same origin", start: "https://shop.test/p?q=1#f", html: leads(link, "/end")},
	{name: "link of another site", start: "https://search.test/p?q=1", html: leads(link, "https://shop.test/end")},
	{name: "link of a subdomain", start: "https://www.shop.test/p", html: leads(link, "https://shop.test/end")},
	{name: "link from https to http", start: "https://shop.test/p", html: leads(link, "http://shop.test/end")},
	{name: "link from http to https", start: "http://shop.test/p", html: leads(link, "https://shop.test/end")},
	{name: "link with noreferrer", start: "https://shop.test/p", html: `<a id=go rel=noreferrer href="/end">go</a>`},

	{name: "link of another site, redirected to https", start: "https://search.test/p", html: leads(link, "https://search.test/r"), redirects: map[string]string{"/r": "302 https://shop.test/end"}},
	{name: "link to another site and back", start: "https://shop.test/p", html: leads(link, "https://login.test/r"), redirects: map[string]string{"/r": "302 https://shop.test/end"}},
	{name: "link with a redirect that changes the policy", start: "https://shop.test/p", html: leads(link, "/r"), redirects: map[string]string{"/r": "302 /end no-referrer"}},

	{name: "post redirected to https by 301", start: "http://shop.test/p", html: leads(post, "/r"), redirects: map[string]string{"/r": "301 https://shop.test/end"}},
	{name: "post redirected to https by 302", start: "http://shop.test/p", html: leads(post, "/r"), redirects: map[string]string{"/r": "302 https://shop.test/end"}},
	{name: "post redirected to https by 303", start: "http://shop.test/p", html: leads(post, "/r"), redirects: map[string]string{"/r": "303 https://shop.test/end"}},
	{name: "post redirected to https by 307", start: "http://shop.test/p", html: leads(post, "/r"), redirects: map[string]string{"/r": "307 https://shop.test/end"}},
	{name: "post redirected to https by 308", start: "http://shop.test/p", html: leads(post, "/r"), redirects: map[string]string{"/r": "308 https://shop.test/end"}},
	{name: "post redirected within its origin by 307", start: "https://shop.test/p", html: leads(post, "/r"), redirects: map[string]string{"/r": "307 /end"}},
	{name: "post to another site, redirected within it by 307", start: "https://evil.test/p", html: leads(post, "https://shop.test/r"), redirects: map[string]string{"/r": "307 /end"}},
	{name: "post to another site and back by 307", start: "https://shop.test/p", html: leads(post, "https://login.test/r"), redirects: map[string]string{"/r": "307 https://shop.test/end"}},
	{name: "post to another site, redirected to a third by 307", start: "https://evil.test/p", html: leads(post, "https://login.test/r"), redirects: map[string]string{"/r": "307 https://shop.test/end"}},
	{name: "post that is answered by a redirect after it", start: "https://shop.test/p", html: leads(post, "/r"), redirects: map[string]string{"/r": "302 /end"}},
}

// forms are pages whose form is submitted by its first button; what they send has to be the same to the
// byte. The marks stand for what differs between forms: METHOD for the usual attributes.
var forms = map[string]string{
	"texts": `<form METHOD><input name=a value="1&amp;2=3 +*-._~!'()%20"><input name=b type=nonsense value="é€😀"><input name=c type=search value="x
y"><input name=d type=email value="  a@b.c  "><input name=e type=url value=" http://x "><input name=f type=tel value=" 1 "><input name=g><input value=unnamed><input name="" value=x><input name="é &#34;q&#34;
n" value=v><input type=hidden name=h value=" x
y "><input type=password name=p value="s&#9;s"><button id=go>Go</button></form>`,
	"checked":                 `<form METHOD><input type=checkbox name=a><input type=checkbox name=b checked><input type=checkbox name=b value=2 checked><input type=radio name=r value=1 checked><input type=radio name=r value=2 checked><input type=radio name=r value=3><input type=radio name=s value=1><button id=go>Go</button></form>`,
	"selects":                 `<form METHOD><select name=a><option disabled>no<option>  first   one <option value=2>second</select><select name=b><option>1<option selected>2<option selected>3</select><select name=c multiple><option selected>1<option>2<option selected disabled>3<option selected>4</select><select name=d size=3><option>1<option>2</select><select name=e><optgroup disabled><option>1</optgroup><optgroup label=x><option>2</optgroup></select><select name=f></select><select name=g disabled><option>1</select><select name=h size=1><option>1</select><button id=go>Go</button></form>`,
	"textareas":               "<form METHOD><textarea name=a>\nfirst\nsecond\r\nthird</textarea><textarea name=b></textarea><textarea name=c>&lt;b> &amp;</textarea><textarea disabled name=d>x</textarea><button id=go>Go</button></form>",
	"disabled":                `<form METHOD><fieldset disabled><legend><input name=a value=1></legend><legend><input name=b value=1></legend><input name=c value=1><fieldset><input name=d value=1></fieldset></fieldset><input name=e value=1 disabled><template><input name=g value=1></template><noscript><input name=h value=1></noscript><button id=go>Go</button></form>`,
	"buttons":                 `<form METHOD><button type=button name=a value=1>x</button><button type=reset name=b value=1>x</button><button name=c value=1 id=go>Go</button><button name=d value=1>x</button><input type=submit name=e value=1></form>`,
	"a button that overrides": `<form action="/p" method=get><input name=a value="1 2"><button id=go formaction="/end" formmethod=post formenctype="multipart/form-data">Go</button></form>`,
	"files":                   `<form METHOD><input type=file name=a><input type=file name=b multiple><input name=c value=1><button id=go>Go</button></form>`,
	"other owners":            `<input name=before form=f value=1><form METHOD id=f><input name=a value=1><input name=b form=g value=1><input name=c form value=1><button id=go>Go</button></form><input name=after form=f value=1><form id=g></form><form id=f><input name=z></form>`,
	"a table":                 `<table><form METHOD><tr><td><input name=a value=1></td><td><input type=hidden name=b value=2></td></tr><tr><td><button id=go>Go</button></td></tr></form></table><input name=c value=3>`,
	"nested":                  `<form METHOD><form action="/p"><input name=a value=1><button id=go>Go</button></form><input name=b value=2>`,
	"misnested":               `<div><form METHOD><div><input name=a value=1><button id=go>Go</button></form><input name=b value=2></div></div>`,
	"special names":           `<form METHOD><input type=hidden name=_charset_ value=x><input name=isindex value=1><input name=t dirname=t.dir value=x><textarea name=u dirname=u.dir>x</textarea><input type=color name=c><input type=color name=d value="#ABCDEF"><input name=x type=hidden dirname=x.dir value=1><button id=go>Go</button></form>`,
}

// allJourneys are those above, those of the forms, and some under every policy.
func allJourneys() []journey {
	all := slices.Clone(journeys)
	for name, html := range forms {
		for _, how := range []string{
			`method=post action="/end"`, `method=POST action="end?q=1#f" enctype="multipart/form-data"`,
			`method=post action="/end" enctype="text/plain"`, `action="/end?gone=1#f"`,
		} {
			// A form with GET does not put a password into a URL of ours.
			if how[0] == 'm' && strings.Contains(html, "METHOD") || how[0] == 'a' && !strings.Contains(html, "password") {
				all = append(all, journey{name: name + ", " + how, start: "https://shop.test/p", html: strings.ReplaceAll(html, "METHOD", how)})
			}
		}
	}
	for name, html := range map[string]string{
		"base":                                  `<base href="https://www.shop.test/x/"><form method=post action="../end"><button id=go>Go</button></form>`,
		"base and no action":                    `<base href="https://www.shop.test/x/"><form method=post action="" ><button id=go formaction=" /end ">Go</button></form>`,
		"meta referrer":                         `<meta name=referrer content=never>` + leads(post, "/end"),
		"meta referrer, the last that is known": `<meta name=REFERRER content="same-origin"><meta name=referrer content=nonsense>` + leads(post, "https://www.shop.test/end"),
		"rel noreferrer":                        `<form method=post action="/end" rel="nofollow noreferrer"><button id=go>Go</button></form>`,
		"no fields by GET":                      `<form action="/end?x#f"><button id=go>Go</button></form>`,
		"datalist":                              `<form method=post action="/end"><input name=a value=1><datalist><input name=f value=1></datalist><button id=go>Go</button></form>`,
		"a method that is none":                 `<form method=put action="/end"><input name=a value=1><button id=go>Go</button></form>`,
	} {
		all = append(all, journey{name: name, start: "https://shop.test/p?q=1", html: html})
	}
	for _, policy := range []string{"no-referrer", "same-origin", "origin", "strict-origin", "unsafe-url", "origin-when-cross-origin", "no-referrer-when-downgrade", "nonsense, same-origin, later"} {
		all = append(all,
			journey{name: policy + ": form of the same origin", start: "https://shop.test/p?q=1", policy: policy, html: leads(post, "/end")},
			journey{name: policy + ": form of another site", start: "https://evil.test/p?q=1", policy: policy, html: leads(post, "https://shop.test/end")},
			journey{name: policy + ": link from https to http", start: "https://shop.test/p", policy: policy, html: leads(link, "http://shop.test/end")},
		)
	}
	return all
}

// An observer is a site that notes the requests it gets.
type observer struct {
	journey

	mu       sync.Mutex
	requests []string
	over     bool
}

// ServeHTTP implements [http.Handler].
func (o *observer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := scheme(r) + "://" + r.Host + r.URL.Path
	start, _, _ := strings.Cut(o.start, "?")
	start, _, _ = strings.Cut(start, "#")
	switch {
	case !slices.Contains([]string{"/set", "/p", "/r", "/end"}, r.URL.Path): // what a browser asks for by itself
		http.NotFound(w, r)
		return
	case r.URL.Path == "/set":
		w.Header().Add("Set-Cookie", "strict=1; Secure; SameSite=Strict")
		w.Header().Add("Set-Cookie", "lax=1; Secure; SameSite=Lax")
		w.Header().Add("Set-Cookie", "none=1; Secure; SameSite=None")
		w.Header().Add("Set-Cookie", "default=1; Secure")
		w.Header().Add("Set-Cookie", "clear=1; SameSite=Strict")
		return
	}
	o.note(r)
	if at == start && o.html != "" {
		if o.policy != "" {
			w.Header().Set("Referrer-Policy", o.policy)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><meta charset=utf-8>"+o.html)
		return
	}
	if words := strings.Fields(o.redirects[r.URL.Path]); len(words) > 0 {
		if len(words) > 2 {
			w.Header().Set("Referrer-Policy", words[2])
		}
		w.Header().Set("Location", words[1])
		w.WriteHeader(map[string]int{"301": 301, "302": 302, "303": 303, "307": 307, "308": 308}[words[0]])
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = r.URL.Path == "/end"
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

var boundary = regexp.MustCompile(`boundary=(\S+)`)

// note writes a request down: what says where it comes from, the names of its cookies, its body.
func (o *observer) note(r *http.Request) {
	var lines []string
	lines = append(lines, r.Method+" "+scheme(r)+"://"+r.Host+r.URL.RequestURI())
	for _, name := range []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest", "Content-Type"} {
		lines = append(lines, name+": "+strings.Join(r.Header[name], " | "))
	}
	var names []string
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
	}
	lines = append(lines, "cookies: "+strings.Join(names, " "))
	body, _ := io.ReadAll(r.Body)
	lines = append(lines, fmt.Sprintf("body: %q", body))
	text := strings.Join(lines, "\n  ")
	if m := boundary.FindStringSubmatch(text); m != nil {
		text = strings.ReplaceAll(text, m[1], "BOUNDARY")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, text)
}

func (o *observer) seen() (requests []string, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.requests), o.over
}

// watch puts a new observer of the journey behind the stage.
func (s *stage) observe(j journey) *observer {
	o := &observer{journey: j}
	var h http.Handler = o
	s.site.Store(&h)
	return o
}

// TestContext has Chromium and our browser make the journeys: what arrives has to be the same, but for
// what is known to differ.
func TestContext(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	s := newStage(t)
	chromium := startChromium(t, path, s)
	used := map[string]bool{}
	for _, j := range allJourneys() {
		t.Run(j.name, func(t *testing.T) {
			ours, theirs := s.ourJourney(t, j), s.chromiumJourney(chromium, t, j)
			for i := range max(len(ours), len(theirs)) {
				a, b := at(ours, i), at(theirs, i)
				if d, ok := contextDifferences[j.name]; ok && a != b {
					used[j.name] = true
					a = strings.Replace(a, d.ours, d.theirs, 1)
				}
				if a != b {
					t.Errorf("request %d\nLockstep:\n%s\nChromium:\n%s", i+1, a, b)
				}
			}
		})
	}
	for name := range contextDifferences {
		if !used[name] && !t.Failed() {
			t.Errorf("a known difference was not found: %s", name)
		}
	}
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return absent
}

// ourJourney returns the requests of our browser. Cookies that it keeps back although Chromium, for two
// minutes, sends them, are counted as sent: the note says so.
func (s *stage) ourJourney(t *testing.T, j journey) []string {
	t.Helper()
	o := s.observe(j)
	client := s.client()
	visit := func(v trace.Visit, err error) trace.Visit {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	visit(client.Visit(t.Context(), http.MethodGet, "https://shop.test/set", nil))
	v := visit(client.Visit(t.Context(), http.MethodGet, j.start, nil))
	requests := len(v.Hops)
	if j.html != "" {
		d := client.Document
		if len(d.Forms) > 0 {
			v = visit(client.Submit(t.Context(), d.Forms[0], nil))
		} else {
			from := d.Document
			if strings.Contains(j.html, "noreferrer") {
				from.ReferrerPolicy = "no-referrer"
			}
			to := regexp.MustCompile(`href="([^"]*)"`).FindStringSubmatch(j.html)[1]
			u, err := from.URL.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			v = visit(client.Navigate(t.Context(), trace.Navigation{URL: u.String(), Initiator: &from}))
		}
	}
	all, _ := o.seen()
	for i, h := range v.Hops {
		for _, verdict := range h.All(rule.SendCookie) {
			if slices.Contains(verdict.Notes, "note-lax-allow-unsafe") {
				k := i
				if j.html != "" {
					k += requests
				}
				all[k] = strings.Replace(all[k], "cookies: none", "cookies: none "+verdict.Subject, 1)
			}
		}
	}
	return all
}

func (s *stage) chromiumJourney(chromium context.Context, t *testing.T, j journey) []string {
	t.Helper()
	o := s.observe(j)
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	defer cancel()
	ctx, end := context.WithTimeout(ctx, visitTimeout)
	defer end()
	go2 := func(target string) {
		t.Helper()
		r, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: target})
		if err != nil || r.ErrorText != "" {
			t.Fatalf("visiting %s: %v %s", target, err, r.ErrorText)
		}
	}
	go2("https://shop.test/set")
	go2(j.start)
	if j.html != "" {
		if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS("#go"))); err != nil {
			t.Fatal(err)
		}
	}
	for {
		all, over := o.seen()
		if over {
			return all
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Chromium did not get to the end: %v\n%s", context.Cause(ctx), strings.Join(all, "\n"))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A contextDifference is a part of a request in which the two differ on purpose.
type contextDifference struct{ ours, theirs, reason string }

const nullAcrossOrigins = "Chromium says null after any redirect to another origin that keeps the method; the Fetch standard only when " +
	"the URL that redirected was not of the page's own origin. A site behind HTTPS trusts neither the http origin nor null."

var contextDifferences = map[string]contextDifference{
	"post redirected to https by 307": {"Origin: http://shop.test", "Origin: null", nullAcrossOrigins},
	"post redirected to https by 308": {"Origin: http://shop.test", "Origin: null", nullAcrossOrigins},
	"rel noreferrer": {
		"Origin: null\n  Referer: \n", "Origin: https://shop.test\n  Referer: https://shop.test/p?q=1\n",
		"Chromium does not read noreferrer on a form that stays in its tab; the HTML standard (4.10.22.3) does.",
	},
	"datalist": {`"a=1"`, `"a=1&f=1"`, "Chromium sends what stands in a datalist; the HTML standard (4.10.22.4) does not."},
}
