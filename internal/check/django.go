package check

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/settings"
)

// The checks of Django's "check --deploy", with its ids and conditions
// (django/core/checks/security and compatibility/django_4_0.py).

// isTrue reports whether a setting satisfies Django's checks of cookies: it has to be True exactly,
// and before 4.0 anything that counts as true will do.
func (s *Subject) isTrue(name string) bool {
	if !s.since(4, 0) {
		return s.on(name)
	}
	return s.is(name, true)
}

// security reports whether SecurityMiddleware is there; without it only W001 speaks.
func (s *Subject) security() bool { return s.middleware(securityMiddleware) }

func (s *Subject) hsts() bool { return s.security() && s.on("SECURE_HSTS_SECONDS") }

// notTrue is the finding of most checks.
func (s *Subject) notTrue(name string) []Fault { return when(!s.is(name, true), "%s", s.show(name)) }

var djangoChecks = []Check{
	{
		ID: "security.W001", Severity: High, Source: "Django, check_security_middleware", Settings: []string{"MIDDLEWARE"},
		Title: "SecurityMiddleware is not in MIDDLEWARE",
		Doc:   "Nothing that begins with SECURE_ has any effect: no redirect to https, no Strict-Transport-Security, no other header.",
		Fix:   "Put django.middleware.security.SecurityMiddleware first in MIDDLEWARE.",
		Find: func(s *Subject) []Fault {
			return when(!s.security(), "MIDDLEWARE does not hold %s", securityMiddleware)
		},
		Show: inStep(1, "redirect-off", "", "http"),
		Mend: adds(securityMiddleware),
	},
	{
		ID: "security.W002", Severity: Low, Source: "Django, check_xframe_options_middleware", Settings: []string{"MIDDLEWARE"},
		Title: "XFrameOptionsMiddleware is not in MIDDLEWARE",
		Doc:   "Pages are sent without X-Frame-Options, so that any site can put them into a frame of its own and have people click on them unseen.",
		Fix:   "Put django.middleware.clickjacking.XFrameOptionsMiddleware last in MIDDLEWARE.",
		Find: func(s *Subject) []Fault {
			return when(!s.middleware(frameMiddleware), "MIDDLEWARE does not hold %s", frameMiddleware)
		},
		Show: inStep(2, "header-off", "X-Frame-Options", "https"),
		Mend: adds(frameMiddleware),
	},
	{
		ID: "security.W003", Severity: High, Source: "Django, check_csrf_middleware", Settings: []string{"MIDDLEWARE"},
		Title: "CsrfViewMiddleware is not in MIDDLEWARE",
		Doc:   "Any site can have a visitor's browser send forms in the visitor's name, and only views with a decorator refuse them.",
		Fix:   "Put django.middleware.csrf.CsrfViewMiddleware behind CommonMiddleware.",
		Find: func(s *Subject) []Fault {
			return when(!s.middleware(csrfMiddleware), "MIDDLEWARE does not hold %s", csrfMiddleware)
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return crossSite(s, ""), Sight{Rule: "csrf-exempt"}
		}},
		Mend: adds(csrfMiddleware),
	},
	{
		ID: "security.W004", Severity: Medium, Source: "Django, check_sts", Settings: []string{"SECURE_HSTS_SECONDS"},
		Title: "Strict-Transport-Security is not sent",
		Doc:   "Each visit that begins with http:// leaves in clear once more, and whoever is on the way answers it as he likes.",
		Fix:   "Set SECURE_HSTS_SECONDS, first to 3600, and to 31536000 once everything is reached over https.",
		Find: func(s *Subject) []Fault {
			return when(s.security() && !s.on("SECURE_HSTS_SECONDS"), "%s", s.show("SECURE_HSTS_SECONDS"))
		},
		Show: Proof{Steps: func(*Subject) []Sight {
			return []Sight{{Step: 5, Rule: "upgrade-no-entry", Scheme: "http"}, {Step: 2, Rule: "header-hsts-off", Scheme: "https"}}
		}},
		Mend: mendHSTS,
	},
	{
		ID: "security.W005", Severity: Info, Source: "Django, check_sts_include_subdomains", Settings: []string{"SECURE_HSTS_INCLUDE_SUBDOMAINS"},
		Title: "Strict-Transport-Security leaves out the subdomains",
		Doc: "Django asks for includeSubDomains always. It ends plain http on every subdomain there is and will be, for as long as browsers remember, " +
			"so it is for somebody who knows all of them; a cookie with a __Host- name needs none of it. Lockstep tells of it and does not count it.",
		Fix: "When every subdomain answers over https: SECURE_HSTS_INCLUDE_SUBDOMAINS = True.",
		Find: func(s *Subject) []Fault {
			return when(s.hsts() && !s.is("SECURE_HSTS_INCLUDE_SUBDOMAINS", true), "%s", s.show("SECURE_HSTS_INCLUDE_SUBDOMAINS"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return fmt.Sprintf("visit %s\nvisit http://sub.%s/\n", s.url("https", "/"), s.plain), Sight{Rule: "upgrade-no-entry", Subject: "sub." + s.plain}
		}, Words: "The browser asks a subdomain over http as before."},
	},
	{
		ID: "security.W006", Severity: Low, Source: "Django, check_content_type_nosniff", Settings: []string{"SECURE_CONTENT_TYPE_NOSNIFF"},
		Title: "X-Content-Type-Options is not sent",
		Doc:   "A browser may take an upload for a script, whatever its Content-Type says.",
		Fix:   "Set SECURE_CONTENT_TYPE_NOSNIFF = True.",
		Find: func(s *Subject) []Fault {
			if !s.security() {
				return nil
			}
			return s.notTrue("SECURE_CONTENT_TYPE_NOSNIFF")
		},
		Show: inStep(2, "header-off", "X-Content-Type-Options", "https"),
		Mend: sets("SECURE_CONTENT_TYPE_NOSNIFF", true),
	},
	{
		ID: "security.W008", Severity: High, Source: "Django, check_ssl_redirect", Settings: []string{"SECURE_SSL_REDIRECT"},
		Title: "Requests over http are not redirected to https",
		Doc:   "Whoever types the name of the site, or follows an old link, stays on http with all that is sent there.",
		Fix:   "Set SECURE_SSL_REDIRECT = True; if a proxy redirects already, suppress this with that reason.",
		Find: func(s *Subject) []Fault {
			if !s.security() {
				return nil
			}
			return s.notTrue("SECURE_SSL_REDIRECT")
		},
		Show: Proof{
			Steps: func(*Subject) []Sight { return []Sight{{Step: 1, Rule: "redirect-off", Scheme: "http"}} },
			Words: "The value counts as true in Django, so the run is redirected; Django's check wants True itself.",
		},
		Mend: sets("SECURE_SSL_REDIRECT", true),
	},
	{
		ID: "security.W009", Severity: Critical, Source: "Django, check_secret_key", Settings: []string{"SECRET_KEY"},
		Title: "SECRET_KEY can be guessed",
		Doc:   "Whoever knows it signs sessions, password resets and cookies of his own. It is missing, shorter than 50 characters, of fewer than 5 different ones, or has the prefix that says Django made it for development.",
		Fix:   "Keep 50 or more random characters outside of the code, and read them from the environment.",
		Find:  func(s *Subject) []Fault { return when(s.weakSecretKey(), "SECRET_KEY is one that can be guessed") },
		Show:  Proof{Words: "A key is not tried in a run: that it can be guessed is harm enough, and the run has a key of its own."},
		Mend:  mendSecretKey,
	},
	sessionCookieCheck("security.W010", "SESSION_COOKIE_SECURE", true, false),
	sessionCookieCheck("security.W011", "SESSION_COOKIE_SECURE", false, true),
	sessionCookieCheck("security.W012", "SESSION_COOKIE_SECURE", true, true),
	sessionCookieCheck("security.W013", "SESSION_COOKIE_HTTPONLY", true, false),
	sessionCookieCheck("security.W014", "SESSION_COOKIE_HTTPONLY", false, true),
	sessionCookieCheck("security.W015", "SESSION_COOKIE_HTTPONLY", true, true),
	{
		ID: "security.W016", Severity: High, Source: "Django, check_csrf_cookie_secure", Settings: []string{"CSRF_COOKIE_SECURE"},
		Title: "The CSRF cookie goes over plain HTTP",
		Doc:   "Whoever listens on the way reads the secret of the CSRF protection, and whoever writes there replaces it.",
		Fix:   "Set CSRF_COOKIE_SECURE = True.",
		Find: func(s *Subject) []Fault {
			asked := s.middleware(csrfMiddleware) && !s.on("CSRF_USE_SESSIONS")
			return when(asked && !s.isTrue("CSRF_COOKIE_SECURE"), "%s", s.show("CSRF_COOKIE_SECURE"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) { return s.sentInClear("CSRF_COOKIE_") }},
		Mend: sets("CSRF_COOKIE_SECURE", true),
	},
	{
		ID: "security.W018", Severity: High, Source: "Django, check_debug", Settings: []string{"DEBUG"},
		Title: "DEBUG is on",
		Doc:   "Error pages show code, settings and data of the request to everybody.",
		Fix:   "Set DEBUG = False.",
		Find:  func(s *Subject) []Fault { return when(s.on("DEBUG"), "%s", s.show("DEBUG")) },
		Show:  Proof{Words: "Error pages are made by Django's own views, which a run does not have."},
		Mend:  sets("DEBUG", false),
	},
	{
		ID: "security.W019", Severity: Low, Source: "Django, check_xframe_deny", Settings: []string{"X_FRAME_OPTIONS"},
		Title: "X-Frame-Options is not DENY",
		Doc:   "Pages can be put into frames of the site itself, or of others.",
		Fix:   "Set X_FRAME_OPTIONS = 'DENY', in upper case; a view that has to be framed can say so itself.",
		Find: func(s *Subject) []Fault {
			return when(s.middleware(frameMiddleware) && !s.is("X_FRAME_OPTIONS", "DENY"), "%s", s.show("X_FRAME_OPTIONS"))
		},
		Show: inStep(2, "header-sent", "X-Frame-Options", "https"),
		Mend: sets("X_FRAME_OPTIONS", "DENY"),
	},
	{
		ID: "security.W020", Severity: High, Source: "Django, check_allowed_hosts", Settings: []string{"ALLOWED_HOSTS"},
		Title: "ALLOWED_HOSTS is empty",
		Doc:   "Without DEBUG every request is answered with 400.",
		Fix:   "Name the hosts of the site in ALLOWED_HOSTS.",
		Find:  func(s *Subject) []Fault { return when(!s.on("ALLOWED_HOSTS"), "%s", s.show("ALLOWED_HOSTS")) },
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return "set ALLOWED_HOSTS=[]\nset DEBUG=False\nvisit " + s.url("https", "/") + "\n", Sight{Rule: "host-not-allowed"}
		}},
		Mend: mendHosts,
	},
	{
		ID: "security.W021", Severity: Info, Source: "Django, check_sts_preload", Settings: []string{"SECURE_HSTS_PRELOAD"},
		Title: "Strict-Transport-Security does not ask for preloading",
		Doc: "Django asks for preload always. The list is built into browsers, takes the whole domain with all its subdomains, and months to leave; " +
			"those who keep it say not to ask by default. Lockstep tells of it, does not count it, and never puts it into a patch.",
		Fix: "Leave it, unless the whole domain is meant to be on the list for years.",
		Find: func(s *Subject) []Fault {
			return when(s.hsts() && !s.is("SECURE_HSTS_PRELOAD", true), "%s", s.show("SECURE_HSTS_PRELOAD"))
		},
		Show: Proof{Words: "Nothing is harmed: the first visit of a browser is what preloading is about."},
	},
	{
		ID: "security.W022", Severity: Low, Source: "Django, check_referrer_policy", Settings: []string{"SECURE_REFERRER_POLICY"},
		Title: "Referrer-Policy is not sent",
		Doc:   "What other sites learn of the URLs of this one is left to the browser.",
		Fix:   "Set SECURE_REFERRER_POLICY = 'same-origin'.",
		Find: func(s *Subject) []Fault {
			return when(s.security() && s.value("SECURE_REFERRER_POLICY") == nil, "SECURE_REFERRER_POLICY = None")
		},
		Show: inStep(2, "header-off", "Referrer-Policy", "https"),
		Mend: sets("SECURE_REFERRER_POLICY", "same-origin"),
	},
	{
		ID: "security.E023", Severity: Medium, Source: "Django, check_referrer_policy", Settings: []string{"SECURE_REFERRER_POLICY"},
		Title: "SECURE_REFERRER_POLICY has a value that no browser knows",
		Doc:   "A browser ignores what it does not know and does as if there were no header.",
		Fix:   "Set SECURE_REFERRER_POLICY = 'same-origin'.",
		Find:  findReferrerPolicy,
		Show:  Proof{Words: "The value does not run: the Guard refuses it."},
		Mend:  sets("SECURE_REFERRER_POLICY", "same-origin"),
	},
	{
		ID: "security.E024", Severity: Medium, Source: "Django, check_cross_origin_opener_policy", Settings: []string{"SECURE_CROSS_ORIGIN_OPENER_POLICY"},
		Versions: "4.0 and later", applies: func(s *Subject) bool { return s.since(4, 0) },
		Title: "SECURE_CROSS_ORIGIN_OPENER_POLICY has a value that Django does not know",
		Doc:   "A browser ignores what it does not know and does as if there were no header.",
		Fix:   "Set SECURE_CROSS_ORIGIN_OPENER_POLICY = 'same-origin', or None to send none.",
		Find: func(s *Subject) []Fault {
			value := s.value("SECURE_CROSS_ORIGIN_OPENER_POLICY")
			known := slices.Contains([]any{nil, "same-origin", "same-origin-allow-popups", "unsafe-none"}, plainly(value))
			return when(s.security() && !known, "%s", s.show("SECURE_CROSS_ORIGIN_OPENER_POLICY"))
		},
		Show: Proof{Words: "The value does not run: the Guard refuses it."},
		Mend: sets("SECURE_CROSS_ORIGIN_OPENER_POLICY", "same-origin"),
	},
	{
		ID: "security.W025", Severity: High, Source: "Django, check_secret_key_fallbacks", Settings: []string{"SECRET_KEY_FALLBACKS"},
		Versions: "4.1 and later", applies: func(s *Subject) bool { return s.since(4, 1) },
		Title: "A key of SECRET_KEY_FALLBACKS can be guessed",
		Doc:   "A fallback signs as well as SECRET_KEY does, as far as readers are concerned.",
		Fix:   "Take the key out.",
		Find:  findWeakFallbacks,
		Show:  Proof{Words: "A key is not tried in a run: that it can be guessed is harm enough."},
		Mend: func(s *Subject) {
			strong := slices.DeleteFunc(slices.Clone(s.fallbacks()), weakKey)
			s.setAs("SECRET_KEY_FALLBACKS", strong, line{
				code:    `[k for k in SECRET_KEY_FALLBACKS if len(k) >= 50 and len(set(k)) >= 5 and not k.startswith("django-insecure-")]`,
				comment: "only those that cannot be guessed",
			})
		},
	},
	{
		ID: "security.E026", Severity: High, Source: "Django, check_csp_settings", Settings: []string{"SECURE_CSP", "SECURE_CSP_REPORT_ONLY"},
		Versions: "6.0 and later", applies: func(s *Subject) bool { return s.since(6, 0) },
		Title: "A Content-Security-Policy is not a dictionary",
		Doc:   "Django cannot write the header from anything else.",
		Fix:   "Write a dictionary of directives, or {}.",
		Find: func(s *Subject) []Fault {
			return append(at("SECURE_CSP", !s.isPolicy("SECURE_CSP"), "%s", s.show("SECURE_CSP")),
				at("SECURE_CSP_REPORT_ONLY", !s.isPolicy("SECURE_CSP_REPORT_ONLY"), "%s", s.show("SECURE_CSP_REPORT_ONLY"))...)
		},
		Show: Proof{Words: "What is no dictionary of directives is no policy that could be run."},
		Mend: func(s *Subject) {
			for _, name := range []string{"SECURE_CSP", "SECURE_CSP_REPORT_ONLY"} {
				if !s.isPolicy(name) {
					s.set(name, settings.Dict{})
				}
			}
		},
	},
	{
		ID: "security.W027", Severity: Medium, Source: "Django, check_csp_nonce", Settings: []string{"TEMPLATES", "SECURE_CSP", "SECURE_CSP_REPORT_ONLY", "MIDDLEWARE"},
		Versions: "6.1 and later", applies: func(s *Subject) bool { return s.since(6, 1) },
		Title: "A nonce in the policy, and no context processor that gives it to templates",
		Doc:   "The policy allows scripts with a nonce and no template can write one, so that nothing runs.",
		Fix:   "Add django.template.context_processors.csp to the context processors of TEMPLATES.",
		Find: func(s *Subject) []Fault {
			wants := s.middleware(cspMiddleware) && (hasNonce(s.value("SECURE_CSP")) || hasNonce(s.value("SECURE_CSP_REPORT_ONLY")))
			return when(wants && !mentions(s.value("TEMPLATES"), cspProcessor), "TEMPLATES does not name %s", cspProcessor)
		},
		Show: Proof{Words: "Context processors are of Django's templates, which a run does not have."},
		Mend: mendTemplates,
	},
	{
		ID: "security.E100", Severity: High, Source: "Django 3.1 and 3.2, check_default_hashing_algorithm", Settings: []string{"DEFAULT_HASHING_ALGORITHM"},
		Versions: "3.1 and 3.2", applies: func(s *Subject) bool { return !s.since(4, 0) },
		Title: "DEFAULT_HASHING_ALGORITHM is neither sha1 nor sha256",
		Doc:   "Nothing can be signed.",
		Fix:   "Leave the setting out.",
		Find: func(s *Subject) []Fault {
			algorithm := s.text("DEFAULT_HASHING_ALGORITHM")
			return when(algorithm != "sha1" && algorithm != "sha256", "%s", s.show("DEFAULT_HASHING_ALGORITHM"))
		},
		Show: Proof{Words: "The Guard signs with SHA-256 whatever the setting says."},
		Mend: sets("DEFAULT_HASHING_ALGORITHM", "sha256"),
	},
	{
		ID: "security.E102", Severity: Medium, Source: "Django, check_csrf_failure_view", Settings: []string{"CSRF_FAILURE_VIEW"},
		Title: "CSRF_FAILURE_VIEW cannot be imported",
		Doc:   "A request that the CSRF protection refuses ends in a server error. Whether a view can be imported only Django can say, and whether it takes the arguments (security.E101); what is not a dotted path shows in the text.",
		Fix:   "Write the dotted path of a view that takes request and reason.",
		Find: func(s *Subject) []Fault {
			view, isText := s.value("CSRF_FAILURE_VIEW").(string)
			return when(isText && !strings.Contains(view, "."), "%s", s.show("CSRF_FAILURE_VIEW"))
		},
		Show: Proof{Words: "The view is the project's own, which a run does not have."},
		Mend: sets("CSRF_FAILURE_VIEW", "django.views.csrf.csrf_failure"),
	},
	{
		ID: "4_0.E001", Severity: Medium, Source: "Django, check_csrf_trusted_origins", Settings: []string{"CSRF_TRUSTED_ORIGINS"},
		Versions: "4.0 and later", applies: func(s *Subject) bool { return s.since(4, 0) },
		Title: "An entry of CSRF_TRUSTED_ORIGINS has no scheme",
		Doc:   "From Django 4.0 on it is compared with origins, which have one, so it never matches.",
		Fix:   "Write https:// before it.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, origin := range s.texts("CSRF_TRUSTED_ORIGINS") {
				faults = append(faults, when(!strings.Contains(origin, "://"), "CSRF_TRUSTED_ORIGINS holds %s", settings.Literal(origin))...)
			}
			return faults
		},
		Show: Proof{Words: "The entry does not run: the Guard refuses it."},
		Mend: func(s *Subject) {
			entries := []any{}
			for _, origin := range s.texts("CSRF_TRUSTED_ORIGINS") {
				if !strings.Contains(origin, "://") {
					origin = "https://" + strings.Replace("x"+strings.TrimPrefix(origin, "*"), "x.", "*.", 1)
					origin = strings.Replace(origin, "https://x", "https://", 1)
				}
				entries = append(entries, origin)
			}
			s.set("CSRF_TRUSTED_ORIGINS", entries)
		},
	},
}

