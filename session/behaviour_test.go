package session_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// config is a site of 1 hour sessions in store.
func config(store session.Store) session.Config {
	return session.Config{
		Keys: []string{secret}, Store: store, CookieAge: 3600, Skip5xx: true, VaryWhenSet: true,
		Now: time.Now, Rand: rand.Reader,
	}
}

func engine(t testing.TB, c session.Config) *session.Engine {
	t.Helper()
	e, err := session.NewEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// begin stores a session of these items and returns its cookie.
func begin(t testing.TB, e *session.Engine, items ...string) string {
	t.Helper()
	s := e.Open(t.Context(), "", false)
	for _, item := range items {
		must(t, s.Set(item, "old"))
	}
	return commit(t, s).Value
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func commit(t testing.TB, s *session.Session) session.Outcome {
	t.Helper()
	out, err := s.Commit(t.Context(), http.StatusOK)
	must(t, err)
	return out
}

// A faulty store answers with err once it is set, and counts what it is asked.
type faulty struct {
	session.Memory
	err   error
	calls atomic.Int64
}

func (f *faulty) ask() error { f.calls.Add(1); return f.err }

func (f *faulty) Load(ctx context.Context, key string) (session.Record, error) {
	if err := f.ask(); err != nil {
		return session.Record{}, err
	}
	return f.Memory.Load(ctx, key)
}

func (f *faulty) Save(ctx context.Context, key string, old, next session.Record) error {
	if err := f.ask(); err != nil {
		return err
	}
	return f.Memory.Save(ctx, key, old, next)
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	if err := f.ask(); err != nil {
		return err
	}
	return f.Memory.Delete(ctx, key)
}

var errDown = errors.New("the store is down")

func TestStoreFailsAtLoading(t *testing.T) {
	store := new(faulty)
	e := engine(t, config(store))
	cookie := begin(t, e, "a")
	store.err = errDown
	s := e.Open(t.Context(), cookie, true)
	if v := s.Get("a"); v != nil || s.Has("a") || s.Len() != 0 || s.Keys() != nil || s.Key() != "" {
		t.Errorf("a session that cannot be loaded reads as empty: %v", v)
	}
	for name, err := range map[string]error{"Err": s.Err(), "Set": s.Set("a", 1), "Delete": s.Delete("a"), "Clear": s.Clear(), "CycleKey": s.CycleKey(), "Create": s.Create(), "Flush": s.Flush()} {
		if !errors.Is(err, errDown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	store.err = nil
	out, err := s.Commit(t.Context(), http.StatusOK)
	if !errors.Is(err, errDown) || out != (session.Outcome{}) {
		t.Errorf("Commit: %+v, %v", out, err)
	}
	if s := e.Open(t.Context(), cookie, true); s.Get("a") != "old" {
		t.Error("the session was overwritten without having been read")
	}
}

func TestStoreFailsAtSaving(t *testing.T) {
	store := new(faulty)
	e := engine(t, config(store))
	cookie := begin(t, e, "a")
	for name, act := range map[string]func(s *session.Session) error{
		"replace": func(s *session.Session) error { return s.Set("a", 1) },
		"insert":  func(s *session.Session) error { return errors.Join(s.Flush(), s.Set("a", 1)) },
	} {
		store.err = nil
		s := e.Open(t.Context(), cookie, true)
		must(t, act(s))
		store.err = fmt.Errorf("saving: %w", context.DeadlineExceeded)
		if out, err := s.Commit(t.Context(), http.StatusOK); !errors.Is(err, context.DeadlineExceeded) || out != (session.Outcome{}) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

// A logout that the store did not do must not look like one.
func TestStoreFailsAtFlush(t *testing.T) {
	store := new(faulty)
	e := engine(t, config(store))
	s := e.Open(t.Context(), begin(t, e, "a"), true)
	must(t, s.Err())
	store.err = errDown
	if err := s.Flush(); !errors.Is(err, errDown) {
		t.Errorf("Flush: %v", err)
	}
	if _, err := s.Commit(t.Context(), http.StatusOK); !errors.Is(err, errDown) {
		t.Errorf("Commit: %v", err)
	}
}

// Cycling leaves nothing behind when it fails half-way.
func TestStoreFailsAtCycling(t *testing.T) {
	store := &failsAfter{left: 1 << 30}
	e := engine(t, config(store))
	cookie := begin(t, e, "a")
	for fail := 1; fail <= 2; fail++ { // the insert, the removal
		s := e.Open(t.Context(), cookie, true)
		s.Get("a")
		store.left = fail - 1
		if err := s.CycleKey(); !errors.Is(err, errDown) {
			t.Errorf("failing at save %d: %v", fail, err)
		}
		if n := store.Len(); n != 1 {
			t.Errorf("failing at save %d: %d records", fail, n)
		}
		store.left = 1 << 30
	}
}

type failsAfter struct {
	session.Memory
	left int // saves that succeed
}

func (f *failsAfter) Save(ctx context.Context, key string, old, next session.Record) error {
	if f.left--; f.left < 0 {
		return errDown
	}
	return f.Memory.Save(ctx, key, old, next)
}

func TestCanceledRequest(t *testing.T) {
	e := engine(t, config(new(session.Memory)))
	cookie := begin(t, e, "a")
	ctx, cancel := context.WithCancel(t.Context())
	s := e.Open(ctx, cookie, true)
	cancel()
	if s.Get("a") != nil || !errors.Is(s.Err(), context.Canceled) {
		t.Errorf("error %v", s.Err())
	}
}

func TestNoStoreAccess(t *testing.T) {
	for _, cookie := range []string{
		"x", "1234567", strings.Repeat("a", 41), strings.Repeat("a", 10<<10), "../../../../etc/passwd", "abcdefgh\x00ijklmnop",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "abcdefgh ijklmnop", "abcdefgh%00", "éééééééé", "abcdefgh' OR 1=1",
	} {
		store := new(faulty)
		e := engine(t, config(store))
		for _, act := range []func(*session.Session){
			func(*session.Session) {},
			func(s *session.Session) { s.Get("a") },
			func(s *session.Session) { s.Key() },
			func(s *session.Session) { _ = s.Flush() },
			func(s *session.Session) { _ = s.Clear() },
		} {
			s := e.Open(t.Context(), cookie, true)
			act(s)
			_, _ = s.Commit(t.Context(), http.StatusOK)
		}
		if n := store.calls.Load(); n != 0 {
			t.Errorf("Z02 %.20q: the store was asked %d times", cookie, n)
		}
		s := e.Open(t.Context(), cookie, true)
		must(t, s.Set("a", 1))
		if out := commit(t, s); out.Value == cookie || out.Action != session.SetCookie {
			t.Errorf("Z01 %.20q was taken on", cookie)
		}
	}
	store := new(faulty)
	e := engine(t, config(store))
	for range 1000 { // Z08
		commit(t, e.Open(t.Context(), "", false))
		commit(t, e.Open(t.Context(), knownKey, true))
	}
	if n := store.calls.Load(); n != 0 || store.Len() != 0 {
		t.Errorf("Z08: the store was asked %d times by sessions that nothing touched", n)
	}
}

func TestCommitDecidesOnce(t *testing.T) {
	e := engine(t, config(new(session.Memory)))
	s := e.Open(t.Context(), "", false)
	must(t, s.Set("a", 1))
	first := commit(t, s)
	if second, err := s.Commit(t.Context(), http.StatusInternalServerError); err != nil || second != first {
		t.Errorf("%+v, %v; first %+v", second, err, first)
	}
	for name, err := range map[string]error{"Set": s.Set("a", 2), "Delete": s.Delete("a"), "Clear": s.Clear(), "Flush": s.Flush(), "CycleKey": s.CycleKey(), "Create": s.Create()} {
		if !errors.Is(err, session.ErrCommitted) {
			t.Errorf("%s after Commit: %v", name, err)
		}
	}
	if s.Get("a") != int64(1) || s.Err() != nil || s.Key() != first.Value {
		t.Errorf("what was read stays readable: %v, %v", s.Get("a"), s.Err())
	}

	s = e.Open(t.Context(), first.Value, true)
	commit(t, s)
	if s.Get("a") != nil || !errors.Is(s.Err(), session.ErrCommitted) || s.Accessed() {
		t.Errorf("read for the first time after Commit: %v", s.Err())
	}
	if out, err := s.Commit(t.Context(), http.StatusOK); err != nil || out != (session.Outcome{}) {
		t.Errorf("Commit changed its mind: %+v, %v", out, err)
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		skip5xx, varyWhenSet bool
		status               int
		saved                bool
	}{
		{false, false, 499, true},
		{false, false, 500, false},
		{false, false, 503, true},
		{true, true, 499, true},
		{true, true, 500, false},
		{true, true, 503, false},
		{true, true, 599, false},
	} {
		conf := config(new(session.Memory))
		conf.Skip5xx, conf.VaryWhenSet, conf.SaveEveryRequest = c.skip5xx, c.varyWhenSet, true
		e := engine(t, conf)
		out, err := e.Open(t.Context(), begin(t, e, "a"), true).Commit(t.Context(), c.status)
		must(t, err)
		if saved := out.Action == session.SetCookie; saved != c.saved || out.Vary != (c.varyWhenSet && c.saved) {
			t.Errorf("%+v: %+v", c, out)
		}
	}
}

// Two requests of one session that both read it before either saved.
func TestMerging(t *testing.T) {
	set := func(key string, v any) func(*session.Session) error {
		return func(s *session.Session) error { return s.Set(key, v) }
	}
	del := func(key string) func(*session.Session) error {
		return func(s *session.Session) error { return s.Delete(key) }
	}
	type acts []func(*session.Session) error
	for _, c := range []struct {
		name              string
		first, second     acts
		want              string
		merged, conflicts string
	}{
		{"different items", acts{set("x", 1)}, acts{set("y", 2)}, `{"a":"old","b":"old","x":1,"y":2}`, "x", ""},
		{"the same item", acts{set("a", 1)}, acts{set("a", 2)}, `{"a":2,"b":"old"}`, "", "a"},
		{"the same item to the same value", acts{set("a", 1)}, acts{set("a", 1)}, `{"a":1,"b":"old"}`, "", "a"},
		{"removed and changed", acts{del("a")}, acts{set("a", 2)}, `{"b":"old","a":2}`, "", "a"},
		{"changed and removed", acts{set("a", 1)}, acts{del("a")}, `{"b":"old"}`, "", "a"},
		{"removed by both", acts{del("a")}, acts{del("a")}, `{"b":"old"}`, "", "a"},
		{"removed and another changed", acts{del("a")}, acts{set("b", 2)}, `{"b":2}`, "a", ""},
		{"cleared, then changed", acts{(*session.Session).Clear}, acts{set("b", 2)}, `{"b":2}`, "a", "b"},
		{"changed, then cleared", acts{set("x", 1)}, acts{(*session.Session).Clear, set("y", 2)}, `{"y":2}`, "", "x"},
		{"set and removed again", acts{set("x", 1)}, acts{set("x", 2), del("x")}, `{"a":"old","b":"old"}`, "", "x"},
		{"an expiry", acts{func(s *session.Session) error { return s.SetExpiry(7) }}, acts{set("y", 2)}, `{"a":"old","b":"old","_session_expiry":7,"y":2}`, "_session_expiry", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := new(session.Memory)
			e := engine(t, config(store))
			cookie := begin(t, e, "a", "b")
			var saved rule.Verdict
			ctx := rule.WithWatch(t.Context(), func(v rule.Verdict) { saved = v })
			one, two := e.Open(t.Context(), cookie, true), e.Open(ctx, cookie, true)
			one.Get("a")
			two.Get("a")
			for _, act := range c.first {
				must(t, act(one))
			}
			for _, act := range c.second {
				must(t, act(two))
			}
			commit(t, one)
			out, err := two.Commit(ctx, http.StatusOK)
			must(t, err)
			rec, err := store.Load(t.Context(), cookie)
			must(t, err)
			got, err := django.NewSigner(django.SessionSalt, secret).Loads(string(rec.Data), -1, time.Now())
			must(t, err)
			if string(got) != c.want {
				t.Errorf("stored %s, want %s", got, c.want)
			}
			if merged, _ := saved.Fact("merged"); merged != c.merged {
				t.Errorf("merged %q, want %q", merged, c.merged)
			}
			if conflicts, _ := saved.Fact("conflicts"); conflicts != c.conflicts {
				t.Errorf("conflicts %q, want %q", conflicts, c.conflicts)
			}
			if noted := slices.Contains(saved.Notes, "session-key-conflict"); noted != (c.conflicts != "") {
				t.Errorf("notes %v", saved.Notes)
			}
			if strings.Contains(c.want, "_session_expiry") && out.MaxAge != 7 {
				t.Errorf("Max-Age %d is not what the other request asked for", out.MaxAge)
			}
		})
	}
}

// What another request saved before the key was cycled moves along.
func TestCycleTakesAlong(t *testing.T) {
	store := new(session.Memory)
	e := engine(t, config(store))
	cookie := begin(t, e, "a")
	one, two := e.Open(t.Context(), cookie, true), e.Open(t.Context(), cookie, true)
	two.Get("a")
	must(t, one.Set("x", 1))
	commit(t, one)
	must(t, two.Set("y", 2))
	must(t, two.CycleKey())
	next := commit(t, two).Value
	if got := e.Open(t.Context(), next, true).Keys(); !slices.Equal(got, []string{"a", "x", "y"}) || next == cookie || store.Len() != 1 {
		t.Errorf("items %v, %d records", got, store.Len())
	}
}

// A session that somebody changes at every attempt is given up, with an error, and not overwritten.
func TestEndlessConflict(t *testing.T) {
	store := &contested{}
	e := engine(t, config(store))
	s := e.Open(t.Context(), begin(t, e, "a"), true)
	must(t, s.Set("b", 1))
	store.on = true
	if _, err := s.Commit(t.Context(), http.StatusOK); !errors.Is(err, session.ErrConflict) || store.saves > 100 {
		t.Errorf("%v after %d attempts", err, store.saves)
	}
}

type contested struct {
	session.Memory
	on    bool
	saves int
}

func (c *contested) Save(ctx context.Context, key string, old, next session.Record) error {
	if c.on {
		c.saves++
		return session.ErrConflict
	}
	return c.Memory.Save(ctx, key, old, next)
}

func TestKeys(t *testing.T) {
	e := engine(t, config(new(session.Memory)))
	counts := map[byte]int{}
	const n = 3600
	for range n {
		s := e.Open(t.Context(), "", false)
		must(t, s.Create())
		key := s.Key()
		if len(key) != 32 || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Fatalf("key %q", key)
		}
		for i := range len(key) {
			counts[key[i]]++
		}
	}
	const want = n * 32 / 36
	for c, got := range counts {
		if got < want*8/10 || got > want*12/10 || len(counts) != 36 {
			t.Errorf("%q was drawn %d times, want about %d", c, got, want)
		}
	}
}

func TestKeyIsTaken(t *testing.T) {
	conf := config(new(session.Memory))
	conf.Rand = bytes.NewReader(append(bytes.Repeat([]byte{7}, 80), bytes.Repeat([]byte{8}, 40)...))
	e := engine(t, conf)
	first, second := begin(t, e, "a"), begin(t, e, "a")
	if first == second {
		t.Error("one key for two sessions")
	}
	s := e.Open(t.Context(), "", false)
	must(t, s.Set("a", 1))
	if _, err := s.Commit(t.Context(), http.StatusOK); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: %v", err)
	}
	conf.Rand = zeros{}
	e = engine(t, conf)
	begin(t, e, "a")
	s = e.Open(t.Context(), "", false)
	must(t, s.Set("a", 1))
	if _, err := s.Commit(t.Context(), http.StatusOK); err == nil {
		t.Error("a key was given twice")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine(t, config(new(session.Memory)))
		alive := func(cookie string) bool { return e.Open(t.Context(), cookie, true).Has("a") }
		at := func(d time.Duration, cookie string, want bool) {
			t.Helper()
			time.Sleep(d)
			if alive(cookie) != want {
				t.Errorf("alive: %v", !want)
			}
		}

		plain := begin(t, e, "a")
		at(time.Hour-time.Microsecond, plain, true)
		at(time.Microsecond, plain, false) // Z06: over at the very moment

		sliding := begin(t, e, "a")
		for range 3 {
			at(59*time.Minute, sliding, true)
			s := e.Open(t.Context(), sliding, true)
			must(t, s.SetExpiry(3600))
			if out := commit(t, s); out.MaxAge != 3600 || !out.Expires.Equal(time.Now().Add(time.Hour)) {
				t.Errorf("%+v", out)
			}
		}
		at(time.Hour, sliding, false)

		moment := time.Now().Add(90*time.Minute + 500*time.Millisecond)
		s := e.Open(t.Context(), begin(t, e, "a"), true)
		must(t, s.SetExpiryAt(moment))
		if age, date := s.ExpiryAge(), s.ExpiryDate(); age != 5400 || !date.Equal(moment) || s.ExpireAtBrowserClose() {
			t.Errorf("age %d, date %v", age, date)
		}
		fixed := commit(t, s)
		if fixed.MaxAge != 5400 {
			t.Errorf("Max-Age %d, want it rounded down", fixed.MaxAge)
		}
		time.Sleep(time.Hour)
		s = e.Open(t.Context(), fixed.Value, true)
		must(t, s.Set("b", 1))
		if out := commit(t, s); out.MaxAge != 1800 {
			t.Errorf("saving moved a fixed moment: Max-Age %d", out.MaxAge)
		}
		at(30*time.Minute+499*time.Millisecond, fixed.Value, true)
		at(time.Millisecond, fixed.Value, false)

		s = e.Open(t.Context(), begin(t, e, "a"), true)
		must(t, s.SetExpiry(0))
		closing := commit(t, s)
		if !closing.BrowserClose || closing.MaxAge != 0 || !closing.Expires.IsZero() || !s.ExpireAtBrowserClose() {
			t.Errorf("%+v", closing)
		}
		must(t, e.Open(t.Context(), closing.Value, true).ResetExpiry())
		at(time.Hour-1, closing.Value, true)
		at(1, closing.Value, false)
	})
}

func TestSignedCookieExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine(t, config(nil))
		s := e.Open(t.Context(), "", false)
		must(t, s.Set("a", 1))
		must(t, s.SetExpiry(7200)) // what the session asks for does not bind the server, as in Django
		cookie := commit(t, s).Value
		time.Sleep(time.Hour)
		if !e.Open(t.Context(), cookie, true).Has("a") {
			t.Error("over at SESSION_COOKIE_AGE, which is still good")
		}
		time.Sleep(time.Second)
		s = e.Open(t.Context(), cookie, true)
		if s.Has("a") || commit(t, s).Action != session.SetCookie {
			t.Error("good after SESSION_COOKIE_AGE, or the old cookie is left")
		}
	})
}

