package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

const pageSize = 4096

// A sample is a database with sessions in it, closed and written back, as bytes.
type sample struct {
	file   []byte
	stored map[string]session.Record
}

func newSample(t testing.TB, n int) sample {
	t.Helper()
	path := newPath(t)
	store, _ := open(t, path)
	stored := insert(t, store, n)
	// A session of more than a page, and one that was ended.
	big := session.Record{Data: bytes.Repeat([]byte("a long session "), 1000), Expires: later}
	if err := store.Save(t.Context(), aKey, session.Record{}, big); err != nil {
		t.Fatal(err)
	}
	stored[aKey] = big
	if err := errors.Join(
		store.Save(t.Context(), anotherKey, session.Record{}, record("ended")),
		store.Delete(t.Context(), anotherKey),
	); err != nil {
		t.Fatal(err)
	}
	store.Close()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sample{file, stored}
}

// use opens a damaged file and asks it for every session. Whatever is the matter with it, an answer
// is what was stored under that very key, a miss, or an error, and nothing that was ended is there.
// It returns how many were answered with what was stored, and the log.
func (s sample) use(t testing.TB, path string) (right int, log string, err error) {
	t.Helper()
	lines := new(lines)
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{Logger: logger(lines)})
	if err != nil {
		return 0, lines.String(), err
	}
	defer store.Close()
	for key, want := range s.stored {
		got, failed := store.Load(t.Context(), key)
		switch {
		case failed == nil && !bytes.Equal(got.Data, want.Data):
			t.Fatalf("%s is given other data: %.60q", key, got.Data)
		case failed == nil && got.Expires.After(want.Expires):
			t.Fatalf("%s expires at %v, and was to expire at %v", key, got.Expires, want.Expires)
		case failed == nil:
			right++
		case !errors.Is(failed, fs.ErrNotExist):
			err = failed
		}
	}
	if r, failed := store.Load(t.Context(), anotherKey); failed == nil {
		t.Fatalf("a session that was ended is there: %q", r.Data)
	}
	if err := store.Save(t.Context(), anotherKey, session.Record{}, record("new")); err == nil {
		if r, err := store.Load(t.Context(), anotherKey); err != nil || string(r.Data) != "new" {
			t.Fatalf("a new session: %q, error %v", r.Data, err)
		}
		if err := store.Delete(t.Context(), anotherKey); err != nil {
			t.Fatal(err)
		}
	}
	return right, lines.String(), err
}

// setAside returns the files that were set aside beside path.
func setAside(t testing.TB, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + ".damaged-*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-shm") })
}

// soak reports whether LOCKSTEP_TEST_SOAK asks for what is drawn to be drawn many more times.
func soak() bool { return os.Getenv("LOCKSTEP_TEST_SOAK") != "" }

func write(t testing.TB, path string, file []byte) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFlippedBytes flips a byte at a time, on pages of every kind, and opens what is left.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	s := newSample(t, 60)
	rounds := 200
	if soak() {
		rounds = 5000
	}
	r := rand.New(rand.NewPCG(1, 2))
	offsets := make([]int, 0, rounds)
	for i := range 100 { // the header, whole
		offsets = append(offsets, i)
	}
	for len(offsets) < rounds {
		offsets = append(offsets, r.IntN(len(s.file)))
	}
	lost, unnoticed, refused := 0, 0, 0
	for _, offset := range offsets {
		path := newPath(t)
		file := bytes.Clone(s.file)
		file[offset] ^= 1 << r.IntN(8)
		write(t, path, file)
		right, log, err := s.use(t, path)
		if err != nil {
			refused++
			t.Logf("offset %d (%d of page %d): %v", offset, offset%pageSize, offset/pageSize+1, err)
		}
		if right < len(s.stored) {
			lost++
			if log == "" && err == nil {
				t.Errorf("offset %d: %d of %d sessions are there and nobody was told", offset, right, len(s.stored))
			}
		} else if log == "" {
			unnoticed++
		}
		if len(setAside(t, path)) > 0 {
			damaged, err := os.ReadFile(setAside(t, path)[0])
			if err != nil || len(damaged) != len(file) {
				t.Errorf("offset %d: what was set aside has %d bytes, error %v", offset, len(damaged), err)
			}
		}
		os.RemoveAll(filepath.Dir(path))
	}
	t.Logf("%d bytes flipped: %d cost sessions, %d were in nothing that is used, %d were refused", len(offsets), lost, unnoticed, refused)
}

