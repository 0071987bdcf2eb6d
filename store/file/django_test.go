package file_test

import (
	"bufio"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/file"
)

//go:embed testdata/django.py
var djangoScript string

// python is Debian's: another one on the PATH has no Django.
const python = "/usr/bin/python3"

// cookieAge is SESSION_COOKIE_AGE on both sides.
const cookieAge = 3600

// A realDjango is a real one, on a folder.
type realDjango struct {
	testing.TB
	in  *json.Encoder
	out *bufio.Reader
}

func startDjango(t testing.TB, dir string) *realDjango {
	t.Helper()
	if out, err := exec.Command(python, "-I", "-c", "import django.conf").CombinedOutput(); err != nil {
		const missing = "no Django to share sessions with: apt-get install python3-django"
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf("%s: %v: %s", missing, err, out)
		}
		t.Skip(missing)
	}
	cmd := exec.Command(python, "-I", "-c", djangoScript, dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &realDjango{t, json.NewEncoder(in), bufio.NewReader(out)}
}

type question map[string]any

// ask returns Django's answer, as text when it is one and as JSON when it is not.
func (d *realDjango) ask(op string, q question) string {
	d.Helper()
	q["op"] = op
	if err := d.in.Encode(q); err != nil {
		d.Fatal(err)
	}
	line, err := d.out.ReadBytes('\n')
	if err != nil {
		d.Fatal(err)
	}
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	if err := json.Unmarshal(line, &answer); err != nil || answer.Error != "" {
		d.Fatalf("%v: error %v, Django's %s", q, err, answer.Error)
	}
	var text string
	if json.Unmarshal(answer.Result, &text) == nil && string(answer.Result) != "null" {
		return text
	}
	return string(answer.Result)
}

