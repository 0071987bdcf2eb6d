package scenario

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// Limits of a scenario's text.
const (
	maxText  = 64 << 10 // bytes
	maxSteps = 1000     // commands
)

// A Scenario is a parsed text, ready to run.
type Scenario struct {
	Text     string
	commands []command
}

// A command is one line: what it does to the world of a run.
type command struct {
	line int
	text string
	do   func(w *world) error
}

// An Expectation is a rule that a run must have met.
type Expectation struct {
	Line    int
	Rule    rule.ID
	Subject string // "" stands for any
}

func (e Expectation) String() string {
	return strings.TrimSpace(fmt.Sprintf("expect %s %s", e.Rule, e.Subject))
}

// A Command describes one word of the language.
type Command struct {
	Form, Meaning string
	parse         func(rest string) (func(*world) error, error)
}

// Commands returns the words of the language, in the order in which a scenario uses them.
func Commands() []Command {
	return []Command{
		{"set NAME=VALUE", "a setting of the site, its value as Python writes it; the others are the lesson's", parseSet},
		{"on PATH app NAME [ARGUMENT ...]", "what the app does at exactly PATH: counter, plain, echo, anew, nested, read, flush, cycle, clear, cookie NAME=VALUE [ATTRIBUTE ...], delete-cookie NAME, html MARKUP, login NAME, logout, account, token, nonce", parseOn},
		{"on PATH send HEADER: VALUE", "a line that the app adds to its answer at PATH; VALUE may hold Go escapes such as \\x01", parseOn},
		{"on PATH status CODE", "the status with which the app answers at PATH", parseOn},
		{"on PATH meanwhile OTHER", "another request with the same cookies goes to OTHER while the app is at PATH", parseOn},
		{"site NAME PASSWORD", "the site of demo --serve answers instead of the app, with this account, and keeps accounts and sessions in SQLite", parseSite},
		{"store CONDITION", "what the store of the sessions does from now on: ok, failed", parseStore},
		{"network CONDITION", "what the network does from now on: " + strings.Join(conditionNames(), ", "), parseNetwork},
		{"address HOST IP", "the name means this address, which decides whether a redirect may lead there", parseAddress},
		{"proxy HEADER [HTTP HTTPS]", "a proxy ends TLS before the site and says in HEADER by which scheme it was asked, as http and https or in those words", parseProxy},
		{"foreign", "the site's decisions are not watched, as those of somebody else's site", parseForeign},
		{"header NAME: VALUE", "a line added to the requests of the next visit; Host replaces the host", parseHeader},
		{"from URL [POLICY]", "the page from which the next visit or post comes, with its Referrer-Policy: a link or a form of that page", parseFrom},
		{"top URL", "the page of from is a frame within this one; a further top is around that", parseTop},
		{"load KIND [METHOD] URL [CREDENTIALS]", "the page of from needs this: KIND is iframe, image, script or fetch, METHOD is GET unless it is said, CREDENTIALS omit, same-origin or include", parseLoad},
		{"script get, script set LINE", "a script of the page of from, or of the page last visited, reads document.cookie or assigns LINE to it; LINE may hold Go escapes", parseScript},
		{"preload HOST", "HOST and the names under it are on the list of HSTS hosts that comes with the browser", parsePreload},
		{"profile NAME [POLICY]", "the browser is this one from here on: " + profileNames() + "; POLICY about third parties: allowed, partitioned, blocked", parseProfile},
		{"visit [METHOD] URL", "a visit, typed by a person when there is no from before it; redirects are followed", parseVisit},
		{"submit [PATH] [NAME=VALUE ...]", "fills in the form of the page last visited, of several the one whose action has PATH, and sends it with all its fields; VALUE may hold Go escapes such as \\x20", parseSubmit},
		{"post URL [NAME=VALUE ...]", "sends these fields as a form of another page does: the one that from names", parsePost},
		{"step TITLE", "what the next visit is for: a row of the execution table of an act", parseTitle(func(w *world, title string) { w.title = title })},
		{"then TITLE", "the same of what of that visit goes over https, when it began over http: a row of its own", parseTitle(func(w *world, title string) { w.then = title })},
		{"as [NAME]", "the browser of somebody else from here on, with nothing in it at first; without NAME the person's again", parseAs},
		{"steal [COOKIE]", "a cookie of the person's browser is put into the present one; without COOKIE that of the session", parseSteal},
		{"overhear [COOKIE]", "a cookie that a request or an answer of the person's browser carried in clear is put into the present one, if any did; without COOKIE that of the session", parseOverhear},
		{"forge URL HEADER: VALUE", "somebody else answers at exactly URL from now on, with this line: over http who is on the path, over https who owns that host; {name} is the name of the session cookie and {cookie} that of the present browser with its value; VALUE may hold Go escapes", parseForge},
		{"login URL USER PASSWORD", "visits the page, fills in its login form and sends it; the password goes to that origin only", parseLogin},
		{"lesson URL", "the visits of the lesson: over http, over https, over https again, over http again", parseLesson},
		{"recording [with NAME=VALUE]", "the visits so far, as a recording that is held against the rules; the Cookie line of its last request has this one, too, or instead of another of its NAME", parseRecording},
		{"recording without NAME", "the same, and the Cookie line of its last request lacks this one", parseRecording},
		{"wait DURATION", "time passes, such as 90s, 36h or 400d", parseWait},
		{"expect RULE [SUBJECT]", "a verdict or note that must have fallen by now", parseExpect},
	}
}

