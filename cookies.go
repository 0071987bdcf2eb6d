package lockstep

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

var (
	setCookieSent = rules.Add(rule.Rule{
		ID:       "set-cookie-sent",
		Source:   "Django, HttpResponse.set_cookie()",
		Sentence: "The site sends the cookie with this response.",
		Fix:      "Whether a browser stores it is the browser's decision; if the site should not set it here, look for who calls SetCookie or changes the session.",
		Scenario: "visit https://shop.test/",
	})
	setCookieDeletion = rules.Add(rule.Rule{
		ID:       "set-cookie-deletion",
		Source:   "Django, HttpResponse.delete_cookie()",
		Sentence: "The site tells the browser to delete the cookie.",
		Fix:      "If the cookie should stay, look for who calls DeleteCookie, flushes the session or sends a Max-Age below 1.",
		Scenario: `
on /a app delete-cookie theme
visit https://shop.test/a
`,
	})
	noteCookieNotSent = rules.Add(rule.Rule{
		ID:       "note-cookie-not-sent",
		Source:   "Lockstep, SetCookie",
		Sentence: "No browser would store this cookie, so it was not sent and SetCookie returned an error.",
		Fix:      "Change what the rule that decided names; the error that SetCookie returns says it too.",
		Scenario: `
on /a app cookie __Host-id=1
visit https://shop.test/a
`,
	})
	noteCookieImpossible = rules.Add(rule.Rule{
		ID:       "note-cookie-impossible",
		Source:   "Lockstep, Guard.Wrap",
		Sentence: "The application wrote a Set-Cookie line that no browser stores; it was sent as it was written, and logged.",
		Fix:      "Set the cookie with lockstep.SetCookie, which returns an error for such a line, and change what the rule noted beside this one names.",
		Scenario: `
on /a send Set-Cookie: __Host-id=1; Path=/
visit https://shop.test/a
`,
	})
	noteSecureCookieOverHTTP = rules.Add(rule.Rule{
		ID:       "note-secure-cookie-over-http",
		Source:   "draft-ietf-httpbis-rfc6265bis-22, section 5.7, step 13",
		Sentence: "The cookie has Secure and the response goes out over plain HTTP, where browsers refuse to store it.",
		Fix:      "Set SECURE_SSL_REDIRECT = True, so that the response goes out over https.",
		Scenario: `
set SECURE_SSL_REDIRECT=False
visit http://shop.test/
`,
	})
)

// A Cookie is a cookie to set. The zero value of each field but Name is Django's default.
type Cookie struct {
	Name  string // letters, digits and !#$%&'*+-.^_`|~: only
	Value string // any characters up to U+00FF; quoted as Django quotes it

	Domain string // "" is a cookie of the host alone
	Path   string // "" is "/"

	// MaxAge is for how long the cookie lives, in whole seconds, and Expires until when; at most
	// one of them is set. Without either the cookie ends with the browser. A negative MaxAge and a
	// time in the past delete it.
	MaxAge  time.Duration
	Expires time.Time

	Secure      bool
	HttpOnly    bool
	SameSite    http.SameSite // none is written for the zero value and for http.SameSiteDefaultMode
	Partitioned bool
}

// String returns the cookie without its value, which may be a secret.
func (c Cookie) String() string { return c.Name + "=…" }

// LogValue implements [slog.LogValuer] as [Cookie.String] has it.
func (c Cookie) LogValue() slog.Value { return slog.StringValue(c.String()) }

var (
	errNoGuard  = errors.New("lockstep: the request did not come through a Guard")
	errTooLate  = errors.New("the response has begun, and its header has been sent")
	errTwoEnds  = errors.New("MaxAge and Expires are both set")
	errSameSite = errors.New("SameSite has a value that is not one of net/http's")
)

