package check

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// SARIF 2.1.0, as far as a report needs it (OASIS, section 3).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string       `json:"id"`
		Name          string       `json:"name"`
		Short         sarifText    `json:"shortDescription"`
		Full          sarifText    `json:"fullDescription"`
		Help          sarifText    `json:"help"`
		Configuration sarifDefault `json:"defaultConfiguration"`
		Properties    sarifTags    `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifTags struct {
		Tags     []string `json:"tags"`
		Severity string   `json:"security-severity"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

// What severities are to SARIF, and to who reads "security-severity" as a CVSS score.
var (
	sarifLevels = [...]string{"note", "warning", "warning", "error", "error"}
	sarifScores = [...]string{"0.0", "3.0", "5.5", "8.0", "9.5"}
)

// sarifSchema is where the schema of SARIF 2.1.0 is published.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// projectURI is where there is more to read of the program.
const projectURI = "https://github.com/lockstep-http/lockstep"

// WriteSARIF writes the report as SARIF 2.1.0, with version as the program's, for services that show
// findings beside code. Findings that are excused carry a suppression; an expired suppression is a
// result of the rule that it is of.
func (r *Report) WriteSARIF(w io.Writer, version string) error {
	driver := sarifDriver{Name: "Lockstep", Version: version, InformationURI: projectURI, Rules: []sarifRule{}}
	index := map[string]int{}
	rule := func(c Check) int {
		i, ok := index[c.ID]
		if !ok {
			i = len(driver.Rules)
			index[c.ID] = i
			driver.Rules = append(driver.Rules, sarifRuleOf(c))
		}
		return i
	}
	results := []sarifResult{}
	for i := range r.Findings {
		f := &r.Findings[i]
		results = append(results, sarifResult{
			RuleID: f.Check.ID, RuleIndex: rule(f.Check), Level: sarifLevels[f.Severity],
			Message:      sarifText{fmt.Sprintf("%s. %s. %s Do: %s", f.Check.Title, f.Text, f.Evidence.sentence(), f.Check.Fix)},
			Locations:    []sarifLocation{r.sarifLocation(f.Line)},
			Fingerprints: map[string]string{"lockstep/v1": f.Check.ID + ":" + f.Setting + ":" + f.Text},
			Suppressions: f.sarifSuppressions(),
		})
	}
	for _, x := range r.Expired {
		c, ok := Lookup(x.ID)
		if !ok {
			continue
		}
		results = append(results, sarifResult{
			RuleID: c.ID, RuleIndex: rule(c), Level: "error",
			Message:      sarifText{fmt.Sprintf("The suppression of %s ended on %s. Its reason was: %s", x.ID, x.until(), x.Reason)},
			Locations:    []sarifLocation{r.sarifLocation(0)},
			Fingerprints: map[string]string{"lockstep/v1": c.ID + ":expired:" + x.until()},
		})
	}
	return encode(w, sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{{Tool: sarifTool{driver}, Results: results}}})
}

func sarifRuleOf(c Check) sarifRule {
	return sarifRule{
		ID: c.ID, Name: strings.NewReplacer(".", "", "_", "").Replace(c.ID), Short: sarifText{c.Title}, Full: sarifText{c.Doc},
		Help: sarifText{c.Fix}, Configuration: sarifDefault{sarifLevels[c.Severity]},
		Properties: sarifTags{Tags: slices.Concat([]string{"security"}, c.Settings), Severity: sarifScores[c.Severity]},
	}
}

func (e *Evidence) sentence() string {
	switch {
	case e.Step > 0:
		return fmt.Sprintf("Seen in step %d of the lesson: %s", e.Step, e.told())
	case e.Scenario != "":
		return fmt.Sprintf("Seen in a run of its own: %s", e.told())
	}
	return e.Text
}

// sarifLocation places a result in the text that was read.
func (r *Report) sarifLocation(line int) sarifLocation {
	p := sarifPhysical{Artifact: sarifArtifact{(&url.URL{Path: filepath.ToSlash(r.Name)}).EscapedPath()}}
	if line > 0 {
		p.Region = &sarifRegion{line}
	}
	return sarifLocation{p}
}

// sarifSuppressions are how SARIF has what excuses a finding. What is for information is a note and
// not suppressed.
func (f *Finding) sarifSuppressions() []sarifSuppression {
	if f.Excuse == "" || f.Severity == Info && f.By == nil {
		return nil
	}
	return []sarifSuppression{{Kind: "external", Status: "accepted", Justification: f.Excuse}}
}
