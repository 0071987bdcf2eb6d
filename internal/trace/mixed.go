package trace

import (
	"net/netip"
	"net/url"
	"strconv"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/rule"
)

// maxMixedShown is how many URLs of a kind are named.
const maxMixedShown = 10

const mixedContent = "W3C Mixed Content (Level 2)"

var (
	mixedBlocked = rules.Add(rule.Rule{
		ID:       "mixed-blocked",
		Source:   mixedContent + ", section 4.4",
		Sentence: "The page came over https and loads scripts, styles, frames or the like over http: the browser blocks them, and an HSTS entry of their host does not help, since that is asked later.",
		Fix:      "Write https:// or a path in the page. Content-Security-Policy: upgrade-insecure-requests has the browser do so for pages that cannot be changed.",
		Scenario: `
on /a app html <script src=http://cdn.test/a.js></script><iframe src=http://cdn.test/></iframe>
visit https://shop.test/a
`,
	})
	mixedUpgraded = rules.Add(rule.Rule{
		ID:       "mixed-upgraded",
		Source:   mixedContent + ", section 4.1",
		Sentence: "The page came over https and shows images, sound or video over http: the browser asks for them over https instead, and shows nothing where that fails.",
		Fix:      "Write https:// or a path in the page, and check that the host answers over https: the browser does not go back to http.",
		Scenario: `
on /a app html <img src=http://cdn.test/a.png>
visit https://shop.test/a
`,
	})
	mixedByPolicy = rules.Add(rule.Rule{
		ID:       "mixed-by-policy",
		Source:   "W3C Upgrade Insecure Requests, sections 3.1 and 4.1",
		Sentence: "The page has http URLs, and its Content-Security-Policy says upgrade-insecure-requests: the browser asks for all of them over https, where its forms go, too.",
		Fix:      "Nothing is to be mended as long as those hosts answer over https; links to other hosts are not upgraded.",
		Scenario: `
on /a app html <script src=http://cdn.test/a.js></script>
on /a send Content-Security-Policy: upgrade-insecure-requests
visit https://shop.test/a
`,
	})
	mixedForm = rules.Add(rule.Rule{
		ID:       "mixed-form",
		Source:   mixedContent + ", section 4.5; Chromium, as observed",
		Sentence: "A form of a page that came over https leads to http: what is filled in travels in clear, and browsers warn of it.",
		Fix:      "Give the form an action of https:// or a path; behind a proxy an http action often comes of a site that does not know that it is on https (SECURE_PROXY_SSL_HEADER).",
		Scenario: `
on /a app html <form method=post action=http://shop.test/pay><input name=card></form>
visit https://shop.test/a
`,
	})
)

// mixed says what becomes of the http URLs of a page that came over https, by rule. upgrades is that
// the page's policy has them asked for over https.
func mixed(page *url.URL, insecure []form.Insecure, upgrades bool) []rule.Verdict {
	found := map[rule.ID][]form.Insecure{}
	for _, one := range insecure {
		if id := mixedRule(one, upgrades); id != "" {
			found[id] = append(found[id], one)
		}
	}
	var all []rule.Verdict
	for _, id := range []rule.ID{mixedBlocked, mixedUpgraded, mixedByPolicy, mixedForm} {
		if len(found[id]) == 0 {
			continue
		}
		all = append(all, mixedVerdict(page, id, found[id]))
	}
	return all
}

// mixedVerdict is that about the http URLs of a page for which a rule decides.
func mixedVerdict(page *url.URL, id rule.ID, found []form.Insecure) rule.Verdict {
	v := rule.Verdict{
		Side: rule.Browser, Question: rule.MixedContent, Subject: shownURL(page.Redacted()),
		Yes: id == mixedUpgraded || id == mixedByPolicy, Rule: id,
		Facts: []rule.Fact{{Name: "http URLs", Value: strconv.Itoa(len(found))}},
	}
	for _, one := range found[:min(len(found), maxMixedShown)] {
		v.Facts = append(v.Facts, rule.Fact{Name: one.Element, Value: cutURL(one.URL.Redacted())})
	}
	return v
}

// mixedRule decides about one http URL; "" is for one that is as good as https, on this machine.
func mixedRule(one form.Insecure, upgrades bool) rule.ID {
	_, notIP := netip.ParseAddr(one.URL.Hostname())
	switch {
	case upgrades:
		return mixedByPolicy
	case cookie.Loopback(one.URL.Hostname()):
		return ""
	case one.Kind == "form":
		return mixedForm
	case notIP != nil && (one.Kind == "image" || one.Kind == "audio" || one.Kind == "video"):
		return mixedUpgraded
	}
	return mixedBlocked
}

// unmixed decides about a request for a part of a page before it leaves: over http it does not leave for a
// page that came over https, and neither for one in a frame of such a page; one for an image is changed into
// one over https. A browser without pages knows none of that, and a request from this machine to this machine
// is as good as https.
func (c *Client) unmixed(req *browser.Request, rec *rule.Recorder) (leaves bool) {
	page := securePage(req)
	if req.URL.Scheme != "http" || page == nil || !c.Browser.Profile.ShowsPages() {
		return true
	}
	element := form.Insecure{Element: string(req.As), Kind: string(req.As), URL: req.URL}
	id := mixedRule(element, false)
	if id == "" {
		return true
	}
	rec.Record(mixedVerdict(page, id, []form.Insecure{element}))
	if id != mixedUpgraded {
		return false
	}
	if to, err := url.Parse(withScheme(req.URL, "https")); err == nil {
		req.URL = to
	}
	return true
}

// securePage is the page over https, of those around what asks, that does not take a request over http; nil
// when there is none, or when the request is for a page itself.
func securePage(req *browser.Request) *url.URL {
	if req.As == browser.AsNavigation {
		return nil
	}
	for _, doc := range []*browser.Document{req.Container, req.Initiator} {
		for ; doc != nil; doc = doc.Parent {
			if doc.URL.Scheme == "https" {
				return doc.URL
			}
		}
		if req.Container != nil { // it is the frame that loads, whoever asks
			return nil
		}
	}
	return nil
}
