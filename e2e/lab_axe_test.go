package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// axeFile is where scripts/setup-tests.sh puts axe-core.
const axeFile = "../.cache/axe/axe.min.js"

// A labState is a state of the page.
type labState struct {
	name string
	link string
	act  string // what is done there, as the body of an async function
	all  bool   // judged in every look: together these hold every part of the page
	part string // what it has that no other state has; "": judged as a whole in every look, not in the first alone
}

// stepPart is what a step changes of a page that is otherwise that of another step.
const stepPart = "#transport, #now, #flow [aria-current], #table [aria-current], #tracker th.current, #tracker td.current, .intro, #switches"

// labStates are the states of every part of the page; each step of the lesson and the ends of every other
// scenario come from the library.
var labStates = []labState{
	{"a prediction", "#v1;scenario=lesson", "", true, "#predict"},
	{"a run", "#v1;step=1", "", false, ""},
	{"a prediction that came true", "#v1;scenario=lesson", predict(true), false, ""},
	{"a prediction that did not", "#v1;scenario=lesson", predict(false) + `for (const d of test.all("#predict details")) d.open = true;`, true, "#predict"},
	{"a run that was not predicted", "#v1;scenario=lesson", `await test.click("#predict form button[type=button]", -1)`, false, ""},
	{"two runs compared", "#v1;step=3;set.SESSION_COOKIE_SECURE=False;set.SECURE_SSL_REDIRECT=False", "", true, "#difference, #table"},
	{"two runs that are the same", "#v1;scenario=redirect-loop;step=1;profile=rfc6265bis", "", false, ""},
	{"everything of a step", "#v1;step=2;lane=1", `$("all").click(); for (const d of test.all("#now details, #moments details, #whatif details")) d.open = true;`, true, "#whatif, #run"},
	{"the attacker's lane", "#v1;scenario=stolen-cookie;step=4", "", true, "#flow, #now"},
	{"the code", "#v1;view=code", "", true, "#code"},
	{"the quiz", "#v1;view=quiz", "", true, "#quiz"},
	{"the quiz, answered rightly", "#v1;view=quiz", `for (const f of test.all("#quiz form")) await test.answer(f, true); for (const d of test.all("#quiz details")) d.open = true;`, true, "#quiz"},
	{"the quiz, answered wrongly", "#v1;view=quiz", `for (const f of test.all("#quiz form")) await test.answer(f, false)`, true, "#quiz"},
	{"the quiz of another scenario", "#v1;scenario=stolen-cookie;view=quiz", `for (const f of test.all("#quiz form")) await test.answer(f, false); for (const d of test.all("#quiz details")) d.open = true;`, false, ""},
	{"the quiz, not answered", "#v1;view=quiz", `await test.click("#quiz form [type=submit]")`, false, ""},
	{"the run in which it is true", "#v1;view=quiz", `for (const f of test.all("#quiz form")) await test.answer(f, false); await test.click("#quiz .verdict-on button")`, true, "#back, #quiz, #now"},
	{"the snapshot", "#v1;view=snapshot", "", true, "#snapshot"},
	{"the transcript", "#v1;view=transcript", `for (const d of test.all("#transcript details")) d.open = true;`, true, "#transcript"},
	{"the practice", "#v1;view=practice", "", true, "#practice"},
	{"an exercise with settings", "#v1;view=practice;exercise=keep-it-home", `await test.click("#practice form [type=submit]"); for (let hint; (hint = test.all("#practice form button:not([type=submit]):not([aria-disabled=true])")[0]) && /Hint/.test(hint.textContent);) hint.click();`, true, "#practice, #whatif"},
	{"an exercise with settings, solved", "#v1;view=practice;exercise=keep-it-home;set.SESSION_COOKIE_SECURE=True", `await test.click("#practice form [type=submit]")`, false, ""},
	{"an exercise with a line", "#v1;view=practice;exercise=https-only-line", `test.type("#line-answer", "sessionid=abc123; Secure=1; Path=/; Path=/a; Nonsense"); await test.click("#practice form [type=submit]")`, true, "#practice"},
	{"an exercise with a leak", "#v1;view=practice;exercise=where-it-leaks", `await test.click("#practice form [type=submit]"); for (const d of test.all("#practice details")) d.open = true;`, false, ""},
	{"a test to begin", "#v1;view=test;seed=7", "", false, ""},
	{"a question of a test", "#v1;view=test;seed=7", `await test.click("#test [type=submit]")`, true, ""},
	{"a test that is over", "#v1;view=test;seed=7", testTaken, true, ""},
	{"a run from the review", "#v1;view=test;seed=7", testTaken + `await test.click("#test .look", 2)`, true, "#back, #run, .intro"},
	{"what a rule says", "#v1;step=2", `await test.click("#table .rule")`, true, ""},
	{"help", "#v1;step=2", `await test.click("#help-open")`, true, ""},
	{"the link, copied", "#v1;step=2", `await test.click("#link")`, false, ""},
	{"a link that is none", "#nonsense", "", true, "#notice"},
	{"teaching", "#v1;step=2;teach=1", "", false, ""},
	{"one's own", "#v1;view=own", `for (const d of test.all("#own details")) d.open = true;`, false, ""},
	{"one's own, explained", "#v1;view=own", ownExplained, true, ""},
}

