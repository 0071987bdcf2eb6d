package lesson_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

// shared is the library of the tests about questions, which keeps its runs.
var shared = sync.OnceValues(func() (*lesson.Library, error) { return lesson.New(lesson.Options{}) })

func theLibrary(t testing.TB) *lesson.Library {
	t.Helper()
	l, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// runs are made anew here, by a library that no question was made from.
type runs struct {
	mu    sync.Mutex
	fresh *lesson.Library
	made  map[string]*lesson.Run
}

var anew runs

func (r *runs) of(t testing.TB, s lesson.Setup) *lesson.Run {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fresh == nil {
		fresh, err := lesson.New(lesson.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.fresh, r.made = fresh, map[string]*lesson.Run{}
	}
	key, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if run := r.made[string(key)]; run != nil {
		return run
	}
	run, err := r.fresh.Run(t.Context(), s)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	r.made[string(key)] = run
	return run
}

// What an option says is read here from what a person sees: the columns of the table, the tracker and the
// bytes of the flow diagram. The questions are made from the verdicts.
type claim func(t testing.TB, base, run *lesson.Run, option string) bool

// claimOf is what the options of a question of a template claim; words are the parts of its ID.
func claimOf(t testing.TB, template string, words []string) claim {
	t.Helper()
	number := func(i int) int {
		n, err := strconv.Atoi(words[i])
		if err != nil {
			t.Fatalf("%s %q: %v", template, words, err)
		}
		return n
	}
	switch template {
	case "first-sent":
		return atStep(func(run *lesson.Run, s *lesson.Step) bool { return slices.Contains(sentNames(s), words[0]) })
	case "first-stored":
		return atStep(func(run *lesson.Run, s *lesson.Step) bool { return stores(s, words[0]) })
	case "leak":
		return atStep(func(run *lesson.Run, s *lesson.Step) bool { return seen(s, words[0], false) })
	case "harm":
		return func(t testing.TB, _, run *lesson.Run, option string) bool {
			return option == stepText(slices.IndexFunc(run.Steps, func(s lesson.Step) bool {
				return slices.ContainsFunc(s.Attacker, func(a lesson.Seen) bool { return a.Harm })
			})+1)
		}
	case "value-after":
		return func(t testing.TB, _, run *lesson.Run, option string) bool {
			value := valueOf(run, words[0], number(1))
			return option == value || value == "-" && option == "nothing yet (-)" || option == "value "+value
		}
	case "answer-at":
		return func(t testing.TB, _, run *lesson.Run, option string) bool {
			result := run.Steps[number(0)-1].Result
			return result == option || strings.HasPrefix(result, option+";")
		}
	case "cookies-at":
		return func(t testing.TB, _, run *lesson.Run, option string) bool {
			names := sentNames(&run.Steps[number(0)-1])
			slices.Sort(names)
			return option == strings.Join(names, " and ") || len(names) == 0 && option == "None."
		}
	case "clear-count":
		return func(t testing.TB, _, run *lesson.Run, option string) bool {
			return option == strconv.Itoa(inClear(run))
		}
	case "who-reads":
		return func(t testing.TB, _, run *lesson.Run, option string) bool {
			return strings.HasPrefix(option, reader(run, number(1), words[0]))
		}
	case "forged":
		return func(t testing.TB, _, run *lesson.Run, option string) bool {
			s := run.Steps[number(0)-1]
			_, accepted, _ := strings.Cut(s.Condition, "CSRF check ")
			switch {
			case !strings.HasPrefix(accepted, "passed"):
				return strings.HasPrefix(option, "No: ")
			case carries(s.Messages[slices.IndexFunc(s.Messages, request)], "sessionid"):
				return strings.HasPrefix(option, "Yes, and")
			}
			return strings.HasPrefix(option, "Yes, but")
		}
	case "send-rule", "store-rule", "upgrade-rule", "session-rule", "csrf-rule":
		return ruleAt(template, words)
	}
	return claimOfChange(t, template, words)
}

// claimOfChange is claimOf for questions that compare two runs.
func claimOfChange(t testing.TB, template string, words []string) claim {
	t.Helper()
	switch template {
	case "first-change", "changed":
		return func(t testing.TB, base, run *lesson.Run, option string) bool {
			first := 0
			for _, c := range shownChanges(base, run) {
				if c.Step > 0 && (first == 0 || c.Step < first) {
					first = c.Step
				}
			}
			if first == 0 {
				return option == "No step: all go as before."
			}
			return option == stepText(first)
		}
	case "what-if":
		return func(t testing.TB, base, run *lesson.Run, option string) bool {
			all := shownChanges(base, run)
			if len(all) == 0 {
				return option == "No row changes."
			}
			return slices.ContainsFunc(all, func(c lesson.Change) bool { return tells(run, c, option) })
		}
	case "changes-nothing":
		return func(t testing.TB, base, run *lesson.Run, _ string) bool { return len(shownChanges(base, run)) == 0 }
	case "which-switch":
		return func(t testing.TB, _, run *lesson.Run, _ string) bool {
			n, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"clear": "Everybody", "sealed": "The browser and the site", "kept": "Nobody: the browser keeps"}[words[2]]
			return strings.HasPrefix(reader(run, n, words[0]), want)
		}
	}
	t.Fatalf("the test knows no template %q", template)
	return nil
}

func stepText(number int) string {
	if number == 0 {
		return "At no step."
	}
	return fmt.Sprintf("At step %d.", number)
}

func atStep(holds func(*lesson.Run, *lesson.Step) bool) claim {
	return func(t testing.TB, _, run *lesson.Run, option string) bool {
		first := 0
		for i := range run.Steps {
			if s := &run.Steps[i]; first == 0 && s.As == "" && holds(run, s) {
				first = s.Number
			}
		}
		return option == stepText(first)
	}
}

// sentNames reads the column "Cookie sent".
func sentNames(s *lesson.Step) []string {
	_, yes, found := strings.Cut(s.Sent, "yes: ")
	if !found {
		return nil
	}
	yes, _, _ = strings.Cut(yes, "; no: ")
	return strings.Split(yes, ", ")
}

// stores reads the facts of what the browser stored.
func stores(s *lesson.Step, cookie string) bool {
	return slices.ContainsFunc(s.Verdicts, func(v lesson.Verdict) bool {
		return v.Question == "store cookie" && v.Subject == cookie && v.Yes
	})
}

// request reports whether a message is a request that leaves the person's browser, for whom it may concern.
func request(m lesson.Message) bool {
	return m.From == lesson.LaneBrowser && m.To != lesson.LaneBrowser && m.Raw != ""
}

// loopback reports whether a message never leaves the machine.
func loopback(m lesson.Message) bool {
	return strings.Contains(m.Text, "://localhost") || strings.Contains(m.Text, "://127.0.0.1")
}

// seen reports whether a request of the step carries a cookie over https, or over http.
func seen(s *lesson.Step, cookie string, secure bool) bool {
	return slices.ContainsFunc(s.Messages, func(m lesson.Message) bool {
		return request(m) && (m.Secure || loopback(m)) == secure && carries(m, cookie)
	})
}

func carries(m lesson.Message, cookie string) bool {
	for line := range strings.Lines(m.Raw) {
		if rest, found := strings.CutPrefix(line, "Cookie: "); found {
			for pair := range strings.SplitSeq(rest, "; ") {
				if name, _, _ := strings.Cut(pair, "="); name == cookie {
					return true
				}
			}
		}
	}
	return false
}

func inClear(run *lesson.Run) (n int) {
	for _, s := range run.Steps {
		for _, m := range s.Messages {
			if request(m) && !m.Secure && !loopback(m) && s.As == "" {
				n++
			}
		}
	}
	return n
}

// reader says who can read a cookie with the request of a step, as the options begin.
func reader(run *lesson.Run, number int, cookie string) string {
	s, only := &run.Steps[number-1], "" // the only cookie of a run, which the column does not name
	var names []string
	for _, v := range run.Tracker {
		if name, found := strings.CutPrefix(v.Name, "cookie "); found && name != "jar" {
			names = append(names, name)
		}
	}
	if len(names) == 1 {
		only = names[0]
	}
	switch {
	case slices.Contains(sentNames(s), cookie) && seen(s, cookie, false):
		return "Everybody"
	case slices.Contains(sentNames(s), cookie):
		return "The browser and the site"
	case strings.Contains(s.Sent, cookie+": ") || strings.HasPrefix(s.Sent, "no: ") && !strings.Contains(s.Sent, ": send-") && only == cookie:
		return "Nobody: the browser keeps it back."
	}
	return "Nobody: the browser has no such cookie"
}

func valueOf(run *lesson.Run, name string, number int) string {
	for _, v := range run.Tracker {
		if strings.ReplaceAll(v.Name, " ", "-") == name {
			return v.Values[number]
		}
	}
	return "missing"
}

// ruleAt reads "Yes. SENTENCE" against the verdicts of the step.
func ruleAt(template string, words []string) claim {
	question := map[string]string{
		"send-rule": "send cookie", "store-rule": "store cookie", "upgrade-rule": "upgrade to https", "session-rule": "load session", "csrf-rule": "check csrf",
	}[template]
	return func(t testing.TB, _, run *lesson.Run, option string) bool {
		n, err := strconv.Atoi(words[len(words)-1])
		if err != nil {
			t.Fatal(err)
		}
		s := run.Steps[n-1]
		if template == "send-rule" && strings.HasPrefix(option, "Yes. ") != slices.Contains(sentNames(&s), words[0]) {
			return false
		}
		for _, v := range s.Verdicts {
			if v.Question == "connect" && template == "upgrade-rule" {
				return false // that was the first request
			}
			if v.Question != question || len(words) > 1 && v.Subject != words[0] {
				continue
			}
			for _, r := range run.Rules {
				if r.ID == v.Rule && option == map[bool]string{true: "Yes. ", false: "No. "}[v.Yes]+r.Sentence {
					return true
				}
			}
			if template == "session-rule" {
				return false // the first time that the site looks
			}
		}
		return false
	}
}

// shownChanges are the differences without what the tracker keeps as a detail.
func shownChanges(base, run *lesson.Run) []lesson.Change {
	return slices.DeleteFunc(lesson.Difference(base, run), func(c lesson.Change) bool {
		return slices.ContainsFunc(base.Tracker, func(v lesson.Variable) bool { return v.Name == c.Column && (v.Detail || v.Chance) })
	})
}

// tells reports whether an option tells a change.
func tells(run *lesson.Run, c lesson.Change, option string) bool {
	now := c.Now
	switch {
	case now == "-":
		now = "nothing yet (-)"
	case strings.HasPrefix(now, "no. "):
		now = "value " + now
	}
	rest, found := strings.CutPrefix(option, fmt.Sprintf("Step %d, %s: ", c.Step, c.Column))
	switch {
	case c.Step > 0 && c.Step <= len(run.Steps) && run.Steps[c.Step-1].Skipped:
		return option == fmt.Sprintf("Step %d is not reached.", c.Step)
	case c.Step == 0:
		return option == c.Column+": "+now
	}
	return found && (rest == now || c.Column == "Result" && strings.HasPrefix(now, rest+";"))
}

// derive takes a question apart and tries every option in the runs it names.
func derive(t testing.TB, q lesson.Question) {
	t.Helper()
	id, _, _ := strings.Cut(q.ID, "#")
	id, _, _ = strings.Cut(id, "?")
	words := strings.Split(id, "/")
	claims := claimOf(t, words[1], words[2:])
	deriveBy(t, q, claims)
}

// deriveBy holds the options of a question against the runs that they name.
func deriveBy(t testing.TB, q lesson.Question, claims claim) {
	t.Helper()
	base := anew.of(t, q.Setup)
	right := slices.IndexFunc(q.Options, func(o lesson.Option) bool { return o.Right })
	if right < 0 || q.Options[right].Setup == nil {
		t.Fatalf("%s: no right option with a run", q.ID)
	}
	truth := anew.of(t, *q.Options[right].Setup)
	if strings.Contains(q.ID, "/changed/") {
		base = anew.of(t, lesson.Setup{Scenario: q.Setup.Scenario, Profile: q.Setup.Profile})
	}
	texts := map[string]bool{}
	for i, o := range q.Options {
		if texts[o.Text] {
			t.Errorf("%s: %q stands there twice", q.ID, o.Text)
		}
		texts[o.Text] = true
		decided := truth
		if o.Look != nil && q.Kind != "practice" || o.Look != nil && q.ID != "practice/still-travels" {
			decided = anew.of(t, *o.Look)
		}
		if got := claims(t, base, decided, o.Text); got != (i == right) {
			t.Errorf("%s: %q\n  option %q is %v in the run that decides", q.ID, q.Text, o.Text, got)
		}
		if o.Setup != nil && !claims(t, base, anew.of(t, *o.Setup), o.Text) {
			t.Errorf("%s: %q\n  option %q does not hold of the run it names, %v", q.ID, q.Text, o.Text, *o.Setup)
		}
		if o.Why == "" {
			t.Errorf("%s: option %q says no why", q.ID, o.Text)
		}
	}
	complete(t, q)
}

// complete wants all that a question is shown with.
func complete(t testing.TB, q lesson.Question) {
	t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{`{cookie}`, `{step}`, `{variable}`, `{change}`, `{goal}`, `{count}`} {
		if strings.Contains(string(text), left) {
			t.Errorf("%s: %s was not filled in: %s", q.ID, left, text)
		}
	}
	if q.Text == "" || q.Because == "" || len(q.Hints) == 0 || len(q.Options) < 2 || len(q.Options) > 4 {
		t.Errorf("%s lacks something: %+v", q.ID, q)
	}
	if run := anew.of(t, q.Setup); q.Step < 0 || q.Step > len(run.Steps)+2 {
		t.Errorf("%s: there is no step %d", q.ID, q.Step)
	}
}

func TestQuizIsDerivedAnew(t *testing.T) {
	l := theLibrary(t)
	templates, total := map[string]int{}, 0
	for _, s := range l.Scenarios() {
		all, err := l.Quiz(t.Context(), lesson.Setup{Scenario: s.Name})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if len(all) == 0 {
			t.Errorf("there is no question about %s", s.Name)
		}
		for _, q := range all {
			derive(t, q)
			templates[strings.Split(q.ID, "/")[1]]++
			total++
		}
	}
	if len(templates) < 12 {
		t.Errorf("%d templates have a question, want 12: %v", len(templates), templates)
	}
	t.Logf("%d questions of %d templates: %v", total, len(templates), templates)
}

func TestQuizUnderEverySwitchOfTheLesson(t *testing.T) {
	l := theLibrary(t)
	for _, sw := range l.Switches("") {
		for _, c := range sw.Values {
			s := lesson.Setup{Switches: map[string]string{sw.Name: c.Value}}
			if _, err := l.Run(t.Context(), s); err != nil {
				continue // refused, which the run says
			}
			all, err := l.Quiz(t.Context(), s)
			if err != nil {
				t.Fatalf("%s=%s: %v", sw.Name, c.Value, err)
			}
			for _, q := range all {
				derive(t, q)
			}
		}
	}
}

func TestPredictIsDerivedAnew(t *testing.T) {
	l := theLibrary(t)
	for _, s := range l.Scenarios() {
		setups := []lesson.Setup{{Scenario: s.Name}}
		for _, sw := range l.Switches(s.Name) {
			if slices.Contains(s.Switches[:min(2, len(s.Switches))], sw.Name) {
				other := slices.IndexFunc(sw.Values, func(c lesson.Choice) bool { return c.Value != sw.Default })
				setups = append(setups, lesson.Setup{Scenario: s.Name, Switches: map[string]string{sw.Name: sw.Values[other].Value}})
			}
		}
		for _, setup := range setups {
			if _, err := l.Run(t.Context(), setup); err != nil {
				continue
			}
			all, err := l.Predict(t.Context(), setup)
			if err != nil {
				t.Fatalf("%+v: %v", setup, err)
			}
			if len(all) < 1 || len(all) > 3 {
				t.Errorf("%+v: %d questions", setup, len(all))
			}
			for _, q := range all {
				derive(t, q)
			}
		}
	}
}

// What a scenario asks is asked first, and as it says; a turned switch may make its words untrue.
func TestPredictAsksWhatTheScenarioAsks(t *testing.T) {
	l := theLibrary(t)
	for _, s := range l.Scenarios() {
		all, err := l.Predict(t.Context(), lesson.Setup{Scenario: s.Name})
		if err != nil || len(all) == 0 || all[0].Text != s.Question {
			t.Errorf("%s: %+v, %v, want %q first", s.Name, all, err, s.Question)
		}
	}
	turned, err := l.Predict(t.Context(), lesson.Setup{Switches: map[string]string{"SESSION_COOKIE_SECURE": "False"}})
	own := l.Scenarios()[0].Question
	if err != nil || len(turned) != 2 || !strings.Contains(turned[1].ID, "/send-rule/") || turned[1].Text == own {
		t.Errorf("with a switch turned: %+v, %v, want what changes, and then the lesson's question in other words", turned, err)
	}
}

// The plan is a line a row, and in it stands what the row is called.
func TestPlanHasTheRows(t *testing.T) {
	l := theLibrary(t)
	for _, s := range l.Scenarios() {
		run, err := l.Run(t.Context(), lesson.Setup{Scenario: s.Name})
		if err != nil || len(run.Steps) != len(s.Plan) {
			t.Errorf("%s: %d rows, planned %q, %v", s.Name, len(run.Steps), s.Plan, err)
			continue
		}
		for i, step := range run.Steps {
			if step.Title != "" && step.Title != s.Plan[i] {
				t.Errorf("%s: row %d is %q, planned %q", s.Name, i+1, step.Title, s.Plan[i])
			}
		}
	}
}

func TestFiftyTestsAreDerivedAnew(t *testing.T) {
	l := theLibrary(t)
	drawn := map[string]bool{}
	for seed := range uint64(50) {
		all, err := l.Test(t.Context(), seed)
		if err != nil {
			t.Fatal(err)
		}
		grades, scenarios, ids := map[string]int{}, map[string]bool{}, map[string]bool{}
		for _, q := range all {
			derive(t, q)
			grades[q.Grade]++
			scenarios[q.Setup.Scenario] = true
			ids[q.ID] = true
			drawn[strings.TrimSuffix(q.ID, fmt.Sprintf("#%d", seed))] = true
		}
		if len(all) != 10 || len(ids) != 10 || grades["easy"] != 4 || grades["medium"] != 3 || grades["hard"] != 3 {
			t.Errorf("seed %d: %d questions, %d different: %v", seed, len(all), len(ids), grades)
		}
		if want := min(10, len(l.Scenarios())); len(scenarios) < want-1 {
			t.Errorf("seed %d: of %d scenarios only, want about %d", seed, len(scenarios), want)
		}
	}
	t.Logf("%d different questions in 50 tests", len(drawn))
}

func TestSameSeedSameQuestions(t *testing.T) {
	fresh, err := lesson.New(lesson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var texts [3]string
	for i, l := range []*lesson.Library{theLibrary(t), fresh, fresh} {
		all, err := l.Test(t.Context(), map[int]uint64{2: 8}[i])
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	if texts[0] != texts[1] {
		t.Errorf("two libraries draw differently:\n%s\n%s", texts[0], texts[1])
	}
	if texts[1] == texts[2] {
		t.Error("another seed draws the same")
	}
}

// The place of the right option must give nothing away.
func TestRightOptionsStandAnywhere(t *testing.T) {
	places := map[int]int{}
	for seed := range uint64(20) {
		all, err := theLibrary(t).Test(t.Context(), seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range all {
			if len(q.Options) == 4 {
				places[slices.IndexFunc(q.Options, func(o lesson.Option) bool { return o.Right })]++
			}
		}
	}
	total := places[0] + places[1] + places[2] + places[3]
	for i := range 4 {
		if places[i]*10 < total {
			t.Errorf("the right one stands in place %d in %d of %d questions: %v", i, places[i], total, places)
		}
	}
}

func TestStrong(t *testing.T) {
	question := func(grade string) lesson.Question {
		return lesson.Question{Grade: grade, Options: []lesson.Option{{Right: true}, {}}}
	}
	var (
		four  = []lesson.Question{question("easy"), question("easy"), question("easy"), question("easy")}
		three = four[:3]
	)
	for _, c := range []struct {
		name      string
		questions []lesson.Question
		answers   []int
		want      bool
	}{
		{"all of four", four, []int{0, 0, 0, 0}, true},
		{"one of four wrong", four, []int{0, 1, 0, 0}, true},
		{"one of four missing", four, []int{0, 0, 0}, true},
		{"two of four wrong", four, []int{0, 1, 1, 0}, false},
		{"no option of that number", four, []int{0, 9, -1, 0}, false},
		{"all of three", three, []int{0, 0, 0}, true},
		{"one of three wrong", three, []int{0, 0, 1}, false},
		{"two are too few", four[:2], []int{0, 0}, false},
		{"no answers", four, nil, false},
	} {
		if got := lesson.Strong(c.questions, c.answers)["easy"]; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := lesson.Strong(nil, nil); len(got) != 0 {
		t.Errorf("nobody was asked anything: %v", got)
	}
}

func BenchmarkTestOfTen(b *testing.B) {
	for b.Loop() {
		l, err := lesson.New(lesson.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Test(b.Context(), 7); err != nil {
			b.Fatal(err)
		}
	}
}

// What a Library keeps is bounded, and what is asked for stays.
func TestKeptRunsAreBounded(t *testing.T) {
	for _, c := range []struct{ put, want int }{{1, 1}, {160, 160}, {161, 160}, {1000, 160}} {
		if count, first := lesson.KeptAfter(c.put); count != c.want || !first {
			t.Errorf("of %d runs %d are kept, want %d; the one that is asked for is there: %v", c.put, count, c.want, first)
		}
	}
}
