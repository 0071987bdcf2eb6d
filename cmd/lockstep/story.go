package main

import (
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// output is how a story is printed.
type output struct {
	Format  string `enum:"table,transcript,json,markdown" default:"table" help:"How to print the run: ${enum}."`
	Verbose bool   `short:"v" help:"Open each step into its requests and verdicts, and show every variable."`
}

// print writes the story in the format that was asked for.
func (o output) print(p *program, s *trace.Story) error {
	switch o.Format {
	case "json":
		return s.Run.WriteJSON(p.stdout)
	case "markdown":
		s.WriteMarkdown(p.stdout, o.Verbose)
	case "transcript":
		s.WriteTranscript(p.stdout, o.Verbose)
	default:
		s.WriteTable(p.stdout, o.Verbose)
	}
	return nil
}

// tell recognises the lesson in a run, with the sentences of the catalogue.
func tell(run trace.Run, about string) (*trace.Story, error) {
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return nil, err
	}
	s := trace.Tell(run, about, catalogue.Lookup)
	return &s, nil
}
