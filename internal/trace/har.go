package trace

import (
	"cmp"
	"fmt"
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
	maxPlayedCookies = 2000      // cookies that it tells of one by one
	maxDifferences   = 1000      // differences that it names
	maxRedirections  = 1000      // redirects whose next request did not come yet
	maxCompared      = 2_000_000 // cookies of all requests, those by the recording and those by the rules
)

// ErrTooManyCookies says that a recording has more cookies than are compared.
var ErrTooManyCookies = fmt.Errorf("its requests have more than %d cookies, by the recording and by the rules together", maxCompared)

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

	Differences     []Difference // in the order in which they appeared
	Untold          []Difference // what may be none: the recording leaves open what decides
	MoreDifferences int          // of both
	Loops           []Loop       // of redirects
	NoneSent        bool         // no request carries a cookie, though answers set some
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

// A Difference is a cookie with which the recording does not do what the model does.
type Difference struct {
	Kind         DifferenceKind
	Cookie, Host string
	Rule         rule.ID // that decides in the model; "" when nothing keeps the cookie back
	Doubt        string  // of what is untold: what the recording does not tell
	Times        int
	First        time.Time // the first of the requests
	Method, URL  string
}

// Why is what most likely is behind a difference.
func (d Difference) Why() string {
	if d.Doubt != "" {
		return "The recording does not tell " + d.Doubt + ", and the cookie depends on it."
	}
	return fixes[d.Kind]
}

// PlayHAR shows the answers of a recording to b in the order in which they came, asks it about each
// request when it was made, and holds what it says against what the recording has. Each request is a
// visit, with a title that has its number, and goes to each as soon as its answer came; PlayHAR keeps
// none. snapshots says that the hops are to have what the browser holds.
func PlayHAR(log *har.Log, b *browser.Browser, snapshots bool, each func(Visit) error) (*Playback, error) {
	p := &player{
		browser: b, snapshots: snapshots, log: log, open: map[int]*asked{}, hosts: map[string]bool{}, cookies: map[[2]string]int{},
		documents: newDocuments(log), redirected: map[string]*redirection{},
		refused: map[[2]string]rule.ID{}, doubtful: map[[2]string]string{}, differences: map[Difference]int{}, before: map[[2]string]bool{},
		out: Playback{Recorder: recorder(log), Left: log.Left},
	}
	sent, set := log.HasCookies()
	p.out.NoneSent = set && !sent
	for _, ev := range events(log) {
		if !ev.answer {
			if p.ask(ev.entry); p.compared > maxCompared {
				return nil, fmt.Errorf("request %d: %w", p.out.Requests, ErrTooManyCookies)
			}
			continue
		}
		a := p.open[ev.entry]
		if a == nil {
			continue
		}
		delete(p.open, ev.entry)
		p.answer(ev.entry, a)
		if err := each(a.visit); err != nil {
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
// Browsers cut when a request began to milliseconds, and not how long it took: then an answer is put where
// it would stand if that were cut as well, or what it led to would come before it.
func events(log *har.Log) []event {
	cut := !slices.ContainsFunc(log.Entries, func(e har.Entry) bool { return e.Started.Nanosecond()%int(time.Millisecond) != 0 })
	all := make([]event, 0, 2*len(log.Entries))
	for i := range log.Entries {
		e := &log.Entries[i]
		answered := e.Started.Add(e.Taken)
		if cut {
			answered = answered.Truncate(time.Millisecond)
		}
		all = append(all, event{e.Started, i, false}, event{answered, i, true})
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.entry, b.entry)) })
	return all
}

// A player is the state of PlayHAR.
type player struct {
	browser   *browser.Browser
	snapshots bool
	log       *har.Log
	open      map[int]*asked // requests without their answer, by entry
	out       Playback

	documents  *documents
	redirected map[string]*redirection // by the URL that it leads to

	hosts       map[string]bool
	cookies     map[[2]string]int     // by site and name, where they are in out.Cookies
	refused     map[[2]string]rule.ID // the cookies of which no line was stored, and by which rule
	doubtful    map[[2]string]string  // the cookies of which the last line was read in a doubt, and which one
	before      map[[2]string]bool
	values      Values             // of the recording, which has them in memory anyway
	differences map[Difference]int // without Times and First, where they are in out.Differences
	compared    int                // cookies of requests so far

	held     []StoredCookie // the last snapshot, shared by hops between which nothing changed
	known    []KnownHost
	upToDate bool
}

// asked is a request that waits for its answer.
type asked struct {
	visit Visit
	site  string
	about []rule.Fact // where it comes from
	inference
	modelled []map[string][]string // what would go along with each of the others, by name; nil until it is asked for
}

// A redirection is an answer that led elsewhere.
type redirection struct {
	inference
	status   int
	location string
	so       chain
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
		f := p.infer(e, u)
		p.arrive(e, &f, f.before)
		return
	}
	p.out.Requests++
	p.span(e)
	if !p.hosts[u.Host] && len(p.hosts) < har.MaxEntries {
		p.hosts[u.Host] = true
		p.out.Hosts++
	}
	byItself := e.Received.First("Non-Authoritative-Reason") != ""
	a := &asked{site: siteOf(u), visit: Visit{Title: "request " + strconv.Itoa(p.out.Requests), Typed: u.Redacted(), Hops: []Hop{{
		At: e.Started, Method: cmp.Or(e.Method, http.MethodGet), URL: u.Redacted(), Left: !byItself,
	}}}, inference: inference{req: browser.Request{Method: e.Method, URL: u}}}
	p.open[i] = a
	hop := a.visit.Last()
	rec := hop.recorder(nil)
	if u.Scheme == "http" {
		p.browser.Upgrade(u, e.Started, rec)
	}
	if isPreflight(e) {
		return
	}
	a.inference = p.infer(e, u)
	a.about = a.facts()
	if a.req.Initiator != nil {
		a.visit.From = a.req.Initiator.URL.Redacted()
	}
	if byItself {
		return
	}
	field := strings.Join(e.Sent.Values("Cookie"), "; ")
	hop.Cookie, hop.Sent = shortenCookie(field), sentFields(e)
	if field == "" {
		hop.Cookie = ""
	}
	sent := cookie.ParseHeader(field)
	model := cookie.ParseHeader(p.browser.CookieHeader(a.req, e.Started, hop.recorder(a.about)))
	p.compared += len(sent) + len(hop.Verdicts)
	p.compare(e, a, sent, model)
	a.modelled = nil
	if field == "" && len(model) > 0 {
		a.without()
		a.about = a.facts()
	}
}

