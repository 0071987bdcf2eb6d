package trace

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/rule"
)

// What a Playback keeps of a recording, however long it is.
const (
	maxPlayedCookies = 2000 // cookies that it tells of one by one
	maxDifferences   = 1000 // differences that it names
)

// A Playback is what there is to tell of a HAR as a whole, after a browser of ours has seen every answer
// and been asked about every request in it.
type Playback struct {
	Recorder    string // which program recorded, and in which browser
	Requests    int    // that left
	Local       int    // answers from a cache or a service worker: nothing left, and no cookie with it
	Left        int    // entries of other schemes
	Hosts       int
	First, Last time.Time

	Cookies     []PlayedCookie // in the order in which they appeared
	MoreCookies int
	Before      int // cookies that were sent and that no answer in the recording set
	Unjudged    int // times that a subresource of another site's page was asked for, about which the model says nothing

	Differences     []Difference // in the order in which they appeared
	MoreDifferences int
	NoneSent        bool // no request carries a cookie, though answers set some
}

// A PlayedCookie is what became of the cookies of one name on one site.
type PlayedCookie struct {
	Site, Name string
	Sent       int // requests that carry it, by the recording
	Stored     Tally
	Refused    Tally
	KeptBack   Tally
}

// A Tally counts by rule.
type Tally []Count

// A Count is how often a rule decided.
type Count struct {
	Rule  rule.ID
	Times int
}

// and is the tally with one time more.
func (t Tally) and(id rule.ID) Tally {
	for i := range t {
		if t[i].Rule == id {
			t[i].Times++
			return t
		}
	}
	return append(t, Count{id, 1})
}

// A DifferenceKind is in what way a recording does not have what the model has.
type DifferenceKind string

// The kinds of differences.
const (
	SentUnstored DifferenceKind = "sent, although the browser refuses to store it"
	SentKept     DifferenceKind = "sent, although a rule keeps it back"
	NotSent      DifferenceKind = "not sent, although nothing keeps it back"
	OtherValue   DifferenceKind = "sent with another value than the last that was stored"
)

// Why is what most likely is behind a difference.
func (k DifferenceKind) Why() string {
	switch k {
	case SentUnstored:
		return "The cookie that was sent was set otherwise: before the recording began, by a script, or by an answer that is not in it."
	case SentKept:
		return "The browser that was recorded follows another rule here, or sent a cookie of the same name that was there before the recording began."
	case NotSent:
		return "A script or another tab has deleted it, a script asked without credentials: \"include\", or the browser blocks cookies of third parties."
	case OtherValue:
		return "A script, another tab or an answer that is not in the recording has changed it."
	}
	return ""
}

// A Difference is a cookie with which the recording does not do what the model does.
type Difference struct {
	Kind         DifferenceKind
	Cookie, Host string
	Rule         rule.ID // that decides in the model; "" when nothing keeps the cookie back
	Times        int
	First        time.Time // the first of the requests
	Method, URL  string
}

// PlayHAR shows the answers of a recording to b in the order in which they came, asks it about each
// request when it was made, and holds what it says against what the recording has. Each request is a
// visit, with a title that has its number, and goes to each as soon as its answer came; PlayHAR keeps
// none. snapshots says that the hops are to have what the browser holds.
func PlayHAR(log *har.Log, b *browser.Browser, snapshots bool, each func(Visit) error) (*Playback, error) {
	p := &player{
		browser: b, snapshots: snapshots, log: log, open: map[int]*Visit{}, hosts: map[string]bool{}, cookies: map[[2]string]int{},
		refused: map[[2]string]rule.ID{}, differences: map[Difference]int{}, before: map[[2]string]bool{},
		out: Playback{Recorder: recorder(log), Left: log.Left},
	}
	sent, set := log.HasCookies()
	p.out.NoneSent = set && !sent
	for _, ev := range events(log) {
		if !ev.answer {
			p.ask(ev.entry)
			continue
		}
		v := p.open[ev.entry]
		if v == nil {
			continue
		}
		delete(p.open, ev.entry)
		p.answer(ev.entry, v.Last())
		if err := each(*v); err != nil {
			return nil, err
		}
	}
	return &p.out, nil
}

func recorder(log *har.Log) string {
	if log.Browser != "" && log.Browser != log.Creator {
		return strings.TrimPrefix(log.Creator+" in "+log.Browser, " in ")
	}
	return log.Creator
}

