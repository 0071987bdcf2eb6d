package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// A profileCase is a line, set at a URL, and what comes of it by rfc6265bis, chromium, firefox and curl:
// the header an hour later, or after the sign ! the rule that refuses the line.
type profileCase struct {
	sentence, url, line           string
	bis, chromium, firefox, curls string
}

// TestProfiles is the closed list of what profiles differ in, as far as a line typed shows it.
func TestProfiles(t *testing.T) {
	const shop = "https://shop.test/"
	for _, c := range []profileCase{
		{"a Max-Age with a plus sign", shop, "a=1; Max-Age=+60", "a=1", "", "a=1", "a=1"},
		{"the same, of more than an hour", shop, "a=1; Max-Age=+7200", "a=1", "a=1", "a=1", "a=1"},
		{"a date before 1601", shop, "a=1; Expires=01 Jan 1600 00:00:00", "a=1", "!store-delete-missed", "a=1", "a=1"},
		{"a last Max-Age that cannot be read", shop, "a=1; Max-Age=60; Max-Age=-", "", "a=1", "", ""},
		{"a last Expires that cannot be read", shop, "a=1; Expires=01 Jan 1970 00:00:00; Expires=never", "!store-delete-missed", "a=1", "!store-delete-missed", "!store-delete-missed"},
		{"a last Max-Age that cannot be read, and Expires", shop, "a=1; Max-Age=7200; Expires=01 Jan 1970 00:00:00; Max-Age=", "a=1", "!store-delete-missed", "a=1", "a=1"},
		{"a plain cookie", shop, "a=1", "a=1", "a=1", "a=1", "a=1"},
		{"no equals sign", shop, "foo; Path=/", "foo", "foo", "foo=", "!store-nameless"},
		{"no name", shop, "=foo", "foo", "foo", "!store-nameless", "!store-nameless"},
		{"no name, and another equals sign", shop, "=a=b", "a=b", "!store-ambiguous", "!store-nameless", "!store-nameless"},
		{"a tab in the value", shop, "a=1\t2", "a=1\t2", "!store-tab", "a=1\t2", "a=1\t2"},
		{"a tab in an attribute", shop, "a=1; Sec\ture", "a=1", "!store-tab", "a=1", "a=1"},
		{"tabs around", shop, "a\t=\t1\t; \tSecure\t", "a=1", "a=1", "a=1", "a=1"},
		{"a Domain in Unicode", "https://xn--lve-6lad.test/", "a=1; Domain=élève.test", "!store-domain-non-ascii", "a=1", "!store-domain-non-ascii", "!store-domain-non-ascii"},
		{"bytes that are no UTF-8", shop, "a=\xff\xfe", "a=\xff\xfe", "a=\xff\xfe", "a=\uFFFD\uFFFD", "a=\xff\xfe"},
		{"__Host- without Path", shop, "__Host-a=1; Secure", "!store-prefix-host", "!store-prefix-host", "__Host-a=1", "!store-prefix-host"},
		{"__Host- without Path below a folder", shop + "x/y", "__Host-a=1; Secure", "!store-prefix-host", "!store-prefix-host", "!store-prefix-host", "!store-prefix-host"},
		{"__Http- without HttpOnly", shop, "__http-a=1; Secure", "__http-a=1", "!store-prefix-http", "!store-prefix-http", "__http-a=1"},
		{"__Http- complete", shop, "__Http-a=1; Secure; HttpOnly", "__Http-a=1", "__Http-a=1", "__Http-a=1", "__Http-a=1"},
		{"__Host-Http- without HttpOnly", shop, "__Host-Http-a=1; Secure; Path=/", "__Host-Http-a=1", "!store-prefix-http", "!store-prefix-http", "__Host-Http-a=1"},
		{"the old name of that prefix", shop, "__HostHttp-a=1", "__HostHttp-a=1", "__HostHttp-a=1", "__HostHttp-a=1", "__HostHttp-a=1"},
		{"nameless like __Http-", shop, "=__Http-a; Secure", "__Http-a", "!store-nameless-http-prefix", "!store-nameless", "!store-nameless"},
		{"Partitioned without Secure", shop, "a=1; Partitioned", "a=1", "!store-partitioned-not-secure", "!store-partitioned-not-secure", "a=1"},
		{"SameSite=None without Secure", shop, "a=1; SameSite=None", "!store-none-not-secure", "!store-none-not-secure", "!store-none-not-secure", "a=1"},
		{"Secure at a name under localhost", "http://app.localhost/", "a=1; Secure", "a=1", "a=1", "a=1", "!store-secure-over-http"},
		{"Secure at localhost", "http://localhost/", "a=1; Secure", "a=1", "a=1", "a=1", "a=1"},
	} {
		for i, p := range browser.Profiles() {
			want := []string{c.bis, c.chromium, c.firefox, c.curls}[i]
			b := browser.Browser{Profile: p}
			v := b.StoreCookie(visit(t, c.url), c.line, start, nil)
			got := b.CookieHeader(visit(t, c.url), start.Add(time.Hour), nil)
			if !v.Yes {
				got = "!" + string(v.Rule)
			}
			if got != want {
				t.Errorf("%s: %s: %q gives %q, want %q", p, c.sentence, c.line, got, want)
			}
		}
	}
}

