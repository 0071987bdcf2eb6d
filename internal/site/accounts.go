package site

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/django"
)

// Limits of accounts.
const (
	MaxAccounts     = 10_000 // then nobody can sign up
	maxUsername     = 150    // Django's
	minPassword     = 8      // characters, Django's MinimumLengthValidator
	maxPassword     = 4096   // bytes
	maxHashing      = 2      // passwords hashed at one time; others wait, so that a flood of logins leaves time for pages
	drawnIterations = 10_000 // of passwords that nobody chose
	hasherVersion   = "6.1"  // whose number of iterations new passwords get
)

// userTable is the table of Django's User as its migrations leave it in SQLite (3.0 and later).
const userTable = `CREATE TABLE IF NOT EXISTS "auth_user" (` +
	`"id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, ` +
	`"password" varchar(128) NOT NULL, ` +
	`"last_login" datetime NULL, ` +
	`"is_superuser" bool NOT NULL, ` +
	`"username" varchar(150) NOT NULL UNIQUE, ` +
	`"last_name" varchar(150) NOT NULL, ` +
	`"email" varchar(254) NOT NULL, ` +
	`"is_staff" bool NOT NULL, ` +
	`"is_active" bool NOT NULL, ` +
	`"date_joined" datetime NOT NULL, ` +
	`"first_name" varchar(150) NOT NULL)`

// Accounts are the people who can log in, in a table of Django's shape, auth_user: a Django beside it
// lets the same people in, and the other way round. It is safe for concurrent use.
type Accounts struct {
	db      *sql.DB
	options AccountsOptions
	nobody  string        // what no password matches, at the cost of a new one
	hashing chan struct{} // a place for each password that is being hashed
}

// AccountsOptions are how accounts are kept. The zero value is ready.
type AccountsOptions struct {
	Iterations int              // of the hasher; 0 is the number of Django 6.1
	Now        func() time.Time // nil: time.Now
	Rand       io.Reader        // nil: crypto/rand
}

// An Account is a row of the table.
type Account struct {
	ID        string // the primary key
	Username  string
	Password  string    // encoded, as stored; never shown
	Joined    time.Time // in UTC; zero when the text of the column is no date
	LastLogin time.Time // zero: never
}

// String returns the name; the rest is nobody's business.
func (a Account) String() string { return a.Username }

// OpenAccounts returns the accounts in db, an SQLite database whose driver's dates are Django's texts.
// It makes the table if there is none, and returns an error if it cannot be read or has another shape.
func OpenAccounts(ctx context.Context, db *sql.DB, o AccountsOptions) (*Accounts, error) {
	if o.Iterations == 0 {
		o.Iterations = django.PasswordIterations(hasherVersion)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if _, err := db.ExecContext(ctx, userTable); err != nil {
		return nil, fmt.Errorf("making the table of accounts: %w", err)
	}
	a := &Accounts{db: db, options: o, hashing: make(chan struct{}, maxHashing)}
	a.nobody = fmt.Sprintf("pbkdf2_sha256$%d$%s$=", o.Iterations, rand.Text())
	if _, err := a.row(ctx, "username = ?", ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return a, nil
}

// Names of columns stand without quotes: SQLite takes a quoted name that it does not know for a text.
const accountColumns = `SELECT id, username, password, CAST(date_joined AS TEXT), CAST(last_login AS TEXT) FROM auth_user WHERE `

// row returns the active account that a condition names, or an error that wraps [fs.ErrNotExist].
func (a *Accounts) row(ctx context.Context, where string, argument any) (Account, error) {
	var (
		account           Account
		id                int64
		joined, lastLogin sql.NullString
	)
	err := a.db.QueryRowContext(ctx, accountColumns+`is_active AND `+where, argument).
		Scan(&id, &account.Username, &account.Password, &joined, &lastLogin)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, fmt.Errorf("reading an account: %w", fs.ErrNotExist)
	}
	if err != nil {
		return Account{}, fmt.Errorf("reading an account: %w", err)
	}
	account.ID = strconv.FormatInt(id, 10)
	account.Joined, account.LastLogin = parseDate(joined.String), parseDate(lastLogin.String)
	return account, nil
}

// Find returns the account of a primary key. The error wraps [fs.ErrNotExist] when there is none or it
// may not log in.
func (a *Accounts) Find(ctx context.Context, id string) (Account, error) {
	key, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return Account{}, fmt.Errorf("reading an account: %q is no key: %w", id, fs.ErrNotExist)
	}
	return a.row(ctx, `id = ?`, key)
}

