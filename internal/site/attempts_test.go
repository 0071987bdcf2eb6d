package site_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/site"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAttempts(t *testing.T) {
	var a site.Attempts
	for i := range site.MaxFailures {
		if wait := a.Take("ann", start.Add(time.Duration(i)*time.Second)); wait != 0 {
			t.Fatalf("attempt %d waits %v", i+1, wait)
		}
	}
	late := start.Add(time.Minute)
	if wait := a.Take("ann", late); wait != site.FailureWindow-time.Minute {
		t.Errorf("one too many waits %v", wait)
	}
	if wait := a.Take("bob", late); wait != 0 {
		t.Errorf("another waits %v", wait)
	}
	if wait := a.Take("ann", start.Add(site.FailureWindow)); wait != 0 {
		t.Errorf("after the window it waits %v", wait)
	}
	for range site.MaxFailures {
		a.Take("cy", start)
	}
	a.Forgive("cy")
	a.Forgive("nobody")
	if wait := a.Take("cy", start); wait != 0 {
		t.Errorf("after a success it waits %v", wait)
	}
}

// Many at one time are no way around the limit.
func TestAttemptsAtOneTime(t *testing.T) {
	var (
		a     site.Attempts
		wg    sync.WaitGroup
		mu    sync.Mutex
		taken int
	)
	for range 50 {
		wg.Go(func() {
			if a.Take("ann", start) == 0 {
				mu.Lock()
				taken++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if taken != site.MaxFailures {
		t.Errorf("%d attempts passed", taken)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	var a site.Attempts
	for i := range site.MaxTracked + 100 {
		a.Take(strconv.Itoa(i), start)
	}
	if a.Len() != site.MaxTracked {
		t.Errorf("%d names are remembered", a.Len())
	}
}
