package check

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/settings"
)

// What Django does not see of its cookies. The browser's rules judge: a cookie is written as Django
// would write it from the settings, and asked about.

// The prefixes of the settings of the two cookies.
var cookiePrefixes = []string{"SESSION_COOKIE_", "CSRF_COOKIE_"}

// cookies are the prefixes of those cookies that the project sets.
func (s *Subject) cookies() []string {
	if s.on("CSRF_USE_SESSIONS") {
		return cookiePrefixes[:1]
	}
	return cookiePrefixes
}

// line is the Set-Cookie line that Django writes for a cookie (django/http/response.py, set_cookie).
func (s *Subject) line(prefix string) string {
	text := s.text(prefix+"NAME") + "=value"
	if domain := s.text(prefix + "DOMAIN"); domain != "" {
		text += "; Domain=" + domain
	}
	if s.on(prefix + "HTTPONLY") {
		text += "; HttpOnly"
	}
	if age := s.number(prefix + "AGE"); age != 0 {
		text += fmt.Sprintf("; Max-Age=%d", age)
	}
	if path := s.text(prefix + "PATH"); path != "" {
		text += "; Path=" + path
	}
	if site := s.text(prefix + "SAMESITE"); site != "" {
		text += "; SameSite=" + site
	}
	if s.on(prefix + "SECURE") {
		text += "; Secure"
	}
	return text
}

// setsCookie is the part of a scenario in which the app sends a cookie as Django writes it, with
// escapes for what does not print.
func (s *Subject) setsCookie(prefix string) string {
	quoted := strconv.Quote(s.line(prefix))
	escaped := strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	return fmt.Sprintf("on / app plain\non / send Set-Cookie: %s\n", escaped)
}

// dropped is a check for a cookie that browsers refuse by one of the rules.
func dropped(c Check, rules ...rule.ID) Check {
	refusedBy := func(s *Subject, prefix string) (rule.ID, bool) {
		for _, problem := range cookie.Parse(s.line(prefix)).Problems(s.plain) {
			if slices.Contains(rules, problem) {
				return problem, true
			}
		}
		return "", false
	}
	c.Find = func(s *Subject) []Fault {
		var faults []Fault
		for _, prefix := range s.cookies() {
			_, refused := refusedBy(s, prefix)
			faults = append(faults, at(prefix+faultAt(c.ID), refused, "browsers at %s refuse %s", s.plain, settings.Literal(strings.Replace(s.line(prefix), "=value", "=…", 1)))...)
		}
		return faults
	}
	c.Show.Steps = func(s *Subject) []Sight {
		if id, refused := refusedBy(s, "SESSION_COOKIE_"); refused {
			return []Sight{{Step: 3, Rule: id, Subject: s.text("SESSION_COOKIE_NAME")}}
		}
		return nil
	}
	c.Show.Scenario = func(s *Subject) (string, Sight) {
		for _, prefix := range s.cookies() {
			if id, refused := refusedBy(s, prefix); refused {
				return s.setsCookie(prefix) + "visit " + s.url("https", "/") + "\n", Sight{Rule: id, Subject: s.text(prefix + "NAME")}
			}
		}
		return "", Sight{}
	}
	mend := c.Mend
	c.Mend = func(s *Subject) {
		for _, prefix := range s.cookies() {
			if _, refused := refusedBy(s, prefix); refused && mend == nil {
				mendCookie(s, prefix, c.ID)
			}
		}
	}
	return c
}

// faultAt is the last part of the name of the setting at which the cookie is wrong.
func faultAt(id string) string {
	return map[string]string{"lockstep.W121": "SAMESITE", "lockstep.W123": "NAME", "lockstep.W124": "DOMAIN"}[id]
}

