package session_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/lockstep-http/lockstep/session"
)

// untouched is what a session costs a request that does not use it.
func untouched(e *session.Engine, cookie string) {
	s := e.Open(context.Background(), cookie, true)
	session.From(session.NewContext(context.Background(), s))
	_, _ = s.Commit(context.Background(), http.StatusOK)
}

func TestUntouchedAllocations(t *testing.T) {
	e := engine(t, config(new(session.Memory)))
	cookie := begin(t, e, "a")
	if n := testing.AllocsPerRun(100, func() { untouched(e, cookie) }); n > 2 {
		t.Errorf("%v allocations, want the session and its context", n)
	}
}

// A context of one's own and a session in a struct of one's own, as the site has them.
type ownContext struct {
	context.Context
	session session.Session
}

func (c *ownContext) Value(key any) any {
	if s := c.session.ContextValue(key); s != nil {
		return s
	}
	return c.Context.Value(key)
}

func TestOwnContextCarriesItsSession(t *testing.T) {
	e := engine(t, config(new(session.Memory)))
	cookie := begin(t, e, "a")
	type other struct{}
	c := &ownContext{Context: context.WithValue(context.Background(), other{}, "kept")}
	e.OpenIn(&c.session, context.Background(), cookie, true)
	if s := session.From(c); s != &c.session || !s.Has("a") {
		t.Error("From did not find the session that was opened in place")
	}
	if c.Value(other{}) != "kept" || c.session.ContextValue(other{}) != nil {
		t.Error("the session answers for a key that is not its own")
	}
}

func BenchmarkUntouched(b *testing.B) {
	e := engine(b, config(new(session.Memory)))
	cookie := begin(b, e, "a")
	b.ReportAllocs()
	for b.Loop() {
		untouched(e, cookie)
	}
}

func BenchmarkRead(b *testing.B) {
	e := engine(b, config(new(session.Memory)))
	cookie := begin(b, e, "a", "b", "c")
	b.ReportAllocs()
	for b.Loop() {
		s := e.Open(context.Background(), cookie, true)
		_, _ = session.Value[string](s, "a")
		_, _ = s.Commit(context.Background(), http.StatusOK)
	}
}

func BenchmarkWrite(b *testing.B) {
	e := engine(b, config(new(session.Memory)))
	cookie := begin(b, e, "a", "b", "c")
	b.ReportAllocs()
	for b.Loop() {
		s := e.Open(context.Background(), cookie, true)
		_ = s.Set("a", "new")
		_, _ = s.Commit(context.Background(), http.StatusOK)
	}
}

func BenchmarkCreate(b *testing.B) {
	e := engine(b, config(new(session.Memory)))
	b.ReportAllocs()
	for b.Loop() {
		s := e.Open(context.Background(), "", false)
		_ = s.Set("a", "new")
		_, _ = s.Commit(context.Background(), http.StatusOK)
	}
}
