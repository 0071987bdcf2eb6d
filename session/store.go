package session

import (
	"context"
	"errors"
	"time"
)

// A Store keeps the records of sessions under their keys. It knows nothing of what a record
// means: signing, expiry and Django's rules are the session's. A Store is used by many goroutines
// at a time. Package session/sessiontest holds this contract as a test suite.
//
// Keys are 8 to 40 characters of a-z and 0-9; a Store sees no others.
//
// A Store honours ctx: a call whose ctx is done returns promptly with an error that wraps
// ctx.Err(). After an error that none of the sentences below names, the caller does not know
// whether the call had its effect.
type Store interface {
	// Load returns the record of key, or an error that wraps [fs.ErrNotExist]. Whether the
	// record has expired is the session's question, by the session's clock: a Store returns an
	// expired record like any other. It may forget it at any moment, and nothing before that.
	//
	// The caller may change the bytes it got.
	Load(ctx context.Context, key string) (Record, error)

	// Save changes the record of key from old to next by compare-and-swap: no other call sees or
	// makes a change in between. Stored and old are compared by Data alone, so that a store may
	// round Expires down to the microsecond.
	//
	//   - old is the zero Record: next is inserted. If there is a record, even an expired one,
	//     nothing changes and the error wraps [fs.ErrExist].
	//   - neither is zero: next replaces old.
	//   - next is the zero Record: old is removed.
	//
	// In the last two, if there is no record, nothing changes and the error wraps
	// [fs.ErrNotExist]: Save never brings a removed record back. If the record holds other bytes
	// than old, nothing changes and the error wraps [ErrConflict]. Old and next both zero is a
	// mistake of the caller and an error.
	//
	// The Store keeps no reference to the bytes of next.
	Save(ctx context.Context, key string, old, next Record) error

	// Delete removes the record of key, whatever it holds. That there is none is no error.
	Delete(ctx context.Context, key string) error
}

// A Purger is a [Store] that can remove the records that have expired. A Store whose records
// vanish by themselves needs none.
type Purger interface {
	// Purge removes at most limit records whose Expires is not after now, those that expired
	// first before the others, and returns how many it removed.
	Purge(ctx context.Context, now time.Time, limit int) (n int, err error)
}

// A Record is a session as a [Store] holds it.
type Record struct {
	Data    []byte    // any bytes; here, Django's signed payload
	Expires time.Time // the session is over when this moment is reached
}

// IsZero reports whether r is no record at all: neither bytes nor a moment.
func (r Record) IsZero() bool { return len(r.Data) == 0 && r.Expires.IsZero() }

// ErrConflict is the answer of a [Store] whose record is not the one that was to be replaced.
// Sessions resolve it by themselves; it reaches an application only when the same session was
// changed by others at every attempt.
var ErrConflict = errors.New("session was changed by another request")
