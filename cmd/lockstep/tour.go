package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// contextFlags say in what circumstances the last URL is asked for.
type contextFlags struct {
	From        string `placeholder:"URL" help:"The page that asks for the last URL: where the link or the form stands, or whose script, frame or image it is. Default: none, for a person types the URL."`
	As          string `placeholder:"KIND" help:"As what the last URL is asked for: navigate (a link, or typed), form (a POST of the window), fetch, iframe, image or script. Default: navigate."`
	Method      string `placeholder:"METHOD" help:"The method of the last URL. Default: GET, and POST for a form. Nothing is in the body."`
	Credentials string `placeholder:"MODE" help:"The credentials mode of a fetch: omit, same-origin or include. Default: same-origin, as in a script."`
	Top         string `placeholder:"URL" help:"The page that the window shows, in a frame of which the page of --from is. Default: that of --from."`
}

func (f *contextFlags) circumstances() trace.Circumstances {
	return trace.Circumstances{As: f.As, Method: f.Method, Credentials: f.Credentials, From: f.From, Top: f.Top}
}

// tour are the navigations of a run that is no lesson: those before the last are of URLs that a person types.
// It is nil for the lesson, which is what becomes of one URL about which nothing else was said.
func (c *traceCommand) tour() ([]trace.Navigation, error) {
	x := c.circumstances()
	if len(c.URLs) < 2 && x.Typed() && !c.NoRevisit {
		return nil, nil
	}
	var all []trace.Navigation
	for i, target := range c.URLs {
		if i < len(c.URLs)-1 {
			all = append(all, trace.Navigation{URL: target})
			continue
		}
		last, err := x.Navigation(target)
		if senseless, ok := errors.AsType[*trace.CircumstancesError](err); ok {
			return nil, &usageError{err, senseless.Hint}
		}
		all = append(all, last)
	}
	return all, nil
}

// checkTour refuses flags of a tour where there is none.
func (c *traceCommand) checkTour() error {
	if len(c.URLs) < 2 && c.contextFlags == (contextFlags{}) && !c.NoRevisit {
		return nil
	}
	const flags = "several URLs, --from, --as, --method, --credentials, --top and --no-revisit"
	switch {
	case c.HAR != "", c.Replay != "", isScenario(c.URL):
		return &usageError{errors.New(flags + " are about sites that are visited now"), "leave --har, --replay or the scenario out; a scenario has words of its own for them"}
	case c.Login != "":
		return &usageError{
			errors.New("--login goes with the lesson, not with " + flags),
			"log in with one run and ask with the next: both with --jar FILE",
		}
	}
	return nil
}

// makeTour makes the navigations.
func makeTour(ctx context.Context, p *program, client *trace.Client, all []trace.Navigation) (trace.Run, error) {
	targets := make([]string, len(all))
	for i := range all {
		targets[i] = all[i].URL
	}
	p.progress("visiting " + trace.Printable(strings.Join(targets, ", ")) + " ...")
	defer p.progress("")
	run, err := client.Tour(ctx, all)
	if err != nil && ctx.Err() == nil {
		return run, &usageError{err, "a URL looks like https://example.com/"}
	}
	return run, err
}

// verdictOnTour says how a tour ended: a failure when a visit got no answer, and a finding when a redirect
// led nowhere.
func verdictOnTour(run *trace.Run) error {
	for i := range run.Visits {
		last := run.Visits[i].Last()
		if v, ok := last.Verdict(rule.AllowFetch, ""); ok && !v.Yes {
			problem, _ := v.Fact("problem")
			return &finding{fmt.Errorf("%s was not fetched: %s", last.URL, problem), fixOf(v.Rule)}
		}
		if v, ok := last.Verdict(rule.MixedContent, ""); ok && !v.Yes && !last.Left {
			return &finding{fmt.Errorf("%s is not asked for by %s: %s", last.URL, v.Subject, sentenceOf(v.Rule)), fixOf(v.Rule)}
		}
		if err := ledNowhere(&run.Visits[i]); err != nil {
			return err
		}
		if v, ok := last.Verdict(rule.Connect, ""); ok && !v.Yes {
			cause, _ := v.Fact("cause")
			return &failure{fmt.Errorf("%s gave no answer: %s", last.URL, cause), fixOf(v.Rule)}
		}
	}
	return nil
}

// changes reports whether a run sends what may change something, and says what that is.
func (c *traceCommand) changes(tour []trace.Navigation) (what string, ok bool) {
	if c.Login != "" {
		return "a login", true
	}
	for i := range tour {
		switch tour[i].Method {
		case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		default:
			return "a " + tour[i].Method, true
		}
	}
	return "", false
}