// sessionCookieCheck is one of the six checks of the session cookie, which differ in whether the
// app, the middleware or both are there.
func sessionCookieCheck(id, setting string, app, middleware bool) Check {
	c := Check{
		ID: id, Severity: High, Source: "Django, checks/security/sessions.py", Settings: []string{setting, "INSTALLED_APPS", "MIDDLEWARE"},
		Title: "The session cookie goes over plain HTTP",
		Doc:   "Whoever listens on the way, in a café or at a provider, has the session and with it the account.",
		Fix:   "Set SESSION_COOKIE_SECURE = True.",
		Find: func(s *Subject) []Fault {
			asked := s.holds("INSTALLED_APPS", sessionApp) == app && s.middleware(sessionMiddleware) == middleware
			return when(asked && !s.isTrue(setting), "%s", s.show(setting))
		},
		Show: Proof{
			Steps: func(s *Subject) []Sight {
				name := s.text("SESSION_COOKIE_NAME")
				return []Sight{{Step: 5, Rule: "send-ok", Subject: name, Scheme: "http"}, {Step: 1, Rule: "store-ok", Subject: name, Scheme: "http"}}
			},
			Scenario: func(s *Subject) (string, Sight) { return s.sentInClear("SESSION_COOKIE_") },
		},
		Mend: sets(setting, true),
	}
	if setting == "SESSION_COOKIE_HTTPONLY" {
		c.Title = "Scripts can read the session cookie"
		c.Doc = "One script that should not be there, in a comment or an advertisement, reads the session and sends it away."
		c.Fix = "Set SESSION_COOKIE_HTTPONLY = True."
		c.Show = Proof{Steps: func(s *Subject) []Sight {
			return []Sight{{Step: 3, Rule: "store-ok", Subject: s.text("SESSION_COOKIE_NAME")}}
		}}
	}
	return c
}

