package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/expect"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// compare makes the visits once for each profile, with a browser that remembers nothing, and shows the runs
// side by side.
func (c *traceCommand) compare(ctx context.Context, p *program, expected []expect.Expectation) error {
	tour, err := c.checkCompare()
	if err != nil {
		return err
	}
	as, err := c.credentials(ctx, p, c.URL, c.Insecure)
	if err != nil {
		return err
	}
	var sides trace.Sides
	for _, profile := range c.chosen {
		client, err := c.client(&browser.Browser{Profile: profile})
		if err != nil {
			return err
		}
		run, err := c.visit(ctx, p, client, tour, as)
		if err != nil {
			return err
		}
		story, err := tellTrace(run)
		if err != nil {
			return err
		}
		sides = append(sides, trace.Side{Profile: profile.Name(), Story: story})
	}
	if err := c.printSides(p.stdout, sides); err != nil {
		return err
	}
	return c.verdictOnSides(p, sides, expected)
}

// checkCompare refuses what there can be only one of, and returns the navigations.
func (c *traceCommand) checkCompare() ([]trace.Navigation, error) {
	const hint = "choose one --profile"
	switch {
	case c.HAR != "", c.Replay != "":
		return nil, &usageError{errors.New("several profiles are for sites that are visited now, once by a browser of each"), hint}
	case c.Jar != "":
		return nil, &usageError{errors.New("--jar keeps what one browser remembers, and each profile has one of its own"), hint}
	case c.Curl, c.HAROut != "":
		return nil, &usageError{errors.New("--curl and --har-out are about one run, and each profile makes one of its own"), hint}
	case c.Format == "transcript":
		return nil, &usageError{errors.New("runs stand side by side in a table, as markdown, html or json"), "leave --format transcript out, or " + hint}
	}
	if err := c.checkURLs(); err != nil {
		return nil, err
	}
	tour, err := c.tour()
	if err != nil {
		return nil, err
	}
	if what, ok := c.changes(tour); ok && !c.RepeatUnsafe {
		return nil, &usageError{
			fmt.Errorf("%s may change something, and would be sent %d times: once for each profile", what, len(c.chosen)),
			"if that does no harm, add --repeat-unsafe; otherwise " + hint,
		}
	}
	return tour, nil
}

func (c *traceCommand) printSides(w io.Writer, sides trace.Sides) error {
	switch c.Format {
	case "json":
		return sides.WriteJSON(w)
	case "html":
		intro := []string{"The visits were made once by a browser of each profile. What the site decided was observed from outside."}
		return sides.WriteHTML(w, "What browsers of several profiles do", intro)
	case "markdown":
		sides.WriteMarkdown(w, c.Verbose)
	default:
		sides.WriteTable(w, c.Verbose)
	}
	return nil
}

// verdictOnSides says which expectations hold with which profile, and how the runs ended: the first that did
// not end well, or in which one does not hold, decides. That profiles differ is no finding.
func (c *traceCommand) verdictOnSides(p *program, sides trace.Sides, expected []expect.Expectation) error {
	out := p.stdout
	if c.Format == "json" || c.Format == "html" {
		out = p.stderr
	}
	var ended, broken error
	for _, side := range sides {
		ended = cmp.Or(ended, about(side.Profile, verdictOn(&side.Story.Run)))
		if len(expected) > 0 {
			fmt.Fprintf(out, "\nProfile %s\n", side.Profile)
			broken = cmp.Or(broken, about(side.Profile, hold(out, expected, side.Story)))
		}
	}
	return cmp.Or(ended, broken)
}

// about says with which profile a run ended like that.
func about(profile string, err error) error {
	var (
		failed *failure
		found  *finding
	)
	switch {
	case errors.As(err, &failed):
		return &failure{fmt.Errorf("profile %s: %w", profile, failed.err), failed.hint}
	case errors.As(err, &found):
		return &finding{fmt.Errorf("profile %s: %w", profile, found.err), found.hint}
	}
	return err
}
