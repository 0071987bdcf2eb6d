package lesson_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

func judged(t testing.TB, id string, a lesson.Answer) *lesson.Judgement {
	t.Helper()
	j, err := theLibrary(t).Judge(t.Context(), id, a)
	if err != nil {
		t.Fatalf("%s: %+v: %v", id, a, err)
	}
	if len(j.Goals) == 0 {
		t.Fatalf("%s: no goals", id)
	}
	for _, g := range j.Goals {
		if g.Text == "" || g.Why == "" {
			t.Errorf("%s: a goal says nothing: %+v", id, g)
		}
	}
	return j
}

func TestExercises(t *testing.T) {
	grades, kinds := map[string]int{}, map[string]int{}
	for _, e := range theLibrary(t).Exercises() {
		grades[e.Grade]++
		kinds[e.Kind]++
		if e.Title == "" || len(e.Text) == 0 || len(e.Hints) < 2 || len(e.Goals) == 0 || slices.Contains(e.Goals, "") {
			t.Errorf("%s lacks words: %+v", e.ID, e)
		}
		if judged(t, e.ID, lesson.Answer{Line: e.Line}).Solved {
			t.Errorf("%s is solved before it begins", e.ID)
		}
		if j := judged(t, e.ID, e.Solution); !j.Solved {
			t.Errorf("%s: its solution does not solve it: %+v", e.ID, j.Goals)
		}
		for _, a := range spoilt(t, e) {
			if j := judged(t, e.ID, a); j.Solved {
				t.Errorf("%s: %+v solves it too, so a part of the solution %+v does nothing", e.ID, a, e.Solution)
			}
		}
	}
	for _, grade := range []string{"easy", "medium", "hard"} {
		if grades[grade] < 3 {
			t.Errorf("%d exercises are %s, want 3", grades[grade], grade)
		}
	}
	if len(kinds) != 3 {
		t.Errorf("kinds: %v", kinds)
	}
}

// spoilt are answers that lack one part of the solution each.
func spoilt(t testing.TB, e lesson.Exercise) (all []lesson.Answer) {
	t.Helper()
	for name := range e.Solution.Switches {
		less := maps.Clone(e.Solution.Switches)
		delete(less, name)
		all = append(all, lesson.Answer{Switches: less})
	}
	parts := strings.Split(e.Solution.Line, "; ")
	for i := 1; i < len(parts); i++ {
		all = append(all, lesson.Answer{Line: strings.Join(slices.Delete(slices.Clone(parts), i, i+1), "; ")})
	}
	if name, found := strings.CutPrefix(e.Solution.Line, "__Host-"); found {
		all = append(all, lesson.Answer{Line: name})
	}
	if e.Solution.Step > 0 {
		for step := range len(anew.of(t, e.Setup).Steps) + 2 {
			if step != e.Solution.Step {
				all = append(all, lesson.Answer{Step: step})
			}
		}
	}
	return all
}

// What counts is what the browser and the site do, and not how the answer is written.
func TestOtherSolutionsCount(t *testing.T) {
	switches := func(pairs ...string) lesson.Answer {
		a := lesson.Answer{Switches: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			a.Switches[pairs[i]] = pairs[i+1]
		}
		return a
	}
	line := func(text string) lesson.Answer { return lesson.Answer{Line: text} }
	for _, c := range []struct {
		id     string
		answer lesson.Answer
		want   bool
	}{
		{"keep-it-home", switches("SESSION_COOKIE_SECURE", "True", "SECURE_SSL_REDIRECT", "True", "CSRF_COOKIE_SECURE", "True"), true},
		{"keep-it-home", switches("SECURE_SSL_REDIRECT", "True"), false},
		{"https-only-line", line("HTTPS=1;SECURE;httponly;Path=/"), true},
		{"https-only-line", line("__Host-a=1; path=/; secure; HttpOnly; SameSite=Strict"), true},
		{"https-only-line", line("__Host-a=1; Secure; HttpOnly; Domain=shop.test"), false},
		{"https-only-line", line("a=1; Secure; HttpOnly; Max-Age=0"), false},
		{"https-only-line", line("a=1; Secure; HttpOnly; Path=/elsewhere"), false},
		{"https-only-line", line("a=\x01; Secure; HttpOnly"), false},
		{"https-only-line", line(""), false},
		{"behind-a-proxy", switches("proxy", "trusted", "SESSION_COOKIE_SECURE", "True"), true},
		{"behind-a-proxy", switches("SECURE_SSL_REDIRECT", "False"), false},
		{"behind-a-proxy", switches("proxy", "none"), false},
		{"subdomains-line", line("s=1; domain=.shop.test; expires=Fri, 01 Jan 2027 00:00:00 GMT; secure; samesite=lax; httponly"), true},
		{"subdomains-line", line("s=1; Domain=shop.test; Secure; SameSite=Strict; Max-Age=1209600"), false},
		{"subdomains-line", line("s=1; Domain=shop.test; Secure; Max-Age=1209600"), false},
		{"subdomains-line", line("s=1; Domain=shop.test; Secure; SameSite=Lax; Max-Age=3600"), false},
		{"remember-https", switches("SECURE_HSTS_SECONDS", "3600", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "True"), true},
		{"two-locks", switches("SESSION_COOKIE_SAMESITE", "Strict"), false},
		{"two-locks", switches("SESSION_COOKIE_SAMESITE", "False"), false},
		{"subdomain-proof-line", line("__Secure-sessionid=1; Secure; Path=/"), false},
		{"subdomain-proof-line", line("__host-x=1; Secure; Path=/; HttpOnly"), true},
		{"framed-line", line("__Host-w=1; Secure; Path=/; SameSite=None; Partitioned; HttpOnly"), true},
	} {
		if j := judged(t, c.id, c.answer); j.Solved != c.want {
			t.Errorf("%s: %+v: solved %v, want %v: %+v", c.id, c.answer, j.Solved, c.want, j.Goals)
		}
	}
}

