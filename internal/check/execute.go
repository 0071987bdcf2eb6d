package check

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/settings"
)

// fallbackHost is visited when ALLOWED_HOSTS names no host that can be.
const fallbackHost = "shop.test"

// chooseHost is the first host of ALLOWED_HOSTS that has a name of its own: on localhost browsers
// count plain HTTP as secure.
func (s *Subject) chooseHost() string {
	for _, entry := range s.texts("ALLOWED_HOSTS") {
		host := strings.ToLower(strings.TrimPrefix(entry, "."))
		if canonical, err := cookie.CanonicalHost(host); err == nil && canonical == host && isName(host) {
			return host
		}
	}
	return fallbackHost
}

func isName(host string) bool {
	return strings.Contains(host, ".") && strings.Trim(host, "0123456789.") != "" && !strings.ContainsAny(host, ":_") &&
		!cookie.Loopback(host) && !strings.HasSuffix(host, ".") && !publicSuffix(host)
}

// publicSuffix reports whether anybody may register a name under the domain.
func publicSuffix(domain string) bool {
	below := "x." + strings.TrimPrefix(domain, ".")
	return cookie.RegistrableDomain(below) == below
}

func (s *Subject) url(scheme, path string) string { return scheme + "://" + s.plain + path }

// A Replaced is a setting that runs with another value than the project's, because with its own
// there would be no run.
type Replaced struct {
	Setting string `json:"setting"`
	Was     string `json:"was"`
	Now     string `json:"now"`
	Why     string `json:"why"`
}

// An execution is the settings that can run, as near to the project's as there are.
type execution struct {
	settings lockstep.Settings
	replaced []Replaced
	subject  *Subject
}

// nearest finds them.
func (s *Subject) nearest() (*execution, error) {
	e := &execution{settings: runnable(s.loaded), subject: s}
	e.asPython()
	e.withoutMiddleware()
	e.invertedProxy()
	for range 4 { // a replacement may bring up another mistake
		refused := settingErrors(newErrors(e.settings))
		if len(refused) == 0 {
			e.reachable()
			return e, newErrors(e.settings)
		}
		for _, bad := range refused {
			e.without(bad)
		}
	}
	return nil, fmt.Errorf("running the settings: %w", newErrors(e.settings))
}

// put gives a setting another value and says so. The value is a literal.
func (e *execution) put(name, literal, why string) {
	was := e.subject.literal(name)
	changed, _, err := settings.Load(e.settings, settings.Assignments([]string{name + "=" + literal}, "run"))
	if err != nil {
		return
	}
	e.settings = changed
	now, _ := settings.Format(changed, name)
	i := slices.IndexFunc(e.replaced, func(r Replaced) bool { return r.Setting == name })
	if i < 0 {
		e.replaced = append(e.replaced, Replaced{Setting: name, Was: was, Now: now, Why: why})
		return
	}
	e.replaced[i].Now = now
}

// asPython runs values of another type as Django takes them: where it asks for truth, any string
// that is not empty is as good as True.
func (e *execution) asPython() {
	for f := range settings.Fields(e.subject.defaults) {
		if _, isBool := e.subject.value(f.Name).(bool); f.Type != "boolean" || isBool || !e.subject.refuses(f.Name) {
			continue
		}
		if truthy(e.subject.value(f.Name)) {
			e.put(f.Name, "True", "Django takes any value that is not empty for True")
		} else {
			e.put(f.Name, "False", "Django takes it for False")
		}
	}
}

// withoutMiddleware turns off what no middleware would do.
func (e *execution) withoutMiddleware() {
	const why = "the middleware that would do it is not in MIDDLEWARE"
	if !e.subject.middleware(securityMiddleware) {
		for _, name := range []string{"SECURE_SSL_REDIRECT", "SECURE_CONTENT_TYPE_NOSNIFF"} {
			e.put(name, "False", why)
		}
		e.put("SECURE_HSTS_SECONDS", "0", why)
		e.put("SECURE_REFERRER_POLICY", "None", why)
		e.put("SECURE_CROSS_ORIGIN_OPENER_POLICY", "None", why)
	}
	if !e.subject.middleware(frameMiddleware) {
		e.put("X_FRAME_OPTIONS", "None", why)
	}
	if !e.subject.middleware(csrfMiddleware) {
		e.put("INSECURE_CSRF_EXEMPT", "['/']", why)
	}
}

