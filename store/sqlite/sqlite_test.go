package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/session/sessiontest"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

const (
	aKey       = "abcdefghijklmnopqrstuvwxyz012345"
	anotherKey = "abcdefghijklmnopqrstuvwxyz012346"
)

var later = time.Date(2345, 6, 7, 8, 9, 10, 123456000, time.UTC)

func record(data string) session.Record {
	return session.Record{Data: []byte(data), Expires: later}
}

// newPath is where a database may be made: in memory, where there is such a folder, so that the tests
// take the time of this package and not that of a disk which others use, too. What SQLite does is the
// same.
func newPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "lockstep-") //nolint:usetesting // see above
	if err != nil {
		return diskPath(t)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "sessions.db")
}

// diskPath is a path on a disk.
func diskPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "sessions.db")
}

// open opens a store that is closed with the test, and returns what it logs.
func open(t testing.TB, path string) (*sqlite.Store, *lines) {
	t.Helper()
	log := new(lines)
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{Logger: logger(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store, log
}

func logger(l *lines) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestContract(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) session.Store {
		store, log := open(t, newPath(t))
		t.Cleanup(func() {
			if log.String() != "" {
				t.Errorf("nothing was damaged, and the log says %s", log)
			}
		})
		return store
	})
}

// races is how often the requests of one session meet; the goal of the project.
const races = 10_000

func TestRaces(t *testing.T) {
	t.Parallel()
	sessiontest.Races(t, func(t *testing.T) session.Store { store, _ := open(t, newPath(t)); return store }, races)
}

// insert stores records of so many keys and returns what was stored.
func insert(t testing.TB, store *sqlite.Store, n int) map[string]session.Record {
	t.Helper()
	stored := map[string]session.Record{}
	var wg sync.WaitGroup
	for i := range n {
		key := fmt.Sprintf("%032d", i)
		r := record(fmt.Sprintf("the session of %s %s", key, strings.Repeat("x", i%700)))
		stored[key] = r
		wg.Go(func() {
			if err := store.Save(t.Context(), key, session.Record{}, r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return stored
}

// holds checks that a store has exactly what was stored.
func holds(t testing.TB, store *sqlite.Store, stored map[string]session.Record) {
	t.Helper()
	for key, want := range stored {
		got, err := store.Load(t.Context(), key)
		if err != nil || string(got.Data) != string(want.Data) || !got.Expires.Equal(want.Expires) {
			t.Fatalf("%s: %q, error %v", key, got.Data, err)
		}
	}
}

func TestReopen(t *testing.T) {
	path := diskPath(t)
	store, _ := open(t, path)
	stored := insert(t, store, 100)
	store.Close()
	again, log := open(t, path)
	holds(t, again, stored)
	if log.String() != "" {
		t.Error(log)
	}
}

func TestClosed(t *testing.T) {
	store, _ := open(t, newPath(t))
	for range 2 {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Load(t.Context(), aKey); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("loading: %v", err)
	}
	if err := store.Save(t.Context(), aKey, session.Record{}, record("x")); err == nil {
		t.Error("saved in a store that is closed")
	}
}

// TestCloseWhileBusy closes a store under those who use it: each gets an answer.
func TestCloseWhileBusy(t *testing.T) {
	store, _ := open(t, newPath(t))
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%016d%016d", i, n)
				if err := store.Save(context.Background(), key, session.Record{}, record("x")); err != nil {
					return
				}
				if _, err := store.Load(context.Background(), key); err != nil {
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	store.Close()
	wg.Wait()
}

func TestFileModes(t *testing.T) {
	path := newPath(t)
	store, _ := open(t, path)
	insert(t, store, 1)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode(); mode != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(path)+suffix, mode)
		}
	}
}

func TestFormat(t *testing.T) {
	path := newPath(t)
	store, _ := open(t, path)
	insert(t, store, 1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, store); text != "sqlite.Store" {
			t.Errorf("%s prints %q", verb, text)
		}
	}
}

// TestPaths are names that a connection string could misread.
func TestPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory", "a%20b", "a#b", "a&b=c", ":memory:", "ü.db", "file:x", "a;b'c\"d"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			store, _ := open(t, path)
			insert(t, store, 1)
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("relative", func(t *testing.T) {
		t.Chdir(t.TempDir())
		store, _ := open(t, "sessions.db")
		insert(t, store, 1)
	})
	t.Run("a link", func(t *testing.T) {
		path := newPath(t)
		if err := os.Symlink(path, path+"-link"); err != nil {
			t.Skip(err)
		}
		first, _ := open(t, path)
		stored := insert(t, first, 10)
		second, _ := open(t, path+"-link")
		holds(t, second, stored)
	})
}

