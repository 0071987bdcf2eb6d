package sqlite_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// FuzzDate reads any text, and writes what it read so that it is read as the same moment.
func FuzzDate(f *testing.F) {
	for _, text := range dateTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		date, ok := sqlite.ReadDate(text)
		if !ok {
			if !date.IsZero() {
				t.Errorf("no date, and %v", date)
			}
			return
		}
		again, ok := sqlite.ReadDate(sqlite.DateText(date))
		inRange := date.Year() >= 1 && date.Year() <= 9999 // a zone may lead out of it
		if !ok || inRange && !again.Equal(date) {
			t.Errorf("%q is %v, written %q and read as %v", text, date, sqlite.DateText(date), again)
		}
	})
}

// FuzzDateText writes any two moments, and their texts sort as they do.
func FuzzDateText(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0), int64(1000))
	f.Add(int64(-62135596800), int64(0), int64(253402300799), int64(999999999))
	f.Fuzz(func(t *testing.T, s1, n1, s2, n2 int64) {
		first, second := time.Unix(s1, n1), time.Unix(s2, n2)
		a, b := sqlite.DateText(first), sqlite.DateText(second)
		if first.Before(second) && a > b {
			t.Errorf("%v is before %v, and %q after %q", first, second, a, b)
		}
		if read, ok := sqlite.ReadDate(a); !ok || sqlite.DateText(read) != a {
			t.Errorf("%v is written %q, and that is read as %v", first, a, read)
		}
	})
}

// FuzzFile opens a database of any bytes, with a log of any bytes. It is refused or opened; what it
// then answers under a key was stored under that key, and whoever stores a session has it.
//
// Whoever can write any bytes can also write a session: a made-up row, without a sum, is a Django's.
// So an answer is held against the bytes themselves, in which the key and the data must be.
func FuzzFile(f *testing.F) {
	s := newSample(f, 3)
	f.Add(s.file, []byte{})
	f.Add(s.file[:pageSize], []byte{})
	f.Add([]byte{}, []byte("x"))
	f.Add([]byte("no database"), []byte{})
	for _, offset := range []int{16, 18, 52, 60, 70, 100, 105, pageSize, 2*pageSize + 3, 3*pageSize + 8} {
		damaged := bytes.Clone(s.file)
		damaged[offset] ^= 0x55
		f.Add(damaged, []byte{})
	}
	path := filepath.Join(f.TempDir(), "wal.db")
	store, _ := open(f, path)
	insert(f, store, 3)
	file, _ := os.ReadFile(path)
	wal, _ := os.ReadFile(path + "-wal")
	store.Close()
	f.Add(file, wal)
	f.Fuzz(func(t *testing.T, file, wal []byte) {
		path := newPath(t)
		write(t, path, file)
		if len(wal) > 0 {
			write(t, path+"-wal", wal)
		}
		store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			return
		}
		defer store.Close()
		for key := range s.stored {
			r, err := store.Load(t.Context(), key)
			if err == nil && !bytes.Contains(file, []byte(key)) && !bytes.Contains(wal, []byte(key)) {
				t.Errorf("%s was never stored, and is %q", key, r.Data)
			}
			if want := s.stored[key].Data; err == nil && len(r.Data) == len(want) && !bytes.Equal(r.Data, want) && !bytes.Contains(file, r.Data[:min(len(r.Data), 16)]) && !bytes.Contains(wal, r.Data[:min(len(r.Data), 16)]) {
				t.Errorf("%s is %.80q, which is nowhere in the file", key, r.Data)
			}
		}
		if err := store.Save(t.Context(), anotherKey, session.Record{}, record("new")); err == nil {
			if r, err := store.Load(t.Context(), anotherKey); err != nil || string(r.Data) != "new" {
				t.Errorf("a new session is %q, error %v", r.Data, err)
			}
		}
		if _, err := store.Purge(t.Context(), later, 10); err != nil && errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}