func mendCookie(s *Subject, prefix, id string) {
	switch id {
	case "lockstep.W121":
		s.set(prefix+"SECURE", true)
	case "lockstep.W123":
		s.set(prefix+"SECURE", true)
		if strings.HasPrefix(strings.ToLower(s.text(prefix+"NAME")), "__host-") {
			s.set(prefix+"PATH", "/")
			s.set(prefix+"DOMAIN", nil)
		}
	case "lockstep.W124":
		s.set(prefix+"DOMAIN", nil)
	}
}

// eachCookie finds fault with each cookie of the project for which wrong holds, at one of its
// settings.
func eachCookie(part string, wrong func(s *Subject, prefix string) bool) func(*Subject) []Fault {
	return func(s *Subject) []Fault {
		var faults []Fault
		for _, prefix := range s.cookies() {
			faults = append(faults, at(prefix+part, wrong(s, prefix), "%s", s.show(prefix+part))...)
		}
		return faults
	}
}

// mendEach gives a setting of each cookie for which wrong holds a value.
func mendEach(part string, value any, wrong func(s *Subject, prefix string) bool) func(*Subject) {
	return func(s *Subject) {
		for _, prefix := range s.cookies() {
			if wrong(s, prefix) {
				s.set(prefix+part, value)
			}
		}
	}
}

// sameSiteIs returns whether a cookie has that SameSite, in any case.
func sameSiteIs(mode string) func(*Subject, string) bool {
	return func(s *Subject, prefix string) bool { return strings.EqualFold(s.text(prefix+"SAMESITE"), mode) }
}

// noSameSite reports whether a cookie goes out without SameSite.
func noSameSite(s *Subject, prefix string) bool { return !s.on(prefix + "SAMESITE") }

func widePath(s *Subject, prefix string) bool { return s.text(prefix+"PATH") != "/" }

// sharedDomain reports whether a cookie that browsers take goes to other hosts too.
func sharedDomain(s *Subject, prefix string) bool {
	domain := strings.TrimPrefix(s.text(prefix+"DOMAIN"), ".")
	return domain != "" && len(cookie.Parse(s.line(prefix)).Problems(s.plain)) == 0
}

func tooOld(s *Subject, prefix string) bool { return s.number(prefix+"AGE") > longestAge }

// crossSite is a run in which a page of another site has the browser send a form to this one, after it
// set its session cookie, or the other cookie when setup is the part that sets it.
func crossSite(s *Subject, setup string) string {
	return setup + fmt.Sprintf("visit %[1]s\nfrom https://evil.test/\npost %[1]s a=1\n", s.url("https", "/"))
}

// sentAcross is a Proof by such a run for the first cookie for which wrong holds.
func sentAcross(id rule.ID, wrong func(*Subject, string) bool) Proof {
	return Proof{Scenario: func(s *Subject) (string, Sight) {
		setup, prefix := "", "SESSION_COOKIE_"
		if !wrong(s, prefix) {
			prefix = "CSRF_COOKIE_"
			setup = s.setsCookie(prefix)
		}
		return crossSite(s, setup), Sight{Rule: id, Subject: s.text(prefix + "NAME")}
	}}
}

// stored is a Proof by the step in which the session cookie is stored.
func stored(id rule.ID) Proof {
	return Proof{Steps: func(s *Subject) []Sight {
		return []Sight{{Step: 3, Rule: id, Subject: s.text("SESSION_COOKIE_NAME")}}
	}}
}