// recorder adds verdicts to the hop, with facts about where the request comes from.
func (h *Hop) recorder(about []rule.Fact) *rule.Recorder {
	return rule.NewRecorder(func(v rule.Verdict) {
		v.Facts = append(v.Facts, about...)
		h.Verdicts = append(h.Verdicts, v)
	})
}

// infer says where a request comes from: if an answer led to its URL, from where the first one came.
func (p *player) infer(e *har.Entry, u *url.URL) inference {
	if r := p.redirected[bareURL(u)]; r != nil {
		if next, ok := r.onward(r.status, r.location, e); ok {
			next.before = r.so
			delete(p.redirected, bareURL(u))
			return next
		}
	}
	return p.documents.infer(e, u)
}

// arrive remembers where an answer leads, with the requests so far, or the document that it is.
func (p *player) arrive(e *har.Entry, f *inference, so chain) {
	if location := e.Received.First("Location"); location != "" && e.Status/100 == 3 {
		p.redirect(e, f, location, so)
		return
	}
	if e.Status != 0 && (f.req.As == browser.AsNavigation || f.req.As == browser.AsIframe) {
		p.documents.add(e.Page, f)
	}
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
		if f.Name != "Cookie" && f.Name != "Content-Type" && f.Name != "Accept" {
			all = append(all, shortenField(Field{Name: f.Name, Value: f.Value}))
		}
	}
	return all
}

func siteOf(u *url.URL) string {
	host, err := cookie.CanonicalHost(u.Hostname())
	if err != nil {
		return u.Hostname()
	}
	return cookie.RegistrableDomain(host)
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

// answer ends the visit of an entry: what the browser makes of the answer.
func (p *player) answer(i int, a *asked) {
	e, hop := &p.log.Entries[i], a.visit.Last()
	at := e.Started.Add(e.Taken)
	if e.Status != 0 && hop.Left {
		p.take(e, a, at)
	}
	if !isPreflight(e) {
		p.arrive(e, &a.inference, a.before.and(p, a))
	}
	if p.snapshots && !p.upToDate {
		p.held, p.known = snapshot(p.browser, at)
		p.upToDate = true
	}
	hop.Cookies, hop.HSTS = p.held, p.known
}

func (p *player) take(e *har.Entry, a *asked, at time.Time) {
	u, hop := a.req.URL, a.visit.Last()
	rec := hop.recorder(nil)
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
	lines := e.Received.Values("Set-Cookie")
	if len(lines) > 0 {
		rec = hop.recorder(a.about)
	}
	for _, line := range lines[:min(len(lines), maxCookieLines)] {
		v := p.browser.StoreCookie(a.req, line, at, rec)
		p.upToDate = false
		key := [2]string{a.site, v.Subject}
		p.noteDoubt(key, a.inference.doubt)
		if v.Yes {
			delete(p.refused, key)
			p.told(a.site, v.Subject, func(c *PlayedCookie) { c.Stored = c.Stored.and(v.Rule) })
			continue
		}
		if v.Rule != deleteMissed && len(p.refused) < maxPlayedCookies {
			p.refused[key] = v.Rule
		}
		p.told(a.site, v.Subject, func(c *PlayedCookie) { c.Refused = c.Refused.and(v.Rule) })
	}
}

// noteDoubt remembers whether it is open if a cookie was stored.
func (p *player) noteDoubt(key [2]string, doubt string) {
	delete(p.doubtful, key)
	if doubt != "" && doubt != doubtPage && len(p.doubtful) < maxPlayedCookies {
		p.doubtful[key] = doubt
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

// HAR is the run as a recording. Cookie values are shortened, as everywhere in a Run. Where each request comes
// from is told as Chromium tells it.
func (r *Run) HAR() *har.Log {
	log := &har.Log{Pages: map[string]string{}}
	for i := range r.Visits {
		v := &r.Visits[i]
		page := "page_" + strconv.Itoa(i+1)
		log.Pages[page] = v.window()
		for j := range v.Hops {
			e := v.Hops[j].entry()
			e.Page, e.Kind, e.Parser = page, v.kind(), v.From
			if v.kind() == "fetch" { // a script asks, not the markup
				e.Parser = ""
			}
			if isPreflight(&e) {
				e.Kind = "preflight"
			}
			log.Entries = append(log.Entries, e)
		}
	}
	return log
}

// window is the URL that the window of a visit shows.
func (v Visit) window() string {
	if v.Context == nil || v.kind() == "document" && v.Context.As != string(browser.AsIframe) {
		return v.Typed
	}
	return cmp.Or(v.Context.Top, v.From, v.Typed)
}

// kind is Chromium's word for what the answer of a visit is for.
func (v Visit) kind() string {
	if v.Context == nil {
		return "document"
	}
	if slices.Contains([]browser.Destination{browser.AsFetch, browser.AsImage, browser.AsScript}, browser.Destination(v.Context.As)) {
		return v.Context.As
	}
	return "document"
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
