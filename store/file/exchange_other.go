//go:build !linux

package file

import (
	"errors"
	"os"
)

// exchangeFiles cannot exchange files here.
func exchangeFiles(*os.File, string, string) error { return errors.ErrUnsupported }
