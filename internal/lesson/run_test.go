package lesson_test

import (
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/rule"
)

func library(t testing.TB) *lesson.Library {
	t.Helper()
	l, err := lesson.New(lesson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func run(t testing.TB, s lesson.Setup) *lesson.Run {
	t.Helper()
	r, err := library(t).Run(t.Context(), s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return r
}

// The rows of the lesson, as lesson.md and `lockstep demo` have them.
func TestRowsOfTheLesson(t *testing.T) {
	want := []struct {
		action, condition, result, sent string
		rule                            rule.ID
		yes                             bool
	}{
		{"HTTP request to http://shop.test/", "request.is_secure()=False", "301 to https://shop.test/", "no (first request)", "redirect-to-https", false},
		{"HTTPS request to https://shop.test/", "request.is_secure()=True", "200, processed (visit 1)", "no (first request)", "secure-over-tls", true},
		{"the site sets sessionid; Secure; HttpOnly; SameSite=Lax", "Secure=True over https", "the browser stores it", "no (set in the response)", "store-ok", true},
		{"next HTTPS request to https://shop.test/", "request.is_secure()=True", "200, processed, session read (visit 2)", "yes: sessionid", "send-ok", true},
		{"HTTP again to http://shop.test/", "request.is_secure()=False", "301 to https://shop.test/, then 200, processed, session read (visit 3)", "no: a Secure cookie is not sent over a connection that is not secure", "send-secure-over-http", false},
	}
	steps := run(t, lesson.Setup{}).Steps
	if len(steps) != len(want) {
		t.Fatalf("%d rows, want %d", len(steps), len(want))
	}
	for i, w := range want {
		s := steps[i]
		if s.Action != w.action || s.Condition != w.condition || s.Result != w.result || s.Sent != w.sent || s.Rule != w.rule {
			t.Errorf("row %d:\n%+v, want\n%+v", i+1, s, w)
		}
		if s.True == nil || *s.True != w.yes {
			t.Errorf("row %d: the condition %q is told as %v", i+1, s.Condition, s.True)
		}
	}
}
