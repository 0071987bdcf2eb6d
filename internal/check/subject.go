package check

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

// ErrDjango is that a version is not one of those that checks are for.
var ErrDjango = errors.New("not a Django that is known here: there are 3.2, 4.2, 5.2, 6.0 and 6.1, and their patches, such as 5.2.14")

// Newest is the series of Django that settings are taken to be of when nothing tells.
const Newest = "6.1"

// A Subject is the settings that are audited, as Django has them: what was read, and Django's
// defaults for the rest.
type Subject struct {
	version  [3]int // of Django; a series alone is its newest patch
	project  *settings.Project
	defaults lockstep.Settings
	loaded   lockstep.Settings
	refused  []*lockstep.SettingError // by Lockstep, which takes only what can work
	values   map[string]any           // what was read, then what a patch gave
	patch    map[string]line          // what a patch gave
	plain    string                   // the host of the visits
	mending  string                   // the check whose Mend is at work
}

// newSubject prepares the settings of p for the checks.
func newSubject(p *settings.Project, version string) (*Subject, error) {
	s := &Subject{
		project: p, defaults: lockstep.DjangoDefaults(version),
		values: map[string]any{}, patch: map[string]line{},
	}
	if err := s.parseVersion(version); err != nil {
		return nil, err
	}
	loaded, _, err := settings.Load(s.defaults, p.Source())
	s.loaded = loaded
	s.refused = settingErrors(err)
	s.refused = append(s.refused, settingErrors(newErrors(runnable(loaded)))...)
	for _, v := range p.Values() {
		s.values[v.Name] = v.Python
		if python, ours := settings.Python(loaded, v.Name); ours && !p.Printed() && !s.refuses(v.Name) {
			s.values[v.Name] = python // TOML has no None
		}
	}
	s.plain = s.chooseHost()
	return s, nil
}

// runnable are settings with what a run adds: a key of its own, and the proxy before the site.
func runnable(loaded lockstep.Settings) lockstep.Settings {
	loaded.SecretKey = rand.Text() + rand.Text()
	loaded.SecretKeyFallbacks = nil
	behind := loaded.SecureProxySSLHeader != [2]string{} || loaded.UseXForwardedHost || loaded.UseXForwardedPort
	if behind && len(loaded.TrustedProxies) == 0 && !loaded.InsecureTrustAnyProxy {
		loaded.TrustedProxies = []string{loopback}
	}
	return loaded
}

// loopback is where the requests of a run come from.
const loopback = "127.0.0.1"

func newErrors(s lockstep.Settings) error {
	_, err := lockstep.New(s, lockstep.Options{})
	return err
}

// settingErrors takes a joined error apart.
func settingErrors(err error) []*lockstep.SettingError {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*lockstep.SettingError
		for _, one := range several.Unwrap() {
			all = append(all, settingErrors(one)...)
		}
		return all
	}
	if bad, ok := errors.AsType[*lockstep.SettingError](err); ok {
		return []*lockstep.SettingError{bad}
	}
	return nil
}

// parseVersion reads "5.2" or "5.2.14".
func (s *Subject) parseVersion(text string) error {
	if errs := settingErrors(newErrors(runnable(lockstep.DjangoDefaults(text)))); slices.ContainsFunc(errs, func(e *lockstep.SettingError) bool { return e.Setting == "DJANGO_VERSION" }) {
		return fmt.Errorf("%q: %w", text, ErrDjango)
	}
	s.version[2] = 1 << 30
	for i, part := range strings.Split(text, ".") {
		s.version[i], _ = strconv.Atoi(part)
	}
	return nil
}

// since reports whether the Django is of that version or a later one.
func (s *Subject) since(major, minor int) bool {
	return cmp.Or(cmp.Compare(s.version[0], major), cmp.Compare(s.version[1], minor)) >= 0
}

// patched reports whether the Django has a patch of its series.
func (s *Subject) patched(patch int) bool { return s.version[2] >= patch }

// refuses reports whether Lockstep refuses the setting.
func (s *Subject) refuses(name string) bool { return len(s.refusals(name)) > 0 }

func (s *Subject) refusals(name string) []*lockstep.SettingError {
	var all []*lockstep.SettingError
	for _, e := range s.refused {
		if e.Setting == name {
			all = append(all, e)
		}
	}
	return all
}

// The defaults of Django for settings that Lockstep does not have.
var otherDefaults = map[string]any{
	"CSRF_FAILURE_VIEW":         "django.views.csrf.csrf_failure",
	"DEFAULT_HASHING_ALGORITHM": "sha256",
	"INSTALLED_APPS":            []any{},
	"LANGUAGE_COOKIE_SECURE":    false,
	"MIDDLEWARE":                []any{},
	"SECURE_CSP":                settings.Dict{},
	"SECURE_CSP_REPORT_ONLY":    settings.Dict{},
	"SESSION_SERIALIZER":        "django.contrib.sessions.serializers.JSONSerializer",
	"SILENCED_SYSTEM_CHECKS":    []any{},
	"TEMPLATES":                 []any{},
}

// template is the MIDDLEWARE of a new project, in whose order Django's documentation wants it.
var template = []any{
	securityMiddleware, sessionMiddleware, commonMiddleware, csrfMiddleware,
	"django.contrib.auth.middleware.AuthenticationMiddleware",
	"django.contrib.messages.middleware.MessageMiddleware", frameMiddleware,
}

