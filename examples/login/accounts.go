package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"sync"
	"unicode/utf8"

	_ "modernc.org/sqlite" // the driver

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/django"
)

// Limits of what a person may type.
const (
	maxName     = 150  // characters
	minPassword = 8    // characters
	maxPassword = 4096 // bytes
)

// iterations are how slowly passwords are hashed: as Django 6.1 does. Tests do it faster.
var iterations = django.PasswordIterations("6.1")

// The table of accounts. AUTOINCREMENT never gives out an id again, so that a session of an account
// that was removed cannot become somebody else's.
const table = `CREATE TABLE IF NOT EXISTS account (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE COLLATE NOCASE,
	password TEXT NOT NULL
)`

// An account is a row of the table.
type account struct {
	id, name string
	password string // encoded as Django does: a salted hash
}

// user is what a login is bound to: when the password changes, its sessions end.
func (a account) user() lockstep.User { return lockstep.User{ID: a.id, Password: a.password} }

// Accounts are who may log in.
type accounts struct {
	*sql.DB
	nobody  string     // what no password matches, and which takes as long as one that exists
	hashing sync.Mutex // one password at a time, so that a flood of logins leaves time for pages
}

// A mistakeError tells a person what to type instead.
type mistakeError struct{ text string }

// Error implements error.
func (m *mistakeError) Error() string { return m.text }

func openAccounts(ctx context.Context, path string) (*accounts, error) {
	file := url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true}
	db, err := sql.Open("sqlite", file.String()+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
	if err != nil {
		return nil, fmt.Errorf("opening accounts: %w", err)
	}
	if _, err := db.ExecContext(ctx, table); err != nil {
		return nil, errors.Join(fmt.Errorf("opening accounts: %w", err), db.Close())
	}
	return &accounts{DB: db, nobody: fmt.Sprintf("pbkdf2_sha256$%d$%s$=", iterations, rand.Text())}, nil
}

// encode hashes a password as Django stores it.
func (s *accounts) encode(password string) (string, error) {
	s.hashing.Lock()
	defer s.hashing.Unlock()
	salt, err := django.PasswordSalt(rand.Reader)
	if err != nil {
		return "", err
	}
	return django.MakePassword(password, salt, iterations)
}

func (s *accounts) byID(ctx context.Context, id string) (account, error) {
	return s.find(ctx, `SELECT id, name, password FROM account WHERE id = ?`, id)
}

// find returns the account that a query finds; fs.ErrNotExist is how CurrentUser wants to hear of none.
func (s *accounts) find(ctx context.Context, query, argument string) (a account, err error) {
	err = s.QueryRowContext(ctx, query, argument).Scan(&a.id, &a.name, &a.password)
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, fmt.Errorf("finding an account: %w", fs.ErrNotExist)
	}
	return a, err
}

// create makes an account; a *mistakeError says what is wrong with the name or the password.
func (s *accounts) create(ctx context.Context, name, password string) (account, error) {
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name):
		return account{}, &mistakeError{"Choose a name of 1 to 150 characters."}
	case utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword:
		return account{}, &mistakeError{"Choose a password of at least 8 characters."}
	}
	encoded, err := s.encode(password)
	if err != nil {
		return account{}, err
	}
	a := account{name: name, password: encoded}
	const insert = `INSERT INTO account (name, password) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id`
	err = s.QueryRowContext(ctx, insert, name, encoded).Scan(&a.id)
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, &mistakeError{"There is an account of that name already."}
	}
	return a, err
}

// authenticate returns the account of a name if the password is right. A name that nobody has takes
// as long as one with a wrong password, so that the time does not tell who has an account.
func (s *accounts) authenticate(ctx context.Context, name, password string) (account, bool, error) {
	a, err := s.find(ctx, `SELECT id, name, password FROM account WHERE name = ?`, name)
	unknown := errors.Is(err, fs.ErrNotExist)
	if unknown {
		a.password = s.nobody
	} else if err != nil {
		return account{}, false, err
	}
	if len(password) > maxPassword {
		password = "" // never accepted, and not worth hashing
	}
	s.hashing.Lock()
	defer s.hashing.Unlock()
	matches, err := django.CheckPassword(password, a.password)
	return a, matches && !unknown, err
}
