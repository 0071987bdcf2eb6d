package file_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/session/sessiontest"
	"github.com/lockstep-http/lockstep/store/file"
)

const aKey = "abcdefghijklmnopqrstuvwxyz012345"

// later is when sessions end that have no expiry of their own, to the microsecond.
var later = time.Now().Add(time.Hour).Truncate(time.Microsecond)

func record(data string) session.Record { return session.Record{Data: []byte(data), Expires: later} }

// newFolder is a folder in memory where there is such a place: thousands of saves reach a disk slowly.
func newFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "lockstep-") //nolint:usetesting // see above
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func open(t testing.TB, dir string, o file.Options) *file.Store {
	t.Helper()
	s, err := file.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) session.Store { return open(t, newFolder(t), file.Options{}) })
}

// TestStoreOnDisk is the contract on what has a disk, without the many races.
func TestStoreOnDisk(t *testing.T) {
	sessiontest.Races(t, func(t *testing.T) session.Store { return open(t, t.TempDir(), file.Options{}) }, 20)
}

// TestWithoutExchange is the contract where a file system exchanges no files: between stores it is kept
// by the locks alone.
func TestWithoutExchange(t *testing.T) {
	sessiontest.Races(t, func(t *testing.T) session.Store {
		a := twoStores(t)
		for _, s := range a.stores {
			s.WithoutExchange()
		}
		return a
	}, 500)
}

// TestTwoStores has two stores on one folder, as two processes have, in turn.
func TestTwoStores(t *testing.T) {
	sessiontest.Run(t, func(t *testing.T) session.Store { return twoStores(t) })
}

func twoStores(t *testing.T) *alternating {
	t.Helper()
	dir := newFolder(t)
	return &alternating{stores: [2]*file.Store{open(t, dir, file.Options{}), open(t, dir, file.Options{})}}
}

// An alternating store hands each call to another one.
type alternating struct {
	stores [2]*file.Store
	calls  atomic.Int64
}

func (a *alternating) next() session.Store { return a.stores[a.calls.Add(1)%2] }

func (a *alternating) Load(ctx context.Context, key string) (session.Record, error) {
	return a.next().Load(ctx, key)
}

func (a *alternating) Save(ctx context.Context, key string, old, next session.Record) error {
	return a.next().Save(ctx, key, old, next)
}

func (a *alternating) Delete(ctx context.Context, key string) error { return a.next().Delete(ctx, key) }

// TestFile is what is on the disk: Django's name, the bytes alone, nobody else's to read.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, file.Options{CookieName: "__Host-sessionid", CookieAge: 60})
	if err := s.Save(t.Context(), aKey, session.Record{}, record("first")); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), aKey, record("first"), record("second")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "__Host-sessionid"+aKey {
		t.Fatal(entries, err)
	}
	info, _ := entries[0].Info()
	if info.Mode() != 0o600 || !info.ModTime().Equal(later.Add(-time.Minute)) {
		t.Errorf("mode %v, changed %v", info.Mode(), info.ModTime())
	}
	if data, _ := os.ReadFile(filepath.Join(dir, entries[0].Name())); string(data) != "second" {
		t.Errorf("it holds %q", data)
	}
}

// An interruption is what a program without a lock does between comparing and replacing.
type interruption struct {
	name string
	do   func(t *testing.T, path string)
	next session.Record // what is saved meanwhile
	err  error
	left string // what is stored in the end; "" is nothing
}

var interruptions = []interruption{
	{"nothing, replaced", func(*testing.T, string) {}, record("ours"), nil, "ours"},
	{"nothing, removed", func(*testing.T, string) {}, session.Record{}, nil, ""},
	{"saved, replaced", save("django's"), record("ours"), session.ErrConflict, "django's"},
	{"saved, removed", save("django's"), session.Record{}, session.ErrConflict, "django's"},
	{"ended, replaced", end, record("ours"), fs.ErrNotExist, ""},
	{"ended, removed", end, session.Record{}, fs.ErrNotExist, ""},
}

