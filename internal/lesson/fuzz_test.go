package lesson_test

import (
	"errors"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

// A file of any bytes is read or refused, and what is read has what a scenario promises.
func FuzzScenarioFile(f *testing.F) {
	for _, s := range library(f).Scenarios() {
		f.Add(s.Text)
	}
	f.Add("# T\n# Predict: x?\n# Switches:\n# Attacker: yes\n# Shows: csrf\nvisit https://shop.test/\n")
	f.Add("#\n#\n# \xff\n#Predict: \n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := lesson.Read("own", text)
		if err == nil && (s.Title == "" || s.Question == "" || s.Text == "") {
			t.Fatalf("read without a title or a question: %+v", s)
		}
	})
}

// A setup may name anything: it is run, or refused as one that a person can mend.
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
