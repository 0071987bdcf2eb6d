package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// The files of a state. The key that signs sessions is in none of the databases, so that who copies a
// database cannot make a session.
const (
	secretKeyFile   = "secret-key"
	authorityFile   = "authority.pem"
	certificateFile = "certificate.pem"
	sessionsFile    = "sessions.sqlite3"
	accountsFile    = "accounts.sqlite3"
)

// minSecretKey is how long a secret key at least is; those made here have 52 characters.
const minSecretKey = 50

// A state is what the site of the demo keeps from one run to the next, so that who is logged in stays
// so even when the program is killed. Several programs may use one at the same time.
type state struct {
	dir         string // "": in memory, and nothing is kept
	secretKey   string
	authority   *cert.Authority
	certificate tls.Certificate // for localhost, which a browser may have an exception for
	sessions    session.Store
	accounts    *site.Accounts
	notices     []string // what a person should be told of

	closers []io.Closer
}

// Close closes the databases.
func (s *state) Close() error {
	errs := make([]error, 0, len(s.closers))
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// stateDir is where the state is kept when nobody says otherwise.
func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "lockstep", "demo"), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir()
		return filepath.Join(dir, "lockstep", "demo"), err
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "lockstep", "demo"), err
}

// openState opens the state in dir, which is made if it is not there, or one in memory for "".
func openState(ctx context.Context, dir string, log *slog.Logger, now time.Time) (_ *state, err error) {
	s := &state{dir: dir}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, cannotKeep(dir, err)
		}
		if err := checkFolder(dir); err != nil {
			return nil, err
		}
	}
	for _, open := range []func() error{
		s.openSecretKey,
		func() error { return s.openAuthority(now) },
		func() error { return s.openSessions(ctx, log) },
		func() error { return s.openAccounts(ctx) },
	} {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// checkFolder refuses a folder into which everybody writes: the accounts there may be anybody's.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return cannotKeep(dir, err)
	}
	if mode := info.Mode().Perm(); mode&0o002 != 0 && runtime.GOOS != "windows" {
		return &failure{
			fmt.Errorf("keeping the state of the site in %q: everybody can write to it (mode %04o)", dir, mode),
			"if nobody else has: chmod go-w " + dir,
		}
	}
	return nil
}

func cannotKeep(dir string, err error) error {
	return &failure{fmt.Errorf("keeping the state of the site in %q: %w", dir, err), "--state DIR keeps it in another folder, --memory keeps nothing"}
}

func (s *state) openSecretKey() error {
	key, err := s.keep(secretKeyFile, func() ([]byte, error) { return []byte(rand.Text() + rand.Text() + "\n"), nil })
	if err != nil {
		return err
	}
	s.secretKey = strings.TrimSpace(string(key))
	if len(s.secretKey) < minSecretKey {
		path := filepath.Join(s.dir, secretKeyFile)
		return &failure{fmt.Errorf("reading the secret key: %q is damaged", path), "remove the file, and a new key is made; everybody has to log in again"}
	}
	return nil
}

// openAuthority reads the authority and the certificate. They can be made anew, for all that is lost is a
// browser's exception; so damage is told of and mended.
func (s *state) openAuthority(now time.Time) error {
	text, err := s.keep(authorityFile, func() ([]byte, error) { return newAuthority(now) })
	if err != nil {
		return err
	}
	s.authority, err = cert.ParseAuthority(text, now)
	if err != nil {
		s.notice("%v. A new one is made, and your browser will warn of it again.", err)
		if text, err = s.renew(authorityFile, func() ([]byte, error) { return newAuthority(now) }); err != nil {
			return err
		}
		if s.authority, err = cert.ParseAuthority(text, now); err != nil {
			return err
		}
	}
	issue := func() ([]byte, error) { return newCertificate(s.authority, now) }
	text, err = s.keep(certificateFile, issue)
	if err != nil {
		return err
	}
	s.certificate, err = s.authority.ParseIssued(text, now)
	if err == nil {
		return nil
	}
	if text, err = s.renew(certificateFile, issue); err != nil { // it ends after some weeks
		return err
	}
	s.certificate, err = s.authority.ParseIssued(text, now)
	return err
}

func newAuthority(now time.Time) ([]byte, error) {
	a, err := cert.NewAuthority(now)
	if err != nil {
		return nil, err
	}
	return a.Bundle()
}