// TestCanceledWhileWaiting has calls wait for a database that is locked, and leaves them.
func TestCanceledWhileWaiting(t *testing.T) {
	path := newPath(t)
	store, _ := open(t, path)
	insert(t, store, 1)
	unlock := lock(t, path)
	for name, call := range map[string]func(ctx context.Context) error{
		"save": func(ctx context.Context) error {
			return store.Save(ctx, aKey, session.Record{}, record("x"))
		},
		"delete": func(ctx context.Context) error { return store.Delete(ctx, aKey) },
		"purge":  func(ctx context.Context) error { _, err := store.Purge(ctx, later, 1); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: error %v", name, err)
		}
		cancel()
	}
	unlock()
	if err := store.Save(t.Context(), anotherKey, session.Record{}, record("x")); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	if _, err := store.Load(t.Context(), aKey); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a save that nobody waited for was made: %v", err)
	}
}

// TestPurgeAll purges more than one batch holds, and nothing that has not expired.
func TestPurgeAll(t *testing.T) {
	store, _ := open(t, newPath(t))
	stored := insert(t, store, 500)
	now := time.Now()
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			r := session.Record{Data: []byte("old"), Expires: now.Add(-time.Duration(i) * time.Second)}
			if err := store.Save(t.Context(), fmt.Sprintf("old%029d", i), session.Record{}, r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := store.Purge(t.Context(), now, 1<<30); n != 1000 || err != nil {
		t.Errorf("%d purged, error %v", n, err)
	}
	holds(t, store, stored)
}

// TestOpenTogether has many make the same file at the same moment.
func TestOpenTogether(t *testing.T) {
	path := newPath(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			if err := store.Save(t.Context(), fmt.Sprintf("%032d", i), session.Record{}, record("x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	store, log := open(t, path)
	for i := range 8 {
		if _, err := store.Load(t.Context(), fmt.Sprintf("%032d", i)); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if log.String() != "" || len(setAside(t, path)) > 0 {
		t.Errorf("log %s, set aside %q", log, setAside(t, path))
	}
}

// TestOneOfManyFails gathers saves into one transaction, of which one cannot be made.
func TestOneOfManyFails(t *testing.T) {
	path := newPath(t)
	store, _ := open(t, path)
	makeFile(t, path, "CREATE TRIGGER refuse BEFORE INSERT ON django_session WHEN NEW.session_key = '"+aKey+"' BEGIN SELECT RAISE(ROLLBACK, 'refused'); END")
	unlock := lock(t, path) // so that they gather
	errs := make([]error, 64)
	keys := make([]string, len(errs))
	var wg sync.WaitGroup
	for i := range errs {
		if keys[i] = fmt.Sprintf("%032d", i); i == 40 {
			keys[i] = aKey
		}
		wg.Go(func() { errs[i] = store.Save(context.Background(), keys[i], session.Record{}, record(keys[i])) })
	}
	time.Sleep(50 * time.Millisecond)
	unlock()
	wg.Wait()
	for i, key := range keys {
		r, err := store.Load(t.Context(), key)
		if refused := key == aKey; (errs[i] != nil) != refused || errors.Is(err, fs.ErrNotExist) != refused || !refused && string(r.Data) != key {
			t.Errorf("%s: saving: %v, loading: %v", key, errs[i], err)
		}
	}
}