// TestProfileChanges asks one browser the same as it becomes another.
func TestProfileChanges(t *testing.T) {
	var b browser.Browser
	for _, name := range []string{"rfc6265bis", "curl", "firefox", "curl"} {
		b.Profile, _ = browser.ProfileNamed(name)
		want := rule.ID("store-deleted")
		if name == "curl" {
			want = "store-secure-over-http"
		}
		req := visit(t, "http://app.localhost/")
		b.StoreCookie(req, "a=1; Secure", start, nil)
		if v := b.StoreCookie(req, "a=; Secure; Max-Age=0", start, nil); v.Rule != want {
			t.Errorf("as %s: %s, want %s", name, v.Rule, want)
		}
	}
	if _, ok := browser.ProfileNamed("netscape"); ok {
		t.Error("there is a profile netscape")
	}
}

// TestProfileOrder is about a cookie that is replaced: whether it goes behind the others.
func TestProfileOrder(t *testing.T) {
	for name, want := range map[string][2]string{ // with the same value, with another
		"rfc6265bis": {"a=1; b=1", "a=2; b=1"},
		"chromium":   {"a=1; b=1", "b=1; a=2"},
		"firefox":    {"a=1; b=1", "a=2; b=1"},
		"curl":       {"b=1; a=1", "b=1; a=2"},
	} {
		for i, again := range []string{"a=1", "a=2"} {
			p, _ := browser.ProfileNamed(name)
			b := browser.Browser{Profile: p}
			for j, line := range []string{"a=1", "b=1", again} {
				b.StoreCookie(visit(t, "https://shop.test/"), line, start.Add(time.Duration(j)*time.Second), nil)
			}
			if got := b.CookieHeader(visit(t, "https://shop.test/"), start.Add(time.Minute), nil); got != want[i] {
				t.Errorf("%s: %s again gives %q, want %q", name, again, got, want[i])
			}
		}
	}
}

// A circumstance is where a request comes from: the page, the pages around it outwards, and what for.
type circumstance struct {
	page    string
	around  []string
	as      browser.Destination
	mode    browser.Credentials
	method  string
	into    string // the page whose frame it is for, when not the page itself
	address string
}

func (x circumstance) document(t *testing.T, pages ...string) *browser.Document {
	t.Helper()
	if len(pages) == 0 {
		return nil
	}
	return &browser.Document{URL: visit(t, pages[0]).URL, Parent: x.document(t, pages[1:]...)}
}

func (x circumstance) request(t *testing.T) browser.Request {
	t.Helper()
	req := visit(t, x.address)
	req.Method, req.As, req.Credentials = x.method, x.as, x.mode
	req.Initiator = x.document(t, append([]string{x.page}, x.around...)...)
	if x.into != "" {
		req.Container = x.document(t, x.into)
	}
	return req
}

const (
	shopPage = "https://shop.test/a"
	apiPage  = "https://api.shop.test/a"
	newsPage = "https://news.test/a"
)

