package lab

import (
	"context"
	"errors"
	"time"
)

// How much is done at a time, however many pages are open.
const (
	maxRuns    = 4   // requests that run scenarios; each has a browser and a site of its own
	maxPastes  = 1   // recordings and settings that are explained
	maxWaiting = 512 // requests that wait for their turn, of each kind

	runTimeout   = 20 * time.Second // a request waits and runs
	pasteTimeout = 40 * time.Second // the same for what was pasted
)

// errBusy says that there are enough who wait, or that the wait was too long.
var errBusy = errors.New("the lab has too much to run at the moment")

// A queue lets so many work at a time and so many wait.
type queue struct {
	working chan struct{}
	inside  chan struct{} // those who work or wait
	timeout time.Duration
}

func newQueue(working, waiting int, timeout time.Duration) *queue {
	return &queue{make(chan struct{}, working), make(chan struct{}, working+waiting), timeout}
}

// do calls work when its turn has come, with a context that ends in time. Who finds the queue full, or
// waits too long, gets errBusy.
func (q *queue) do(ctx context.Context, work func(context.Context) error) error {
	select {
	case q.inside <- struct{}{}:
		defer func() { <-q.inside }()
	default:
		return errBusy
	}
	ctx, cancel := context.WithTimeoutCause(ctx, q.timeout, errBusy)
	defer cancel()
	select {
	case q.working <- struct{}{}:
		defer func() { <-q.working }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := work(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}
