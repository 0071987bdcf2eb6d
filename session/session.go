package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
)

// A Session is the session of one request. It is loaded when it is first touched: one that no
// method touches costs no store access, sends no cookie and varies no answer. Methods touch it
// unless they say otherwise.
//
// Loading can fail, and then reading methods answer as if the session were empty, writing methods
// return the error, nothing is saved, and Err and Commit say why.
//
// The goroutines of the request may use a Session at the same time. Values are stored as JSON:
// what is read is a copy, and to change it means to Set it again.
type Session struct {
	engine *Engine
	ctx    context.Context //nolint:containedctx // the session is the request's and is loaded late

	mu  sync.Mutex
	key string // under which it is stored, or the cookie in which it lives; "" when it is neither
	err error  // why the session cannot be used

	sent      bool // the request sent a session cookie
	accessed  bool
	modified  bool
	loaded    bool // data is what the session holds
	known     bool // stored is what is under key
	cycled    bool
	flushed   bool
	committed bool

	data    django.Object // what it holds now, own changes included
	found   rule.ID       // what loading found; "" when it was not loaded
	stored  Record        // as read or written last; zero when there is none
	changes changes       // what this request did to data since

	merged, conflicts []string // items, see merger
	expires           expiry   // of what was stored last

	outcome Outcome // what Commit returned, once committed
	refusal error   // and its error
}

// Format implements [fmt.Formatter]. Whatever the verb, neither key nor items are printed.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("session.Session")) }

// Errors that writing methods and Commit return.
var (
	// ErrInterrupted says that the session was ended by another request while this one was under
	// way: the user logged out, for example. Nothing of it is saved. The answer is 400, without a
	// session cookie (Django's SessionInterrupted).
	ErrInterrupted = errors.New("the session was deleted before the request completed")

	// ErrCommitted says that the session was changed, or read for the first time, after the head
	// of the answer had been sent.
	ErrCommitted = errors.New("the session cannot be used anew: the answer has begun")
)

// touch marks the session as used and loads it. The caller holds s.mu.
func (s *Session) touch() error {
	if s.committed && !s.loaded {
		if s.err == nil {
			s.err = ErrCommitted
		}
		return s.err
	}
	s.accessed = true
	return s.load(s.ctx)
}

// change touches the session in order to change it.
func (s *Session) change() error {
	if s.committed {
		return ErrCommitted
	}
	return s.touch()
}

// raw returns the JSON of an item.
func (s *Session) raw(key string) (json.RawMessage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touch() != nil {
		return nil, false
	}
	return s.data.Get(key)
}

// Get returns the item key as [django.Unmarshal] decodes it into an any (nil, bool, int64,
// json.Number, float64, string, []any or map[string]any), or nil when there is none. See [Value]
// for items of a known type.
func (s *Session) Get(key string) any {
	v, _ := Value[any](s, key)
	return v
}

// Value returns the item key of s as a T, and whether there is such an item and it is one: an item
// that does not fit T is reported as missing.
func Value[T any](s *Session, key string) (T, bool) {
	var v T
	raw, ok := s.raw(key)
	if !ok || django.Unmarshal(raw, &v) != nil {
		var zero T
		return zero, false
	}
	return v, true
}

// Has reports whether there is an item key.
func (s *Session) Has(key string) bool {
	_, ok := s.raw(key)
	return ok
}

// Keys returns the names of the items, in the order in which they are stored.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touch() != nil {
		return nil
	}
	return s.data.Keys()
}

// Len returns the number of items.
func (s *Session) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touch() != nil {
		return 0
	}
	return s.data.Len()
}

