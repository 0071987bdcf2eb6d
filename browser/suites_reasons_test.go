package browser_test

import (
	"path/filepath"
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
	"DisallowedCharacter":         {"store-control-char"},
	"NameValuePairExceedsMaxSize": {"store-too-big"},
	"NoCookieContent":             {"store-empty"},
	"InvalidDomain":               {"store-domain-mismatch", "store-public-suffix"},
	"SecureOnly":                  {"store-secure-over-http", "send-secure-over-http"},
	"SameSiteNoneInsecure":        {"store-none-not-secure"},
	"InvalidPrefix":               {"store-prefix-secure", "store-prefix-host", "store-nameless-prefix", "store-secure-over-http"},
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

// A reasonCase is a suite case with the reasons that Chromium 156 gave.
type reasonCase struct {
	suiteCase
	Reasons []struct {
		Cookie  string   `json:"cookie"` // the line, or name=value
		Op      string   `json:"op"`     // "set-blocked" or "not-sent"
		Reasons []string `json:"reasons"`
	} `json:"chromium156_reasons"`
}

// verdicts runs the case and returns what was decided, by Set-Cookie line and by cookie.
func (c reasonCase) verdicts(t *testing.T) (stored, sent map[string][]rule.Verdict) {
	t.Helper()
	stored, sent = map[string][]rule.Verdict{}, map[string][]rule.Verdict{}
	var b browser.Browser
	for _, s := range c.steps() {
		for _, line := range s.SetCookie {
			v := b.StoreCookie(visit(t, s.URL), c.octets(line), anyTime, nil)
			stored[strings.TrimSpace(line)] = append(stored[strings.TrimSpace(line)], v)
		}
	}
	rec := rule.NewRecorder(func(v rule.Verdict) { sent[v.Subject] = append(sent[v.Subject], v) })
	b.CookieHeader(c.request(t), anyTime, rec)
	return stored, sent
}

// TestReasonsAsChromium checks that wherever Chromium blocked a cookie that is blocked here too, a
// rule that says the same is among the reasons.
func TestReasonsAsChromium(t *testing.T) {
	folder := suiteFolder(t)
	agreed, compared := 0, 0
	for _, name := range []string{"http-state.json", "wpt.json", "go-cookiejar.json", "samesite.json"} {
		var cases []reasonCase
		readJSON(t, filepath.Join(folder, name), &cases)
		for _, c := range cases {
			if len(c.Reasons) == 0 || c.outOfScope() != "" {
				continue
			}
			stored, sent := c.verdicts(t)
			for _, r := range c.Reasons {
				verdicts := stored[strings.TrimSpace(r.Cookie)]
				if r.Op == "not-sent" {
					subject, _, _ := strings.Cut(r.Cookie, "=")
					verdicts = sent[subject]
				}
				if len(verdicts) == 0 || slices.ContainsFunc(verdicts, func(v rule.Verdict) bool { return v.Yes }) {
					continue // not a question here, or a difference that TestSuites tells of
				}
				compared++
				if saysSame(verdicts, r.Reasons) {
					agreed++
				} else {
					t.Errorf("%s: %q: Chromium says %s, this says %v", c.ID, r.Cookie, r.Reasons, verdicts)
				}
			}
		}
	}
	t.Logf("%d of %d reasons as Chromium 156 gives them", agreed, compared)
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
