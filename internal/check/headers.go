package check

import "fmt"

// What Django does not see of the other headers.

// policy is the Referrer-Policy that browsers go by: the last they know.
func (s *Subject) policy() string {
	if all := s.policies(); len(all) > 0 && s.security() {
		return all[len(all)-1]
	}
	return ""
}

var headerChecks = []Check{
	{
		ID: "lockstep.W140", Severity: High, Source: "Django, django/middleware/csrf.py; Fetch, append a request Origin header", Settings: []string{"SECURE_REFERRER_POLICY"},
		Title: "Referrer-Policy no-referrer breaks forms",
		Doc:   "With it browsers send no Referer and, from forms, Origin: null. CsrfViewMiddleware wants one of the two over https, so that every form of the site is refused with 403.",
		Fix:   "Set SECURE_REFERRER_POLICY = 'same-origin', which tells other sites as little.",
		Find: func(s *Subject) []Fault {
			return when(s.policy() == "no-referrer" && s.middleware(csrfMiddleware), "%s", s.show("SECURE_REFERRER_POLICY"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			refused := Sight{Rule: "csrf-origin-mismatch"} // null
			if !s.since(4, 0) {
				refused.Rule = "csrf-referer-missing"
			}
			return "on / app html <form method=post action=/send></form>\nvisit " + s.url("https", "/") + "\nsubmit\n", refused
		}},
		Mend: sets("SECURE_REFERRER_POLICY", "same-origin"),
	},
	{
		ID: "lockstep.W141", Severity: Medium, Source: "Referrer Policy, section 3.8; MDN Observatory", Settings: []string{"SECURE_REFERRER_POLICY"},
		Title: "Other sites are told the whole URL",
		Doc:   "What a URL holds, such as the token of a password reset, is sent to every site from which a page takes a picture.",
		Fix:   "Set SECURE_REFERRER_POLICY = 'same-origin'.",
		Find: func(s *Subject) []Fault {
			return when(s.policy() == "unsafe-url" || s.policy() == "no-referrer-when-downgrade", "%s", s.show("SECURE_REFERRER_POLICY"))
		},
		Show: inStep(2, "header-sent", "Referrer-Policy", "https"),
		Mend: sets("SECURE_REFERRER_POLICY", "same-origin"),
	},
}

var proxyChecks = []Check{
	{
		ID: "lockstep.W150", Severity: High, Source: "Django, django/http/request.py, scheme", Settings: []string{"SECURE_PROXY_SSL_HEADER"},
		Title: "SECURE_PROXY_SSL_HEADER names a header that never comes",
		Doc:   "Django looks in request.META, where headers begin with HTTP_ and are in upper case with underscores. Spelt otherwise no request counts as secure, and the redirect to https leads to itself for ever.",
		Fix:   "Write ('HTTP_X_FORWARDED_PROTO', 'https').",
		Find: func(s *Subject) []Fault {
			_, value, pair := s.proxyHeader()
			if !pair {
				return when(s.on("SECURE_PROXY_SSL_HEADER"), "%s is not two strings, and every request ends in a server error", s.show("SECURE_PROXY_SSL_HEADER"))
			}
			return when(s.refuses("SECURE_PROXY_SSL_HEADER") && !inverted(value), "%s never matches", s.show("SECURE_PROXY_SSL_HEADER"))
		},
		Show: Proof{Steps: func(*Subject) []Sight {
			return []Sight{{Step: 1, Rule: "redirect-loop-forwarded"}, {Step: 2, Rule: "redirect-loop-forwarded"}, {Step: 2, Rule: "secure-plain-http", Scheme: "https"}}
		}, Words: "Django answers every request with a server error, and the Guard refuses the value."},
		Mend: mendProxyHeader,
	},
	{
		ID: "lockstep.W151", Severity: Critical, Source: "Django, django/http/request.py, scheme", Settings: []string{"SECURE_PROXY_SSL_HEADER"},
		Title: "SECURE_PROXY_SSL_HEADER takes http for secure",
		Doc:   "Requests over http count as secure, are not redirected and get their cookies; those over https are redirected to https for ever.",
		Fix:   "Write ('HTTP_X_FORWARDED_PROTO', 'https').",
		Find: func(s *Subject) []Fault {
			_, value, _ := s.proxyHeader()
			return when(inverted(value), "%s", s.show("SECURE_PROXY_SSL_HEADER"))
		},
		Show: Proof{Steps: func(*Subject) []Sight {
			return []Sight{{Step: 1, Rule: "secure-proxy-header", Scheme: "http"}, {Step: 2, Rule: "redirect-loop-forwarded"}}
		}},
		Mend: mendProxyHeader,
	},
	{
		ID: "lockstep.W152", Severity: Medium, Source: "Django setting USE_X_FORWARDED_HOST; OWASP ASVS 4.1.3", Settings: []string{"USE_X_FORWARDED_HOST"},
		Title: "A header that any client can send decides the host",
		Doc:   "Unless the proxy overwrites X-Forwarded-Host in every request, whoever asks chooses the host, among those of ALLOWED_HOSTS, that redirects and links are made of.",
		Fix:   "Have the proxy hand on Host as it came, and leave USE_X_FORWARDED_HOST out; where it is needed, suppress this with the line of the proxy's configuration that overwrites the header.",
		Find: func(s *Subject) []Fault {
			return when(s.on("USE_X_FORWARDED_HOST"), "%s", s.show("USE_X_FORWARDED_HOST"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return fmt.Sprintf("set ALLOWED_HOSTS=['%[1]s', 'other.%[1]s']\nheader X-Forwarded-Host: other.%[1]s\nvisit https://%[1]s/\n", s.plain),
				Sight{Rule: "host-allowed", Subject: "other." + s.plain}
		}},
		Mend: sets("USE_X_FORWARDED_HOST", false),
	},
	{
		ID: "lockstep.W154", Severity: Info, Source: "Django setting SECURE_PROXY_SSL_HEADER; OWASP ASVS 4.1.3", Settings: []string{"SECURE_PROXY_SSL_HEADER"},
		Title: "Whoever reaches the application past the proxy can call http secure",
		Doc:   "Django believes the header from everybody. It is as safe as the proxy, which has to overwrite it in every request and be the only way to the application; no setting shows whether it does.",
		Fix:   "Have the proxy set the header always, and bind the application to a socket or to loopback.",
		Find: func(s *Subject) []Fault {
			_, value, pair := s.proxyHeader()
			return when(pair && !inverted(value) && !s.refuses("SECURE_PROXY_SSL_HEADER"), "%s", s.show("SECURE_PROXY_SSL_HEADER"))
		},
		Show: Proof{Words: "The run has a proxy that overwrites the header."},
	},
}

func mendProxyHeader(s *Subject) {
	s.setAs("SECURE_PROXY_SSL_HEADER", []any{"HTTP_X_FORWARDED_PROTO", "https"}, line{code: "('HTTP_X_FORWARDED_PROTO', 'https')"})
}
