//go:build unix

package file

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tryLock locks an open file, as long as it is open, if nobody has.
func tryLock(file *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, os.NewSyscallError("flock", err)
		}
	}
}

func syncFolder(folder *os.File) error { return folder.Sync() }

// setTime sets when a file was changed. [os.Root.Chtimes] ends in the year 2262.
func (s *Store) setTime(temp *temporary, changed time.Time) error {
	at := unix.Timespec{}
	at.Sec, at.Nsec = sized(at.Sec, changed.Unix()), sized(at.Nsec, int64(changed.Nanosecond()))
	return unix.UtimesNanoAt(int(s.handle.Fd()), temp.name, []unix.Timespec{at, at}, 0)
}

// sized returns v in the type of like, which is another on another system.
func sized[T int32 | int64](_ T, v int64) T { return T(v) }