// sentInClear is a run in which a cookie comes over https and is sent over http. HSTS is left out, as
// it is for a browser that has forgotten it.
func (s *Subject) sentInClear(prefix string) (string, Sight) {
	app := "" // counts visits in the session
	if prefix == "CSRF_COOKIE_" {
		app = "on / app token\n"
	}
	return "set SECURE_HSTS_SECONDS=0\n" + app + fmt.Sprintf("visit %s\nvisit %s\n", s.url("https", "/"), s.url("http", "/")),
		Sight{Rule: "send-ok", Subject: s.text(prefix + "NAME"), Scheme: "http"}
}

func (s *Subject) weakSecretKey() bool {
	switch key := s.value("SECRET_KEY").(type) {
	case settings.Opaque:
		return false
	default:
		return weakKey(key)
	}
}

// The conditions of Django for keys (SECRET_KEY_MIN_LENGTH and the constants beside it).
const (
	shortestKey   = 50
	fewestLetters = 5
	insecureKey   = "django-insecure-"
)

// weakKey reports whether Django's check finds fault with a key.
func weakKey(key any) bool {
	var text string
	switch key := key.(type) {
	case string:
		text = key
	case settings.Bytes:
		text = string(key)
	default:
		return true
	}
	different := map[rune]bool{}
	for _, r := range text {
		different[r] = true
	}
	return utf8.RuneCountInString(text) < shortestKey || len(different) < fewestLetters || strings.HasPrefix(text, insecureKey)
}

