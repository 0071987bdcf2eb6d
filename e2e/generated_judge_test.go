package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// generatedReasons are Chromium's words for the rules, of which it says one. A rule without any is one of
// which Chromium does not tell: what it refuses or keeps back is not in its lists.
var generatedReasons = map[rule.ID][]string{
	"send-domain-mismatch":      {"DomainMismatch"},
	"send-host-only":            {"DomainMismatch"},
	"send-path":                 {"NotOnPath"},
	"send-samesite-default-lax": {"SameSiteUnspecifiedTreatedAsLax", "SchemefulSameSiteUnspecifiedTreatedAsLax"},
	"send-samesite-lax":         {"SameSiteLax", "SchemefulSameSiteLax"},
	"send-samesite-strict":      {"SameSiteStrict", "SchemefulSameSiteStrict"},
	"send-secure-over-http":     {"SecureOnly"},
	"send-third-party-blocked":  {"UserPreferences"},

	"store-control-char":         {"DisallowedCharacter"},
	"store-domain-mismatch":      {"InvalidDomain"},
	"store-domain-non-ascii":     {"InvalidDomain"},
	"store-empty":                {"NoCookieContent"},
	"store-nameless-http-prefix": {"InvalidPrefix"},
	"store-nameless-prefix":      {"InvalidPrefix"},
	"store-none-not-secure":      {"SameSiteNoneInsecure"},
	"store-prefix-host":          {"InvalidPrefix"},
	"store-prefix-http":          {"InvalidPrefix"},
	"store-prefix-secure":        {"InvalidPrefix"},
	"store-public-suffix":        {"InvalidDomain"},
	"store-samesite-cross-site": {
		"SameSiteStrict", "SameSiteLax", "SameSiteUnspecifiedTreatedAsLax",
		"SchemefulSameSiteStrict", "SchemefulSameSiteLax", "SchemefulSameSiteUnspecifiedTreatedAsLax",
	},
	"store-secure-over-http":     {"SecureOnly", "InvalidPrefix"}, // the latter of a name with a prefix
	"store-tab":                  {"DisallowedCharacter"},
	"store-third-party-blocked":  {"UserPreferences"},
	"store-too-big":              {"NameValuePairExceedsMaxSize"},
	"store-would-overlay-secure": {"OverwriteSecure"},
}

// A generatedJudge compares tours and counts.
type generatedJudge struct {
	known map[string]string
	used  map[string]int

	requests, redirected, upgraded, lines, refused, sent, kept, read, stores int
}

// differ reports a mismatch that is of no known kind.
func (j *generatedJudge) differ(t *testing.T, where string, m mismatch) {
	t.Helper()
	for kind := range j.known {
		if is := generatedKinds[kind]; is != nil && is(m) {
			j.used[kind]++
			return
		}
	}
	t.Errorf("%s: %s %.300q\nLockstep: %.300q\nChromium: %.300q", where, m.what, m.line, m.ours, m.theirs)
}

// unused fails for the known differences that were not met.
func (j *generatedJudge) unused(t *testing.T) {
	t.Helper()
	for kind := range j.known {
		if j.used[kind] == 0 {
			t.Errorf("testdata/generated.json: %q was not met: Chromium or the profile has changed, or nothing knows the kind", kind)
		}
	}
}

// tour has the witness and a browser of ours make the tour.
func (j *generatedJudge) tour(t *testing.T, tour *tour, w *witness, s *sights) {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, visitTimeout)
	defer cancel()
	s.begin(tour)
	w.blocks(ctx, t, tour.blocks)
	c := &comparison{generatedJudge: j, browser: &browser.Browser{Profile: browser.Chromium()}, witness: w, sights: s}
	if tour.blocks {
		c.browser.Profile = c.browser.Profile.WithThirdParty(browser.ThirdPartyBlocked)
	}
	var document *browser.Document
	for i := range tour.legs {
		l := &tour.legs[i]
		w.arrive(ctx, t, &l.arrival)
		reads := w.within(ctx, t, l.within)
		arrival := browser.Request{URL: parsed(t, l.arrival.url)}
		if l.arrival.kind != "typed" {
			arrival.Initiator = document
		}
		if l.arrival.kind == "form" {
			arrival.Method, arrival.ContentType = "POST", "application/x-www-form-urlencoded"
		}
		document = &browser.Document{URL: c.follow(ctx, t, &l.arrival, arrival)}
		for k := range l.within {
			c.inner(ctx, t, &l.within[k], document, reads)
		}
		j.store(t, fmt.Sprintf("after leg %d", i+1), holdings(c.browser.Cookies(time.Now())), w.stored(ctx, t, tour.sites))
	}
}

