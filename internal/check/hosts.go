package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/settings"
)

// What Django does not see of ALLOWED_HOSTS and of the redirect to https.

var hostChecks = []Check{
	{
		ID: "lockstep.W101", Severity: High, Source: "OWASP ASVS 3.7.2", Settings: []string{"ALLOWED_HOSTS"},
		Title: "Any Host is accepted",
		Doc:   "A request with a Host of somebody else's choice is processed, so that redirects, links in mails and cached pages can be led to another site.",
		Fix:   "Name the hosts of the site in ALLOWED_HOSTS.",
		Find: func(s *Subject) []Fault {
			return when(s.holdsText("ALLOWED_HOSTS", "*"), "%s", s.show("ALLOWED_HOSTS"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return "header Host: evil.test\nvisit " + s.url("http", "/") + "\n", Sight{Rule: "host-allowed"}
		}},
		Mend: withoutHosts(func(entry string) bool { return entry == "*" }),
	},
	{
		ID: "lockstep.W102", Severity: High, Source: "Public Suffix List", Settings: []string{"ALLOWED_HOSTS"},
		Title: "ALLOWED_HOSTS accepts every host under a public suffix",
		Doc:   "Anybody can register a name there, and then has it accepted.",
		Fix:   "Name the hosts of the site in ALLOWED_HOSTS.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, entry := range s.texts("ALLOWED_HOSTS") {
				faults = append(faults, when(suffixPattern(entry), "ALLOWED_HOSTS holds %s", settings.Literal(entry))...)
			}
			return faults
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			for _, entry := range s.texts("ALLOWED_HOSTS") {
				if suffixPattern(entry) {
					return fmt.Sprintf("header Host: evil%s\nvisit %s\n", entry, s.url("http", "/")), Sight{Rule: "host-allowed"}
				}
			}
			return "", Sight{}
		}},
		Mend: withoutHosts(suffixPattern),
	},
	{
		ID: "lockstep.W103", Severity: Info, Source: "Django setting ALLOWED_HOSTS", Settings: []string{"ALLOWED_HOSTS"},
		Title: "ALLOWED_HOSTS accepts every subdomain",
		Doc:   "A forgotten DNS entry below the domain is enough to have a Host of somebody else's accepted. It is not counted, as many sites are meant to be so.",
		Fix:   "Where the hosts are known, name each.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, entry := range s.texts("ALLOWED_HOSTS") {
				wide := strings.HasPrefix(entry, ".") && !suffixPattern(entry) && strings.Trim(entry, ".") != ""
				faults = append(faults, when(wide, "ALLOWED_HOSTS holds %s", settings.Literal(entry))...)
			}
			return faults
		},
		Show: Proof{Words: "It is as the setting says; whether it is meant only the project knows."},
	},
	{
		ID: "lockstep.W104", Severity: High, Source: "django/http/request.py, validate_host", Settings: []string{"ALLOWED_HOSTS"},
		Title: "An entry of ALLOWED_HOSTS never matches",
		Doc:   "Django compares the Host without its port, letter by letter. With no other entry every request is answered with 400; a list of one empty string passes Django's check, which only asks whether the list is empty.",
		Fix:   "Write the name alone: no scheme, port, path or asterisk.",
		Find: func(s *Subject) []Fault {
			faults := s.refusedFaults("ALLOWED_HOSTS")
			if text, isText := s.value("ALLOWED_HOSTS").(string); isText && text != "" {
				faults = when(true, "ALLOWED_HOSTS is a string, of which each character counts as a host")
			}
			return faults
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return "set ALLOWED_HOSTS=[]\nset DEBUG=False\nvisit " + s.url("https", "/") + "\n", Sight{Rule: "host-not-allowed"}
		}},
		Mend: func(s *Subject) {
			bad := map[string]bool{}
			for _, e := range s.refusals("ALLOWED_HOSTS") {
				bad[e.Value] = true
			}
			withoutHosts(func(entry string) bool { return bad[strconv.Quote(entry)] })(s)
		},
	},
	{
		ID: "lockstep.W105", Severity: Medium, Source: "Django setting SECURE_SSL_HOST", Settings: []string{"SECURE_SSL_HOST", "ALLOWED_HOSTS"},
		Title: "The redirect to https leads to a host that is not allowed",
		Doc:   "Every visitor who comes over http ends at an answer of 400.",
		Fix:   "Add the host to ALLOWED_HOSTS, or leave SECURE_SSL_HOST out.",
		Find: func(s *Subject) []Fault {
			host := s.sslHost()
			return when(host != "" && s.on("SECURE_SSL_REDIRECT") && !s.allows(host), "SECURE_SSL_HOST = %s is not in ALLOWED_HOSTS", settings.Literal(s.text("SECURE_SSL_HOST")))
		},
		Show: Proof{Steps: func(*Subject) []Sight { return []Sight{{Step: 2, Rule: "host-not-allowed", Scheme: "https"}} }},
		Mend: func(s *Subject) { s.set("ALLOWED_HOSTS", append(s.filter("ALLOWED_HOSTS", always), s.sslHost())) },
	},
	{
		ID: "lockstep.W106", Severity: High, Source: "Django setting SECURE_REDIRECT_EXEMPT", Settings: []string{"SECURE_REDIRECT_EXEMPT"},
		Title: "SECURE_REDIRECT_EXEMPT exempts every path",
		Doc:   "The patterns are searched for anywhere in the path; one that matches everything turns the redirect off, and nothing says so.",
		Fix:   "Exempt the paths that need it, from the beginning to the end: '^health/$'.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, pattern := range s.texts("SECURE_REDIRECT_EXEMPT") {
				faults = append(faults, when(exemptsAll(pattern), "SECURE_REDIRECT_EXEMPT holds %s", settings.Literal(pattern))...)
			}
			return faults
		},
		Show: Proof{Steps: func(*Subject) []Sight {
			return []Sight{{Step: 1, Rule: "redirect-exempt", Scheme: "http"}, {Step: 1, Rule: "redirect-off", Scheme: "http"}}
		}},
		Mend: func(s *Subject) {
			s.set("SECURE_REDIRECT_EXEMPT", s.filter("SECURE_REDIRECT_EXEMPT", func(p string) bool { return !exemptsAll(p) }))
		},
	},
	{
		ID: "lockstep.W107", Severity: Low, Source: "Django setting SECURE_REDIRECT_EXEMPT", Settings: []string{"SECURE_REDIRECT_EXEMPT"},
		Title: "A pattern of SECURE_REDIRECT_EXEMPT never matches",
		Doc:   "The path is searched without its leading slash, so that what was to be exempt, such as the address that a load balancer asks, is redirected.",
		Fix:   "Leave the leading slash out.",
		Find: func(s *Subject) []Fault {
			var faults []Fault
			for _, e := range s.refusals("SECURE_REDIRECT_EXEMPT") {
				never := strings.Contains(e.Problem, "never matches")
				faults = append(faults, when(never, "%s", refusal(e))...)
				faults = append(faults, only(Info, when(!never && e.Value != `""` && e.Value != "", "%s; it is left out of the run", refusal(e)))...)
			}
			return faults
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			for _, pattern := range s.texts("SECURE_REDIRECT_EXEMPT") {
				if path, tied := strings.CutPrefix(pattern, "^/"); tied && strings.Trim(path, "abcdefghijklmnopqrstuvwxyz-_/$") == "" {
					return "visit " + s.url("http", "/"+strings.TrimSuffix(path, "$")) + "\n", Sight{Rule: "redirect-to-https", Scheme: "http"}
				}
			}
			return "", Sight{}
		}, Words: "What it was to match only the project knows."},
		Mend: func(s *Subject) {
			bad := map[string]bool{}
			for _, e := range s.refusals("SECURE_REDIRECT_EXEMPT") {
				bad[e.Value] = strings.Contains(e.Problem, "never matches")
			}
			patterns := []any{}
			for _, pattern := range s.texts("SECURE_REDIRECT_EXEMPT") {
				if !bad[strconv.Quote(pattern)] {
					patterns = append(patterns, pattern)
				} else if path, tied := strings.CutPrefix(pattern, "^/"); tied {
					patterns = append(patterns, "^"+path)
				}
			}
			s.set("SECURE_REDIRECT_EXEMPT", patterns)
		},
	},
}

