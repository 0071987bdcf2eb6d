package check

// What Django does not see of Strict-Transport-Security.

// Ages in seconds.
const (
	halfYear   = 180 * 24 * 60 * 60
	oneYear    = 365 * 24 * 60 * 60
	longestAge = 400 * 24 * 60 * 60 // of a cookie, in any browser
)

var hstsChecks = []Check{
	{
		ID: "lockstep.W111", Severity: Medium, Source: "RFC 6797, section 11.2; MDN Observatory", Settings: []string{"SECURE_HSTS_SECONDS"},
		Title: "Browsers forget Strict-Transport-Security within half a year",
		Doc:   "Whoever comes back later than that begins in clear again. While the time is being raised in stages this can be suppressed until the day of the next stage.",
		Fix:   "Raise SECURE_HSTS_SECONDS in stages to 31536000.",
		Find: func(s *Subject) []Fault {
			seconds := s.number("SECURE_HSTS_SECONDS")
			return when(s.security() && seconds != 0 && seconds < halfYear, "%s", s.show("SECURE_HSTS_SECONDS"))
		},
		Show: Proof{Scenario: func(s *Subject) (string, Sight) {
			return "visit " + s.url("https", "/") + "\nwait 180d\nvisit " + s.url("http", "/") + "\n", Sight{Rule: "upgrade-expired"}
		}, Words: "Browsers ignore the header: a negative max-age is none."},
		Mend: mendHSTS,
	},
	{
		ID: "lockstep.W112", Severity: Medium, Source: "hstspreload.org", Settings: []string{"SECURE_HSTS_PRELOAD", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS"},
		Title: "preload is asked for, and the list refuses it so",
		Doc:   "The list takes a domain whose max-age is a year or more and includes the subdomains. Asked for without that it does nothing but tell everybody that nobody looked.",
		Fix:   "Leave preload out: SECURE_HSTS_PRELOAD = False.",
		Find: func(s *Subject) []Fault {
			unfit := s.number("SECURE_HSTS_SECONDS") < oneYear || !s.on("SECURE_HSTS_INCLUDE_SUBDOMAINS")
			return when(s.hsts() && s.on("SECURE_HSTS_PRELOAD") && unfit, "SECURE_HSTS_PRELOAD = True with %s and %s",
				s.show("SECURE_HSTS_SECONDS"), s.show("SECURE_HSTS_INCLUDE_SUBDOMAINS"))
		},
		Show: inStep(2, "header-hsts-sent", "", "https"),
		Mend: sets("SECURE_HSTS_PRELOAD", false),
	},
}
