package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// busyTimeout is how long a call waits for a database that another process has locked. It is
// Django's own (the default timeout of Python's sqlite3).
const busyTimeout = 5 * time.Second

// The pauses of that wait: the first, and the longest.
const (
	firstPause = time.Millisecond
	lastPause  = 20 * time.Millisecond
)

// walLimit is the size in bytes above which the write-ahead log is written back and cut while no
// reader of this process is in the way. SQLite's own checkpoints keep it at a quarter of that.
const walLimit = 16 << 20

// A conn is a connection to the database with its prepared statements. It has no lock: one
// goroutine uses it at a time. It talks to the driver, and not through database/sql, whose pool
// costs as much as a read does.
type conn struct {
	driver.Conn
	find, insert, update, remove, erase, discard, purge *statement
	begin, commit, rollback                             *statement
	sums                                                bool   // the table has a column for them
	scratch                                             []byte // for computing them
	err                                                 error  // why this is no connection at all
	prepared                                            []driver.Stmt
}

// Close closes the statements, without which SQLite would keep the connection open, and then it.
func (c *conn) Close() error {
	if c.Conn == nil {
		return nil
	}
	var mistakes []error
	for _, s := range c.prepared {
		mistakes = append(mistakes, s.Close())
	}
	return errors.Join(append(mistakes, c.Conn.Close())...)
}

// connect opens a connection to a file that exists.
//
// SQLite waits for nobody itself: the waiting is done by patiently, which knows a context. FULL has
// a commit reach the disk before it is acknowledged. What is deleted is overwritten, so that no
// session that was ended can be found in the file.
func connect(ctx context.Context, path string) (*conn, error) {
	return dial(ctx, path, "rw", "busy_timeout(0)", "synchronous(full)", "secure_delete(1)", "cell_size_check(1)",
		"trusted_schema(0)", "journal_size_limit("+strconv.Itoa(walLimit)+")")
}

// connectDamaged opens a file of which SQLite is to read what it can, even if it is shorter than it
// says (which SQLite lets pass for who may mend a schema), and writes nothing.
func connectDamaged(ctx context.Context, path string) (*conn, error) {
	return dial(ctx, path, "ro", "writable_schema(1)")
}

func dial(ctx context.Context, path, mode string, pragmas ...string) (c *conn, err error) {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true}
	source := u.String() + "?" + url.Values{"mode": {mode}, "_pragma": pragmas}.Encode()
	err = patiently(ctx, func() error {
		opened, err := new(sqlite.Driver).Open(source)
		if err == nil {
			c = &conn{Conn: opened}
		}
		return err
	})
	return c, err
}

// patiently calls f until it does not find the database locked, for busyTimeout or until ctx is
// done.
func patiently(ctx context.Context, f func() error) error {
	err := f()
	if !isBusy(err) {
		return err
	}
	end := time.NewTimer(busyTimeout)
	defer end.Stop()
	for pause := firstPause; isBusy(err); pause = min(2*pause, lastPause) {
		again := time.NewTimer(pause)
		select {
		case <-again.C:
			err = f()
		case <-end.C:
			again.Stop()
			return fmt.Errorf("another process has locked the database for %v: %w", busyTimeout, err)
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		}
	}
	return err
}

// codeOf returns the result code of SQLite that err carries, or 0.
func codeOf(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return lib.SQLITE_OK
}

// isBusy reports whether a call may succeed when it is made again: the database was locked, or had
// changed under the call (SQLITE_BUSY_SNAPSHOT).
func isBusy(err error) bool {
	code := codeOf(err) & 0xff
	return code == lib.SQLITE_BUSY || code == lib.SQLITE_LOCKED
}

// errDamaged is a damage that SQLite does not see: the index leads to the row of another key.
var errDamaged = errors.New("the index of the database leads to the row of another session")

