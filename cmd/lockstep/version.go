package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the Makefile when the checkout tells them.
var (
	version = ""
	date    = ""
)

type versionCommand struct{}

// Run prints the version, the revision and the Go release the program was built from.
func (versionCommand) Run(p *program) error { //nolint:unparam // as every command
	name, revision := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if name == "" {
			name = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	if name == "" {
		name = "(devel)"
	}
	if date != "" {
		name += " of " + date
	}
	fmt.Fprintf(p.stdout, "lockstep %s%s %s %s/%s\n", name, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
