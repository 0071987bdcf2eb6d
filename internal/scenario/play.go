package scenario

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
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
	s.writeHead(w)
	return s.play(ctx, w, o)
}

// PlayIn plays the scenario once for each of several profiles. Question and answer are written once, and
// so is what several profiles make alike, with their names above it. It ends with the first error.
func (s *Scenario) PlayIn(ctx context.Context, w io.Writer, profiles []browser.Profile, o Options) ([]Result, error) {
	s.writeHead(w)
	var (
		results []Result
		groups  []playedAlike
		failed  error
	)
	for _, p := range profiles {
		var text strings.Builder
		o.Profile = p
		result, err := s.play(ctx, &text, o)
		results = append(results, result)
		what := decisions(result.Run)
		if i := slices.IndexFunc(groups, func(g playedAlike) bool { return g.what == what }); i >= 0 {
			groups[i].names = append(groups[i].names, p.Name())
		} else {
			groups = append(groups, playedAlike{what, []string{p.Name()}, text.String()})
		}
		if failed = err; err != nil {
			break
		}
	}
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s %s\n\n%s", map[bool]string{false: "Profile", true: "Profiles"}[len(g.names) > 1], strings.Join(g.names, ", "), g.text)
	}
	return results, failed
}

// A playedAlike is what some profiles make of a scenario.
type playedAlike struct {
	what  string // was decided
	names []string
	text  string
}

// decisions are what a run came to, without what differs from one run to the next, as the values of cookies.
func decisions(run trace.Run) string {
	var text strings.Builder
	for _, visit := range run.Visits {
		for _, hop := range visit.Hops {
			fmt.Fprintln(&text, hop.Method, hop.URL)
			for _, v := range hop.Verdicts {
				fmt.Fprintln(&text, trace.Answered(v))
			}
		}
	}
	return text.String()
}

// writeHead writes the question and the answer. Of which profiles it holds shows in what is played.
func (s *Scenario) writeHead(w io.Writer) {
	for _, paragraph := range s.head() {
		if strings.HasPrefix(paragraph, profilesMark) {
			continue
		}
		for _, line := range trace.Wrap(paragraph) {
			fmt.Fprintln(w, line)
		}
		fmt.Fprintln(w)
	}
}

func (s *Scenario) play(ctx context.Context, w io.Writer, o Options) (Result, error) {
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
	o.writeRule(w)
	trace.WriteVerdict(w, o.Verdict)
}

// writeRule writes what the expected rule says, and what to do about it when its answer is no or it
// stands beside another.
func (o Outcome) writeRule(w io.Writer) {
	c, err := catalogue()
	if err != nil {
		return
	}
	r, ok := c.Lookup(o.Rule)
	if !ok {
		return
	}
	for _, line := range trace.Wrap(r.Sentence) {
		fmt.Fprintf(w, "    %s\n", line)
	}
	if !o.Verdict.Yes || slices.Contains(o.Verdict.Notes, o.Rule) {
		for _, line := range trace.Wrap("What to do: " + r.Fix) {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}