// Parse reads a scenario. The error names the line.
func Parse(text string) (*Scenario, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("reading a scenario: %d bytes are more than %d", len(text), maxText)
	}
	s := &Scenario{Text: strings.Trim(text, "\n")}
	known := Commands()
	for i, raw := range strings.Split(text, "\n") {
		line := strings.TrimSpace(raw)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(s.commands) == maxSteps {
			return nil, fmt.Errorf("reading a scenario: more than %d commands", maxSteps)
		}
		word, rest, _ := strings.Cut(line, " ")
		k := slices.IndexFunc(known, func(c Command) bool { return c.word() == word })
		if k < 0 {
			return nil, fmt.Errorf("reading a scenario: line %d: no command %q: there are %s", i+1, word, words(known))
		}
		do, err := known[k].parse(strings.TrimSpace(rest))
		if err != nil {
			return nil, fmt.Errorf("reading a scenario: line %d: %q: %w", i+1, line, err)
		}
		s.commands = append(s.commands, command{line: i + 1, text: line, do: do})
	}
	return s, nil
}

func (c Command) word() string {
	word, _, _ := strings.Cut(c.Form, " ")
	return word
}

func words(all []Command) string {
	var names []string
	for _, c := range all {
		names = append(names, c.word())
	}
	return strings.Join(slices.Compact(names), ", ")
}

func parseSet(rest string) (func(*world) error, error) {
	if !strings.Contains(rest, "=") {
		return nil, fmt.Errorf("want NAME=VALUE")
	}
	return func(w *world) error { return w.set(rest) }, nil
}

func parseOn(rest string) (func(*world) error, error) {
	path, rest, _ := strings.Cut(rest, " ")
	what, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("want a path that begins with /")
	}
	change, err := parsePage(what, strings.TrimSpace(rest))
	if err != nil {
		return nil, err
	}
	return func(w *world) error {
		page := w.app.On(path)
		change(&page)
		w.app.Set(path, page)
		return nil
	}, nil
}

func parsePage(what, rest string) (func(*site.Page), error) {
	switch what {
	case "app":
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return nil, fmt.Errorf("want the name of an app")
		}
		do, err := site.Named(fields[0], fields[1:])
		return func(p *site.Page) { p.Do = do }, err
	case "send":
		name, value, err := headerLine(rest)
		return func(p *site.Page) { p.Lines = append(p.Lines, [2]string{name, value}) }, err
	case "status":
		code, err := strconv.Atoi(rest)
		if err != nil || code < 200 || code > 599 {
			return nil, fmt.Errorf("%q is not a status from 200 to 599", rest)
		}
		return func(p *site.Page) { p.Status = code }, nil
	case "meanwhile":
		if !strings.HasPrefix(rest, "/") {
			return nil, fmt.Errorf("want another path, which begins with /")
		}
		return func(p *site.Page) { p.Meanwhile = rest }, nil
	default:
		return nil, fmt.Errorf("want app, send, status or meanwhile after the path, not %q", what)
	}
}

// headerLine reads "Name: value", the value with Go's escapes.
func headerLine(s string) (name, value string, err error) {
	name, value, found := strings.Cut(s, ":")
	name, value = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
	if !found || name == "" || strings.ContainsAny(name, " \t") {
		return "", "", fmt.Errorf("want HEADER: VALUE")
	}
	if value, err = unescape(value); err != nil {
		return "", "", fmt.Errorf("reading the escapes of the value: %w", err)
	}
	return name, value, nil
}

func parseStore(rest string) (func(*world) error, error) {
	if rest != "ok" && rest != "failed" {
		return nil, fmt.Errorf("want ok or failed")
	}
	return func(w *world) error { w.store.failed = rest == "failed"; return nil }, nil
}

func parseNetwork(rest string) (func(*world) error, error) {
	condition, ok := conditions[rest]
	if !ok {
		return nil, fmt.Errorf("no network condition %q: there are %s", rest, strings.Join(conditionNames(), ", "))
	}
	return func(w *world) error {
		if w.path == "" {
			w.network = condition
		}
		return nil
	}, nil
}

