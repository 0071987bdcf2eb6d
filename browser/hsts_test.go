package browser_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

var hstsStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func visitURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// An hstsTest is what a browser meets, one step after another.
type hstsTest struct {
	name  string
	steps []hstsStep
}

// An hstsStep happens some time after the one before it. With lines it is a response from the URL,
// without it is the question which URL to ask.
type hstsStep struct {
	after    time.Duration
	url      string
	lines    []string
	untested bool // the certificate was not trusted
	asks     string
	rule     rule.ID
	also     []rule.ID
	notes    []rule.ID
	facts    []rule.Fact
}

var hstsTests = []hstsTest{
	{name: "stored, hit, expired, renewed", steps: []hstsStep{
		{url: "http://shop.test/", rule: "upgrade-no-entry"},
		{url: "https://shop.test/", rule: "upgrade-already-https"},
		{url: "https://shop.test/", lines: []string{"max-age=60"}, rule: "hsts-stored", facts: []rule.Fact{{Name: "max-age", Value: "60"}, {Name: "expiry-time", Value: "2026-01-01T00:01:00Z"}}},
		{after: 59 * time.Second, url: "http://shop.test/a?b#c", asks: "https://shop.test/a?b#c", rule: "upgrade-hsts", facts: []rule.Fact{{Name: "known HSTS host", Value: "shop.test"}}},
		{url: "https://shop.test/", lines: []string{"max-age=60"}, rule: "hsts-stored"},
		{after: 59 * time.Second, url: "http://shop.test/", asks: "https://shop.test/", rule: "upgrade-hsts"},
		{after: time.Second, url: "http://shop.test/", rule: "upgrade-expired", facts: []rule.Fact{{Name: "expiry-time", Value: "2026-01-01T00:01:59Z"}}},
		{url: "https://shop.test/", lines: []string{"max-age=1"}, rule: "hsts-stored"},
		{url: "http://shop.test/", asks: "https://shop.test/", rule: "upgrade-hsts"},
	}},
	{name: "names", steps: []hstsStep{
		{url: "https://Shop.Test./", lines: []string{"max-age=60"}, rule: "hsts-stored"},
		{url: "http://SHOP.test/", asks: "https://SHOP.test/", rule: "upgrade-hsts"},
		{url: "http://shop.test./", asks: "https://shop.test./", rule: "upgrade-hsts"},
		{url: "http://www.shop.test/", rule: "upgrade-no-entry"},
		{url: "http://test/", rule: "upgrade-no-entry"},
		{url: "http://myshop.test/", rule: "upgrade-no-entry"},
		{url: "https://bücher.test/", lines: []string{"max-age=60"}, rule: "hsts-stored"},
		{url: "http://xn--bcher-kva.test/", asks: "https://xn--bcher-kva.test/", rule: "upgrade-hsts"},
	}},
	{name: "includeSubDomains", steps: []hstsStep{
		{url: "https://shop.test/", lines: []string{"max-age=60; includeSubDomains"}, rule: "hsts-stored"},
		{url: "http://a.b.shop.test/", asks: "https://a.b.shop.test/", rule: "upgrade-hsts", facts: []rule.Fact{{Name: "known HSTS host", Value: "shop.test"}, {Name: "includeSubDomains", Value: "true"}}},
		{url: "https://www.shop.test/", lines: []string{"max-age=30"}, rule: "hsts-stored"},
		{url: "http://www.shop.test/", asks: "https://www.shop.test/", rule: "upgrade-hsts", facts: []rule.Fact{{Name: "known HSTS host", Value: "www.shop.test"}}},
		{url: "http://a.www.shop.test/", asks: "https://a.www.shop.test/", rule: "upgrade-hsts", facts: []rule.Fact{{Name: "known HSTS host", Value: "shop.test"}}},
		{after: 30 * time.Second, url: "http://www.shop.test/", asks: "https://www.shop.test/", rule: "upgrade-hsts", facts: []rule.Fact{{Name: "known HSTS host", Value: "shop.test"}}},
		{url: "https://www.shop.test/", lines: []string{"max-age=0"}, rule: "hsts-removed", notes: []rule.ID{"note-hsts-parent-still-applies"}, facts: []rule.Fact{{Name: "known HSTS host", Value: "shop.test"}}},
		{url: "http://www.shop.test/", asks: "https://www.shop.test/", rule: "upgrade-hsts"},
		{url: "https://shop.test/", lines: []string{"max-age=60"}, rule: "hsts-stored"},
		{url: "http://www.shop.test/", rule: "upgrade-no-entry"},
		{url: "https://shop.test/", lines: []string{"max-age=0"}, rule: "hsts-removed"},
		{url: "http://shop.test/", rule: "upgrade-no-entry"},
	}},
	{name: "ports", steps: []hstsStep{
		{url: "https://shop.test:8443/", lines: []string{"max-age=60"}, rule: "hsts-stored"},
		{url: "http://shop.test:80/", asks: "https://shop.test/", rule: "upgrade-hsts"},
		{url: "http://shop.test:080/", asks: "https://shop.test/", rule: "upgrade-hsts"},
		{url: "http://shop.test:/", asks: "https://shop.test/", rule: "upgrade-hsts"},
		{url: "http://shop.test:8001/", asks: "https://shop.test:8001/", rule: "upgrade-hsts"},
		{url: "http://shop.test:443/", asks: "https://shop.test:443/", rule: "upgrade-hsts"},
	}},
	{name: "refused, and what was there stays", steps: []hstsStep{
		{url: "https://shop.test/", lines: []string{"max-age=60"}, rule: "hsts-stored"},
		{url: "http://shop.test/", lines: []string{"max-age=0"}, rule: "hsts-over-http"},
		{url: "https://shop.test/", untested: true, lines: []string{"max-age=0"}, rule: "hsts-tls-error"},
		{url: "https://shop.test/", lines: []string{"max-age=0; max-age=0"}, rule: "hsts-syntax", facts: []rule.Fact{{Name: "token", Value: "max-age=0"}, {Name: "problem", Value: "max-age comes twice"}}},
		{url: "http://shop.test/", untested: true, lines: []string{"maxage=1"}, rule: "hsts-over-http", also: []rule.ID{"hsts-syntax"}},
		{url: "http://shop.test/", asks: "https://shop.test/", rule: "upgrade-hsts"},
	}},
	{name: "hosts that are never known", steps: []hstsStep{
		{url: "https://192.0.2.1/", lines: []string{"max-age=60"}, rule: "hsts-ip"},
		{url: "https://127.0.0.1/", lines: []string{"max-age=60"}, rule: "hsts-ip"},
		{url: "https://[2001:db8::1]:8443/", lines: []string{"max-age=60"}, rule: "hsts-ip"},
		{url: "https://127.1/", lines: []string{"max-age=60"}, rule: "hsts-ip"},
		{url: "https://0x7F.1.0x1/", lines: []string{"max-age=60"}, rule: "hsts-ip"},
		{url: "https://localhost/", lines: []string{"max-age=60"}, rule: "hsts-localhost"},
		{url: "https://app.localhost.:8443/", lines: []string{"max-age=60"}, rule: "hsts-localhost"},
		{url: "http://[::1]/", untested: true, lines: []string{"x"}, rule: "hsts-over-http", also: []rule.ID{"hsts-ip", "hsts-syntax"}},
		{url: "http://localhost/", rule: "upgrade-no-entry"},
		{url: "http://[2001:db8::1]/", rule: "upgrade-no-entry"},
		{url: "https://1.test1/", lines: []string{"max-age=60"}, rule: "hsts-stored"},
	}},
	{name: "notes", steps: []hstsStep{
		{url: "https://shop.test/", lines: []string{"max-age=60", "max-age=0"}, rule: "hsts-stored", notes: []rule.ID{"note-hsts-extra-header"}},
		{url: "https://shop.test/", lines: []string{"x y", "max-age=60"}, rule: "hsts-syntax", notes: []rule.ID{"note-hsts-extra-header"}, facts: []rule.Fact{{Name: "token", Value: "x y"}}},
		{url: "https://shop.test/", lines: []string{"max-age=31536000"}, rule: "hsts-stored"},
		{url: "https://shop.test/", lines: []string{"max-age=31536001"}, rule: "hsts-stored", notes: []rule.ID{"note-hsts-lifetime-capped"}, facts: []rule.Fact{{Name: "max-age", Value: "31536001"}, {Name: "expiry-time", Value: "2027-01-01T00:00:00Z"}}},
	}},
}

