package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/lockstep-http/lockstep/internal/lab"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

type labCommand struct {
	Listen    string `placeholder:"HOST:PORT" help:"Where the page is, on loopback. Default: localhost:8400, or the next port that is free."`
	Scenarios string `placeholder:"DIR" type:"path" help:"A folder with scenario files of your own, which are shown beside those that come with the lab."`
}

// Help is shown below the flags.
func (*labCommand) Help() string {
	return `A page on which the lesson, and every other scenario, is run, changed and run again: what it shows comes from the real Guard and the real browser model under the settings on the screen. It is for this machine alone, keeps nothing, sends nothing elsewhere, and opens no browser by itself.

Examples:
  lockstep lab
  lockstep lab --listen localhost:9400
  lockstep lab --scenarios ./scenarios`
}

// labPort is where the lab listens when nobody says otherwise.
const labPort = 8400

// Run serves the lab until ctx ends.
func (c *labCommand) Run(ctx context.Context, p *program) error {
	host, port, err := c.address()
	if err != nil {
		return err
	}
	catalogue, err := scenario.NewCatalogue()
	if err != nil {
		return err
	}
	library, err := lesson.New(lesson.Options{Dir: c.Scenarios, Catalogue: catalogue})
	if err != nil {
		return scenariosMistake(c.Scenarios, err)
	}
	l, taken, err := listen.Local(ctx, host, port)
	if err != nil {
		return &failure{err, "give another address, such as --listen localhost:9400"}
	}
	if c.Listen != "" && port != 0 && taken != port {
		l.Close()
		return &failure{fmt.Errorf("listening on %s: the port is busy", c.Listen), "leave --listen out, and a port that is free is taken"}
	}
	server, err := lab.New(lab.Options{Library: library, Catalogue: catalogue, Host: host, Port: taken})
	if err != nil {
		l.Close()
		return err
	}
	defer server.Close()
	if c.Listen == "" && taken != port {
		fmt.Fprintf(p.stdout, "Port %d is busy, so it listens on %d.\n", port, taken)
	}
	fmt.Fprintf(p.stdout, "The lab is at http://%s/. Ctrl-C stops it.\n", net.JoinHostPort(host, strconv.Itoa(taken)))
	return up(ctx, l, server)
}

// up serves the lab until ctx ends, and lets requests under way finish.
func up(ctx context.Context, l net.Listener, s *lab.Server) error {
	server := s.HTTP()
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) // clients that hang up
	server.RegisterOnShutdown(s.End)
	return serveUntil(ctx, server, l)
}

// serveUntil serves until ctx ends, and then lets requests under way finish for a moment.
func serveUntil(ctx context.Context, server *http.Server, l net.Listener) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(ending) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() { // Serve returns as soon as it is being stopped
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (c *labCommand) address() (host string, port int, err error) {
	if c.Listen == "" {
		return "localhost", labPort, nil
	}
	return loopbackAddress(c.Listen, "the lab", "localhost:8400")
}

// loopbackAddress reads a flag --listen, which names a port on this machine.
func loopbackAddress(listen, what, example string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, &usageError{fmt.Errorf("--listen %q is not HOST:PORT with a port up to 65535", listen), "such as --listen " + example}
	}
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return "", 0, &usageError{fmt.Errorf("--listen %q is not on loopback", listen), what + " is for this machine only: --listen " + example}
	}
	return host, port, nil
}

// scenariosMistake is that there is no folder dir for --scenarios, or that its files cannot be read.
func scenariosMistake(dir string, err error) error {
	if info, statErr := os.Stat(dir); statErr != nil || !info.IsDir() {
		return &usageError{fmt.Errorf("--scenarios %q is not a folder that can be read", dir), "name a folder of files that end in .scenario; docs/how-to/add-a-scenario.md tells how to write one"}
	}
	return &usageError{err, "docs/reference/scenarios.md has the language of scenarios"}
}