func parseAddress(rest string) (func(*world) error, error) {
	host, text, _ := strings.Cut(rest, " ")
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || host == "" {
		return nil, fmt.Errorf("want HOST IP, such as shop.test 203.0.113.10")
	}
	return func(w *world) error { w.addresses[host] = a; return nil }, nil
}

func parseProxy(rest string) (func(*world) error, error) {
	fields := strings.Fields(rest)
	switch len(fields) {
	case 1:
		fields = append(fields, "http", "https")
	case 3:
	default:
		return nil, fmt.Errorf("want HEADER, or HEADER and the words for http and https")
	}
	return func(w *world) error {
		if w.before == "" {
			w.proxy.Store(&proxy{fields[0], fields[1], fields[2]})
		}
		return nil
	}, nil
}

func parseForeign(rest string) (func(*world) error, error) {
	if rest != "" {
		return nil, fmt.Errorf("want nothing behind it")
	}
	return func(w *world) error { w.foreign = true; return nil }, nil
}

func parseHeader(rest string) (func(*world) error, error) {
	name, value, err := headerLine(rest)
	return func(w *world) error { w.header[name] = append(w.header[name], value); return nil }, err
}

func parseVisit(rest string) (func(*world) error, error) {
	method, target := http.MethodGet, rest
	if m, t, found := strings.Cut(rest, " "); found {
		method, target = m, strings.TrimSpace(t)
	}
	if method != strings.ToUpper(method) || !strings.Contains(target, "://") {
		return nil, fmt.Errorf("want [METHOD] URL, such as http://shop.test/ or POST https://shop.test/")
	}
	return func(w *world) error { return w.visit(method, target) }, nil
}

func parseFrom(rest string) (func(*world) error, error) {
	target, policy, _ := strings.Cut(rest, " ")
	u, err := url.Parse(target)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("want URL [POLICY], such as https://evil.test/ no-referrer")
	}
	d := &browser.Document{URL: u}
	if policy != "" {
		if d.ReferrerPolicy = browser.ParseReferrerPolicy([]string{policy}); d.ReferrerPolicy == "" {
			return nil, fmt.Errorf("no referrer policy %q", policy)
		}
	}
	return func(w *world) error { from := *d; w.from = &from; return nil }, nil
}

func parseTop(rest string) (func(*world) error, error) {
	u, err := url.Parse(rest)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("want a URL, such as https://news.test/")
	}
	return func(w *world) error { return w.around(u) }, nil
}

func parseLoad(rest string) (func(*world) error, error) {
	words, method := strings.Fields(rest), ""
	if len(words) > 2 && !strings.Contains(words[1], "://") {
		method = words[1]
		words = slices.Delete(words, 1, 2)
	}
	if len(words) < 2 || len(words) > 3 || !strings.Contains(words[1], "://") {
		return nil, fmt.Errorf("want KIND [METHOD] URL [CREDENTIALS], such as fetch https://shop.test/ include")
	}
	kind, ok := browser.ParseDestination(words[0])
	if !ok || kind == browser.AsNavigation {
		return nil, fmt.Errorf("no kind %q: there are iframe, image, script, fetch", words[0])
	}
	n := trace.Navigation{Method: method, URL: words[1], As: kind}
	if len(words) == 3 {
		if n.Credentials, ok = browser.ParseCredentials(words[2]); !ok {
			return nil, fmt.Errorf("no credentials mode %q: there are omit, same-origin, include", words[2])
		}
	}
	return func(w *world) error { return w.load(n) }, nil
}

func parseScript(rest string) (func(*world) error, error) {
	word, line, _ := strings.Cut(rest, " ")
	line, err := unescape(strings.TrimSpace(line))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the escapes of the line: %w", err)
	case word == "get" && line == "":
		return func(w *world) error { return w.script(nil) }, nil
	case word == "set" && line != "":
		return func(w *world) error { return w.script(&line) }, nil
	}
	return nil, fmt.Errorf("want get, or set LINE")
}

func parsePreload(rest string) (func(*world) error, error) {
	host, err := cookie.CanonicalHost(rest)
	if err != nil {
		return nil, fmt.Errorf("want a host: %w", err)
	}
	return func(w *world) error {
		w.browser.PreloadHSTS(browser.HSTSHost{Host: host, IncludeSubDomains: true})
		return nil
	}, nil
}

func profileNames() string {
	var names []string
	for _, p := range browser.Profiles() {
		names = append(names, p.Name())
	}
	return strings.Join(names, ", ")
}

