package browser_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A suiteCase is one case of the suites that others wrote for cookies: what is set, and which
// Cookie header goes out afterwards, or what a script reads then.
type suiteCase struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Now        string      `json:"now"`   // the clock the case assumes; empty for any
	Bytes      string      `json:"bytes"` // "latin1": each character is a byte
	Before     []suiteStep `json:"before"`
	RequestURL string      `json:"request_url"`
	SetCookie  []string    `json:"set_cookie"`
	SetAPI     string      `json:"set_api"` // "dom": set by a script
	ThenURL    string      `json:"then_url"`
	GetAPI     string      `json:"get_api"` // "dom": read by a script

	Expected string  `json:"expected_cookie_header"`
	Bis      *string `json:"expected_bis"` // where RFC 6265bis-22 differs from the source
	Chromium *string `json:"chromium156"`  // as observed
	Firefox  *string `json:"firefox153"`   // as observed

	Reasons []struct {
		Cookie  string   `json:"cookie"` // the line, or name=value
		Op      string   `json:"op"`     // "set-blocked" or "not-sent"
		Reasons []string `json:"reasons"`
	} `json:"chromium156_reasons"`

	Context *suiteContext `json:"context"` // nil: typed by a person

	Transport bool `json:"transport"`
	Disabled  bool `json:"disabled"`
	NeedsPSL  bool `json:"needs_psl"`
}

// A suiteContext is where the last request of a case comes from.
type suiteContext struct {
	Kind         string `json:"kind"`
	Initiator    string `json:"initiator"`
	TopLevelPage string `json:"top_level_page"`
	Method       string `json:"method"`
	Credentials  string `json:"credentials"`    // of a fetch; "" is include, as in the Web Platform Tests
	RedirectVia  string `json:"redirect_via"`   // an origin that redirects to the URL
	FrameFirstAt string `json:"frame_first_at"` // an origin at which the frame is before a script there leads it on
}

type suiteStep struct {
	URL       string   `json:"url"`
	SetCookie []string `json:"set_cookie"`
	API       string   `json:"api"`
}

// anyTime is the clock of the cases that assume none.
var anyTime = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// steps returns all that is set, in order.
func (c *suiteCase) steps() []suiteStep {
	return append(slices.Clip(c.Before), suiteStep{URL: c.RequestURL, SetCookie: c.SetCookie, API: c.SetAPI})
}

// outOfScope says why a case is no question to a browser, or returns "".
func (c *suiteCase) outOfScope() string {
	switch {
	case c.Disabled:
		return "disabled in its source"
	case c.Transport:
		return "depends on the HTTP parser"
	case c.NeedsPSL:
		return "needs a public suffix list of its own"
	}
	return ""
}

// wanted returns what a profile is to answer, and false where nobody knows.
func (c *suiteCase) wanted(profile string) (string, bool) {
	answer := &c.Expected
	switch {
	case profile == "chromium":
		answer = c.Chromium
	case profile == "firefox":
		answer = c.Firefox
	case c.Bis != nil:
		answer = c.Bis
	}
	if answer == nil {
		return "", false
	}
	return c.octets(*answer), true
}

// octets returns s as the bytes that it stands for.
func (c *suiteCase) octets(s string) string {
	if c.Bytes != "latin1" {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// A suiteAnswer is what a browser makes of a case: what it sends or shows at the end, and what it
// decided, by Set-Cookie line and by cookie.
type suiteAnswer struct {
	header string
	stored map[string][]rule.Verdict // by "line LINE" and by "name NAME"
	kept   map[string][]rule.Verdict
}

// ask puts the case to a browser of a profile.
func (c *suiteCase) ask(t *testing.T, profile browser.Profile) suiteAnswer {
	t.Helper()
	now := anyTime
	if c.Now != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, c.Now); err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
	}
	b := browser.Browser{Profile: profile}
	a := suiteAnswer{stored: map[string][]rule.Verdict{}, kept: map[string][]rule.Verdict{}}
	for _, s := range c.steps() {
		for _, line := range s.SetCookie {
			v := store(t, &b, s, c.octets(line), now)
			for _, key := range []string{"line " + strings.TrimSpace(line), "name " + v.Subject} {
				a.stored[key] = append(a.stored[key], v)
			}
		}
	}
	rec := rule.NewRecorder(func(v rule.Verdict) { a.kept[v.Subject] = append(a.kept[v.Subject], v) })
	if c.GetAPI == "dom" {
		a.header = b.ScriptCookies(&browser.Document{URL: visit(t, c.ThenURL).URL}, now, rec)
		return a
	}
	for _, req := range c.requests(t) {
		a.header = b.CookieHeader(req, now, rec)
	}
	return a
}

