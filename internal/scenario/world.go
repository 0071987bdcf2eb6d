package scenario

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/settings"
)

// The moment at which a run over a pipe starts, so that its output is the same at every run.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A world is what a scenario runs in: a site behind the Guard, a network, a browser and a clock.
type world struct {
	ctx      context.Context //nolint:containedctx // a world lives as long as one run
	base     lockstep.Settings
	changes  []string // settings, as assigned so far
	fixed    []string // settings that hold whatever is assigned
	app      *site.App
	accounts *site.Accounts  // of the site that was opened; nil: the app answers
	guard    *lockstep.Guard // nil: to be built from the settings before the next visit
	store    fallible
	started  time.Time
	passed   time.Duration // what the scenario has waited
	sockets  bool          // real time and real sockets

	path      string // the condition of the network whatever the scenario says; "": as it says
	start     string // the scheme of the first visit that is typed; "": as it stands
	before    string // what stands before the site whatever the scenario says; "": as it says
	network   condition
	addresses map[string]netip.Addr // of hosts, where it matters
	proxy     atomic.Pointer[proxy] // nil: the site is asked directly
	foreign   bool
	header    http.Header       // of the next visit
	title     string            // of the next visit, in an act
	then      string            // and of its part over https
	from      *browser.Document // where the next visit comes from; nil: typed
	page      *trace.Document   // where the last one ended

	mu     sync.Mutex
	forged map[string]forgery // by URL: where somebody else answers; under mu, since the server asks
	taps   []*tap             // the connections of the visit that is being made
	heard  map[string]heard   // by the name of a cookie, what went over such a connection in clear

	authority *cert.Authority
	kept      []tls.Certificate // that the site has already
	handler   atomic.Pointer[http.Handler]
	watch     trace.Watch
	values    trace.Values
	browsers  map[string]*browser.Browser
	browser   *browser.Browser                     // one of them: the person's is called ""
	profile   browser.Profile                      // of those that nothing else is said about
	one       bool                                 // all have it, whatever else is said
	who       string                               // whose it is
	pages     map[*browser.Browser]*trace.Document // that the others show
	closers   []func()
	dialers   map[certificate]func(ctx context.Context) (net.Conn, error)

	line     int    // of the command that is being run
	text     string // that command
	witness  *Witness
	deed     Deed // what the command has its browser do
	run      trace.Run
	skipped  []trace.Skipped
	outcomes []Outcome
}

func newWorld(ctx context.Context, o Options) (*world, error) {
	w := &world{
		ctx: ctx, base: o.Settings, fixed: o.Set, sockets: o.Sockets, profile: o.Profile, one: o.OneProfile, started: epoch,
		start: o.Start, before: o.Proxy, path: o.Network,
		witness:   o.Witness,
		app:       &site.App{Default: site.Page{Do: site.Counter}},
		store:     fallible{Store: &session.Memory{}},
		header:    http.Header{},
		network:   conditions["ok"],
		addresses: map[string]netip.Addr{},
		browsers:  map[string]*browser.Browser{}, pages: map[*browser.Browser]*trace.Document{},
		dialers: map[certificate]func(context.Context) (net.Conn, error){},
		forged:  map[string]forgery{}, heard: map[string]heard{},
	}
	if o.Sockets {
		w.started = time.Now()
	}
	w.as("")
	if o.Proxy != "" && o.Proxy != NoProxy {
		w.proxy.Store(&proxy{o.Proxy, "http", "https"})
	}
	w.app.Beside = func(r *http.Request) { (*w.handler.Load()).ServeHTTP(&unread{header: http.Header{}}, r) }
	if o.Network != "" {
		condition, ok := conditions[o.Network]
		if !ok {
			return w, fmt.Errorf("no network condition %q: there are %s", o.Network, strings.Join(conditionNames(), ", "))
		}
		w.network = condition
	}
	if o.Witness != nil {
		w.authority, w.kept = o.Witness.Authority, []tls.Certificate{o.Witness.Certificate}
		return w, nil
	}
	var err error
	w.authority, err = cert.NewAuthority(w.now())
	return w, err
}

// now is the one clock of both sides.
func (w *world) now() time.Time {
	if w.sockets {
		return time.Now().Add(w.passed)
	}
	return w.started.Add(w.passed)
}

func (w *world) close() {
	for _, c := range slices.Backward(w.closers) {
		c()
	}
}