// TestDamagedFiles damages a file in larger ways.
func TestDamagedFiles(t *testing.T) {
	s := newSample(t, 60)
	pages := len(s.file) / pageSize
	damages := map[string]func(file []byte) []byte{
		"empty":                   func([]byte) []byte { return nil },
		"one byte":                func(f []byte) []byte { return f[:1] },
		"cut in the header":       func(f []byte) []byte { return f[:60] },
		"cut after the header":    func(f []byte) []byte { return f[:100] },
		"cut after a page":        func(f []byte) []byte { return f[:pageSize] },
		"cut in the middle":       func(f []byte) []byte { return f[:len(f)/2] },
		"cut by a byte":           func(f []byte) []byte { return f[:len(f)-1] },
		"the header is gone":      func(f []byte) []byte { clear(f[:100]); return f },
		"the header is noise":     func(f []byte) []byte { noise(f[:100]); return f },
		"the first page is noise": func(f []byte) []byte { noise(f[:pageSize]); return f },
		"the second is noise":     func(f []byte) []byte { noise(f[pageSize : 2*pageSize]); return f },
		"a magic byte":            func(f []byte) []byte { f[3] ^= 1; return f },
		"the stamp":               func(f []byte) []byte { f[70] ^= 1; return f },
		"the version":             func(f []byte) []byte { f[60] ^= 1; return f },
	}
	for page := range pages {
		damages[fmt.Sprintf("page %d is zero", page+1)] = func(f []byte) []byte {
			clear(f[page*pageSize:][:pageSize])
			return f
		}
		damages[fmt.Sprintf("page %d is that before", page+1)] = func(f []byte) []byte {
			copy(f[page*pageSize:][:pageSize], f[max(0, page-1)*pageSize:])
			return f
		}
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			file := damage(bytes.Clone(s.file))
			write(t, path, file)
			right, log, err := s.use(t, path)
			if err != nil {
				t.Errorf("refused: %v", err)
			}
			if log == "" && !bytes.Equal(file, s.file) {
				t.Error("nobody was told")
			}
			if aside := setAside(t, path); len(aside) > 0 {
				if kept, _ := os.ReadFile(aside[0]); !bytes.Equal(kept, file) {
					t.Errorf("what was set aside is not what was there")
				}
			}
			t.Logf("%d of %d sessions are left", right, len(s.stored))
			// The next Open finds nothing to complain of.
			if _, log, err := s.use(t, path); log != "" || err != nil {
				t.Errorf("again: error %v, %s", err, log)
			}
		})
	}
}

func noise(b []byte) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// TestDamageWhileOpen damages files under stores that have them open. The call that meets the damage
// is an error or a miss; then the store has a new file, with what is whole.
func TestDamageWhileOpen(t *testing.T) {
	s := newSample(t, 2000)
	leaf := bytes.Index(s.file, []byte(fmt.Sprintf("the session of %032d", 1000))) / pageSize * pageSize
	for name, damage := range map[string]func(t *testing.T, path string){
		"a leaf is zero": func(t *testing.T, path string) {
			overwrite(t, path, int64(leaf), make([]byte, pageSize))
		},
		"half is cut off": func(t *testing.T, path string) {
			if err := os.Truncate(path, int64(len(s.file)/2/pageSize*pageSize)); err != nil {
				t.Fatal(err)
			}
		},
		"all is cut off": func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			write(t, path, s.file)
			store, log := open(t, path)
			damage(t, path)
			for range 2 {
				for key, want := range s.stored {
					if got, err := store.Load(t.Context(), key); err == nil && !bytes.Equal(got.Data, want.Data) {
						t.Fatalf("%s is given %q", key, got.Data)
					}
				}
			}
			if aside := len(setAside(t, path)) > 0; aside != strings.Contains(log.String(), "it was set aside") || !aside && !strings.Contains(log.String(), "the file is empty") {
				t.Fatalf("set aside: %v, and the log says %s", aside, log)
			}
			left := 0
			for key := range s.stored {
				if _, err := store.Load(t.Context(), key); err == nil {
					left++
				} else if !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			t.Logf("%d of %d sessions are left", left, len(s.stored))
			if name == "a leaf is zero" && left < len(s.stored)-100 {
				t.Error("more are lost than were on the page")
			}
			insertMore(t, store)
		})
	}
}

func overwrite(t testing.TB, path string, offset int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(with, offset); err != nil {
		t.Fatal(err)
	}
}