// A comparison is one of a tour.
type comparison struct {
	*generatedJudge

	browser *browser.Browser
	witness *witness
	sights  *sights
	last    time.Time // when the last request arrived

	embraced bool // a request of this errand was embraced, where third parties are blocked
}

// inner compares what a document asks for, and what its scripts do, within frames too.
func (c *comparison) inner(ctx context.Context, t *testing.T, e *errand, here *browser.Document, reads map[int]string) {
	t.Helper()
	if e.kind == "cookie" {
		c.script(t, here, e, reads)
		return
	}
	as, ok := browser.ParseDestination(e.kind)
	if !ok {
		t.Fatalf("nothing is asked for as %q", e.kind)
	}
	req := browser.Request{URL: parsed(t, e.url), Method: e.method, Initiator: here, As: as, Credentials: e.credentials}
	final := c.follow(ctx, t, e, req)
	if as == browser.AsIframe {
		frame := &browser.Document{URL: final, Parent: here}
		c.script(t, frame, e.last(), reads)
		if child := e.last().child; child != nil {
			c.inner(ctx, t, child, frame, reads)
		}
	}
}

// script compares what a script of the document reads, after it has assigned what it was to.
func (c *comparison) script(t *testing.T, here *browser.Document, e *errand, reads map[int]string) {
	t.Helper()
	line := ""
	if e.script != nil {
		line = *e.script
		c.browser.StoreScriptCookie(here, line, c.last, nil)
	}
	c.read++
	if ours, theirs := c.browser.ScriptCookies(here, c.last, nil), reads[e.id]; ascii(ours) != ascii(theirs) {
		c.differ(t, "script of "+here.URL.String(), mismatch{what: "read", line: line, ours: ours, theirs: theirs})
	}
}