// Set makes v, as JSON, the item key. An error says that v has no JSON or that the session could
// not be loaded; nothing has changed then.
//
// When two requests set different items at the same time, both are kept. When they set the same,
// the one saved later wins, and the rule session-key-conflict says so.
func (s *Session) Set(key string, v any) error {
	raw, err := django.Marshal(v)
	if err != nil {
		return fmt.Errorf("setting session item %q: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(key, raw)
}

func (s *Session) set(key string, raw json.RawMessage) error {
	if err := s.change(); err != nil {
		return err
	}
	s.data.Set(key, raw)
	s.changes.add(key)
	s.modified = true
	return nil
}

// Delete removes the item key. When there is none, the session is not changed.
func (s *Session) Delete(key string) error {
	_, err := s.pop(key)
	return err
}

// Pop returns the item key as Get does and removes it. When there is none, it returns nil and the
// session is not changed.
func (s *Session) Pop(key string) (any, error) {
	raw, err := s.pop(key)
	if raw == nil || err != nil {
		return nil, err
	}
	var v any
	if err := django.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("reading session item %q: %w", key, err)
	}
	return v, nil
}

func (s *Session) pop(key string) (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.change(); err != nil {
		return nil, err
	}
	raw, ok := s.data.Get(key)
	if ok {
		s.data.Delete(key)
		s.changes.add(key)
		s.modified = true
	}
	return raw, nil
}

// Clear removes all items, those that other requests add until this one is saved included, and
// keeps the session and its key. See Flush to end the session.
func (s *Session) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committed {
		return ErrCommitted
	}
	if s.err != nil {
		return s.err
	}
	s.clear()
	return nil
}

func (s *Session) clear() {
	s.data = django.Object{}
	s.loaded, s.accessed, s.modified = true, true, true
	s.changes = changes{cleared: true}
}

// Flush ends the session: its record is deleted at once and, at the end of the request, its cookie.
// What is set afterwards begins a new session under a new key, also after [ErrInterrupted]. When the
// store fails, the session is as it was, and the error says that the user is not logged out.
//
// A session that lives in its cookie cannot be ended on this side: who kept the cookie can send it
// until SESSION_COOKIE_AGE has passed.
func (s *Session) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committed {
		return ErrCommitted
	}
	if !s.engine.inCookie() && wellFormed(s.key) {
		if err := s.engine.config.Store.Delete(s.ctx, s.key); err != nil {
			return s.fail("deleting session", err)
		}
	}
	s.clear()
	s.begin("", Record{})
	s.flushed = true
	if errors.Is(s.err, ErrInterrupted) { // another request ended it first
		s.err = nil
	}
	return nil
}

// CycleKey gives the session a new key and keeps its items, so that a key that somebody knew before
// a login is worth nothing after it. The new record is stored and the old one removed at once, as
// Django does: when the answer is then not saved because of its status, the session is lost.
//
// The error is [ErrInterrupted] when another request ended the session meanwhile.
func (s *Session) CycleKey() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.change(); err != nil {
		return err
	}
	if s.engine.inCookie() {
		return s.cycleCookie()
	}
	old, stored, known := s.key, s.stored, s.known
	mine := s.changes
	if err := s.insert(s.ctx); err != nil {
		return s.fail("cycling session key", err)
	}
	s.cycled, s.modified = true, true
	if !wellFormed(old) {
		return nil // there is no such record
	}
	if err := s.retire(old, stored, known, mine); err != nil {
		_ = s.engine.config.Store.Delete(s.ctx, s.key) // nobody was told of it
		return s.fail("cycling session key", err)
	}
	return nil
}

// cycleCookie makes the cookie one that will be sent again, even if nothing is in the session.
func (s *Session) cycleCookie() error {
	next, _, err := s.encode()
	if err != nil {
		return s.fail("cycling session key", err)
	}
	s.key, s.cycled, s.modified = string(next.Data), true, true
	return nil
}

// retire removes the record of a key that the session no longer has. What another request saved
// under it meanwhile moves along; a session that was ended meanwhile stays so.
func (s *Session) retire(old string, stored Record, known bool, mine changes) error {
	if !known { // cleared without having been read: there is nothing to keep
		return s.engine.config.Store.Delete(s.ctx, old)
	}
	for range maxAttempts {
		err := s.engine.config.Store.Save(s.ctx, old, stored, Record{})
		if err == nil || !errors.Is(err, ErrConflict) {
			return interruptedIfGone(err)
		}
		theirs, err := s.reread(s.ctx, old)
		if err != nil {
			return err
		}
		s.rebase(stored, theirs, mine)
		stored = theirs.stored
		if err := s.replace(s.ctx); err != nil {
			return err
		}
	}
	return ErrConflict
}