func always(string) bool { return true }

// holdsText is holds for what was read as a string, so that an unread list does not count.
func (s *Subject) holdsText(name, item string) bool {
	return slices.Contains(s.texts(name), item)
}

// suffixPattern reports whether a pattern of ALLOWED_HOSTS is everything under a public suffix.
func suffixPattern(entry string) bool {
	domain, dotted := strings.CutPrefix(strings.ToLower(entry), ".")
	canonical, err := cookie.CanonicalHost(domain)
	return dotted && err == nil && canonical == domain && publicSuffix(domain)
}

// withoutHosts takes entries out of ALLOWED_HOSTS. When none is left the project has to say which.
func withoutHosts(drop func(string) bool) func(*Subject) {
	return func(s *Subject) {
		kept := s.filter("ALLOWED_HOSTS", func(entry string) bool { return !drop(entry) })
		if len(kept) == 0 {
			mendHosts(s)
			return
		}
		s.set("ALLOWED_HOSTS", kept)
	}
}

// sslHost is the host of SECURE_SSL_HOST without its port.
func (s *Subject) sslHost() string {
	host := strings.ToLower(s.text("SECURE_SSL_HOST"))
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return host
}

// allows reports whether ALLOWED_HOSTS has the host (django/http/request.py, validate_host).
func (s *Subject) allows(host string) bool {
	for _, entry := range s.texts("ALLOWED_HOSTS") {
		entry = strings.ToLower(entry)
		below := strings.HasPrefix(entry, ".") && (strings.HasSuffix(host, entry) || host == entry[1:])
		if entry == "*" || entry == host || below {
			return true
		}
	}
	return false
}

// Paths of which no pattern that means something matches all.
var anyPaths = []string{"", "a", "zz/9.x", "Q-_/~"}

// exemptsAll reports whether a pattern matches whatever the path is. One that is not a pattern of
// Go matches nothing here.
func exemptsAll(pattern string) bool {
	re, err := compile(pattern)
	if err != nil {
		return false
	}
	for _, path := range anyPaths {
		if !re.MatchString(path) {
			return false
		}
	}
	return true
}