func parseProfile(rest string) (func(*world) error, error) {
	name, policy, found := strings.Cut(rest, " ")
	p, ok := browser.ProfileNamed(name)
	if !ok {
		return nil, fmt.Errorf("no profile %q: there are %s", name, profileNames())
	}
	if found {
		third, ok := browser.ParseThirdParty(strings.TrimSpace(policy))
		if !ok {
			return nil, fmt.Errorf("no policy %q: there are allowed, partitioned, blocked", policy)
		}
		p = p.WithThirdParty(third)
	}
	return func(w *world) error {
		switch {
		case !w.one:
			w.browser.Profile = p
		case found:
			w.browser.Profile = w.profile.WithThirdParty(p.ThirdParty())
		}
		return nil
	}, nil
}

func parseSubmit(rest string) (func(*world) error, error) {
	words := strings.Fields(rest)
	path := ""
	if len(words) > 0 && strings.HasPrefix(words[0], "/") {
		path, words = words[0], words[1:]
	}
	values, err := pairs(words)
	return func(w *world) error { return w.submit(path, values) }, err
}

func parsePost(rest string) (func(*world) error, error) {
	words := strings.Fields(rest)
	if len(words) == 0 || !strings.Contains(words[0], "://") {
		return nil, fmt.Errorf("want URL [NAME=VALUE ...], such as https://shop.test/pay amount=100")
	}
	values, err := pairs(words[1:])
	return func(w *world) error { return w.post(words[0], values) }, err
}

// pairs reads words of the form NAME=VALUE, with Go's escapes.
func pairs(words []string) ([][2]string, error) {
	all := make([][2]string, len(words))
	for i, word := range words {
		name, value, found := strings.Cut(word, "=")
		value, err := unescape(value)
		if !found || name == "" || err != nil {
			return nil, fmt.Errorf("want NAME=VALUE, not %q", word)
		}
		all[i] = [2]string{name, value}
	}
	return all, nil
}

// unescape reads the escapes of Go that a value may hold.
func unescape(value string) (string, error) {
	if !strings.Contains(value, `\`) {
		return value, nil
	}
	return strconv.Unquote(`"` + strings.ReplaceAll(value, `"`, `\"`) + `"`)
}

func parseTitle(set func(*world, string)) func(string) (func(*world) error, error) {
	return func(rest string) (func(*world) error, error) {
		if rest == "" {
			return nil, fmt.Errorf("want a title")
		}
		return func(w *world) error { set(w, rest); return nil }, nil
	}
}

func parseAs(rest string) (func(*world) error, error) {
	return func(w *world) error { w.as(rest); return nil }, nil
}

func parseSteal(rest string) (func(*world) error, error) {
	return func(w *world) error { return w.steal(rest) }, nil
}

func parseLogin(rest string) (func(*world) error, error) {
	words := strings.Fields(rest)
	if len(words) != 3 || !strings.Contains(words[0], "://") {
		return nil, fmt.Errorf("want URL USER PASSWORD")
	}
	return func(w *world) error { return w.login(words[0], form.Credentials{User: words[1], Password: words[2]}) }, nil
}

func parseLesson(rest string) (func(*world) error, error) {
	if !strings.Contains(rest, "://") {
		return nil, fmt.Errorf("want a URL, such as http://shop.test/")
	}
	return func(w *world) error { return w.lesson(rest) }, nil
}

func parseRecording(rest string) (func(*world) error, error) {
	word, pair, _ := strings.Cut(rest, " ")
	name, value, found := strings.Cut(pair, "=")
	switch {
	case rest == "":
		return func(w *world) error { return w.recording("", "") }, nil
	case word == "with" && found && name != "":
		return func(w *world) error { return w.recording(name, name+"="+value) }, nil
	case word == "without" && !found && name != "":
		return func(w *world) error { return w.recording(name, "") }, nil
	}
	return nil, fmt.Errorf("want nothing, with NAME=VALUE or without NAME")
}

func parseWait(rest string) (func(*world) error, error) {
	d, err := duration(rest)
	if err != nil || d < 0 {
		return nil, fmt.Errorf("%q is not a duration such as 90s, 36h or 400d", rest)
	}
	return func(w *world) error { w.passed += d; return nil }, nil
}

// duration is [time.ParseDuration] with days.
func duration(s string) (time.Duration, error) {
	if days, found := strings.CutSuffix(s, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

func parseExpect(rest string) (func(*world) error, error) {
	fields := strings.Fields(rest)
	if len(fields) == 0 || len(fields) > 2 {
		return nil, fmt.Errorf("want RULE [SUBJECT]")
	}
	e := Expectation{Rule: rule.ID(fields[0])}
	if !declared(e.Rule) {
		return nil, fmt.Errorf("no rule %q: lockstep explain lists them", e.Rule)
	}
	if len(fields) == 2 {
		e.Subject = fields[1]
	}
	return func(w *world) error { w.expect(e); return nil }, nil
}