func TestClockGoesBack(t *testing.T) {
	now := instant
	conf := config(new(session.Memory))
	conf.Now = func() time.Time { return now }
	e := engine(t, conf)
	ended := begin(t, e, "a")
	s := e.Open(t.Context(), ended, true)
	must(t, s.Flush())
	commit(t, s)
	now = now.Add(-time.Hour)
	if e.Open(t.Context(), ended, true).Has("a") {
		t.Error("Z06: a session that was ended came back")
	}
	alive := begin(t, e, "a")
	now = now.Add(30 * 24 * time.Hour)
	if e.Open(t.Context(), alive, true).Has("a") {
		t.Error("Z06: a session outlives its expiry")
	}
}

// The item _session_expiry, whatever it holds. What Django 4.1 and later do with it was read in
// django/contrib/sessions/backends/base.py.
func TestExpiryItem(t *testing.T) {
	const age = 3600
	for _, c := range []struct {
		raw   string
		age   int
		date  time.Duration // from now
		close bool
	}{
		{`null`, age, age * time.Second, false},
		{`0`, age, age * time.Second, true},
		{`0.0`, age, age * time.Second, true},
		{`-0.0`, age, age * time.Second, true},
		{`false`, age, age * time.Second, true},
		{`true`, 1, time.Second, false},
		{`""`, age, age * time.Second, false},
		{`[]`, age, age * time.Second, false},
		{`{}`, age, age * time.Second, false},
		{`300`, 300, 300 * time.Second, false},
		{`-5`, -5, -5 * time.Second, false},
		{`1.75`, 1, 1750 * time.Millisecond, false},
		{`-1.75`, -1, -1750 * time.Millisecond, false},
		{`1e3`, 1000, 1000 * time.Second, false},
		{`"2023-11-14T22:14:20+00:00"`, 60, time.Minute, false},
		{`"2023-11-14T22:14:20.250000+00:00"`, 60, time.Minute + 250*time.Millisecond, false},
		{`"2023-11-14T22:12:19.250000+00:00"`, -61, -61*time.Second + 250*time.Millisecond, false},
		{`"2023-11-15T00:14:20+02:00"`, 60, time.Minute, false},
		{`"2023-11-14T22:14:20Z"`, 60, time.Minute, false},
		{`"2023-11-14 22:14:20"`, 60, time.Minute, false},
		{`"2023-11-14T22:14"`, 40, 40 * time.Second, false},
		{`"2023-11-15"`, 6400, 6400 * time.Second, false},
		{`"next week"`, age, age * time.Second, false},
		{`"2023-02-30T00:00:00"`, age, age * time.Second, false},
		{`[1]`, age, age * time.Second, false},
		{`NaN`, age, age * time.Second, false},
	} {
		e := exchange{settings: map[string]any{"SESSION_COOKIE_AGE": age}, rows: known(`{}`)}
		s := e.open(t)
		must(t, s.store.Delete(t.Context(), knownKey))
		s.put(row{Key: knownKey, Raw: django.NewSigner(s.salt, secret).Dumps([]byte(`{"_session_expiry":`+c.raw+`}`), false, instant)})
		open := s.engine.Open(t.Context(), knownKey, true)
		if got := open.ExpiryAge(); got != c.age {
			t.Errorf("%s: age %d, want %d", c.raw, got, c.age)
		}
		if got := open.ExpiryDate().Sub(instant); got != c.date {
			t.Errorf("%s: date %v from now, want %v", c.raw, got, c.date)
		}
		if got := open.ExpireAtBrowserClose(); got != c.close {
			t.Errorf("%s: at browser close %v", c.raw, got)
		}
	}
}

