package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// A machine is where and when something was measured.
type machine struct {
	when  time.Time
	loads []string // the load average of a minute, at the beginning and at the end
}

func (m *machine) look() {
	text, _ := os.ReadFile("/proc/loadavg") // not on every system
	if load, _, found := strings.Cut(string(text), " "); found {
		m.loads = append(m.loads, load)
	}
}

func (m *machine) write(b *strings.Builder, p plan) {
	fmt.Fprintf(b, "Measured on %s: %s, %d processors, %s/%s, %s", m.when.UTC().Format("2 January 2006"),
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if len(m.loads) == 2 {
		fmt.Fprintf(b, "; the load of the machine was %s before and %s after", m.loads[0], m.loads[1])
	}
	fmt.Fprintf(b, ". Medians of %d rounds.\nPeers: %s.\n", p.rounds, peers())
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // not on every system
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "a processor that does not tell its name"
}

// peers lists the libraries that this program was built with, and their versions.
func peers() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown versions"
	}
	var found []string
	for _, m := range info.Deps {
		for _, of := range []string{"alexedwards/scs/v2", "gorilla/csrf", "gorilla/sessions", "justinas/nosurf", "unrolled/secure", "modernc.org/sqlite"} {
			if strings.HasSuffix(m.Path, of) {
				found = append(found, strings.TrimPrefix(m.Path, "github.com/")+" "+m.Version)
			}
		}
	}
	return strings.Join(append(found, "CrossOriginProtection of net/http"), ", ")
}
