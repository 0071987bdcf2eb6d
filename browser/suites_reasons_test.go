package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// chromiumReasons maps the reasons that Chromium gives, by its DevTools protocol, to the rules of
// this package that say the same. For a name with a prefix, Chromium calls InvalidPrefix also what
// the draft refuses because the connection is not secure.
var chromiumReasons = map[string][]rule.ID{
	"DisallowedCharacter":         {"store-control-char", "store-tab"},
	"NameValuePairExceedsMaxSize": {"store-too-big"},
	"NoCookieContent":             {"store-empty"},
	"InvalidDomain":               {"store-domain-mismatch", "store-public-suffix"},
	"SecureOnly":                  {"store-secure-over-http", "send-secure-over-http"},
	"SameSiteNoneInsecure":        {"store-none-not-secure"},
	"InvalidPrefix":               {"store-prefix-secure", "store-prefix-host", "store-nameless-prefix", "store-prefix-http", "store-nameless-http-prefix", "store-secure-over-http"},
	"OverwriteSecure":             {"store-would-overlay-secure"},
	"NotOnPath":                   {"send-path"},
	"DomainMismatch":              {"send-host-only", "send-domain-mismatch"},

	"SchemefulSameSiteStrict":                  {"send-samesite-strict"},
	"SchemefulSameSiteLax":                     {"send-samesite-lax"},
	"SchemefulSameSiteUnspecifiedTreatedAsLax": {"send-samesite-default-lax"},
	"SameSiteStrict":                           {"send-samesite-strict"},
	"SameSiteLax":                              {"send-samesite-lax"},
	"SameSiteUnspecifiedTreatedAsLax":          {"send-samesite-default-lax"},
}

// reasonsOf checks that the profile of Chromium gives the reasons that Chromium gave, in every case that
// has them, and returns a line about it. A reason is given by a rule, or by one beside it.
func reasonsOf(t *testing.T, name string, cases []suiteCase, differences differenceList) string {
	t.Helper()
	n := tally{file: name, who: "reasons"}
	for i := range cases {
		c := &cases[i]
		if len(c.Reasons) == 0 || c.outOfScope() != "" {
			continue
		}
		answer, missed := c.ask(t, browser.Chromium()), ""
		for _, r := range c.Reasons {
			name, _, named := strings.Cut(r.Cookie, "=")
			if !named {
				name = ""
			}
			verdicts := answer.stored["line "+strings.TrimSpace(r.Cookie)]
			switch {
			case r.Op == "not-sent":
				verdicts = answer.kept[name]
			case len(verdicts) == 0: // a record has some lines with other hosts, or without what is not UTF-8
				verdicts = answer.stored["name "+strings.TrimSpace(name)]
			}
			if !saysSame(verdicts, r.Reasons) {
				missed += fmt.Sprintf("\n %q: Chromium says %s, this says %v", r.Cookie, r.Reasons, verdicts)
			}
		}
		if n.count(c.ID, missed == "", differences) {
			t.Errorf("%s: set %.200q from %s, asked %s%s", c.ID, c.SetCookie, c.RequestURL, c.ThenURL, missed)
		}
	}
	return n.String()
}

// saysSame reports whether every reason has a rule among those of one of the verdicts.
func saysSame(verdicts []rule.Verdict, reasons []string) bool {
	for _, reason := range reasons {
		found := false
		for _, v := range verdicts {
			for _, id := range append([]rule.ID{v.Rule}, v.Also...) {
				found = found || slices.Contains(chromiumReasons[reason], id)
			}
		}
		if !found {
			return false
		}
	}
	return true
}
