package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

type traceCommand struct {
	output
	URLs      []string      `arg:"" optional:"" name:"url" help:"The site to visit, such as https://example.com/; several URLs, to visit one after the other; or a file that ends in .scenario, which is run."`
	CACert    string        `name:"cacert" placeholder:"FILE" help:"Trust the certificates in FILE (PEM) instead of the system's."`
	Insecure  bool          `help:"Go on when a certificate is not valid. HSTS from such a connection is not stored."`
	ConnectTo []string      `sep:"none" placeholder:"HOST:PORT:ADDRESS:PORT" help:"Dial ADDRESS:PORT for HOST:PORT, as curl does; an empty part stands for any or for itself. May be repeated."`
	NoRevisit bool          `help:"Visit a single URL once, as it is given, and not by the lesson, which visits it over http and https and again."`
	Timeout   time.Duration `default:"10s" help:"How long one request may take; a visit with its redirects takes a minute at most, or this when it is longer. Default: ${default}."`
	Replay    string        `placeholder:"FILE" help:"Print a run that was saved with --format json instead of visiting a site."`
	Jar       string        `env:"LOCKSTEP_JAR" placeholder:"FILE" help:"Begin with what the browser remembers from the last run (cookies and HSTS hosts), and keep what it remembers after this one in FILE, which is as secret as a login. Default: ${env}, or nothing is kept."`
	HAR       string        `name:"har" placeholder:"FILE" help:"Explain the cookies of a recording (HAR) of Chrome, Firefox, Safari or a proxy instead of visiting a site: what the rules would have stored and sent, against what was sent. Which page, script or frame asked is taken from Sec-Fetch-Dest, -Mode and -Site, Origin, Referer and what the recorder adds; what that leaves open is told apart."`
	Curl      bool          `help:"Print the curl commands that send each request again, instead of the run. The values of cookies are left for you to fill in."`

	AllowPrivate bool `help:"Follow a redirect from a public address into a private network, to this machine, or to the metadata of a cloud. Otherwise it is refused."`

	ShowCookieValues bool `help:"With --curl: put the values of the cookies into the commands. They are as secret as a login."`

	HAROut string   `name:"har-out" placeholder:"FILE" help:"Save the run as a recording (HAR), too, with shortened cookie values."`
	Expect []string `sep:"none" placeholder:"SENTENCE" help:"What the run is to do, such as 'cookie sessionid never over http'. May be repeated; the exit code is 1 when one does not hold."`
	loginFlags
	contextFlags
	profilesFlag
	RepeatUnsafe bool `help:"With several profiles: also make a run that logs in, or whose method may change something, once with each."`

	URL    string            `kong:"-"` // the first of URLs, or ""
	chosen []browser.Profile // never empty
}

// bareHost is what somebody typed who left the scheme out.
var bareHost = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?(:\d+)?(/.*)?$`)

// Help is shown below the flags.
func (*traceCommand) Help() string {
	return `The URL is visited over http, following redirects, then over https, and over http again, by a browser without a screen that starts with no cookies and no HSTS entries, or with those that --jar has kept. What the site decided is not seen from outside: it is shown as observed, never as known.

Only a single URL that a person would type is visited again. Several URLs are visited once each, in order, by one browser; --from, --as, --method, --credentials and --top are about the last of them, and those before it are typed.

Redirects that do not end are told with the request that comes again, the cause, and what mends it. No redirect leads from a public address into a private network, unless --allow-private is given.

With --login the form of that page is sent before the last two visits. The password is asked for on the terminal, or read from a file; it goes over https (or to this machine) to the origin of URL only, and is never shown or saved.

