package check

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/settings"
)

// What Django does not see of CSRF_TRUSTED_ORIGINS.

// originHost is the host of an entry, "" where it is not one of the Django's form: origins from 4.0
// on, and hosts before.
func (s *Subject) originHost(entry string) string {
	if _, host, found := strings.Cut(entry, "://"); found {
		return strings.ToLower(host)
	}
	return strings.ToLower(entry)
}

// wildcard reports whether an entry stands for every host under a domain, and which.
func (s *Subject) wildcard(entry string) (domain string, ok bool) {
	host := s.originHost(entry)
	domain = strings.TrimPrefix(strings.TrimPrefix(host, "*"), ".")
	return domain, strings.HasPrefix(host, "*") || strings.HasPrefix(host, ".")
}

func (s *Subject) trustsSuffix(entry string) bool {
	domain, ok := s.wildcard(entry)
	return ok && (domain == "" || publicSuffix(domain))
}

func (s *Subject) trustsSubdomains(entry string) bool {
	_, wild := s.wildcard(entry)
	return wild && !s.trustsSuffix(entry)
}

func (s *Subject) eachOrigin(wrong func(string) bool) []Fault {
	var faults []Fault
	for _, entry := range s.texts("CSRF_TRUSTED_ORIGINS") {
		faults = append(faults, when(wrong(entry), "CSRF_TRUSTED_ORIGINS holds %s", settings.Literal(entry))...)
	}
	return faults
}

func (s *Subject) dropOrigins(drop func(string) bool) {
	s.set("CSRF_TRUSTED_ORIGINS", s.filter("CSRF_TRUSTED_ORIGINS", func(entry string) bool { return !drop(entry) }))
}

// neverTrusted are the refusals of entries that Django's own check does not name.
func (s *Subject) neverTrusted() map[string]string {
	reasons := map[string]string{}
	for _, e := range s.refusals("CSRF_TRUSTED_ORIGINS") {
		entry, err := strconv.Unquote(e.Value)
		if err == nil && (!s.since(4, 0) || strings.Contains(entry, "://") || entry == "null") {
			reasons[entry] = refusal(e)
		}
	}
	return reasons
}

// formFrom is a Proof by a form from a page of an origin that an entry trusts without need: only the
// token is left to refuse it.
func formFrom(wrong func(s *Subject, entry string) bool) Proof {
	return Proof{Scenario: func(s *Subject) (string, Sight) {
		for _, entry := range s.texts("CSRF_TRUSTED_ORIGINS") {
			if !wrong(s, entry) {
				continue
			}
			host, refused := s.originHost(entry), Sight{Rule: "csrf-cookie-missing"}
			if domain, wild := s.wildcard(entry); wild {
				host = "evil." + domain
			}
			if cookie.RegistrableDomain(host) == cookie.RegistrableDomain(s.plain) && !plainOrigin(entry) {
				refused.Rule = "csrf-token-missing"
			}
			scheme := "https"
			if plainOrigin(entry) {
				scheme = "http"
			}
			return fmt.Sprintf("on / app token\nvisit %[1]s\nfrom %[2]s://%[3]s/\npost %[1]s a=1\n", s.url("https", "/"), scheme, host), refused
		}
		return "", Sight{}
	}, Words: "The entry does not run: the Guard refuses it."}
}

var csrfChecks = []Check{
	{
		ID: "lockstep.W170", Severity: High, Source: "Public Suffix List", Settings: []string{"CSRF_TRUSTED_ORIGINS"},
		Title: "Every site under a public suffix is trusted",
		Doc:   "Anybody can register a name there, and pages from it pass the checks of Origin and Referer.",
		Fix:   "Name each origin.",
		Find: func(s *Subject) []Fault {
			faults := s.eachOrigin(s.trustsSuffix)
			if !s.since(4, 0) && len(s.neverTrusted()) > 0 {
				for i := range faults {
					faults[i].Text += ", which matches nothing before Django 4.0 and everything from then on"
				}
			}
			return faults
		},
		Show: formFrom((*Subject).trustsSuffix),
		Mend: func(s *Subject) { s.dropOrigins(s.trustsSuffix) },
	},
	{
		ID: "lockstep.W171", Severity: Low, Source: "Django, django/middleware/csrf.py", Settings: []string{"CSRF_TRUSTED_ORIGINS"},
		Title: "An entry of CSRF_TRUSTED_ORIGINS never matches",
		Doc:   "Origins are compared letter by letter, and browsers send them in lower case, without a path and without the default port.",
		Fix:   "Write what the finding says.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			never := s.neverTrusted()
			for _, entry := range s.texts("CSRF_TRUSTED_ORIGINS") {
				if reason, bad := never[entry]; bad && !s.trustsSuffix(entry) {
					faults = append(faults, when(true, "%s", reason)...)
				}
			}
			return faults
		},
		Show: Proof{Words: "The entry does not run: the Guard refuses it."},
		Mend: func(s *Subject) {
			never := s.neverTrusted()
			s.dropOrigins(func(entry string) bool { return never[entry] != "" })
		},
	},
	{
		ID: "lockstep.W172", Severity: Info, Source: "Django setting CSRF_TRUSTED_ORIGINS", Settings: []string{"CSRF_TRUSTED_ORIGINS"},
		Title: "Every subdomain is trusted to send forms",
		Doc:   "A page on any of them, and on one that somebody takes over, passes the checks of Origin and Referer. It is not counted, as some sites are meant to be so.",
		Fix:   "Where the origins are known, name each.",
		Find: func(s *Subject) []Fault {
			return s.eachOrigin(s.trustsSubdomains)
		},
		Show: formFrom((*Subject).trustsSubdomains),
	},
	{
		ID: "lockstep.W173", Severity: Medium, Source: "Django setting CSRF_TRUSTED_ORIGINS", Settings: []string{"CSRF_TRUSTED_ORIGINS"},
		Title: "An origin over plain HTTP is trusted",
		Doc:   "Whoever is on the way to it writes pages in its name, and those pass the check of Origin.",
		Fix:   "Trust it over https only.",
		Find: func(s *Subject) []Fault {
			return s.eachOrigin(plainOrigin)
		},
		Show: formFrom(func(_ *Subject, entry string) bool { return plainOrigin(entry) }),
		Mend: func(s *Subject) {
			entries := []any{}
			for _, entry := range s.texts("CSRF_TRUSTED_ORIGINS") {
				if plainOrigin(entry) {
					entry = "https" + strings.TrimPrefix(entry, "http")
				}
				entries = append(entries, entry)
			}
			s.set("CSRF_TRUSTED_ORIGINS", entries)
		},
	},
}

func plainOrigin(entry string) bool { return strings.HasPrefix(strings.ToLower(entry), "http://") }
