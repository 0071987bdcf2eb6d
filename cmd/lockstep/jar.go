package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// openJar is the browser that remembers what a file has, and nil for a file that is not there yet.
func openJar(name string, now time.Time) (*browser.Browser, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // there is none
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("it is no file")
	}
	if err != nil {
		return nil, &usageError{fmt.Errorf("opening --jar %q: %w", name, err), "name a file, or one that is not there yet"}
	}
	if err := onlyOwner(name, info); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, &failure{fmt.Errorf("opening --jar: %w", err), "name a file that you may read and write"}
	}
	defer f.Close()
	b, err := trace.ReadJar(f, now)
	if err != nil {
		return nil, &failure{fmt.Errorf("reading --jar %q: %w", name, err), "lockstep forget --jar " + name + " begins anew, if this was a jar"}
	}
	return b, nil
}

func saveJar(name string, b *browser.Browser, now time.Time) error {
	if err := replaceFile(name, func(w io.Writer) error { return trace.WriteJar(w, b, now) }); err != nil {
		return &failure{fmt.Errorf("keeping --jar: %w", err), "name a file in a folder that can be written"}
	}
	return nil
}

type forgetCommand struct {
	Jar string `env:"LOCKSTEP_JAR" placeholder:"FILE" help:"The file. Default: ${env}."`
}

// Run removes a jar, and nothing that is none.
func (c *forgetCommand) Run(p *program) error {
	if c.Jar == "" {
		return &usageError{errors.New("no jar to forget"), "name the file: lockstep forget --jar FILE; or set LOCKSTEP_JAR"}
	}
	f, err := os.Open(c.Jar)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(p.stdout, "%s is not there: nothing is remembered in it.\n", c.Jar)
		return nil
	}
	if err != nil {
		return &failure{fmt.Errorf("forgetting: %w", err), "name a file that you may read and remove"}
	}
	isJar := trace.IsJar(f)
	f.Close()
	if !isJar {
		return &failure{fmt.Errorf("forgetting: %q is no jar of trace --jar, so it is left alone", c.Jar), "if it is to go all the same, remove it yourself"}
	}
	if err := os.Remove(c.Jar); err != nil {
		return &failure{fmt.Errorf("forgetting: %w", err), "name a file that you may remove"}
	}
	fmt.Fprintf(p.stdout, "%s is removed: what the browser remembered in it is forgotten.\n", c.Jar)
	return nil
}