// insertMore checks that a store takes new sessions.
func insertMore(t testing.TB, store *sqlite.Store) {
	t.Helper()
	if err := store.Save(t.Context(), anotherKey, session.Record{}, record("new")); err != nil {
		t.Fatal(err)
	}
	if r, err := store.Load(t.Context(), anotherKey); err != nil || string(r.Data) != "new" {
		t.Errorf("%q, error %v", r.Data, err)
	}
}

// TestSwappedRows has rows and index entries say what they never said, which SQLite cannot see. Each
// is done to a file of two sessions, of a and of b.
func TestSwappedRows(t *testing.T) {
	const a, b = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	cases := []struct {
		name string
		sql  []string
		gone []string // what is a miss afterwards; the others are as they were
	}{
		{"the data of another", []string{
			"UPDATE django_session SET session_data = (SELECT session_data FROM django_session WHERE session_key = '" + b + "') WHERE session_key = '" + a + "'",
		}, []string{a}},
		{"a longer life", []string{"UPDATE django_session SET expire_date = '9999-01-01 00:00:00' WHERE session_key = '" + a + "'"}, []string{a}},
		{"the keys changed over", []string{
			"UPDATE django_session SET session_key = 'x' WHERE session_key = '" + a + "'",
			"UPDATE django_session SET session_key = '" + a + "' WHERE session_key = '" + b + "'",
			"UPDATE django_session SET session_key = '" + b + "' WHERE session_key = 'x'",
		}, []string{a, b}},
		{"the sum of another", []string{
			"UPDATE django_session SET lockstep_sum = (SELECT lockstep_sum FROM django_session WHERE session_key = '" + b + "') WHERE session_key = '" + a + "'",
		}, []string{a}},
		{"a sum that is none", []string{"UPDATE django_session SET lockstep_sum = '' WHERE session_key = '" + a + "'"}, []string{a}},
		{"a sum that is text", []string{"UPDATE django_session SET lockstep_sum = CAST(lockstep_sum AS TEXT) WHERE session_key = '" + a + "'"}, []string{a}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := newPath(t)
			store, log := open(t, path)
			for _, key := range []string{a, b} {
				if err := store.Save(t.Context(), key, session.Record{}, record("of "+key)); err != nil {
					t.Fatal(err)
				}
			}
			raw, err := sqlite.Raw(path)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			for _, sql := range slices.Concat([]string{"DROP TRIGGER lockstep_forget"}, c.sql) {
				if err := sqlite.Exec(raw, sql); err != nil {
					t.Fatal(err)
				}
			}
			for _, key := range []string{a, b} {
				r, err := store.Load(t.Context(), key)
				if gone := slices.Contains(c.gone, key); gone && !errors.Is(err, fs.ErrNotExist) || !gone && (err != nil || string(r.Data) != "of "+key) {
					t.Errorf("%s: %q, error %v", key, r.Data, err)
				}
			}
			if strings.Count(log.String(), "it was removed") != len(c.gone) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// TestIndexOfAnother exchanges the rows that two entries of the index lead to. Nobody is given the
// session of another: the file is renewed from its rows, and all sessions are there again.
func TestIndexOfAnother(t *testing.T) {
	s := newSample(t, 3)
	path := newPath(t)
	write(t, path, s.file)
	raw, err := sqlite.Raw(path)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sqlite.Ask(raw, "SELECT session_key FROM django_session WHERE rowid IN (2, 3) AND length(session_key) = 32 ORDER BY rowid")
	raw.Close()
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	for name, meets := range map[string]func() (*sqlite.Store, *lines){
		"as it opens": func() (*sqlite.Store, *lines) {
			exchange(t, path, s.file, keys)
			return open(t, path)
		},
		"as it runs": func() (*sqlite.Store, *lines) {
			write(t, path, s.file)
			store, log := open(t, path)
			exchange(t, path, s.file, keys)
			for _, key := range keys {
				if r, err := store.Load(t.Context(), key); err == nil && string(r.Data) != string(s.stored[key].Data) {
					t.Errorf("%s is given %q", key, r.Data)
				}
			}
			return store, log
		},
		"as it changes": func() (*sqlite.Store, *lines) {
			write(t, path, s.file)
			store, log := open(t, path)
			exchange(t, path, s.file, keys)
			for _, key := range keys {
				if err := store.Save(t.Context(), key, s.stored[key], record("changed")); err == nil {
					s.stored[key] = record("changed")
				}
			}
			return store, log
		},
		"as it ends": func() (*sqlite.Store, *lines) {
			write(t, path, s.file)
			store, log := open(t, path)
			exchange(t, path, s.file, keys)
			for _, key := range keys[:1] {
				if err := store.Delete(t.Context(), key); err == nil {
					t.Error("no error, and the session of another may be gone")
				}
			}
			return store, log
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.stored
			s.stored = maps.Clone(before)
			defer func() { s.stored = before }()
			store, log := meets()
			defer store.Close()
			for end := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), "it was set aside"); {
				_, _ = store.Load(t.Context(), keys[0]) // an error until the writer has heard of it
				if time.Now().After(end) {
					t.Fatalf("nobody noticed: %s", log)
				}
			}
			holds(t, store, s.stored)
		})
	}
}

