package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// maxFile bounds what is read of a file, in bytes: a little more than django.MaxPayload in base64,
// with time and signature. What is longer is cut, and no signature holds then.
const maxFile = 1_400_000

// open opens a file to read it. That it is no folder, pipe or device is seen when it is read; opening
// it waits for nobody.
func (s *Store) open(name string) (*os.File, error) {
	return s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

var errNotRegular = errors.New("what is called like a session is not a regular file")

// record reads an open file. Files are never changed, only replaced, so that bytes and time agree.
func (s *Store) record(f *os.File) (session.Record, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return session.Record{}, err
	case !info.Mode().IsRegular():
		return session.Record{}, errNotRegular
	}
	data := make([]byte, min(info.Size(), maxFile))
	if _, err := io.ReadFull(f, data); err != nil {
		return session.Record{}, err
	}
	return session.Record{Data: data, Expires: session.Expiry(data, s.age, info.ModTime())}, nil
}

// A temporary is a file that is written and has no session's name yet.
type temporary struct {
	store *Store
	file  *os.File
	name  string
}

// write writes next to a new file, under a name of its own, with the time at which a session that
// ends then was saved.
func (s *Store) write(next session.Record) (*temporary, error) {
	name := s.temporaryName(time.Now())
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	temp := &temporary{s, f, name}
	if err := s.fill(temp, next); err != nil {
		temp.discard()
		return nil, err
	}
	return temp, nil
}

func (s *Store) fill(temp *temporary, next session.Record) error {
	if _, err := temp.file.Write(next.Data); err != nil {
		return err
	}
	span := session.Expiry(next.Data, s.age, next.Expires).Sub(next.Expires)
	if err := s.setTime(temp, next.Expires.Add(-span)); err != nil {
		return err
	}
	return temp.file.Sync()
}

// discard removes the file, or what was put under its name since.
func (t *temporary) discard() {
	_ = t.file.Close()
	_ = t.store.root.Remove(t.name)
}

// The names of temporary files begin with a dot and so with no session's name: neither Django's
// clearsessions nor ours takes them for sessions.
func (s *Store) temporaryStart() string { return "." + s.prefix + "-lockstep-" }

func (s *Store) temporaryName(now time.Time) string {
	return s.temporaryStart() + strconv.FormatInt(now.Unix(), 10) + "-" + rand.Text()
}

// temporaryAge returns how old a temporary file is, by its name.
func (s *Store) temporaryAge(name string, now time.Time) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(name, s.temporaryStart())
	seconds, _, _ := strings.Cut(rest, "-")
	at, err := strconv.ParseInt(seconds, 10, 64)
	return now.Sub(time.Unix(at, 0)), ok && err == nil
}

// insert gives a new file its name, if nobody has it.
func (s *Store) insert(ctx context.Context, name string, next session.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	temp, err := s.write(next)
	if err != nil {
		return err
	}
	defer temp.discard()
	if err := s.root.Link(temp.name, name); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errHasRecord
		}
		return err
	}
	return s.sync()
}

// maxSwaps bounds how often a file is put back that somebody without a lock has put in between. Each
// needs another one to save within microseconds.
const maxSwaps = 32

// replace puts next in the place of the file called name, which is locked and has been compared.
func (s *Store) replace(locked *os.File, name string, next session.Record) error {
	temp, err := s.write(next)
	if err != nil {
		return err
	}
	defer temp.discard()
	if _, err := tryLock(temp.file); err != nil { // so that who finds it waits until it is certain that it stays
		return err
	}
	want, err := locked.Stat()
	if err != nil {
		return err
	}
	put, err := temp.file.Stat()
	if err != nil {
		return err
	}
	if err := s.unlessReplaced(want, name); err != nil {
		return err
	}
	if err := s.swap(temp, name, want, put); err != nil {
		return err
	}
	return s.sync()
}