// TestCircumstances asks for one cookie of each SameSite, an hour old, which of them go along in four
// profiles.
func TestCircumstances(t *testing.T) {
	const all, links, others = "strict lax none default", "lax none default", "none"
	for _, c := range []struct {
		sentence               string
		from                   circumstance
		bis, chromium, firefox string
		blocked                string
	}{
		{"an image of its own site", circumstance{page: apiPage, as: browser.AsImage, address: shopPage}, all, all, all, all},
		{"an image in another site", circumstance{page: newsPage, as: browser.AsImage, address: shopPage}, others, others, "", ""},
		{"a script in another site", circumstance{page: newsPage, as: browser.AsScript, address: shopPage}, others, others, "", ""},
		{"a frame in its own site", circumstance{page: apiPage, as: browser.AsIframe, address: shopPage}, all, all, all, all},
		{"a frame in another site", circumstance{page: newsPage, as: browser.AsIframe, address: shopPage}, others, others, "", ""},
		{"a frame in a frame of another site in its own", circumstance{page: newsPage, around: []string{shopPage}, as: browser.AsIframe, address: shopPage}, others, others, "", ""},
		{"a frame that another site's page leads to its own, within its own", circumstance{page: newsPage, around: []string{shopPage}, into: shopPage, as: browser.AsIframe, address: shopPage}, others, others, "none default", others},
		{"a frame in its own, within another site", circumstance{page: shopPage, around: []string{newsPage}, as: browser.AsIframe, address: shopPage}, others, others, "", ""},
		{"an image in its own page, in a frame of another site, in its own", circumstance{page: shopPage, around: []string{newsPage, shopPage}, as: browser.AsImage, address: shopPage}, others, others, "", ""},
		{"a link in a frame of another site, to the window", circumstance{page: newsPage, around: []string{shopPage}, address: shopPage}, links, links, links, links},
		{"an image of the same host over http", circumstance{page: "http://shop.test/", as: browser.AsImage, address: shopPage}, others, others, all, ""},
		{"a link of the same host over http", circumstance{page: "http://shop.test/", address: shopPage}, links, links, all, links},
		{"a form of another site", circumstance{page: newsPage, method: "POST", address: shopPage}, others, others, "none default", others},
		{"a fetch of its own origin", circumstance{page: "https://shop.test/b", as: browser.AsFetch, address: shopPage}, all, all, all, all},
		{"a fetch of its own site, of another origin", circumstance{page: apiPage, as: browser.AsFetch, address: shopPage}, "", "", "", ""},
		{"the same with credentials", circumstance{page: apiPage, as: browser.AsFetch, mode: browser.CredentialsInclude, address: shopPage}, all, all, all, all},
		{"the same of another port", circumstance{page: "https://shop.test:8443/", as: browser.AsFetch, address: shopPage}, "", "", "", ""},
		{"a fetch without credentials", circumstance{page: "https://shop.test/b", as: browser.AsFetch, mode: browser.CredentialsOmit, address: shopPage}, "", "", "", ""},
		{"a fetch of another site with credentials", circumstance{page: newsPage, as: browser.AsFetch, mode: browser.CredentialsInclude, address: shopPage}, others, others, "", ""},
		{"an image without credentials", circumstance{page: apiPage, as: browser.AsImage, mode: browser.CredentialsSameOrigin, address: shopPage}, "", "", "", ""},
	} {
		for i, p := range []browser.Profile{{}, browser.Chromium(), browser.Firefox(), browser.Chromium().WithThirdParty(browser.ThirdPartyBlocked)} {
			b := browser.Browser{Profile: p}
			for _, line := range []string{"strict=1; Secure; SameSite=Strict", "lax=1; Secure; SameSite=Lax", "none=1; Secure; SameSite=None", "default=1; Secure"} {
				b.StoreCookie(visit(t, shopPage), line, start, nil)
			}
			var sent []string
			b.CookieHeader(c.from.request(t), start.Add(time.Hour), rule.NewRecorder(func(v rule.Verdict) {
				if v.Yes {
					sent = append(sent, v.Subject)
				}
			}))
			want := []string{c.bis, c.chromium, c.firefox, c.blocked}[i]
			if got := strings.Join(sent, " "); got != want {
				t.Errorf("%s, third parties %s: %s: %q goes along, want %q", p, p.ThirdParty(), c.sentence, got, want)
			}
		}
	}
}