// SetCookie adds a cookie to the response, as Django's response.set_cookie() writes it. A cookie of
// the same name, domain and path that is already in the response is replaced.
//
// It returns an error, and changes nothing, when the cookie cannot be written, when no browser at
// this host would store it, whatever the connection (see [cookie.Line.Problems]), and when the
// response has begun. A Secure cookie is sent over plain http as Django sends it, although browsers
// refuse it there; the verdict notes it. r has to have come through a [Guard].
func SetCookie(w http.ResponseWriter, r *http.Request, c Cookie) error {
	return addCookie(w, r, c.Name, func(g *Guard) (django.SetCookie, error) { return c.asDjango(g.now()) })
}

// DeleteCookie adds a line to the response that deletes a cookie, as Django's
// response.delete_cookie() writes it. Of c it uses Name, Domain and Path, which have to be those
// with which the cookie was set, and SameSite, Secure and Partitioned; Secure goes out by itself
// with a __Secure- or __Host- name and with SameSite=None. Errors are those of [SetCookie].
func DeleteCookie(w http.ResponseWriter, r *http.Request, c Cookie) error {
	return addCookie(w, r, c.Name, func(*Guard) (django.SetCookie, error) { return c.asDeletion() })
}

// ReadCookie returns the value of a cookie of the request as Django's request.COOKIES has it:
// unquoted, and of several cookies of one name the last.
func ReadCookie(r *http.Request, name string) (value string, ok bool) {
	return lookupCookie(cookieHeader(r), name)
}

func addCookie(w http.ResponseWriter, r *http.Request, name string, build func(*Guard) (django.SetCookie, error)) error {
	x := exchangeOf(r)
	if x == nil {
		return errNoGuard
	}
	c, err := build(x.guard)
	if err == nil {
		err = x.add(w.Header(), c.String())
	}
	if err != nil {
		return fmt.Errorf("setting cookie %q: %w", name, err)
	}
	return nil
}

// lookupCookie is Django's request.COOKIES[name], but that a name with a prefix, such as "__Host-a",
// has to stand in the header as it is. Django takes all of Unicode's white space off a name; browsers
// take spaces and tabs, so that to them the name behind a U+00A0 has no prefix, and anybody who may
// set a cookie for the host could plant it.
func lookupCookie(header, name string) (value string, ok bool) {
	if !strings.HasPrefix(name, "__") {
		return django.LookupCookie(header, name)
	}
	for more := header != ""; more; {
		var pair string
		pair, header, more = strings.Cut(header, ";")
		after, found := strings.CutPrefix(skipBlanks(pair), name)
		if found && strings.HasPrefix(skipBlanks(after), "=") {
			value, ok = django.LookupCookie(pair, name)
		}
	}
	return value, ok
}

// skipBlanks takes off the front what browsers do.
func skipBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// asDjango returns the line of response.set_cookie(), whose clock says now.
func (c Cookie) asDjango(now time.Time) (django.SetCookie, error) {
	out, err := c.attributes()
	if err != nil {
		return out, err
	}
	out.Value, out.HttpOnly = c.Value, c.HttpOnly
	switch {
	case c.MaxAge != 0 && !c.Expires.IsZero():
		return out, errTwoEnds
	case c.MaxAge != 0:
		lasts(&out, wholeSeconds(c.MaxAge), now)
	case !c.Expires.IsZero():
		// Django adds a second, for the fraction that its own computation loses.
		lasts(&out, max(0, secondsUntil(c.Expires, now)+1), now)
	}
	return out, checkLatin1(c.Value)
}

func lasts(c *django.SetCookie, seconds int, now time.Time) {
	c.MaxAge = &seconds
	c.Expires = django.HTTPDate(time.Unix(now.Unix()+int64(seconds), 0))
}

// wholeSeconds cuts off fractions, as Django does; but what is to last for a part of a second is not
// to be deleted.
func wholeSeconds(d time.Duration) int {
	if d > 0 && d < time.Second {
		return 1
	}
	return int(d / time.Second)
}

// secondsUntil is the number of whole seconds from now to t, rounded down, for any two moments: a
// [time.Duration] ends after 292 years.
func secondsUntil(t, now time.Time) int {
	seconds := t.Unix() - now.Unix()
	if t.Nanosecond() < now.Nanosecond() {
		seconds--
	}
	return int(seconds)
}

