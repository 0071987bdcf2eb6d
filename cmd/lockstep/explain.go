package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// maxExplained is how long a line may be that is explained.
const maxExplained = 64 << 10

type explainCommand struct {
	Rule   string `arg:"" optional:"" name:"rule" help:"The ID of a rule, such as send-secure-over-http, or a Set-Cookie line. Without it, all rules are listed."`
	At     string `placeholder:"URL" help:"With a Set-Cookie line: the URL whose answer has it. The exit code is 1 when the browser refuses the line there."`
	Format string `enum:"text,json" default:"text" help:"How to print it: ${enum}."`
	profileFlag
}

// Help is shown below the flags.
func (*explainCommand) Help() string {
	return `Examples:
  lockstep explain
  lockstep explain send-secure-over-http
  lockstep explain 'Set-Cookie: id=1; Secure; SameSite=None' --at https://shop.test/cart
  lockstep explain 'Set-Cookie: __Http-id=1; Secure' --at https://shop.test/ --profile firefox`
}

// Run explains one rule, or lists them.
func (c *explainCommand) Run(ctx context.Context, p *program) error {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return err
	}
	if line, ok := setCookieLine(c.Rule); ok || c.At != "" {
		return c.line(p, line, catalogue)
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

// setCookieLine takes the header's name off a Set-Cookie line, and reports whether the text is one at
// all: no rule has a character that each line has.
func setCookieLine(text string) (line string, ok bool) {
	const name = "Set-Cookie:"
	if len(text) >= len(name) && strings.EqualFold(text[:len(name)], name) {
		return strings.Trim(text[len(name):], " \t"), true
	}
	return text, strings.ContainsAny(text, "=;")
}

// line explains a Set-Cookie line where it would arrive.
func (c *explainCommand) line(p *program, line string, catalogue *scenario.Catalogue) error {
	const example = "lockstep explain 'Set-Cookie: id=1; Secure' --at https://shop.test/"
	switch {
	case c.At == "":
		return &usageError{errors.New("what becomes of a Set-Cookie line depends on where it arrives, and there is no --at URL"), example}
	case c.Rule == "":
		return &usageError{errors.New("--at is about a Set-Cookie line, and there is none"), example}
	case len(line) > maxExplained:
		return &usageError{fmt.Errorf("the line has %d bytes, and at most %d are explained", len(line), maxExplained), "a browser refuses name and value together above 4096"}
	}
	at, err := trace.ParseLineURL(c.At)
	if err != nil {
		return &usageError{fmt.Errorf("--at: %w", err), example}
	}
	s := trace.ExplainLine(c.browser(), line, at, time.Now(), catalogue.Lookup)
	if c.Format == "json" {
		if err := s.WriteJSON(p.stdout); err != nil {
			return err
		}
	} else {
		s.WriteText(p.stdout)
	}
	if !s.Verdict.Yes {
		return &finding{fmt.Errorf("the browser refuses the line: %s", sentenceOf(s.Verdict.Rule)), fixOf(s.Verdict.Rule)}
	}
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
