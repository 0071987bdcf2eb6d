package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	_ "modernc.org/sqlite" // the driver, which needs no C

	"github.com/lockstep-http/lockstep/store/sqlite"
)

// inSQLite opens a database for each stack: Lockstep's store/sqlite and scs's sqlite3store, both on
// modernc.org/sqlite, with a write-ahead log and synchronous=FULL, so that what one promises about
// a power cut the other does, too. What gorilla/sessions has of its own keeps sessions elsewhere.
func inSQLite() ([]*stack, func(), error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	open := opened{shut: []func(){func() { _ = os.RemoveAll(dir) }}}
	stacks := []*stack{open.lockstep(dir), open.peer(dir, "cop", withCrossOrigin), open.peer(dir, "nosurf", withNosurf)}
	if err := errors.Join(open.problems...); err != nil {
		open.close()
		return nil, nil, err
	}
	return stacks, open.close, nil
}

// opened is what was opened, and what went wrong.
type opened struct {
	shut     []func()
	problems []error
}

// close undoes everything, in the order in which that can be done.
func (o *opened) close() {
	for _, shut := range slices.Backward(o.shut) {
		shut()
	}
}

func (o *opened) lockstep(dir string) *stack {
	store, err := sqlite.Open(context.Background(), filepath.Join(dir, "lockstep.sqlite3"), sqlite.Options{})
	if err != nil {
		o.problems = append(o.problems, err)
		return nil
	}
	o.shut = append(o.shut, func() { _ = store.Close() })
	s, err := withLockstep(store)
	o.problems = append(o.problems, err)
	return s
}

const sessionsTable = "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL); " +
	"CREATE INDEX sessions_expiry_idx ON sessions(expiry)"

func (o *opened) peer(dir, name string, with func(scs.Store) *stack) *stack {
	source := url.URL{Scheme: "file", Path: filepath.Join(dir, name+".sqlite3"), RawQuery: url.Values{
		"_pragma": {"journal_mode(wal)", "synchronous(full)", "busy_timeout(10000)"},
	}.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err == nil {
		db.SetMaxOpenConns(1) // the cheapest for it: several wait for each other with timers
		o.shut = append(o.shut, func() { _ = db.Close() })
		_, err = db.ExecContext(context.Background(), sessionsTable)
	}
	if err != nil {
		o.problems = append(o.problems, err)
		return nil
	}
	return with(sqlite3store.NewWithCleanupInterval(db, 0))
}