// Dotted paths of Django.
const (
	securityMiddleware = "django.middleware.security.SecurityMiddleware"
	sessionMiddleware  = "django.contrib.sessions.middleware.SessionMiddleware"
	commonMiddleware   = "django.middleware.common.CommonMiddleware"
	csrfMiddleware     = "django.middleware.csrf.CsrfViewMiddleware"
	frameMiddleware    = "django.middleware.clickjacking.XFrameOptionsMiddleware"
	localeMiddleware   = "django.middleware.locale.LocaleMiddleware"
	cspMiddleware      = "django.middleware.csp.ContentSecurityPolicyMiddleware"
	sessionApp         = "django.contrib.sessions"
)

// value is a setting as Python has it.
func (s *Subject) value(name string) any {
	if value, ok := s.values[name]; ok {
		return value
	}
	if value, ours := settings.Python(s.defaults, name); ours {
		return value
	}
	if !s.project.Printed() { // the Guard does what the middleware does
		switch name {
		case "MIDDLEWARE":
			return template
		case "INSTALLED_APPS":
			return []any{sessionApp}
		}
	}
	return otherDefaults[name]
}

// given reports whether the text names the setting, or the patch does.
func (s *Subject) given(name string) bool {
	_, ok := s.values[name]
	return ok
}

// is reports whether a setting is exactly the value, as Python's "is" and "==" on constants do.
func (s *Subject) is(name string, value any) bool {
	switch v := s.value(name).(type) {
	case nil, bool, int64, float64, string:
		return v == value
	default:
		return false
	}
}

// on reports whether a setting counts as true in Python.
func (s *Subject) on(name string) bool { return truthy(s.value(name)) }

func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case settings.Bytes:
		return v != ""
	case []any:
		return len(v) > 0
	case settings.Dict:
		return len(v) > 0
	default:
		return true
	}
}

// text returns a setting that is a string, else "".
func (s *Subject) text(name string) string {
	text, _ := s.value(name).(string)
	return text
}

// number returns a setting that is a whole number, else 0. True is 1, as in Python.
func (s *Subject) number(name string) int64 {
	switch v := s.value(name).(type) {
	case int64:
		return v
	case bool:
		return map[bool]int64{true: 1}[v]
	}
	return 0
}

// texts returns the strings in a setting that is a list, and nothing of one that is not.
func (s *Subject) texts(name string) []string { return textsIn(s.value(name)) }

func textsIn(value any) []string {
	items, _ := value.([]any)
	var texts []string
	for _, item := range items {
		if text, ok := item.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// holds reports whether a setting that is a list holds the item. One that could not be read holds
// everything, so that nothing is said of it.
func (s *Subject) holds(name, item string) bool {
	if _, unread := s.value(name).(settings.Opaque); unread {
		return true
	}
	return slices.Contains(s.texts(name), item)
}

func (s *Subject) middleware(item string) bool { return s.holds("MIDDLEWARE", item) }

// show writes "NAME = value" as Django would be given it.
func (s *Subject) show(name string) string { return name + " = " + s.literal(name) }

// literal writes the value of a setting, '…' where it may be a secret.
func (s *Subject) literal(name string) string {
	return settings.Value{Name: name, Python: s.value(name)}.String()
}

// A line is one line of a patch.
type line struct {
	code    string // what follows "NAME = "; or, when whole, the line itself
	whole   bool
	comment string
	checks  []string // the checks that asked for it
}

// set gives a setting a value, by a line in the patch.
func (s *Subject) set(name string, value any) {
	s.setAs(name, value, line{code: settings.Literal(value)})
}

// setAs is set where the patch cannot have the value itself: a secret, or a place to fill in.
func (s *Subject) setAs(name string, value any, l line) {
	s.values[name] = value
	if l.code == "" {
		l.code = settings.Literal(value)
	}
	s.write(name, l)
}

// write puts a line into the patch, in place of the one that is there under the same name.
func (s *Subject) write(name string, l line) {
	l.checks = s.patch[name].checks
	if !slices.Contains(l.checks, s.mending) {
		l.checks = append(slices.Clone(l.checks), s.mending)
	}
	s.patch[name] = l
}

// filter keeps those strings of a list for which keep is true.
func (s *Subject) filter(name string, keep func(string) bool) []any {
	kept := []any{}
	for _, text := range s.texts(name) {
		if keep(text) {
			kept = append(kept, text)
		}
	}
	return kept
}

// mended is a subject of its own with the same values, to be changed.
func (s *Subject) mended() *Subject {
	m := *s
	m.values, m.patch = maps.Clone(s.values), map[string]line{}
	return &m
}

// again works out anew what Lockstep refuses, after changes. Settings of types that it cannot take
// are refused as before.
func (s *Subject) again() {
	var literals []string
	for name, value := range s.values {
		if _, ours := settings.Python(s.defaults, name); ours {
			literals = append(literals, name+"="+assignable(name, value))
		}
	}
	slices.Sort(literals)
	loaded, _, err := settings.Load(s.defaults, settings.Assignments(literals, "patch"))
	s.loaded = loaded
	s.refused = append(settingErrors(err), settingErrors(newErrors(runnable(loaded)))...)
	s.plain = s.chooseHost()
}

// assignable writes a value for [settings.Assignments], in which a SameSite of None is written
// False.
func assignable(name string, value any) string {
	if value == nil && strings.HasSuffix(name, "_SAMESITE") {
		return "False"
	}
	return settings.Literal(value)
}
