package main

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// A cost is what one request took.
type cost struct {
	cpu    float64 // nanoseconds, user and system
	bytes  float64
	allocs float64
}

// A column is what one stack took for one deed, a round each.
type column struct {
	stack  *stack
	rounds []cost
}

// A figure is a deed, measured for several stacks that took turns.
type figure struct {
	deed    deed
	columns []column
}

// A plan is how to measure.
type plan struct {
	rounds int
	batch  time.Duration // of CPU time that a stack takes in one round, about
	lanes  int           // requests at a time
}

// measure has the stacks take turns at d. Each begins a round as often as the others.
func (p plan) measure(d deed, stacks []*stack) (figure, error) {
	f := figure{deed: d}
	var teams []*team
	for _, s := range stacks {
		if d.wants(s) == 0 {
			continue
		}
		t, err := p.newTeam(d, s)
		if err != nil {
			return f, err
		}
		teams = append(teams, t)
		f.columns = append(f.columns, column{stack: s, rounds: make([]cost, p.rounds)})
	}
	for round := range p.rounds {
		for turn := range teams {
			i := (round + turn) % len(teams)
			c, err := teams[i].run()
			if err != nil {
				return f, err
			}
			f.columns[i].rounds[round] = c
		}
	}
	for _, t := range teams {
		if err := t.verify(); err != nil {
			return f, err
		}
	}
	return f, nil
}

// A team is the visitors of one stack who do the same at the same time.
type team struct {
	lanes []*repeater
	each  int // requests of a lane in one round
	done  int // of a lane so far
}

func (p plan) newTeam(d deed, s *stack) (*team, error) {
	t := &team{each: 1}
	for range p.lanes {
		v, err := arrive(s)
		if err != nil {
			return nil, err
		}
		t.lanes = append(t.lanes, v.repeater(d))
	}
	for { // until a round is long enough; that also warms up
		start := cpuTime()
		if err := t.race(); err != nil {
			return nil, err
		}
		if took := cpuTime() - start; took >= p.batch/2 {
			t.each = max(1, int(float64(t.each)*float64(p.batch)/float64(took)))
			return t, nil
		}
		t.each *= 2
	}
}

// run is one round. It begins without garbage of others and ends when its own is collected.
func (t *team) run() (cost, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	err := t.race()
	runtime.GC()
	took := cpuTime() - start
	runtime.ReadMemStats(&after)
	n := float64(t.each * len(t.lanes))
	return cost{
		cpu:    float64(took.Nanoseconds()) / n,
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocs: float64(after.Mallocs-before.Mallocs) / n,
	}, err
}

func (t *team) race() error {
	t.done += t.each
	if len(t.lanes) == 1 {
		return t.lanes[0].run(t.each)
	}
	errs := make([]error, len(t.lanes))
	var all sync.WaitGroup
	for i, lane := range t.lanes {
		all.Go(func() { errs[i] = lane.run(t.each) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// verify asks each visitor of a stack whether every request that writes has been written. A session
// that lives in a cookie was begun anew by each request, which sends the same cookie.
func (t *team) verify() error {
	for _, lane := range t.lanes {
		if lane.deed.path != visitPath || lane.want != 200 {
			continue
		}
		lane.visitor.keep(lane.answer.header)
		want := strconv.Itoa(t.done)
		if lane.visitor.stack.inCookie {
			want = "1"
		}
		if got := lane.visitor.visits(); got != want {
			return fmt.Errorf("%s: %s: the session counts %s visits, want %s", lane.visitor.stack.name, lane.deed.name, got, want)
		}
	}
	return nil
}

// cpuTime is what this process has used of all processors.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // RUSAGE_SELF is always there
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// median of the rounds by what; rounds is not empty.
func (c column) median(what func(cost) float64) float64 {
	values := make([]float64, len(c.rounds))
	for i, r := range c.rounds {
		values[i] = what(r)
	}
	return middle(values)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[n/2] + values[(n-1)/2]) / 2
}

func cpu(c cost) float64    { return c.cpu }
func bytes(c cost) float64  { return c.bytes }
func allocs(c cost) float64 { return c.allocs }

// ratio is how many times the CPU time of base c took, as the median over the rounds.
func (c column) ratio(base column) float64 {
	values := make([]float64, len(c.rounds))
	for i := range c.rounds {
		values[i] = c.rounds[i].cpu / base.rounds[i].cpu
	}
	return middle(values)
}

// ours is the column of Lockstep, which is measured at everything.
func (f figure) ours() column {
	return f.columns[slices.IndexFunc(f.columns, func(c column) bool { return c.stack.name == lockstepName })]
}