// TestStoreInCircumstances is about what may set cookies of which SameSite.
func TestStoreInCircumstances(t *testing.T) {
	const image, fetch = browser.AsImage, browser.AsFetch
	blocked := browser.Chromium().WithThirdParty(browser.ThirdPartyBlocked)
	for _, c := range []struct {
		profile browser.Profile
		from    circumstance
		line    string
		want    string
	}{
		{browser.Profile{}, circumstance{page: newsPage, method: "POST", address: shopPage}, "a=1; SameSite=Strict", "store-ok"},
		{browser.Profile{}, circumstance{page: newsPage, as: image, address: shopPage}, "a=1; SameSite=Strict", "store-samesite-cross-site"},
		{browser.Profile{}, circumstance{page: newsPage, as: image, address: shopPage}, "a=1", "store-samesite-cross-site"},
		{browser.Profile{}, circumstance{page: newsPage, as: image, address: shopPage}, "a=1; Secure; SameSite=None", "store-ok"},
		{browser.Profile{}, circumstance{page: apiPage, as: image, address: shopPage}, "a=1; SameSite=Strict", "store-ok"},
		{browser.Profile{}, circumstance{page: apiPage, as: fetch, address: shopPage}, "a=1", "store-credentials-mode"},
		{browser.Profile{}, circumstance{page: newsPage, as: fetch, address: shopPage}, "a=1; SameSite=None", "store-credentials-mode store-none-not-secure"},
		{browser.Firefox(), circumstance{page: newsPage, as: image, address: shopPage}, "a=1", "store-ok"},
		{browser.Firefox(), circumstance{page: newsPage, as: image, address: shopPage}, "a=1; SameSite=Lax", "store-samesite-cross-site"},
		{blocked, circumstance{page: newsPage, as: image, address: shopPage}, "a=1; Secure; SameSite=None", "store-third-party-blocked"},
		{blocked, circumstance{page: newsPage, as: image, address: shopPage}, "a=1; Secure; SameSite=None; Partitioned", "store-ok"},
		{browser.Curl(), circumstance{page: newsPage, as: fetch, address: shopPage}, "a=1", "store-ok"},
	} {
		b := browser.Browser{Profile: c.profile}
		var got string
		b.StoreCookie(c.from.request(t), c.line, start, rule.NewRecorder(func(v rule.Verdict) {
			got = strings.Join(strings.Fields(string(v.Rule)+" "+ids(v.Also)), " ")
		}))
		if got != c.want {
			t.Errorf("%s: %q as %s from %s: %s, want %s", c.profile, c.line, c.from.as, c.from.page, got, c.want)
		}
	}
}

func ids(all []rule.ID) string {
	words := make([]string, len(all))
	for i, id := range all {
		words[i] = string(id)
	}
	return strings.Join(words, " ")
}

// TestPartitions stores one Partitioned cookie in one place and asks for it in others. That an image, the
// frame beside it and an image in that frame share a partition, and that a site within another one within
// its own has not its own, is as observed in Chromium 156.
func TestPartitions(t *testing.T) {
	in := func(page string, around ...string) circumstance {
		return circumstance{page: page, around: around, as: browser.AsIframe, address: shopPage}
	}
	places := map[string]circumstance{
		"shop":              {address: shopPage, page: shopPage},
		"news":              in(newsPage),
		"news over http":    in("http://news.test/"),
		"blog":              in("https://blog.test/"),
		"shop in shop":      in(apiPage),
		"shop, news around": in(shopPage, newsPage),
		"news, shop around": in(newsPage, shopPage),
		"an image in news":  {page: newsPage, as: browser.AsImage, address: shopPage},
		"an image of a frame in news": {
			page: shopPage, around: []string{newsPage}, as: browser.AsImage, address: shopPage,
		},
	}
	for stored, others := range map[string][]string{
		"shop":              {"shop in shop"},
		"news":              {"shop, news around", "an image in news", "an image of a frame in news"},
		"an image in news":  {"shop, news around", "news", "an image of a frame in news"},
		"news, shop around": nil,
	} {
		for name, place := range places {
			b := browser.Browser{Profile: browser.Chromium()}
			b.StoreCookie(places[stored].request(t), "a=1; Secure; SameSite=None; Partitioned", start, nil)
			found := b.CookieHeader(place.request(t), start, nil) != ""
			if found != (name == stored || slices.Contains(others, name)) {
				t.Errorf("stored in %s, asked in %s: %v; it is to be found there and in %q", stored, name, found, others)
			}
		}
	}
	b := browser.Browser{Profile: browser.Chromium()}
	b.StoreCookie(places["news"].request(t), "a=1; Secure; SameSite=None; Partitioned", start, nil)
	b.StoreCookie(places["shop"].request(t), "a=2", start, nil)
	if all := b.Cookies(start); len(all) != 2 {
		t.Errorf("a cookie without a partition and one of the same name in one: %v", all)
	}
	if got, want := b.Cookies(start)[0].Partition(), "https://news.test, cross-site ancestor"; got != want {
		t.Errorf("partition %q, want %q", got, want)
	}
}

