package lesson

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/settings"
)

// A SetupError is something in a Setup that a person can mend.
type SetupError struct {
	Name    string   // of the switch, or scenario, profile
	Value   string   // that was asked for
	Problem string   // what is wrong with it
	Hint    string   // what to do, or ""
	Rule    rule.ID  // by which a browser would refuse what comes of it, or ""
	Values  []string // that there are; nil when the value is one of them and does not go with the others
}

func (e *SetupError) Error() string {
	text := fmt.Sprintf("%s %q: %s", e.Name, e.Value, e.Problem)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	if e.Values != nil {
		text += ": there are " + strings.Join(e.Values, ", ")
	}
	return text
}

// The switches that are no settings.
const (
	switchStart = "start" // the scheme of the first URL
	switchProxy = "proxy" // what stands before the site
	switchPath  = "path"  // who is on the path between the browser and everything else
)

// Values of switchPath.
const (
	pathScenario = "scenario" // who is there in the scenario
	pathStrips   = "strips"   // somebody who takes https away
)

// Values of switchProxy.
const (
	proxyNone    = "none"
	proxyIgnored = "ignored" // it ends TLS and says so, and the site does not listen
	proxyTrusted = "trusted" // the site listens
)

// proxyHeader is how the proxy says by which scheme it was asked.
const proxyHeader = "X-Forwarded-Proto"

// A turn is a switch of the panel: how it is called and what it may say.
type turn struct {
	name   string
	values []string
	quoted bool // the value is a string to Python, but for None and False
}

// turns are in the order of the panel.
var turns = []turn{
	{name: "SECURE_SSL_REDIRECT", values: []string{"True", "False"}},
	{name: "SESSION_COOKIE_SECURE", values: []string{"True", "False"}},
	{name: "CSRF_COOKIE_SECURE", values: []string{"True", "False"}},
	{name: "SESSION_COOKIE_HTTPONLY", values: []string{"True", "False"}},
	{name: "SESSION_COOKIE_SAMESITE", values: []string{"Lax", "Strict", "None", "False"}, quoted: true},
	{name: "SESSION_COOKIE_DOMAIN", values: []string{"None", "shop.test"}, quoted: true},
	{name: "SESSION_COOKIE_NAME", values: []string{"sessionid", "__Secure-sessionid", "__Host-sessionid"}, quoted: true},
	{name: "SECURE_HSTS_SECONDS", values: []string{"0", "3600", "31536000"}},
	{name: "SECURE_HSTS_INCLUDE_SUBDOMAINS", values: []string{"False", "True"}},
	{name: switchProxy, values: []string{proxyNone, proxyIgnored, proxyTrusted}},
	{name: switchStart, values: []string{"http", "https"}},
	{name: switchPath, values: []string{pathScenario, pathStrips}},
}

func switchNamed(name string) (turn, bool) {
	i := slices.IndexFunc(turns, func(t turn) bool { return t.name == name })
	if i < 0 {
		return turn{}, false
	}
	return turns[i], true
}

func switchNames() []string {
	names := make([]string, len(turns))
	for i, t := range turns {
		names[i] = t.name
	}
	return names
}

// An opening is what the switches say when nobody has turned one.
type opening struct {
	settings lockstep.Settings
	proxy    string
	start    string
}

func openingOf(s *scenario.Scenario) (opening, error) {
	begins := s.Opening()
	set, _, err := settings.Load(scenario.LessonSettings("*"), settings.Assignments(begins.Set, "scenario"))
	o := opening{settings: set, proxy: proxyNone, start: "http"}
	if begins.Proxy != "" {
		o.proxy = proxyIgnored
		if set.SecureProxySSLHeader[0] != "" {
			o.proxy = proxyTrusted
		}
	}
	if strings.HasPrefix(begins.URL, "https:") {
		o.start = "https"
	}
	return o, err
}

