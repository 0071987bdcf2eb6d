package lab_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
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

// TestManyPages opens the page and runs the lesson from many pages at once, over real connections. Every
// request is answered: with the page, with a run, or with a word that there is too much to do.
func TestManyPages(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens a hundred pages")
	}
	var all sync.WaitGroup
	var served atomic.Int64
	for range 100 {
		all.Go(func() {
			page := question{method: "GET", path: "/"}.request()
			run := question{method: "POST", path: "/api/run", header: own, body: `{}`}.request()
			for _, r := range []*http.Request{page, run} {
				w := httptest.NewRecorder()
				newServer().ServeHTTP(w, r)
				switch w.Code {
				case http.StatusOK:
					served.Add(1)
				case http.StatusServiceUnavailable:
					if w.Header().Get("Retry-After") == "" {
						t.Error("nobody is told when to come again")
					}
				default:
					t.Errorf("status %d: %.200s", w.Code, w.Body)
				}
			}
		})
	}
	all.Wait()
	if served.Load() == 0 {
		t.Error("nobody was served")
	}
}