// Empty reports whether there are no accounts.
func (a *Accounts) Empty(ctx context.Context) (bool, error) {
	var there bool
	err := a.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM auth_user)`).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("counting accounts: %w", err)
	}
	return !there, nil
}

// Why nobody can sign up; see also the mistakes that checkUsername and checkPassword name.
var (
	errTaken = errors.New("there is an account of that name")
	errFull  = fmt.Errorf("there are %d accounts, and no more can be made", MaxAccounts)
)

// Create makes an account, or returns an error: errTaken, errFull, or the database's. Name and password
// have been checked.
func (a *Accounts) Create(ctx context.Context, username, password string) (Account, error) {
	encoded, err := a.encode(ctx, password, a.options.Iterations)
	if err != nil {
		return Account{}, err
	}
	return a.insert(ctx, username, encoded)
}

// CreateDrawn makes an account with a password that it draws, of 60 random bits, and returns the
// password, or "" when there is one of that name: of several programs that begin at one time, one makes
// it. Nobody guesses a drawn password by trying, however few iterations there are, so that making it takes
// no time.
func (a *Accounts) CreateDrawn(ctx context.Context, username string) (password string, err error) {
	text := strings.ToLower(rand.Text())
	password = text[:4] + "-" + text[4:8] + "-" + text[8:12]
	encoded, err := a.encode(ctx, password, min(drawnIterations, a.options.Iterations))
	if err != nil {
		return "", err
	}
	switch _, err = a.insert(ctx, username, encoded); {
	case errors.Is(err, errTaken):
		return "", nil
	case err != nil:
		return "", err
	}
	return password, nil
}

func (a *Accounts) insert(ctx context.Context, username, encoded string) (Account, error) {
	// In one statement, so that of two who want a name at one time one gets it. Names that differ in
	// case alone would be mistaken for each other.
	now := a.options.Now()
	result, err := a.db.ExecContext(ctx, `INSERT INTO auth_user `+
		`(password, last_login, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name) `+
		`SELECT ?, NULL, 0, ?, '', '', 0, 1, ?, '' `+
		`WHERE (SELECT COUNT(*) FROM auth_user) < ? `+
		`AND NOT EXISTS (SELECT 1 FROM auth_user WHERE username = ? COLLATE NOCASE)`,
		encoded, username, formatDate(now), MaxAccounts, username)
	if err != nil {
		return Account{}, fmt.Errorf("making an account: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		return Account{}, a.whyNot(ctx, username, err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		return Account{}, fmt.Errorf("making an account: %w", err)
	}
	return a.Find(ctx, strconv.FormatInt(id, 10))
}

// whyNot tells why no row was inserted.
func (a *Accounts) whyNot(ctx context.Context, username string, err error) error {
	if err != nil {
		return fmt.Errorf("making an account: %w", err)
	}
	var taken bool
	err = a.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM auth_user WHERE username = ? COLLATE NOCASE)`, username).Scan(&taken)
	switch {
	case err != nil:
		return fmt.Errorf("making an account: %w", err)
	case taken:
		return errTaken
	}
	return errFull
}