// store gives the browser one line, in a response or by a script.
func store(t *testing.T, b *browser.Browser, s suiteStep, line string, now time.Time) rule.Verdict {
	t.Helper()
	req := visit(t, s.URL)
	if s.API == "dom" {
		return b.StoreScriptCookie(&browser.Document{URL: req.URL}, line, now, nil)
	}
	return b.StoreCookie(req, line, now, nil)
}

// requests are those that lead to the end of the case: one, or two with a redirect between them, which
// keeps the method, as the tests do that the cases come from, or the one that brings a page into a frame
// which leads that on.
func (c *suiteCase) requests(t *testing.T) []browser.Request {
	t.Helper()
	if c.Context == nil {
		return []browser.Request{visit(t, c.ThenURL)}
	}
	req := c.Context.request(t, c.ThenURL)
	if at := c.Context.FrameFirstAt; at != "" {
		first := from(t, c.Context.Initiator, "GET", at+"/")
		first.As = browser.AsIframe
		return []browser.Request{first, req}
	}
	if c.Context.RedirectVia == "" {
		return []browser.Request{req}
	}
	var chain browser.Chain
	req.URL = visit(t, c.Context.RedirectVia+"/redirect").URL
	next, v := chain.Next(req, 307, c.ThenURL, "", nil)
	if !v.Yes {
		t.Fatalf("%s: the redirect is not followed: %s", c.ID, v.Rule)
	}
	return []browser.Request{req, next}
}

// request is the request for a URL in the context.
func (x *suiteContext) request(t *testing.T, address string) browser.Request {
	t.Helper()
	req := from(t, x.Initiator, x.Method, address)
	kind := x.Kind
	if own, reload := strings.CutPrefix(kind, "script-reload-of-"); reload { // the page itself asks
		req, kind = from(t, address, x.Method, address), own
	}
	switch kind {
	case "fetch", "xhr":
		req.As = browser.AsFetch
		req.Credentials = cmp.Or(browser.Credentials(x.Credentials), browser.CredentialsInclude)
	case "img", "image":
		req.As = browser.AsImage
	case "script":
		req.As = browser.AsScript
	case "iframe":
		req.As = browser.AsIframe
	case "navigate", "link", "form":
		return req
	default:
		if !strings.HasPrefix(kind, "top-level") {
			t.Errorf("no context %q", x.Kind)
		}
		return req
	}
	if x.TopLevelPage != "" && x.TopLevelPage != x.Initiator {
		req.Initiator.Parent = &browser.Document{URL: visit(t, x.TopLevelPage).URL}
	}
	if x.FrameFirstAt != "" {
		req.Container = req.Initiator
		req.Initiator = &browser.Document{URL: visit(t, x.FrameFirstAt+"/").URL, Parent: req.Container}
	}
	return req
}

// suiteFolder returns the folder of the suites, and skips the test where there is none.
func suiteFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("LOCKSTEP_SUITES")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "suites")
	}
	if _, err := os.Stat(folder); err != nil {
		const what = "the suites are missing; set LOCKSTEP_SUITES to their folder: %v"
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf(what, err)
		}
		t.Skipf(what, err)
	}
	return folder
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
}

// A differenceList has the cases in which a profile is not as it should be: the id of the case, a space
// and the profile, or "reasons", and why.
type differenceList map[string]string

// take reports whether the list has an entry, and takes it out.
func (l differenceList) take(id, what string) bool {
	key := id + " " + what
	_, ok := l[key]
	delete(l, key)
	return ok
}