var cookieChecks = []Check{
	{
		ID: "lockstep.W120", Severity: Medium, Source: "OWASP ASVS 3.3.2", Settings: []string{"SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE"},
		Title: "A cookie has no SameSite",
		Doc:   "What it means is then up to the browser: some take it for Lax, some send the cookie along whatever site asks.",
		Fix:   "Write 'Lax'.",
		Find:  eachCookie("SAMESITE", noSameSite),
		Show:  sentAcross("note-lax-allow-unsafe", noSameSite),
		Mend:  mendEach("SAMESITE", "Lax", noSameSite),
	},
	dropped(Check{
		ID: "lockstep.W121", Severity: Critical, Source: "RFC 6265bis-22, section 5.7, step 19", Settings: []string{"SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE"},
		Title: "A cookie with SameSite=None has no Secure",
		Doc:   "Browsers refuse it, so that nobody stays logged in.",
		Fix:   "Set the cookie Secure, or write 'Lax'.",
	}, "store-none-not-secure"),
	{
		ID: "lockstep.W122", Severity: Medium, Source: "OWASP ASVS 3.3.2", Settings: []string{"SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE"},
		Title: "A cookie is sent with requests of other sites",
		Doc:   "SameSite=None takes away the lock that stands before the CSRF token: the cookie comes along with every form that any site has a browser send. Without CsrfViewMiddleware nothing is left between the two.",
		Fix:   "Write 'Lax', unless the site is shown in frames of others.",
		Find: func(s *Subject) []Fault {
			faults := eachCookie("SAMESITE", sameSiteIs("None"))(s)
			if s.middleware(csrfMiddleware) {
				return faults
			}
			return only(Critical, faults)
		},
		Show: sentAcross("send-ok", sameSiteIs("None")),
		Mend: mendEach("SAMESITE", "Lax", sameSiteIs("None")),
	},
	dropped(Check{
		ID: "lockstep.W123", Severity: High, Source: "RFC 6265bis-22, section 5.7, steps 20 and 21", Settings: []string{"SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME"},
		Title: "The name of a cookie promises what its settings do not keep",
		Doc:   "Browsers refuse a cookie of a __Host- name that has a Domain, another Path than / or no Secure, and one of a __Secure- name without Secure: nobody stays logged in.",
		Fix:   "Set SECURE = True, PATH = '/' and DOMAIN = None for a __Host- name, and SECURE = True for a __Secure- name.",
	}, "store-prefix-host", "store-prefix-secure"),
	dropped(Check{
		ID: "lockstep.W124", Severity: High, Source: "RFC 6265bis-22, section 5.7, steps 9 and 10", Settings: []string{"SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN"},
		Title: "The Domain of a cookie is not one of the site's",
		Doc:   "Browsers refuse a Domain that is a public suffix, such as com, and one that the host is not under: nobody stays logged in.",
		Fix:   "Set the domain to None.",
	}, "store-public-suffix", "store-domain-mismatch", "store-domain-non-ascii"),
	{
		ID: "lockstep.W125", Severity: Low, Source: "OWASP Session Management Cheat Sheet", Settings: []string{"SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN"},
		Title: "A cookie is sent to every host under its Domain",
		Doc:   "Each of them, and whoever takes one over, gets the session, and can set a cookie of that name for all.",
		Fix:   "Set the domain to None, unless the session is meant to be shared.",
		Find:  eachCookie("DOMAIN", sharedDomain),
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			for _, prefix := range s.cookies() {
				if domain := strings.TrimPrefix(s.text(prefix+"DOMAIN"), "."); sharedDomain(s, prefix) {
					return s.setsCookie(prefix) + fmt.Sprintf("visit %s\nvisit https://forgotten.%s/elsewhere\n", s.url("https", "/"), domain),
						Sight{Rule: "send-ok", Subject: s.text(prefix + "NAME")}
				}
			}
			return "", Sight{}
		}},
		Mend: mendEach("DOMAIN", nil, sharedDomain),
	},
	{
		ID: "lockstep.W126", Severity: Low, Source: "RFC 6265bis-22, section 8.6", Settings: []string{"SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH"},
		Title: "The Path of a cookie is taken for a wall",
		Doc:   "A path keeps no other application of the host from the cookie: scripts of one reach the pages of the other. It does keep the cookie from the rest of the site, and from a __Host- name.",
		Fix:   "Write '/', and give each application a host of its own.",
		Find:  eachCookie("PATH", widePath),
		Show: Proof{Steps: func(s *Subject) []Sight {
			return []Sight{{Step: 4, Rule: "send-path", Subject: s.text("SESSION_COOKIE_NAME")}, {Step: 3, Rule: "note-default-path", Subject: s.text("SESSION_COOKIE_NAME")}}
		}, Scenario: func(s *Subject) (string, Sight) {
			return s.setsCookie("CSRF_COOKIE_") + "visit " + s.url("https", "/") + "\nvisit " + s.url("https", "/") + "\n", Sight{Rule: "send-path", Subject: s.text("CSRF_COOKIE_NAME")}
		}},
		Mend: mendEach("PATH", "/", widePath),
	},
	{
		ID: "lockstep.W127", Severity: Low, Source: "RFC 6265bis-22, section 5.5", Settings: []string{"SESSION_COOKIE_AGE", "CSRF_COOKIE_AGE"},
		Title: "A cookie is meant to last longer than browsers keep any",
		Doc:   "They cut it to 400 days, and a session of years is one that a stolen laptop still has.",
		Fix:   "Write two weeks, 1209600, or what the site needs.",
		Find:  eachCookie("AGE", tooOld),
		Show: Proof{Steps: func(s *Subject) []Sight {
			return []Sight{{Step: 3, Rule: "note-lifetime-capped", Subject: s.text("SESSION_COOKIE_NAME")}}
		}, Scenario: func(s *Subject) (string, Sight) {
			return s.setsCookie("CSRF_COOKIE_") + "visit " + s.url("https", "/") + "\n", Sight{Rule: "note-lifetime-capped", Subject: s.text("CSRF_COOKIE_NAME")}
		}},
		Mend: func(s *Subject) {
			if tooOld(s, "SESSION_COOKIE_") {
				s.set("SESSION_COOKIE_AGE", int64(s.defaults.SessionCookieAge))
			}
			if tooOld(s, "CSRF_COOKIE_") {
				s.set("CSRF_COOKIE_AGE", int64(s.defaults.CSRFCookieAge))
			}
		},
	},
	{
		ID: "lockstep.W128", Severity: Medium, Source: "Django, django/middleware/csrf.py", Settings: []string{"CSRF_COOKIE_DOMAIN", "SESSION_COOKIE_DOMAIN"},
		Title: "The session cookie and the CSRF cookie go to different hosts",
		Doc:   "On a host that gets one and not the other a person is logged in and every form fails, or the other way round.",
		Fix:   "Give both the same domain; None is best.",
		Find: func(s *Subject) []Fault {
			session, csrf := s.cookieDomain("SESSION_COOKIE_"), s.cookieDomain("CSRF_COOKIE_")
			return when(!s.on("CSRF_USE_SESSIONS") && session != csrf, "%s with %s", s.show("CSRF_COOKIE_DOMAIN"), s.show("SESSION_COOKIE_DOMAIN"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			narrow := "CSRF_COOKIE_"
			if s.cookieDomain(narrow) != "" {
				narrow = "SESSION_COOKIE_"
			}
			return s.setsCookie(narrow) + fmt.Sprintf("visit %s\nvisit https://www.%s/elsewhere\n", s.url("https", "/"), s.plain),
				Sight{Rule: "send-host-only", Subject: s.text(narrow + "NAME")}
		}},
		Mend: func(s *Subject) {
			s.set("SESSION_COOKIE_DOMAIN", nil)
			s.set("CSRF_COOKIE_DOMAIN", nil)
		},
	},
	{
		ID: "lockstep.W129", Severity: High, Source: "Python's http.cookies; Django, set_cookie", Settings: []string{"SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE", "SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH", "SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN", "SESSION_COOKIE_AGE", "CSRF_COOKIE_AGE"},
		Title: "A cookie cannot be set as the settings have it",
		Doc:   "Django answers with a server error, or the cookie is overwritten or gone at once: nobody can log in.",
		Fix:   "Write what the finding says.",
		Find:  findImpossibleCookies,
		Show:  Proof{Words: "The value does not run: the Guard refuses it."},
		Mend:  mendImpossibleCookies,
	},
	{
		ID: "lockstep.W131", Severity: Low, Source: "Django setting LANGUAGE_COOKIE_SECURE", Settings: []string{"LANGUAGE_COOKIE_SECURE", "MIDDLEWARE"},
		Title: "The language cookie goes over plain HTTP",
		Doc:   "It is a third cookie with attributes of its own, which Django's check leaves out. Without LocaleMiddleware nobody reads it, and it is not counted.",
		Fix:   "Set LANGUAGE_COOKIE_SECURE = True.",
		Find: func(s *Subject) []Fault {
			faults := when(!s.on("LANGUAGE_COOKIE_SECURE"), "%s", s.show("LANGUAGE_COOKIE_SECURE"))
			if s.holdsText("MIDDLEWARE", localeMiddleware) {
				return faults
			}
			return only(Info, faults)
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return "set SECURE_HSTS_SECONDS=0\non / app plain\non / send Set-Cookie: django_language=en; Path=/\n" +
				fmt.Sprintf("visit %s\nvisit %s\n", s.url("https", "/"), s.url("http", "/")), Sight{Rule: "send-ok", Subject: "django_language", Scheme: "http"}
		}},
		Mend: sets("LANGUAGE_COOKIE_SECURE", true),
	},
	{
		ID: "lockstep.W132", Severity: Info, Source: "RFC 6265bis-22, section 8.8", Settings: []string{"SESSION_COOKIE_SAMESITE"},
		Title: "The session cookie does not come along when a link leads to the site",
		Doc:   "With SameSite=Strict who follows a link in a mail, or comes back from a login at another site, is not logged in on the first page. It is safe, and not counted.",
		Fix:   "Where that is not wanted, 'Lax'.",
		Find: func(s *Subject) []Fault {
			return when(sameSiteIs("Strict")(s, "SESSION_COOKIE_"), "%s", s.show("SESSION_COOKIE_SAMESITE"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return fmt.Sprintf("visit %[1]s\nfrom https://mail.test/\nvisit %[1]s\n", s.url("https", "/")), Sight{Rule: "send-samesite-strict", Subject: s.text("SESSION_COOKIE_NAME")}
		}},
	},
}

