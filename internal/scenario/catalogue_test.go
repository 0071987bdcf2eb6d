package scenario_test

import (
	"testing"

	"github.com/lockstep-http/lockstep/internal/scenario"
)

// TestRules runs the scenario of every rule: it must give that verdict.
func TestRules(t *testing.T) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
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
		})
	}
}