func (s *Subject) fallbacks() []any {
	keys, _ := s.value("SECRET_KEY_FALLBACKS").([]any)
	return keys
}

func findWeakFallbacks(s *Subject) []Fault {
	var faults []Fault
	for i, key := range s.fallbacks() {
		if _, unread := key.(settings.Opaque); !unread {
			faults = append(faults, when(weakKey(key), "SECRET_KEY_FALLBACKS[%d] is one that can be guessed", i)...)
		}
	}
	return faults
}

var referrerPolicies = []string{
	"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin",
	"same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url",
}

// policies are the items of SECURE_REFERRER_POLICY.
func (s *Subject) policies() []string {
	text, isText := s.value("SECURE_REFERRER_POLICY").(string)
	if !isText {
		return s.texts("SECURE_REFERRER_POLICY")
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func findReferrerPolicy(s *Subject) []Fault {
	var faults []Fault
	if !s.security() {
		return nil
	}
	for _, policy := range s.policies() {
		if !slices.Contains(referrerPolicies, policy) {
			faults = append(faults, when(true, "SECURE_REFERRER_POLICY holds %s", settings.Literal(policy))...)
		}
	}
	return faults[:min(len(faults), 1)]
}

// plainly is a value that == can compare.
func plainly(value any) any {
	switch value.(type) {
	case nil, bool, int64, float64, string:
		return value
	}
	return struct{}{}
}

func (s *Subject) isPolicy(name string) bool {
	switch s.value(name).(type) {
	case nil, settings.Dict, settings.Opaque:
		return true
	}
	return false
}

const cspProcessor = "django.template.context_processors.csp"

// hasNonce reports whether a policy holds the mark that stands for a nonce, which is an object.
func hasNonce(value any) bool {
	switch v := value.(type) {
	case settings.Dict:
		return slices.ContainsFunc(v, func(i settings.Item) bool { return hasNonce(i.Value) })
	case []any:
		return slices.ContainsFunc(v, hasNonce)
	case settings.Opaque:
		return strings.Contains(strings.ToUpper(string(v)), "NONCE")
	case string:
		return v == "<CSP_NONCE_SENTINEL>"
	}
	return false
}

// mentions reports whether a value holds a string anywhere.
func mentions(value any, text string) bool {
	switch v := value.(type) {
	case settings.Dict:
		return slices.ContainsFunc(v, func(i settings.Item) bool { return mentions(i.Value, text) })
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return mentions(item, text) })
	case settings.Opaque:
		return true // not read, so nothing is said of it
	}
	return value == text
}

