package check_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/check"
)

// many is a text with findings of every kind: in lines and by default, excused and not, and one that
// could not be read.
const many = `ALLOWED_HOSTS = ['*', '.shop.test', '|<b>*_']
CSRF_TRUSTED_ORIGINS = <unread>
MIDDLEWARE = ['django.middleware.csrf.CsrfViewMiddleware', 'django.middleware.security.SecurityMiddleware']
SECURE_HSTS_SECONDS = 300
SECURE_PROXY_SSL_HEADER = ('X-Forwarded-Proto', 'https')
SESSION_COOKIE_SECURE = 'no'
SILENCED_SYSTEM_CHECKS = ['security.W016']
`

func manyReport(t *testing.T) *check.Report {
	t.Helper()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	return audit(t, many, check.Options{Django: "6.1", Now: now, Suppressions: []check.Suppression{
		{ID: "lockstep.W111", Reason: "being raised", Until: now},
		{ID: "security.W009", Reason: "later", Until: now.AddDate(0, 0, -1)},
		{ID: "security.E026", Reason: "never was", Until: now},
	}})
}

// TestExcuses holds what counts, what does not and why.
func TestExcuses(t *testing.T) {
	r := manyReport(t)
	excuses, counting := map[string]string{}, 0
	for _, f := range r.Findings {
		excuses[f.Check.ID] += f.Excuse
		if f.Excuse == "" {
			counting++
		}
	}
	if got := len(r.Counting()); got != counting || got < 5 {
		t.Errorf("%d findings count, want %d", got, counting)
	}
	for id, want := range map[string]string{
		"lockstep.W101": "", "lockstep.W180": "", "security.W009": "",
		"lockstep.W111": "suppressed until 2026-06-01: being raised",
		"security.W016": "silenced by SILENCED_SYSTEM_CHECKS, for ever and without a reason",
		"security.W021": "for information",
	} {
		if got, found := excuses[id]; !found || got != want {
			t.Errorf("%s: excuse %q, %v, want %q", id, got, found, want)
		}
	}
	if len(r.Expired) != 1 || r.Expired[0].ID != "security.W009" || len(r.Unused) != 1 || r.Unused[0].ID != "security.E026" || r.Clean() {
		t.Errorf("expired %v, unused %v", r.Expired, r.Unused)
	}
	if len(r.Unread) != 1 || r.Unread[0].Name != "CSRF_TRUSTED_ORIGINS" {
		t.Errorf("unread %v", r.Unread)
	}
	if strings.Contains(r.Patch, "CSRF_COOKIE_SECURE") || strings.Contains(r.Patch, "SECURE_HSTS_SECONDS") {
		t.Errorf("what is excused is mended:\n%s", r.Patch)
	}
}

