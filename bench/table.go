package main

import (
	"fmt"
	"slices"
	"strings"
)

// A chapter is what was measured with sessions in one place.
type chapter struct {
	title   string
	figures []figure
}

// A goal is what Lockstep may take for a deed. The ratio and the allocations bind on every machine;
// the time is that of the machine on which the goals were set.
type goal struct {
	deed   deed
	cpu    float64 // nanoseconds
	allocs float64 // 0 when there is no such goal
	ratio  float64 // how many times that much the cheapest of the stacks with scs has to take
}

var (
	memoryGoals = []goal{
		{deed: untouched, cpu: 1500, allocs: 6, ratio: 15},
		{deed: reading, cpu: 6000, allocs: 30, ratio: 5},
		{deed: writing, cpu: 12000, allocs: 60, ratio: 3},
		{deed: sending, cpu: 12000, allocs: 60, ratio: 3},
	}
	sqliteGoals = []goal{
		{deed: reading, cpu: 25000},
		{deed: writing, cpu: 60000},
		{deed: sending, cpu: 60000},
	}
)

// An outcome is a goal and what came of it.
type outcome struct {
	goal   goal
	where  string
	ours   column
	peer   string // the cheapest stack with scs
	factor float64
}

func (o outcome) binding() bool {
	return o.factor >= o.goal.ratio && (o.goal.allocs == 0 || o.ours.median(allocs) <= o.goal.allocs+0.5)
}

func (o outcome) inTime() bool { return o.ours.median(cpu) <= o.goal.cpu }

// outcomes holds the figures of a chapter against goals.
func (c chapter) outcomes(goals []goal) (found []outcome) {
	for _, g := range goals {
		i := slices.IndexFunc(c.figures, func(f figure) bool { return f.deed == g.deed })
		if i < 0 {
			continue
		}
		o := outcome{goal: g, where: c.title, ours: c.figures[i].ours()}
		for _, peer := range c.figures[i].columns {
			if !peer.stack.onServer {
				continue
			}
			if r := peer.ratio(o.ours); o.peer == "" || r < o.factor {
				o.peer, o.factor = peer.stack.name, r
			}
		}
		found = append(found, o)
	}
	return found
}

// writeGoals writes a table of goals, with how many of those that bind are missed.
func writeGoals(b *strings.Builder, outcomes []outcome) (missed int) {
	b.WriteString("| Request | Sessions in | CPU | at most | Allocations | at most | The cheapest peer takes | at least | |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|---|\n")
	for _, o := range outcomes {
		verdict := "reached"
		switch {
		case !o.binding():
			verdict = "missed"
			missed++
		case !o.inTime():
			verdict = "over the time"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %.0f | %s | %.1f times | %s | %s |\n",
			o.goal.deed.name, o.where, micro(o.ours.median(cpu)), micro(o.goal.cpu),
			o.ours.median(allocs), orNone("%.0f", o.goal.allocs), o.factor, orNone("%.0f times", o.goal.ratio), verdict)
	}
	return missed
}

func orNone(format string, goal float64) string {
	if goal == 0 {
		return ""
	}
	return fmt.Sprintf(format, goal)
}

func (c chapter) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n", strings.ToUpper(c.title[:1])+c.title[1:])
	b.WriteString("| Request | Stack | CPU | Bytes | Allocations | Times Lockstep's CPU |\n|---|---|--:|--:|--:|--:|\n")
	for _, f := range c.figures {
		ours, name := f.ours(), f.deed.name
		for _, col := range f.columns {
			fmt.Fprintf(b, "| %s | %s | %s | %.0f | %.0f | %s |\n", name, col.stack.name,
				micro(col.median(cpu)), col.median(bytes), col.median(allocs), times(col, ours))
			name = ""
		}
	}
}

func times(c, ours column) string {
	if c.stack.name == lockstepName {
		return "1"
	}
	r := c.ratio(ours)
	if r < 0.1 {
		return fmt.Sprintf("%.3f", r)
	}
	return fmt.Sprintf("%.1f", r)
}

// micro writes nanoseconds as microseconds.
func micro(ns float64) string {
	if ns < 100 {
		return fmt.Sprintf("%.3f µs", ns/1000)
	}
	return fmt.Sprintf("%.2f µs", ns/1000)
}
