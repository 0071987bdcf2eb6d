package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// The test program is also the other process of some tests: it plays the part that a variable names.
const partVariable = "SQLITE_TEST_PART"

var parts = map[string]func(path string) error{
	"lock":  playLock,
	"write": playWrite,
	"hold":  playHold,
}

func TestMain(m *testing.M) {
	part, ok := parts[os.Getenv(partVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := part(os.Args[1]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// A process plays a part with the database at path.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func play(t testing.TB, part, path string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), os.Args[0], path)}
	p.cmd.Env = append(os.Environ(), partVariable+"="+part)
	p.cmd.Stderr = os.Stderr
	p.in, _ = p.cmd.StdinPipe()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

// said waits for a line.
func (p *process) said(t testing.TB, want string) {
	t.Helper()
	if !p.out.Scan() || p.out.Text() != want {
		t.Fatalf("the other process said %q, want %q", p.out.Text(), want)
	}
}

// end has the process end in its own way.
func (p *process) end(t testing.TB) {
	t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// lock has another process lock the database for writing, until unlock is called.
func lock(t testing.TB, path string) (unlock func()) {
	t.Helper()
	p := play(t, "lock", path)
	p.said(t, "locked")
	return func() { p.end(t) }
}

func playLock(path string) error {
	c, err := sqlite.Raw(path)
	if err != nil {
		return err
	}
	if err := sqlite.Exec(c, "BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return sqlite.Exec(c, "ROLLBACK")
}

// playHold has the database open and does nothing.
func playHold(path string) error {
	store, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		return err
	}
	_, _ = store.Load(context.Background(), aKey)
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return store.Close()
}

// playWrite saves sessions from many goroutines, for ever, and says each that was acknowledged.
func playWrite(path string) error {
	store, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	round := os.Getenv("SQLITE_TEST_ROUND")
	lines := make(chan string)
	for i := range 8 {
		go func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("r%05sw%02dn%022d", round, i, n)
				if err := makeAndChange(store, key); err != nil {
					lines <- "error: " + err.Error()
				}
				lines <- key
			}
		}()
	}
	for line := range lines {
		fmt.Println(line) // to a pipe, unbuffered: what was said survives this process
	}
	return nil
}

// makeAndChange makes a session, changes it, and ends it if its key says so.
func makeAndChange(store *sqlite.Store, key string) error {
	ctx := context.Background()
	first, second := record("first of "+key), record("second of "+key)
	if err := store.Save(ctx, key, session.Record{}, first); err != nil {
		return err
	}
	if err := store.Save(ctx, key, first, second); err != nil {
		return err
	}
	if ended(key) {
		return store.Delete(ctx, key)
	}
	return nil
}

// ended reports whether the writer ends the session of key.
func ended(key string) bool { return strings.HasSuffix(key, "3") }

// TestLocked has another process hold the database.
func TestLocked(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	store, _ := open(t, path)
	stored := insert(t, store, 10)
	unlock := lock(t, path)
	holds(t, store, stored) // WAL: reads wait for nobody
	if testing.Short() {
		unlock()
		return
	}
	err := store.Save(t.Context(), aKey, session.Record{}, record("x"))
	if err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("saving: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- store.Save(context.Background(), aKey, session.Record{}, record("x")) }()
	time.Sleep(50 * time.Millisecond)
	unlock()
	if err := <-done; err != nil {
		t.Errorf("saving while the lock was let go: %v", err)
	}
}

// TestKilled kills a process at random moments while it saves, and looks for every session that it
// was told was saved: all are there, as they were saved last, and those that were ended are not.
func TestKilled(t *testing.T) {
	rounds := 20
	if soak() {
		rounds = 200
	}
	path := diskPath(t)
	said := map[string]bool{}
	for round := range rounds {
		t.Setenv("SQLITE_TEST_ROUND", fmt.Sprint(round))
		p := play(t, "write", path)
		p.said(t, "open")
		time.AfterFunc(time.Duration(rand.IntN(100))*time.Millisecond, func() { _ = p.cmd.Process.Kill() })
		for p.out.Scan() {
			if key := p.out.Text(); len(key) == 32 {
				said[key] = true
			} else if p.cmd.ProcessState == nil && strings.HasPrefix(key, "error") {
				t.Fatal(key)
			}
		}
	}
	store, log := open(t, path)
	for key := range said {
		r, err := store.Load(t.Context(), key)
		switch {
		case ended(key) && !errors.Is(err, fs.ErrNotExist):
			t.Fatalf("%s was ended and is there, error %v", key, err)
		case !ended(key) && (err != nil || string(r.Data) != "second of "+key):
			t.Fatalf("%s is lost: %q, error %v", key, r.Data, err)
		}
	}
	if log.String() != "" || len(setAside(t, path)) > 0 {
		t.Errorf("a killed process left damage: %s", log)
	}
	t.Logf("%d sessions in %d processes that were killed", len(said), rounds)
	if len(said) < rounds {
		t.Error("too few to tell anything")
	}
}
