package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

const (
	// scanEvery is how long the list of what a folder holds is good enough. Reading it costs some
	// microseconds a file, and sessions are purged as others are created.
	scanEvery = time.Minute

	// scanBatch is how many names are read at a time.
	scanBatch = 1024

	// keyLength is that of keys as Django and package session make them. Files with shorter or longer
	// names may be those of another site, whose SESSION_COOKIE_NAME begins with that of this one.
	keyLength = 32

	// leftBehind is the age from which a temporary file is one that a process left when it was killed.
	leftBehind = time.Hour
)

// expiredFiles is what the last look into the folder found and is not purged yet.
type expiredFiles struct {
	mu      sync.Mutex
	scanned time.Time
	files   []expiredFile // the one that expired last is first
}

type expiredFile struct {
	name    string
	expires time.Time
}

// Purge implements [session.Purger]. It looks through the folder at most once a minute: what expires
// until it looks again is removed then. It also removes files that killed processes left behind.
func (s *Store) Purge(ctx context.Context, now time.Time, limit int) (n int, err error) {
	s.expired.mu.Lock()
	defer s.expired.mu.Unlock()
	e := &s.expired
	if len(e.files) == 0 && now.Sub(e.scanned).Abs() >= scanEvery {
		if e.files, err = s.scan(ctx, now); err != nil {
			return 0, s.failed("purging", err)
		}
		e.scanned = now
	}
	for n < limit && len(e.files) > 0 {
		last := e.files[len(e.files)-1]
		done, err := s.purge(ctx, last.name, now)
		if err != nil {
			return n, s.failed("purging", err)
		}
		e.files = e.files[:len(e.files)-1]
		if done {
			n++
		}
	}
	return n, nil
}

// purge removes a file if it still has expired: another process may have prolonged or removed it.
func (s *Store) purge(ctx context.Context, name string, now time.Time) (done bool, err error) {
	err = s.change(ctx, name, func(locked *os.File, have session.Record) error {
		if have.Expires.After(now) {
			return nil
		}
		err := s.takeOut(locked, name)
		done = err == nil
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, session.ErrConflict) || errors.Is(err, errNotRegular) {
		err = nil
	}
	return done, err
}

// scan returns the files that have expired.
func (s *Store) scan(ctx context.Context, now time.Time) (files []expiredFile, err error) {
	folder, err := s.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	for {
		names, err := folder.Readdirnames(scanBatch)
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		for _, name := range names {
			if f, ok := s.look(name, now); ok {
				files = append(files, f)
			}
		}
	}
	slices.SortFunc(files, func(a, b expiredFile) int { return b.expires.Compare(a.expires) })
	return files, nil
}

// look reports whether the file called name is a session that has expired. What it cannot read it
// leaves alone.
func (s *Store) look(name string, now time.Time) (expiredFile, bool) {
	if age, ours := s.temporaryAge(name, now); ours {
		if age > leftBehind {
			_ = s.root.Remove(name)
		}
		return expiredFile{}, false
	}
	key, ok := strings.CutPrefix(name, s.prefix)
	if _, valid := s.name(key); !ok || !valid || len(key) != keyLength {
		return expiredFile{}, false
	}
	info, err := s.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.ModTime().Add(time.Duration(s.age)*time.Second).After(now) {
		return expiredFile{}, false
	}
	f, err := s.open(name)
	if err != nil {
		return expiredFile{}, false
	}
	defer f.Close()
	r, err := s.record(f)
	return expiredFile{name, r.Expires}, err == nil && !r.Expires.After(now)
}
