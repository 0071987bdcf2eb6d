package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// mount mounts a file system in memory, for who may.
func mount(t testing.TB, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("cannot mount a small disk: run the tests as root, in a container that may (%v)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// smallDisk is a folder of 16 MB, until grow makes it larger.
func smallDisk(t testing.TB) (dir string, grow func()) {
	t.Helper()
	dir = mount(t, "size=16m")
	return dir, func() {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFull fills the disk. What is there is read, what is new is an error, until there is room again.
func TestFull(t *testing.T) {
	dir, grow := smallDisk(t)
	store, _ := open(t, filepath.Join(dir, "sessions.db"))
	stored := map[string]session.Record{}
	var full error
	for i := 0; full == nil && i < 100_000; i++ {
		key := fmt.Sprintf("%032d", i)
		r := record(strings.Repeat("a session ", 200))
		if full = store.Save(t.Context(), key, session.Record{}, r); full == nil {
			stored[key] = r
		}
	}
	if full == nil || !strings.Contains(full.Error(), "free some space") {
		t.Fatalf("%d sessions, and then error %v", len(stored), full)
	}
	holds(t, store, stored)
	grow()
	insertMore(t, store)
	holds(t, store, stored)
}

// TestReadOnly has a disk that cannot be written: Open is an error, of a new file too, and changes nothing.
func TestReadOnly(t *testing.T) {
	dir := mount(t, "size=64m")
	path := filepath.Join(dir, "sessions.db")
	store, _ := open(t, path)
	stored := insert(t, store, 10)
	store.Close()
	readOnly(t, dir, syscall.MS_RDONLY)
	defer readOnly(t, dir, 0)
	_, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("opening: %v", err)
	}
	if _, err := sqlite.Open(t.Context(), path+"-new", sqlite.Options{}); err == nil {
		t.Error("made a file on a disk that cannot be written")
	}
	readOnly(t, dir, 0)
	store, log := open(t, path)
	holds(t, store, stored)
	if err := store.Save(t.Context(), aKey, session.Record{}, record("x")); err != nil || log.String() != "" {
		t.Errorf("error %v, log %s", err, log)
	}
}

func readOnly(t testing.TB, dir string, flag uintptr) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flag, "size=64m"); err != nil {
		t.Fatal(err)
	}
}
