//go:build unix

package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/file"
)

// TestNotAFile has folders, pipes and links in the place of a session. None is waited for or left
// through, and no error tells the key.
func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, file.Options{})
	for i, put := range []func(path string) error{
		func(path string) error { return os.Mkdir(path, 0o700) },
		func(path string) error { return syscall.Mkfifo(path, 0o600) },
		func(path string) error { return os.Symlink(secret, path) },
	} {
		key := fmt.Sprintf("%032d", i)
		path := filepath.Join(dir, "sessionid"+key)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		r, loadErr := s.Load(t.Context(), key)
		for _, err := range []error{loadErr, s.Save(t.Context(), key, session.Record{}, record("x")), s.Save(t.Context(), key, record("secret"), record("x"))} {
			if err == nil || strings.Contains(err.Error(), key) {
				t.Errorf("%d: %q, error %v", i, r.Data, err)
			}
		}
	}
	if data, _ := os.ReadFile(secret); string(data) != "secret" {
		t.Errorf("what a link led to is %q", data)
	}
}