func TestFormatMoment(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want string
	}{
		{instant, "2023-11-14T22:13:20+00:00"},
		{instant.Add(999 * time.Nanosecond), "2023-11-14T22:13:20+00:00"},
		{instant.Add(1500 * time.Microsecond).In(time.FixedZone("", 3600)), "2023-11-14T22:13:20.001500+00:00"},
	} {
		if got := session.FormatMoment(c.t, true); got != c.want {
			t.Errorf("%v: %s, want %s", c.t, got, c.want)
		}
	}
}

// Payloads that are not JSON of this site: forged, tampered, pickled, or grown.
func TestBadPayloads(t *testing.T) {
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	_, _ = io.CopyN(w, zeros{}, 64<<20)
	_ = w.Close()
	signer := django.NewSigner(django.SessionSalt, secret)
	good := signer.Dumps([]byte(`{"a":1}`), false, time.Now())
	for name, payload := range map[string]string{
		"nothing":        "",
		"garbage":        "garbage",
		"tampered":       "x" + good,
		"another salt":   django.NewSigner(django.DumpsSalt, secret).Dumps([]byte(`{"a":1}`), false, time.Now()),
		"another key":    django.NewSigner(django.SessionSalt, "another").Dumps([]byte(`{"a":1}`), false, time.Now()),
		"Z07 pickle":     signer.Dumps([]byte("\x80\x05\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."), false, time.Now()),
		"Z07 zlib bomb":  signer.SignAt("."+b64(bomb.Bytes()), time.Now()),
		"a list":         signer.Dumps([]byte(`[1]`), false, time.Now()),
		"half an object": signer.Dumps([]byte(`{"a":`), false, time.Now()),
	} {
		store := new(session.Memory)
		e := engine(t, config(store))
		must(t, store.Save(t.Context(), knownKey, session.Record{}, session.Record{Data: []byte(payload), Expires: time.Now().Add(time.Hour)}))
		var loaded rule.Verdict
		s := e.Open(rule.WithWatch(t.Context(), func(v rule.Verdict) { loaded = v }), knownKey, true)
		if s.Len() != 0 || s.Err() != nil || loaded.Rule != "session-corrupted" {
			t.Errorf("%s: %d items, error %v, rule %s", name, s.Len(), s.Err(), loaded.Rule)
		}
		must(t, s.Set("b", 1))
		if out := commit(t, s); out.Value != knownKey || !e.Open(t.Context(), knownKey, true).Has("b") {
			t.Errorf("%s: not overwritten in its place", name)
		}
	}
}

