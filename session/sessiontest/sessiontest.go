// Package sessiontest is the contract of [session.Store] as a test suite. Every store passes it:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, func(t *testing.T) session.Store { return openStore(t) })
//	}
//
// A failing case names the sentence of the contract that the store broke. [Races] is the part that
// two requests of one session meet in; Run runs it with [DefaultRaces].
package sessiontest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// DefaultRaces is how often Run has two requests race.
const DefaultRaces = 1000

// aKey and others are keys as sessions have them.
const (
	aKey       = "abcdefghijklmnopqrstuvwxyz012345"
	anotherKey = "abcdefghijklmnopqrstuvwxyz012346"
	shortKey   = "abcdefgh"
	longKey    = "abcdefghijklmnopqrstuvwxyz0123456789abcd"
)

// later is when the records of this suite expire: a whole number of microseconds, long after now.
var later = time.Date(2345, 6, 7, 8, 9, 10, 123456000, time.UTC)

// Run tests the stores that open returns. Each is opened for one case, is empty, and is closed by
// open's own t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) session.Store) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("the contract: %s", c.explanation)
				}
			}()
			c.run(&check{T: t, Store: open(t)})
		})
	}
	if _, ok := open(t).(session.Purger); ok {
		t.Run("purge", func(t *testing.T) { purge(t, open) })
	}
	t.Run("races", func(t *testing.T) { Races(t, open, DefaultRaces) })
}

// A testCase is one sentence of the contract.
type testCase struct {
	name        string
	explanation string // what is asked of a store
	run         func(c *check)
}

