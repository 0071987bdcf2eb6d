package sqlite

import (
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// An operation is what is written, each within a transaction that others may share. It returns the answer to
// its caller, which leaves the transaction alone, and a failure, after which the transaction is
// rolled back and the operation made again in one of its own. It therefore keeps copies of what it was
// given, and may be made twice.

type operation func(*conn) (answer, failure error)

// inserting adds a row where there is none.
func inserting(key string, next session.Record) operation {
	data, date := string(next.Data), dateText(next.Expires)
	return func(c *conn) (answer, failure error) {
		args := append(make([]any, 0, 4), key, data, date)
		n, err := c.insert.exec(c.withSum(args, key, date, data)...)
		if err == nil && n == 0 {
			return errHasRecord, nil
		}
		return nil, err
	}
}

// replacing is the compare-and-swap, in one statement.
func replacing(key string, old, next session.Record) operation {
	was, data, date := string(old.Data), string(next.Data), dateText(next.Expires)
	return func(c *conn) (answer, failure error) {
		args := c.withSum(append(make([]any, 0, 6), data, date), key, date, data)
		n, err := c.update.exec(append(args, key, key, was)...)
		if err != nil || n > 0 {
			return nil, err
		}
		return c.whyNot(key)
	}
}

// removing deletes a row that holds what it should.
func removing(key string, old session.Record) operation {
	was := string(old.Data)
	return func(c *conn) (answer, failure error) {
		n, err := c.remove.exec(key, key, was)
		if err != nil || n > 0 {
			return nil, err
		}
		return c.whyNot(key)
	}
}

// erasing deletes a row, whatever it holds.
func erasing(key string) operation {
	return func(c *conn) (answer, failure error) {
		n, err := c.erase.exec(key, key)
		if err != nil || n > 0 {
			return nil, err
		}
		_, _, _, err = c.lookUp(key) // the index may have led to the row of another
		return nil, err
	}
}

// discarding deletes the row of key if its sum still does not hold.
func discarding(key string) operation {
	return func(c *conn) (answer, failure error) {
		r, verdict, found, err := c.lookUp(key)
		if err != nil || !found || verdict != broken {
			return nil, err
		}
		_, err = c.discard.exec(r.id)
		return nil, err
	}
}

// purging deletes rows that have expired, those that expired first before the others.
func purging(now time.Time, limit int, done *int) operation {
	date := dateText(now)
	return func(c *conn) (answer, failure error) {
		n, err := c.purge.exec(date, int64(limit), date)
		*done = int(n)
		return nil, err
	}
}

// withSum adds the sum of a row to args, if the table has a column for it.
func (c *conn) withSum(args []any, key, date, data string) []any {
	if !c.sums {
		return args
	}
	var sum [sumLength]byte
	sum, c.scratch = sumOf(key, date, data, c.scratch)
	return append(args, sum[:])
}

// whyNot says why no row held what it should.
func (c *conn) whyNot(key string) (answer, failure error) {
	r, verdict, found, err := c.lookUp(key)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return errNoRecord, nil
	case verdict == broken:
		_, err := c.discard.exec(r.id)
		return errNoRecord, err
	}
	return session.ErrConflict, nil
}