func TestHSTS(t *testing.T) {
	for _, test := range hstsTests {
		t.Run(test.name, test.run)
	}
}

func (test hstsTest) run(t *testing.T) {
	var b browser.Browser
	now := hstsStart
	for i, step := range test.steps {
		now = now.Add(step.after)
		var seen []rule.Verdict
		v := step.take(t, &b, now, rule.NewRecorder(func(v rule.Verdict) { seen = append(seen, v) }))
		if v.Rule != step.rule || !slices.Equal(v.Also, step.also) || !slices.Equal(v.Notes, step.notes) {
			t.Errorf("step %d, %s: %s, also %v, notes %v; want %s, %v, %v", i, step.url, v.Rule, v.Also, v.Notes, step.rule, step.also, step.notes)
		}
		if wantYes := step.rule == "hsts-stored" || step.rule == "upgrade-hsts"; v.Yes != wantYes {
			t.Errorf("step %d, %s: the answer is %v", i, step.url, v.Yes)
		}
		for _, fact := range step.facts {
			if got, _ := v.Fact(fact.Name); got != fact.Value {
				t.Errorf("step %d, %s: %s is %q, want %q", i, step.url, fact.Name, got, fact.Value)
			}
		}
		if len(seen) != 1 || seen[0].Rule != v.Rule {
			t.Errorf("step %d, %s: recorded %v", i, step.url, seen)
		}
	}
}

