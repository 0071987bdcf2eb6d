package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// exchangeFiles exchanges two files of a folder at once.
func exchangeFiles(folder *os.File, a, b string) error {
	fd := int(folder.Fd())
	return unix.Renameat2(fd, a, fd, b, unix.RENAME_EXCHANGE)
}