// save is how Django saves: another file takes the name.
func save(data string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path+"_out_x", []byte(data), 0o600), os.Rename(path+"_out_x", path)); err != nil {
			t.Error(err)
		}
	}
}

func end(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Error(err)
	}
}

// TestInterrupted has somebody who takes no lock save or end a session at the worst moment: what was
// not read is not overwritten, and what was ended stays ended.
func TestInterrupted(t *testing.T) {
	for _, c := range interruptions {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, file.Options{})
			if err := s.Save(t.Context(), aKey, session.Record{}, record("first")); err != nil {
				t.Fatal(err)
			}
			s.Interrupt(func() { c.do(t, filepath.Join(dir, "sessionid"+aKey)) })
			if err := s.Save(t.Context(), aKey, record("first"), c.next); !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			r, err := s.Load(t.Context(), aKey)
			if string(r.Data) != c.left || (c.left == "") != errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q is left, error %v, want %q", r.Data, err, c.left)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 1 {
				t.Errorf("there are files left: %v", entries)
			}
		})
	}
}

// An expiryTest is the item of a session, and when it ends if it is saved now.
type expiryTest struct {
	items string
	after time.Duration
}

// TestExpiry has sessions end as their items say, whoever saved them: the file has no date but its own.
func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, file.Options{CookieAge: 1000})
	now := time.Now().Truncate(time.Second)
	moment := now.Add(90 * time.Second).UTC().Format("2006-01-02T15:04:05+00:00")
	for i, c := range []expiryTest{
		{`{}`, 1000 * time.Second},
		{`{"a":1}`, 1000 * time.Second},
		{`{"_session_expiry":300}`, 300 * time.Second},
		{`{"_session_expiry":5000}`, 5000 * time.Second},
		{`{"_session_expiry":0}`, 1000 * time.Second},
		{`{"_session_expiry":-1}`, -time.Second},
		{`{"_session_expiry":null}`, 1000 * time.Second},
		{`{"_session_expiry":2.5}`, 2500 * time.Millisecond},
		{`{"_session_expiry":"` + moment + `"}`, 90 * time.Second},
		{`{"_session_expiry":"soon"}`, 1000 * time.Second},
		{`{"x":"_session_expiry"}`, 1000 * time.Second},
		{`not json "_session_expiry"`, 1000 * time.Second},
	} {
		for _, compress := range []bool{false, true} {
			data := django.NewSigner(django.SessionSalt, "k").Dumps([]byte(c.items), compress, now)
			key := fmt.Sprintf("%032d", i)
			path := filepath.Join(dir, "sessionid"+key)
			if err := errors.Join(os.WriteFile(path, []byte(data), 0o600), os.Chtimes(path, now, now)); err != nil {
				t.Fatal(err)
			}
			r, err := s.Load(t.Context(), key)
			if err != nil || !r.Expires.Equal(now.Add(c.after)) {
				t.Errorf("%s: ends after %v, error %v, want %v", c.items, r.Expires.Sub(now), err, c.after)
			}
			next := session.Record{Data: []byte(data), Expires: now.Add(c.after)}
			if err := s.Save(t.Context(), key, r, next); err != nil {
				t.Fatal(err)
			}
			if r, err := s.Load(t.Context(), key); err != nil || !r.Expires.Equal(next.Expires) {
				t.Errorf("%s, saved: ends after %v, error %v, want %v", c.items, r.Expires.Sub(now), err, c.after)
			}
		}
	}
}