// set changes a setting from here on; a wrong one is reported at once.
func (w *world) set(assignment string) error {
	w.changes, w.guard = append(w.changes, assignment), nil
	_, err := w.settings()
	return err
}

// settings are those of the moment.
func (w *world) settings() (lockstep.Settings, error) {
	s, _, err := settings.Load(w.base, settings.Assignments(w.changes, "scenario"), settings.Assignments(w.fixed, "--set"))
	return s, err
}

func (w *world) visit(method, target string) error {
	if w.from == nil && len(w.run.Visits) == 0 {
		target = w.typed(target)
	}
	return w.request(w.next(trace.Navigation{Method: method, URL: target}))
}

// request makes the one request that a command asks for, and those that its redirects lead to.
func (w *world) request(n trace.Navigation) error {
	w.deed.Navigation = &n
	return w.navigate(func(c *trace.Client) (trace.Visit, error) { return c.Navigate(w.ctx, n) })
}

// typed is the URL of the first visit, under the scheme with which it is to begin.
func (w *world) typed(target string) string {
	_, rest, found := strings.Cut(target, "://")
	if w.start == "" || !found {
		return target
	}
	return w.start + "://" + rest
}

// post sends a form that stands in another page.
func (w *world) post(target string, values [][2]string) error {
	kind, body := form.Encode(values)
	return w.request(w.next(trace.Navigation{URL: target, ContentType: kind, Body: body}))
}

// around puts the page of from, and what is around that already, into a frame of the one at u.
func (w *world) around(u *url.URL) error {
	d := w.from
	if d == nil {
		return errors.New("no from names the page that is the frame")
	}
	for d.Parent != nil {
		d = d.Parent
	}
	d.Parent = &browser.Document{URL: u}
	return nil
}

// load asks for what the page of from needs.
func (w *world) load(n trace.Navigation) error {
	if w.from == nil {
		return errors.New("no from names the page that needs this")
	}
	return w.request(w.next(n))
}

// script reads document.cookie, or writes it when line is not nil.
func (w *world) script(line *string) error {
	d := w.from
	switch {
	case d != nil:
	case w.page != nil:
		d = &w.page.Document
	default:
		return errors.New("no page was visited and no from names one, so there is no script")
	}
	w.from = nil
	w.deed.Page, w.deed.Script = d, line
	return w.navigate(func(c *trace.Client) (trace.Visit, error) { return c.Script(d, line), nil })
}

// submit fills in the form of the page last visited whose action has the path, or the only one when path
// is "", and sends it.
func (w *world) submit(path string, values [][2]string) error {
	f, err := w.formAt(path)
	if err != nil {
		return err
	}
	for _, v := range values {
		if err := f.Set(v[0], v[1]); err != nil {
			return err
		}
	}
	return w.navigate(func(c *trace.Client) (trace.Visit, error) {
		return c.Submit(w.ctx, f, w.next(trace.Navigation{}).Header)
	})
}

func (w *world) formAt(path string) (*form.Form, error) {
	if w.page == nil {
		return nil, &absentError{"no page was visited, so there is no form"}
	}
	var found []*form.Form
	for _, f := range w.page.Forms {
		if u, err := f.Action(); path == "" || err == nil && u.Path == path {
			found = append(found, f)
		}
	}
	if len(found) == 0 && path != "" {
		return nil, &absentError{fmt.Sprintf("the page %s has no form for %s", w.page.URL.Redacted(), path)}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("the page %s has %d such forms, and one is wanted; submit PATH names the one with that action", w.page.URL.Redacted(), len(found))
	}
	return found[0], nil
}

// next completes a navigation with what was said about the next one only.
func (w *world) next(n trace.Navigation) trace.Navigation {
	n.Header, n.Initiator = w.header, w.from
	w.header, w.from = http.Header{}, nil
	return n
}

func (w *world) navigate(do func(*trace.Client) (trace.Visit, error)) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	v, err := do(client)
	w.page = client.Document
	v.Title, v.Then, v.As = w.title, w.then, w.who
	w.title, w.then = "", ""
	if len(v.Hops) > 0 {
		w.add(v)
	}
	if err != nil {
		return err
	}
	return w.witnessed(v)
}

// add makes visits a part of the run, with what somebody on the path had of them.
func (w *world) add(visits ...trace.Visit) {
	w.listenIn()
	for i := range visits {
		if w.network.strips {
			markStripped(&visits[i])
		}
	}
	w.run.Visits = append(w.run.Visits, visits...)
}

