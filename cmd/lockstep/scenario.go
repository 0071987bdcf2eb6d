package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// scenarioFile is how the name of a file with a scenario ends.
const scenarioFile = ".scenario"

// isScenario tells a file with a scenario from the URL of a site.
func isScenario(argument string) bool {
	return strings.HasSuffix(argument, scenarioFile) && !strings.Contains(argument, "://")
}

// playScenario runs a scenario file, once for each profile that its question is about, or for the one
// that was asked for.
func (c *traceCommand) playScenario(ctx context.Context, p *program) error {
	if err := c.checkScenario(); err != nil {
		return err
	}
	f, err := os.Open(c.URL)
	if err != nil {
		return &failure{err, "lockstep trace examples/questions/07-two-ports" + scenarioFile}
	}
	defer f.Close()
	s, err := scenario.Read(f)
	if err != nil {
		return &usageError{fmt.Errorf("%s: %w", c.URL, err), "docs/reference/scenarios.md has the language"}
	}
	profiles := c.chosen
	if q, err := s.Question(); err == nil && c.Profile == "" && len(q.Profiles) > 0 {
		profiles = q.Profiles
	}
	results, err := c.playAll(ctx, p.stdout, s, profiles)
	if err != nil {
		return &failure{err, "docs/reference/scenarios.md has the language"}
	}
	missed := 0
	for _, result := range results {
		missed += len(result.Missed)
	}
	if missed > 0 {
		return &finding{fmt.Errorf("%s: expectations that do not hold: %d", c.URL, missed), "the verdicts that fell are in lockstep trace " + c.URL + " --format json"}
	}
	return nil
}

// playAll runs the scenario in a browser of each of the profiles.
func (c *traceCommand) playAll(ctx context.Context, w io.Writer, s *scenario.Scenario, profiles []browser.Profile) ([]scenario.Result, error) {
	if c.Format == "table" && len(profiles) > 1 {
		return s.PlayIn(ctx, w, profiles, scenario.Options{})
	}
	var results []scenario.Result
	for _, profile := range profiles {
		result, err := c.playOnce(ctx, w, s, profile)
		results = append(results, result)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func (c *traceCommand) playOnce(ctx context.Context, w io.Writer, s *scenario.Scenario, profile browser.Profile) (scenario.Result, error) {
	options := scenario.Options{Profile: profile}
	if c.Format == "table" {
		result, err := s.Play(ctx, w, options)
		if err == nil && s.HasRows() {
			err = writeRows(w, result.Run)
		}
		return result, err
	}
	result, err := s.Do(ctx, options)
	if err != nil {
		return result, err
	}
	return result, result.Run.WriteJSON(w)
}

// checkScenario refuses flags that are about a site.
func (c *traceCommand) checkScenario() error {
	switch {
	case c.Format != "table" && c.Format != "json":
		return &usageError{errors.New("a scenario is printed as a table or as json"), "leave --format out"}
	case c.Login != "", c.Jar != "", c.HAROut != "", c.Curl, len(c.Expect) > 0:
		return &usageError{errors.New("a scenario says itself what is visited and expected"), "--profile and --format go with it; the commands of the file do the rest"}
	}
	return nil
}