// TestSARIF holds the output to what SARIF 2.1.0 requires of the objects that are written: sections
// 3.13 (sarifLog), 3.14 (run), 3.18 and 3.19 (tool, toolComponent), 3.27 (result), 3.49
// (reportingDescriptor), 3.35 (suppression).
func TestSARIF(t *testing.T) {
	r := manyReport(t)
	var out bytes.Buffer
	if err := r.WriteSARIF(&out, "v1.2"); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, Version, InformationURI string
					Rules                         []struct {
						ID                                      string
						Name                                    string
						ShortDescription, FullDescription, Help struct{ Text string }
						DefaultConfiguration                    struct{ Level string }
						Properties                              map[string]any
					}
				}
			}
			Results []struct {
				RuleID              string
				RuleIndex           *int
				Level               string
				Message             struct{ Text string }
				PartialFingerprints map[string]string
				Locations           []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           *struct{ StartLine int }
					}
				}
				Suppressions []struct{ Kind, Status, Justification string }
			}
		}
	}
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.HasPrefix(log.Schema, "https://") || len(log.Runs) != 1 {
		t.Fatalf("version %q, schema %q, %d runs", log.Version, log.Schema, len(log.Runs))
	}
	levels := []string{"none", "note", "warning", "error"}
	driver := log.Runs[0].Tool.Driver
	if u, err := url.Parse(driver.InformationURI); driver.Name == "" || driver.Version != "v1.2" || err != nil || !u.IsAbs() {
		t.Errorf("driver %+v", driver)
	}
	ruleIDs := map[string]bool{}
	for _, rule := range driver.Rules {
		if ruleIDs[rule.ID] || rule.ID == "" || rule.Name == "" || rule.ShortDescription.Text == "" || rule.FullDescription.Text == "" || rule.Help.Text == "" ||
			!slices.Contains(levels, rule.DefaultConfiguration.Level) || rule.Properties["security-severity"] == "" {
			t.Errorf("rule %+v", rule)
		}
		ruleIDs[rule.ID] = true
	}
	fingerprints := map[string]bool{}
	for _, result := range log.Runs[0].Results {
		if result.RuleIndex == nil || driver.Rules[*result.RuleIndex].ID != result.RuleID || result.Message.Text == "" || !slices.Contains(levels, result.Level) {
			t.Errorf("result %+v", result)
		}
		if its := result.PartialFingerprints["lockstep/v1"]; its == "" || fingerprints[its] {
			t.Errorf("fingerprint %q of %s is not its own", its, result.RuleID)
		} else {
			fingerprints[its] = true
		}
		for _, l := range result.Locations {
			u, err := url.Parse(l.PhysicalLocation.ArtifactLocation.URI)
			if err != nil || u.IsAbs() || u.Path == "" || l.PhysicalLocation.Region != nil && l.PhysicalLocation.Region.StartLine < 1 {
				t.Errorf("location %+v", l)
			}
		}
		for _, s := range result.Suppressions {
			if s.Kind != "external" || s.Status != "accepted" || s.Justification == "" {
				t.Errorf("suppression %+v", s)
			}
		}
	}
	if want := len(r.Findings) + len(r.Expired); len(log.Runs[0].Results) != want {
		t.Errorf("%d results, want %d", len(log.Runs[0].Results), want)
	}
}

// TestMarkdown holds that values cannot end a cell or begin an element.
func TestMarkdown(t *testing.T) {
	var out bytes.Buffer
	manyReport(t).WriteMarkdown(&out)
	columns := 0
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if columns != 0 && n != columns {
			t.Errorf("%d columns, want %d: %s", n-1, columns-1, line)
		}
		columns = n
	}
	if table, _, _ := strings.Cut(out.String(), "### Patch"); strings.Contains(table, "<b>") {
		t.Errorf("an element is let through:\n%s", table)
	}
}

// TestSameReport holds that a report of the same settings is the same to the byte.
func TestSameReport(t *testing.T) {
	if first, second := printedText(t), printedText(t); first != second {
		t.Errorf("two reports differ:\n%s\n%s", first, second)
	}
}

func printedText(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	r := manyReport(t)
	r.WriteText(&out)
	r.WriteMarkdown(&out)
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestRedRowsFirst holds the order of the rows: those that show harm come first and are marked.
func TestRedRowsFirst(t *testing.T) {
	var out bytes.Buffer
	audit(t, "ALLOWED_HOSTS = ['shop.test']\nMIDDLEWARE = ['django.middleware.security.SecurityMiddleware', 'django.contrib.sessions.middleware.SessionMiddleware']\nINSTALLED_APPS = ['django.contrib.sessions']\nSECURE_SSL_REDIRECT = True\n", check.Options{}).WriteText(&out)
	var numbers []string
	for line := range strings.Lines(out.String()) {
		if len(line) > 6 && line[0] >= '1' && line[0] <= '5' && (line[1:6] == "     " || line[1:6] == " !   ") {
			numbers = append(numbers, strings.TrimSpace(line[:3]))
		}
	}
	if want := []string{"2 !", "5 !", "1", "3", "4"}; !slices.Equal(numbers, want) {
		t.Errorf("rows %v, want %v\n%s", numbers, want, out.String())
	}
}
