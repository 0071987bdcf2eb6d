package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// questionPages tells the questions of examples/questions, with the rules that answer them when they
// are run now.
func questionPages(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("examples/questions/*.scenario")
	if err != nil || len(names) == 0 {
		t.Fatalf("no questions are found: %v", err)
	}
	var list, each strings.Builder
	for i, name := range names {
		q, rules := answered(t, name)
		title := fmt.Sprintf("Question %d", i+1)
		fmt.Fprintf(&list, "%d. [%s](#%s)\n", i+1, plain(q.Text), strings.ReplaceAll(strings.ToLower(title), " ", "-"))
		fmt.Fprintf(&each, "\n### %s\n\n**%s**\n\n%s\n\n- Holds of: %s\n- Decided by: %s\n- Run: [%s](../../%s)\n",
			title, plain(q.Text), plain(q.Answer), holdsOf(q.Profiles), strings.Join(rules, ", "), filepath.Base(name), name)
	}
	return list.String() + each.String()
}

// answered runs the scenario of a question and returns links to the rules that it expects.
func answered(t *testing.T, name string) (scenario.Question, []string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	q, err := s.Question()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var o scenario.Options
	if q.Profiles != nil {
		o.Profile = q.Profiles[0]
	}
	result, err := s.Do(t.Context(), o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var rules []string
	for _, outcome := range result.Outcomes {
		if link := fmt.Sprintf("[%s](rules.md#%s)", code(string(outcome.Rule)), outcome.Rule); outcome.Holds && !slices.Contains(rules, link) {
			rules = append(rules, link)
		}
	}
	return q, rules
}

func holdsOf(profiles []browser.Profile) string {
	if profiles == nil {
		return "the browsers that are named in it"
	}
	var names []string
	for _, p := range profiles {
		names = append(names, p.Name())
	}
	return strings.Join(names, ", ")
}
