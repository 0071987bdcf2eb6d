package lesson_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// What a scenario says of itself holds.
func TestScenarioExpectations(t *testing.T) {
	for _, s := range library(t).Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			parsed, err := scenario.Parse(s.Text)
			if err != nil {
				t.Fatal(err)
			}
			result, err := parsed.Do(t.Context(), scenario.Options{Profile: browser.Chromium()})
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Outcomes) == 0 {
				t.Error("it expects nothing")
			}
			for _, m := range result.Missed {
				t.Errorf("line %d: %s does not hold", m.Line, m)
			}
		})
	}
}

// The scenarios that the lab is to have, the lesson first, each short enough to be followed.
func TestScenariosAreThere(t *testing.T) {
	want := []string{
		"lesson", "login-over-http", "hsts", "redirect-loop", "cross-site-post-stopped", "cross-site-post-not-stopped",
		"http-overwrites-a-cookie", "subdomain-tosses-a-cookie", "session-fixation", "oauth-callback",
		"logout-that-does-not-delete", "localhost", "stolen-cookie", "stolen-cookie-secure", "sslstrip",
		"two-cookies", "cookie-from-before", "cookie-by-other-code",
	}
	l := library(t)
	var got []string
	for _, s := range l.Scenarios() {
		got = append(got, s.Name)
		r := run(t, lesson.Setup{Scenario: s.Name})
		if n := len(r.Steps); n < 4 || n > 9 {
			t.Errorf("%s has %d steps", s.Name, n)
		}
		if n := len(r.Moments); n < 3 || n > 5 {
			t.Errorf("%s has %d key moments", s.Name, n)
		}
		if len(s.Intro) == 0 || len(s.Switches) == 0 || !strings.HasSuffix(s.Question, "?") {
			t.Errorf("%s lacks an introduction, switches or a question: %+v", s.Name, s)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

// Every scenario runs under every value of every switch and every profile: what cannot be is refused with a
// reason, and only that.
func TestEverySwitch(t *testing.T) {
	l := library(t)
	for _, s := range l.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			for _, profile := range lesson.Profiles() {
				check(t, l, lesson.Setup{Scenario: s.Name, Profile: profile})
			}
			for _, sw := range l.Switches(s.Name) {
				for _, c := range sw.Values {
					if c.Value == sw.Default {
						continue // the profiles have run that
					}
					check(t, l, lesson.Setup{Scenario: s.Name, Switches: map[string]string{sw.Name: c.Value}})
				}
			}
		})
	}
}