// exchange has the entries of rows 2 and 3 in the index over keys lead to each other's row. An entry
// is the length of its head, the kinds of its two values, the key and the rowid.
func exchange(t *testing.T, path string, file []byte, keys []string) {
	t.Helper()
	file = bytes.Clone(file)
	for i, key := range keys {
		entry := bytes.Index(file, append([]byte{3, 13 + 2*32, 1}, key...))
		if entry < 0 {
			t.Fatalf("no entry of %s", key)
		}
		file[entry+3+len(key)] = byte(3 - i)
	}
	for offset := 0; offset < len(file); offset += pageSize {
		overwrite(t, path, int64(offset), file[offset:][:pageSize])
	}
}

// TestDamagedLog damages the write-ahead log that a killed process left. A log that has lost what was
// acknowledged costs all sessions, since a session that was ended in it would come back.
func TestDamagedLog(t *testing.T) {
	path := newPath(t)
	store, _ := open(t, path)
	stored := insert(t, store, 20)
	ctx := t.Context()
	if err := errors.Join(
		store.Save(ctx, anotherKey, session.Record{}, record("ended")),
		store.Delete(ctx, anotherKey),
		store.Save(ctx, aKey, session.Record{}, record("last")),
	); err != nil {
		t.Fatal(err)
	}
	stored[aKey] = record("last")
	file, _ := os.ReadFile(path)
	wal, _ := os.ReadFile(path + "-wal")
	if len(file) < pageSize || len(wal) < 10*pageSize {
		t.Fatalf("%d bytes, and %d in the log", len(file), len(wal))
	}
	const frame = 24 + pageSize
	frames := (len(wal) - 32) / frame
	at := func(n, offset int) int { return 32 + n*frame + offset }
	for _, c := range []struct {
		name   string
		damage func(wal []byte) []byte
		want   string // what is left: all, without the last commit, nothing
	}{
		{"as it was", func(w []byte) []byte { return w }, "all"},
		{"with noise behind it", func(w []byte) []byte { return append(w, bytes.Repeat([]byte("noise"), 4000)...) }, "all"},
		{"noise", func(w []byte) []byte { noise(w); return w }, "nothing"},
		{"noise of a few bytes", func([]byte) []byte { return []byte("noise") }, "nothing"},
		{"a header with a flipped byte", func(w []byte) []byte { w[17] ^= 1; return w }, "nothing"},
		{"a flipped byte in the first page", func(w []byte) []byte { w[at(0, 100)] ^= 1; return w }, "nothing"},
		{"a flipped salt in the first frame", func(w []byte) []byte { w[at(0, 9)] ^= 1; return w }, "nothing"},
		{"a flipped byte in the middle", func(w []byte) []byte { w[at(frames/2, 1000)] ^= 1; return w }, "nothing"},
		{"cut in the last frame", func(w []byte) []byte { return w[:at(frames-1, 300)] }, "all but the last"},
		{"a flipped byte in the last frame", func(w []byte) []byte { w[at(frames-1, 300)] ^= 1; return w }, "all but the last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newPath(t)
			write(t, path, file)
			write(t, path+"-wal", c.damage(bytes.Clone(wal)))
			right, log, err := sample{file, stored}.use(t, path)
			want := map[string]int{"all": len(stored), "all but the last": len(stored) - 1}[c.want]
			if right != want || err != nil {
				t.Errorf("%d of %d sessions, want %s; error %v", right, len(stored), c.want, err)
			}
			if (len(setAside(t, path)) > 0) != (c.want == "nothing") || (log != "") != (c.want == "nothing") {
				t.Errorf("set aside %q, log %s", setAside(t, path), log)
			}
		})
	}
	t.Run("and no database", func(t *testing.T) {
		for _, file := range [][]byte{nil, {}} {
			path := newPath(t)
			if file != nil {
				write(t, path, file)
			}
			write(t, path+"-wal", wal)
			right, log, err := sample{nil, stored}.use(t, path)
			if right != 0 || err != nil || log == "" {
				t.Errorf("%d sessions, error %v, log %s", right, err, log)
			}
			if kept, _ := filepath.Glob(path + ".damaged-*-wal"); len(kept) != 1 {
				t.Errorf("the log was not set aside: %q", kept)
			}
		}
	})
}