// value is what a switch says at the opening.
func (o opening) value(t turn) string {
	switch t.name {
	case switchStart:
		return o.start
	case switchProxy:
		return o.proxy
	case switchPath:
		return pathScenario
	}
	text, _ := settings.Format(o.settings, t.name)
	if t.name == "SESSION_COOKIE_SAMESITE" && text == "None" {
		return "False"
	}
	return strings.Trim(text, "'")
}

// Switches returns the switches of a scenario, "" for the lesson: first those that it names, then the others. There are
// none when there is no such scenario.
func (l *Library) Switches(name string) []Switch {
	e, err := l.entry(name)
	if err != nil {
		return nil
	}
	var all []Switch
	for _, name := range switchOrder(e.Switches) {
		t, _ := switchNamed(name)
		all = append(all, l.switchOf(t, e.opening.value(t)))
	}
	return all
}

// switchOrder is the order of the panel, with some in front.
func switchOrder(first []string) []string {
	all := slices.Clone(first)
	for _, t := range turns {
		if !slices.Contains(all, t.name) {
			all = append(all, t.name)
		}
	}
	return all
}

func (l *Library) switchOf(t turn, value string) Switch {
	words := l.words.Switches[t.name]
	s := Switch{Name: t.name, Label: words.Label, About: words.About, Default: value}
	values := t.values
	if !slices.Contains(values, value) {
		values = append(slices.Clone(values), value)
	}
	for _, v := range values {
		label := words.Values[v]
		if label == "" {
			label = v
		}
		s.Values = append(s.Values, Choice{Value: v, Label: label})
	}
	return s
}

// options are how a scenario is run under a setup, which comes back without what does not differ from
// the scenario's own.
func (e entry) options(s Setup) (scenario.Options, Setup, error) {
	o := scenario.Options{Settings: scenario.LessonSettings("*"), PassOver: true, Profile: browser.Chromium()}
	clean := Setup{Scenario: e.Name, Profile: s.Profile}
	if s.Profile != "" {
		p, ok := browser.ProfileNamed(s.Profile)
		if !ok {
			return o, clean, &SetupError{Name: "profile", Value: s.Profile, Problem: "there is no such profile", Values: Profiles()}
		}
		o.Profile = p
	}
	for _, name := range switchOrder(nil) {
		value, turned := s.Switches[name]
		t, _ := switchNamed(name)
		own := e.opening.value(t)
		switch {
		case !turned || value == own:
			continue
		case !slices.Contains(t.values, value):
			return o, clean, &SetupError{Name: name, Value: value, Problem: "there is no such value", Values: t.values}
		}
		t.turn(&o, value)
		if clean.Switches == nil {
			clean.Switches = map[string]string{}
		}
		clean.Switches[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(s.Switches)) {
		if _, ok := switchNamed(name); !ok {
			return o, clean, &SetupError{Name: name, Value: s.Switches[name], Problem: "there is no such switch", Values: switchNames()}
		}
	}
	return o, clean, nil
}

// Profiles are the names of the browsers that a Setup can name.
func Profiles() []string {
	var names []string
	for _, p := range browser.Profiles() {
		names = append(names, p.Name())
	}
	return names
}

// turn makes the switch say value, whatever the scenario says.
func (t turn) turn(o *scenario.Options, value string) {
	switch t.name {
	case switchStart:
		o.Start = value
	case switchProxy:
		turnProxy(o, value)
	case switchPath:
		o.Network = "stripped"
	default:
		if t.quoted && value != "False" && (value != "None" || t.name == "SESSION_COOKIE_SAMESITE") {
			value = "'" + value + "'"
		}
		o.Set = append(o.Set, t.name+"="+value)
	}
}

func turnProxy(o *scenario.Options, value string) {
	header, trusted := "None", "[]"
	o.Proxy = scenario.NoProxy
	if value != proxyNone {
		o.Proxy = proxyHeader
	}
	if value == proxyTrusted {
		header, trusted = "('HTTP_X_FORWARDED_PROTO', 'https')", "['127.0.0.1']"
	}
	o.Set = append(o.Set, "SECURE_PROXY_SSL_HEADER="+header, "TRUSTED_PROXIES="+trusted)
}
