package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/rule"
)

// Limits of the site for a person's browser.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = time.Minute
	maxHeader     = 32 << 10
	grace         = 2 * time.Second // for requests under way when it is stopped
)

// serve keeps the site of the lesson up until ctx ends.
func (c *demoCommand) serve(ctx context.Context, p *program) error {
	host, port, err := c.address()
	if err != nil {
		return err
	}
	s, err := c.settings(scenario.LessonSettings("localhost", "127.0.0.1", "[::1]"))
	if err != nil {
		return err
	}
	guard, err := lockstep.New(s, lockstep.Options{Logger: slog.New(slog.NewTextHandler(p.stderr, nil))})
	if err != nil {
		return settingsMistake(err)
	}
	authority, err := cert.NewAuthority(time.Now())
	if err != nil {
		return err
	}
	if c.CAOut != "" {
		if err := os.WriteFile(c.CAOut, authority.PEM(), 0o644); err != nil { //nolint:gosec // a certificate is public
			return &failure{fmt.Errorf("writing the CA: %w", err), "give --ca-out a file in a folder that can be written"}
		}
	}
	l, taken, err := listen.Local(ctx, host, port)
	if err != nil {
		return &failure{err, "give another address, such as --listen localhost:9443"}
	}
	c.announce(p, host, port, taken)
	app := &site.App{Default: site.Page{Do: site.Home(s.SessionCookieName)}}
	app.Set("/favicon.ico", site.Page{Status: http.StatusNotFound})
	return c.up(ctx, listen.Both(l, authority.ServerConfig(time.Now)), told(p, guard.Wrap(app)))
}

// up serves until ctx ends, and then lets requests under way finish.
func (c *demoCommand) up(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // a browser that declines the certificate
	}
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(ending) != nil {
			server.Close()
		}
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (c *demoCommand) address() (host string, port int, err error) {
	listen := cmp.Or(c.Listen, "localhost:8443")
	host, text, err := net.SplitHostPort(listen)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, &usageError{fmt.Errorf("--listen %q is not HOST:PORT with a port up to 65535", listen), "such as --listen localhost:8443"}
	}
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return "", 0, &usageError{fmt.Errorf("--listen %q is not on loopback", listen), "the demo's site is for this machine only: --listen localhost:8443"}
	}
	return host, port, nil
}

func (c *demoCommand) announce(p *program, host string, asked, taken int) {
	at := net.JoinHostPort(host, strconv.Itoa(taken))
	if taken != asked && asked != 0 {
		fmt.Fprintf(p.stdout, "Port %d is busy, so it listens on %d.\n", asked, taken)
	}
	fmt.Fprintf(p.stdout, `The site of the lesson is up%s. Ctrl-C stops it.

  http://%s/    is redirected to
  https://%s/   the page: a visit counter in a session

Your browser does not know the certificate, for it was made a moment ago by an authority that ends with this
process. Go on past the warning ("Advanced", then "Proceed" or "Accept the risk").
`, c.under(), at, at)
	if c.CAOut != "" {
		fmt.Fprintf(p.stdout, "Or trust it: %s holds the authority, for curl --cacert and lockstep trace --cacert.\n", c.CAOut)
	} else {
		fmt.Fprintln(p.stdout, "Or trust it: --ca-out FILE writes the authority, for curl --cacert and lockstep trace --cacert.")
	}
	fmt.Fprint(p.stdout, `
On localhost browsers count plain HTTP as secure enough, send Secure cookies over it, and ignore HSTS. So the last
step of the lesson shows the opposite there; lockstep demo runs it under shop.test, where it holds.

`)
}

// told prints one line for each request: what the Guard decided, as it happens.
func told(p *program, h http.Handler) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var text string
		ctx := rule.WithWatch(r.Context(), func(v rule.Verdict) {
			switch v.Question {
			case rule.IsSecure, rule.AllowHost, rule.RedirectToHTTPS, rule.LoadSession, rule.SaveSession:
				text += " " + string(v.Rule)
			default: // the rest is what lockstep demo -v is for
			}
		})
		h.ServeHTTP(w, r.WithContext(ctx))
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(p.stdout, "%s %s %q:%s\n", time.Now().Format(time.TimeOnly), r.Method, r.URL.Path, text)
	})
}