func TestFallbackKey(t *testing.T) {
	store := new(session.Memory)
	cookie := begin(t, engine(t, config(store)), "a")
	conf := config(store)
	conf.Keys = []string{"a new key", secret}
	s := engine(t, conf).Open(t.Context(), cookie, true)
	must(t, s.Set("b", 1))
	commit(t, s)
	conf.Keys = conf.Keys[:1]
	if got := engine(t, conf).Open(t.Context(), cookie, true).Keys(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("G04: after a save with the new key, it alone reads %v", got)
	}
}

func TestTooLarge(t *testing.T) {
	store := new(session.Memory)
	e := engine(t, config(store))
	cookie := begin(t, e, "a")
	s := e.Open(t.Context(), cookie, true)
	must(t, s.Set("b", strings.Repeat("x", django.MaxPayload)))
	var saved rule.Verdict
	if _, err := s.Commit(rule.WithWatch(t.Context(), func(v rule.Verdict) { saved = v }), http.StatusOK); err == nil || saved.Rule != "session-too-large" {
		t.Errorf("%v, rule %s", err, saved.Rule)
	}
	s = e.Open(t.Context(), cookie, true)
	must(t, s.Set("b", strings.Repeat("x", django.MaxPayload/2)))
	commit(t, s)
	if v, ok := session.Value[string](e.Open(t.Context(), cookie, true), "b"); !ok || len(v) != django.MaxPayload/2 {
		t.Errorf("half of the limit cannot be read back: %d bytes", len(v))
	}
}