func (w *world) login(page string, as form.Credentials) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	visits, err := client.Login(w.ctx, page, as)
	w.page = client.Document
	w.add(visits...)
	if err != nil {
		return err
	}
	return w.witnessed(visits[len(visits)-1])
}

func (w *world) lesson(target string) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	visits := client.Lesson
	if w.start == "https" {
		visits = client.LessonOverHTTPS
	}
	run, err := visits(w.ctx, target)
	w.page = client.Document
	w.add(run.Visits...)
	if err != nil {
		return err
	}
	return w.witnessed(run.Visits[len(run.Visits)-1])
}

// recording plays the visits of the present browser as a recording to a new one of its profile. The last
// request is recorded without the cookie of a name, and with a pair in its place.
func (w *world) recording(name, pair string) error {
	run := trace.Run{Visits: slices.DeleteFunc(slices.Clone(w.run.Visits), func(v trace.Visit) bool { return v.As != w.who })}
	if len(run.Visits) == 0 {
		return errors.New("nothing was visited that could be recorded")
	}
	log := run.HAR()
	if name != "" {
		log.Entries[len(log.Entries)-1].SetCookie(name, pair)
	}
	_, err := trace.PlayHAR(log, &browser.Browser{Profile: w.browser.Profile}, true, func(v trace.Visit) error {
		w.run.Visits = append(w.run.Visits, v)
		return nil
	})
	return err
}

// as goes on with the browser of a name, which has nothing in it at first.
func (w *world) as(name string) {
	if w.browsers[name] == nil {
		w.browsers[name] = &browser.Browser{Profile: w.profile}
	}
	w.pages[w.browser] = w.page
	w.browser, w.who = w.browsers[name], name
	w.page = w.pages[w.browser]
}

// An absentError is that what a command needs is not there, which may be what a setting does.
type absentError struct{ what string }

func (e *absentError) Error() string { return e.what }

// passOver goes on without the command that needed what is not there. If it was a step, that is told.
func (w *world) passOver(e *absentError) {
	if w.title != "" {
		w.skipped = append(w.skipped, trace.Skipped{Before: len(w.run.Visits), Title: w.title, As: w.who, Why: e.what})
	}
	w.title, w.then = "", ""
}

// steal puts a cookie of the person's browser into the present one, that of the session when name is "".
func (w *world) steal(name string) error {
	if name == "" {
		s, err := w.settings()
		if err != nil {
			return err
		}
		name = s.SessionCookieName
	}
	for _, c := range w.browsers[""].Cookies(w.now()) {
		if c.Name() != name {
			continue
		}
		u := &url.URL{Scheme: "https", Host: c.Domain(), Path: c.Path()}
		line := fmt.Sprintf("%s=%s; Path=%s; Secure", name, c.Value(), c.Path())
		if v := w.browser.StoreCookie(browser.Request{URL: u}, line, w.now(), nil); !v.Yes {
			return fmt.Errorf("the cookie cannot be stored: %s", v.Rule)
		}
		return nil
	}
	return &absentError{"the person's browser has no cookie " + name}
}

func (w *world) expect(e Expectation) {
	e.Line = w.line
	v, ok := find(w.run, e.Rule, e.Subject)
	w.outcomes = append(w.outcomes, Outcome{Expectation: e, Visits: len(w.run.Visits), Holds: ok, Verdict: v})
}

// missed are the expectations that did not hold.
func (w *world) missed() (all []Expectation) {
	for _, o := range w.outcomes {
		if !o.Holds {
			all = append(all, o.Expectation)
		}
	}
	return all
}

// client returns the browser's way to the site as the settings and the network are now.
func (w *world) client() (*trace.Client, error) {
	if err := w.serve(); err != nil {
		return nil, err
	}
	c := &trace.Client{
		Browser: w.browser, Dial: w.dial, Roots: w.authority.Pool(), Insecure: w.network.insecure,
		Now: w.now, Timeout: w.network.timeout, Document: w.page, Values: &w.values,
	}
	if w.network.certificate == unknown {
		c.Roots = x509.NewCertPool()
	}
	if !w.foreign {
		c.Watch = &w.watch
	}
	return c, nil
}