// TestSuites asks each profile what others have asked browsers: about cookies, dates and HSTS headers.
// The files are all of the folder that hold a list of cases; what a file is about shows in its fields.
// Where an answer is another one, testdata/differences.json has the case and the reason.
func TestSuites(t *testing.T) {
	folder := suiteFolder(t)
	var differences differenceList
	readJSON(t, filepath.Join("testdata", "differences.json"), &differences)
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no files, %v", folder, err)
	}
	var rates []string
	for _, name := range names {
		var cases []json.RawMessage
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(data, &cases) != nil || len(cases) == 0 {
			continue // index.json, say, is no list of cases
		}
		t.Run(filepath.Base(name), func(t *testing.T) { rates = append(rates, runSuite(t, name, cases[0], differences)...) })
	}
	t.Logf("pass rates:\n%s", strings.Join(rates, "\n"))
	if len(rates) == 0 {
		t.Errorf("%s: no cases", folder)
	}
	if os.Getenv("LOCKSTEP_SUITES") != "" {
		return // other files need not have the cases of the list
	}
	for id, why := range differences {
		t.Errorf("testdata/differences.json: %s is unused: %s", id, why)
	}
}

// runSuite asks the cases of a file, of which first is one, and returns a line for each profile.
func runSuite(t *testing.T, name string, first json.RawMessage, differences differenceList) []string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(first, &fields); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	switch {
	case fields["set_cookie"] != nil:
		return runCookies(t, name, differences)
	case fields["header"] != nil:
		return runHSTS(t, name, differences)
	case fields["input"] != nil:
		return runDates(t, name, differences)
	}
	t.Errorf("%s: no cases of a kind that is known: %v", name, slices.Sorted(maps.Keys(fields)))
	return nil
}

// A tally counts answers.
type tally struct {
	file, who              string
	asked, same, explained int
}

// count counts an answer, and reports whether it is wrong for no reason that is known.
func (n *tally) count(id string, same bool, differences differenceList) (wrong bool) {
	n.asked++
	switch {
	case same:
		n.same++
	case differences.take(id, n.who):
		n.explained++
	default:
		return true
	}
	return false
}

func (n *tally) String() string {
	return fmt.Sprintf("  %-20s %-12s %5d of %5d %6.2f %%, %d more for a reason", filepath.Base(n.file), n.who, n.same, n.asked,
		100*float64(n.same)/float64(max(n.asked, 1)), n.explained)
}

func runCookies(t *testing.T, name string, differences differenceList) []string {
	t.Helper()
	var cases []suiteCase
	readJSON(t, name, &cases)
	var rates []string
	for _, profile := range []browser.Profile{{}, browser.Chromium(), browser.Firefox()} {
		n := tally{file: name, who: profile.Name()}
		for i := range cases {
			c := &cases[i]
			want, known := c.wanted(profile.Name())
			if !known || c.outOfScope() != "" {
				continue
			}
			got := c.ask(t, profile).header
			if n.count(c.ID, got == want, differences) {
				t.Errorf("%s: %s: %s\n set %.200q from %s\n got %.200q at %s\nwant %.200q", profile, c.ID, c.Name, c.SetCookie, c.RequestURL, got, c.ThenURL, want)
			}
		}
		rates = append(rates, n.String())
	}
	return append(rates, reasonsOf(t, name, cases, differences))
}

func runHSTS(t *testing.T, name string, differences differenceList) []string {
	t.Helper()
	var cases []hstsHeaderCase
	readJSON(t, name, &cases)
	n := tally{file: name, who: "every"}
	for _, c := range cases {
		got, wrong := c.differs()
		if n.count(c.ID, !wrong, differences) {
			t.Errorf("%s: %q: %s", c.ID, c.Header, got)
		}
	}
	return []string{n.String()}
}

// A dateCase is a date as Expires has it, and what it means; "" for nothing.
type dateCase struct {
	ID       string  `json:"id"`
	Input    string  `json:"input"`
	Expected *string `json:"expected"`
}

const dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

func runDates(t *testing.T, name string, differences differenceList) []string {
	t.Helper()
	var cases []dateCase
	readJSON(t, name, &cases)
	n := tally{file: name, who: "every"}
	for _, c := range cases {
		got := ""
		if at, ok := cookie.ParseDate(c.Input); ok {
			got = at.UTC().Format(dateFormat)
		}
		want := ""
		if c.Expected != nil {
			want = *c.Expected
		}
		if n.count(c.ID, got == want, differences) {
			t.Errorf("%s: %q: %q, want %q", c.ID, c.Input, got, want)
		}
	}
	return []string{n.String()}
}
