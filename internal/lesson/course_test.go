package lesson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/rule"
)

func course(t testing.TB) *lesson.Course {
	t.Helper()
	c, err := theLibrary(t).Lesson(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVisualQuestions(t *testing.T) {
	all := course(t).Visual
	if len(all) != 3 {
		t.Fatalf("%d visual questions, want 3", len(all))
	}
	for i, words := range [][]string{
		{"first-sent", "sessionid"}, {"value-after", "request.is_secure()", "3"}, {"what-if", "SESSION_COOKIE_SECURE=False"},
	} {
		deriveBy(t, all[i], claimOf(t, words[0], words[1:]))
		if all[i].Kind != "visual" || all[i].Check == "" {
			t.Errorf("%s: kind %q, check %q", all[i].ID, all[i].Kind, all[i].Check)
		}
	}
	for i, want := range []string{"At step 4.", "True", "Step 5, Cookie sent: yes: sessionid"} {
		if got := rightOf(all[i]); got.Text != want {
			t.Errorf("%s: the right answer is %q, want %q", all[i].ID, got.Text, want)
		}
	}
}

func rightOf(q lesson.Question) lesson.Option {
	return q.Options[slices.IndexFunc(q.Options, func(o lesson.Option) bool { return o.Right })]
}

// What the options of the practice questions say, read from the tables of runs.
var practised = map[string]map[string]func(*lesson.Run) bool{
	"what-for": {
		"off-http": func(r *lesson.Run) bool { return !overHTTP(r, "sessionid") && overHTTP(r, "csrftoken") }, "redirects": redirected,
		"no-script":   func(r *lesson.Run) bool { return strings.Contains(rawOf(r), "HttpOnly") },
		"all-cookies": func(r *lesson.Run) bool { return !overHTTP(r, "sessionid") && !overHTTP(r, "csrftoken") },
	},
	"which-redirects": {"redirect": redirected, "session": redirected, "token": redirected, "hsts": redirected},
	"together": {
		"redirected-bare": func(r *lesson.Run) bool {
			return redirected(r) && !overHTTP(r, "sessionid") && !overHTTP(r, "csrftoken")
		},
		"redirected-session": func(r *lesson.Run) bool {
			return redirected(r) && overHTTP(r, "sessionid") && !overHTTP(r, "csrftoken")
		},
		"redirected-both": func(r *lesson.Run) bool { return redirected(r) && overHTTP(r, "sessionid") && overHTTP(r, "csrftoken") },
		"served-bare": func(r *lesson.Run) bool {
			return !redirected(r) && !overHTTP(r, "sessionid") && !overHTTP(r, "csrftoken")
		},
	},
	"still-travels": {
		"without-secure": func(r *lesson.Run) bool { return overHTTP(r, "sessionid") && !secureOverHTTP(r) },
		"no-redirect":    secureOverHTTP,
		"renewed": func(r *lesson.Run) bool {
			return strings.Contains(r.Steps[0].Action, "http://") && overHTTP(r, "sessionid")
		},
		"redirected-late": func(r *lesson.Run) bool { return redirected(r) && overHTTP(r, "sessionid") },
	},
	"everything": {"all-three": secured, "redirect-session": secured, "session-token": secured, "redirect-alone": secured},
}

func secured(r *lesson.Run) bool {
	return redirected(r) && !overHTTP(r, "sessionid") && !overHTTP(r, "csrftoken")
}

// redirected reports whether a row that begins over http says 301 to https.
func redirected(r *lesson.Run) bool {
	return slices.ContainsFunc(r.Steps, func(s lesson.Step) bool {
		return strings.Contains(s.Condition, "is_secure()=False") && strings.HasPrefix(s.Result, "301 to https://")
	})
}

func overHTTP(r *lesson.Run, cookie string) bool {
	return slices.ContainsFunc(r.Steps, func(s lesson.Step) bool { return seen(&s, cookie, false) })
}

// secureOverHTTP reports whether a session cookie that the browser holds as Secure goes over http.
func secureOverHTTP(r *lesson.Run) bool {
	fact := func(v lesson.Verdict, name, value string) bool {
		return slices.ContainsFunc(v.Facts, func(f rule.Fact) bool { return f.Name == name && f.Value == value })
	}
	return slices.ContainsFunc(r.Steps, func(s lesson.Step) bool {
		return slices.ContainsFunc(s.Verdicts, func(v lesson.Verdict) bool {
			return v.Question == string(rule.SendCookie) && v.Yes && fact(v, "secure connection", "false") && fact(v, "secure-only-flag", "true")
		})
	})
}

// rawOf are the Set-Cookie lines of the session that a run shows.
func rawOf(r *lesson.Run) string {
	var all strings.Builder
	for _, s := range r.Steps {
		for _, m := range s.Messages {
			for line := range strings.Lines(m.Raw) {
				if strings.HasPrefix(line, "Set-Cookie: sessionid=") {
					all.WriteString(line)
				}
			}
		}
	}
	return all.String()
}

func TestPracticeQuestions(t *testing.T) {
	all := course(t).Practice
	var grades []string
	for _, q := range all {
		grades = append(grades, q.Grade)
		holds := practised[strings.TrimPrefix(q.ID, "practice/")]
		deriveBy(t, q, func(t testing.TB, _, run *lesson.Run, option string) bool {
			return holds[keyOf(t, q.ID, option)](run)
		})
		if len(q.Options) != 4 || len(q.Solution) < 3 || q.Check == "" || len(q.Mistakes) < 2 || q.Kind != "practice" {
			t.Errorf("%s lacks something: %+v", q.ID, q)
		}
	}
	if want := []string{"easy", "easy", "medium", "medium", "hard"}; !slices.Equal(grades, want) {
		t.Errorf("grades %v, want %v", grades, want)
	}
	// Where the lesson's key and the run disagree, both are told.
	for _, q := range all {
		if (q.Key != "") != (q.ID == "practice/still-travels") {
			t.Errorf("%s: key %q", q.ID, q.Key)
		}
	}
}

// keyOf is how texts.json calls an option.
func keyOf(t testing.TB, id, option string) string {
	t.Helper()
	var texts struct {
		Course struct {
			Practice map[string]struct{ Options map[string]string } `json:"practice"`
		} `json:"course"`
	}
	if err := json.Unmarshal(lesson.Texts(), &texts); err != nil {
		t.Fatal(err)
	}
	for key, text := range texts.Course.Practice[strings.TrimPrefix(id, "practice/")].Options {
		if text == option {
			return key
		}
	}
	t.Fatalf("%s: no option %q", id, option)
	return ""
}

// SESSION_COOKIE_SECURE alone keeps the cookie from going over http; an old one, and one that other code
// sets, do go.
func TestWhatStillTravels(t *testing.T) {
	lessonAlone := anew.of(t, lesson.Setup{Switches: map[string]string{"SECURE_SSL_REDIRECT": "False"}})
	if overHTTP(lessonAlone, "sessionid") {
		t.Error("with SESSION_COOKIE_SECURE alone the cookie goes over http")
	}
	for name, want := range map[string][]bool{
		"cookie-from-before":   {false, true, false, false},
		"cookie-by-other-code": {false, false, false, true},
	} {
		for i, s := range anew.of(t, lesson.Setup{Scenario: name}).Steps {
			if got := seen(&s, "sessionid", false); got != want[i] {
				t.Errorf("%s, step %d: over http %v, want %v", name, i+1, got, want[i])
			}
		}
	}
}

var borne = regexp.MustCompile(`\(Step (\d+)(?: with (\w+)=(\w+))?, ([a-z-]+)\.\)$`)

func TestSnapshotIsBorneOut(t *testing.T) {
	all := course(t).Snapshot
	if len(all) != 5 {
		t.Errorf("%d facts, want 5", len(all))
	}
	for _, text := range all {
		parts := borne.FindStringSubmatch(text)
		if parts == nil {
			t.Errorf("%q names no step and rule", text)
			continue
		}
		var s lesson.Setup
		if parts[2] != "" {
			s.Switches = map[string]string{parts[2]: parts[3]}
		}
		step, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		if run := anew.of(t, s); !slices.ContainsFunc(run.Steps[step-1].Verdicts, func(v lesson.Verdict) bool { return string(v.Rule) == parts[4] }) {
			t.Errorf("%q: step %d of the run has no verdict by %s", text, step, parts[4])
		}
	}
}

// sampled is what a view answers to a request.
type sampled struct {
	Status   int
	Location string
	Cookie   string // without what differs by name and order
	Body     string
}

// flagsOf are the attributes of a Set-Cookie line that matter here.
func flagsOf(line string) string {
	name, rest, _ := strings.Cut(line, ";")
	attributes := strings.Split(strings.ToLower(rest), ";")
	for i := range attributes {
		attributes[i] = strings.TrimSpace(attributes[i])
	}
	slices.Sort(attributes)
	return strings.TrimSpace(name + " " + strings.Join(attributes, " "))
}

func goSample(t *testing.T, url string) sampled {
	t.Helper()
	s := lockstep.DjangoDefaults("6.1")
	s.SecretKey = "a secret of more than fifty characters, kept out of the repository"
	s.AllowedHosts = []string{"shop.test"}
	guard, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	guard.Wrap(http.HandlerFunc(lesson.Welcome)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return sampled{w.Code, w.Header().Get("Location"), flagsOf(w.Header().Get("Set-Cookie")), strings.TrimSpace(w.Body.String())}
}

const askDjango = `
import json, sys
from django.conf import settings
settings.configure(SECRET_KEY="x" * 60, ALLOWED_HOSTS=["shop.test"], ROOT_URLCONF="__main__")
urlpatterns = []
import django
django.setup()
from django.test import RequestFactory
source, *urls = sys.stdin.read().split("\x00")
names = {}
exec(source, names)
for url in urls:
    request = RequestFactory().get(url.split("shop.test", 1)[1], HTTP_HOST="shop.test", secure=url.startswith("https:"))
    response = names["welcome"](request)
    cookie = response.cookies["sessionid"].OutputString() if "sessionid" in response.cookies else ""
    print(json.dumps({"Status": response.status_code, "Location": response.get("Location", ""), "Cookie": cookie, "Body": response.content.decode()}))
`

// The two samples stand side by side, so they have to do the same; the one in Python is run by a real Django.
func TestSamplesDoTheSame(t *testing.T) {
	const python = "/usr/bin/python3"
	sample := course(t).Sample
	if len(sample.Intro) < 2 || !strings.HasPrefix(sample.Go, "func Welcome(w http.ResponseWriter") || !strings.HasSuffix(sample.Go, "\n}\n") {
		t.Errorf("sample: %+v", sample)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-I", "-c", "import django.conf").CombinedOutput(); err != nil {
		const missing = "no Django to run the sample: apt-get install python3-django"
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf("%s: %v: %s", missing, err, out)
		}
		t.Skip(missing)
	}
	urls := []string{"http://shop.test/", "https://shop.test/", "http://shop.test/?next=http://shop.test/cart"}
	cmd := exec.CommandContext(t.Context(), python, "-I", "-c", askDjango)
	cmd.Stdin = strings.NewReader(sample.Python + "\x00" + strings.Join(urls, "\x00"))
	out, err := cmd.Output()
	if err != nil {
		exit, _ := errors.AsType[*exec.ExitError](err)
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	for _, url := range urls {
		var django sampled
		if err := answers.Decode(&django); err != nil {
			t.Fatal(err)
		}
		django.Cookie = flagsOf(django.Cookie)
		if got := goSample(t, url); got.Status != django.Status || got.Location != django.Location || got.Cookie != django.Cookie || got.Status == http.StatusOK && got.Body != django.Body {
			t.Errorf("%s:\n Go     %+v\n Django %+v", url, got, django)
		}
	}
}

// The settings of the sample are those of the lesson's run.
func TestSampleSettings(t *testing.T) {
	var want strings.Builder
	for _, a := range anew.of(t, lesson.Setup{}).Settings {
		fmt.Fprintf(&want, "%s = %s\n", a.Name, a.Value)
	}
	lines := func(text string) []string {
		all := strings.Split(strings.TrimSpace(text), "\n")
		slices.Sort(all)
		return all
	}
	if got := course(t).Sample.Settings; !slices.Equal(lines(got), lines(want.String())) {
		t.Errorf("the sample has\n%s\nand the run\n%s", got, want.String())
	}
}