// TestStrangers are keys and files that are not sessions.
func TestStrangers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, mkdir(t, dir, "sessions")), file.Options{})
	outside := filepath.Join(dir, aKey)
	if err := os.WriteFile(outside, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "../" + aKey, "/../../" + aKey, ".", "..", "a/b", `a\b`, "UPPERCASE", "a\x00b", "é", "key_out_x", strings.Repeat("a", 41), "a.", " a", "a "} {
		if r, err := s.Load(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("loading %q: %q, error %v", key, r.Data, err)
		}
		if err := s.Save(t.Context(), key, session.Record{}, record("x")); err == nil {
			t.Errorf("saving %q is no error", key)
		}
		if err := s.Save(t.Context(), key, record("outside"), session.Record{}); err == nil {
			t.Errorf("removing %q is no error", key)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("deleting %q: %v", key, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

func mkdir(t *testing.T, dir, name string) string {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestLargeFile has more in a file than any session: what is read is bounded, and can be replaced.
func TestLargeFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sessionid"+aKey), make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, file.Options{})
	r, err := s.Load(t.Context(), aKey)
	if err != nil || len(r.Data) > 2<<20 {
		t.Fatal(len(r.Data), err)
	}
	if err := s.Save(t.Context(), aKey, r, record("x")); err != nil {
		t.Error(err)
	}
}

// TestLargestSession has a session of all the bytes that can be read back.
func TestLargestSession(t *testing.T) {
	s := open(t, t.TempDir(), file.Options{})
	signer := django.NewSigner(django.SessionSalt, "k")
	data := signer.Dumps(make([]byte, django.MaxPayload), false, later)
	if err := s.Save(t.Context(), aKey, session.Record{}, record(data)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Load(t.Context(), aKey)
	if payload, invalid := signer.Loads(string(r.Data), -1, later); err != nil || invalid != nil || len(payload) != django.MaxPayload {
		t.Errorf("%d bytes, error %v, %v", len(payload), err, invalid)
	}
}

// An openTest is a folder and options, and what the refusal says.
type openTest struct {
	name, dir string
	o         file.Options
	says      string
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a-file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []openTest{
		{"no folder", "", file.Options{}, "SESSION_FILE_PATH"},
		{"no such folder", filepath.Join(dir, "nowhere"), file.Options{}, "SESSION_FILE_PATH has to be a folder that is there"},
		{"a file", path, file.Options{}, "SESSION_FILE_PATH has to be a folder that is there"},
		{"a path for a name", dir, file.Options{CookieName: "../x"}, "SESSION_COOKIE_NAME"},
		{"a hidden name", dir, file.Options{CookieName: ".x"}, "SESSION_COOKIE_NAME"},
		{"a long name", dir, file.Options{CookieName: strings.Repeat("x", 129)}, "SESSION_COOKIE_NAME"},
		{"a negative age", dir, file.Options{CookieAge: -1}, "SESSION_COOKIE_AGE"},
		{"an age beyond all", dir, file.Options{CookieAge: 2_000_000_001}, "SESSION_COOKIE_AGE"},
	} {
		if s, err := file.Open(c.dir, c.o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, error %v", c.name, s, err)
		}
	}
}

// TestPurge leaves alone what is not an expired session of this site, and removes what was left behind.
func TestPurge(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, file.Options{CookieAge: 100})
	now := time.Now()
	old := now.Add(-time.Hour)
	longer := django.NewSigner(django.SessionSalt, "k").Dumps([]byte(`{"_session_expiry":7200}`), false, old)
	names := map[string]string{ // to what they hold; those that are to go begin with "gone"
		"sessionid" + strings.Repeat("0", 32):            "gone",
		"sessionid" + strings.Repeat("1", 32):            longer,
		"sessionida" + strings.Repeat("0", 32):           "another site's",
		"sessionid" + strings.Repeat("0", 32) + "_out_x": "Django's own",
		"sessionid": "x", "other": "x", "." + aKey: "x",
		fmt.Sprintf(".sessionid-lockstep-%d-X", old.Add(-time.Minute).Unix()): "gone, a killed process",
		fmt.Sprintf(".sessionid-lockstep-%d-X", now.Unix()):                   "being written",
	}
	for name, data := range names {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(data), 0o600), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	n, err := s.Purge(t.Context(), now, 100)
	if n != 1 || err != nil {
		t.Errorf("%d purged, error %v", n, err)
	}
	for name, data := range names {
		_, err := os.Stat(filepath.Join(dir, name))
		if gone := strings.HasPrefix(data, "gone"); gone != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, %s: error %v", name, data, err)
		}
	}
}

// TestPurgeLooksAgain has a session prolonged after it was found to have expired.
func TestPurgeLooksAgain(t *testing.T) {
	s := open(t, t.TempDir(), file.Options{CookieAge: 100})
	now := time.Now()
	expired := session.Record{Data: []byte("x"), Expires: now.Add(-time.Second)}
	for i := range 3 {
		if err := s.Save(t.Context(), fmt.Sprintf("%032d", i), session.Record{}, expired); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Purge(t.Context(), now, 1); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	kept := 0
	for i := range 3 {
		key := fmt.Sprintf("%032d", i)
		if err := s.Save(t.Context(), key, expired, record("y")); err == nil {
			kept++
		}
	}
	if n, err := s.Purge(t.Context(), now, 100); n != 0 || err != nil || kept != 2 {
		t.Errorf("%d purged, error %v, of %d that were prolonged", n, err, kept)
	}
}

// TestNoKeyInErrors has every call fail, and looks for the key in what it says.
func TestNoKeyInErrors(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("as root, only what root cannot do either fails")
	}
	dir := t.TempDir()
	s, err := file.Open(dir, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), aKey, session.Record{}, record("x")); err != nil {
		t.Fatal(err)
	}
	s.Close() // after which nothing works
	_, loadErr := s.Load(t.Context(), aKey)
	_, purgeErr := s.Purge(t.Context(), time.Now(), 1)
	for _, err := range []error{
		loadErr, purgeErr, s.Delete(t.Context(), aKey),
		s.Save(t.Context(), aKey, session.Record{}, record("x")), s.Save(t.Context(), aKey, record("x"), record("y")), s.Save(t.Context(), aKey, record("x"), session.Record{}),
	} {
		if err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), aKey) {
			t.Errorf("error %v", err)
		}
	}
}

