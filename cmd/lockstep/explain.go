package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

type explainCommand struct {
	Rule   string `arg:"" optional:"" help:"The ID of a rule, such as send-secure-over-http. Without it, all are listed."`
	Format string `enum:"text,json" default:"text" help:"How to print it: ${enum}."`
}

// Help is shown below the flags.
func (*explainCommand) Help() string {
	return `Examples:
  lockstep explain
  lockstep explain send-secure-over-http`
}

// Run explains one rule, or lists them.
func (c *explainCommand) Run(ctx context.Context, p *program) error {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return err
	}
	if c.Rule == "" {
		return c.list(p, catalogue.All())
	}
	r, ok := catalogue.Lookup(rule.ID(c.Rule))
	if !ok {
		return &usageError{fmt.Errorf("no rule %q", c.Rule), suggestion(c.Rule, catalogue.All())}
	}
	v, run, err := scenario.Show(ctx, r)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return json.NewEncoder(p.stdout).Encode(struct {
			rule.Rule
			Verdict rule.Verdict `json:"verdict"`
		}{r, v})
	}
	explain(p, r, v, run)
	return nil
}

func (c *explainCommand) list(p *program, all []rule.Rule) error {
	if c.Format == "json" {
		return json.NewEncoder(p.stdout).Encode(all)
	}
	width := 0
	for _, r := range all {
		width = max(width, len(r.ID))
	}
	for _, r := range all {
		fmt.Fprintf(p.stdout, "%-*s  %s\n", width, r.ID, r.Sentence)
	}
	fmt.Fprintf(p.stdout, "\n%d rules. lockstep explain RULE tells one and runs its scenario.\n", len(all))
	return nil
}

func explain(p *program, r rule.Rule, v rule.Verdict, run trace.Run) {
	fmt.Fprintf(p.stdout, "%s\n  %s\n\nSource\n  %s\n\nWhat to do\n  %s\n\nScenario\n", r.ID, r.Sentence, r.Source, r.Fix)
	for line := range strings.Lines(strings.Trim(r.Scenario, "\n")) {
		fmt.Fprintf(p.stdout, "  %s\n", strings.TrimRight(line, "\n"))
	}
	fmt.Fprintln(p.stdout, "\nRun just now")
	run.WriteHops(p.stdout)
	fmt.Fprintln(p.stdout, "\nThe verdict")
	trace.WriteVerdict(p.stdout, v)
}

// suggestion names the rules that somebody may have meant, the likeliest first.
func suggestion(given string, all []rule.Rule) string {
	const enough = 2 // words in common
	likeness := func(r rule.Rule) int {
		if strings.Contains(string(r.ID), given) {
			return len(given)
		}
		return shared(given, string(r.ID))
	}
	near := slices.DeleteFunc(slices.Clone(all), func(r rule.Rule) bool { return likeness(r) < enough })
	if len(near) == 0 {
		return "lockstep explain lists the rules"
	}
	slices.SortStableFunc(near, func(a, b rule.Rule) int { return likeness(b) - likeness(a) })
	var names []string
	for _, r := range near[:min(len(near), 3)] {
		names = append(names, string(r.ID))
	}
	return "did you mean " + strings.Join(names, ", ") + "? lockstep explain lists the rules"
}

// shared counts the words that two IDs have in common.
func shared(a, b string) int {
	n := 0
	for word := range strings.SplitSeq(a, "-") {
		if slices.Contains(strings.Split(b, "-"), word) {
			n++
		}
	}
	return n
}

// fixOf is what a rule says to do, and sentenceOf what it says; "" for one that is not known.
func fixOf(id rule.ID) string { return ruleOf(id).Fix }

func sentenceOf(id rule.ID) string { return strings.TrimSuffix(ruleOf(id).Sentence, ".") }

func ruleOf(id rule.ID) rule.Rule {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return rule.Rule{}
	}
	r, _ := catalogue.Lookup(id)
	return r
}
