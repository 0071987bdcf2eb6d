package lab_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-http/lockstep/internal/lab"
)

// TestQueue lets a thousand ask at once: no more work at a time than may, some wait, and the others are told
// to come again.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const working, waiting, asking = 3, 10, 1000
		q := lab.NewQueue(working, waiting, time.Minute)
		var now, most, done, busy atomic.Int64
		var all sync.WaitGroup
		for range asking {
			all.Go(func() {
				err := q.Do(t.Context(), func(context.Context) error {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Second)
					now.Add(-1)
					done.Add(1)
					return nil
				})
				if errors.Is(err, lab.ErrBusy) {
					busy.Add(1)
				}
			})
		}
		all.Wait()
		if most.Load() > working || done.Load() != working+waiting || busy.Load() != asking-working-waiting {
			t.Errorf("at most %d at a time, %d done, %d refused", most.Load(), done.Load(), busy.Load())
		}
	})
}

// TestQueueTimeout lets somebody wait for a turn that does not come in time, and work that takes too long.
func TestQueueTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := lab.NewQueue(1, 1, time.Second)
		slow := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if err := q.Do(t.Context(), slow); !errors.Is(err, lab.ErrBusy) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
	})
}