// Setups at random keep what every run keeps.
func TestAnySetup(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	l := library(t)
	names := l.Scenarios()
	for range 40 {
		s := lesson.Setup{Scenario: names[r.IntN(len(names))].Name, Profile: pick(r, lesson.Profiles()), Switches: map[string]string{}}
		for _, sw := range l.Switches(s.Scenario) {
			if r.IntN(3) == 0 {
				s.Switches[sw.Name] = sw.Values[r.IntN(len(sw.Values))].Value
			}
		}
		check(t, l, s)
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// check runs a setup and holds the run to what every run keeps.
func check(t *testing.T, l *lesson.Library, s lesson.Setup) {
	t.Helper()
	r, err := l.Run(t.Context(), s)
	if refused, ok := errors.AsType[*lesson.SetupError](err); ok {
		if refused.Name == "" || refused.Problem == "" || refused.Values != nil {
			t.Errorf("%+v: the refusal helps nobody: %+v", s, refused)
		}
		return
	}
	if err != nil {
		t.Errorf("%+v: %v", s, err)
		return
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range slices.Concat(shapeOf(r), leaksOf(r, string(text))) {
		t.Errorf("%+v: %s", s, problem)
	}
}

// shapeOf is what is wrong with the shape of a run.
func shapeOf(r *lesson.Run) (wrong []string) {
	if len(r.Text) != len(r.Steps) {
		wrong = append(wrong, "the transcript has another length than the table")
	}
	for _, v := range r.Tracker {
		if len(v.Values) != len(r.Steps)+1 {
			wrong = append(wrong, "the variable "+v.Name+" has another length than the table")
		}
	}
	for i, st := range r.Steps {
		switch {
		case st.Number != i+1, st.Action == "", st.Condition == "", st.Result == "", st.Sent == "", st.Say == "":
			wrong = append(wrong, "a row is not told: "+st.Action)
		case st.Skipped:
		case st.Rule == "", len(st.Messages) == 0, len(st.Attacker) == 0:
			wrong = append(wrong, "a row has no rule, no message or nothing for the attacker's lane: "+st.Action)
		}
		for _, m := range st.Messages {
			wrong = append(wrong, textOf(m.Text)...)
			if m.From == lesson.LaneApp && m.To == lesson.LaneBrowser || m.From == lesson.LaneBrowser && m.To == lesson.LaneApp {
				wrong = append(wrong, "a message passes the gate by: "+m.Text)
			}
		}
		for _, a := range st.Attacker {
			wrong = append(wrong, textOf(a.Text)...)
		}
	}
	for _, m := range r.Moments {
		wrong = append(wrong, textOf(m.Question)...)
		if m.Step < 1 || m.Step > len(r.Steps) || m.Answer == "" || !slices.ContainsFunc(r.Rules, func(rl lesson.Rule) bool { return rl.ID == m.Rule }) {
			wrong = append(wrong, "a moment leads nowhere: "+m.Question)
		}
	}
	return wrong
}

// notFilled is a text that was not found, or in which something was left open.
var notFilled = regexp.MustCompile(`^(message|moment|seen|could|did|own|say|text|browser)\.|\{[a-z]+\}`)

func textOf(text string) []string {
	if text == "" || notFilled.MatchString(text) {
		return []string{"a text is missing: " + text}
	}
	return nil
}

var (
	longWord   = regexp.MustCompile(`[A-Za-z0-9]{28,}`)
	cookieLine = regexp.MustCompile(`(?m)^(?:Set-)?Cookie: (.*)$`)
)

// leaksOf finds values of cookies: anything as long as a key or a token, and in the raw lines each value
// that is not shortened.
func leaksOf(r *lesson.Run, text string) (found []string) {
	for _, word := range longWord.FindAllString(text, -1) {
		if strings.ContainsAny(word, "0123456789") { // names of middleware are long, too
			found = append(found, "a value: "+word)
		}
	}
	for _, st := range r.Steps {
		for _, m := range st.Messages {
			for _, line := range cookieLine.FindAllStringSubmatch(m.Raw, -1) {
				_, value, _ := strings.Cut(line[1], "=")
				value, _, _ = strings.Cut(value, ";")
				if value != "" && value != `""` && !strings.HasSuffix(value, "…") {
					found = append(found, "the value of a cookie: "+line[0])
				}
			}
		}
	}
	return found
}

// A change of one switch changes these cells, and the page says so.
func TestDifferences(t *testing.T) {
	tests := []struct {
		scenario, name, value string
		step                  int
		column, was, now      string // parts of the cells
	}{
		{"lesson", "SESSION_COOKIE_SECURE", "False", 5, "Cookie sent", "no: a Secure cookie is not sent", "yes: sessionid"},
		{"lesson", "SECURE_SSL_REDIRECT", "False", 1, "Result", "301 to https://shop.test/", "200, processed"},
		{"lesson", "SECURE_HSTS_SECONDS", "31536000", 5, "Action", "HTTP again to http", "upgraded to https://shop.test/"},
		{"lesson", "SECURE_HSTS_SECONDS", "31536000", 3, "HSTS store", "-", "shop.test"},
		{"lesson", "start", "https", 1, "Result", "301", "not reached"},
		{"lesson", "SESSION_COOKIE_HTTPONLY", "False", 3, "Action", "HttpOnly", "sessionid; Secure; SameSite=Lax"},
		{"lesson", "SESSION_COOKIE_NAME", "__Host-sessionid", 3, "Action", "sets sessionid", "sets __Host-sessionid"},
		{"lesson", "SESSION_COOKIE_DOMAIN", "shop.test", 3, "cookie jar", "sessionid; Secure", "Domain=shop.test"},
		{"lesson", "proxy", "trusted", 2, "Condition", "", ""},
		{"lesson", "proxy", "ignored", 2, "Result", "200", "500"},
		{"lesson", "path", "strips", 1, "Condition", "request.is_secure()=False", "request.is_secure()=True"},
		{"login-over-http", "SECURE_SSL_REDIRECT", "False", 1, "Result", "301", "200"},
		{"login-over-http", "start", "https", 1, "Result", "301", "not reached"},
		{"hsts", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "True", 4, "Action", "GET http://img", "upgraded before it leaves"},
		{"redirect-loop", "proxy", "trusted", 1, "Result", "500", "200"},
		{"cross-site-post-stopped", "SESSION_COOKIE_SAMESITE", "None", 3, "Cookie sent", "sessionid: SameSite=Lax", "yes: sessionid"},
		{"cross-site-post-not-stopped", "SESSION_COOKIE_SAMESITE", "Lax", 3, "Result", "sets sessionid to another value", "302 to /login"},
		{"http-overwrites-a-cookie", "SESSION_COOKIE_SECURE", "True", 3, "Result", "sets sessionid to another value", "sets sessionid: the browser refuses it: it would replace a Secure one"},
		{"subdomain-tosses-a-cookie", "SESSION_COOKIE_NAME", "__Host-sessionid", 2, "Result", "the browser stores it", "the browser refuses it"},
		{"oauth-callback", "SESSION_COOKIE_SAMESITE", "Strict", 2, "Cookie sent", "yes: sessionid", "no: "},
		{"oauth-callback", "SESSION_COOKIE_SAMESITE", "None", 3, "Cookie sent", "no: ", "yes: sessionid"},
		{"logout-that-does-not-delete", "SESSION_COOKIE_DOMAIN", "None", 2, "Result", "none has this Domain and Path", "deletes sessionid"},
		{"stolen-cookie", "SESSION_COOKIE_SECURE", "True", 5, "Condition", "is_authenticated=True", "is_authenticated=False"},
		{"stolen-cookie-secure", "SESSION_COOKIE_SECURE", "False", 5, "Condition", "is_authenticated=False", "is_authenticated=True"},
		{"sslstrip", "SECURE_HSTS_SECONDS", "31536000", 2, "Action", "GET http://", "upgraded before it leaves"},
		{"sslstrip", "SECURE_HSTS_SECONDS", "31536000", 4, "Condition", "is_authenticated=True", "is_authenticated=False"},
	}
	for _, test := range tests {
		was := run(t, lesson.Setup{Scenario: test.scenario})
		now := run(t, lesson.Setup{Scenario: test.scenario, Switches: map[string]string{test.name: test.value}})
		changes := lesson.Difference(was, now)
		i := slices.IndexFunc(changes, func(c lesson.Change) bool { return c.Step == test.step && c.Column == test.column })
		switch {
		case test.was == "" && i >= 0:
			t.Errorf("%s, %s=%s: step %d, %s changes: %+v", test.scenario, test.name, test.value, test.step, test.column, changes[i])
		case test.was == "":
		case i < 0:
			t.Errorf("%s, %s=%s: step %d, %s does not change: %+v", test.scenario, test.name, test.value, test.step, test.column, changes)
		case !strings.Contains(changes[i].Was, test.was) || !strings.Contains(changes[i].Now, test.now):
			t.Errorf("%s, %s=%s: %+v, want %q and %q", test.scenario, test.name, test.value, changes[i], test.was, test.now)
		}
	}
}

// A run differs from itself in nothing, keys and tokens aside.
func TestNoDifference(t *testing.T) {
	for _, s := range library(t).Scenarios() {
		if changes := lesson.Difference(run(t, lesson.Setup{Scenario: s.Name}), run(t, lesson.Setup{Scenario: s.Name})); len(changes) > 0 {
			t.Errorf("%s differs from itself: %+v", s.Name, changes)
		}
	}
}

// What the attack comes to in the end, by its last row that is about it.
func TestWhatTheAttackerGets(t *testing.T) {
	tests := []struct {
		scenario string
		switches map[string]string
		step     int
		harm     bool
		rule     string
	}{
		{"lesson", nil, 5, false, ""},
		{"lesson", map[string]string{"SESSION_COOKIE_SECURE": "False"}, 5, true, "send-ok"},
		{"login-over-http", map[string]string{"SECURE_SSL_REDIRECT": "False"}, 3, true, ""},
		{"cross-site-post-stopped", nil, 3, false, "csrf-origin-mismatch"},
		{"cross-site-post-stopped", map[string]string{"SESSION_COOKIE_SAMESITE": "None"}, 3, false, "csrf-origin-mismatch"},
		{"cross-site-post-not-stopped", nil, 3, true, "csrf-exempt"},
		{"cross-site-post-not-stopped", nil, 5, true, "authenticated-ok"},
		{"cross-site-post-not-stopped", map[string]string{"SESSION_COOKIE_SAMESITE": "Lax"}, 3, false, "send-samesite-lax"},
		{"cross-site-post-not-stopped", map[string]string{"SESSION_COOKIE_SAMESITE": "Lax"}, 5, false, ""},
		{"http-overwrites-a-cookie", nil, 3, true, "store-replaced"},
		{"http-overwrites-a-cookie", map[string]string{"SESSION_COOKIE_SECURE": "True"}, 3, false, "store-would-overlay-secure"},
		{"subdomain-tosses-a-cookie", nil, 4, true, "session-loaded"},
		{"subdomain-tosses-a-cookie", map[string]string{"SESSION_COOKIE_NAME": "__Host-sessionid"}, 2, false, "store-prefix-host"},
		{"subdomain-tosses-a-cookie", map[string]string{"SESSION_COOKIE_NAME": "__Host-sessionid"}, 4, false, ""},
		{"session-fixation", nil, 2, true, "store-ok"},
		{"session-fixation", nil, 5, false, "session-unknown-key"},
		{"session-fixation", map[string]string{"SESSION_COOKIE_NAME": "__Host-sessionid"}, 2, false, "store-prefix-host"},
		{"logout-that-does-not-delete", nil, 5, false, "session-unknown-key"},
		{"stolen-cookie", nil, 3, true, "send-ok"},
		{"stolen-cookie", nil, 5, true, "authenticated-ok"},
		{"stolen-cookie", map[string]string{"SECURE_HSTS_SECONDS": "31536000"}, 5, false, ""},
		{"stolen-cookie-secure", nil, 5, false, ""},
		{"sslstrip", nil, 4, true, "authenticated-ok"},
		{"sslstrip", map[string]string{"SECURE_HSTS_SECONDS": "31536000"}, 2, false, "upgrade-hsts"},
		{"sslstrip", map[string]string{"SECURE_HSTS_SECONDS": "31536000"}, 3, false, ""},
		{"sslstrip", map[string]string{"SECURE_HSTS_SECONDS": "31536000"}, 4, false, ""},
		{"lesson", map[string]string{"path": "strips"}, 1, true, "path-stripped"},
		{"localhost", nil, 1, false, ""},
	}
	for _, test := range tests {
		seen := run(t, lesson.Setup{Scenario: test.scenario, Switches: test.switches}).Steps[test.step-1].Attacker
		if harm := slices.ContainsFunc(seen, func(s lesson.Seen) bool { return s.Harm }); harm != test.harm {
			t.Errorf("%s %v, step %d: harm %v, want %v: %+v", test.scenario, test.switches, test.step, harm, test.harm, seen)
		}
		if !slices.ContainsFunc(seen, func(s lesson.Seen) bool { return string(s.Rule) == test.rule }) {
			t.Errorf("%s %v, step %d: not by rule %q: %+v", test.scenario, test.switches, test.step, test.rule, seen)
		}
	}
}

// What a person can mend is said with the name to mend and what there is.
func TestSetupErrors(t *testing.T) {
	tests := []struct {
		setup      lesson.Setup
		name, rule string
		values     bool
	}{
		{lesson.Setup{Scenario: "no-such"}, "scenario", "", true},
		{lesson.Setup{Profile: "netscape"}, "profile", "", true},
		{lesson.Setup{Switches: map[string]string{"SECURE_SSL_REDIRECT": "maybe"}}, "SECURE_SSL_REDIRECT", "", true},
		{lesson.Setup{Switches: map[string]string{"SECRET_KEY": "x"}}, "SECRET_KEY", "", true},
		{lesson.Setup{Switches: map[string]string{"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": "False"}}, "SESSION_COOKIE_SAMESITE", "store-none-not-secure", false},
		{lesson.Setup{Switches: map[string]string{"SESSION_COOKIE_NAME": "__Host-sessionid", "SESSION_COOKIE_SECURE": "False"}}, "SESSION_COOKIE_NAME", "store-prefix-host", false},
		{lesson.Setup{Switches: map[string]string{"SESSION_COOKIE_NAME": "__Host-sessionid", "SESSION_COOKIE_DOMAIN": "shop.test"}}, "SESSION_COOKIE_NAME", "store-prefix-host", false},
		{lesson.Setup{Switches: map[string]string{"SESSION_COOKIE_NAME": "__Secure-sessionid", "SESSION_COOKIE_SECURE": "False"}}, "SESSION_COOKIE_NAME", "store-prefix-secure", false},
	}
	for _, test := range tests {
		_, err := library(t).Run(t.Context(), test.setup)
		e, ok := errors.AsType[*lesson.SetupError](err)
		if !ok {
			t.Errorf("%+v: %v is no SetupError", test.setup, err)
			continue
		}
		if e.Name != test.name || string(e.Rule) != test.rule || (e.Values != nil) != test.values || e.Problem == "" {
			t.Errorf("%+v: %+v", test.setup, e)
		}
	}
}

// Somebody's own files are read beside those that are shipped, and what is wrong with one is said.
func TestOwnFiles(t *testing.T) {
	const good = "# My cookie\n#\n# Predict: Is it stored?\n\nvisit https://shop.test/\n"
	tests := []struct {
		name, text string
		want       string // in the error; "" for none
	}{
		{"20-my-cookie.scenario", good, ""},
		{"lesson.scenario", good, ""},
		{"My.scenario", good, "is called like"},
		{"a.scenario", "visit https://shop.test/\n", "want a comment at the beginning"},
		{"a.scenario", "# Title\n\nvisit https://shop.test/\n", "want a question to predict"},
		{"a.scenario", good + "fly\n", "no command"},
		{"a.scenario", "# T\n# Predict: x?\n# Switches: COLOUR\n", "no switch"},
		{"a.scenario", "# T\n# Predict: x?\n# Asks: weather/1\n", "no kind of question"},
		{"a.scenario", "# T\n# Predict: x?\n# Shows: weather\n", "no variable"},
		{"a.scenario", "# T\n# Predict: x?\n# Attacker: maybe\n", "want yes or no"},
		{"a.scenario", good + strings.Repeat("#\n", 64<<10), "more than"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, test.name), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := lesson.New(lesson.Options{Dir: dir})
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.name) {
				t.Errorf("%s: %v, want %q", test.name, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(test.name, "20-"), ".scenario")
		if s, ok := l.Scenario(name); !ok || s.Title != "My cookie" {
			t.Errorf("%s: %+v", test.name, s)
		}
		if l.Scenarios()[0].Name != "lesson" {
			t.Error("the lesson does not come first")
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain.scenario"), []byte(good+"visit http://shop.test/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := lesson.New(lesson.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := l.Run(t.Context(), lesson.Setup{Scenario: "plain"}); err != nil || len(r.Steps) != 2 || r.Steps[1].Action != "visit: GET http://shop.test/" {
		t.Errorf("visits without titles are told as %+v, %v", r, err)
	}
	if _, err := lesson.New(lesson.Options{Dir: filepath.Join(t.TempDir(), "nowhere")}); err == nil {
		t.Error("a folder that is not there is taken")
	}
}

// The page about scenario files names every switch and every variable.
func TestTheDocumentNamesThem(t *testing.T) {
	page, err := os.ReadFile("../../docs/how-to/add-a-scenario.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, sw := range library(t).Switches("") {
		names = append(names, sw.Name)
		if sw.Label == "" || sw.About == "" {
			t.Errorf("the switch %s is not told", sw.Name)
		}
	}
	for _, v := range run(t, lesson.Setup{}).Tracker {
		names = append(names, strings.TrimPrefix(v.Name, "cookie sessionid"))
	}
	for _, name := range names {
		if !strings.Contains(string(page), "`"+name+"`") && name != "" {
			t.Errorf("it does not name %s", name)
		}
	}
}
