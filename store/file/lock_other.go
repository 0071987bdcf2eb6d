//go:build !unix

package file

import (
	"os"
	"time"
)

// tryLock locks nothing: elsewhere one process at a time has the folder, and its goroutines wait for
// each other by themselves.
func tryLock(*os.File) (bool, error) { return true, nil }

// syncFolder does nothing where folders cannot be synchronised.
func syncFolder(*os.File) error { return nil }

// setTime sets when a file was changed.
func (s *Store) setTime(temp *temporary, changed time.Time) error {
	return s.root.Chtimes(temp.name, time.Time{}, changed)
}
