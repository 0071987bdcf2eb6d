package site

import (
	"container/list"
	"sync"
	"time"
)

// Limits of failed logins.
const (
	maxFailures   = 5               // of one name from one address, and then it has to wait
	failureWindow = 5 * time.Minute // since the first of them
	maxTracked    = 4096            // names with addresses; the one that failed longest ago is forgotten first
)

// attempts counts the failed logins of each name from each address, in memory. The zero attempts is
// empty and ready.
//
// It slows guessing down and locks nobody out for long: another address is not held up, and a restart
// forgets. Each attempt counts as failed until it is forgiven, so that many at one time are no way
// around the limit.
type attempts struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	order list.List // of *tally, the one whose window began first in front
}

// tally is the failures of one key since first.
type tally struct {
	key   string
	first time.Time
	count int
}

// take counts an attempt, and reports how long to wait instead when there were too many.
func (a *attempts) take(key string, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byKey == nil {
		a.byKey = make(map[string]*list.Element)
	}
	if e, ok := a.byKey[key]; ok {
		t := e.Value.(*tally)
		end := t.first.Add(failureWindow)
		if now.Before(end) {
			if t.count >= maxFailures {
				return end.Sub(now)
			}
			t.count++
			return 0
		}
		a.remove(e)
	}
	if a.order.Len() >= maxTracked {
		a.remove(a.order.Front())
	}
	a.byKey[key] = a.order.PushBack(&tally{key: key, first: now, count: 1})
	return 0
}

// forgive forgets the attempts of a key, after one that succeeded.
func (a *attempts) forgive(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e, ok := a.byKey[key]; ok {
		a.remove(e)
	}
}

func (a *attempts) remove(e *list.Element) {
	delete(a.byKey, e.Value.(*tally).key)
	a.order.Remove(e)
}
