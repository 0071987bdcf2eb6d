package check

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/settings"
)

// What Django does not see of the project as a whole: types, names, the order of middleware.

// isBoolean reports whether a setting is True or False.
func isBoolean(name string) bool {
	value, ours := settings.Python(lockstep.Settings{}, name)
	_, is := value.(bool)
	return ours && is && !strings.HasSuffix(name, "_SAMESITE") || name == "LANGUAGE_COOKIE_SECURE"
}

// booleans are the settings that are, in the order of lockstep.Settings.
func booleans() []string {
	var names []string
	for f := range settings.Fields(lockstep.Settings{}) {
		if isBoolean(f.Name) {
			names = append(names, f.Name)
		}
	}
	return append(names, "LANGUAGE_COOKIE_SECURE")
}

// mistyped reports whether a setting that is True or False holds something else.
func (s *Subject) mistyped(name string) bool {
	switch s.value(name).(type) {
	case bool, settings.Opaque:
		return false
	}
	return true
}

// meant is the truth value that text says.
func meant(value any) bool {
	text, isText := value.(string)
	if !isText {
		return truthy(value)
	}
	return !slices.Contains([]string{"", "false", "no", "off", "0", "none", "f", "n"}, strings.ToLower(strings.TrimSpace(text)))
}

// refusedFaults are the refusals of one setting as faults.
func (s *Subject) refusedFaults(name string) []Fault {
	var faults []Fault
	for _, e := range s.refusals(name) {
		faults = append(faults, when(true, "%s", refusal(e))...)
	}
	return faults
}

// refusal tells why Lockstep refuses a setting.
func refusal(e *lockstep.SettingError) string { return e.Error() }

// judged reports whether another check speaks of what Lockstep refuses.
func (s *Subject) judged(e *lockstep.SettingError) bool {
	switch e.Setting {
	case "ALLOWED_HOSTS", "SECURE_REDIRECT_EXEMPT", "CSRF_TRUSTED_ORIGINS", "SECURE_PROXY_SSL_HEADER", "X_FRAME_OPTIONS",
		"SECRET_KEY", "SECRET_KEY_FALLBACKS", "SECURE_CROSS_ORIGIN_OPENER_POLICY":
		return true
	case "SECURE_REFERRER_POLICY":
		return len(findReferrerPolicy(s)) > 0
	case "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT":
		return true // it is about TRUSTED_PROXIES, which Django does not have
	case "SECURE_HSTS_SECONDS":
		return s.number(e.Setting) < 0
	}
	return strings.HasPrefix(e.Setting, "SESSION_COOKIE_") || strings.HasPrefix(e.Setting, "CSRF_COOKIE_") || isBoolean(e.Setting)
}

func (s *Subject) unjudged() []*lockstep.SettingError {
	return slices.DeleteFunc(slices.Clone(s.refused), s.judged)
}

// An order is two middlewares of which the first has to stand before the second.
type order struct{ first, second, why string }

// The orders that Django's documentation asks for (ref/middleware, "Middleware ordering").
var orders = []order{
	{securityMiddleware, sessionMiddleware, redirectedFirst},
	{securityMiddleware, commonMiddleware, redirectedFirst},
	{securityMiddleware, csrfMiddleware, redirectedFirst},
	{securityMiddleware, "django.contrib.auth.middleware.AuthenticationMiddleware", redirectedFirst},
	{securityMiddleware, "django.contrib.messages.middleware.MessageMiddleware", redirectedFirst},
	{securityMiddleware, localeMiddleware, redirectedFirst},
	{securityMiddleware, frameMiddleware, redirectedFirst},
	{securityMiddleware, "django.middleware.cache.FetchFromCacheMiddleware", redirectedFirst},
	{securityMiddleware, "django.middleware.gzip.GZipMiddleware", redirectedFirst},
	{securityMiddleware, "django.contrib.sites.middleware.CurrentSiteMiddleware", redirectedFirst},
	{securityMiddleware, "whitenoise.middleware.WhiteNoiseMiddleware", "files are sent without its headers, and over http"},
	{sessionMiddleware, csrfMiddleware, "the CSRF protection finds no session in which it could keep its secret"},
	{sessionMiddleware, "django.contrib.auth.middleware.AuthenticationMiddleware", "nobody is ever logged in"},
	{csrfMiddleware, "django.contrib.auth.middleware.RemoteUserMiddleware", "a request without a token logs somebody in"},
}

const redirectedFirst = "what it answers goes out without the redirect to https and without security headers"

// broken are the orders that MIDDLEWARE does not keep.
func (s *Subject) broken() []order {
	list := s.texts("MIDDLEWARE")
	var all []order
	for _, o := range orders {
		first, second := slices.Index(list, o.first), slices.Index(list, o.second)
		if first >= 0 && second >= 0 && first > second {
			all = append(all, o)
		}
	}
	return all
}

func short(dotted string) string { return dotted[strings.LastIndexByte(dotted, '.')+1:] }