// A cookie that is not stored meets no goal, though it goes nowhere.
func TestNothingMeetsNoGoal(t *testing.T) {
	for _, e := range theLibrary(t).Exercises() {
		if e.Kind != "line" {
			continue
		}
		for _, g := range judged(t, e.ID, lesson.Answer{}).Goals {
			if g.Met {
				t.Errorf("%s: an empty line meets %q", e.ID, g.Text)
			}
		}
	}
}

func TestJudgeRefuses(t *testing.T) {
	const secret = "hunter2-hunter2"
	for _, c := range []struct {
		id, name string
		answer   lesson.Answer
	}{
		{"no-such", "exercise", lesson.Answer{}},
		{"keep-it-home", "SECURE_HSTS_SECONDS", lesson.Answer{Switches: map[string]string{"SECURE_HSTS_SECONDS": "3600"}}},
		{"keep-it-home", "SESSION_COOKIE_SECURE", lesson.Answer{Switches: map[string]string{"SESSION_COOKIE_SECURE": "perhaps"}}},
		{"https-only-line", "line", lesson.Answer{Line: "a=" + secret + strings.Repeat("x", 9000)}},
	} {
		_, err := theLibrary(t).Judge(t.Context(), c.id, c.answer)
		wrong, ok := errors.AsType[*lesson.SetupError](err)
		if !ok || wrong.Name != c.name {
			t.Errorf("%s %s: %v", c.id, c.name, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error repeats the line: %v", c.id, err)
		}
	}
}

// A value that somebody pastes is shown shortened.
func TestJudgeShowsNoValue(t *testing.T) {
	const secret = "a-session-of-a-real-person-0123456789"
	j := judged(t, "https-only-line", lesson.Answer{Line: "sessionid=" + secret + "; Secure; HttpOnly"})
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secret) || !j.Solved || j.Line == nil || !j.Line.Stored {
		t.Errorf("judged: %s", text)
	}
}

func FuzzJudge(f *testing.F) {
	l := theLibrary(f)
	var lines, settings []string
	for _, e := range l.Exercises() {
		switch e.Kind {
		case "line":
			lines = append(lines, e.ID)
			f.Add(e.Solution.Line, "", "", 0)
			f.Add(e.Line, "", "", 0)
		case "settings":
			settings = append(settings, e.ID)
			for name, value := range e.Solution.Switches {
				f.Add("", name, value, 0)
			}
		}
	}
	f.Add("=\x00; Max-Age=99999999999999999999; Expires=; Domain=..; \xff", "start", "gopher", -1)
	f.Fuzz(func(t *testing.T, line, name, value string, step int) {
		for _, id := range lines {
			j, err := l.Judge(t.Context(), id, lesson.Answer{Line: line})
			if err != nil {
				if _, ok := errors.AsType[*lesson.SetupError](err); !ok {
					t.Fatal(err)
				}
				continue
			}
			if j.Solved && (j.Line == nil || !j.Line.Stored && id != "framed-line") {
				t.Errorf("%s: %q is not stored and solves", id, line)
			}
		}
		answers := map[string]lesson.Answer{"where-it-leaks": {Step: step}, line: {Line: line}}
		for _, id := range settings {
			answers[id] = lesson.Answer{Switches: map[string]string{name: value}}
		}
		for id, a := range answers {
			if _, err := l.Judge(t.Context(), id, a); err != nil {
				if _, ok := errors.AsType[*lesson.SetupError](err); !ok {
					t.Fatal(err)
				}
			}
		}
	})
}