// isDamaged reports whether err says that the file is not as SQLite wrote it.
func isDamaged(err error) bool {
	switch code := codeOf(err); code & 0xff {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	default:
		return code == lib.SQLITE_IOERR_SHORT_READ || errors.Is(err, errDamaged)
	}
}

// explain adds to an error of SQLite what a person can do about it.
func explain(err error) error {
	switch code := codeOf(err); {
	case isDamaged(err):
		return fmt.Errorf("the database is damaged: %w", err)
	case code&0xff == lib.SQLITE_FULL:
		return fmt.Errorf("no room for the database: free some space on its disk: %w", err)
	case code&0xff == lib.SQLITE_READONLY, code&0xff == lib.SQLITE_CANTOPEN:
		return fmt.Errorf("the database cannot be written: make the file and its folder writable: %w", err)
	}
	return err
}

// A statement is a prepared one.
type statement struct {
	stmt driver.Stmt
	args []driver.NamedValue
	row  []driver.Value
}

// prepare returns a statement with so many parameters and columns.
func (c *conn) prepare(sql string, parameters, columns int) (*statement, error) {
	stmt, err := c.Prepare(sql)
	if err != nil {
		return nil, err
	}
	s := &statement{stmt: stmt, args: make([]driver.NamedValue, parameters), row: make([]driver.Value, columns)}
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	return s, nil
}

func (s *statement) set(args []any) {
	for i, a := range args {
		s.args[i].Value = a
	}
}

// exec runs a statement that returns no rows, and tells how many it changed. The driver gets no
// context, for which it would start a goroutine: what a statement of this package can wait for is
// a lock, and that is waited for in patiently.
func (s *statement) exec(args ...any) (changed int64, err error) {
	s.set(args)
	result, err := s.stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// only executes a statement without parameters.
func (s *statement) only() error {
	_, err := s.exec()
	return err
}

// each calls f with the values of each row, which are valid during the call; bytes and text in
// them are f's to keep.
func (s *statement) each(f func(row []driver.Value) error, args ...any) (err error) {
	s.set(args)
	rows, err := s.stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		if err := rows.Next(s.row); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := f(s.row); err != nil {
			return err
		}
	}
}

// run executes SQL that is needed once.
func (c *conn) run(sql string) error {
	s, err := c.prepare(sql, 0, 0)
	if err != nil {
		return err
	}
	defer s.stmt.Close()
	_, err = s.exec()
	return err
}

// ask returns the rows of a query of one column that is needed once, as text.
func (c *conn) ask(sql string) (values []string, err error) {
	s, err := c.prepare(sql, 0, 1)
	if err != nil {
		return nil, err
	}
	defer s.stmt.Close()
	err = s.each(func(row []driver.Value) error {
		values = append(values, fmt.Sprint(row[0]))
		return nil
	})
	return values, err
}

// first returns the values of the first row, or none, and looks for no second.
func (s *statement) first(args ...any) (values []driver.Value, err error) {
	s.set(args)
	rows, err := s.stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if err = rows.Next(s.row); errors.Is(err, io.EOF) {
		return nil, nil
	}
	return s.row, err
}

// lookUp reads the row of key and judges it; found is false when there is none.
func (c *conn) lookUp(key string) (r row, verdict condition, found bool, err error) {
	values, err := c.find.first(key)
	if err != nil || values == nil {
		return row{}, whole, false, err
	}
	r = rowOf(values)
	if verdict, c.scratch = r.judge(key, c.scratch); verdict == another {
		return row{}, another, false, errDamaged
	}
	return r, verdict, true, nil
}

// rowOf reads the values of rowColumns. Damage may have made anything of a value; what is not of
// the right kind becomes empty, and is nobody's key, sum or date.
func rowOf(values []driver.Value) (r row) {
	r.id, _ = values[0].(int64)
	r.key, _ = values[1].(string)
	r.data, _ = values[2].([]byte)
	r.date, _ = values[3].(string)
	r.sum = values[4]
	return r
}