var cases = []testCase{
	{
		name:        "a miss",
		explanation: "Load of a key that has no record returns an error that wraps fs.ErrNotExist",
		run: func(c *check) {
			_, err := c.Load(c.Context(), aKey)
			c.is(err, fs.ErrNotExist)
		},
	},
	{
		name:        "insert and load",
		explanation: "a record that was inserted, old being zero, is loaded with its bytes and its moment, to the microsecond",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			c.holds(aKey, record("first"))
		},
	},
	{
		name:        "insert over a record",
		explanation: "Save with a zero old changes nothing where a record is, and its error wraps fs.ErrExist",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			c.is(c.Save(c.Context(), aKey, session.Record{}, record("second")), fs.ErrExist)
			c.holds(aKey, record("first"))
		},
	},
	{
		name:        "replace",
		explanation: "Save replaces the record when it holds the bytes of old, and changes its moment, too",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			next := session.Record{Data: []byte("second"), Expires: later.Add(time.Hour)}
			c.ok(c.Save(c.Context(), aKey, record("first"), next))
			c.holds(aKey, next)
		},
	},
	{
		name:        "replace by the same bytes",
		explanation: "Save with the bytes of old as those of next moves the moment, so that a session can be prolonged",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			next := session.Record{Data: []byte("first"), Expires: later.Add(time.Hour)}
			c.ok(c.Save(c.Context(), aKey, record("first"), next))
			c.holds(aKey, next)
		},
	},
	{
		name:        "old is compared by its bytes",
		explanation: "the moment of old plays no part in the comparison",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			old := session.Record{Data: []byte("first"), Expires: later.Add(-time.Hour + time.Nanosecond)}
			c.ok(c.Save(c.Context(), aKey, old, record("second")))
			c.holds(aKey, record("second"))
		},
	},
	{
		name:        "replace what is another record",
		explanation: "Save changes nothing when the record holds other bytes than old, and its error wraps ErrConflict",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			c.is(c.Save(c.Context(), aKey, record("elsewhere"), record("second")), session.ErrConflict)
			c.is(c.Save(c.Context(), aKey, record("firs"), record("second")), session.ErrConflict)
			c.is(c.Save(c.Context(), aKey, record("FIRST"), record("second")), session.ErrConflict)
			c.is(c.Save(c.Context(), aKey, record("first "), record("second")), session.ErrConflict)
			c.holds(aKey, record("first"))
		},
	},
	{
		name:        "replace what is gone",
		explanation: "Save with an old never makes a record where there is none, and its error wraps fs.ErrNotExist",
		run: func(c *check) {
			c.is(c.Save(c.Context(), aKey, record("first"), record("second")), fs.ErrNotExist)
			c.misses(aKey)
			c.insert(aKey, record("first"))
			c.ok(c.Delete(c.Context(), aKey))
			c.is(c.Save(c.Context(), aKey, record("first"), record("second")), fs.ErrNotExist)
			c.misses(aKey)
		},
	},
	{
		name:        "remove",
		explanation: "Save with a zero next removes the record when it holds the bytes of old",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			c.ok(c.Save(c.Context(), aKey, record("first"), session.Record{}))
			c.misses(aKey)
			c.is(c.Save(c.Context(), aKey, record("first"), session.Record{}), fs.ErrNotExist)
		},
	},
	{
		name:        "remove what is another record",
		explanation: "Save with a zero next leaves a record that holds other bytes than old, and its error wraps ErrConflict",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			c.is(c.Save(c.Context(), aKey, record("elsewhere"), session.Record{}), session.ErrConflict)
			c.holds(aKey, record("first"))
		},
	},
	{
		name:        "neither old nor next",
		explanation: "Save with a zero old and a zero next is an error and does nothing",
		run: func(c *check) {
			if err := c.Save(c.Context(), aKey, session.Record{}, session.Record{}); err == nil {
				c.Error("no error")
			}
			c.misses(aKey)
		},
	},
	{
		name:        "delete",
		explanation: "Delete removes a record whatever it holds, and a missing one is no error",
		run: func(c *check) {
			c.ok(c.Delete(c.Context(), aKey))
			c.insert(aKey, record("first"))
			c.ok(c.Delete(c.Context(), aKey))
			c.misses(aKey)
			c.ok(c.Delete(c.Context(), aKey))
			c.insert(aKey, record("again"))
			c.holds(aKey, record("again"))
		},
	},
	{
		name:        "keys are apart",
		explanation: "what is done to one key is not seen under another, however alike they are",
		run: func(c *check) {
			keys := []string{aKey, anotherKey, shortKey, longKey, strings.Repeat("0", 32), strings.Repeat("0", 31)}
			for _, key := range keys {
				c.insert(key, record("of "+key))
			}
			c.ok(c.Delete(c.Context(), anotherKey))
			c.ok(c.Save(c.Context(), shortKey, record("of "+shortKey), record("changed")))
			c.misses(anotherKey)
			c.holds(shortKey, record("changed"))
			for _, key := range slices.DeleteFunc(keys, func(k string) bool { return k == anotherKey || k == shortKey }) {
				c.holds(key, record("of "+key))
			}
		},
	},
	{
		name:        "expired records",
		explanation: "a record that has expired is loaded and replaced like any other, or forgotten: nothing else becomes of it",
		run: func(c *check) {
			old := session.Record{Data: []byte("first"), Expires: time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)}
			c.insert(aKey, old)
			got, err := c.Load(c.Context(), aKey)
			if errors.Is(err, fs.ErrNotExist) {
				return
			}
			c.ok(err)
			c.equal(got, old)
			if err := c.Save(c.Context(), aKey, old, record("second")); !errors.Is(err, fs.ErrNotExist) {
				c.ok(err)
				c.holds(aKey, record("second"))
			}
		},
	},
	{
		name:        "moments in other zones",
		explanation: "Expires is a moment: in which zone it was said does not change it",
		run: func(c *check) {
			r := session.Record{Data: []byte("x"), Expires: later.In(time.FixedZone("", -11*3600))}
			c.insert(aKey, r)
			c.holds(aKey, r)
		},
	},
	{
		name:        "bytes",
		explanation: "any bytes are kept as they are: zeros, quotes, invalid UTF-8, and 1 MiB of them",
		run: func(c *check) {
			var all []byte
			for b := range 256 {
				all = append(all, byte(b))
			}
			big := bytes.Repeat(all, 4096)
			c.insert(aKey, session.Record{Data: all, Expires: later})
			c.holds(aKey, session.Record{Data: all, Expires: later})
			c.ok(c.Save(c.Context(), aKey, session.Record{Data: all, Expires: later}, session.Record{Data: big, Expires: later}))
			c.holds(aKey, session.Record{Data: big, Expires: later})
			big[len(big)-1]++
			c.is(c.Save(c.Context(), aKey, session.Record{Data: big, Expires: later}, record("x")), session.ErrConflict)
		},
	},
	{
		name:        "no bytes",
		explanation: "a record without bytes is a record, because it has a moment",
		run: func(c *check) {
			empty := session.Record{Data: nil, Expires: later}
			c.insert(aKey, empty)
			c.holds(aKey, empty)
			c.ok(c.Save(c.Context(), aKey, empty, record("first")))
			c.ok(c.Save(c.Context(), aKey, record("first"), empty))
			c.holds(aKey, empty)
		},
	},
	{
		name:        "bytes are copied",
		explanation: "a store keeps nothing of the bytes it was given, and hands out bytes of its own",
		run: func(c *check) {
			given := record("first")
			c.insert(aKey, given)
			given.Data[0] = 'X'
			c.holds(aKey, record("first"))
			got, err := c.Load(c.Context(), aKey)
			c.ok(err)
			got.Data[0] = 'X'
			c.holds(aKey, record("first"))
		},
	},
	{
		name:        "a context that is done",
		explanation: "with a context that is done a call returns an error that wraps the context's, and does nothing",
		run: func(c *check) {
			c.insert(aKey, record("first"))
			ctx, cancel := context.WithCancel(c.Context())
			cancel()
			_, err := c.Load(ctx, aKey)
			c.is(err, context.Canceled)
			c.is(c.Save(ctx, aKey, record("first"), record("second")), context.Canceled)
			c.is(c.Save(ctx, anotherKey, session.Record{}, record("second")), context.Canceled)
			c.is(c.Delete(ctx, aKey), context.Canceled)
			c.holds(aKey, record("first"))
			c.misses(anotherKey)
		},
	},
	{
		name:        "one of many wins",
		explanation: "of many calls that replace or insert the same record at once, exactly one succeeds, and its bytes are stored",
		run: func(c *check) {
			won := c.contest(session.Record{}, fs.ErrExist)
			c.holds(aKey, won)
			c.holds(aKey, c.contest(won, session.ErrConflict))
		},
	},
}