// TestRedirectLimits counts the requests of a visit that never ends.
func TestRedirectLimits(t *testing.T) {
	for name, want := range map[string]int{"rfc6265bis": 20, "chromium": 20, "firefox": 21, "curl": 51} {
		p, _ := browser.ProfileNamed(name)
		chain, req, asked := p.Chain(), visit(t, "https://shop.test/0"), 1
		for {
			next, v := chain.Next(req, 302, fmt.Sprintf("/%d", asked), "", nil)
			if !v.Yes {
				break
			}
			req = next
			asked++
		}
		if asked != want {
			t.Errorf("%s makes %d requests, want %d", name, asked, want)
		}
	}
}

// TestForgottenOnceTold is about an expired cookie for another folder: it is told of and gone.
func TestForgottenOnceTold(t *testing.T) {
	var b browser.Browser
	b.StoreCookie(visit(t, shopPage), "a=1; Max-Age=60; Path=/other", start, nil)
	for i, want := range []string{"send-expired send-path", ""} {
		got := ""
		b.CookieHeader(visit(t, shopPage), start.Add(time.Hour), rule.NewRecorder(func(v rule.Verdict) {
			got = string(v.Rule) + " " + ids(v.Also)
		}))
		if got != want {
			t.Errorf("asked %d times: %q, want %q", i+1, got, want)
		}
	}
}

// TestMaxCookies is about a browser that keeps fewer cookies, and one that keeps more.
func TestMaxCookies(t *testing.T) {
	for limit, want := range map[int]int{10: 9, 0: 2700, 5000: 3001} {
		b := browser.Browser{MaxCookies: limit}
		for i := range 3001 {
			if v := b.StoreCookie(visit(t, fmt.Sprintf("https://shop%d.test/", i)), "a=1", start, nil); !v.Yes {
				t.Fatal(v.Rule)
			}
		}
		if n := len(b.Cookies(start)); n != want {
			t.Errorf("limit %d: %d cookies, want %d", limit, n, want)
		}
	}
}

// TestTwoMinutes is about Chromium's Lax-allowing-unsafe, and what starts the two minutes again.
func TestTwoMinutes(t *testing.T) {
	for _, c := range []struct {
		sentence, again string
		after           time.Duration
		want            string
	}{
		{"at once", "", 0, "a=1"},
		{"just before", "", 119 * time.Second, "a=1"},
		{"too late", "", 120 * time.Second, ""},
		{"the same value changes nothing", "a=1", 179 * time.Second, ""},
		{"another value starts them again", "a=2", 179 * time.Second, "a=2"},
	} {
		b := browser.Browser{Profile: browser.Chromium()}
		b.StoreCookie(visit(t, shopPage), "a=1", start, nil)
		if c.again != "" {
			b.StoreCookie(visit(t, shopPage), c.again, start.Add(time.Minute), nil)
		}
		if got := b.CookieHeader(from(t, newsPage, "POST", shopPage), start.Add(c.after), nil); got != c.want {
			t.Errorf("%s: %q, want %q", c.sentence, got, c.want)
		}
	}
}