// An event is a request that leaves or an answer that arrives.
type event struct {
	at     time.Time
	entry  int
	answer bool
}

// events puts a recording into the order of time. Of what happens at one time, entries keep their order.
func events(log *har.Log) []event {
	all := make([]event, 0, 2*len(log.Entries))
	for i := range log.Entries {
		e := &log.Entries[i]
		all = append(all, event{e.Started, i, false}, event{e.Started.Add(e.Taken), i, true})
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.entry, b.entry)) })
	return all
}

// A player is the state of PlayHAR.
type player struct {
	browser   *browser.Browser
	snapshots bool
	log       *har.Log
	open      map[int]*Visit // requests without their answer, by entry
	out       Playback

	hosts       map[string]bool
	cookies     map[[2]string]int     // by site and name, where they are in out.Cookies
	refused     map[[2]string]rule.ID // the cookies of which no line was stored, and by which rule
	before      map[[2]string]bool
	values      Values             // of the recording, which has them in memory anyway
	differences map[Difference]int // without Times and First, where they are in out.Differences

	held     []StoredCookie // the last snapshot, shared by hops between which nothing changed
	known    []KnownHost
	upToDate bool
}

// ask begins the visit of an entry: what goes along with the request, by the model and by the recording.
func (p *player) ask(i int) {
	e := &p.log.Entries[i]
	u, err := url.Parse(e.URL)
	if err != nil || u.Hostname() == "" {
		p.out.Left++
		return
	}
	if e.Local {
		p.out.Local++
		return
	}
	p.out.Requests++
	p.span(e)
	if !p.hosts[u.Host] && len(p.hosts) < har.MaxEntries {
		p.hosts[u.Host] = true
		p.out.Hosts++
	}
	redirected := e.Received.First("Non-Authoritative-Reason") != ""
	v := &Visit{Title: "request " + strconv.Itoa(p.out.Requests), Typed: u.Redacted(), Hops: []Hop{{
		At: e.Started, Method: cmp.Or(e.Method, http.MethodGet), URL: u.Redacted(), Left: !redirected,
	}}}
	p.open[i] = v
	hop := v.Last()
	rec := rule.NewRecorder(func(v rule.Verdict) { hop.Verdicts = append(hop.Verdicts, v) })
	if u.Scheme == "http" {
		p.browser.Upgrade(u, e.Started, rec)
	}
	if redirected || isPreflight(e) {
		return
	}
	field := strings.Join(e.Sent.Values("Cookie"), "; ")
	hop.Cookie, hop.Sent = shortenCookie(field), sentFields(e)
	if field == "" {
		hop.Cookie = ""
	}
	from, judged := initiatorOf(e, u)
	if from != nil {
		v.From = from.URL.Redacted()
	}
	model := cookie.ParseHeader(p.browser.CookieHeader(browser.Request{Method: e.Method, URL: u, Initiator: from}, e.Started, rec))
	if !judged {
		model = p.leaveOut(hop, model)
	}
	p.compare(e, u, hop, cookie.ParseHeader(field), model)
}

func (p *player) span(e *har.Entry) {
	if p.out.First.IsZero() {
		p.out.First = e.Started
	}
	if end := e.Started.Add(e.Taken); end.After(p.out.Last) {
		p.out.Last = end
	}
}

// isPreflight reports whether the browser asks on its own, without cookies, whether a script may ask.
func isPreflight(e *har.Entry) bool {
	return e.Kind == "preflight" || e.Method == http.MethodOptions && e.Sent.First("Origin") != ""
}

func sentFields(e *har.Entry) []Field {
	var all []Field
	for _, f := range e.Sent {
		if f.Name != "Cookie" && f.Name != "Content-Type" {
			all = append(all, shortenField(Field{Name: f.Name, Value: f.Value}))
		}
	}
	return all
}

