package main

import (
	"fmt"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// output is how a story is printed.
type output struct {
	Format  string `enum:"table,transcript,json,markdown,html" default:"table" help:"How to print the run: ${enum}."`
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
	case "html":
		page := trace.Page{Title: "What the browser and the site did", Intro: o.aboutRun(s), Stories: []*trace.Story{s}}
		return page.WriteHTML(p.stdout)
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

// aboutRun says what a page is about: when the run was, and whose word the answers are.
func (o output) aboutRun(s *trace.Story) []string {
	first := s.Run.Visits[0].Hops[0]
	intro := []string{fmt.Sprintf("A run of %s UTC, beginning with %s.", first.At.UTC().Format("2006-01-02 15:04:05"), trace.Printable(s.Run.Visits[0].Typed))}
	if !first.Known {
		intro = append(intro, "The browser's decisions are those of "+whoseRules(&s.Run)+"; the site's were observed from outside.")
	}
	return intro
}