// serve builds the Guard, if the settings have changed, and puts it in front of the app.
func (w *world) serve() error {
	if w.guard != nil {
		return nil
	}
	s, err := w.settings()
	if err != nil {
		return err
	}
	w.guard, err = lockstep.New(s, lockstep.Options{Sessions: w.sessions(s), Now: w.now})
	if err != nil {
		return err
	}
	guarded := w.front(s.SessionCookieName)
	w.handler.Store(&guarded)
	return nil
}

// sessions is the world's store, unless the settings keep sessions in the cookie.
func (w *world) sessions(s lockstep.Settings) session.Store {
	if s.SessionEngine == "django.contrib.sessions.backends.signed_cookies" {
		return nil
	}
	return &w.store
}

// A fallible store fails when it is told to.
type fallible struct {
	session.Store
	failed bool
}

var errStore = errors.New("the scenario says that the store fails")

// Load implements [session.Store].
func (f *fallible) Load(ctx context.Context, key string) (session.Record, error) {
	if f.failed {
		return session.Record{}, errStore
	}
	return f.Store.Load(ctx, key)
}

// Save implements [session.Store].
func (f *fallible) Save(ctx context.Context, key string, old, next session.Record) error {
	if f.failed {
		return errStore
	}
	return f.Store.Save(ctx, key, old, next)
}

// Delete implements [session.Store].
func (f *fallible) Delete(ctx context.Context, key string) error {
	if f.failed {
		return errStore
	}
	return f.Store.Delete(ctx, key)
}

// dial leads every address to the site, under the present condition of the network.
func (w *world) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if w.network.dial != nil {
		return w.network.dial(ctx, addr)
	}
	if _, port, _ := net.SplitHostPort(addr); port == w.network.refuses {
		return nil, errRefused
	}
	if a, ok := w.addressOf(addr); ok {
		if err := trace.CheckAddress(ctx, a); err != nil {
			return nil, err
		}
	}
	dial, err := w.dialer(w.network.certificate)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(addr)
	if w.network.strips {
		conn = w.strip(ctx, host, conn)
	}
	if w.who != "" { // nobody has to listen to himself
		return conn, nil
	}
	t := &tap{Conn: conn, host: host}
	w.taps = append(w.taps, t)
	return t, nil
}

// addressOf is the address that a host and port mean, where the scenario or the host itself says so.
func (w *world) addressOf(hostport string) (netip.Addr, bool) {
	name, _, _ := net.SplitHostPort(hostport)
	if a, ok := w.addresses[name]; ok {
		return a, true
	}
	a, err := netip.ParseAddr(name)
	return a, err == nil
}

// dialer starts the server that shows the kind of certificate, once.
func (w *world) dialer(kind certificate) (func(context.Context) (net.Conn, error), error) {
	if d, ok := w.dialers[kind]; ok {
		return d, nil
	}
	l, dial, err := w.listen()
	if err != nil {
		return nil, err
	}
	config := w.authority.ServerConfig(w.now, w.kept...)
	if kind == expired {
		config = w.authority.ExpiredConfig(w.now)
	}
	server := &http.Server{
		Handler:           w.watch.Handler(http.HandlerFunc(w.answer)),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // what goes wrong is seen by the browser
		ConnState:         w.watch.ConnState,
	}
	go func() { _ = server.Serve(listen.Both(l, config)) }() // ends with close
	w.closers = append(w.closers, func() { server.Close() })
	w.dialers[kind] = dial
	return dial, nil
}

func (w *world) listen() (net.Listener, func(context.Context) (net.Conn, error), error) {
	if !w.sockets {
		l := listen.Pipe()
		return l, l.Dial, nil
	}
	var (
		lc net.ListenConfig
		d  net.Dialer
	)
	l, err := lc.Listen(w.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listening on loopback: %w", err)
	}
	return l, func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", l.Addr().String()) }, nil
}

// answer hands a request to the Guard of the moment. A pipe has no addresses of its own: what comes
// through it comes from loopback.
func (w *world) answer(rw http.ResponseWriter, r *http.Request) {
	if !w.sockets {
		r.RemoteAddr = "127.0.0.1:1024"
	}
	if w.answerForged(rw, r) {
		return
	}
	if p := w.proxy.Load(); p != nil {
		p.handOn(r)
	}
	(*w.handler.Load()).ServeHTTP(rw, r)
}

// A proxy ends TLS before the site, and says in a header by which scheme it was asked.
type proxy struct{ header, http, https string }

