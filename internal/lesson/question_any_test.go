package lesson_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// A scenario of a person's own may be anything: the scenarios of some rules stand for that.
func TestQuestionsAboutAnyScenario(t *testing.T) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	const every = 4 // of the rules; all take some seconds
	dir := t.TempDir()
	var names []string
	for i, r := range catalogue.All() {
		if i%every != 0 && os.Getenv("LOCKSTEP_TEST_REQUIRE") != "all" {
			continue
		}
		if strings.Contains(r.Scenario, "network endless") {
			continue // a megabyte a run, which tells nothing of cookies
		}
		name := "rule-" + strings.ToLower(string(r.ID))
		text := fmt.Sprintf("# %s\n#\n# Predict: What comes of it?\n#\n# Switches: SESSION_COOKIE_SECURE, SECURE_SSL_REDIRECT\n\n%s\n", r.ID, strings.TrimSpace(r.Scenario))
		if err := os.WriteFile(filepath.Join(dir, name+".scenario"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		if len(names) == 180 {
			break // a folder holds no more than some
		}
	}
	l, err := lesson.New(lesson.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, name := range names {
		s := lesson.Setup{Scenario: name}
		if _, err := l.Run(t.Context(), s); err != nil {
			continue // some scenarios of rules cannot be told as a lesson
		}
		quiz, err := l.Quiz(t.Context(), s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		predict, err := l.Predict(t.Context(), s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, q := range append(quiz, predict...) {
			asked++
			right, texts := 0, map[string]bool{}
			for _, o := range q.Options {
				texts[o.Text] = true
				if o.Right {
					right++
				}
			}
			if right != 1 || len(texts) != len(q.Options) || q.Because == "" {
				t.Errorf("%s: %+v", name, q)
			}
		}
	}
	if asked < 100 {
		t.Errorf("%d questions about %d scenarios", asked, len(names))
	}
	t.Logf("%d questions about %d scenarios", asked, len(names))
}