func newEngine(t testing.TB, store session.Store) *session.Engine {
	t.Helper()
	engine, err := session.NewEngine(session.Config{
		Keys: []string{"a key for tests"}, Store: store, CookieAge: cookieAge, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// put sets an item in the session of key, or in a new one, and returns its key.
func put(t testing.TB, e *session.Engine, key, item string, value any) string {
	t.Helper()
	s := e.Open(t.Context(), key, key != "")
	if err := s.Set(item, value); err != nil {
		t.Fatal(err)
	}
	outcome, err := s.Commit(t.Context(), 200)
	if err != nil {
		t.Fatal(err)
	}
	return outcome.Value
}

// TestSharedWithDjango has both read, change and end the other's sessions, in the same folder.
func TestSharedWithDjango(t *testing.T) {
	dir := t.TempDir()
	store, d := open(t, dir, file.Options{CookieAge: cookieAge}), startDjango(t, dir)
	e := newEngine(t, store)

	ours := put(t, e, "", "who", "lockstep")
	if got := d.ask("load", question{"key": ours}); got != `{"who": "lockstep"}` {
		t.Errorf("Django reads %s", got)
	}
	d.ask("save", question{"key": ours, "data": map[string]any{"more": 1.5}})
	if got := e.Open(t.Context(), ours, true).Get("more"); got != 1.5 {
		t.Errorf("what Django added is %v", got)
	}
	put(t, e, ours, "third", true)
	if got := d.ask("load", question{"key": ours}); got != `{"who": "lockstep", "more": 1.5, "third": true}` {
		t.Errorf("Django reads %s", got)
	}

	theirs := d.ask("save", question{"data": map[string]any{"who": "django"}, "age": 100})
	s := e.Open(t.Context(), theirs, true)
	if got := s.Get("who"); got != "django" {
		t.Errorf("Django's session is %v", got)
	}
	put(t, e, theirs, "seen", true)
	if got := d.ask("load", question{"key": theirs}); got != `{"who": "django", "_session_expiry": 100, "seen": true}` {
		t.Errorf("Django reads %s", got)
	}

	d.ask("delete", question{"key": ours})
	if _, err := store.Load(t.Context(), ours); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Django ended it: %v", err)
	}
	if err := store.Delete(t.Context(), theirs); err != nil {
		t.Error(err)
	}
	if got := d.ask("load", question{"key": theirs}); got != "null" {
		t.Errorf("we ended it, Django reads %s", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("files are left: %v", entries)
	}
}

// An expirySharing is a session that both look at, so many seconds after it was saved.
type expirySharing struct {
	items   string
	seconds int
	ours    bool // whether it is over
	theirs  bool
}

// TestExpiryOnDjango compares when a session is over. Where Django never ends what has an expiry of
// its own, the session says when.
func TestExpiryOnDjango(t *testing.T) {
	dir := t.TempDir()
	store, d := open(t, dir, file.Options{CookieAge: cookieAge}), startDjango(t, dir)
	e := newEngine(t, store)
	for _, c := range []expirySharing{
		{`{"a":1}`, 0, false, false},
		{`{"a":1}`, cookieAge - 60, false, false},
		{`{"a":1}`, cookieAge, true, true},
		{`{"a":1,"_session_expiry":0}`, cookieAge - 60, false, false},
		{`{"a":1,"_session_expiry":0}`, cookieAge, true, true},
		{`{"a":1,"_session_expiry":-1}`, 0, true, true},
		{`{"a":1,"_session_expiry":300}`, 200, false, false},
		{`{"a":1,"_session_expiry":300}`, 400, true, false},
		{`{"a":1,"_session_expiry":86400}`, cookieAge + 60, false, false},
	} {
		var items map[string]any
		if err := json.Unmarshal([]byte(c.items), &items); err != nil {
			t.Fatal(err)
		}
		key := d.ask("save", question{"data": items})
		then := time.Now().Add(-time.Duration(c.seconds) * time.Second)
		if err := os.Chtimes(filepath.Join(dir, "sessionid"+key), then, then); err != nil {
			t.Fatal(err)
		}
		if over := e.Open(t.Context(), key, true).Get("a") == nil; over != c.ours {
			t.Errorf("%s after %d s is over: %v", c.items, c.seconds, over)
		}
		if over := d.ask("load", question{"key": key}) == "null"; over != c.theirs {
			t.Errorf("%s after %d s is over to Django: %v", c.items, c.seconds, over)
		}
	}
}

// TestExpiryArguments compares when a session ends that was changed at another moment than now, with
// Django's get_expiry_date(modification=..., expiry=...).
func TestExpiryArguments(t *testing.T) {
	d := startDjango(t, t.TempDir())
	for _, modification := range []int64{0, 1700000000, 4102444800} {
		for _, expiry := range []any{nil, 0, 1, 300, -1, 86400 * 400, 2.5, true, false} {
			items, err := json.Marshal(map[string]any{"_session_expiry": expiry})
			if err != nil {
				t.Fatal(err)
			}
			data := django.NewSigner(django.SessionSalt, "k").Dumps(items, false, later)
			got := session.Expiry([]byte(data), cookieAge, time.Unix(modification, 0)).UTC().Format("2006-01-02T15:04:05.000000+00:00")
			var want []any
			if err := json.Unmarshal([]byte(d.ask("expiry", question{"modification": modification, "expiry": expiry})), &want); err != nil {
				t.Fatal(err)
			}
			if got != want[0] {
				t.Errorf("changed at %d, expiry %v: %s, to Django %s", modification, expiry, got, want[0])
			}
		}
	}
}

// TestExpiredLeavesNoFile has both asked for a session that has expired. Django makes a new one at once,
// for everybody who comes with an old cookie.
func TestExpiredLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	store, d := open(t, dir, file.Options{CookieAge: cookieAge}), startDjango(t, dir)
	e := newEngine(t, store)
	then := time.Now().Add(-2 * cookieAge * time.Second)
	for _, c := range []struct {
		load func(key string)
		left int
	}{
		{func(key string) { e.Open(t.Context(), key, true).Get("a") }, 1},
		{func(key string) { d.ask("load", question{"key": key}) }, 2},
	} {
		key := put(t, e, "", "a", 1)
		if err := os.Chtimes(filepath.Join(dir, "sessionid"+key), then, then); err != nil {
			t.Fatal(err)
		}
		c.load(key)
		if entries, _ := os.ReadDir(dir); len(entries) != c.left {
			t.Errorf("%d files, want %d", len(entries), c.left)
		}
	}
}

// TestClearsessions has Django purge a folder in which we save.
func TestClearsessions(t *testing.T) {
	dir := t.TempDir()
	store, d := open(t, dir, file.Options{CookieAge: cookieAge}), startDjango(t, dir)
	e := newEngine(t, store)
	alive, over := put(t, e, "", "a", 1), put(t, e, "", "a", 1)
	then := time.Now().Add(-2 * cookieAge * time.Second)
	if err := os.Chtimes(filepath.Join(dir, "sessionid"+over), then, then); err != nil {
		t.Fatal(err)
	}
	d.ask("clear", question{})
	if _, err := store.Load(t.Context(), over); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := store.Load(t.Context(), alive); err != nil {
		t.Error(err)
	}
}

// TestRaceWithDjango has both save one session as fast as they can, each counting up an item of its
// own. Django takes no lock and reads nothing before it writes: what it overwrites is lost, by Django.
// Of Django's saves none is lost, but for one that Django itself makes from what it read in the
// microseconds in which a file of ours is taken back; without the exchange, it is one in twenty.
func TestRaceWithDjango(t *testing.T) {
	n := 1500
	if testing.Short() {
		n = 200
	}
	dir := newFolder(t)
	store, d := open(t, dir, file.Options{CookieAge: cookieAge}), startDjango(t, dir)
	e := newEngine(t, store)
	key := put(t, e, "", "ours", 0)
	answer := make(chan string, 1)
	go func() { answer <- d.ask("race", question{"key": key, "n": n}) }()
	saved, lost, last := 0, 0, int64(0)
	for {
		s := e.Open(t.Context(), key, true)
		have, _ := session.Value[int64](s, "ours")
		if have != last {
			lost++
		}
		last = have
		if err := s.Set("ours", have+1); err != nil {
			t.Fatal(err)
		}
		switch _, err := s.Commit(t.Context(), 200); {
		case err == nil:
			last++
		case !errors.Is(err, session.ErrConflict): // Django was faster at every attempt, and the request is told
			t.Fatal(err)
		}
		saved++
		select {
		case said := <-answer:
			t.Logf("Django saved %d times, and says %s; we saved %d times, of which Django overwrote %d unread", n, said, saved, lost)
			var result struct{ Done, Lost int }
			if err := json.Unmarshal([]byte(said), &result); err != nil || result.Done < n-n/100 {
				t.Error("saves of Django's were overwritten unread")
			}
			return
		default:
		}
	}
}

// TestEndedByDjango has Django end sessions while we save: none comes back.
func TestEndedByDjango(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 30
	}
	dir := newFolder(t)
	store, d := open(t, dir, file.Options{CookieAge: cookieAge}), startDjango(t, dir)
	e := newEngine(t, store)
	for range n {
		key := put(t, e, "", "n", 0)
		ended := make(chan bool)
		go func() {
			d.ask("delete", question{"key": key})
			close(ended)
		}()
		for i := 0; ; i++ {
			s := e.Open(t.Context(), key, true)
			if !s.Has("n") {
				break
			}
			_ = s.Set("n", i)
			if _, err := s.Commit(t.Context(), 200); err != nil && !errors.Is(err, session.ErrInterrupted) {
				t.Fatal(err)
			}
		}
		<-ended
		if _, err := store.Load(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a session that Django ended is there again: %v", err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("files are left: %v", entries)
	}
}