// testTaken answers all of a test, and opens its review.
const testTaken = `await test.click("#test [type=submit]");
for (let n = 0; n < 10; n++) { test.all("#test input[type=radio]")[0].checked = true; await test.click("#test [type=submit]"); }
for (const d of test.all("#test details")) d.open = true;
`

// predict answers each question before a run.
func predict(right bool) string {
	return fmt.Sprintf(`const asked = await (await fetch("/api/predict", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"scenario":"lesson"}' })).json();
for (const q of asked) { test.all("#predict input[type=radio]")[q.options.findIndex((o) => o.right === %t)].checked = true; await test.click("#predict [type=submit]"); }
`, right)
}

const ownExplained = `for (const d of test.all("#own details")) d.open = true;
test.type("#own-line", "id=1; Secure; HttpOnly; SameSite=None; Domain=other.test; Nonsense");
test.type("#own-har", JSON.stringify(test.har));
test.type("#own-settings", "DEBUG = False\nSECURE_SSL_REDIRECT = False\nSESSION_COOKIE_SECURE = False\nALLOWED_HOSTS = ['*']");
for (let n = 0; n < 3; n++) await test.click("#own form [type=submit]", n);
await test.click("#own button.main", -1);
for (const d of test.all("#own details")) d.open = true;`

// A labKnown is what axe cannot decide, and why it is fine.
type labKnown struct {
	Rule     string `json:"rule"`
	Selector string `json:"selector"`
	Reason   string `json:"reason"`
}

// labAxe has axe judge the page in every state.
func labAxe(t *testing.T, s *theatre) {
	axe, err := os.ReadFile(axeFile)
	if err != nil {
		missingAxe(t, err)
	}
	var known []labKnown
	readJSON(t, "testdata/lab/undecided.json", &known)
	var (
		mu   sync.Mutex
		used = map[int]bool{}
	)
	for i, l := range labLooks {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := s.sit(t, "")
			p.looksLike(t, l)
			tells[any](t, p, string(axe)+"\n;window.axe = axe;")
			for _, state := range s.statesFor(t, i) {
				p.become(t, state)
				part := state.part
				if i == 0 && part != stepPart {
					part = ""
				}
				found := p.axe(t, known, part)
				for _, fault := range found.Faults {
					t.Errorf("%s: %s", state.name, fault)
				}
				p.faultless(t, state.name, "test.sideways().concat(test.small())")
				mu.Lock()
				for _, n := range found.Used {
					used[n] = true
				}
				mu.Unlock()
			}
			p.clean(t)
		})
	}
	t.Cleanup(func() {
		for i, k := range known {
			if !used[i] && !t.Failed() {
				t.Errorf("testdata/lab/undecided.json: nothing undecided is left of %s at %s", k.Rule, k.Selector)
			}
		}
	})
}

// missingAxe skips a test that needs axe-core, or fails it where all are required.
func missingAxe(t *testing.T, err error) {
	t.Helper()
	say := t.Skipf
	if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
		say = t.Fatalf
	}
	say("%v; scripts/setup-tests.sh fetches axe-core", err)
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// statesFor are the states that are judged in a look: in the first every one, in the others those that
// together hold every part of the page.
func (s *theatre) statesFor(t *testing.T, look int) []labState {
	t.Helper()
	states := slices.Clone(labStates)
	for _, sc := range s.library.Scenarios() {
		run, err := s.library.Run(t.Context(), asItIs(sc.Name))
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= len(run.Steps); n++ {
			if sc.Name == "lesson" || n == 1 || n == len(run.Steps) {
				states = append(states, labState{fmt.Sprintf("step %d of %s", n, sc.Name), fmt.Sprintf("#v1;scenario=%s;step=%d", sc.Name, n), "", false, stepPart})
			}
		}
	}
	if look == 0 {
		return states
	}
	return slices.DeleteFunc(states, func(s labState) bool { return !s.all })
}

// become brings the page into a state.
func (p *seat) become(t *testing.T, s labState) {
	t.Helper()
	tells[bool](t, p, fmt.Sprintf("const $ = (id) => document.getElementById(id); await test.go(%q); %s\n;return test.settled();", s.link, s.act))
}

type axeResult struct {
	Faults []string `json:"faults"`
	Used   []int    `json:"used"`
	Passes int      `json:"passes"`
}

func (p *seat) axe(t *testing.T, known []labKnown, part string) axeResult {
	t.Helper()
	list, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	found := tells[axeResult](t, p, fmt.Sprintf("return test.judge(%s, %q)", list, part))
	if found.Passes < 5 {
		t.Errorf("axe judges by no more than %d rules", found.Passes)
	}
	return found
}
