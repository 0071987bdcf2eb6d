// Command login is a small site with accounts, complete: signup, login, a page that needs the login,
// logout. Everybody is sent to https, cookies travel over https only, forged requests are refused, and
// sessions survive a restart. docs/tutorial.md goes through it.
//
// It keeps everything in one folder, in which it expects the certificate and its key:
//
//	mkdir login-data
//	cd login-data && go run "$(go env GOROOT)/src/crypto/tls/generate_cert.go" -host localhost -ecdsa-curve P256
//	go run ./examples/login -data login-data
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// Options are the flags.
type options struct {
	site        string // the host, with its port if it needs one, at which browsers reach the site over https
	http, https string // the addresses on which it listens
	data        string // the folder of everything that stays
}

func main() {
	var o options
	flag.StringVar(&o.site, "site", "localhost:8443", "the `host` of the site over https, with its port if it is not 443")
	flag.StringVar(&o.http, "http", "localhost:8080", "the `address` to listen on for http")
	flag.StringVar(&o.https, "https", "localhost:8443", "the `address` to listen on for https")
	flag.StringVar(&o.data, "data", "login-data", "the `folder` with cert.pem and key.pem, for accounts and sessions")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		slog.Error("the site ended", "reason", err)
		os.Exit(1)
	}
}

// run serves the site until ctx ends.
func run(ctx context.Context, o options) error {
	key, err := secretKey(filepath.Join(o.data, "secret-key"))
	if err != nil {
		return err
	}
	sessions, err := sqlite.Open(ctx, filepath.Join(o.data, "sessions.db"), sqlite.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer sessions.Close()
	people, err := openAccounts(ctx, filepath.Join(o.data, "accounts.db"))
	if err != nil {
		return err
	}
	defer people.Close()

	guard, err := lockstep.New(siteSettings(key, o.site), lockstep.Options{Sessions: sessions, Logger: slog.Default()})
	if err != nil {
		return err
	}
	app := &site{people}
	return serve(ctx, o, guard.Wrap(app.routes()))
}

// siteSettings are the recommended ones: https only, HSTS, cookies that are Secure and __Host-.
func siteSettings(secretKey, site string) lockstep.Settings {
	host, _, err := net.SplitHostPort(site)
	if err != nil {
		host = site // without a port
	}
	s := lockstep.Recommended(secretKey, host)
	s.SecureSSLHost = site // http and https have different ports here
	return s
}

// secretKey is the text in a file, made at the first start. Who knows it can forge sessions.
func secretKey(name string) (string, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(rand.Text() + rand.Text()) // 52 characters, 260 random bits
		err = os.WriteFile(name, text, 0o600)
	}
	return string(text), err
}

// serve hands http and https to one handler until ctx ends, and lets requests under way finish.
func serve(ctx context.Context, o options, h http.Handler) error {
	plain := &http.Server{Addr: o.http, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	secure := &http.Server{Addr: o.https, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 2)
	go func() { ended <- plain.ListenAndServe() }()
	go func() {
		ended <- secure.ListenAndServeTLS(filepath.Join(o.data, "cert.pem"), filepath.Join(o.data, "key.pem"))
	}()
	slog.Info("the site is up", "at", "https://"+o.site+"/")

	select {
	case err := <-ended:
		return errors.Join(err, plain.Close(), secure.Close())
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(plain.Shutdown(ending), secure.Shutdown(ending))
	}
}
