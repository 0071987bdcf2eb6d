package main

import (
	"fmt"
	"io"

	"github.com/lockstep-http/lockstep/internal/trace"
)

// writeRows writes the execution table of a scenario whose visits have titles, below its requests.
func writeRows(w io.Writer, run trace.Run) error {
	s, err := tell(run, "")
	if err != nil {
		return err
	}
	order := make([]int, len(s.Steps))
	for i := range order {
		order[i] = i + 1
	}
	fmt.Fprintln(w)
	s.WriteRows(w, order, nil)
	return nil
}