func (c Cookie) asDeletion() (django.SetCookie, error) {
	out, err := c.attributes()
	if err != nil {
		return out, err
	}
	deletion := django.DeleteCookie(out.Name, out.Path, out.Domain, out.SameSite)
	deletion.Secure = deletion.Secure || c.Secure
	deletion.Partitioned = c.Partitioned
	return deletion, nil
}

// attributes returns what lines that set and lines that delete have in common.
func (c Cookie) attributes() (out django.SetCookie, err error) {
	out = django.SetCookie{Name: c.Name, Domain: c.Domain, Path: c.Path, Secure: c.Secure, Partitioned: c.Partitioned}
	if out.Path == "" {
		out.Path = "/"
	}
	if err := django.CheckCookieName(c.Name); err != nil {
		return out, err
	}
	if strings.IndexFunc(out.Domain, breaksAttribute) >= 0 || strings.IndexFunc(out.Path, breaksAttribute) >= 0 {
		return out, errors.New("a character in Domain or Path ends the attribute")
	}
	switch c.SameSite {
	case 0, http.SameSiteDefaultMode:
	case http.SameSiteLaxMode:
		out.SameSite = "Lax"
	case http.SameSiteStrictMode:
		out.SameSite = "Strict"
	case http.SameSiteNoneMode:
		out.SameSite = "None"
	default:
		return out, errSameSite
	}
	return out, nil
}

// checkLatin1 refuses what Django hands to a WSGI server that then fails.
func checkLatin1(value string) error {
	if strings.IndexFunc(value, func(r rune) bool { return r > 0xff }) >= 0 {
		return errors.New("the value has a character above U+00FF: encode it, for instance with base64 or percent-encoding")
	}
	return nil
}

// add puts a Set-Cookie line into h, in the place of an earlier one for the same cookie, unless no
// browser would store it.
func (x *exchange) add(h http.Header, line string) error {
	if x.begun.Load() {
		return errTooLate
	}
	parsed := cookie.Parse(line)
	if problems := parsed.Problems(x.cookieHost()); len(problems) > 0 {
		return x.refuseCookie(line, parsed, problems)
	}
	put(h, line)
	return nil
}

// put replaces in h the line of the cookie that line is about, or adds it.
func put(h http.Header, line string) {
	lines := h["Set-Cookie"]
	if len(lines) == 0 { // nearly always, and then nothing has to be read
		h["Set-Cookie"] = []string{line}
		return
	}
	about := cookie.Parse(line)
	for i := range lines {
		e := cookie.Parse(lines[i])
		if e.Name == about.Name && e.Domain == about.Domain && e.Path == about.Path {
			lines[i] = line
			return
		}
	}
	h["Set-Cookie"] = append(lines, line)
}

func (x *exchange) refuseCookie(line string, parsed cookie.Line, problems []rule.ID) error {
	x.guard.logCookieRefused(x.in.Context(), parsed.Name, problems[0])
	if x.rec.Watching() {
		x.rec.Record(rule.Verdict{
			Side: rule.Site, Question: rule.SetCookie, Subject: cut(parsed.Name),
			Rule: problems[0], Also: problems[1:], Notes: []rule.ID{noteCookieNotSent},
			Facts: x.cookieFacts(line, parsed),
		})
	}
	for _, r := range cookie.Rules() {
		if r.ID == problems[0] {
			return fmt.Errorf("no browser stores it, by rule %s: %s %s", r.ID, r.Sentence, strings.TrimSuffix(r.Fix, "."))
		}
	}
	return fmt.Errorf("no browser stores it, by rule %s", problems[0])
}

