package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// TestQuestions has Chromium do, at the same site, what the scenarios of examples/questions have our
// browser do, and compares step by step: the hops, the header that says where they come from, which
// cookies go along and why others do not, what becomes of each line, and what is stored. What Chromium
// cannot confirm is in testdata/questions.json by question and cause, with the reason.
func TestQuestions(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	names, err := filepath.Glob("../examples/questions/*.scenario")
	if err != nil || len(names) == 0 {
		t.Fatalf("no questions: %v", err)
	}
	e := newExamination(t, path, names)
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".scenario"), func(t *testing.T) { e.ask(t, name) })
	}
	t.Logf("%d steps of %d questions are confirmed, %d are not for a reason", e.confirmed, len(names), e.excused)
	if e.asked == len(names) && !t.Failed() {
		e.unneeded(t)
	}
}

// An examination puts questions to Chromium.
type examination struct {
	chromium  context.Context
	authority *cert.Authority
	stage     *stage // the relay, as Chromium is told of it
	relay     *relay
	excuses   map[string]map[string]string // by question and cause: the reason
	used      map[string]bool

	asked, confirmed, excused int
}

func newExamination(t *testing.T, path string, names []string) *examination {
	t.Helper()
	e := &examination{used: map[string]bool{}, relay: newRelay(t)}
	data, err := os.ReadFile(filepath.Join("testdata", "questions.json"))
	if err == nil {
		err = json.Unmarshal(data, &e.excuses)
	}
	if err != nil {
		t.Fatal(err)
	}
	if e.authority, err = cert.NewAuthority(time.Now()); err != nil {
		t.Fatal(err)
	}
	e.stage = &stage{addr: e.relay.addr}
	if e.stage.certificate, err = e.authority.Issue(time.Now(), hostsOf(t, names)...); err != nil {
		t.Fatal(err)
	}
	e.chromium = startChromium(t, path, e.stage,
		chromedp.UserDataDir(allowsThirdParties(t)),
		// Frames of other sites in one process with their page: else each would be a target of its own.
		chromedp.Flag("disable-site-isolation-trials", true),
		// A page that no server sent counts as public, and would have to ask before it may reach loopback.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,LocalNetworkAccessChecks"))
	return e
}

// allowsThirdParties is a folder of a Chromium that does not block cookies of third parties, as Chrome
// does not and Debian's does.
func allowsThirdParties(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Default", "Preferences"), []byte(`{"profile":{"cookie_controls_mode":0}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

var httpsHost = regexp.MustCompile(`https?://([a-z0-9.-]+)`)

// questionIn is the text of a question as Chromium can be asked it: with a name that is on the list of HSTS
// hosts that comes with it, as no name under test is, and a page for the icon that it asks for by itself,
// in the line after the comment.
func questionIn(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(strings.ReplaceAll(string(text), "bank.test", "bank.dev"), "\n\n", "\non /favicon.ico app plain\n", 1)
}

// hostsOf are the hosts that the scenarios name.
func hostsOf(t *testing.T, names []string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, name := range names {
		for _, m := range httpsHost.FindAllStringSubmatch(questionIn(t, name), -1) {
			found[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// A relay is a port from which every connection goes on to the site of the moment.
type relay struct {
	addr string
	dial atomic.Pointer[func(context.Context) (net.Conn, error)]
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, _, err := listen.Local(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{addr: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(conn)
		}
	}()
	return r
}

// pass hands on what comes from either side until one of them has nothing more to say.
func (r *relay) pass(conn net.Conn) {
	defer conn.Close()
	dial := r.dial.Load()
	if dial == nil {
		return
	}
	site, err := (*dial)(context.Background())
	if err != nil {
		return
	}
	defer site.Close()
	over := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{conn, site}, {site, conn}} {
		go func() {
			io.Copy(pair[0], pair[1])
			over <- struct{}{}
		}()
	}
	<-over
}

// ask runs a question and has Chromium do the same.
func (e *examination) ask(t *testing.T, name string) {
	t.Helper()
	e.asked++
	s, err := scenario.Parse(questionIn(t, name))
	if err != nil {
		t.Fatal(err)
	}
	x := &examinee{examination: e, name: strings.TrimSuffix(filepath.Base(name), ".scenario"), tabs: map[string]*tab{}}
	result, err := s.Do(t.Context(), scenario.Options{
		Profile: browser.Chromium(), Sockets: true,
		Witness: &scenario.Witness{Authority: e.authority, Certificate: e.stage.certificate, Do: func(d scenario.Deed) error { return x.do(t, d) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, missed := range result.Missed {
		t.Errorf("line %d: %s does not hold", missed.Line, missed)
	}
}

// unneeded fails for the excuses that nothing asked for.
func (e *examination) unneeded(t *testing.T) {
	t.Helper()
	for question, causes := range e.excuses {
		for cause := range causes {
			if !e.used[question+": "+cause] {
				t.Errorf("testdata/questions.json: %s: %q excuses nothing", question, cause)
			}
		}
	}
}

// An examinee is Chromium at one question.
type examinee struct {
	*examination

	name string
	tabs map[string]*tab // by whose browser it is
}

// cause is why Chromium cannot do a step, or "".
func cause(d *scenario.Deed) string {
	switch {
	case d.Profile.Name() != "chromium":
		return "profile " + d.Profile.Name()
	case d.Waited > 0:
		return "wait"
	}
	return ""
}

// do does a step in Chromium and compares, unless there is an excuse.
func (x *examinee) do(t *testing.T, d scenario.Deed) error {
	t.Helper()
	if c := cause(&d); c != "" {
		if x.excuses[x.name][c] == "" {
			t.Errorf("line %d: %s: Chromium does not confirm this (%s), and testdata/questions.json has no reason", d.Line, d.Text, c)
		}
		x.used[x.name+": "+c] = true
		x.excused++
		return nil
	}
	x.relay.dial.Store(&d.Dial)
	p, ok := x.tabs[d.Who]
	if !ok {
		p = newTab(x.chromium, t, false)
		x.tabs[d.Who] = p
	}
	ctx, cancel := context.WithTimeout(p.ctx, visitTimeout)
	defer cancel()
	blocks := d.Profile.ThirdParty() == browser.ThirdPartyBlocked
	if _, err := chromedp.Call(ctx, network.SetCookieControls, network.SetCookieControlsParams{EnableThirdPartyCookieRestriction: blocks}); err != nil {
		return err
	}
	at := fmt.Sprintf("line %d: %s", d.Line, d.Text)
	switch {
	case d.Navigation != nil:
		n, err := p.repeat(ctx, t, d.Navigation)
		if err != nil {
			return err
		}
		compareVisits(t, at, d.Visit, n)
	case d.Page != nil:
		x.script(ctx, t, p, at, &d)
	default:
		return errors.New("Chromium does not know how to do this")
	}
	last := d.Visit.Last()
	if ours, theirs := describe(last.Cookies, time.Now()), describe(p.cookies(ctx, t), time.Now()); ours != theirs {
		t.Errorf("%s: stored\nLockstep: %s\nChromium: %s", at, ours, theirs)
	}
	x.confirmed++
	return nil
}

// script reads document.cookie, or assigns to it, in the document that Chromium shows.
func (x *examinee) script(ctx context.Context, t *testing.T, p *tab, at string, d *scenario.Deed) {
	t.Helper()
	if here := evaluateIn[string](ctx, t, "location.href"); here != d.Page.URL.String() {
		t.Errorf("%s: Chromium is at %s", at, here)
	}
	if d.Script != nil {
		evaluateIn[string](ctx, t, fmt.Sprintf("document.cookie = %q", *d.Script))
		return
	}
	var ours []string
	for _, v := range d.Visit.Last().All(rule.ReadCookie) {
		if v.Yes {
			ours = append(ours, v.Subject)
		}
	}
	if theirs := namesIn(evaluateIn[string](ctx, t, "document.cookie")); !slices.Equal(ours, theirs) {
		t.Errorf("%s: a script reads\nLockstep: %q\nChromium: %q", at, ours, theirs)
	}
}

// compareVisits compares hop by hop.
func compareVisits(t *testing.T, at string, ours trace.Visit, theirs *navigation) {
	t.Helper()
	loops := endsInLoop(ours)
	if loops && theirs.failed != "net::ERR_TOO_MANY_REDIRECTS" {
		t.Errorf("%s: Lockstep finds a loop, and Chromium says %q", at, theirs.failed)
	}
	told := theirs.told()
	if !sameWay(t, at, ours, told, loops) {
		return
	}
	told = slices.DeleteFunc(told, func(h toldHop) bool { return h.sent == nil }) // upgrades
	if len(told) < len(ours.Hops) {
		t.Errorf("%s: Chromium tells of %d hops, not of %d", at, len(told), len(ours.Hops))
		return
	}
	for i := range ours.Hops {
		compareHops(t, fmt.Sprintf("%s: hop %d", at, i+1), &ours.Hops[i], told[i])
	}
}

func endsInLoop(v trace.Visit) bool {
	last, ok := v.Last().Verdict(rule.FollowRedirect, "")
	return ok && slices.Contains(idsOf(last), "follow-loop")
}

// sameWay compares URLs and statuses, where an upgrade is a hop of its own. In a loop Chromium goes round
// some more. What a script may not read has no status for Chromium to tell.
func sameWay(t *testing.T, where string, ours trace.Visit, told []toldHop, loops bool) bool {
	t.Helper()
	var shown []string
	for _, h := range ourVisit(ours).hops {
		shown = append(shown, h.url+" "+h.status)
	}
	hops := max(len(shown), len(told))
	if loops {
		hops = len(shown)
	}
	for i := range hops {
		a, b := at(shown, i), hopOf(told, i)
		if a != b && (i >= len(ours.Hops) || b != ours.Hops[i].URL+" "+unread) {
			t.Errorf("%s: hop %d\nLockstep: %s\nChromium: %s", where, i+1, a, b)
			return false
		}
	}
	return true
}

func hopOf(all []toldHop, i int) string {
	if i < len(all) {
		return all[i].url + " " + all[i].status
	}
	return absent
}

// contextFields are the fields that say where a request comes from.
var contextFields = []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest"}

// compareHops compares a request and its answer.
func compareHops(t *testing.T, at string, ours *trace.Hop, theirs toldHop) {
	t.Helper()
	say := func(what string, a, b any) {
		t.Helper()
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: %s\nLockstep: %.500v\nChromium: %.500v", at, what, a, b)
		}
	}
	for _, name := range contextFields {
		value := ""
		for _, f := range ours.Sent {
			if f.Name == name {
				value = f.Value
			}
		}
		say(name, value, headerOf(theirs.sent.Headers, name))
	}
	sends := ours.All(rule.SendCookie)
	var sent []string
	for _, v := range sends {
		if v.Yes {
			sent = append(sent, v.Subject)
		}
	}
	say("cookies sent", fmt.Sprintf("%q", sent), fmt.Sprintf("%q", namesIn(headerOf(theirs.sent.Headers, "Cookie"))))
	a, b := keptByUs(sends), keptByThem(theirs.sent)
	for _, name := range slices.Sorted(maps.Keys(merged(a, b))) {
		if !sameReasons(a[name], b[name]) {
			say("kept back: "+name, a[name], b[name])
		}
	}
	stores, lines := ours.All(rule.StoreCookie), linesOf(theirs.received)
	if len(stores) != len(lines) {
		say("Set-Cookie lines", len(stores), len(lines))
		return
	}
	for i, v := range stores {
		if !saysOf(v, lines[i].reasons) || v.Subject != lines[i].name {
			say("Set-Cookie line", fmt.Sprint(v.Subject, " ", v.Yes, " ", idsOf(v)), fmt.Sprint(lines[i]))
		}
	}
}

// headerOf is the value of a field.
func headerOf(h network.Headers, name string) string {
	for field, value := range h {
		if strings.EqualFold(field, name) {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// namesIn are the names in a Cookie header, in order.
func namesIn(header string) []string {
	var names []string
	for pair := range strings.SplitSeq(header, "; ") {
		if name, _, _ := strings.Cut(pair, "="); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// A lineTold is a Set-Cookie line of which Chromium told, and the reasons for which it was refused.
type lineTold struct {
	name    string
	reasons []string
}

func linesOf(received *network.EventResponseReceivedExtraInfo) []lineTold {
	var all []lineTold
	text := headerOf(received.Headers, "Set-Cookie")
	if text == "" {
		return nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		pair, _, _ := strings.Cut(line, ";")
		name, _, found := strings.Cut(pair, "=")
		if !found {
			name = ""
		}
		told := lineTold{name: strings.TrimSpace(name)}
		for _, c := range received.BlockedCookies {
			if c.CookieLine == line {
				told.reasons = strings.Fields(words(c.BlockedReasons))
			}
		}
		all = append(all, told)
	}
	return all
}

// formFields are the fields of the body of a form.
func formFields(n *trace.Navigation) (url.Values, error) {
	if n.ContentType != "application/x-www-form-urlencoded" {
		return nil, fmt.Errorf("a body of %q", n.ContentType)
	}
	return url.ParseQuery(string(n.Body))
}