// initiatorOf returns the page that led to a request, nil for none, as far as the header tells. judged is
// false for what the model does not know yet: what a page of another site embeds or its scripts ask for.
func initiatorOf(e *har.Entry, u *url.URL) (from *browser.Document, judged bool) {
	mode, dest := e.Sent.First("Sec-Fetch-Mode"), e.Sent.First("Sec-Fetch-Dest")
	visit := mode == "navigate" && dest != "iframe" && dest != "frame" || mode == "" && (e.Kind == "" || e.Kind == "document")
	page, err := url.Parse(cmp.Or(e.Sent.First("Referer"), e.Sent.First("Origin")))
	if err == nil && page.Hostname() != "" {
		from = &browser.Document{URL: page}
	}
	crossSite := from != nil && !(page.Scheme == u.Scheme && siteOf(page) == siteOf(u))
	switch e.Sent.First("Sec-Fetch-Site") {
	case "cross-site":
		if !crossSite { // the page keeps to itself which one it is
			from = &browser.Document{URL: &url.URL{Scheme: "about", Opaque: "blank"}}
		}
		crossSite = true
	case "none", "same-origin", "same-site":
		if crossSite {
			from = nil
		}
		crossSite = false
	}
	return from, visit || !crossSite
}

func siteOf(u *url.URL) string {
	host, err := cookie.CanonicalHost(u.Hostname())
	if err != nil {
		return u.Hostname()
	}
	return cookie.RegistrableDomain(host)
}

// leaveOut takes out of a hop, and returns the pairs without, what the model would send only because it
// takes the request for a visit.
func (p *player) leaveOut(hop *Hop, model []cookie.Pair) []cookie.Pair {
	unknown := map[string]bool{}
	hop.Verdicts = slices.DeleteFunc(hop.Verdicts, func(v rule.Verdict) bool {
		flag, _ := v.Fact("same-site-flag")
		if v.Question != rule.SendCookie || !v.Yes || flag == cookie.SameSiteNone.String() {
			return false
		}
		unknown[v.Subject] = true
		p.out.Unjudged++
		return true
	})
	return slices.DeleteFunc(model, func(c cookie.Pair) bool { return unknown[c.Name] })
}

// compare holds the cookies that the recording has against those of the model, name by name.
func (p *player) compare(e *har.Entry, u *url.URL, hop *Hop, sent, model []cookie.Pair) {
	site := siteOf(u)
	for _, name := range namesOf(sent) {
		p.told(site, name, func(c *PlayedCookie) { c.Sent++ })
		want, got := valuesOf(model, name), valuesOf(sent, name)
		switch {
		case want == nil:
			p.unexpected(e, u, hop, site, name)
		case !slices.ContainsFunc(got, func(v string) bool { return slices.Contains(want, v) }):
			p.differ(e, u, OtherValue, name, "")
		}
	}
	for _, v := range hop.All(rule.SendCookie) {
		if !v.Yes {
			p.told(site, v.Subject, func(c *PlayedCookie) { c.KeptBack = c.KeptBack.and(v.Rule) })
		}
	}
	if p.out.NoneSent || e.Status == 0 {
		return
	}
	for _, name := range namesOf(model) {
		if valuesOf(sent, name) == nil {
			p.differ(e, u, NotSent, name, "")
		}
	}
}

// unexpected is about a cookie that was sent and that the model would not send.
func (p *player) unexpected(e *har.Entry, u *url.URL, hop *Hop, site, name string) {
	key := [2]string{site, name}
	if v, ok := hop.Verdict(rule.SendCookie, name); ok && !v.Yes {
		p.differ(e, u, SentKept, name, v.Rule)
	} else if id := p.refused[key]; id != "" {
		p.differ(e, u, SentUnstored, name, id)
	} else if !p.before[key] && len(p.before) < maxPlayedCookies {
		p.before[key] = true
		p.out.Before++
	}
}

