package trace_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// hostile is what a foreign site may put wherever it has a say, to become part of a page.
const hostile = `"'><script src=//evil.test/x.js></script><img src=x onerror=alert(1)></svg></style>` + "\x1b\u202e"

func hostileRun() trace.Run {
	verdict := func(q rule.Question, yes bool) rule.Verdict {
		return rule.Verdict{
			Side: rule.Browser, Question: q, Subject: hostile, Rule: hostile, Also: []rule.ID{hostile}, Notes: []rule.ID{hostile}, Yes: yes,
			Facts: []rule.Fact{{Name: hostile, Value: hostile}},
		}
	}
	hop := func(url string) trace.Hop {
		return trace.Hop{
			Method: hostile, URL: url + hostile, Left: true, Cookie: hostile + "=1",
			Response: &trace.Response{Status: 302, Text: hostile, Fields: []trace.Field{{Name: "Location", Value: hostile}, {Name: "Set-Cookie", Value: hostile}}},
			Verdicts: []rule.Verdict{verdict(rule.SendCookie, false), verdict(rule.SendCookie, true), verdict(rule.StoreCookie, false), verdict(rule.FollowRedirect, false)},
			Cookies:  []trace.StoredCookie{{Name: hostile, Domain: hostile, Path: hostile, SameSite: hostile}},
			HSTS:     []trace.KnownHost{{Host: hostile}},
		}
	}
	return trace.Run{Visits: []trace.Visit{
		{Typed: "http://shop.test/" + hostile, As: hostile, Hops: []trace.Hop{hop("http://shop.test/"), hop("https://shop.test/")}},
		{Typed: "https://shop.test/", Hops: []trace.Hop{hop("https://shop.test/")}},
		{Typed: "http://shop.test/", Hops: []trace.Hop{hop("http://shop.test/")}},
	}}
}

// htmlOf is the page of a run.
func htmlOf(t *testing.T, run trace.Run) string {
	t.Helper()
	var out bytes.Buffer
	s := trace.Tell(run, "", func(rule.ID) (rule.Rule, bool) { return rule.Rule{}, false })
	page := trace.Page{Title: hostile, Intro: []string{hostile}, Stories: []*trace.Story{&s}, Titles: []string{hostile}}
	if err := page.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// elements calls f with every element of a page, as a browser reads it.
func elements(t *testing.T, page string, f func(*html.Node)) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			f(n)
		}
	}
}

// TestHTMLOfHostileSite holds that nothing a foreign site says becomes an element or an attribute, loads
// anything or reaches a terminal.
func TestHTMLOfHostileSite(t *testing.T) {
	page := htmlOf(t, hostileRun())
	allowed := strings.Fields("html head meta title style body header main section footer h1 h2 h3 h4 p ul li div table thead tbody tr th td " +
		"details summary code span dl dt dd a figure figcaption svg desc line polygon text")
	attributes := strings.Fields("lang charset http-equiv content name id class role scope colspan tabindex href aria-labelledby data-label " +
		"viewbox viewBox x y x1 y1 x2 y2 points text-anchor")
	seen := 0
	elements(t, page, func(n *html.Node) {
		seen++
		if !slices.Contains(allowed, n.Data) {
			t.Errorf("the page has an element %q", n.Data)
		}
		for _, a := range n.Attr {
			if !slices.Contains(attributes, a.Key) {
				t.Errorf("%s has an attribute %q", n.Data, a.Key)
			}
			if a.Key == "href" && !regexp.MustCompile(`^#run-1-step-\d$`).MatchString(a.Val) {
				t.Errorf("a link leads to %q", a.Val)
			}
		}
	})
	if seen < 100 {
		t.Errorf("the page has %d elements: the run is not on it", seen)
	}
	if strings.ContainsAny(page, "\x1b\u202e") {
		t.Error("a control character is on the page")
	}
	if !strings.Contains(page, "&lt;script src=//evil.test/x.js&gt;") {
		t.Error("what the site said is not shown")
	}
}

// TestHTMLPolicy holds that the page's own policy allows its style and nothing else.
func TestHTMLPolicy(t *testing.T) {
	var policy, style string
	elements(t, htmlOf(t, hostileRun()), func(n *html.Node) {
		switch {
		case n.Data == "style":
			style += n.FirstChild.Data
		case n.Data == "meta" && n.Attr[0].Val == "Content-Security-Policy":
			policy = n.Attr[1].Val
		}
	})
	sum := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("policy %q, want %q", policy, want)
	}
}

// TestHTMLLongRun holds that the diagram of a long run says how much of it is drawn.
func TestHTMLLongRun(t *testing.T) {
	run := hostileRun()
	for range 100 {
		run.Visits = append(run.Visits, run.Visits[3-1])
	}
	page := htmlOf(t, run)
	if want := "These are the first 60 of 104 requests."; !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
}