func (s *Subject) cookieDomain(prefix string) string {
	return strings.ToLower(strings.TrimPrefix(s.text(prefix+"DOMAIN"), "."))
}

// findImpossibleCookies tells what Lockstep refuses of cookies and no other check does.
func findImpossibleCookies(s *Subject) []Fault {
	var faults []Fault
	for _, e := range s.impossibleCookies() {
		faults = append(faults, at(e.Setting, true, "%s", refusal(e))...)
	}
	return faults
}

// impossibleCookies are the refusals of cookie settings beside those that other checks judge.
func (s *Subject) impossibleCookies() []*lockstep.SettingError {
	var all []*lockstep.SettingError
	for _, e := range s.refused {
		ours := strings.HasPrefix(e.Setting, "SESSION_COOKIE_") || strings.HasPrefix(e.Setting, "CSRF_COOKIE_")
		prefixed := strings.HasSuffix(e.Setting, "_NAME") && strings.HasPrefix(strings.ToLower(s.text(e.Setting)), "__")
		none := strings.HasSuffix(e.Setting, "_SAMESITE") && strings.EqualFold(s.text(e.Setting), "none")
		if ours && !prefixed && !none && !isBoolean(e.Setting) {
			all = append(all, e)
		}
	}
	return all
}

func mendImpossibleCookies(s *Subject) {
	for _, e := range s.impossibleCookies() {
		value, _ := settings.Python(s.defaults, e.Setting)
		s.set(e.Setting, value)
	}
}

// compile reads a pattern of SECURE_REDIRECT_EXEMPT.
func compile(pattern string) (*regexp.Regexp, error) { return regexp.Compile(pattern) }
