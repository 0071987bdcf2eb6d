package oracle_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/oracle"
)

// A question is a line of testdata. Beside what oracle.py knows it may have
//
//   - "why": what the case shows
//   - "differs": what Lockstep answers where it departs from Django 3.2 on purpose, by the name of the
//     observation, "" for nothing; docs/divergences.md has a row that names the case
//   - "later": settings for Django 4.0 and later, where those of 3.2 have another form
//   - "changes": what the same line is answered as a later Django; see versions_test.go
//   - "since": the Django that brought what the case is about; earlier ones are not asked
type question struct {
	ID      string                       `json:"id"`
	Op      string                       `json:"op"`
	Differs map[string]string            `json:"differs"`
	Since   string                       `json:"since"`
	Later   map[string]json.RawMessage   `json:"later"`
	Changes map[string]map[string]string `json:"changes"`
	file    string
	line    json.RawMessage
	asked   []byte // the line without what is expected of it
}

// MarshalJSON hands the line over as it stands.
func (q question) MarshalJSON() ([]byte, error) { return q.line, nil }

func questions(tb testing.TB) (all []question) {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no cases: %v", err)
	}
	seen := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			q := question{file: file, line: bytes.TrimSpace(line)}
			if err := json.Unmarshal(q.line, &q); err != nil {
				tb.Fatalf("%s: %v in %s", file, err, line)
			}
			if q.ID == "" || seen[q.ID] != "" {
				tb.Errorf("%s: %q is not a name of its own (%s)", file, q.ID, seen[q.ID])
			}
			seen[q.ID] = file
			q.asked = withoutAnswers(tb, q.line)
			all = append(all, q)
		}
	}
	return all
}

func withoutAnswers(tb testing.TB, line []byte) []byte {
	tb.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(line, &all); err != nil {
		tb.Fatal(err)
	}
	delete(all, "differs")
	delete(all, "changes")
	asked, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return asked
}

func answerer(tb testing.TB, version string) *oracle.Answerer {
	tb.Helper()
	a, err := oracle.NewAnswerer(version, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// minCases keeps cases from getting lost.
const minCases = 1460

// TestAgainstDjango puts every case to a real Django 3.2 and to Lockstep, and compares.
func TestAgainstDjango(t *testing.T) {
	all := slices.DeleteFunc(questions(t), func(q question) bool { return q.Since != "" })
	if len(all) < minCases {
		t.Errorf("%d cases, and there were %d", len(all), minCases)
	}
	lockstep := answerer(t, "3.2")
	for i, theirs := range oracle.AskLines(t, all) {
		q := all[i]
		t.Run(q.ID, func(t *testing.T) {
			compare(t, observe(t, lockstep.Answer(q.line)), observe(t, theirs), q.Differs)
		})
	}
}

// compare reports where mine is not want. What is said to differ must differ, and be as it is said.
func compare(t *testing.T, mine, want observation, differs map[string]string) {
	t.Helper()
	if differs["error"] != "" { // settings that Lockstep refuses: nothing is answered
		if len(mine) != 1 || mine["error"] != differs["error"] || want["error"] != "" {
			t.Errorf("%q, want the error %s (Django: %q)", mine, differs["error"], want)
		}
		return
	}
	for _, name := range names(mine, want, differs) {
		expected, said := differs[name]
		if said && same(want[name], expected) {
			t.Errorf("%s does not differ: %q", name, expected)
		}
		if !said {
			expected = want[name]
		}
		if !same(mine[name], expected) {
			t.Errorf("%s is\n%q, want\n%q (Django: %q)", name, mine[name], expected, want[name])
		}
	}
}

// Every case that differs is in docs/divergences.md. That every case named there exists is held by
// internal/arch, and that it differs by TestAgainstDjango.
func TestDifferencesHaveReasons(t *testing.T) {
	text, err := os.ReadFile("../../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`case ([A-Za-z0-9 .-]+)`).FindAllStringSubmatch(string(text), -1) {
		named[strings.TrimSpace(m[1])] = true
	}
	for _, q := range questions(t) {
		if named[q.ID] != (len(q.Differs) > 0) {
			t.Errorf("%s differs in %d things; a row names it: %v", q.ID, len(q.Differs), named[q.ID])
		}
	}
}

// Every verb and view of oracle.py is known here: it is answered, or said not to be Lockstep's.
func TestNothingIsForgotten(t *testing.T) {
	script, err := os.ReadFile("oracle.py")
	if err != nil {
		t.Fatal(err)
	}
	a := answerer(t, "")
	ask := func(pattern, line string) {
		t.Helper()
		found := regexp.MustCompile(pattern).FindAllSubmatch(script, -1)
		if len(found) < 10 {
			t.Errorf("%s finds only %d", pattern, len(found))
		}
		for _, m := range found {
			answer := a.Answer(fmt.Appendf(nil, line, m[1]))
			if bytes.Contains(answer, []byte("NotSupported: there is no")) {
				t.Errorf("%s: %s", m[1], answer)
			}
		}
	}
	ask(`(?m)^def op_(\w+)`, `{"op": %q}`)
	ask(`(?m)^    "(\w+)": (?:v_|csrf_|ensure_|requires_|None)`, `{"requests": [{"url": "https://shop.test/", "view": %q}]}`)
	ask(`verb == "(\w+)"`, `{"requests": [{"url": "https://shop.test/", "view": "session", "args": {"ops": [[%q]]}}]}`)
}

// FuzzAnswer: whatever the line, there is an answer, and it is JSON.
func FuzzAnswer(f *testing.F) {
	for _, q := range questions(f) {
		f.Add([]byte(q.line), uint8(len(q.ID)))
	}
	var all []*oracle.Answerer
	for _, version := range oracle.Versions {
		all = append(all, answerer(f, version))
	}
	f.Fuzz(func(t *testing.T, line []byte, version uint8) {
		answer := all[int(version)%len(all)].Answer(line)
		if bytes.ContainsAny(answer, "\r\n") || len(answer) == 0 || answer[0] != '{' {
			t.Errorf("%q", answer)
		}
	})
}
