package session

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of this process, for one process and until it ends. The zero
// Memory is empty and ready; it is safe for concurrent use and must not be copied.
//
// It has no upper bound: it holds what was saved until that is deleted or purged. An [Engine]
// purges expired records in small batches as it creates sessions, so that a Memory behind one
// grows with the sessions that are alive.
type Memory struct {
	mu      sync.RWMutex
	records map[string]*memoryRecord
	byTime  expiryHeap
}

type memoryRecord struct {
	Record
	key   string
	index int // where the record is in the heap
}

var _ interface {
	Store
	Purger
} = (*Memory)(nil)

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	have, ok := m.records[key]
	if !ok {
		return Record{}, errNoRecord
	}
	return copyOf(have.Record), nil
}

// Save implements [Store].
func (m *Memory) Save(ctx context.Context, key string, old, next Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	have := m.records[key]
	if err := mayReplace(have, old, next); err != nil {
		return err
	}
	switch {
	case have == nil:
		m.insert(key, copyOf(next))
	case next.IsZero():
		m.remove(have)
	default:
		have.Record = copyOf(next)
		heap.Fix(&m.byTime, have.index)
	}
	return nil
}

var (
	errNoRecord  = fmt.Errorf("no such session: %w", fs.ErrNotExist)
	errHasRecord = fmt.Errorf("session key is taken: %w", fs.ErrExist)
	errNothing   = errors.New("saving a session: neither an old nor a new record")
)

// mayReplace is the compare of compare-and-swap.
func mayReplace(have *memoryRecord, old, next Record) error {
	switch {
	case old.IsZero() && next.IsZero():
		return errNothing
	case old.IsZero() && have != nil:
		return errHasRecord
	case old.IsZero():
		return nil
	case have == nil:
		return errNoRecord
	case !bytes.Equal(have.Data, old.Data):
		return ErrConflict
	}
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if have, ok := m.records[key]; ok {
		m.remove(have)
	}
	return nil
}

// Purge implements [Purger].
func (m *Memory) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for n < limit && len(m.byTime) > 0 && !m.byTime[0].Expires.After(now) {
		m.remove(m.byTime[0])
		n++
	}
	return n, nil
}

// Format implements [fmt.Formatter]: keys of sessions are not printed.
func (m *Memory) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("session.Memory")) }

// Len returns how many records there are, expired ones among them.
func (m *Memory) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.records)
}

func (m *Memory) insert(key string, r Record) {
	if m.records == nil {
		m.records = make(map[string]*memoryRecord)
	}
	have := &memoryRecord{Record: r, key: key}
	m.records[key] = have
	heap.Push(&m.byTime, have)
}

func (m *Memory) remove(have *memoryRecord) {
	delete(m.records, have.key)
	heap.Remove(&m.byTime, have.index)
}

func copyOf(r Record) Record {
	return Record{Data: slices.Clone(r.Data), Expires: r.Expires}
}

// An expiryHeap has the record that expires first at its root, for [heap.Interface].
type expiryHeap []*memoryRecord //nolint:recvcheck // as heap.Interface is used

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].Expires.Before(h[j].Expires) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds x, which is a *memoryRecord, at the end.
func (h *expiryHeap) Push(x any) {
	r, ok := x.(*memoryRecord)
	if !ok {
		panic("session: the heap holds records only")
	}
	r.index = len(*h)
	*h = append(*h, r)
}

// Pop removes the last.
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return r
}
