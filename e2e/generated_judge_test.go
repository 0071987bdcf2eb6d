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

	lines, refused, sent, kept, stores int
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
	t.Errorf("%s: %s %.300q\nLockstep: %.300s\nChromium: %.300s", where, m.what, m.line, m.ours, m.theirs)
}

// ourChromium is a browser of ours that does as Debian's Chromium does, which blocks third parties.
func ourChromium() *browser.Browser {
	return &browser.Browser{Profile: browser.Chromium().WithThirdParty(browser.ThirdPartyBlocked)}
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
	b := ourChromium()
	var document *browser.Document
	for i := range tour.legs {
		l := &tour.legs[i]
		w.make(ctx, t, l)
		for _, r := range l.requests(t, document) {
			arrived, ok := s.of(r.errand.id)
			if !ok {
				t.Fatalf("the %s of %s did not arrive", r.errand.kind, r.errand.url)
			}
			j.request(t, b, r, arrived, w.about(ctx, t, r.errand))
		}
		document = &browser.Document{URL: parsed(t, l.arrival.url)}
		j.store(t, fmt.Sprintf("after leg %d", i+1), holdings(b.Cookies(time.Now())), w.stored(ctx, t, tour.sites))
	}
}

// A generatedRequest is an errand as our browser has it.
type generatedRequest struct {
	errand *errand
	browser.Request
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// requests are those of the leg; before is the document that was there until then.
func (l *leg) requests(t *testing.T, before *browser.Document) []generatedRequest {
	t.Helper()
	arrival := browser.Request{URL: parsed(t, l.arrival.url)}
	if l.arrival.kind != "typed" {
		arrival.Initiator = before
	}
	if l.arrival.kind == "form" {
		arrival.Method, arrival.ContentType = "POST", "application/x-www-form-urlencoded"
	}
	all := []generatedRequest{{&l.arrival, arrival}}
	here := &browser.Document{URL: arrival.URL}
	for i := range l.within {
		e := &l.within[i]
		as, _ := browser.ParseDestination(e.kind)
		all = append(all, generatedRequest{e, browser.Request{URL: parsed(t, e.url), Initiator: here, As: as, Credentials: e.credentials}})
		if e.child != nil {
			frame := &browser.Document{URL: parsed(t, e.url), Parent: here}
			all = append(all, generatedRequest{e.child, browser.Request{URL: parsed(t, e.child.url), Initiator: frame, As: browser.AsImage}})
		}
	}
	return all
}

// request compares what happened to the cookies of one request and of its response.
func (j *generatedJudge) request(t *testing.T, b *browser.Browser, r generatedRequest, arrived sight, theirs told) {
	t.Helper()
	where := r.errand.kind + " of " + r.errand.url
	if r.Initiator != nil {
		where += " from " + r.Initiator.URL.String()
	}
	var verdicts []rule.Verdict
	header := b.CookieHeader(r.Request, arrived.at, rule.NewRecorder(func(v rule.Verdict) { verdicts = append(verdicts, v) }))
	if header != arrived.cookie {
		j.differ(t, where, mismatch{"header", "", fmt.Sprintf("%q", header), fmt.Sprintf("%q", arrived.cookie)})
	}
	ours, told := keptByUs(verdicts), keptByThem(theirs.sent)
	for _, name := range slices.Sorted(maps.Keys(merged(ours, told))) {
		if !sameReasons(ours[name], told[name]) {
			j.differ(t, where, mismatch{"kept", name, fmt.Sprint(ours[name]), fmt.Sprint(told[name])})
		}
		j.kept += len(told[name])
	}
	j.sent += len(verdicts) - len(slices.Concat(slices.Collect(maps.Values(ours))...))

	blocked := slices.Clone(theirs.received.BlockedCookies)
	for _, line := range r.errand.lines {
		j.lines++
		v := b.StoreCookie(r.Request, line, arrived.at, nil)
		var reasons []string
		if i := slices.IndexFunc(blocked, func(c *network.BlockedSetCookieWithReason) bool { return ascii(c.CookieLine) == ascii(line) }); i >= 0 {
			reasons = strings.Fields(words(blocked[i].BlockedReasons))
			blocked = slices.Delete(blocked, i, i+1)
			j.refused++
		}
		if !saysOf(v, reasons) {
			j.differ(t, where, mismatch{"line", line, fmt.Sprint(v.Yes, " ", idsOf(v)), fmt.Sprint(reasons)})
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
			j.differ(t, where, mismatch{"stored", ours[0].text, "stored", absent})
			ours = ours[1:]
		case len(ours) == 0 || theirs[0].text < ours[0].text:
			j.differ(t, where, mismatch{"stored", theirs[0].text, absent, "stored"})
			theirs = theirs[1:]
		default:
			a, b := ours[0].expires, theirs[0].expires
			if a.IsZero() != b.IsZero() || a.Sub(b).Abs() > expiryTolerance {
				j.differ(t, where, mismatch{"stored", ours[0].text, a.String(), b.String()})
			}
			ours, theirs = ours[1:], theirs[1:]
		}
	}
}