// TestScripts is document.cookie.
func TestScripts(t *testing.T) {
	page := &browser.Document{URL: visit(t, shopPage).URL}
	framed := &browser.Document{URL: page.URL, Parent: &browser.Document{URL: visit(t, newsPage).URL}}
	var b browser.Browser
	b.StoreCookie(visit(t, shopPage), "hidden=1; HttpOnly", start, nil)
	for _, c := range []struct {
		document *browser.Document
		line     string
		want     rule.ID
	}{
		{page, "a=1", "store-ok"},
		{page, "b=1; HttpOnly", "store-httponly-from-script"},
		{page, "hidden=2", "store-overwrites-httponly"},
		{page, "hidden=; Max-Age=0", "store-overwrites-httponly"},
		{page, "hidden=2; Path=/other", "store-ok"},
		{framed, "c=1", "store-samesite-cross-site"},
		{framed, "c=1; SameSite=None; Secure", "store-ok"},
	} {
		if v := b.StoreScriptCookie(c.document, c.line, start, nil); v.Rule != c.want {
			t.Errorf("%s: %s, want %s", c.line, v.Rule, c.want)
		}
	}
	if got, want := b.ScriptCookies(page, start, nil), "a=1; c=1"; got != want {
		t.Errorf("the page reads %q, want %q", got, want)
	}
	if got, want := b.ScriptCookies(framed, start, nil), "c=1"; got != want {
		t.Errorf("the frame reads %q, want %q", got, want)
	}
	var kept []string
	b.ScriptCookies(page, start, rule.NewRecorder(func(v rule.Verdict) {
		if v.Question != rule.ReadCookie {
			t.Errorf("the question is %q", v.Question)
		}
		if !v.Yes {
			kept = append(kept, v.Subject+" "+string(v.Rule))
		}
	}))
	if got, want := strings.Join(kept, ", "), "hidden send-path, hidden read-httponly"; got != want {
		t.Errorf("kept back: %s, want %s", got, want)
	}
	chromium := browser.Browser{Profile: browser.Chromium()}
	if v := chromium.StoreScriptCookie(page, "__Http-a=1; Secure", start, nil); v.Rule != "store-prefix-http" {
		t.Errorf("a script makes __Http-: %s", v.Rule)
	}
}

func TestClearSiteData(t *testing.T) {
	for _, c := range []struct {
		url    string
		fields []string
		want   string // the rule, and what is left of shop and other
	}{
		{shopPage, []string{`"cookies"`}, "clear-cookies other"},
		{shopPage, []string{`"cache", "cookies"`}, "clear-cookies other"},
		{shopPage, []string{`"cache"`, `"*"`}, "clear-cookies other"},
		{apiPage, []string{`"cookies"`}, "clear-cookies other"},
		{shopPage, []string{`cookies`}, "clear-no-cookies shop other"},
		{shopPage, []string{`"Cookies"`}, "clear-no-cookies shop other"},
		{shopPage, []string{`"storage"`}, "clear-no-cookies shop other"},
		{"http://shop.test/", []string{`"cookies"`}, "clear-over-http shop other"},
		{"file:///a", []string{`"cookies"`}, "clear-over-http shop other"},
		{shopPage, []string{strings.Repeat(" ", 5000) + `"cookies"`}, "clear-no-cookies shop other"},
	} {
		var b browser.Browser
		b.StoreCookie(visit(t, shopPage), "shop=1", start, nil)
		b.StoreCookie(visit(t, newsPage), "other=1", start, nil)
		v := b.ClearSiteData(visit(t, c.url), c.fields, start, nil)
		got := string(v.Rule)
		for _, k := range b.Cookies(start) {
			got += " " + k.Name()
		}
		if got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.fields, c.url, got, c.want)
		}
	}
}

// TestManyFrames holds that documents that are frames of each other end somewhere.
func TestManyFrames(t *testing.T) {
	d := &browser.Document{URL: visit(t, shopPage).URL}
	d.Parent = d
	var b browser.Browser
	b.StoreCookie(visit(t, shopPage), "a=1", start, nil)
	if got := b.ScriptCookies(d, start, nil); got != "" {
		t.Errorf("a frame without an end reads %q", got)
	}
}
