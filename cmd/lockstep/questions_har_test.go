package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// notRecordings are questions whose run a recording cannot tell, and why.
var notRecordings = map[string]string{
	"02-not-sent-to-api-of-another-site": "several browsers",
	"21-missing-in-an-iframe":            "several browsers",
	"22-works-in-curl":                   "several browsers",
	"23-too-big-or-too-many":             "values are shortened, and fit then",
}

// TestQuestionsAsRecordings holds that a run that is saved as a recording is explained, when it is read
// again, as the run was; also without the Sec-Fetch lines, which browsers send over https alone.
func TestQuestionsAsRecordings(t *testing.T) {
	names, err := filepath.Glob("../../examples/questions/*.scenario")
	if err != nil || len(names) != 25 {
		t.Fatalf("%d questions, %v", len(names), err)
	}
	for _, name := range names {
		question := strings.TrimSuffix(filepath.Base(name), scenarioFile)
		if notRecordings[question] != "" {
			continue
		}
		for _, profile := range []browser.Profile{{}, browser.Chromium(), browser.Firefox()} {
			t.Run(question+" "+profile.Name(), func(t *testing.T) {
				file := recordingOf(t, name, profile)
				for _, bare := range []bool{false, true} {
					log, err := har.Read(bytes.NewReader(file), nil)
					if err != nil {
						t.Fatal(err)
					}
					if bare {
						withoutSecFetch(log)
					}
					p, err := trace.PlayHAR(log, &browser.Browser{Profile: profile}, false, func(trace.Visit) error { return nil })
					if err != nil {
						t.Fatal(err)
					}
					if len(p.Differences) > 0 || p.Before > 0 || p.Requests != len(log.Entries) {
						t.Errorf("without Sec-Fetch %t: %d of %d requests, %+v", bare, p.Requests, len(log.Entries), p.Differences)
					}
					for _, d := range p.Untold {
						if !strings.Contains(d.Doubt, "credentials mode") {
							t.Errorf("without Sec-Fetch %t: cannot be told: %+v", bare, d)
						}
					}
				}
			})
		}
	}
}

// recordingOf is the run of a question as a file.
func recordingOf(t *testing.T, name string, profile browser.Profile) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Do(t.Context(), scenario.Options{Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := result.Run.HAR().Write(&file, "Lockstep", "test"); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func withoutSecFetch(log *har.Log) {
	for i := range log.Entries {
		e := &log.Entries[i]
		e.Sent = slices.DeleteFunc(e.Sent, func(f har.Field) bool { return strings.HasPrefix(f.Name, "Sec-Fetch-") })
	}
}
