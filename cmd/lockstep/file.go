package main

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
)

// replaceFile writes a file that only its owner can read. Who reads it meanwhile, and whoever is left when
// the program is killed, has the old one or the new one, whole.
func replaceFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	err = write(f)
	err = cmp.Or(err, f.Sync())
	if err = cmp.Or(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