// A check is a store under test.
type check struct {
	*testing.T
	session.Store
}

func record(data string) session.Record {
	return session.Record{Data: []byte(data), Expires: later}
}

func (c *check) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("error %v", err)
	}
}

func (c *check) is(err, want error) {
	c.Helper()
	if !errors.Is(err, want) {
		c.Errorf("error %v, want one that wraps %v", err, want)
	}
}

func (c *check) insert(key string, r session.Record) {
	c.Helper()
	c.ok(c.Save(c.Context(), key, session.Record{}, r))
}

func (c *check) holds(key string, want session.Record) {
	c.Helper()
	got, err := c.Load(c.Context(), key)
	c.ok(err)
	c.equal(got, want)
}

func (c *check) equal(got, want session.Record) {
	c.Helper()
	if !bytes.Equal(got.Data, want.Data) {
		c.Errorf("%d bytes %.40q, want %d bytes %.40q", len(got.Data), got.Data, len(want.Data), want.Data)
	}
	if !got.Expires.Equal(want.Expires) {
		c.Errorf("expires %v, want %v", got.Expires, want.Expires)
	}
}

func (c *check) misses(key string) {
	c.Helper()
	_, err := c.Load(c.Context(), key)
	c.is(err, fs.ErrNotExist)
}

// contest has many replace old at once, checks that all but one fail with lost, and returns what
// that one saved.
func (c *check) contest(old session.Record, lost error) (won session.Record) {
	c.Helper()
	const many = 16
	errs := make([]error, many)
	next := func(i int) session.Record { return record(fmt.Sprintf("%d after %s", i, old.Data)) }
	together(many, func(i int) { errs[i] = c.Save(c.Context(), aKey, old, next(i)) })
	winners := 0
	for i, err := range errs {
		if err == nil {
			won = next(i)
			winners++
		} else {
			c.is(err, lost)
		}
	}
	if winners != 1 {
		c.Fatalf("%d of %d calls succeeded, want 1", winners, many)
	}
	return won
}