// Authenticate returns the account of a name and a password, and whether there is one. It takes the
// same time whether the name is unknown, the account is not active or the password is wrong.
func (a *Accounts) Authenticate(ctx context.Context, username, password string) (Account, bool, error) {
	account, err := a.row(ctx, `username = ?`, username)
	known := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Account{}, false, err
	}
	encoded := account.Password
	if !known || django.PasswordCost(encoded) == 0 {
		known, encoded = false, a.nobody
	}
	ok, err := a.check(ctx, password, encoded)
	if err != nil || !ok || !known {
		return Account{}, false, err
	}
	return account, true, nil
}

// LoggedIn notes the moment of a login, as Django's update_last_login does.
func (a *Accounts) LoggedIn(ctx context.Context, account Account) error {
	_, err := a.db.ExecContext(ctx, `UPDATE auth_user SET last_login = ? WHERE id = ?`, formatDate(a.options.Now()), account.ID)
	if err != nil {
		return fmt.Errorf("noting a login: %w", err)
	}
	return nil
}

// SetPassword changes the password, which has been checked, and returns the account with it.
func (a *Accounts) SetPassword(ctx context.Context, account Account, password string) (Account, error) {
	encoded, err := a.encode(ctx, password, a.options.Iterations)
	if err != nil {
		return Account{}, err
	}
	if _, err := a.db.ExecContext(ctx, `UPDATE auth_user SET password = ? WHERE id = ?`, encoded, account.ID); err != nil {
		return Account{}, fmt.Errorf("changing a password: %w", err)
	}
	account.Password = encoded
	return account, nil
}

func (a *Accounts) encode(ctx context.Context, password string, iterations int) (string, error) {
	salt, err := django.PasswordSalt(a.options.Rand)
	if err != nil {
		return "", err
	}
	leave, err := a.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return django.MakePassword(password, salt, iterations)
}

// check runs the hasher. A wrong password costs as much with a hash that was made with fewer
// iterations as with one of today's (Django's harden_runtime).
func (a *Accounts) check(ctx context.Context, password, encoded string) (bool, error) {
	leave, err := a.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	ok, err := django.CheckPassword(password, encoded)
	if missing := a.options.Iterations - django.PasswordCost(encoded); !ok && missing > 0 {
		_, _ = django.MakePassword(password, "salt", missing)
	}
	return ok, err
}

// enter waits for a place among those who hash.
func (a *Accounts) enter(ctx context.Context) (leave func(), err error) {
	select {
	case a.hashing <- struct{}{}:
		return func() { <-a.hashing }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to hash a password: %w", ctx.Err())
	}
}

// checkUsername returns what is wrong with a name, or "". It is Django's ASCIIUsernameValidator.
func checkUsername(name string) string {
	switch {
	case name == "":
		return "Choose a name."
	case len(name) > maxUsername:
		return fmt.Sprintf("At most %d characters, please.", maxUsername)
	case strings.ContainsFunc(name, notInUsername):
		return "Letters a to z, digits and @.+-_ only, please."
	}
	return ""
}

func notInUsername(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("@.+-_", r):
		return false
	}
	return true
}

// checkPassword returns what is wrong with a new password, or "". Of Django's validators it has the
// least length, that it is not a number, and that it is not the name.
func checkPassword(password, username string) string {
	switch {
	case !utf8.ValidString(password) || utf8.RuneCountInString(password) < minPassword:
		return fmt.Sprintf("At least %d characters, please.", minPassword)
	case len(password) > maxPassword:
		return fmt.Sprintf("At most %d bytes, please.", maxPassword)
	case strings.Trim(password, "0123456789") == "":
		return "Digits alone are guessed soon: add some letters."
	case strings.EqualFold(password, username):
		return "The password cannot be the name."
	}
	return ""
}

// dateLayout is how Django writes a moment in SQLite, in UTC. It writes no fraction when that is zero,
// and reads both.
const dateLayout = "2006-01-02 15:04:05.000000"

func formatDate(t time.Time) string {
	return strings.TrimSuffix(t.UTC().Format(dateLayout), ".000000")
}

func parseDate(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", text) // which also reads a fraction
	if err != nil {
		return time.Time{}
	}
	return t
}