func TestCompression(t *testing.T) {
	store := new(session.Memory)
	e := engine(t, config(store))
	for size, compressed := range map[int]bool{900: false, 1100: true} {
		s := e.Open(t.Context(), "", false)
		must(t, s.Set("a", strings.Repeat("x", size)))
		rec, err := store.Load(t.Context(), commit(t, s).Value)
		must(t, err)
		if (rec.Data[0] == '.') != compressed {
			t.Errorf("%d bytes: %.10q", size, rec.Data)
		}
	}
}

func TestValue(t *testing.T) {
	e := engine(t, config(new(session.Memory)))
	s := e.Open(t.Context(), "", false)
	type cart struct{ Items []int }
	must(t, s.Set("n", 7))
	must(t, s.Set("cart", cart{[]int{1, 2}}))
	if n, ok := session.Value[int](s, "n"); !ok || n != 7 {
		t.Errorf("%v, %v", n, ok)
	}
	if c, ok := session.Value[cart](s, "cart"); !ok || len(c.Items) != 2 {
		t.Errorf("%v, %v", c, ok)
	}
	if v, ok := session.Value[int](s, "cart"); ok || v != 0 {
		t.Errorf("a cart as an int: %v, %v", v, ok)
	}
	if _, ok := session.Value[int](s, "absent"); ok {
		t.Error("an absent item")
	}
	if err := s.Set("f", func() {}); err == nil || s.Has("f") {
		t.Error("a function was set")
	}
	if v, err := s.Pop("n"); v != int64(7) || err != nil || s.Has("n") {
		t.Errorf("%v, %v", v, err)
	}
}