// together runs f(0) to f(n-1) at once and waits for them.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// purge tests a [session.Purger].
func purge(t *testing.T, open func(t *testing.T) session.Store) {
	store := open(t)
	c := &check{T: t, Store: store}
	now := time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10 { // the first six have expired, the sixth at this very moment
		c.insert(fmt.Sprintf("purged%026d", i), session.Record{Data: []byte("x"), Expires: now.Add(time.Duration(i-5) * time.Second)})
	}
	p := store.(session.Purger)
	for _, want := range []int{4, 2, 0} {
		n, err := p.Purge(t.Context(), now, 4)
		c.ok(err)
		if n != want {
			t.Errorf("the contract: Purge removes at most limit records, those that are not after now: %d removed, want %d", n, want)
		}
		if want == 4 { // those that expired first are gone first
			c.misses(fmt.Sprintf("purged%026d", 3))
			c.holds(fmt.Sprintf("purged%026d", 4), session.Record{Data: []byte("x"), Expires: now.Add(-time.Second)})
		}
	}
	for i := range 10 {
		if key := fmt.Sprintf("purged%026d", i); i < 6 {
			c.misses(key)
		} else {
			c.holds(key, session.Record{Data: []byte("x"), Expires: now.Add(time.Duration(i-5) * time.Second)})
		}
	}
}

// Races has two requests of one session meet n times, on one store of open:
//
//   - two that set different items: both items are there afterwards;
//   - one that ends the session and one that sets an item: the session is gone afterwards;
//   - one that cycles the key and one that sets an item: the item is there, or the one who set it
//     was told that the session was interrupted;
//   - one that cycles the key and one that ends the session: the session goes on under the new key,
//     or the one who cycled was told that it was interrupted and nothing is left of it.
//
// Some of the n are met by more requests than two.
func Races(t *testing.T, open func(t *testing.T) session.Store, n int) {
	t.Helper()
	if testing.Short() {
		n = min(n, 100)
	}
	for _, r := range []struct {
		name string
		run  func(*race)
	}{
		{"writers lose no item", (*race).writers},
		{"ending against a writer revives nothing", (*race).endAgainstWriter},
		{"cycling against a writer loses no item", (*race).cycleAgainstWriter},
		{"ending against cycling", (*race).endAgainstCycle},
	} {
		t.Run(r.name, func(t *testing.T) {
			store := open(t)
			lanes := make([]*lane, min(n, raceLanes))
			for i := range lanes {
				lanes[i] = newLane(t, store)
			}
			together(len(lanes), func(i int) {
				for round := i; round < n && !t.Failed(); round += len(lanes) {
					lanes[i].keys = nil
					r.run(&race{T: t, lane: lanes[i], round: round})
					if t.Failed() {
						t.Logf("in round %d", round)
					}
				}
			})
		})
	}
}

// raceLanes is how many races go on at a time, each over a session of its own: a store that gathers
// what many save does not wait for its disk in every one.
const raceLanes = 32

// A lane is where races are run one after the other.
type lane struct {
	engine *session.Engine
	*inserted
}