var projectChecks = []Check{
	{
		ID: "lockstep.W100", Severity: Medium, Source: "Lockstep", Settings: []string{"SESSION_ENGINE", "SECURE_SSL_HOST", "SECURE_HSTS_SECONDS", "CSRF_HEADER_NAME", "TRUSTED_PROXIES"},
		Title: "A setting has a value that cannot work",
		Doc:   "The Guard refuses it when it starts, as it can work in no browser or on no request.",
		Fix:   "Write what the finding says.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, e := range s.unjudged() {
				if e.Setting == "SESSION_ENGINE" { // one of the project's own is fine in Django
					faults = append(faults, at(e.Setting, true, "%s; it is left out of the run", refusal(e))...)
					only(Info, faults[len(faults)-1:])
					continue
				}
				faults = append(faults, at(e.Setting, true, "%s", refusal(e))...)
			}
			return faults
		},
		Show: Proof{Words: "The value does not run: the Guard refuses it."},
		Mend: func(s *Subject) {
			for _, e := range s.unjudged() {
				if value, ours := settings.Python(s.defaults, e.Setting); ours && e.Setting != "SESSION_ENGINE" {
					s.set(e.Setting, value)
				}
			}
		},
	},
	{
		ID: "lockstep.W180", Severity: High, Source: "Python, truth value testing", Settings: booleans(),
		Title: "A setting that is True or False is something else",
		Doc:   "Any string that is not empty counts as true, 'False' among them: values of the environment have to be read before they are set. What is meant to be off is on, and what looks on may pass one check and fail another.",
		Fix:   "Write True or False, without quotes; read the environment with os.environ[...] == 'True'.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, name := range booleans() {
				faults = append(faults, at(name, s.given(name) && s.mistyped(name), "%s counts as %s", s.show(name), settings.Literal(s.on(name)))...)
			}
			return faults
		},
		Show: Proof{Words: "It runs as Django takes it, which the steps show."},
		Mend: func(s *Subject) {
			for _, name := range booleans() {
				if s.given(name) && s.mistyped(name) {
					s.set(name, meant(s.value(name)))
				}
			}
		},
	},
	{
		ID: "lockstep.W190", Severity: Medium, Source: "Django, ref/middleware, \"Middleware ordering\"", Settings: []string{"MIDDLEWARE"},
		Title: "MIDDLEWARE is in an order in which something is passed by",
		Doc:   "A middleware that answers by itself keeps those behind it from the request and from the answer.",
		Fix:   "Put SecurityMiddleware first, and the others in the order of a new project.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, o := range s.broken() {
				faults = append(faults, when(true, "%s stands behind %s: %s", short(o.first), short(o.second), o.why)...)
			}
			return faults[:min(len(faults), 1)]
		},
		Show: Proof{Words: "The Guard has one order, in which the redirect comes first; the one of the project is not there to be run."},
		Mend: func(s *Subject) {
			list := s.texts("MIDDLEWARE")
			for range len(list) * len(orders) {
				broken := s.broken()
				if len(broken) == 0 {
					return
				}
				first, second := slices.Index(list, broken[0].first), slices.Index(list, broken[0].second)
				list = slices.Delete(list, first, first+1)
				list = slices.Insert(list, second, broken[0].first)
				s.set("MIDDLEWARE", anysOf(list))
			}
		},
	},
	{
		ID: "lockstep.W191", Severity: Medium, Source: "Lockstep", Settings: []string{"SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"},
		Title: "A setting of another name was probably meant",
		Doc:   "Django takes any name and reads only its own: a misspelt setting does nothing, and nothing says so.",
		Fix:   "Write the name that the finding says.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for name, near := range s.misspelt() {
				faults = append(faults, at(name, !s.moved(name), "%s is no setting of Django; %s is", name, near)...)
			}
			return faults
		},
		Show: Proof{Words: "Nothing happens, which is the harm."},
		Mend: func(s *Subject) {
			for name, near := range s.misspelt() {
				s.write("del "+name, line{whole: true, code: fmt.Sprintf("%s = %s\ndel %s", near, name, name)})
				s.values[near] = s.values[name]
			}
		},
	},
}

// misspelt yields the settings that Django does not have, and those that were probably meant. Where
// the one that may have been meant is set too, the other is a name of the project's own.
func (s *Subject) misspelt() iter.Seq2[string, string] {
	return func(yield func(name, meant string) bool) {
		for _, v := range s.project.Values() {
			if s.project.Printed() && v.State != settings.Foreign || s.isDjangos(v.Name) {
				continue
			}
			near := settings.Nearest(v.Name)
			if also, ok := s.project.Lookup(near); near == "" || ok && also.State == settings.Changed {
				continue
			}
			if !yield(v.Name, near) {
				return
			}
		}
	}
}

// isDjangos reports whether Lockstep or this Django has a setting of that name.
func (s *Subject) isDjangos(name string) bool {
	if _, other := otherDefaults[name]; other {
		return true
	}
	_, ours := settings.Python(s.defaults, name)
	return ours
}

// moved reports whether the patch has taken a misspelt name away.
func (s *Subject) moved(name string) bool {
	_, ok := s.patch["del "+name]
	return ok
}
