package sqlite_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// TestLogIsBounded has somebody read for long, for whom the log must be kept and grows, and looks
// whether it is cut when that has ended.
func TestLogIsBounded(t *testing.T) {
	path := newPath(t)
	store, _ := open(t, path)
	stored := insert(t, store, 100)
	reader, err := sqlite.Raw(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := sqlite.Exec(reader, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Ask(reader, "SELECT count(*) FROM django_session"); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	const limit = 16 << 20
	for round := 0; size() < limit+1<<20; round++ {
		saveMany(t, store, fmt.Sprintf("first%06d", round))
	}
	grown := size()
	if err := sqlite.Exec(reader, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * sqlite.LogCheckEvery {
		key := fmt.Sprintf("after%027d", i)
		if err := store.Save(t.Context(), key, session.Record{}, record("x")); err != nil {
			t.Fatal(err)
		}
	}
	if left := size(); left > limit/2 {
		t.Errorf("the log grew to %d MB and has %d MB", grown>>20, left>>20)
	}
	holds(t, store, stored)
}

// saveMany makes a hundred sessions of 8 kB at once.
func saveMany(t *testing.T, store *sqlite.Store, prefix string) {
	t.Helper()
	data := []byte(strings.Repeat("abcdefgh", 1000))
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if err := store.Save(t.Context(), fmt.Sprintf("%s%06d", prefix, i), session.Record{}, session.Record{Data: data, Expires: later}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
