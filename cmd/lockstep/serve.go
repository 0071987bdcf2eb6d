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
	"strings"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/rule"
	"github.com/lockstep-http/lockstep/session"
)

// Limits of the site for a person's browser.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = time.Minute
	maxHeader     = 32 << 10
	grace         = 2 * time.Second // for requests under way when it is stopped
)

// serve keeps the site up until ctx ends.
func (c *demoCommand) serve(ctx context.Context, p *program) error {
	host, port, err := c.address()
	if err != nil {
		return err
	}
	base := scenario.LessonSettings("localhost", "127.0.0.1", "[::1]")
	if _, err := c.settings(base); err != nil { // before anything is written
		return err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	kept, err := c.openState(ctx, log)
	if err != nil {
		return err
	}
	defer kept.Close()
	base.SecretKey = kept.secretKey
	s, err := c.settings(base)
	if err != nil {
		return err
	}
	guard, err := lockstep.New(s, lockstep.Options{Logger: log, Sessions: kept.store(s)})
	if err != nil {
		return settingsMistake(err)
	}
	if err := c.writeCA(kept.authority); err != nil {
		return err
	}
	login, err := demoAccount(ctx, kept.accounts)
	if err != nil {
		return err
	}
	l, taken, err := listen.Local(ctx, host, port)
	if err != nil {
		return &failure{err, "give another address, such as --listen localhost:9443"}
	}
	c.announce(p, kept, login, host, port, taken)
	person := site.New(site.Config{Accounts: kept.accounts, SessionCookie: s.SessionCookieName, Logger: log})
	return c.up(ctx, listen.Both(l, kept.authority.ServerConfig(time.Now, kept.certificate)), told(p, person.Observe(guard.Wrap(person))), person.Close)
}

// openState opens what is kept, where the flags say.
func (c *demoCommand) openState(ctx context.Context, log *slog.Logger) (*state, error) {
	dir := c.State
	switch {
	case c.Memory && dir != "":
		return nil, &usageError{errors.New("--memory keeps nothing, and --state says where"), "leave one of them out"}
	case !c.Memory && dir == "":
		var err error
		if dir, err = stateDir(); err != nil {
			return nil, cannotKeep(dir, err)
		}
	}
	return openState(ctx, dir, log, time.Now())
}

// store is where sessions are kept under settings that may keep them in the cookie.
func (s *state) store(settings lockstep.Settings) session.Store {
	if strings.HasSuffix(settings.SessionEngine, ".signed_cookies") {
		return nil
	}
	return s.sessions
}

func (c *demoCommand) writeCA(a *cert.Authority) error {
	if c.CAOut == "" {
		return nil
	}
	if err := os.WriteFile(c.CAOut, a.PEM(), 0o644); err != nil { //nolint:gosec // a certificate is public
		return &failure{fmt.Errorf("writing the CA: %w", err), "give --ca-out a file in a folder that can be written"}
	}
	return nil
}

// demoName is the account that a new site has.
const demoName = "demo"

// demoAccount makes an account when there is none yet, and returns its password, or "".
func demoAccount(ctx context.Context, accounts *site.Accounts) (password string, err error) {
	empty, err := accounts.Empty(ctx)
	if err != nil || !empty {
		return "", err
	}
	return accounts.CreateDrawn(ctx, demoName)
}

// up serves until ctx ends, and then calls ending and lets requests under way finish.
func (c *demoCommand) up(ctx context.Context, l net.Listener, h http.Handler, ending func()) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // a browser that declines the certificate
	}
	server.RegisterOnShutdown(ending)
	return serveUntil(ctx, server, l)
}

func (c *demoCommand) address() (host string, port int, err error) {
	return loopbackAddress(cmp.Or(c.Listen, "localhost:8443"), "the demo's site", "localhost:8443")
}

func (c *demoCommand) announce(p *program, kept *state, password, host string, asked, taken int) {
	at := net.JoinHostPort(host, strconv.Itoa(taken))
	if taken != asked && asked != 0 {
		fmt.Fprintf(p.stdout, "Port %d is busy, so it listens on %d.\n", asked, taken)
	}
	for _, notice := range kept.notices {
		fmt.Fprintf(p.stdout, "Note: %s\n", notice)
	}
	fmt.Fprintf(p.stdout, `The site of the lesson is up%s. Ctrl-C stops it.

  http://%s/            is redirected to
  https://%s/           the site: a counter, a login, an account
  https://%s/verdicts   what is decided about your requests, as they arrive

`, c.under(), at, at, at)
	if password != "" {
		fmt.Fprintf(p.stdout, "Log in as %s with the password %s (it is shown this once), or make an account of your own.\n\n", demoName, password)
	}
	fmt.Fprint(p.stdout, kept.about(), "\n", c.aboutCA(), `
On localhost browsers count plain HTTP as secure enough, send Secure cookies over it, and ignore HSTS. So the last
step of the lesson shows the opposite there; lockstep demo runs it under shop.test, where it holds.

`)
}

// about tells a person what is kept, and about the certificate.
func (s *state) about() string {
	if s.dir == "" {
		return `Nothing is kept: accounts, sessions and keys end with this process.

Your browser does not know the certificate, for it was made a moment ago by an authority that ends with this
process. Go on past the warning ("Advanced", then "Proceed" or "Accept the risk").`
	}
	return fmt.Sprintf(`Accounts, sessions and keys are kept in %s
and are there again at the next start; another program may use them at the same time. --memory keeps nothing.

Your browser does not know the certificate, for it was made here. Go on past the warning ("Advanced", then
"Proceed" or "Accept the risk"); at the next start it is the same certificate.`, s.dir)
}

func (c *demoCommand) aboutCA() string {
	if c.CAOut != "" {
		return fmt.Sprintf("Or trust it: %s holds the authority, for curl --cacert and lockstep trace --cacert.\n", c.CAOut)
	}
	return "Or trust it: --ca-out FILE writes the authority, for curl --cacert and lockstep trace --cacert.\n"
}

// told prints one line for each request: what the Guard decided, as it happens.
func told(p *program, h http.Handler) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var text string
		ctx := rule.WithWatch(r.Context(), func(v rule.Verdict) {
			switch v.Question {
			case rule.IsSecure, rule.AllowHost, rule.RedirectToHTTPS, rule.CheckCSRF, rule.LoadSession, rule.IsAuthenticated, rule.SaveSession:
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
