package sessiontest_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/session/sessiontest"
)

func TestMemoryPasses(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) session.Store { return new(session.Memory) })
}

// brokenStores are stores that break a sentence of the contract each, and the case that must say so.
var brokenStores = map[string]struct {
	open   func() session.Store
	caught string
}{
	"forgets the moment":     {func() session.Store { return &broken{load: dropMoment} }, "insert_and_load"},
	"inserts over a record":  {func() session.Store { return &broken{save: overwrite} }, "insert_over_a_record"},
	"never compares":         {func() session.Store { return &broken{save: blind} }, "replace_what_is_another_record"},
	"revives":                {func() session.Store { return &broken{save: revive} }, "replace_what_is_gone"},
	"cannot remove":          {func() session.Store { return &broken{save: keep} }, "remove"},
	"refuses what is equal":  {func() session.Store { return &broken{save: refuseEqual} }, "replace_by_the_same_bytes"},
	"folds keys":             {func() session.Store { return &broken{key: func(k string) string { return k[:8] }} }, "keys_are_apart"},
	"ignores the context":    {func() session.Store { return &broken{ctx: context.Background()} }, "a_context_that_is_done"},
	"fails on a miss":        {func() session.Store { return &broken{load: otherError} }, "a_miss"},
	"keeps the bytes":        {func() session.Store { return &sharing{} }, "bytes_are_copied"},
	"compares, then swaps":   {func() session.Store { return &broken{save: lateSwap} }, "one_of_many_wins"},
	"delete of none fails":   {func() session.Store { return &broken{remove: strict} }, "delete"},
	"purges without a limit": {func() session.Store { return &greedy{} }, "purge"},
}

// A broken store is a Memory in which one thing is done otherwise.
type broken struct {
	session.Memory
	load   func(session.Record, error) (session.Record, error)
	save   func(ctx context.Context, m *session.Memory, key string, old, next session.Record) error
	remove func(ctx context.Context, m *session.Memory, key string) error
	key    func(string) string
	ctx    context.Context
}

func (b *broken) use(ctx context.Context, key string) (context.Context, string) {
	if b.ctx != nil {
		ctx = b.ctx
	}
	if b.key != nil {
		key = b.key(key)
	}
	return ctx, key
}

func (b *broken) Load(ctx context.Context, key string) (session.Record, error) {
	ctx, key = b.use(ctx, key)
	r, err := b.Memory.Load(ctx, key)
	if b.load != nil {
		return b.load(r, err)
	}
	return r, err
}

func (b *broken) Save(ctx context.Context, key string, old, next session.Record) error {
	ctx, key = b.use(ctx, key)
	if b.save != nil {
		return b.save(ctx, &b.Memory, key, old, next)
	}
	return b.Memory.Save(ctx, key, old, next)
}

func (b *broken) Delete(ctx context.Context, key string) error {
	ctx, key = b.use(ctx, key)
	if b.remove != nil {
		return b.remove(ctx, &b.Memory, key)
	}
	return b.Memory.Delete(ctx, key)
}

func dropMoment(r session.Record, err error) (session.Record, error) {
	r.Expires = r.Expires.Truncate(time.Second)
	return r, err
}

func otherError(r session.Record, err error) (session.Record, error) {
	if err != nil {
		err = errors.New("no rows")
	}
	return r, err
}

// put stores next whatever is there.
func put(ctx context.Context, m *session.Memory, key string, next session.Record) error {
	return errors.Join(m.Delete(ctx, key), m.Save(ctx, key, session.Record{}, next))
}

func overwrite(ctx context.Context, m *session.Memory, key string, old, next session.Record) error {
	if old.IsZero() {
		return put(ctx, m, key, next)
	}
	return m.Save(ctx, key, old, next)
}

func blind(ctx context.Context, m *session.Memory, key string, old, next session.Record) error {
	err := m.Save(ctx, key, old, next)
	if errors.Is(err, session.ErrConflict) {
		return put(ctx, m, key, next)
	}
	return err
}

func revive(ctx context.Context, m *session.Memory, key string, old, next session.Record) error {
	err := m.Save(ctx, key, old, next)
	if errors.Is(err, fs.ErrNotExist) && !next.IsZero() {
		return put(ctx, m, key, next)
	}
	return err
}

func keep(ctx context.Context, m *session.Memory, key string, old, next session.Record) error {
	if next.IsZero() {
		return nil
	}
	return m.Save(ctx, key, old, next)
}

func refuseEqual(ctx context.Context, m *session.Memory, key string, old, next session.Record) error {
	if bytes.Equal(old.Data, next.Data) && !old.IsZero() {
		return session.ErrConflict
	}
	return m.Save(ctx, key, old, next)
}

// A sharing store hands out the bytes it was given.
type sharing struct {
	session.Memory
	given sync.Map
}

func (s *sharing) Load(ctx context.Context, key string) (session.Record, error) {
	r, err := s.Memory.Load(ctx, key)
	if given, ok := s.given.Load(key); ok && err == nil {
		return given.(session.Record), nil
	}
	return r, err
}

func (s *sharing) Save(ctx context.Context, key string, old, next session.Record) error {
	err := s.Memory.Save(ctx, key, old, next)
	if err == nil {
		s.given.Store(key, next)
	}
	return err
}

// lateSwap looks first and writes later, as a SELECT and an UPDATE do.
func lateSwap(ctx context.Context, m *session.Memory, key string, old, next session.Record) error {
	have, err := m.Load(ctx, key)
	if err != nil || !bytes.Equal(have.Data, old.Data) || next.IsZero() {
		return m.Save(ctx, key, old, next)
	}
	time.Sleep(time.Millisecond)
	return put(ctx, m, key, next)
}

func strict(ctx context.Context, m *session.Memory, key string) error {
	if _, err := m.Load(ctx, key); err != nil {
		return err
	}
	return m.Delete(ctx, key)
}

type greedy struct{ session.Memory }

func (g *greedy) Purge(ctx context.Context, now time.Time, _ int) (int, error) {
	return g.Memory.Purge(ctx, now, 1<<30)
}

const brokenVariable = "SESSIONTEST_BROKEN"

// TestBrokenStores has the suite fail for each of them, in a process of its own.
func TestBrokenStores(t *testing.T) {
	if name := os.Getenv(brokenVariable); name != "" {
		sessiontest.Run(t, func(*testing.T) session.Store { return brokenStores[name].open() })
		return
	}
	for name, b := range brokenStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenStores$", "-test.short")
			cmd.Env = append(os.Environ(), brokenVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestBrokenStores/"+b.caught+" ") {
				t.Errorf("error %v; case %q did not fail:\n%s", err, b.caught, out)
			}
			if !strings.Contains(string(out), "the contract: ") {
				t.Error("the contract is not told")
			}
		})
	}
}