// unlessReplaced looks once more, as late as possible, whether somebody who takes no lock has saved.
// Files are never changed: another file is what tells.
func (s *Store) unlessReplaced(want fs.FileInfo, name string) error {
	now, err := s.root.Lstat(name)
	switch {
	case err != nil:
		return err
	case !os.SameFile(now, want):
		return session.ErrConflict
	}
	if s.interrupted != nil {
		s.interrupted()
	}
	return nil
}

// swap exchanges the files and looks at what came out. When it is not want, somebody has saved in the
// microseconds since: that is put back, and what comes out in its place is looked at in turn.
func (s *Store) swap(temp *temporary, name string, want, put fs.FileInfo) error {
	var lost error
	for range maxSwaps {
		exchanged, err := s.exchange(temp.name, name)
		if err != nil || !exchanged {
			return err
		}
		out, err := s.root.Lstat(temp.name)
		if err != nil || os.SameFile(out, want) {
			return errors.Join(lost, err)
		}
		want, put, lost = put, out, session.ErrConflict
	}
	return session.ErrConflict
}

// exchange exchanges two files; or, where that is not possible, lets the first replace the second, and
// exchanged is false. Either way there has to be a second.
func (s *Store) exchange(temp, name string) (exchanged bool, err error) {
	if !s.noExchange.Load() {
		err := exchangeFiles(s.handle, temp, name)
		if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
			return err == nil, err
		}
		s.noExchange.Store(true)
	}
	if _, err := s.root.Lstat(name); err != nil {
		return false, err
	}
	return false, s.root.Rename(temp, name)
}

// takeOut removes the file called name, which is locked and has been compared. What somebody who takes
// no lock has saved since is put back, unless it was saved anew meanwhile.
func (s *Store) takeOut(locked *os.File, name string) error {
	want, err := locked.Stat()
	if err != nil {
		return err
	}
	if err := s.unlessReplaced(want, name); err != nil {
		return err
	}
	temp := s.temporaryName(time.Now())
	if err := s.root.Rename(name, temp); err != nil {
		return err
	}
	defer func() { _ = s.root.Remove(temp) }()
	out, err := s.root.Lstat(temp)
	if err != nil || os.SameFile(out, want) {
		return errors.Join(err, s.sync())
	}
	if err := s.root.Link(temp, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return session.ErrConflict
}

// sync brings the names in the folder to the disk, so that a session that was ended stays ended.
func (s *Store) sync() error { return syncFolder(s.handle) }

// lanes is for how many sessions at a time this process does not wait for itself.
const lanes = 64

var seed = maphash.MakeSeed()

// change locks the file called name, in this process and for others that lock, and has f change it.
func (s *Store) change(ctx context.Context, name string, f func(locked *os.File, have session.Record) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lane := s.lanes[maphash.String(seed, name)%lanes]
	select {
	case lane <- struct{}{}:
		defer func() { <-lane }()
	case <-ctx.Done():
		return ctx.Err()
	}
	file, err := s.lock(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close() // which unlocks it
	have, err := s.record(file)
	if err != nil {
		return err
	}
	return f(file, have)
}

// lock opens and locks the file that is called name once it is locked: while one waits, the name may
// have become another file's.
func (s *Store) lock(ctx context.Context, name string) (*os.File, error) {
	for {
		file, err := s.open(name)
		if err != nil {
			return nil, err
		}
		if err := waitForLock(ctx, file); err != nil {
			file.Close()
			return nil, err
		}
		same, err := s.isStill(file, name)
		if same {
			return file, nil
		}
		file.Close()
		if err != nil {
			return nil, err
		}
	}
}

func (s *Store) isStill(file *os.File, name string) (bool, error) {
	locked, err := file.Stat()
	if err != nil {
		return false, err
	}
	named, err := s.root.Stat(name)
	return err == nil && os.SameFile(locked, named), err
}

// How long it is waited before a lock is tried again: another process holds it while it saves.
const (
	firstWait = 50 * time.Microsecond
	longWait  = 5 * time.Millisecond
)

func waitForLock(ctx context.Context, file *os.File) error {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		locked, err := tryLock(file)
		if locked || err != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("waiting for another process: %w", ctx.Err())
		}
	}
}
