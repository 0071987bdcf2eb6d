package scenario_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// questions are how many there are.
const questions = 25

// TestQuestions holds the scenarios of examples/questions to what they say: a question is answered
// under the profiles that its comment names and under no other.
func TestQuestions(t *testing.T) {
	names, err := filepath.Glob("../../examples/questions/*")
	if err != nil || len(names) != questions {
		t.Fatalf("there are %d questions, want %d: %v", len(names), questions, err)
	}
	for i, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			if base := filepath.Base(name); !strings.HasPrefix(base, fmt.Sprintf("%02d-", i+1)) || filepath.Ext(base) != ".scenario" {
				t.Errorf("%s is not called as question %d", base, i+1)
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, string(text))
			checkDecides(t, string(text))
			checkParagraphs(t, string(text))
		})
	}
}

// checkAnswer runs a question under each profile. Of curl, which is no browser, an answer may hold
// though nobody would ask.
func checkAnswer(t *testing.T, text string) {
	t.Helper()
	q := questionOf(t, text)
	if !strings.HasSuffix(q.Text, "?") {
		t.Errorf("%q is no question", q.Text)
	}
	if q.Profiles == nil {
		for _, missed := range missedBy(t, text, browser.Profile{}) {
			t.Errorf("line %d: %s does not hold", missed.Line, missed)
		}
		return
	}
	for _, p := range browser.Profiles() {
		missed := missedBy(t, text, p)
		if !slices.Contains(q.Profiles, p) {
			if len(missed) == 0 && p != browser.Curl() {
				t.Errorf("the answer holds of %s, which is not named", p)
			}
			continue
		}
		for _, e := range missed {
			t.Errorf("%s, line %d: %s does not hold", p, e.Line, e)
		}
	}
}

func questionOf(t *testing.T, text string) scenario.Question {
	t.Helper()
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q, err := s.Question()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func missedBy(t *testing.T, text string, p browser.Profile) []scenario.Expectation {
	t.Helper()
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Do(t.Context(), scenario.Options{Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	return result.Missed
}

// checkDecides asks for a rule that decides, which a note does not.
func checkDecides(t *testing.T, text string) {
	t.Helper()
	decides := false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "expect" {
			continue
		}
		decides = decides || !strings.HasPrefix(words[1], "note-")
	}
	if !decides {
		t.Error("it names no rule that decides")
	}
}

// checkParagraphs holds each expectation to be about the visits of its own paragraph: without them
// it must not hold, since a verdict counts whenever it has fallen.
func checkParagraphs(t *testing.T, text string) {
	t.Helper()
	p := browser.Profile{}
	if named := questionOf(t, text).Profiles; named != nil {
		p = named[0]
	}
	before := ""
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		for line := range strings.Lines(paragraph) {
			if strings.HasPrefix(line, "expect ") && strings.Contains(before, "\nvisit ") && len(missedBy(t, before+line, p)) == 0 {
				t.Errorf("an earlier paragraph has this already: %s", line)
			}
		}
		before += paragraph + "\n\n"
	}
}

func TestQuestion(t *testing.T) {
	for text, want := range map[string]string{
		"visit http://a.test/":                                 "want a comment",
		"# Why?\n#\n# So.\nvisit http://a.test/":               "either",
		"# Why?\n#\n# Profiles: netscape\n":                    `no profile "netscape"`,
		"# Why?\n#\n# Profiles: curl\n":                        "no answer",
		"# Why?\n#\n# So.\n#\n# Profiles: curl\nprofile curl":  "either",
		"# Why\n# not?\n#\n#\n# So.\n#\n# Profiles: curl\n\n#": "",
	} {
		s, err := scenario.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		q, err := s.Question()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err == nil && (q.Text != "Why not?" || q.Answer != "So." || len(q.Profiles) != 1) {
			t.Errorf("%q: %+v", text, q)
		}
	}
}
