package scenario

import (
	"context"
	"fmt"
	"io"

	"github.com/lockstep-http/lockstep/internal/trace"
)

// Read reads a scenario, of which it takes no more than one may have.
func Read(r io.Reader) (*Scenario, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return nil, fmt.Errorf("reading a scenario: %w", err)
	}
	return Parse(string(text))
}

// Play runs the scenario and writes to w what a person reads of it: its question and answer, if it
// begins with those, the requests, and after those that were made by then each expectation with the
// verdict by which it holds. What could be made before an error is written too.
func (s *Scenario) Play(ctx context.Context, w io.Writer, o Options) (Result, error) {
	for _, paragraph := range s.head() {
		fmt.Fprintf(w, "%s\n\n", trace.Printable(paragraph))
	}
	result, err := s.Do(ctx, o)
	made := 0
	for _, outcome := range result.Outcomes {
		made = writeVisits(w, result.Run, made, outcome.Visits)
		outcome.write(w)
	}
	writeVisits(w, result.Run, made, len(result.Run.Visits))
	return result, err
}

// writeVisits writes the requests of the visits from one number to another, and returns that.
func writeVisits(w io.Writer, run trace.Run, from, to int) int {
	part := trace.Run{Visits: run.Visits[from:to]}
	part.WriteHops(w)
	return to
}

func (o Outcome) write(w io.Writer) {
	if !o.Holds {
		fmt.Fprintf(w, "  line %d: %s: does not hold\n", o.Line, trace.Printable(o.String()))
		return
	}
	fmt.Fprintf(w, "  line %d: %s: holds\n", o.Line, trace.Printable(o.String()))
	trace.WriteVerdict(w, o.Verdict)
}