// invertedProxy runs a header that says http where https is meant as one whose proxy says the
// opposite, which comes to the same.
func (e *execution) invertedProxy() {
	if name, value, ok := e.subject.proxyHeader(); ok && inverted(value) {
		e.put("SECURE_PROXY_SSL_HEADER", fmt.Sprintf("(%s, 'https')", settings.Literal(name)), "the proxy of the run says https for http instead, and http for https")
	}
}

// without replaces what Lockstep refuses.
func (e *execution) without(bad *lockstep.SettingError) {
	why := bad.Problem
	switch bad.Setting {
	case "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS":
		e.put(bad.Setting, e.listWithout(bad), why)
	case "SECURE_REDIRECT_EXEMPT":
		if bad.Value == `""` {
			e.put("SECURE_SSL_REDIRECT", "False", "an empty SECURE_REDIRECT_EXEMPT exempts every path, which comes to the same")
		}
		e.put(bad.Setting, e.listWithout(bad), why)
	case "SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE":
		e.put(bad.Setting, "'Lax'", why)
	case "SECRET_KEY", "SECRET_KEY_FALLBACKS":
	default:
		for f := range settings.Fields(e.subject.defaults) {
			if f.Name == bad.Setting {
				e.put(f.Name, f.Default, why)
			}
		}
	}
}

// listWithout is the literal of a list without the item that is refused.
func (e *execution) listWithout(bad *lockstep.SettingError) string {
	value, _ := settings.Python(e.settings, bad.Setting)
	kept := []any{}
	for _, item := range textsIn(value) {
		if strconv.Quote(item) != bad.Value {
			kept = append(kept, item)
		}
	}
	return settings.Literal(kept)
}

// reachable lets the run visit its host, without which there is nothing to see.
func (e *execution) reachable() {
	guard, err := lockstep.New(e.settings, lockstep.Options{})
	if err != nil {
		return
	}
	if guard.Host(&http.Request{Host: e.subject.plain, Header: http.Header{}}).Yes {
		return
	}
	hosts, _ := settings.Python(e.settings, "ALLOWED_HOSTS")
	items, _ := hosts.([]any)
	e.put("ALLOWED_HOSTS", settings.Literal(append(slices.Clone(items), e.subject.plain)), "the run needs a host with a name of its own")
}

// proxyHeader returns the two parts of SECURE_PROXY_SSL_HEADER.
func (s *Subject) proxyHeader() (name, value string, ok bool) {
	parts := s.texts("SECURE_PROXY_SSL_HEADER")
	if len(parts) != 2 {
		return "", "", false
	}
	return parts[0], parts[1], true
}

func inverted(value string) bool { return strings.EqualFold(strings.TrimSpace(value), "http") }

// proxy is the line of a scenario that puts the proxy before the site, or "". It sends the header
// that SECURE_PROXY_SSL_HEADER means, however it is spelt there.
func (s *Subject) proxy() string {
	name, value, ok := s.proxyHeader()
	if !ok {
		return ""
	}
	header := strings.ReplaceAll(strings.TrimPrefix(strings.ToUpper(name), "HTTP_"), "_", "-")
	if !headerName(header) {
		return ""
	}
	value = strings.TrimSpace(value)
	switch {
	case !proxyWord.MatchString(value):
		return fmt.Sprintf("proxy %s\n", header)
	case inverted(value):
		return fmt.Sprintf("proxy %s https http\n", header)
	case strings.EqualFold(value, "https"):
		return fmt.Sprintf("proxy %s http https\n", header)
	}
	return fmt.Sprintf("proxy %s not-%s %s\n", header, value, value)
}

// proxyWord is a value that a proxy may send for a scheme.
var proxyWord = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