func newLane(t *testing.T, store session.Store) *lane {
	t.Helper()
	watched := &inserted{Store: store}
	engine, err := session.NewEngine(session.Config{
		Keys: []string{"a key for tests"}, Store: watched, CookieAge: 3600, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &lane{engine: engine, inserted: watched}
}

// A race is one meeting of requests.
type race struct {
	*testing.T
	*lane
	round int
}

// An inserted remembers the keys that were new to a store.
type inserted struct {
	session.Store
	mu   sync.Mutex
	keys []string
}

// Save implements [session.Store].
func (s *inserted) Save(ctx context.Context, key string, old, next session.Record) error {
	if old.IsZero() {
		s.mu.Lock()
		s.keys = append(s.keys, key)
		s.mu.Unlock()
	}
	return s.Store.Save(ctx, key, old, next)
}

const statusOK = 200

// login begins a session and returns its key.
func (r *race) login() string {
	s := r.engine.Open(r.Context(), "", false)
	if err := s.Set("user", "ann"); err != nil {
		r.Error(err)
	}
	return r.commit(s).Value
}

func (r *race) commit(s *session.Session) session.Outcome {
	r.Helper()
	outcome, err := s.Commit(r.Context(), statusOK)
	if err != nil {
		r.Error(err)
	}
	return outcome
}

// open is a request that has read the session already.
func (r *race) open(key string) *session.Session {
	s := r.engine.Open(r.Context(), key, true)
	if s.Get("user") != "ann" {
		r.Errorf("user %v, error %v", s.Get("user"), s.Err())
	}
	return s
}

// write sets item and saves. The session may have been ended by another request meanwhile.
func (r *race) write(s *session.Session, item string) (interrupted bool) {
	if err := s.Set(item, true); err != nil {
		r.Error(err)
	}
	_, err := s.Commit(r.Context(), statusOK)
	if err != nil && !errors.Is(err, session.ErrInterrupted) {
		r.Error(err)
	}
	return err != nil
}

func (r *race) writers() {
	n := 2
	if r.round%50 == 0 {
		n = 8
	}
	key := r.login()
	requests := make([]*session.Session, n)
	for i := range n {
		requests[i] = r.open(key)
	}
	together(n, func(i int) {
		if r.write(requests[i], fmt.Sprintf("item%d", i)) {
			r.Error("interrupted")
		}
	})
	s := r.open(key)
	for i := range n {
		if item := fmt.Sprintf("item%d", i); !s.Has(item) {
			r.Errorf("%s is lost; there are %v", item, s.Keys())
		}
	}
}

func (r *race) endAgainstWriter() {
	key := r.login()
	ending, writing := r.open(key), r.open(key)
	together(2, func(i int) {
		if i == 0 {
			r.end(ending)
		} else {
			r.write(writing, "item")
		}
	})
	r.gone(key)
}

func (r *race) end(s *session.Session) {
	if err := s.Flush(); err != nil {
		r.Error(err)
	}
	if action := r.commit(s).Action; action != session.DeleteCookie {
		r.Errorf("ending a session: %v", action)
	}
}

func (r *race) gone(key string) {
	r.Helper()
	if _, err := r.inserted.Load(r.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		r.Errorf("a session that was ended is there again (error %v)", err)
	}
}

func (r *race) cycleAgainstWriter() {
	key := r.login()
	cycling, writing := r.open(key), r.open(key)
	var next session.Outcome
	var interrupted bool
	together(2, func(i int) {
		if i == 1 {
			interrupted = r.write(writing, "item")
			return
		}
		if err := cycling.CycleKey(); err != nil {
			r.Error(err)
		}
		next = r.commit(cycling)
	})
	r.gone(key)
	if has := r.open(next.Value).Has("item"); has == interrupted {
		r.Errorf("item is there: %v; its writer was interrupted: %v", has, interrupted)
	}
}

func (r *race) endAgainstCycle() {
	key := r.login()
	ending, cycling := r.open(key), r.open(key)
	var next session.Outcome
	var interrupted error
	together(2, func(i int) {
		if i == 0 {
			r.end(ending)
			return
		}
		if interrupted = cycling.CycleKey(); interrupted != nil && !errors.Is(interrupted, session.ErrInterrupted) {
			r.Error(interrupted)
		}
		next, _ = cycling.Commit(r.Context(), statusOK)
	})
	r.gone(key)
	if interrupted == nil {
		r.open(next.Value)
		return
	}
	for _, key := range r.keys {
		r.gone(key)
	}
}