func mendTemplates(s *Subject) {
	s.setAs("TEMPLATES", append([]any{cspProcessor}, s.value("TEMPLATES")), line{
		whole: true,
		code: `for _engine in TEMPLATES:
    _engine.setdefault("OPTIONS", {}).setdefault("context_processors", []).append("` + cspProcessor + `")`,
	})
}

// adds puts a middleware where the template of a new project has it.
func adds(middleware string) func(*Subject) {
	return func(s *Subject) {
		list := s.texts("MIDDLEWARE")
		position := slices.Index(template, any(middleware))
		i := 0
		for at, item := range list {
			if p := slices.Index(template, any(item)); p >= 0 && p < position {
				i = at + 1
			}
		}
		s.set("MIDDLEWARE", anysOf(slices.Insert(list, i, middleware)))
	}
}

func anysOf(texts []string) []any {
	items := make([]any, len(texts))
	for i, text := range texts {
		items[i] = text
	}
	return items
}

func mendHSTS(s *Subject) {
	s.setAs("SECURE_HSTS_SECONDS", int64(oneYear), line{comment: "begin with 3600, and raise it over weeks: it cannot be taken back at once"})
}

// strongKey is what a patch that takes the key from the environment stands for.
const strongKey = "a key that only the environment knows, of more than fifty characters"

func mendSecretKey(s *Subject) {
	s.setAs("SECRET_KEY", strongKey, line{code: `os.environ["SECRET_KEY"]`, comment: "50 or more random characters, and new ones"})
}

// ownHost is written where only the project knows its hosts.
const ownHost = "www.example.com"

func mendHosts(s *Subject) {
	s.setAs("ALLOWED_HOSTS", []any{ownHost}, line{comment: "put the names of your own hosts here"})
}
