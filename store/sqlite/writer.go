package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"
)

const (
	// largestBatch is how many changes share a transaction at most.
	largestBatch = 256

	// logCheckEvery is how many transactions lie between two looks at the size of the log.
	logCheckEvery = 64

	// recoverEvery is how long after a recovery another is tried, so that damage that stays is not
	// all that is worked at.
	recoverEvery = 10 * time.Second
)

// A change is an operation with its caller, who waits.
type change struct {
	do   operation
	left func() error // why the caller waits no longer
	err  error
	done chan error
}

// change has the writer do an operation and waits for its answer. When ctx is done, it does not
// wait any longer: a change that the writer had not begun with has no effect, of another nobody
// knows.
func (s *Store) change(ctx context.Context, doing string, do operation) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	c := &change{do: do, left: ctx.Err, done: make(chan error, 1)}
	select {
	case s.queue <- c:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case <-s.closing:
		return fmt.Errorf("%s: %w", doing, errClosed)
	}
	select {
	case err := <-c.done:
		if err != nil {
			return fmt.Errorf("%s: %w", doing, explain(err))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
}

// A writer makes all the changes of a Store, one transaction after the other. While one reaches the
// disk, the next gathers: many who save at the same time share one wait for the disk.
type writer struct {
	*Store
	conn      *conn
	batch     []*change
	commits   int
	recovered time.Time // when a recovery was last tried
}

// write is the writer's life. What it waits for itself, it waits for until the store is closed.
func (s *Store) write(c *conn) {
	w := &writer{Store: s, conn: c}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.closing
		cancel()
	}()
	defer close(s.closed)
	defer w.end()
	for {
		select {
		case first := <-s.queue:
			w.serve(ctx, first)
		case damage := <-s.damage:
			w.recover(ctx, damage)
		case <-s.closing:
			return
		}
	}
}

// end closes the connections; those that read as they come back.
func (w *writer) end() {
	closeAll(append(w.takeReaders(), w.conn))
	w.file.register(-1)
}

// takeReaders waits for those that read.
func (w *writer) takeReaders() (all []*conn) {
	for range cap(w.readers) {
		all = append(all, <-w.readers)
	}
	return all
}

// serve makes first and what else is waiting, and answers.
func (w *writer) serve(ctx context.Context, first *change) {
	w.gather(first)
	w.apply(ctx)
	var damage error
	for _, c := range w.batch {
		if isDamaged(c.err) {
			damage = c.err
		}
		c.done <- c.err
	}
	clear(w.batch)
	if damage != nil {
		w.recover(ctx, damage)
	}
	if w.commits++; w.commits%logCheckEvery == 0 {
		w.boundLog(ctx)
	}
}

func (w *writer) gather(first *change) {
	w.batch = append(w.batch[:0], first)
	for len(w.batch) < largestBatch {
		select {
		case next := <-w.queue:
			w.batch = append(w.batch, next)
		default:
			return
		}
	}
}

// apply makes the changes in one transaction. If that fails, each is made in its own, so that what
// is the matter with one is not the matter of the others. A database that is locked is locked for
// all.
func (w *writer) apply(ctx context.Context) {
	err := w.transaction(ctx, w.batch)
	alone := err != nil && len(w.batch) > 1 && !isBusy(err)
	for i, c := range w.batch {
		if alone {
			err = w.transaction(ctx, w.batch[i:i+1])
		}
		if err != nil {
			c.err = err
		}
	}
}

// transaction makes the changes of those who still wait, and sets their answers. After an error
// nothing has changed, unless the disk failed at the commit itself.
func (w *writer) transaction(ctx context.Context, batch []*change) error {
	if w.conn.err != nil {
		return w.conn.err
	}
	if err := patiently(ctx, w.conn.begin.only); err != nil {
		return err
	}
	for _, c := range batch {
		if c.err = c.left(); c.err != nil {
			continue
		}
		var failure error
		if c.err, failure = c.do(w.conn); failure != nil {
			return w.undo(failure)
		}
	}
	if err := patiently(ctx, w.conn.commit.only); err != nil {
		return w.undo(err)
	}
	return nil
}

// undo rolls back, which is an error when SQLite has done so by itself.
func (w *writer) undo(failure error) error {
	_ = w.conn.rollback.only()
	return failure
}

// boundLog cuts the write-ahead log when it has grown beyond its limit, which it does while there
// is always somebody reading.
func (w *writer) boundLog(ctx context.Context) {
	info, err := os.Stat(w.file.path + "-wal")
	if err != nil || info.Size() < walLimit || w.conn.err != nil {
		return
	}
	readers := w.takeReaders() // for this moment nobody of this process reads
	err = patiently(ctx, func() error {
		_, err := w.conn.ask("PRAGMA wal_checkpoint(TRUNCATE)")
		return err
	})
	for _, c := range readers {
		w.readers <- c
	}
	if err != nil {
		w.file.log.LogAttrs(ctx, slog.LevelWarn, "sessions: the write-ahead log could not be cut",
			slog.String("path", w.file.path), slog.Int64("size", info.Size()), slog.String("error", err.Error()))
	}
}

// recover closes the file in which damage was met and opens it again: as it is if the damage was
// not on the disk, or a new one with what is whole. Calls wait meanwhile. If that does not succeed,
// they are answered with the damage, until it does.
func (w *writer) recover(ctx context.Context, damage error) {
	now := w.file.now()
	if now.Sub(w.recovered).Abs() < recoverEvery {
		return
	}
	w.recovered = now
	if w.owner != ours {
		w.file.log.LogAttrs(ctx, slog.LevelError, "sessions: the database is damaged; it is not for sessions alone, so it stays as it is: restore it from a backup",
			slog.String("path", w.file.path), slog.String("damage", damage.Error()))
		return
	}
	closeAll(append(w.takeReaders(), w.conn))
	whose, err := w.file.establish(ctx, true)
	if err == nil {
		w.owner = whose
		w.conn, err = w.connect(ctx)
	}
	if err == nil {
		return
	}
	w.file.log.LogAttrs(ctx, slog.LevelError, "sessions: the file is damaged and no new one could be made",
		slog.String("path", w.file.path), slog.String("damage", damage.Error()), slog.String("error", err.Error()))
	w.conn = &conn{err: fmt.Errorf("%w; %w", damage, err)}
	for range cap(w.readers) {
		w.readers <- w.conn
	}
}
