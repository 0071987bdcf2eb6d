//go:build unix

package sqlite

import (
	"os"
	"syscall"
)

// The bytes that SQLite locks, whatever is there (PENDING_BYTE to the end of SHARED_SIZE).
const (
	lockStart  = 0x40000000
	lockLength = 512
)

// isLocked reports whether another process has the database open. In WAL mode a connection holds
// a lock from its first read to its end.
func isLocked(path string) bool {
	file, err := os.Open(path) //nolint:gosec // the store itself
	if err != nil {
		return false
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: lockStart, Len: lockLength}
	err = syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock)
	return err == nil && lock.Type != syscall.F_UNLCK
}