func TestNewEngineNamesAllMistakes(t *testing.T) {
	_, err := session.NewEngine(session.Config{Keys: []string{"hidden-key", ""}, Store: new(session.Memory)})
	for _, want := range []string{"SECRET_KEY_FALLBACKS is empty", "Now", "Rand"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := session.NewEngine(session.Config{}); err == nil || !strings.Contains(err.Error(), "SECRET_KEY") {
		t.Errorf("no keys: %v", err)
	}
}

func TestFromWithoutSession(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	session.From(t.Context())
}

func TestPurging(t *testing.T) {
	now, store := instant, new(session.Memory)
	conf := config(store)
	conf.Now = func() time.Time { return now }
	e := engine(t, conf)
	for range 1000 {
		begin(t, e, "a")
	}
	now = now.Add(2 * time.Hour)
	for range 1000 {
		begin(t, e, "a")
	}
	if n := store.Len(); n > 1000+64 {
		t.Errorf("%d records for 1000 sessions alive", n)
	}
}

func TestParallelFirstRequests(t *testing.T) {
	store := new(session.Memory)
	e := engine(t, config(store))
	var mu sync.Mutex
	cookies := map[string]int{}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			s := e.Open(context.Background(), "", false)
			_ = s.Set("i", i)
			out, _ := s.Commit(context.Background(), http.StatusOK)
			mu.Lock()
			defer mu.Unlock()
			cookies[out.Value] = i
		})
	}
	wg.Wait()
	for cookie, i := range cookies {
		if got, _ := session.Value[int](e.Open(t.Context(), cookie, true), "i"); got != i {
			t.Errorf("Z05: session of %d holds %d", i, got)
		}
	}
	if len(cookies) != 100 || store.Len() != 100 {
		t.Errorf("Z05: %d sessions", len(cookies))
	}
}

