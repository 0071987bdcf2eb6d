package scenario

import (
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// Holds reports whether a verdict of the run was decided by id, would have been, or notes it.
func Holds(run trace.Run, id rule.ID, subject string) bool {
	_, ok := find(run, id, subject)
	return ok
}
