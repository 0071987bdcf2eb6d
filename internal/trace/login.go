package trace

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/rule"
)

// The titles of the steps of a run with a login.
const (
	titlePlain = "HTTP request"
	titleHTTPS = "HTTPS request"
	titlePage  = "the login page"
	titleLogin = "the login form is sent"
	titleNext  = "next HTTPS request"
	titleAgain = "HTTP again"

	titleNextPlain = "next request" // where there is no https
)

var connectBodyWithheld = rules.Add(rule.Rule{
	ID:       "connect-body-withheld",
	Source:   "Lockstep, package trace",
	Sentence: "The password would have gone over plain HTTP, or to another origin than the one that was asked for, and was not sent.",
	Fix:      "Serve the login form over https, with an action at its own origin; when another origin is the site, trace that one. A browser would have sent it.",
	Scenario: `
on /a app html <form method=post action=http://shop.test/a><input name=user><input type=password name=p></form>
login https://shop.test/a me secret
`,
})

var (
	observedLoginCookie = rules.Add(rule.Rule{
		ID:       "observed-login-cookie",
		Source:   semantics,
		Sentence: "The answer to the login set a cookie and the form is not shown again: it seems to have worked.",
		Fix:      "Nothing is to be mended; the steps below tell what became of the cookie.",
		Scenario: `
set INSECURE_CSRF_EXEMPT=['/in']
on /a app html <form method=post action=/in><input name=user><input type=password name=p></form>
on /in app login me
login https://shop.test/a me secret
`,
	})
	observedLoginFormAgain = rules.Add(rule.Rule{
		ID:       "observed-login-form-again",
		Source:   semantics,
		Sentence: "The form is shown again after it was sent, as for a wrong name or password.",
		Fix:      "Check name and password in a browser of your own; when they are right, look whether the form has fields that a script fills.",
		Scenario: `
set INSECURE_CSRF_EXEMPT=['/a']
on /a app html <form method=post><input name=user><input type=password name=p></form>
login https://shop.test/a me wrong
`,
	})
	observedLoginRefused = rules.Add(rule.Rule{
		ID:       "observed-login-refused",
		Source:   semantics,
		Sentence: "The site answered the login form with an error.",
		Fix:      "403 often means that the check against forged requests failed, 429 too many attempts; the log of the site knows.",
		Scenario: `
on /a app html <form method=post><input name=user><input type=password name=p></form>
login https://shop.test/a me secret
`,
	})
	observedLoginNoCookie = rules.Add(rule.Rule{
		ID:       "observed-login-no-cookie",
		Source:   semantics,
		Sentence: "The form is not shown again, but its answer set no cookie that the browser keeps, so nothing shows that somebody is logged in.",
		Fix:      "Look at the cookies that were refused, if any; a site that keeps the login in another place than a cookie cannot be traced.",
		Scenario: `
set INSECURE_CSRF_EXEMPT=['/in']
on /a app html <form method=post action=/in><input name=user><input type=password name=p></form>
on /in app plain
login https://shop.test/a me secret
`,
	})
)

// observeLogin says what came of a login, as it looks from outside.
func observeLogin(v Visit, formAgain bool) rule.Verdict {
	var set []string
	for i := range v.Hops {
		for _, stored := range v.Hops[i].All(rule.StoreCookie) {
			if stored.Yes && !slices.Contains(set, stored.Subject) && held(v.Last(), stored.Subject) {
				set = append(set, stored.Subject)
			}
		}
	}
	first := v.Hops[0].Response
	verdict := rule.Verdict{Side: rule.Site, Question: rule.LogIn, Subject: v.Hops[0].URL, Facts: []rule.Fact{
		{Name: "status", Value: fmt.Sprintf("%d %s", first.Status, http.StatusText(first.Status))},
		{Name: "Location", Value: orNone(v.Hops[0].Location())},
		{Name: "cookies set", Value: orNone(strings.Join(set, ", "))},
		{Name: "form shown again", Value: pythonBool(formAgain)},
	}}
	switch {
	case formAgain && first.Status != http.StatusForbidden && first.Status != http.StatusTooManyRequests:
		verdict.Rule = observedLoginFormAgain
	case first.Status >= http.StatusBadRequest:
		verdict.Rule = observedLoginRefused
	case len(set) == 0:
		verdict.Rule = observedLoginNoCookie
	default:
		verdict.Rule, verdict.Yes = observedLoginCookie, true
	}
	return verdict
}

