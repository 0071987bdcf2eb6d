package sqlite_test

import (
	"bufio"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

//go:embed testdata/django.py
var djangoScript string

// python is Debian's: another one on the PATH has no Django.
const python = "/usr/bin/python3"

const (
	sessionsApp = "django.contrib.sessions"
	wholeSite   = "django.contrib.sessions,django.contrib.contenttypes,django.contrib.auth"
)

// A django is a real one, on a database.
type django struct {
	testing.TB
	in  *json.Encoder
	out *bufio.Reader
}

func startDjango(t testing.TB, path, apps string) *django {
	t.Helper()
	if out, err := exec.Command(python, "-c", "import django").CombinedOutput(); err != nil {
		const missing = "no Django to share sessions with: apt-get install python3-django"
		if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
			t.Fatalf("%s: %v: %s", missing, err, out)
		}
		t.Skip(missing)
	}
	cmd := exec.Command(python, "-c", djangoScript, path, apps)
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
	return &django{t, json.NewEncoder(in), bufio.NewReader(out)}
}

type question map[string]any

// ask returns Django's answer, as text when it is one and as JSON when it is not.
func (d *django) ask(op string, q question) string {
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
		Keys: []string{"a key for tests"}, Store: store, CookieAge: 3600, Now: time.Now, Rand: rand.Reader,
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

func get(t testing.TB, e *session.Engine, key, item string) any {
	t.Helper()
	s := e.Open(t.Context(), key, true)
	value := s.Get(item)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return value
}

// A sharing is a file that both use.
type sharing struct {
	name    string
	prepare func(t *testing.T, path string) (*sqlite.Store, *django)
	journal string
	sums    bool
}

var sharings = []*sharing{
	{"a file of Django's", func(t *testing.T, path string) (*sqlite.Store, *django) {
		d := startDjango(t, path, wholeSite)
		d.ask("migrate", question{})
		store, _ := open(t, path)
		return store, d
	}, "delete", false},
	{"a file of ours", func(t *testing.T, path string) (*sqlite.Store, *django) {
		store, _ := open(t, path)
		d := startDjango(t, path, sessionsApp)
		d.ask("migrate", question{"fake_initial": true})
		return store, d
	}, "wal", true},
}

// TestSharedWithDjango has both read, change and end the other's sessions.
func TestSharedWithDjango(t *testing.T) {
	for _, sharing := range sharings {
		t.Run(sharing.name, func(t *testing.T) {
			path := newPath(t)
			store, d := sharing.prepare(t, path)
			e := newEngine(t, store)

			ours := put(t, e, "", "who", "lockstep")
			if got := d.ask("load", question{"key": ours}); got != `{"who": "lockstep"}` {
				t.Errorf("Django reads %s", got)
			}
			d.ask("save", question{"key": ours, "data": map[string]any{"more": 1}})
			if got := get(t, e, ours, "more"); fmt.Sprint(got) != "1" {
				t.Errorf("what Django added is %v", got)
			}
			put(t, e, ours, "third", true)
			if got := d.ask("load", question{"key": ours}); got != `{"who": "lockstep", "more": 1, "third": true}` {
				t.Errorf("Django reads %s", got)
			}

			theirs := d.ask("save", question{"data": map[string]any{"who": "django"}, "age": 100})
			if got := get(t, e, theirs, "who"); got != "django" {
				t.Errorf("Django's session is %v", got)
			}
			r, err := store.Load(t.Context(), theirs)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.ask("date", question{"key": theirs}); got != r.Expires.Format("2006-01-02T15:04:05.000000+00:00") {
				t.Errorf("it expires at %v, Django says %s", r.Expires, got)
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
			sharing.check(t, path, d)
		})
	}
}

func (s *sharing) check(t *testing.T, path string, d *django) {
	t.Helper()
	if got := d.ask("rows", question{"sql": "PRAGMA journal_mode"}); got != fmt.Sprintf(`[["%s"]]`, s.journal) {
		t.Errorf("journal mode %s, want %s", got, s.journal)
	}
	if got := d.ask("rows", question{"sql": "SELECT count(*) FROM sqlite_master WHERE name LIKE 'lockstep%'"}); (got != "[[0]]") != s.sums {
		t.Errorf("%s tables and triggers of ours", got)
	}
	if got := d.ask("rows", question{"sql": "PRAGMA application_id"}); (got != "[[0]]") != s.sums {
		t.Errorf("application_id %s", got)
	}
	if got := d.ask("rows", question{"sql": "PRAGMA integrity_check"}); got != `[["ok"]]` {
		t.Error(got)
	}
}

// TestDjangoInBetween has both save the same session at the same time: what we save is never lost,
// and Django's saves are seen.
func TestDjangoInBetween(t *testing.T) {
	for _, sharing := range sharings {
		t.Run(sharing.name, func(t *testing.T) {
			store, d := sharing.prepare(t, newPath(t))
			e := newEngine(t, store)
			key := put(t, e, "", "n", -1)
			const n = 100
			var wg sync.WaitGroup
			wg.Go(func() { d.ask("race", question{"key": key, "n": n}) })
			for i := range n {
				put(t, e, key, "n", i)
			}
			wg.Wait()
			put(t, e, key, "n", n)
			if got := get(t, e, key, fmt.Sprintf("django%d", n-1)); fmt.Sprint(got) != fmt.Sprint(n-1) {
				t.Errorf("Django's last save is %v", got)
			}
			if got := get(t, e, key, "n"); fmt.Sprint(got) != fmt.Sprint(n) {
				t.Errorf("our last save is %v", got)
			}
		})
	}
}

// TestDjangoTable compares the table made here with the one that Django's migration makes.
func TestDjangoTable(t *testing.T) {
	const made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'django_session' AND sql IS NOT NULL AND type != 'trigger' ORDER BY type DESC"
	d := startDjango(t, newPath(t), sessionsApp)
	d.ask("migrate", question{})
	var theirs, ours [][]string
	if err := json.Unmarshal([]byte(d.ask("rows", question{"sql": made})), &theirs); err != nil || len(theirs) != 2 {
		t.Fatal(theirs, err)
	}
	path := newPath(t)
	open(t, path)
	d = startDjango(t, path, sessionsApp)
	if err := json.Unmarshal([]byte(d.ask("rows", question{"sql": made})), &ours); err != nil || len(ours) != 2 {
		t.Fatal(ours, err)
	}
	if want := strings.TrimSuffix(theirs[0][0], ")") + `, "lockstep_sum" blob)`; ours[0][0] != want {
		t.Errorf("the table is\n%s\nwant\n%s", ours[0][0], want)
	}
	if !slices.Equal(ours[1], theirs[1]) {
		t.Errorf("the index is %q, want %q", ours[1], theirs[1])
	}
}

// TestDates compares the text of moments, and what is read in a text, with Django.
func TestDates(t *testing.T) {
	d := startDjango(t, newPath(t), sessionsApp)
	d.ask("migrate", question{})
	for _, moment := range []time.Time{
		later, later.Truncate(time.Second), time.Unix(0, 0), time.Unix(0, 1000), time.Unix(1e9, 999_999_000),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(2024, 2, 29, 12, 0, 0, 100_000_000, time.FixedZone("", 5*3600)),
	} {
		want := d.ask("expire_text", question{"text": moment.UTC().Format("2006-01-02T15:04:05.000000Z")})
		if got := sqlite.DateText(moment); got != want {
			t.Errorf("%v is %q, to Django %q", moment, got, want)
		}
	}
	for _, text := range dateTexts {
		got := "null"
		if date, ok := sqlite.ReadDate(text); ok {
			got = date.UTC().Format("2006-01-02T15:04:05.000000+00:00")
		}
		if want := d.ask("parse", question{"text": text}); got != want {
			t.Errorf("%q is read as %s, by Django as %s", text, got, want)
		}
	}
}

var dateTexts = []string{
	"2026-11-25 19:00:00", "2026-11-25 19:00:00.5", "2026-11-25 19:00:00.123456", "2026-11-25 19:00:00.123456789",
	"2026-11-25 19:00:00.1234567890123", "2026-11-25T19:00:00", "2026-11-25T19:00:00Z", "2026-11-25 19:00:00+00:00",
	"2026-11-25 19:00:00+0530", "2026-11-25 19:00:00-05", "2026-11-25 19:00:00.25-05:30", "2026-11-25 19:00",
	"2026-1-2 3:4", "2026-1-2 3:4:5", "2026-11-25 19:00:00,5", "2026-11-25 24:00:00", "2026-11-25 19:60:00",
	"2026-11-25 19:00:60", "2026-02-29 00:00:00", "2024-02-29 00:00:00", "2026-13-01 00:00:00", "2026-00-01 00:00:00",
	"0001-01-01 00:00:00", "0000-01-01 00:00:00", "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00", "2026-11-25",
	"", " ", "now", "1764097200", "2026-11-25  19:00:00", " 2026-11-25 19:00:00", "2026-11-25 19:00:00 ", "2026-11-25 19:00:00.",
	"2026-11-25 19:00:00.Z", "2026-11-25 19:00:00z", "2026-11-25t19:00:00", "2026-11-25 19:0:0.5", "99-11-25 19:00:00",
	"2026-11-25 19", "2026-11-25 19:00:0x", "2026-11-25 9:00:00", "2026-11-5 19:00:00", "2026-11-25 19:00:00+05:3",
	"0001-01-01 00:00:00.000000", "2026-11-25 19:00Z", "-2026-11-25 19:00:00", "2026/11/25 19:00:00",
	"2026-11-25  9:00:00", "2026-11-25 9:00:00.5", "2026-11-25 9:00:00.12345", "2026-11-25 19:00:00 Z", "2026-11-25 19:00:00,123456",
}

// TestUnreadableDate has a Django's row with a date that nobody can read.
func TestUnreadableDate(t *testing.T) {
	path := newPath(t)
	store, _ := open(t, path)
	insert(t, store, 1)
	c, err := sqlite.Raw(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, date := range []string{"'soon'", "''", "x'00ff'", "12345", "1.5", "'2026-13-01 00:00:00'"} {
		if err := sqlite.Exec(c, "UPDATE django_session SET expire_date = "+date); err != nil {
			t.Fatal(err)
		}
		r, err := store.Load(context.Background(), fmt.Sprintf("%032d", 0))
		if err != nil || r.Expires.After(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("with the date %s: expires %v, error %v", date, r.Expires, err)
		}
	}
}
