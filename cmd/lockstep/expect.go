package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/lockstep-http/lockstep/internal/expect"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// expectations reads what a run is expected to do.
func expectations(texts []string) ([]expect.Expectation, error) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return nil, err
	}
	all := make([]expect.Expectation, len(texts))
	for i, text := range texts {
		if all[i], err = expect.Parse(text); err != nil {
			return nil, &usageError{fmt.Errorf("--expect: %w", err), "lockstep trace --help shows the forms, such as --expect 'cookie sessionid never over http'"}
		}
		if id := all[i].Rule(); id != "" {
			if _, ok := catalogue.Lookup(id); !ok {
				return nil, &usageError{fmt.Errorf("--expect: no rule %q", id), "lockstep explain lists the rules"}
			}
		}
	}
	return all, nil
}

// hold writes of each expectation whether it holds and what decided. The finding is about those that
// do not.
func hold(w io.Writer, all []expect.Expectation, s *trace.Story) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nExpectations")
	var failed []string
	for _, e := range all {
		a := e.Check(&s.Run)
		mark := "holds        "
		if !a.Holds {
			mark = "does not hold"
			failed = append(failed, e.String())
		}
		fmt.Fprintf(w, "  %s  %s\n                 -> %s\n", mark, trace.Printable(e.String()), trace.Printable(decided(a, s)))
	}
	if failed == nil {
		return nil
	}
	return &finding{
		fmt.Errorf("%d of %d expectations do not hold: %s", len(failed), len(all), trace.Printable(strings.Join(failed, "; "))),
		"-v opens the step that decided, and lockstep explain RULE tells its rule",
	}
}

// decided tells what decided an answer: the step, the rule, and why.
func decided(a expect.Answer, s *trace.Story) string {
	var text strings.Builder
	if a.Visit > 0 {
		if n := s.StepOf(a.Visit, a.Hop, a.Rule); n > 0 {
			fmt.Fprintf(&text, "step %d, ", n)
		}
		h := s.Run.Visits[a.Visit-1].Hops[a.Hop-1]
		fmt.Fprintf(&text, "%s %s: ", h.Method, h.URL)
	}
	text.WriteString(a.Why)
	if a.Rule != "" {
		fmt.Fprintf(&text, " (rule %s)", a.Rule)
	}
	return text.String()
}

// expectHelp is the language of --expect in a few lines.
func expectHelp() string {
	var text strings.Builder
	text.WriteString("Expectations (WHERE is over http or over https, at URL or at PATH, both, or nothing):\n")
	for _, f := range expect.Forms() {
		fmt.Fprintf(&text, "  %s\n", f.Form)
	}
	return text.String()
}