func newCertificate(a *cert.Authority, now time.Time) ([]byte, error) {
	c, err := a.Issue(now, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return nil, err
	}
	return cert.Bundle(c)
}

// openSessions opens the store of sessions. It sets a damaged file aside by itself, and tells log.
func (s *state) openSessions(ctx context.Context, log *slog.Logger) error {
	if s.dir == "" {
		s.sessions = new(session.Memory)
		return nil
	}
	path := filepath.Join(s.dir, sessionsFile)
	store, err := sqlite.Open(ctx, path, sqlite.Options{Logger: log})
	if err != nil {
		return &failure{err, moveAway("sessions", path)}
	}
	s.sessions = store
	s.closers = append(s.closers, store)
	return nil
}

// openAccounts opens the accounts. Unlike sessions they are never set aside: a person should know, and
// decide, before accounts are gone.
func (s *state) openAccounts(ctx context.Context) error {
	path := filepath.Join(s.dir, accountsFile)
	source := "file::memory:"
	if s.dir != "" {
		// SQLite gives the files beside it the mode that this one has.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return cannotKeep(s.dir, err)
		}
		f.Close()
		source = accountsSource(path)
	}
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, db)
	if s.dir == "" {
		db.SetMaxOpenConns(1) // another connection is another database
	}
	if err := checkDatabase(ctx, db); err != nil {
		return &failure{
			fmt.Errorf("opening accounts in %q: %w", path, err),
			moveAway("accounts", path),
		}
	}
	s.accounts, err = site.OpenAccounts(ctx, db, site.AccountsOptions{})
	if err != nil {
		return &failure{fmt.Errorf("opening accounts in %q: %w", path, err), moveAway("accounts", path)}
	}
	return nil
}

// moveAway says how to begin anew when a file cannot be used.
func moveAway(what, path string) string {
	return fmt.Sprintf("if it is damaged, move it away and begin without its %s: mv %s %s.broken; or --state DIR takes another folder", what, path, path)
}

// accountsSource is the file for the driver. Each change of an account reaches the disk before it is
// answered.
func accountsSource(path string) string {
	u := url.URL{
		Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path),
		RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)",
	}
	return u.String()
}

func checkDatabase(ctx context.Context, db *sql.DB) error {
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("the file is damaged: %s", found)
	}
	return nil
}

func (s *state) notice(format string, args ...any) {
	s.notices = append(s.notices, fmt.Sprintf(format, args...))
}

// keep returns what is in a file of the state, which only its owner can read. If it is not there, it is
// made: of two programs that do so at one time, both get what the first one made.
func (s *state) keep(name string, contents func() ([]byte, error)) ([]byte, error) {
	if s.dir == "" {
		return contents()
	}
	path := filepath.Join(s.dir, name)
	text, err := readPrivate(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if text, err = contents(); err != nil {
		return nil, err
	}
	temporary, err := s.write(name, text)
	if err != nil {
		return nil, cannotKeep(s.dir, err)
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, cannotKeep(s.dir, err)
	}
	return readPrivate(path)
}

// renew replaces what is in a file of the state.
func (s *state) renew(name string, contents func() ([]byte, error)) ([]byte, error) {
	text, err := contents()
	if err != nil || s.dir == "" {
		return text, err
	}
	temporary, err := s.write(name, text)
	if err == nil {
		err = os.Rename(temporary, filepath.Join(s.dir, name))
	}
	if err != nil {
		return nil, cannotKeep(s.dir, err)
	}
	return text, nil
}

// write puts text into a new file beside the one called name, safe on the disk.
func (s *state) write(name string, text []byte) (path string, err error) {
	f, err := os.CreateTemp(s.dir, name+".*") // with mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	err = cmp.Or(err, f.Sync())
	if err = cmp.Or(err, f.Close()); err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}

// readPrivate reads a file that holds a secret, and refuses one that others can read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := onlyOwner(path, info); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// onlyOwner refuses a file with a secret that others can read.
func onlyOwner(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return &failure{
			fmt.Errorf("reading %q: others can read it too (mode %04o), and it holds a secret", path, mode),
			"if nobody else has read it: chmod 600 " + path,
		}
	}
	return nil
}