// setSessionCookie adds the session's own cookie, as SessionMiddleware does after the application, and
// returns its line if [checked.sessionLineHolds] is about it.
func (x *exchange) setSessionCookie(o session.Outcome) (known string) {
	if o.Action == session.Nothing {
		return ""
	}
	line := x.guard.site.sessionLine(o)
	put(x.out.Header(), line)
	if o.Action == session.SetCookie && x.guard.sessionLineHolds && !x.rec.Watching() {
		return line
	}
	return ""
}

func (c *checked) sessionLine(o session.Outcome) string {
	if o.Action == session.DeleteCookie {
		return django.DeleteCookie(c.SessionCookieName, c.SessionCookiePath, c.SessionCookieDomain, c.SessionCookieSameSite).String()
	}
	line := django.SetCookie{
		Name: c.SessionCookieName, Value: o.Value, Domain: c.SessionCookieDomain, Path: c.SessionCookiePath,
		SameSite: c.SessionCookieSameSite, Secure: c.SessionCookieSecure, HttpOnly: c.SessionCookieHttpOnly,
	}
	if !o.BrowserClose {
		line.MaxAge, line.Expires = &o.MaxAge, django.HTTPDate(o.Expires)
	}
	return line.String()
}

// longestKey is the greatest length of a key, as Django's table of sessions has it.
const longestKey = 40

// sessionLineHolds reports whether browsers store the session's cookie at every host. A line holds a
// key and dates, and all else in it is the same every time, so that to read one is enough.
func (c *checked) sessionLineHolds() bool {
	if c.SessionCookieDomain != "" || c.sessionInCookie() {
		return false
	}
	line := c.sessionLine(session.Outcome{Action: session.SetCookie, Value: strings.Repeat("k", longestKey)})
	return len(cookie.Parse(line).Problems("")) == 0
}

// checkCookies looks at the Set-Cookie lines that go out, whoever wrote them, but for the known one.
func (x *exchange) checkCookies(lines []string, known string) {
	for _, line := range lines {
		if line == known {
			continue
		}
		parsed := cookie.Parse(line)
		problems := parsed.Problems(x.cookieHost())
		if len(problems) > 0 {
			x.guard.logCookieRefused(x.in.Context(), parsed.Name, problems[0])
		}
		if x.rec.Watching() {
			x.rec.Record(x.sentVerdict(line, parsed, problems))
		}
	}
}

func (x *exchange) sentVerdict(line string, parsed cookie.Line, problems []rule.ID) rule.Verdict {
	v := rule.Verdict{
		Side: rule.Site, Question: rule.SetCookie, Subject: cut(parsed.Name), Yes: true, Rule: setCookieSent,
		Facts: x.cookieFacts(line, parsed),
	}
	if deletes(parsed, x.guard.now()) {
		v.Rule = setCookieDeletion
	}
	if len(problems) > 0 {
		v.Notes = append([]rule.ID{noteCookieImpossible}, problems...)
	}
	if parsed.Secure && !x.secure && !isLoopback(x.domain) {
		v.Notes = append(v.Notes, noteSecureCookieOverHTTP)
	}
	if parsed.Name == x.guard.site.CSRFCookieName {
		v.Notes = append(v.Notes, x.csrf.notes()...)
	}
	return v
}

func deletes(l cookie.Line, now time.Time) bool {
	if l.HasMaxAge {
		return l.MaxAge <= 0
	}
	return !l.Expires.IsZero() && !l.Expires.After(now)
}

// cookieFacts tells a line without its value, then each attribute as it was written.
func (x *exchange) cookieFacts(line string, parsed cookie.Line) []rule.Fact {
	_, attributes, found := strings.Cut(line, ";")
	shown := parsed.Name + "=…"
	if found {
		shown += ";" + attributes
	}
	facts := []rule.Fact{
		{Name: "Set-Cookie", Value: cut(shown)},
		{Name: "request.is_secure()", Value: pyBool(x.secure)},
	}
	for _, a := range parsed.Attributes {
		value := a.Value
		if value == "" {
			value = pyBool(true)
		}
		facts = append(facts, rule.Fact{Name: cut(a.Name), Value: cut(value)})
	}
	return facts
}