` + expectHelp() + `
Examples:
  lockstep trace https://example.com/
  lockstep trace https://shop.test/ --login /accounts/login/ --user alice
  lockstep trace https://shop.test/ --expect 'cookie sessionid never over http' --expect 'http redirects to https'
  lockstep trace http://shop.test/ --connect-to shop.test:80:127.0.0.1:8080 --connect-to shop.test:443:127.0.0.1:8443 --cacert ca.pem
  lockstep trace https://example.com/ --format json > run.jsonl && lockstep trace --replay run.jsonl
  lockstep trace https://shop.test/ --jar shop.jar && lockstep trace https://shop.test/ --jar shop.jar && lockstep forget --jar shop.jar
  lockstep trace https://api.shop.test/login https://api.shop.test/me --from https://www.shop.test/ --as fetch --credentials include
  lockstep trace https://shop.test/ https://shop.test/pay --from https://evil.test/ --as form --profile chromium
  lockstep trace https://shop.test/ https://shop.test/widget --from https://news.test/ --as iframe --profile all
  lockstep trace --har recording.har
  lockstep trace examples/questions/01-fetch-keeps-no-cookie.scenario`
}

// Run traces a site, or tells a saved run again.
func (c *traceCommand) Run(ctx context.Context, p *program) error {
	expected, err := expectations(c.Expect)
	if err != nil {
		return err
	}
	if c.chosen, err = c.profiles(); err != nil {
		return err
	}
	if len(c.URLs) > 0 {
		c.URL = c.URLs[0]
	}
	if err := c.checkTour(); err != nil {
		return err
	}
	if isScenario(c.URL) {
		return c.playScenario(ctx, p)
	}
	if len(c.chosen) > 1 {
		return c.compare(ctx, p, expected)
	}
	if c.HAR != "" {
		return c.playHAR(ctx, p, expected)
	}
	if c.ShowCookieValues && (!c.Curl || c.Replay != "") {
		return &usageError{errors.New("--show-cookie-values goes with --curl, and with a run that is made now"), "lockstep trace URL --curl --show-cookie-values"}
	}
	run, err := c.obtain(ctx, p)
	if err != nil {
		return err
	}
	if c.HAROut != "" {
		if err := writeHAR(c.HAROut, &run); err != nil {
			return err
		}
	}
	story, err := tellTrace(run)
	if err != nil {
		return err
	}
	if c.Curl {
		run.WriteCurl(p.stdout, c.curlArguments()...)
		return cmp.Or(verdictOn(&run), hold(p.stderr, expected, story))
	}
	if err := c.print(p, story); err != nil {
		return err
	}
	if c.Format == "table" || c.Format == "transcript" {
		c.remark(p, story)
	}
	out := p.stdout
	if c.Format == "json" || c.Format == "html" { // what is saved is the run
		out = p.stderr
	}
	broken := hold(out, expected, story)
	return cmp.Or(verdictOn(&run), broken)
}

// curlArguments are those of our flags that curl needs, too.
func (c *traceCommand) curlArguments() []string {
	var all []string
	if c.CACert != "" {
		all = append(all, "--cacert", c.CACert)
	}
	if c.Insecure {
		all = append(all, "--insecure")
	}
	for _, to := range c.ConnectTo {
		all = append(all, "--connect-to", to)
	}
	return all
}

// tellTrace tells a run with a login by its steps, and any other as the lesson.
func tellTrace(run trace.Run) (*trace.Story, error) {
	if _, ok := run.LoginVerdict(); !ok {
		return tell(run, "")
	}
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return nil, err
	}
	s := trace.TellLogin(run, catalogue.Lookup)
	return &s, nil
}

func (c *traceCommand) obtain(ctx context.Context, p *program) (trace.Run, error) {
	switch {
	case c.Replay != "" && c.URL != "":
		return trace.Run{}, &usageError{errors.New("--replay tells a saved run and visits no URL"), "leave one of the two out"}
	case c.Replay != "" && c.Login != "":
		return trace.Run{}, &usageError{errors.New("--replay tells a saved run and logs in nowhere"), "leave one of the two out"}
	case c.Replay != "" && c.Profile != "":
		return trace.Run{}, &usageError{errors.New("--replay tells a run that was made, by the browser that made it"), "give --profile to the run that is saved"}
	case c.Replay != "":
		return replay(p, c.Replay)
	}
	if err := c.checkURLs(); err != nil {
		return trace.Run{}, err
	}
	tour, err := c.tour()
	if err != nil {
		return trace.Run{}, err
	}
	as, err := c.credentials(ctx, p, c.URL, c.Insecure)
	if err != nil {
		return trace.Run{}, err
	}
	b, err := c.startWith(time.Now())
	if err != nil {
		return trace.Run{}, err
	}
	client, err := c.client(b)
	if err != nil {
		return trace.Run{}, err
	}
	run, err := c.visit(ctx, p, client, tour, as)
	if c.Jar != "" && len(run.Visits) > 0 { // also what a run that was stopped has stored
		err = cmp.Or(err, saveJar(c.Jar, b, time.Now()))
	}
	return run, err
}

// checkURLs refuses what is no URL to visit, as far as a look at it tells.
func (c *traceCommand) checkURLs() error {
	if c.URL == "" {
		return &usageError{errors.New("no URL to trace"), "lockstep trace https://example.com/"}
	}
	for _, u := range c.URLs {
		switch {
		case isScenario(u):
			return &usageError{fmt.Errorf("%q is a scenario, which is run alone", u), "lockstep trace " + u}
		case bareHost.MatchString(u):
			return &usageError{fmt.Errorf("URL %q has no scheme", u), "lockstep trace https://" + u}
		}
	}
	return nil
}

// startWith is the browser of the run: one that remembers nothing, or what --jar has kept.
func (c *traceCommand) startWith(now time.Time) (*browser.Browser, error) {
	if c.Jar == "" {
		return c.browser(), nil
	}
	b, err := openJar(c.Jar, now)
	if err != nil || b == nil {
		return cmp.Or(b, c.browser()), err
	}
	if c.Profile != "" && b.Profile != c.chosen[0] {
		return nil, &usageError{
			fmt.Errorf("--jar %q is of a browser of the profile %s, and --profile is %s", c.Jar, b.Profile, c.Profile),
			fmt.Sprintf("leave --profile out, or name another --jar; lockstep forget --jar %s begins anew", c.Jar),
		}
	}
	c.chosen = []browser.Profile{b.Profile}
	return b, nil
}

// browser is one of the chosen profile that remembers nothing.
func (c *traceCommand) browser() *browser.Browser { return &browser.Browser{Profile: c.chosen[0]} }

// visit makes the visits of the run: those of a tour, or of the lesson when that is nil.
func (c *traceCommand) visit(ctx context.Context, p *program, client *trace.Client, tour []trace.Navigation, as form.Credentials) (trace.Run, error) {
	if tour != nil {
		return makeTour(ctx, p, client, tour)
	}
	p.progress("visiting " + c.URL + " ...")
	defer p.progress("")
	if c.Login != "" {
		return logIn(ctx, client, c.URL, c.Login, as)
	}
	run, err := client.Lesson(ctx, c.URL)
	if err != nil && ctx.Err() == nil {
		return run, &usageError{err, "a URL looks like https://example.com/"}
	}
	return run, err
}

func replay(p *program, name string) (trace.Run, error) {
	in := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return trace.Run{}, &failure{err, "save a run first: lockstep trace URL --format json > " + name}
		}
		defer f.Close()
		in = f
	}
	run, err := trace.ReadJSON(in)
	if err != nil {
		return run, &failure{err, "a run is saved with lockstep trace URL --format json > FILE"}
	}
	return run, nil
}

// client makes the requests of a browser.
func (c *traceCommand) client(b *browser.Browser) (*trace.Client, error) {
	client := &trace.Client{Browser: b, Insecure: c.Insecure, Timeout: c.Timeout, InsecureKeepCookieValues: c.ShowCookieValues, AllowPrivate: c.AllowPrivate}
	if c.Timeout <= 0 {
		return nil, &usageError{fmt.Errorf("--timeout %v leaves no time", c.Timeout), "give a duration such as --timeout 10s"}
	}
	if c.CACert != "" {
		roots, err := readRoots(c.CACert)
		if err != nil {
			return nil, err
		}
		client.Roots = roots
	}
	var to []trace.ConnectTo
	for _, text := range c.ConnectTo {
		one, err := trace.ParseConnectTo(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--connect-to: %w", err), "lockstep trace http://shop.test/ --connect-to shop.test:80:127.0.0.1:8080"}
		}
		to = append(to, one)
	}
	client.Dial = trace.DialTo(to, trace.Dial)
	return client, nil
}

func readRoots(name string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, &usageError{fmt.Errorf("reading --cacert: %w", err), "give a file with certificates in PEM form"}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &usageError{fmt.Errorf("--cacert %s holds no certificate in PEM form", name), "it begins with -----BEGIN CERTIFICATE-----"}
	}
	return pool, nil
}

// remark adds what the table alone does not say.
func (c *traceCommand) remark(p *program, s *trace.Story) {
	if len(s.Cookies) == 0 && verdictOn(&s.Run) == nil {
		fmt.Fprintln(p.stdout, `