// TestNotMoved are damages of files that are left where they are.
func TestNotMoved(t *testing.T) {
	s := newSample(t, 60)
	leaf := bytes.Index(s.file, []byte("the session of")) / pageSize * pageSize
	damaged := func(t *testing.T, path string) { overwrite(t, path, int64(leaf), make([]byte, pageSize)) }
	for _, c := range []struct {
		name string
		file func(t *testing.T, path string)
		want string
	}{
		{"with a table of others", func(t *testing.T, path string) {
			write(t, path, s.file)
			raw, err := sqlite.Raw(path)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			if err := sqlite.Exec(raw, "CREATE TABLE auth_user (id integer)"); err != nil {
				t.Fatal(err)
			}
			if err := sqlite.Exec(raw, "PRAGMA user_version = 2"); err != nil {
				t.Fatal(err)
			}
		}, "tables of others"},
		{"open in another process", func(t *testing.T, path string) {
			write(t, path, s.file)
			play(t, "hold", path).said(t, "open")
			damaged(t, path)
		}, "another program has it open"},
		{"open in this process", func(t *testing.T, path string) {
			write(t, path, s.file)
			open(t, path)
			damaged(t, path)
		}, "another program has it open"},
		{"no database", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("a text. "), 1000)) }, "not ours"},
		{"a short text", func(t *testing.T, path string) { write(t, path, []byte("hi")) }, "not ours"},
		{"noise", func(t *testing.T, path string) { b := make([]byte, 10*pageSize); noise(b); write(t, path, b) }, "not ours"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newPath(t)
			c.file(t, path)
			before, _ := os.ReadFile(path)
			_, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of %s", err, c.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, before) || len(setAside(t, path)) > 0 {
				t.Error("the file was changed or moved")
			}
		})
	}
}

// TestPlantedTriggers opens a file of ours with triggers of somebody else's on the table of sessions, which
// could bring back what is deleted, or copy it under a key of their choice. They do not come along.
func TestPlantedTriggers(t *testing.T) {
	const other = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
	for name, sql := range map[string]string{
		"revives": "CREATE TRIGGER x AFTER DELETE ON django_session BEGIN INSERT INTO django_session VALUES (OLD.session_key, OLD.session_data, OLD.expire_date, OLD.lockstep_sum); END",
		"copies":  `CREATE TRIGGER x AFTER INSERT ON "Django_Session" WHEN NEW.session_key <> '` + other + `' BEGIN INSERT INTO django_session VALUES ('` + other + `', NEW.session_data, NEW.expire_date, NULL); END`,
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			before, _ := open(t, path)
			if err := before.Save(t.Context(), aKey, session.Record{}, record("kept")); err != nil {
				t.Fatal(err)
			}
			if err := before.Close(); err != nil {
				t.Fatal(err)
			}
			makeFile(t, path, sql)
			store, log := open(t, path)
			if r, err := store.Load(t.Context(), aKey); err != nil || string(r.Data) != "kept" {
				t.Errorf("what was there before: %q, %v", r.Data, err)
			}
			if err := store.Delete(t.Context(), aKey); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Load(t.Context(), aKey); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what was deleted: %v", err)
			}
			if err := store.Save(t.Context(), aKey, session.Record{}, record("new")); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Load(t.Context(), other); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a copy: %v", err)
			}
			if len(setAside(t, path)) != 1 || !strings.Contains(log.String(), "trigger") {
				t.Errorf("set aside %q, log %s", setAside(t, path), log)
			}
		})
	}
	t.Run("in a file with tables of others", func(t *testing.T) {
		path := newPath(t)
		store, _ := open(t, path)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		makeFile(t, path, "CREATE TABLE auth_user (id integer)",
			"CREATE TRIGGER theirs AFTER DELETE ON auth_user BEGIN SELECT 1; END")
		fine, _ := open(t, path) // on a table of theirs
		if err := fine.Close(); err != nil {
			t.Fatal(err)
		}
		makeFile(t, path, "CREATE TRIGGER x AFTER DELETE ON django_session BEGIN SELECT 1; END")
		if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "trigger") {
			t.Errorf("%v", err)
		}
	})
}
