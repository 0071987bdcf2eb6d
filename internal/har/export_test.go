package har

import "io"

// ReadLimited is Read of a file that may have so many bytes.
func ReadLimited(r io.Reader, most int64) (*Log, error) { return readLimited(r, most, nil) }