// Create gives the session a new key and stores it at once, and leaves the record of the old key
// as it is. Items are kept if the session was loaded and else left behind, as in Django: to keep
// them for certain, and to invalidate the old key, call CycleKey.
func (s *Session) Create() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committed {
		return ErrCommitted
	}
	s.modified = true
	if s.engine.inCookie() || s.err != nil {
		return s.err
	}
	s.accessed, s.loaded = true, true
	if err := s.insert(s.ctx); err != nil {
		return s.fail("creating session", err)
	}
	return nil
}

// Key returns the key of the session, or "" when the session has none: it is new, its cookie named
// no session, or it lives in its cookie. It is as secret as a password.
//
// Unlike Django's session_key it loads the session first, and so never returns what a browser sent
// without there being such a session: data filed under a key of a stranger's choice are the
// stranger's.
func (s *Session) Key() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touch() != nil || s.engine.inCookie() || !s.committed && s.key != "" && s.know(s.ctx) != nil {
		return ""
	}
	return s.key
}

// IsEmpty reports whether the session has neither a key nor items, as far as is known without
// touching it.
func (s *Session) IsEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isEmpty()
}

func (s *Session) isEmpty() bool { return s.key == "" && (!s.loaded || s.data.Len() == 0) }

// Accessed reports whether the session was touched, so that the answer depends on the cookie. It
// does not touch it.
func (s *Session) Accessed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accessed
}

// Modified reports whether the session was changed, so that it is to be saved. It does not touch it.
func (s *Session) Modified() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.modified
}

// Err returns why the session cannot be used, or nil. It does not touch it.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fail keeps the first error, which makes the session unusable, and returns this one.
func (s *Session) fail(doing string, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	if s.err == nil {
		s.err = err
	}
	return err
}

// SetExpiry has the session end seconds after it is saved last. With 0 it ends when the browser is
// closed, and its record after SESSION_COOKIE_AGE.
func (s *Session) SetExpiry(seconds int) error { return s.Set(expiryKey, seconds) }

// SetExpiryAt has the session end at t, however often it is saved. It returns an error with
// [Config].NoMoments: Django up to 4.0 answers 500 to whoever has such a session. set_expiry with a
// timedelta is the same with now and that much: a moment that does not move on with every save.
func (s *Session) SetExpiryAt(t time.Time) error {
	if s.engine.config.NoMoments {
		return errNoMoments
	}
	return s.Set(expiryKey, formatMoment(t, !s.engine.config.NaiveMoments))
}

var errNoMoments = errors.New("session: Django up to 4.0 cannot read an expiry that is a moment: call SetExpiry with seconds, which count from every save")

// ResetExpiry has the session end as the settings say, as set_expiry(None) does.
func (s *Session) ResetExpiry() error { return s.Delete(expiryKey) }

// ExpiryAge returns in how many seconds the session ends if it is saved now.
func (s *Session) ExpiryAge() int { return s.expiry().Age }

// ExpiryDate returns when the session ends if it is saved now, in UTC.
func (s *Session) ExpiryDate() time.Time { return s.expiry().Date }

// ExpireAtBrowserClose reports whether the session's cookie has no lifetime, so that the session
// ends with the browser's own session.
func (s *Session) ExpireAtBrowserClose() bool { return s.expiry().BrowserClose }

func (s *Session) expiry() expiry {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.touch() // a session that cannot be loaded has the settings' expiry
	return s.expiryAt(s.engine.config.Now())
}

func (s *Session) expiryAt(now time.Time) expiry {
	c := &s.engine.config
	raw, _ := s.data.Get(expiryKey)
	return expiryOf(raw, c.CookieAge, c.ExpireAtBrowserClose, now)
}
