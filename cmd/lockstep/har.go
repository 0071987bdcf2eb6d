package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lockstep-http/lockstep/internal/expect"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// maxShownVisits is how many requests of a recording a page or a table has, of those that are about
// cookies; the others are in the JSON.
const maxShownVisits = 100

// progressEach is after how many requests of a recording a terminal is told.
const progressEach = 1000

// playHAR explains a recording instead of visiting a site.
func (c *traceCommand) playHAR(ctx context.Context, p *program, expected []expect.Expectation) error {
	if c.URL != "" || c.Replay != "" || c.Login != "" || c.HAROut != "" || c.Curl {
		return &usageError{errors.New("--har explains a recording and visits no URL"), "leave URL, --replay, --login, --har-out and --curl out"}
	}
	log, err := readHAR(ctx, p, c.HAR)
	if err != nil {
		return err
	}
	if sent, set := log.HasCookies(); !sent && !set {
		return noCookies(c.HAR, log)
	}
	var (
		run    trace.Run // what is shown, or everything when there are expectations
		number int
		out    = p.stdout
		long   = bufio.NewWriterSize(p.stdout, 64<<10) // what is written of each request
	)
	if c.Format == "table" && c.Verbose {
		fmt.Fprintln(long, "Requests, in the order in which their answers came")
	}
	keepAll := len(expected) > 0
	page := c.Format != "json" && c.Format != "table"
	eachWritten := c.Format == "json" || c.Format == "table" && c.Verbose
	played, err := trace.PlayHAR(log, c.browser(), keepAll || c.Format != "table", func(v trace.Visit) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		number++
		if !eachWritten && number%progressEach == 1 {
			p.progress(fmt.Sprintf("playing %s ... %d of %d requests", trace.Printable(c.HAR), number, len(log.Entries)))
		}
		switch {
		case c.Format == "json":
			if err := v.WriteJSON(long, number); err != nil {
				return err
			}
		case c.Format == "table" && c.Verbose:
			trace.WriteVisit(long, &v)
		}
		switch {
		case page && v.AboutCookies() && len(run.Visits) < maxShownVisits:
			run.Visits = append(run.Visits, v)
		case keepAll:
			run.Visits = append(run.Visits, withoutFacts(v))
		}
		return nil
	})
	p.progress("")
	err = cmp.Or(err, long.Flush())
	if errors.Is(err, trace.ErrTooManyCookies) {
		return &failure{fmt.Errorf("playing recording %q: %w", c.HAR, err), "record a shorter time, or cut the recording into several"}
	}
	if err != nil {
		return err
	}
	story, err := c.tellHAR(p, played, run)
	if err != nil {
		return err
	}
	if c.Format == "json" || c.Format == "html" {
		out = p.stderr
	}
	return hold(out, expected, story)
}

// tellHAR prints a recording that was played, in the format that was asked for.
func (c *traceCommand) tellHAR(p *program, played *trace.Playback, run trace.Run) (*trace.Story, error) {
	story := &trace.Story{Run: run}
	if c.Format != "json" && c.Format != "table" && len(run.Visits) > 0 {
		shown := trace.Run{Visits: run.Visits[:min(len(run.Visits), maxShownVisits)]}
		var err error
		if story, err = tell(shown, ""); err != nil {
			return nil, err
		}
		defer func() { story.Run = run }()
	}
	switch c.Format {
	case "json":
		return story, nil
	case "html":
		page := trace.Page{Title: "What the recording says of cookies", Intro: aboutHAR(played, run)}
		if len(run.Visits) > 0 {
			page.Stories = []*trace.Story{story}
		}
		return story, page.WriteHTML(p.stdout)
	case "table":
		if c.Verbose {
			fmt.Fprintln(p.stdout)
		}
		played.WriteText(p.stdout, c.Verbose)
		return story, nil
	}
	for _, text := range aboutHAR(played, run) {
		fmt.Fprintln(p.stdout, trace.Printable(text))
	}
	fmt.Fprintln(p.stdout)
	if len(run.Visits) == 0 {
		return story, nil
	}
	return story, c.print(p, story)
}

// aboutHAR is what stands before the requests of a recording: some differences at most, for there may be
// as many as cookies.
func aboutHAR(played *trace.Playback, run trace.Run) []string {
	differences := played.Differ()
	intro := append(played.Summary(), differences[:min(len(differences), maxShownVisits)]...)
	if len(run.Visits) == 0 {
		return append(intro, "No request is about cookies.")
	}
	return append(intro, fmt.Sprintf("What follows is what the rules make of it: the first %d requests at most of those that are about cookies.", maxShownVisits))
}

// withoutFacts is a visit as expectations need it, in less memory.
func withoutFacts(v trace.Visit) trace.Visit {
	for i := range v.Hops {
		for j := range v.Hops[i].Verdicts {
			v.Hops[i].Verdicts[j].Facts = nil
		}
	}
	return v
}

// readHAR reads a recording from a file, or from standard input for "-".
func readHAR(ctx context.Context, p *program, name string) (*har.Log, error) {
	in := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &failure{err, "save a recording first: in the developer tools, Network, Export HAR"}
		}
		defer f.Close()
		in = f
	}
	const step = 16 << 20
	next := int64(step)
	log, err := har.Read(stoppable{ctx, in}, func(read int64) {
		if read >= next {
			p.progress(fmt.Sprintf("reading %s ... %d MB", trace.Printable(name), read>>20))
			next = read + step
		}
	})
	p.progress("")
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, &failure{fmt.Errorf("reading recording %q: %w", name, err), "a recording is a HAR file: in the developer tools, Network, Export HAR; one without the bodies of answers is smaller"}
	}
	return log, nil
}

// A stoppable reader ends when its context does. A read that has begun is waited for.
type stoppable struct {
	ctx context.Context //nolint:containedctx // of one call of readHAR
	r   io.Reader
}

// Read implements [io.Reader].
func (s stoppable) Read(b []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.r.Read(b)
}

// noCookies says that there is nothing to explain, and how to record it.
func noCookies(name string, log *har.Log) error {
	hint := "if the site does set cookies, export the recording with its cookies, and handle the file like a password"
	switch creator := strings.ToLower(log.Creator); {
	case strings.HasPrefix(creator, "webinspector"):
		hint = "in Chrome and Edge: DevTools, Settings, Preferences, Network, \"Allow to generate HAR with sensitive data\"; then hold the mouse on the export button and take \"Export HAR (with sensitive data)\". Handle the file like a password"
	case strings.Contains(creator, "firefox"):
		hint = "in Firefox: Network, the gear, \"Save All As HAR\" has the cookies unless something took them out later. Handle the file like a password"
	case strings.HasPrefix(creator, "webkit"):
		hint = "in Safari: Web Inspector, Network, Export has the cookies unless something took them out later. Handle the file like a password"
	}
	return &failure{
		fmt.Errorf("recording %q has %d requests and neither a Cookie nor a Set-Cookie line: it was saved without them (Chrome does so unless told otherwise), or the site has no cookies", name, len(log.Entries)),
		hint,
	}
}

// writeHAR saves a run as a recording, for other tools and for --har. What is in it is what a run keeps:
// values of cookies are shortened.
func writeHAR(name string, run *trace.Run) error {
	err := replaceFile(name, func(w io.Writer) error { return run.HAR().Write(w, "Lockstep", cmp.Or(version, "(devel)")) })
	if err != nil {
		return &failure{fmt.Errorf("writing --har-out: %w", err), "name a file in a folder that can be written"}
	}
	return nil
}
