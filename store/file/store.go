package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/lockstep-http/lockstep/session"
)

// Options are Django's settings that decide about files; the zero Options has Django's defaults.
type Options struct {
	CookieName string // SESSION_COOKIE_NAME; "" is "sessionid"
	CookieAge  int    // SESSION_COOKIE_AGE in seconds; 0 is two weeks
}

const (
	defaultCookieName = "sessionid"
	defaultCookieAge  = 1209600
	maxCookieAge      = 2_000_000_000 // as in package session
	maxCookieName     = 128           // leaves room in a file name for the key, and for ours
)

// A Store is the sessions in a folder. It is safe for concurrent use, in this process and others.
type Store struct {
	dir    string
	root   *os.Root
	handle *os.File // of the folder, for what needs one
	prefix string
	age    int

	lanes       [lanes]chan struct{}
	noExchange  atomic.Bool // the file system exchanges no files
	expired     expiredFiles
	interrupted func() // for tests: called between comparing and replacing
}

var _ interface {
	session.Store
	session.Purger
} = (*Store)(nil)

// Open opens the sessions in dir, Django's SESSION_FILE_PATH, a folder that is there and in which
// this process may write.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, prefix: cmp.Or(o.CookieName, defaultCookieName), age: cmp.Or(o.CookieAge, defaultCookieAge)}
	switch {
	case dir == "":
		return nil, fmt.Errorf("opening sessions: no folder; name SESSION_FILE_PATH, which in Django is %q when it is None", os.TempDir())
	case !isNamePart(s.prefix):
		return nil, fmt.Errorf("opening sessions: SESSION_COOKIE_NAME %q cannot begin the name of a file", s.prefix)
	case s.age < 0 || s.age > maxCookieAge:
		return nil, fmt.Errorf("opening sessions: SESSION_COOKIE_AGE %d is not between 0 and %d", s.age, maxCookieAge)
	}
	for i := range s.lanes {
		s.lanes[i] = make(chan struct{}, 1)
	}
	var err error
	if s.root, err = os.OpenRoot(dir); err != nil {
		return nil, fmt.Errorf("opening sessions: SESSION_FILE_PATH has to be a folder that is there: %w", err)
	}
	if err := s.tryFolder(); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("opening sessions in %q: %w", dir, safe(err))
	}
	return s, nil
}

// tryFolder finds at the start what would fail at the first login.
func (s *Store) tryFolder() (err error) {
	if s.handle, err = s.root.Open("."); err != nil {
		return err
	}
	temp, err := s.write(session.Record{})
	if err == nil {
		temp.discard()
	}
	return err
}

// Close lets go of the folder. No call may be under way or follow.
func (s *Store) Close() error { return errors.Join(s.handle.Close(), s.root.Close()) }

// Format implements [fmt.Formatter]: the folder.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "sessions in %q", s.dir) }

var (
	errNoRecord  = fmt.Errorf("no such session: %w", fs.ErrNotExist)
	errHasRecord = fmt.Errorf("session key is taken: %w", fs.ErrExist)
	errNothing   = errors.New("saving a session: neither an old nor a new record")
	errKey       = errors.New("a session key has characters other than a-z and 0-9, or is too long")
)

// Load implements [session.Store].
func (s *Store) Load(ctx context.Context, key string) (session.Record, error) {
	if err := ctx.Err(); err != nil {
		return session.Record{}, err
	}
	name, ok := s.name(key)
	if !ok {
		return session.Record{}, errNoRecord
	}
	f, err := s.open(name)
	if err != nil {
		return session.Record{}, s.failed("loading", err)
	}
	defer f.Close()
	r, err := s.record(f)
	if err != nil {
		return session.Record{}, s.failed("loading", err)
	}
	return r, nil
}

// Save implements [session.Store].
func (s *Store) Save(ctx context.Context, key string, old, next session.Record) error {
	name, ok := s.name(key)
	switch {
	case old.IsZero() && next.IsZero():
		return errNothing
	case !ok:
		return errKey
	case old.IsZero():
		return s.failed("saving", s.insert(ctx, name, next))
	}
	return s.failed("saving", s.change(ctx, name, func(locked *os.File, have session.Record) error {
		switch {
		case !bytes.Equal(have.Data, old.Data):
			return session.ErrConflict
		case next.IsZero():
			return s.takeOut(locked, name)
		}
		return s.replace(locked, name, next)
	}))
}

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, key string) error {
	name, ok := s.name(key)
	if !ok {
		return ctx.Err()
	}
	err := s.change(ctx, name, func(*os.File, session.Record) error {
		if err := s.root.Remove(name); err != nil {
			return err
		}
		return s.sync()
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.failed("deleting", err)
}

// failed says what was being done, and not to which file: its name is a key.
func (s *Store) failed(doing string, err error) error {
	switch {
	case err == nil, errors.Is(err, session.ErrConflict), err == errNoRecord, err == errHasRecord: //nolint:errorlint // these are whole
		return err
	case errors.Is(err, fs.ErrNotExist):
		return errNoRecord
	}
	return fmt.Errorf("%s a session in %q: %w", doing, s.dir, safe(err))
}

// safe returns the cause of an error of package os without the names of files.
func safe(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}

const maxKey = 40 // as in package session

// name returns the name of the file of key. What has other characters than a-z and 0-9 has no file.
func (s *Store) name(key string) (string, bool) {
	if key == "" || len(key) > maxKey || strings.ContainsFunc(key, isForeign) {
		return "", false
	}
	return s.prefix + key, true
}

func isForeign(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// isNamePart reports whether files may be called by text and what follows it, and are not hidden.
func isNamePart(text string) bool {
	return len(text) <= maxCookieName && text[0] != '.' && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r)
	})
}