// follow compares the requests of an errand, and returns the URL at which they end.
func (c *comparison) follow(ctx context.Context, t *testing.T, e *errand, req browser.Request) *url.URL {
	t.Helper()
	chain := c.browser.Profile.Chain()
	c.embraced = false
	for {
		arrived, ok := c.sights.of(e.id)
		if !ok {
			t.Fatalf("the %s of %s did not arrive", e.kind, e.url)
		}
		c.requests++
		c.last = arrived.at
		theirs := c.witness.about(ctx, t, e)
		to, up := c.browser.Upgrade(req.URL, arrived.at, nil)
		if up.Yes != theirs.upgraded {
			c.differ(t, e.kind+" of "+e.url, mismatch{what: "upgrade", ours: fmt.Sprint(up.Yes, " ", up.Rule), theirs: fmt.Sprint(theirs.upgraded)})
		}
		if up.Yes {
			c.upgraded++
			req = req.Onward(to)
		}
		header := c.request(t, e, req, arrived, theirs)
		if e.hsts != "" {
			c.browser.StoreHSTS(req.URL, []string{e.hsts}, true, arrived.at, nil)
		}
		if e.next == nil {
			return req.URL
		}
		c.redirected++
		next, v := chain.Next(req, e.status, e.next.url, header, nil)
		if !v.Yes {
			t.Fatalf("the redirect to %s is not followed: %s", e.next.url, v.Rule)
		}
		e, req = e.next, next
	}
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// request compares what happened to the cookies of one request and of its response, and the header that
// says where it comes from. It returns our Cookie header.
func (c *comparison) request(t *testing.T, e *errand, req browser.Request, arrived sight, theirs told) string {
	t.Helper()
	where := fmt.Sprintf("%s %s of %s, credentials %q", req.Method, e.kind, req.URL, req.Credentials)
	for d := req.Initiator; d != nil; d = d.Parent {
		where += " from " + d.URL.String()
	}
	var verdicts []rule.Verdict
	header := c.browser.CookieHeader(req, arrived.at, rule.NewRecorder(func(v rule.Verdict) { verdicts = append(verdicts, v) }))
	if came := strings.Join(arrived.header["Cookie"], "; "); header != came {
		c.differ(t, where, mismatch{what: "header", ours: header, theirs: came})
	}
	fields := req.ContextHeader(nil)
	c.embraced = c.embraced || c.browser.Profile.ThirdParty() == browser.ThirdPartyBlocked && embraced(&req)
	for _, name := range contextFields {
		ours := ""
		for _, f := range fields {
			if f.Name == name {
				ours = f.Value
			}
		}
		if came := arrived.header.Get(name); came != ours {
			c.differ(t, where, mismatch{what: "context", line: name, ours: ours, theirs: came, request: req, embraced: c.embraced})
		}
	}
	ours, told := keptByUs(verdicts), keptByThem(theirs.sent)
	for _, name := range slices.Sorted(maps.Keys(merged(ours, told))) {
		if !sameReasons(ours[name], told[name]) {
			c.differ(t, where, mismatch{what: "kept", line: name, ours: fmt.Sprint(ours[name]), theirs: fmt.Sprint(told[name])})
		}
		c.kept += len(told[name])
	}
	for _, v := range verdicts {
		if v.Yes {
			c.sent++
		}
	}
	c.received(t, where, e, req, arrived.at, slices.Clone(theirs.received.BlockedCookies))
	return header
}

// embraced reports whether the site of the window is asked for through a frame of another site.
func embraced(req *browser.Request) bool {
	site, other := cookie.RegistrableDomain(req.URL.Hostname()), false
	for d := req.Initiator; d != nil; d = d.Parent {
		same := cookie.RegistrableDomain(d.URL.Hostname()) == site
		other = other || !same
		if d.Parent == nil && req.As != browser.AsNavigation {
			return same && other
		}
	}
	return false
}

// received compares what becomes of the lines of a response.
func (c *comparison) received(t *testing.T, where string, e *errand, req browser.Request, at time.Time, blocked []*network.BlockedSetCookieWithReason) {
	t.Helper()
	for _, line := range e.lines {
		c.lines++
		v := c.browser.StoreCookie(req, line, at, nil)
		var reasons []string
		if i := slices.IndexFunc(blocked, func(c *network.BlockedSetCookieWithReason) bool { return ascii(c.CookieLine) == ascii(line) }); i >= 0 {
			reasons = strings.Fields(words(blocked[i].BlockedReasons))
			blocked = slices.Delete(blocked, i, i+1)
			c.refused++
		}
		if !saysOf(v, reasons) {
			c.differ(t, where, mismatch{what: "line", line: line, ours: fmt.Sprint(v.Yes, " ", idsOf(v)), theirs: fmt.Sprint(reasons)})
		}
	}
}

func merged(ours map[string][][]rule.ID, theirs map[string][][]string) map[string]bool {
	all := map[string]bool{}
	for name := range ours {
		all[name] = true
	}
	for name := range theirs {
		all[name] = true
	}
	return all
}

func idsOf(v rule.Verdict) []rule.ID { return append([]rule.ID{v.Rule}, v.Also...) }

// silent reports whether Chromium says nothing of what v refuses or keeps back.
func silent(v rule.Verdict) bool {
	return slices.ContainsFunc(idsOf(v), func(id rule.ID) bool { return generatedReasons[id] == nil })
}

// saysOf reports whether Chromium says of a line what v says. Of several reasons it tells those that it
// came to first, and of an answer in which a silent rule has a part perhaps nothing.
func saysOf(v rule.Verdict, reasons []string) bool {
	if v.Yes || v.Rule == "store-delete-missed" { // which refuses nothing: there was nothing to delete
		return len(reasons) == 0
	}
	return (len(reasons) > 0 || silent(v)) && covered(reasons, idsOf(v))
}

// covered reports whether each of the reasons is a word of one of the rules.
func covered(reasons []string, ids []rule.ID) bool {
	return !slices.ContainsFunc(reasons, func(word string) bool {
		return !slices.ContainsFunc(ids, func(id rule.ID) bool { return slices.Contains(generatedReasons[id], word) })
	})
}

// keptByUs returns by which rules cookies stay behind, by their names.
func keptByUs(verdicts []rule.Verdict) map[string][][]rule.ID {
	all := map[string][][]rule.ID{}
	for _, v := range verdicts {
		if !v.Yes && !silent(v) {
			all[ascii(v.Subject)] = append(all[ascii(v.Subject)], idsOf(v))
		}
	}
	return all
}

func keptByThem(sent *network.EventRequestWillBeSentExtraInfo) map[string][][]string {
	all := map[string][][]string{}
	for _, c := range sent.AssociatedCookies {
		if len(c.BlockedReasons) > 0 {
			all[ascii(c.Cookie.Name)] = append(all[ascii(c.Cookie.Name)], strings.Fields(words(c.BlockedReasons)))
		}
	}
	return all
}

// sameReasons reports whether there are as many on both sides, and each of theirs says the same as one
// of ours: every word is that of a rule, and every rule has a word.
func sameReasons(ours [][]rule.ID, theirs [][]string) bool {
	left := slices.Clone(ours)
	for _, reasons := range theirs {
		i := slices.IndexFunc(left, func(ids []rule.ID) bool { return means(ids, reasons) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return len(left) == 0
}

func means(ids []rule.ID, reasons []string) bool {
	return covered(reasons, ids) && !slices.ContainsFunc(ids, func(id rule.ID) bool {
		return !slices.ContainsFunc(generatedReasons[id], func(word string) bool { return slices.Contains(reasons, word) })
	})
}

// A holding is a cookie that is stored, as text, and until when; zero is until the end of the session.
type holding struct {
	text    string
	expires time.Time
}

func sorted(all []holding) []holding {
	slices.SortFunc(all, func(a, b holding) int { return cmp.Compare(a.text, b.text) })
	return all
}

func holdings(cookies []browser.Cookie) []holding {
	var all []holding
	for _, c := range cookies {
		all = append(all, holding{fmt.Sprintf("%q=%q domain %s host-only %t path %q secure %t httponly %t samesite %s partition %s",
			ascii(c.Name()), ascii(c.Value()), c.Domain(), c.HostOnly(), ascii(c.Path()), c.Secure(), c.HttpOnly(), c.SameSite(), c.Partition()), c.Expires()})
	}
	return sorted(all)
}

// ascii is text without what a protocol of UTF-8 cannot tell.
func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return -1
		}
		return r
	}, text)
}

// expiryTolerance is what may lie between two readings of the clock.
const expiryTolerance = 30 * time.Second

// store compares all that is stored.
func (j *generatedJudge) store(t *testing.T, where string, ours, theirs []holding) {
	t.Helper()
	j.stores++
	for len(ours) > 0 || len(theirs) > 0 {
		switch {
		case len(theirs) == 0 || len(ours) > 0 && ours[0].text < theirs[0].text:
			j.differ(t, where, mismatch{what: "stored", line: ours[0].text, ours: "stored", theirs: absent})
			ours = ours[1:]
		case len(ours) == 0 || theirs[0].text < ours[0].text:
			j.differ(t, where, mismatch{what: "stored", line: theirs[0].text, ours: absent, theirs: "stored"})
			theirs = theirs[1:]
		default:
			a, b := ours[0].expires, theirs[0].expires
			if a.IsZero() != b.IsZero() || a.Sub(b).Abs() > expiryTolerance {
				j.differ(t, where, mismatch{what: "stored", line: ours[0].text, ours: a.String(), theirs: b.String()})
			}
			ours, theirs = ours[1:], theirs[1:]
		}
	}
}