func namesOf(pairs []cookie.Pair) []string {
	var names []string
	for _, c := range pairs {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

func valuesOf(pairs []cookie.Pair, name string) []string {
	var values []string
	for _, c := range pairs {
		if c.Name == name {
			values = append(values, c.Value)
		}
	}
	return values
}

// told changes what there is to tell of a cookie, unless there are too many.
func (p *player) told(site, name string, change func(*PlayedCookie)) {
	key := [2]string{site, name}
	i, ok := p.cookies[key]
	if !ok {
		if len(p.out.Cookies) >= maxPlayedCookies {
			p.out.MoreCookies++
			return
		}
		i = len(p.out.Cookies)
		p.cookies[key] = i
		p.out.Cookies = append(p.out.Cookies, PlayedCookie{Site: site, Name: name})
	}
	change(&p.out.Cookies[i])
}

// differ names a difference, or counts one that is named already.
func (p *player) differ(e *har.Entry, u *url.URL, kind DifferenceKind, name string, id rule.ID) {
	key := Difference{Kind: kind, Cookie: name, Host: u.Host, Rule: id}
	if i, ok := p.differences[key]; ok {
		p.out.Differences[i].Times++
		return
	}
	if len(p.out.Differences) >= maxDifferences {
		p.out.MoreDifferences++
		return
	}
	p.differences[key] = len(p.out.Differences)
	d := key
	d.Times, d.First, d.Method, d.URL = 1, e.Started, cmp.Or(e.Method, http.MethodGet), u.Redacted()
	p.out.Differences = append(p.out.Differences, d)
}

// answer ends the visit of an entry: what the browser makes of the answer.
func (p *player) answer(i int, hop *Hop) {
	e := &p.log.Entries[i]
	u, _ := url.Parse(e.URL) // ask has read it
	at := e.Started.Add(e.Taken)
	rec := rule.NewRecorder(func(v rule.Verdict) { hop.Verdicts = append(hop.Verdicts, v) })
	if e.Status != 0 && hop.Left {
		p.take(e, u, hop, at, rec)
	}
	if p.snapshots && !p.upToDate {
		p.held, p.known = snapshot(p.browser, at)
		p.upToDate = true
	}
	hop.Cookies, hop.HSTS = p.held, p.known
}

func (p *player) take(e *har.Entry, u *url.URL, hop *Hop, at time.Time, rec *rule.Recorder) {
	hop.Response = &Response{Status: e.Status}
	for _, f := range e.Received {
		shown := shortenField(Field{Name: f.Name, Value: f.Value})
		if f.Name == "Set-Cookie" {
			shown.Number = p.values.number(cookie.Parse(f.Value))
		}
		hop.Response.Fields = append(hop.Response.Fields, shown)
	}
	rec.Record(observe(hop.URL, e.Status, e.Received.First("Location")))
	if fields := e.Received.Values("Strict-Transport-Security"); len(fields) > 0 {
		p.browser.StoreHSTS(u, fields, true, at, rec)
		p.upToDate = false
	}
	site := siteOf(u)
	lines := e.Received.Values("Set-Cookie")
	for _, line := range lines[:min(len(lines), maxCookieLines)] {
		v := p.browser.StoreCookie(browser.Request{Method: e.Method, URL: u}, line, at, rec)
		p.upToDate = false
		key := [2]string{site, v.Subject}
		if v.Yes {
			delete(p.refused, key)
			p.told(site, v.Subject, func(c *PlayedCookie) { c.Stored = c.Stored.and(v.Rule) })
			continue
		}
		if v.Rule != deleteMissed && len(p.refused) < maxPlayedCookies {
			p.refused[key] = v.Rule
		}
		p.told(site, v.Subject, func(c *PlayedCookie) { c.Refused = c.Refused.and(v.Rule) })
	}
}

// deleteMissed decides about a line that was to delete a cookie which is not stored; one from before the
// recording may well have been there.
const deleteMissed = rule.ID("store-delete-missed")

// AboutCookies reports whether there is anything to tell of cookies in a visit.
func (v Visit) AboutCookies() bool {
	return slices.ContainsFunc(v.Hops, func(h Hop) bool {
		return h.Cookie != "" || slices.ContainsFunc(h.Verdicts, func(v rule.Verdict) bool {
			return v.Question == rule.StoreCookie || v.Question == rule.SendCookie
		})
	})
}

// HAR is the run as a recording. Cookie values are shortened, as everywhere in a Run.
func (r *Run) HAR() *har.Log {
	log := &har.Log{}
	for i := range r.Visits {
		for j := range r.Visits[i].Hops {
			log.Entries = append(log.Entries, r.Visits[i].Hops[j].entry())
		}
	}
	return log
}

func (h *Hop) entry() har.Entry {
	e := har.Entry{Started: h.At, Method: h.Method, URL: h.URL}
	for _, f := range h.Sent {
		e.Sent = append(e.Sent, har.Field{Name: f.Name, Value: f.Value})
	}
	if h.Cookie != "" {
		e.Sent = append(e.Sent, har.Field{Name: "Cookie", Value: h.Cookie})
	}
	if h.Response != nil {
		e.Status = h.Response.Status
		for _, f := range h.Response.Fields {
			e.Received = append(e.Received, har.Field{Name: f.Name, Value: f.Value})
		}
	}
	return e
}