// handOn makes of a request to the proxy the one that the site gets from it.
func (p *proxy) handOn(r *http.Request) {
	scheme := p.http
	if r.TLS != nil {
		scheme = p.https
	}
	r.TLS = nil
	r.Header.Set(p.header, scheme)
}

// unread is the answer to a request that nobody reads.
type unread struct{ header http.Header }

// Header implements [http.ResponseWriter].
func (u *unread) Header() http.Header { return u.header }

// Write implements [http.ResponseWriter].
func (u *unread) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements [http.ResponseWriter].
func (u *unread) WriteHeader(int) {}

// LessonSettings are the settings of the lesson: Django's defaults and SECURE_SSL_REDIRECT,
// SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE. The key is made for this process; hosts are those
// that may be asked for.
func LessonSettings(hosts ...string) lockstep.Settings {
	s := lockstep.DjangoDefaults("6.1")
	s.SecretKey = rand.Text() + rand.Text()
	s.AllowedHosts = hosts
	s.SecureSSLRedirect = true
	s.SessionCookieSecure = true
	s.CSRFCookieSecure = true
	return s
}

// An Outcome is what became of an expectation.
type Outcome struct {
	Expectation
	Visits  int // that had been made by then
	Holds   bool
	Verdict rule.Verdict // by which it holds
}

// A Result is what a scenario brought.
type Result struct {
	Run      trace.Run
	Outcomes []Outcome       // what became of the expectations
	Missed   []Expectation   // those that did not hold
	Skipped  []trace.Skipped // the steps that were passed over

	Settings lockstep.Settings // those in the end
}

// Options are how a scenario is run. The zero value runs it over in-memory connections, from the
// same moment every time, with every host allowed.
type Options struct {
	Settings lockstep.Settings // zero: those of the lesson, ALLOWED_HOSTS=['*']
	Set      []string          // assignments that hold whatever the scenario sets
	Sockets  bool              // real sockets on loopback and the real clock
	Profile  browser.Profile   // of the browsers, until the scenario says otherwise
	Witness  *Witness          // wants Sockets; nil: none

	// OneProfile has the browsers keep Profile throughout. Of what the scenario says about profiles only
	// the policy about third parties counts, which is a person's choice in every browser.
	OneProfile bool

	Start string // http or https: the scheme of the first URL that is typed, whatever the scenario says
	Proxy string // the header of a proxy that ends TLS before the site, or NoProxy, whatever the scenario says

	Network string // the condition of the network, whatever the scenario says

	// PassOver goes on where a form or a cookie is not there, as under settings by which nobody gets as
	// far as that.
	PassOver bool
}

// NoProxy is for Options.Proxy: the site is asked directly.
const NoProxy = "none"

// Do runs the scenario. The error says which line could not be run and why; what the two sides
// decided is never an error.
func (s *Scenario) Do(ctx context.Context, o Options) (Result, error) {
	if o.Settings.SecretKey == "" {
		o.Settings = LessonSettings("*")
	}
	w, err := newWorld(ctx, o)
	if err != nil {
		return Result{}, err
	}
	defer w.close()
	for _, c := range s.commands {
		w.line, w.text = c.line, c.text
		err := c.do(w)
		if absent, ok := errors.AsType[*absentError](err); ok && o.PassOver {
			w.passOver(absent)
			continue
		}
		if err != nil {
			return Result{Run: w.run, Outcomes: w.outcomes, Missed: w.missed()}, fmt.Errorf("running line %d of a scenario, %q: %w", c.line, c.text, err)
		}
	}
	if len(w.run.Visits) == 0 {
		return Result{}, errors.New("running a scenario: it visits nothing")
	}
	final, err := w.settings()
	return Result{Run: w.run, Outcomes: w.outcomes, Missed: w.missed(), Skipped: w.skipped, Settings: final}, err
}

// Lesson is the scenario of the lesson, at the moment of the README's first table.
const Lesson = `# The lesson: over http, over https, over https again, over http again.
lesson http://shop.test/
`

// LessonRun runs the lesson under s over real sockets and real TLS.
func LessonRun(ctx context.Context, s lockstep.Settings) (trace.Run, error) {
	lesson, err := Parse(Lesson)
	if err != nil {
		return trace.Run{}, err
	}
	result, err := lesson.Do(ctx, Options{Settings: s, Sockets: true})
	return result.Run, err
}
