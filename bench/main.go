package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Exit codes, as those of the program lockstep.
const (
	exitFine     = 0
	exitMissed   = 1
	exitUsage    = 2
	exitCouldNot = 3
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, complaints io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(complaints)
	rounds := flags.Int("rounds", 21, "how often the stacks take turns")
	batch := flags.Duration("batch", 20*time.Millisecond, "how long a stack runs in one round")
	document := flags.String("update", "", "a document to write the tables into, between its markers")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if *rounds < 1 || flags.NArg() > 0 {
		fmt.Fprintln(complaints, "bench: at least one round, and no arguments")
		return exitUsage
	}
	text, missed, err := report(plan{rounds: *rounds, batch: *batch}, complaints)
	if err == nil && *document != "" {
		err = update(*document, text)
	}
	if err != nil {
		fmt.Fprintln(complaints, "bench:", err)
		return exitCouldNot
	}
	fmt.Fprint(out, text)
	if missed > 0 {
		fmt.Fprintln(complaints, "bench: goals missed:", missed)
		return exitMissed
	}
	return exitFine
}

// report measures everything and writes it as Markdown.
func report(p plan, progress io.Writer) (text string, missed int, err error) {
	m := machine{when: time.Now()}
	m.look()
	var chapters []chapter
	var outcomes []outcome
	for _, place := range places {
		for _, lanes := range place.lanes {
			p.lanes = lanes
			c, err := place.measure(p, progress)
			if err != nil {
				return "", 0, err
			}
			chapters = append(chapters, c)
			if lanes == 1 || place.shares {
				outcomes = append(outcomes, c.outcomes(place.goals)...)
			}
		}
	}
	m.look()
	var b strings.Builder
	m.write(&b, p)
	b.WriteString("\n")
	missed = writeGoals(&b, outcomes)
	for _, c := range chapters {
		c.write(&b)
	}
	return b.String(), missed, nil
}

// A place is where sessions are kept.
type place struct {
	name  string
	deeds []deed
	goals []goal
	lanes []int // how many requests at a time
	// shares says that requests at a time may cost less each, so that goals are for them, too.
	shares bool
	// open returns stacks whose sessions are new; close removes what they are kept in.
	open func() (stacks []*stack, shut func(), err error)
}

var places = []place{
	{name: "memory", deeds: deeds, goals: memoryGoals, lanes: []int{1, 2}, open: inMemory},
	// What is written at the same time goes into one transaction, if a store can do that.
	{name: "SQLite", deeds: []deed{reading, writing, sending}, goals: sqliteGoals, lanes: []int{1, 32}, shares: true, open: inSQLite},
}

func (p place) measure(how plan, progress io.Writer) (chapter, error) {
	c := chapter{title: p.name}
	if how.lanes > 1 {
		c.title += fmt.Sprintf(", %d requests at a time", how.lanes)
	}
	stacks, shut, err := p.open()
	if err != nil {
		return c, err
	}
	defer shut()
	for _, d := range p.deeds {
		fmt.Fprintf(progress, "%s: %s\n", c.title, d.name)
		f, err := how.measure(d, stacks)
		if err != nil {
			return c, err
		}
		c.figures = append(c.figures, f)
	}
	return c, nil
}

func inMemory() ([]*stack, func(), error) {
	ours, err := withLockstep(nil)
	if err != nil {
		return nil, nil, err
	}
	return []*stack{ours, withCrossOrigin(nil), withNosurf(nil), withGorilla(), bare()}, func() {}, nil
}

// The markers between which a document has the tables.
const (
	beginMarker = "<!-- bench: begin; written by `make bench` -->\n"
	endMarker   = "<!-- bench: end -->\n"
)

// update writes text between the markers of the document at path.
func update(path, text string) error {
	old, err := os.ReadFile(path) //nolint:gosec // named on the command line
	if err != nil {
		return err
	}
	head, rest, begins := strings.Cut(string(old), beginMarker)
	_, tail, ends := strings.Cut(rest, endMarker)
	if !begins || !ends {
		return fmt.Errorf("%s: no markers %q and %q to write between", path, strings.TrimSpace(beginMarker), strings.TrimSpace(endMarker))
	}
	return os.WriteFile(path, []byte(head+beginMarker+"\n"+text+"\n"+endMarker+tail), 0o644) //nolint:gosec // a document
}