func (step hstsStep) take(t *testing.T, b *browser.Browser, now time.Time, rec *rule.Recorder) rule.Verdict {
	u := visitURL(t, step.url)
	if step.lines != nil {
		return b.StoreHSTS(u, step.lines, u.Scheme == "https" && !step.untested, now, rec)
	}
	asked, v := b.Upgrade(u, now, rec)
	want := step.asks
	if want == "" {
		want = u.String()
		if asked != u {
			t.Errorf("%s: another URL is returned although it is not upgraded", step.url)
		}
	}
	if asked.String() != want || u.Scheme != visitURL(t, step.url).Scheme {
		t.Errorf("%s: asks %s, want %s", step.url, asked, want)
	}
	return v
}

func TestHSTSStoreIsBounded(t *testing.T) {
	var b browser.Browser
	for i := range browser.MaxHSTSHosts + 3 {
		field := fmt.Sprintf("max-age=%d", 1000+i)
		b.StoreHSTS(visitURL(t, fmt.Sprintf("https://h%d.test/", i)), []string{field}, true, hstsStart, nil)
	}
	known := b.KnownHSTSHosts(hstsStart)
	if len(known) != browser.MaxHSTSHosts {
		t.Fatalf("%d hosts are known", len(known))
	}
	if !slices.IsSortedFunc(known, func(a, b browser.HSTSHost) int { return strings.Compare(a.Host, b.Host) }) {
		t.Error("the hosts are not in order")
	}
	for i, want := range map[int]rule.ID{0: "upgrade-no-entry", 2: "upgrade-no-entry", 3: "upgrade-hsts"} {
		if _, v := b.Upgrade(visitURL(t, fmt.Sprintf("http://h%d.test/", i)), hstsStart, nil); v.Rule != want {
			t.Errorf("h%d.test: %s, want %s", i, v.Rule, want)
		}
	}
	later := hstsStart.Add(24 * time.Hour)
	b.StoreHSTS(visitURL(t, "https://new.test/"), []string{"max-age=60"}, true, later, nil)
	if known := b.KnownHSTSHosts(later); len(known) != 1 || known[0].Host != "new.test" {
		t.Errorf("known when all others have expired: %v", known)
	}
}

