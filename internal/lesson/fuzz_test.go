package lesson_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

// A file of any bytes is read or refused with its name, and what is read keeps what a scenario promises.
func FuzzScenarioFile(f *testing.F) {
	for _, s := range library(f).Scenarios() {
		f.Add(s.Text)
	}
	f.Add("# T\n# Predict: x?\n# Switches:\n# Attacker: yes\n# Shows: csrf\nvisit https://shop.test/\n")
	f.Add("#\n#\n# \xff\n#Predict: \n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, "own.scenario"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := lesson.New(lesson.Options{Dir: dir})
		if err != nil {
			if !strings.Contains(err.Error(), "own.scenario") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		s, ok := l.Scenario("own")
		if !ok || s.Title == "" || s.Question == "" {
			t.Fatalf("read without a title or a question: %+v", s)
		}
		if len(l.Switches("own")) == 0 {
			t.Fatal("it has no switches")
		}
	})
}

// What a scenario file says is run or refused, never a panic: the head and the opening of a file may say anything.
func FuzzSetup(f *testing.F) {
	l := library(f)
	for _, sw := range l.Switches("") {
		for _, c := range sw.Values {
			f.Add("lesson", sw.Name, c.Value, "")
		}
	}
	f.Add("no-such", "x", "\x00", "firefox")
	f.Fuzz(func(t *testing.T, name, of, value, profile string) {
		r, err := l.Run(t.Context(), lesson.Setup{Scenario: name, Switches: map[string]string{of: value}, Profile: profile})
		if _, ok := errors.AsType[*lesson.SetupError](err); ok {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range shapeOf(r) {
			t.Error(problem)
		}
	})
}
