package scenario

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/store/sqlite"
)

// iterations of the hasher of passwords: a scenario's account is nobody's, and ends with it.
const iterations = 1000

// open puts the site of the demo in the place of the app, with one account; over real sockets everything is
// in files of SQLite.
func (w *world) open(name, password string) error {
	if !w.sockets {
		return w.openInMemory(name, password)
	}
	dir, err := os.MkdirTemp("", "lockstep-scenario-")
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() { os.RemoveAll(dir) })
	sessions, err := sqlite.Open(w.ctx, filepath.Join(dir, "sessions.sqlite3"), sqlite.Options{Now: w.now})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() { sessions.Close() })
	db, err := sql.Open("sqlite", filepath.Join(dir, "accounts.sqlite3"))
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() { db.Close() })
	w.store.Store = sessions
	return w.populate(db, name, password)
}

// openInMemory is open where nothing is to be on a disk: the accounts are in SQLite still, the sessions in the
// store that the world has.
func (w *world) openInMemory(name, password string) error {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1) // each connection has a database of its own
	w.closers = append(w.closers, func() { db.Close() })
	return w.populate(db, name, password)
}

func (w *world) populate(db *sql.DB, name, password string) error {
	accounts, err := site.OpenAccounts(w.ctx, db, site.AccountsOptions{Iterations: iterations, Now: w.now})
	if err != nil {
		return err
	}
	if _, err := accounts.Create(w.ctx, name, password); err != nil {
		return err
	}
	w.accounts, w.guard = accounts, nil
	return nil
}

// front puts the Guard in front of what it guards: the site, if one was opened, or the app.
func (w *world) front(cookie string) http.Handler {
	if w.accounts == nil {
		return w.guard.Wrap(w.app)
	}
	s := site.New(site.Config{Accounts: w.accounts, SessionCookie: cookie, Now: w.now})
	w.closers = append(w.closers, s.Close)
	return s.Observe(w.guard.Wrap(s))
}

func parseSite(rest string) (func(*world) error, error) {
	words := strings.Fields(rest)
	if len(words) != 2 {
		return nil, fmt.Errorf("want NAME PASSWORD")
	}
	return func(w *world) error { return w.open(words[0], words[1]) }, nil
}
