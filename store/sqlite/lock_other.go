//go:build !unix

package sqlite

// isLocked answers no where an open file cannot be renamed anyway.
func isLocked(string) bool { return false }