func TestHSTSCostsNothingUnwatched(t *testing.T) {
	var b browser.Browser
	b.StoreHSTS(visitURL(t, "https://shop.test/"), []string{"max-age=60"}, true, hstsStart, nil)
	u := visitURL(t, "https://shop.test/")
	if n := testing.AllocsPerRun(100, func() { b.Upgrade(u, hstsStart, nil) }); n != 0 {
		t.Errorf("Upgrade allocates %v times", n)
	}
	if v := b.StoreHSTS(u, []string{"max-age=60"}, true, hstsStart, nil); v.Facts != nil {
		t.Errorf("facts that nobody sees: %v", v.Facts)
	}
}

// A host that cannot be read is no name, and never a known HSTS host.
func TestHSTSUnreadableHost(t *testing.T) {
	var b browser.Browser
	for _, host := range []string{"", ".", "a b.test", strings.Repeat("a.", 200) + "test", strings.Repeat("a", 1<<20)} {
		u := &url.URL{Scheme: "https", Host: host}
		if v := b.StoreHSTS(u, []string{"max-age=60"}, true, hstsStart, nil); v.Rule != "hsts-ip" {
			t.Errorf("%.40q: %s", host, v.Rule)
		}
		u.Scheme = "http"
		if _, v := b.Upgrade(u, hstsStart, nil); v.Rule != "upgrade-no-entry" {
			t.Errorf("%.40q: %s", host, v.Rule)
		}
	}
}

func TestHSTSHidesCredentials(t *testing.T) {
	var b browser.Browser
	_, v := b.Upgrade(visitURL(t, "http://user:secret@shop.test/"), hstsStart, rule.NewRecorder(func(rule.Verdict) {}))
	if got, _ := v.Fact("url"); got != "http://shop.test/" {
		t.Errorf("url is %q", got)
	}
}

func ExampleBrowser_Upgrade() {
	var b browser.Browser
	monday := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	secure, _ := url.Parse("https://shop.test/")
	plain, _ := url.Parse("http://shop.test/cart")

	asked, v := b.Upgrade(plain, monday, nil)
	fmt.Println(asked, v.Rule)
	b.StoreHSTS(secure, []string{"max-age=31536000"}, true, monday, nil)
	asked, v = b.Upgrade(plain, monday, nil)
	fmt.Println(asked, v.Rule)
	// Output:
	// http://shop.test/cart upgrade-no-entry
	// https://shop.test/cart upgrade-hsts
}

func TestPreloaded(t *testing.T) {
	for _, c := range []struct {
		sentence, header, url string // the header comes from www.shop.test
		want                  string
	}{
		{"itself", "", "http://shop.test/", "upgrade-preloaded"},
		{"a name under it", "", "http://www.shop.test/", "upgrade-preloaded"},
		{"a name under one without includeSubDomains", "", "http://www.alone.test/", "upgrade-no-entry"},
		{"its own entry comes first", "max-age=60", "http://www.shop.test/", "upgrade-hsts"},
		{"no header removes it", "max-age=0", "http://www.shop.test/", "upgrade-preloaded"},
	} {
		var b browser.Browser
		b.PreloadHSTS(browser.HSTSHost{Host: "shop.test", IncludeSubDomains: true}, browser.HSTSHost{Host: "alone.test"})
		if c.header != "" {
			v := b.StoreHSTS(visitURL(t, "https://www.shop.test/"), []string{c.header}, true, hstsStart, nil)
			if noted := slices.Contains(v.Notes, "note-hsts-preloaded"); noted != (c.header == "max-age=0") {
				t.Errorf("%s: notes %v", c.sentence, v.Notes)
			}
		}
		if _, v := b.Upgrade(visitURL(t, c.url), hstsStart, nil); string(v.Rule) != c.want {
			t.Errorf("%s: %s, want %s", c.sentence, v.Rule, c.want)
		}
	}
}