// FuzzKey has any text for a key: no name leads out of the folder.
func FuzzKey(f *testing.F) {
	for _, key := range []string{aKey, "", "..", "../x", "a/../../b", "A", "a\x00"} {
		f.Add(key)
	}
	s := open(f, f.TempDir(), file.Options{})
	f.Fuzz(func(t *testing.T, key string) {
		name, ok := s.Name(key)
		if ok && (!filepath.IsLocal(name) || filepath.Base(name) != name || name != "sessionid"+key || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789") != "") {
			t.Errorf("%q is called %q", key, name)
		}
		_, err := s.Load(t.Context(), key)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("loading %q: %v", key, err)
		}
	})
}

// FuzzCookieName has any text begin the names of files.
func FuzzCookieName(f *testing.F) {
	for _, name := range []string{"sessionid", "__Host-s", "a/b", ".", "..", "a\x00", "é"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, prefix string) {
		if prefix == "" || !file.IsNamePart(prefix) {
			return
		}
		if name := prefix + aKey; filepath.Base(name) != name || !filepath.IsLocal(name) || len(name) > 255 {
			t.Errorf("%q makes %q", prefix, name)
		}
	})
}

// FuzzContents has any bytes in a file: they come back as they are, end some time, and can be replaced.
func FuzzContents(f *testing.F) {
	signer := django.NewSigner(django.SessionSalt, "k")
	for _, items := range []string{`{}`, `{"_session_expiry":300}`, `{"_session_expiry":1e999}`, `{"_session_expiry":-1e18}`, `{"_session_expiry":"9999-12-31"}`, strings.Repeat(`{"_session_expiry":`, 600)} {
		f.Add([]byte(signer.Dumps([]byte(items), false, later)))
		f.Add([]byte(signer.Dumps([]byte(items), true, later)))
	}
	f.Add([]byte(":::"))
	f.Add([]byte(nil))
	dir := newFolder(f)
	s := open(f, dir, file.Options{})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "sessionid"+aKey)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := s.Load(t.Context(), aKey)
		if err != nil || string(r.Data) != string(data) {
			t.Fatalf("%q, error %v", r.Data, err)
		}
		if err := s.Save(t.Context(), aKey, r, record("x")); err != nil {
			t.Error(err)
		}
	})
}
