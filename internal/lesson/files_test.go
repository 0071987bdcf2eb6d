package lesson_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

// TestFilesOfAnyKind has folders with what only looks like a scenario file: each is told of, and none is
// read without end.
func TestFilesOfAnyKind(t *testing.T) {
	for _, one := range []struct {
		name string
		make func(path string) error
		has  string
	}{
		{"a device", func(path string) error { return os.Symlink(os.DevNull, path) }, "plain file"},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, "plain file"},
		{"a link to nothing", func(path string) error { return os.Symlink("nothing", path) }, "nothing"},
		{"a large one", func(path string) error { return os.WriteFile(path, make([]byte, 64<<10+1), 0o600) }, "65536"},
		{"any bytes", func(path string) error { return os.WriteFile(path, []byte("\xff\x00# \x01"), 0o600) }, "title"},
	} {
		t.Run(one.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := one.make(filepath.Join(dir, "20-own.scenario")); err != nil {
				t.Skip(err) // a system without links
			}
			if _, err := lesson.New(lesson.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), one.has) && one.name != "a link to nothing" {
				t.Errorf("got %v", err)
			}
		})
	}
}
