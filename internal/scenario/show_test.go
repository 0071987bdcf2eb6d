package scenario_test

import (
	"encoding/json"
	"os"
	"sync"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/rule"
)

// TestRules runs the scenario of every rule: it must give that verdict. It is then run in a browser of
// each profile, where it must give the verdict too, unless testdata/undecided.json has a reason why not.
func TestRules(t *testing.T) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	undecided := readReasons(t)
	t.Run("each", func(t *testing.T) {
		for _, r := range catalogue.All() {
			t.Run(string(r.ID), func(t *testing.T) {
				t.Parallel()
				if r.Source == "" || r.Sentence == "" || r.Fix == "" {
					t.Errorf("a rule needs a source, a sentence and a fix: %+v", r)
				}
				v, run, err := scenario.Show(t.Context(), r)
				if err != nil {
					t.Fatalf("%v\nscenario:\n%s\nrun: %+v", err, r.Scenario, run)
				}
				if v.Facts == nil {
					t.Errorf("the verdict has no facts: %+v", v)
				}
				all, err := scenario.ShowInAll(t.Context(), r, run)
				if err != nil {
					t.Fatal(err)
				}
				for _, seen := range all {
					undecided.hold(t, r, v, seen)
				}
			})
		}
	})
	for key, why := range undecided.unused {
		t.Errorf("testdata/undecided.json: %q is unused: %s", key, why)
	}
}

// reasons are why a rule decides nothing in a profile, by "RULE PROFILE".
type reasons struct {
	mu          sync.Mutex
	all, unused map[string]string
}

func readReasons(t *testing.T) *reasons {
	t.Helper()
	var rs reasons
	for _, m := range []*map[string]string{&rs.all, &rs.unused} {
		data, err := os.ReadFile("testdata/undecided.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, m); err != nil {
			t.Fatalf("testdata/undecided.json: %v", err)
		}
	}
	return &rs
}

// hold looks at what a profile made of the scenario in which the rule decided v.
func (rs *reasons) hold(t *testing.T, r rule.Rule, v rule.Verdict, seen scenario.Seen) {
	t.Helper()
	key := string(r.ID) + " " + seen.Profile
	rs.mu.Lock()
	why, known := rs.all[key]
	delete(rs.unused, key)
	rs.mu.Unlock()
	switch {
	case seen.Verdict == nil && known: // nobody asks the question
	case seen.Verdict == nil:
		t.Errorf("profile %s: nobody asks the question, and testdata/undecided.json has no reason", seen.Profile)
	case seen.Verdict.Question != v.Question:
		t.Errorf("profile %s: the question is %q, want %q", seen.Profile, seen.Verdict.Question, v.Question)
	case seen.Decides && known:
		t.Errorf("profile %s: the rule decides, and testdata/undecided.json says that it does not: %s", seen.Profile, why)
	case !seen.Decides && !known:
		t.Errorf("profile %s: %s decides, and testdata/undecided.json has no reason", seen.Profile, seen.Verdict.Rule)
	case v.Side == rule.Site && (!seen.Decides || seen.Verdict.Rule != v.Rule || seen.Verdict.Yes != v.Yes):
		t.Errorf("profile %s: the site says %v by %s, and %v by %s to no browser in particular", seen.Profile, seen.Verdict.Yes, seen.Verdict.Rule, v.Yes, v.Rule)
	}
}

// TestShowIn is about what is found in the place of a verdict that does not fall.
func TestShowIn(t *testing.T) {
	const head = "foreign\non /a app plain\non /a send Set-Cookie: "
	for _, c := range []struct {
		name     string
		id       rule.ID
		scenario string
		profile  browser.Profile
		decides  bool
		rule     rule.ID // "": nobody asks
		subject  string
	}{
		{"the same", "store-ok", head + "a=1\nvisit https://shop.test/a", browser.Firefox(), true, "store-ok", "a"},
		{"another rule", "store-none-not-secure", head + "a=1; SameSite=None\nvisit https://shop.test/a", browser.Curl(), false, "store-ok", "a"},
		{"among others", "store-tab", "profile chromium\n" + head + "z=1\non /a send Set-Cookie: a=1\\t2\nvisit https://shop.test/a", browser.Firefox(), false, "store-ok", "a"},
		{"another name", "note-nameless", head + "z=1\non /a send Set-Cookie: token\nvisit https://shop.test/a", browser.Firefox(), false, "store-ok", "token"},
		{"beside another", "store-nameless-prefix", head + "__Host-a\nvisit https://shop.test/a", browser.Curl(), true, "store-nameless", ""},
		{"not asked", "send-path", head + "=1; Path=/b\nvisit https://shop.test/a\nvisit https://shop.test/a", browser.Firefox(), false, "", ""},
		{
			"the policy is a person's", "store-third-party-blocked",
			"profile chromium blocked\n" + head + "a=1; Secure; SameSite=None\nfrom https://news.test/\nload image https://shop.test/a",
			browser.Profile{},
			true, "store-third-party-blocked", "a",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rule.Rule{ID: c.id, Scenario: c.scenario}
			_, run, err := scenario.Show(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := scenario.ShowIn(t.Context(), r, c.profile, run)
			if err != nil {
				t.Fatal(err)
			}
			if c.rule == "" {
				if seen.Verdict != nil || seen.Decides {
					t.Errorf("verdict %+v, want none", seen.Verdict)
				}
				return
			}
			if seen.Verdict == nil || seen.Decides != c.decides || seen.Verdict.Rule != c.rule || seen.Verdict.Subject != c.subject {
				t.Errorf("decides %v, verdict %+v, want %v, %s about %q", seen.Decides, seen.Verdict, c.decides, c.rule, c.subject)
			}
		})
	}
}

func TestShowRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no scenario":        "fly",
		"another verdict":    "foreign\nvisit https://shop.test/",
		"an expectation":     "foreign\nvisit https://shop.test/\nexpect send-path",
		"what cannot be run": "submit",
	} {
		if _, _, err := scenario.Show(t.Context(), rule.Rule{ID: "store-too-big", Scenario: text}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