// The goroutines of one request use its session at once; the race detector looks on.
func TestSessionInGoroutines(t *testing.T) {
	e := engine(t, config(new(session.Memory)))
	cookie := begin(t, e, "a")
	s := e.Open(t.Context(), cookie, true)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_ = s.Set(fmt.Sprint("item", i), i)
			s.Get("a")
			s.Keys()
			s.ExpiryAge()
			_, _ = s.Pop("item3")
			if i == 7 {
				_ = s.CycleKey()
			}
		})
	}
	wg.Wait()
	if out := commit(t, s); out.Value == cookie || s.Len() < 16 {
		t.Errorf("%d items", s.Len())
	}
}

// Of the verdicts on a session only names are seen, never a key or what an item holds.
func TestVerdictsHoldNoSecrets(t *testing.T) {
	var seen []string
	ctx := rule.WithWatch(t.Context(), func(v rule.Verdict) { seen = append(seen, fmt.Sprintf("%+v", v)) })
	for _, store := range []session.Store{new(session.Memory), nil} {
		e := engine(t, config(store))
		one := e.Open(ctx, "", false)
		must(t, one.Set("name", "hidden-value"))
		out, err := one.Commit(ctx, http.StatusOK)
		must(t, err)
		two := e.Open(ctx, out.Value, true)
		two.Get("name")
		must(t, two.CycleKey())
		last, err := two.Commit(ctx, http.StatusOK)
		must(t, err)
		three := e.Open(ctx, knownKey, true)
		three.Get("name")
		_, err = three.Commit(ctx, http.StatusOK)
		must(t, err)
		for _, v := range seen {
			for _, hidden := range []string{"hidden-value", out.Value, last.Value, knownKey, secret} {
				if strings.Contains(v, hidden) {
					t.Errorf("%s shows a secret", v)
				}
			}
		}
		for _, key := range []string{out.Value, last.Value} {
			shown := fmt.Sprintf("%v %+v %#v %+v %v %v", one, two, two, e, out, last)
			if strings.Contains(shown, secret) || strings.Contains(shown, key) {
				t.Errorf("printing shows a secret: %s", shown)
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("%d verdicts", len(seen))
	}
}

// Which rule says what, for the two questions.
func TestVerdicts(t *testing.T) {
	get := func(s *session.Session) { s.Get("a") }
	set := func(s *session.Session) { _ = s.Set("b", 1) }
	none := func(*session.Session) {}
	flush := func(s *session.Session) { _ = s.Flush() }
	for _, c := range []struct {
		cookie     string // "known", "" for none
		act        func(*session.Session)
		status     int
		load, save rule.ID
		notes      string
	}{
		{"", none, 200, "", "session-untouched", "[]"},
		{"", get, 200, "session-none", "session-unmodified", "[]"},
		{"", flush, 200, "", "session-empty", "[]"},
		{"", set, 200, "session-none", "session-created", "[]"},
		{"", set, 502, "session-none", "session-not-saved-on-error", "[]"},
		{"known", none, 200, "", "session-untouched", "[]"},
		{"known", get, 200, "session-loaded", "session-unmodified", "[]"},
		{"known", set, 200, "session-loaded", "session-saved", "[]"},
		{"known", flush, 200, "", "session-cookie-deleted", "[]"},
		{"known", func(s *session.Session) { _ = s.CycleKey() }, 200, "session-loaded", "session-saved", "[note-session-key-cycled]"},
		{"short", none, 200, "", "session-cookie-deleted", "[session-key-malformed]"},
		{"short", get, 200, "session-key-malformed", "session-cookie-deleted", "[session-key-malformed]"},
		{knownKey, none, 200, "", "session-untouched", "[]"},
		{knownKey, get, 200, "session-unknown-key", "session-cookie-deleted", "[session-unknown-key]"},
		{knownKey, set, 200, "session-unknown-key", "session-created", "[]"},
		{"UPPERCASEUPPERCASE", get, 200, "session-key-malformed", "session-cookie-deleted", "[session-key-malformed]"},
	} {
		e := engine(t, config(new(session.Memory)))
		cookie := c.cookie
		if cookie == "known" {
			cookie = begin(t, e, "a")
		}
		var load, save rule.Verdict
		ctx := rule.WithWatch(t.Context(), func(v rule.Verdict) {
			switch v.Question {
			case rule.LoadSession:
				load = v
			case rule.SaveSession:
				save = v
			default:
				t.Errorf("%+v", v)
			}
		})
		s := e.Open(ctx, cookie, cookie != "")
		c.act(s)
		_, err := s.Commit(ctx, c.status)
		must(t, err)
		if load.Rule != c.load || save.Rule != c.save || fmt.Sprint(save.Notes) != c.notes {
			t.Errorf("%q: %s, %s %v; want %s, %s %s", c.cookie, load.Rule, save.Rule, save.Notes, c.load, c.save, c.notes)
		}
		if save.Subject != "sessionid" || save.Side != rule.Site {
			t.Errorf("%+v", save)
		}
	}
}

func TestRulesAreComplete(t *testing.T) {
	for _, r := range session.Rules() {
		for field, text := range map[string]string{"sentence": r.Sentence, "fix": r.Fix} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: its %s is not a sentence: %q", r.ID, field, text)
			}
		}
		if r.Source == "" || !strings.HasSuffix(r.Scenario, "\n") {
			t.Errorf("%s lacks a source or a scenario", r.ID)
		}
	}
}

func TestPurgeErrorIsNotTheRequests(t *testing.T) {
	store := &badPurger{}
	e := engine(t, config(store))
	for range 200 {
		begin(t, e, "a")
	}
	if store.calls == 0 {
		t.Error("never purged")
	}
}

type badPurger struct {
	session.Memory
	calls int
}

func (b *badPurger) Purge(context.Context, time.Time, int) (int, error) {
	b.calls++
	return 0, fs.ErrInvalid
}