func held(h *Hop, name string) bool {
	return slices.ContainsFunc(h.Cookies, func(c StoredCookie) bool { return c.Name == name })
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

// Login asks for a page, fills in its login form and sends it, as a browser would: with all its fields,
// its token among them. The visits are that of the page and, when it could be sent, that of the form, whose
// last hop has the verdict on what came of it.
//
// The password goes to the origin of the page that was asked for and to no other, and only over a secure
// connection: https, or to this machine. The error, when the page offers nothing to log in with, is a
// [*form.LoginError].
func (c *Client) Login(ctx context.Context, page string, as form.Credentials) ([]Visit, error) {
	first, err := c.Visit(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	first.Title = titlePage
	visits := []Visit{first}
	origin, err := parseTarget(page)
	if err != nil {
		return visits, err
	}
	if err := offers(&first, c.Document, origin); err != nil {
		return visits, err
	}
	f, err := as.Fill(c.Document.Forms)
	if err != nil {
		return visits, err
	}
	sent, err := c.submit(ctx, f, Navigation{BodyOnlyTo: origin})
	if err != nil {
		return visits, &form.LoginError{Problem: err.Error(), Hint: "mend the form, or choose another one with --form"}
	}
	sent.Title = titleLogin
	if sent.Hops[0].Response != nil && sent.Last().Response != nil {
		sent.Last().Verdicts = append(sent.Last().Verdicts, observeLogin(sent, c.shows(f)))
	}
	return append(visits, sent), nil
}

// offers says why a page that was asked for at origin is none to log in at, or returns nil.
func offers(v *Visit, d *Document, origin *url.URL) error {
	last := v.Last()
	switch {
	case d == nil || last.Response == nil:
		return &form.LoginError{Problem: last.URL + " gave no answer", Hint: "give --login the path of the page with the login form"}
	case last.Response.Status >= http.StatusBadRequest && len(d.Forms) == 0:
		return &form.LoginError{
			Problem: fmt.Sprintf("%s answered %d %s", last.URL, last.Response.Status, http.StatusText(last.Response.Status)),
			Hint:    "give --login the path of the page with the login form",
		}
	case !browser.SecureConnection(d.URL):
		return &form.LoginError{Problem: "the login page came over plain http, and a password is not sent over that", Hint: "serve it over https, and redirect http to it"}
	case !mayGo(d.URL, origin):
		return &form.LoginError{
			Problem: fmt.Sprintf("the login page is at %s, and the password goes to %s://%s only", d.URL.Redacted(), origin.Scheme, origin.Host),
			Hint:    "when that is the site, trace it: lockstep trace " + d.URL.Scheme + "://" + d.URL.Host + "/ --login " + d.URL.EscapedPath(),
		}
	}
	return nil
}

// shows reports whether the page has the login form f again.
func (c *Client) shows(f *form.Form) bool {
	return c.Document != nil && slices.ContainsFunc(c.Document.Forms, f.IsAgain)
}

// mayGo reports whether a body that is meant for one origin may go to a URL: to that origin, over a
// connection that is secure, or from this machine to itself. That a name of this machine leads there is
// looked at when the connection is there.
func mayGo(to, origin *url.URL) bool {
	if !browser.SecureConnection(to) {
		return false
	}
	return browser.SameOrigin(to, origin) || loopback(to) && loopback(origin)
}

// loopback reports whether a URL leads to this machine, for which no TLS is needed.
func loopback(u *url.URL) bool {
	return browser.SecureConnection(&url.URL{Scheme: "http", Host: u.Host})
}

// withheld is the verdict about a body that does not go where a form or a redirect leads.
func withheld(to, origin *url.URL, cause string) rule.Verdict {
	return rule.Verdict{
		Side: rule.Browser, Question: rule.Connect, Subject: to.Host, Rule: connectBodyWithheld,
		Facts: []rule.Fact{
			{Name: "cause", Value: cause},
			{Name: "would go to", Value: to.Scheme + "://" + to.Host},
			{Name: "goes only to", Value: origin.Scheme + "://" + origin.Host},
		},
	}
}

// LoginLesson is the lesson with a login in it: over http and https as in [Client.Lesson], then the page
// at path and its form, then over https again and over http again. Without https it logs in over http on
// this machine only. The run does not hold the password, whatever the site writes into its answers.
func (c *Client) LoginLesson(ctx context.Context, target, path string, as form.Credentials) (Run, error) {
	run, err := c.loginLesson(ctx, target, path, as)
	run.hide(as.Password)
	return run, err
}

func (c *Client) loginLesson(ctx context.Context, target, path string, as form.Credentials) (Run, error) {
	u, err := parseTarget(target)
	if err != nil {
		return Run{}, err
	}
	var run Run
	visit := func(title, then, target string) error {
		v, err := c.Visit(ctx, http.MethodGet, target, nil)
		if v.Title, v.Then = title, then; len(v.Hops) > 0 {
			run.Visits = append(run.Visits, v)
		}
		return err
	}
	base, secured := withScheme(u, "http"), withScheme(u, "https")
	if err := visit(titlePlain, titleHTTPS, base); err != nil {
		return run, err
	}
	if !run.Visits[0].reachedHTTPS() {
		run.Visits[0].Then = ""
		if err := visit(titleHTTPS, "", secured); err != nil {
			return run, err
		}
	}
	at, next := secured, titleNext
	if !run.AnsweredOverHTTPS() {
		if !loopback(u) {
			return run, &form.LoginError{Problem: "https gave no answer, and a password is not sent over plain http", Hint: "put TLS in front of the site; lockstep trace " + target + " without --login tells why there was no answer"}
		}
		at, next = base, titleNextPlain
	}
	page, err := browser.ResolveURL(mustParse(at), path)
	if err != nil {
		return run, fmt.Errorf("reading the path of the login page: %w", err)
	}
	visits, err := c.Login(ctx, page.String(), as)
	run.Visits = append(run.Visits, visits...)
	if err != nil {
		return run, err
	}
	if err := visit(next, "", at); err != nil {
		return run, err
	}
	return run, visit(titleAgain, "", base)
}

// mustParse reads a URL that this package wrote.
func mustParse(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// LoginVerdict returns what came of the login of a run: the verdict on it, or the one that kept the
// password back. ok is false for a run without a login.
func (r *Run) LoginVerdict() (v rule.Verdict, ok bool) {
	for i := range r.Visits {
		if r.Visits[i].Title != titleLogin {
			continue
		}
		last := r.Visits[i].Last()
		if v, ok = last.Verdict(rule.LogIn, ""); !ok {
			v, ok = last.Verdict(rule.Connect, "")
		}
		return v, ok
	}
	return v, false
}

// TellLogin tells a run of [Client.LoginLesson].
func TellLogin(run Run, lookup func(rule.ID) (rule.Rule, bool)) Story {
	s := Story{Run: run, lookup: lookup}
	s.aboutAll()
	s.actSteps()
	s.Variables = s.trackLogin()
	s.Moments = slices.Concat(s.loginMoment(), s.lastMoments(), s.httpMoment(), s.storeMoments(), s.aside())
	return s
}

func (s *Story) trackLogin() []Variable {
	all := []Variable{s.follow("scheme", false, schemeValue)}
	for _, name := range s.Cookies {
		all = append(all,
			s.follow("cookie "+called(name), false, func(st *Step, before string) string { return fateInAct(st, name, before) }),
			s.follow(valuePrefix+called(name), false, valueOf(name)))
	}
	for _, name := range s.Cookies {
		all = append(all, s.follow("cookie "+called(name)+", stored as", true, func(st *Step, before string) string { return storedAs(st, name, before) }))
	}
	header := s.follow("Cookie header", true, cookieHeader)
	header.Chance = true
	return append(all, header, s.follow("known HSTS hosts", true, hstsHosts))
}

// loginMoment asks whether the login worked.
func (s *Story) loginMoment() []Moment {
	v, ok := s.Run.LoginVerdict()
	if !ok {
		return nil
	}
	for i := range s.Steps {
		if s.Steps[i].Title == titleLogin {
			return []Moment{s.moment(s.Steps[i].Number, "Did the login work?", "", v)}
		}
	}
	return nil
}