func headerName(name string) bool {
	return name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// run runs the text of a scenario under the settings.
func (e *execution) run(ctx context.Context, text string) (trace.Run, error) {
	sc, err := scenario.Parse(text)
	if err != nil {
		return trace.Run{}, err
	}
	result, err := sc.Do(ctx, scenario.Options{Settings: e.settings})
	return result.Run, err
}

// Evidence is where a run shows the harm of a finding.
type Evidence struct {
	Step     int      `json:"step,omitempty"`     // of the lesson; 0: not there
	Request  string   `json:"request,omitempty"`  // of the lesson, at which it showed
	Scenario string   `json:"scenario,omitempty"` // the run of its own that shows it, when the lesson does not
	Requests []string `json:"requests,omitempty"` // of that run
	Rule     rule.ID  `json:"rule,omitempty"`     // that decided there
	Subject  string   `json:"subject,omitempty"`
	Text     string   `json:"text"` // what the rule says; or, without one, why no run shows it
}

// witness finds evidence in the lesson and in runs of its own.
type witness struct {
	execution *execution
	story     trace.Story
	lookup    func(rule.ID) (rule.Rule, bool)
}

// prove returns the evidence for a finding of the check. The error is of ctx alone: a run that
// cannot be made shows nothing.
func (w *witness) prove(ctx context.Context, c *Check) (Evidence, error) {
	s := w.execution.subject
	if c.Show.Steps != nil {
		for _, sight := range c.Show.Steps(s) {
			if v, request, ok := w.inLesson(sight); ok {
				return w.told(Evidence{Step: sight.Step, Request: withoutValues(request)}, sight, v), nil
			}
		}
	}
	if c.Show.Scenario != nil {
		text, sight := c.Show.Scenario(s)
		for _, whole := range []string{s.proxy() + text, withoutProxy + text} {
			e, ok := w.inScenario(ctx, whole, sight)
			if ctx.Err() != nil {
				return Evidence{}, ctx.Err()
			}
			if ok && text != "" {
				return e, nil
			}
		}
	}
	words := c.Show.Words
	if words == "" {
		words = "No run of these settings shows it."
	}
	return Evidence{Text: words}, nil
}

func (w *witness) told(e Evidence, sight Sight, v rule.Verdict) Evidence {
	e.Rule, e.Subject = sight.Rule, v.Subject
	if r, ok := w.lookup(sight.Rule); ok {
		e.Text = r.Sentence
	}
	return e
}

// withoutProxy begins a scenario that a loop behind the proxy would keep from showing anything.
const withoutProxy = "set SECURE_PROXY_SSL_HEADER=None\n"

// inScenario looks for a sight in a run of its own. A run that cannot be made shows nothing.
func (w *witness) inScenario(ctx context.Context, text string, sight Sight) (Evidence, bool) {
	run, err := w.execution.run(ctx, text)
	if err != nil {
		return Evidence{}, false
	}
	v, ok := inRun(run, sight)
	text += strings.TrimRight(fmt.Sprintf("expect %s %s", sight.Rule, sight.Subject), " ") + "\n"
	return w.told(Evidence{Scenario: text, Requests: requests(run)}, sight, v), ok
}

// inLesson looks for a sight among the verdicts of a step, and returns the request at which it is.
func (w *witness) inLesson(sight Sight) (v rule.Verdict, request string, ok bool) {
	scheme := ""
	if sight.Step == 3 { // its parts are verdicts alone, on answers over https
		scheme = "https"
	}
	for _, part := range w.story.Steps[sight.Step-1].Parts {
		if part.Request != "" {
			request, scheme = part.Request, schemeOf(part.Request)
		} else if sight.matches(part.Verdict, scheme) {
			return part.Verdict, request, true
		}
	}
	return rule.Verdict{}, "", false
}

// schemeOf reads "GET http://shop.test/ -> 301".
func schemeOf(request string) string {
	_, rest, _ := strings.Cut(request, " ")
	scheme, _, _ := strings.Cut(rest, "://")
	return scheme
}

func inRun(run trace.Run, sight Sight) (rule.Verdict, bool) {
	for _, visit := range run.Visits {
		for _, hop := range visit.Hops {
			scheme, _, _ := strings.Cut(hop.URL, "://")
			for _, v := range hop.Verdicts {
				if sight.matches(v, scheme) {
					return v, true
				}
			}
		}
	}
	return rule.Verdict{}, false
}

func (x Sight) matches(v rule.Verdict, scheme string) bool {
	return (x.Subject == "" || x.Subject == v.Subject) && (x.Scheme == "" || x.Scheme == scheme) &&
		(v.Rule == x.Rule || slices.Contains(v.Notes, x.Rule) || slices.Contains(v.Also, x.Rule))
}

func requests(run trace.Run) []string {
	var text strings.Builder
	run.WriteHops(&text)
	var lines []string
	for line := range strings.Lines(text.String()) {
		lines = append(lines, withoutValues(strings.TrimSpace(line)))
	}
	return lines
}

// shortened is a value of a cookie as a run writes it: its first characters, which are others in
// every run.
var shortened = regexp.MustCompile(`=[^=;\s]*…`)

// withoutValues takes the values of cookies out of a request, so that reports of the same settings
// are the same.
func withoutValues(request string) string { return shortened.ReplaceAllString(request, "=…") }
