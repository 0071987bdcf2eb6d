package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// Options is how this process keeps its sessions. The zero Options is ready.
type Options struct {
	Logger *slog.Logger     // told of damage and of what was done about it; nil tells nobody
	Now    func() time.Time // the clock that names what is set aside; nil is time.Now
}

// A Store is a [session.Store] and a [session.Purger] in a file. It is safe for concurrent use; a
// call that the database does not answer, because it is locked, full, read-only or damaged, is an
// error that says so.
type Store struct {
	file    *file
	owner   owner      // of the writer, once it is there
	readers chan *conn // those that nobody reads with
	queue   chan *change
	damage  chan error // what readers found
	closing chan struct{}
	closed  chan struct{}
	close   sync.Once
}

var _ interface {
	session.Store
	session.Purger
} = (*Store)(nil)

// The number of connections that read: one for each processor, within these bounds.
const (
	fewestReaders = 2
	mostReaders   = 8
)

var errClosed = errors.New("the store of sessions is closed")

// Open opens the database at path, and makes it when there is none or an empty one. The folder must
// be there, and writable.
//
// A database that was not made by Open is a Django project's: it must have the table
// django_session, and is used as it is. One that was made by Open and is damaged is set aside, and
// a new one made; see the package's comment. One that was made by a later version is refused.
//
// ctx is for the opening alone.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	s := &Store{
		file:    &file{log: o.Logger, now: o.Now},
		readers: make(chan *conn, min(max(runtime.GOMAXPROCS(0), fewestReaders), mostReaders)),
		queue:   make(chan *change),
		damage:  make(chan error, 1),
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}
	if o.Logger == nil {
		s.file.log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		s.file.now = time.Now
	}
	writer, err := s.open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening sessions in %q: %w", path, explain(err))
	}
	go s.write(writer) //nolint:gosec // it outlives ctx, which is for the opening alone
	return s, nil
}

// open finds out about the file and connects to it.
func (s *Store) open(ctx context.Context, path string) (writer *conn, err error) {
	if s.file.path, err = realPath(path); err != nil {
		return nil, err
	}
	s.file.register(1)
	if s.owner, err = s.file.establish(ctx, false); err == nil {
		writer, err = s.connect(ctx)
	}
	if err != nil {
		s.file.register(-1)
	}
	return writer, err
}

// realPath is where the file is or will be, so that one file has one name.
func realPath(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path was given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved, nil
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(folder, filepath.Base(path)), err
}

// connect opens the connections: the writer's, which is returned, and those that read.
func (s *Store) connect(ctx context.Context) (*conn, error) {
	var all []*conn
	for range cap(s.readers) + 1 {
		c, err := s.file.prepare(ctx, s.owner)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, c)
	}
	for _, c := range all[1:] {
		s.readers <- c
	}
	return all[0], nil
}

// prepare opens a connection and prepares its statements.
func (f *file) prepare(ctx context.Context, whose owner) (*conn, error) {
	c, err := connect(ctx, f.path)
	if err != nil {
		return nil, err
	}
	err = patiently(ctx, func() error {
		if whose == ours {
			if _, err := c.ask("PRAGMA journal_mode = WAL"); err != nil {
				return err
			}
		}
		return c.statements(whose != django)
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func closeAll(all []*conn) {
	for _, c := range all {
		_ = c.Close()
	}
}

// Close waits for the calls that are being served and closes the database. What is called later, or
// was waiting, is answered with an error. Closing twice does nothing.
func (s *Store) Close() error {
	s.close.Do(func() { close(s.closing) })
	<-s.closed
	return nil
}

// Format implements [fmt.Formatter]: neither the keys of sessions nor the path is printed.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("sqlite.Store")) }

// Load implements [session.Store]. A record whose checksum does not hold is removed and reported,
// and Load answers that there is none.
func (s *Store) Load(ctx context.Context, key string) (session.Record, error) {
	r, verdict, found, err := s.read(ctx, key)
	switch {
	case err != nil:
		return session.Record{}, fmt.Errorf("loading a session: %w", explain(err))
	case !found:
		return session.Record{}, errNoRecord
	case verdict == broken:
		return session.Record{}, s.discard(ctx, key)
	}
	return r.record(), nil
}

var (
	errNoRecord  = fmt.Errorf("no such session: %w", fs.ErrNotExist)
	errHasRecord = fmt.Errorf("session key is taken: %w", fs.ErrExist)
	errNothing   = errors.New("saving a session: neither an old nor a new record")
)

// read looks key up on a connection that nobody else uses.
func (s *Store) read(ctx context.Context, key string) (r row, verdict condition, found bool, err error) {
	c, err := s.reader(ctx)
	if err != nil {
		return row{}, whole, false, err
	}
	defer func() { s.readers <- c }()
	err = patiently(ctx, func() (err error) {
		r, verdict, found, err = c.lookUp(key)
		return err
	})
	if isDamaged(err) {
		s.report(err)
	}
	return r, verdict, found, err
}

// reader waits for a connection to read with.
func (s *Store) reader(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c := <-s.readers:
		if c.err != nil {
			s.readers <- c
			s.report(c.err)
			return nil, c.err
		}
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closing:
		return nil, errClosed
	}
}

// report tells the writer of a damage, once.
func (s *Store) report(damage error) {
	select {
	case s.damage <- damage:
	default:
	}
}

// Save implements [session.Store].
func (s *Store) Save(ctx context.Context, key string, old, next session.Record) error {
	var do operation
	switch {
	case old.IsZero() && next.IsZero():
		return errNothing
	case old.IsZero():
		do = inserting(key, next)
	case next.IsZero():
		do = removing(key, old)
	default:
		do = replacing(key, old, next)
	}
	return s.change(ctx, "saving a session", do)
}

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.change(ctx, "deleting a session", erasing(key))
}

// discard removes a row whose sum does not hold, and answers as if there had been none.
func (s *Store) discard(ctx context.Context, key string) error {
	err := s.change(ctx, "removing a damaged session", discarding(key))
	if err != nil {
		return err
	}
	s.file.log.LogAttrs(ctx, slog.LevelError, "sessions: one was not what was stored; it was removed, its user logs in again",
		slog.String("path", s.file.path))
	return errNoRecord
}

// purgeBatch is how many rows Purge removes in one transaction, about a millisecond, so that who
// saves meanwhile does not wait for more than that.
const purgeBatch = 64

// Purge implements [session.Purger]. It removes in small batches, between which others save.
func (s *Store) Purge(ctx context.Context, now time.Time, limit int) (n int, err error) {
	for n < limit {
		batch, done := min(limit-n, purgeBatch), 0
		if err := s.change(ctx, "purging sessions", purging(now, batch, &done)); err != nil {
			return n, err
		}
		n += done
		if done < batch {
			break
		}
	}
	return n, nil
}