The site set no cookie. An anonymous visit often meets none: most sites set their session cookie when
somebody logs in, or when there is something to remember. Trace a page that sets one, such as the login
page or one that puts something into a cart.`)
	}
	if !s.Run.Visits[0].Hops[0].Known {
		fmt.Fprintf(p.stdout, "\nThe browser's decisions are those of %s; the site's were observed from outside.\n", whoseRules(&s.Run))
	}
}

// verdictOn says how a run ended: nil when https answered, a failure when it did not, and a finding
// when a browser would have shown an error page in place of following a redirect.
func verdictOn(run *trace.Run) error {
	if v, ok := run.LoginVerdict(); ok && !v.Yes {
		cause, _ := v.Fact("cause")
		if v.Question == rule.Connect {
			return &failure{fmt.Errorf("the login form was not sent to %s: %s", v.Subject, cause), fixOf(v.Rule)}
		}
		return &finding{fmt.Errorf("the login does not seem to have worked: %s", sentenceOf(v.Rule)), fixOf(v.Rule)}
	}
	if run.IsTour() {
		return verdictOnTour(run)
	}
	var unanswered error
	for i := range run.Visits {
		last := run.Visits[i].Last()
		if err := ledNowhere(&run.Visits[i]); err != nil {
			return err
		}
		if v, ok := last.Verdict(rule.Connect, ""); ok && !v.Yes && unanswered == nil {
			cause, _ := v.Fact("cause")
			unanswered = &failure{fmt.Errorf("%s gave no answer: %s", last.URL, cause), fixOf(v.Rule)}
		}
	}
	if run.AnsweredOverHTTPS() {
		return nil
	}
	return unanswered
}

// ledNowhere is the finding about a visit whose redirects do not end, or end where none is followed; nil
// for another.
func ledNowhere(visit *trace.Visit) error {
	last := visit.Last()
	if v, ok := visit.Diagnosis(); ok {
		return &finding{fmt.Errorf("%s leads nowhere: %s", visit.Typed, trace.Printable(trace.Diagnosed(v, sentenceOf(v.Rule)))), fixOf(v.Rule)}
	}
	if v, _ := last.Verdict(rule.Connect, ""); last.LedInside() {
		return &finding{fmt.Errorf("%s leads to %s: %s", visit.Typed, last.URL, sentenceOf(v.Rule)), fixOf(v.Rule)}
	}
	if v, ok := last.Verdict(rule.FollowRedirect, ""); ok && !v.Yes && last.Location() != "" {
		return &finding{fmt.Errorf("%s leads nowhere: %s", visit.Typed, sentenceOf(v.Rule)), fixOf(v.Rule)}
	}
	return nil
}
