package browser_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
)

// A suiteCase is one case of the suites that others wrote for cookies: what is set, and which
// Cookie header goes out afterwards.
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
	Expected   string      `json:"expected_cookie_header"`
	Bis        *string     `json:"expected_bis"` // where RFC 6265bis-22 differs from the source

	Context *suiteContext `json:"context"` // nil: typed by a person

	Transport bool `json:"transport"`
	Disabled  bool `json:"disabled"`
	NeedsPSL  bool `json:"needs_psl"`
}

// A suiteContext is where the last request of a case comes from.
type suiteContext struct {
	Kind        string `json:"kind"`
	Initiator   string `json:"initiator"`
	Method      string `json:"method"`
	RedirectVia string `json:"redirect_via"` // an origin that redirects to the URL
}

// navigates reports whether the request brings a document of its own into the window.
func (c *suiteContext) navigates() bool {
	switch c.Kind {
	case "top-level-form", "top-level-window-open", "script-reload-of-top-level-form", "script-reload-of-top-level-window-open":
		return true
	}
	return false
}

type suiteStep struct {
	URL       string   `json:"url"`
	SetCookie []string `json:"set_cookie"`
	API       string   `json:"api"`
}

// anyTime is the clock of the cases that assume none.
var anyTime = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// steps returns all that is set, in order.
func (c suiteCase) steps() []suiteStep {
	return append(slices.Clip(c.Before), suiteStep{URL: c.RequestURL, SetCookie: c.SetCookie, API: c.SetAPI})
}

// outOfScope says why a case is no question to a browser without scripts, or returns "".
func (c suiteCase) outOfScope() string {
	switch {
	case c.Disabled:
		return "disabled in its source"
	case c.Transport:
		return "depends on the HTTP parser"
	case c.NeedsPSL:
		return "needs a public suffix list of its own"
	case c.Context != nil && !c.Context.navigates():
		return "a subresource or a frame, of which there are no requests yet: " + c.Context.Kind
	}
	scripted, httpOnly := c.GetAPI == "dom", false
	for _, s := range c.steps() {
		scripted = scripted || s.API == "dom"
		for _, line := range s.SetCookie {
			httpOnly = httpOnly || strings.Contains(strings.ToLower(line), "httponly")
		}
	}
	if scripted && httpOnly {
		return "a script and HttpOnly"
	}
	return ""
}

// wanted returns the header that RFC 6265bis-22 asks for.
func (c suiteCase) wanted() string {
	if c.Bis != nil {
		return c.octets(*c.Bis)
	}
	return c.octets(c.Expected)
}

// octets returns s as the bytes that it stands for.
func (c suiteCase) octets(s string) string {
	if c.Bytes != "latin1" {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// header runs the case. What a script sets and reads is taken as set and read by HTTP, which makes
// no difference without HttpOnly.
func (c suiteCase) header(t *testing.T) string {
	t.Helper()
	now := anyTime
	if c.Now != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, c.Now); err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
	}
	var b browser.Browser
	for _, s := range c.steps() {
		for _, line := range s.SetCookie {
			b.StoreCookie(visit(t, s.URL), c.octets(line), now, nil)
		}
	}
	return b.CookieHeader(c.request(t), now, nil)
}

// request is the last request of the case. What redirects to it keeps the method, as the tests that the
// cases come from do.
func (c suiteCase) request(t *testing.T) browser.Request {
	t.Helper()
	if c.Context == nil {
		return visit(t, c.ThenURL)
	}
	req := from(t, c.Context.Initiator, c.Context.Method, c.ThenURL)
	if strings.HasPrefix(c.Context.Kind, "script-reload-of-") { // the page itself asks
		return from(t, c.ThenURL, c.Context.Method, c.ThenURL)
	}
	if via := c.Context.RedirectVia; via != "" {
		var chain browser.Chain
		req.URL = visit(t, via+"/redirect").URL
		next, v := chain.Next(req, 307, c.ThenURL, "", nil)
		if !v.Yes {
			t.Fatalf("%s: the redirect is not followed: %s", c.ID, v.Rule)
		}
		return next
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

// TestSuites asks the browser the questions of http-state, of the Web Platform Tests and of Go's
// cookiejar, those about SameSite as far as they are about top-level navigations. Where it answers otherwise, testdata/differences.json has the case and the reason.
func TestSuites(t *testing.T) {
	folder := suiteFolder(t)
	var differences map[string]string
	readJSON(t, filepath.Join("testdata", "differences.json"), &differences)
	for _, name := range []string{"http-state.json", "wpt.json", "go-cookiejar.json", "samesite.json"} {
		t.Run(name, func(t *testing.T) {
			var cases []suiteCase
			readJSON(t, filepath.Join(folder, name), &cases)
			runSuite(t, cases, differences)
		})
	}
	for id := range differences {
		t.Errorf("testdata/differences.json: %s is unused", id)
	}
}

// runSuite runs cases and takes out of differences those that it met.
func runSuite(t *testing.T, cases []suiteCase, differences map[string]string) {
	left := map[string]int{}
	asked, right, explained := 0, 0, 0
	for _, c := range cases {
		if why := c.outOfScope(); why != "" {
			left[why]++
			continue
		}
		asked++
		got, want := c.header(t), c.wanted()
		_, known := differences[c.ID]
		switch {
		case got == want:
			right++
		case known:
			explained++
			delete(differences, c.ID)
		default:
			t.Errorf("%s: %s\n set %q from %s\n got %q at %s\nwant %q", c.ID, c.Name, c.SetCookie, c.RequestURL, got, c.ThenURL, want)
		}
	}
	t.Logf("%d of %d as RFC 6265bis-22 has it (%.1f %%), %d differ for a reason; left out: %v",
		right, asked, 100*float64(right)/float64(asked), explained, left)
}
