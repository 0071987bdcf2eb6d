package trace

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// A site that has answered is given this long to finish deciding before its verdicts count as not
// known. A site in this process needs microseconds.
const settle = time.Second

// A Watch hears the verdicts of a site in this process and keeps them for the [Client] that asked.
// A Client makes one request on each connection, and requests are paired by their connection, never
// by anything they carry, so that nobody can claim a verdict by sending a header. The zero Watch is
// ready; it is safe for concurrent use. It keeps nothing of connections that no Client expects.
type Watch struct {
	mu      sync.Mutex
	entries map[string]*entry // by the client's end of the connection
}

// An entry is what is known of the first request on a connection.
type entry struct {
	done     chan struct{} // closed when the request is finished, or the connection without one
	finished bool
	seen     bool
	verdicts []rule.Verdict
}

// Handler returns h, watched.
func (w *Watch) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var (
			mu       sync.Mutex
			verdicts []rule.Verdict
		)
		ctx := rule.WithWatch(r.Context(), func(v rule.Verdict) {
			mu.Lock()
			defer mu.Unlock()
			verdicts = append(verdicts, v)
		})
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			w.finish(r.RemoteAddr, true, verdicts)
		}()
		h.ServeHTTP(rw, r.WithContext(ctx))
	})
}

// ConnState is for the field of the same name of an [http.Server]: it tells the Watch that a connection
// ended, so that nobody waits for a request that never reached the Handler.
func (w *Watch) ConnState(conn net.Conn, state http.ConnState) {
	if state == http.StateClosed {
		w.finish(conn.RemoteAddr().String(), false, nil)
	}
}

// Expect says that a request will come from the connection whose client end is addr, and that Decided
// will be asked about it.
func (w *Watch) Expect(addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.entries == nil {
		w.entries = make(map[string]*entry)
	}
	w.entries[addr] = &entry{done: make(chan struct{})}
}

// Decided returns what the site decided about the request that came from the connection whose client
// end is addr, which was expected. It waits until that request is finished; ok is false when the site
// never saw it.
func (w *Watch) Decided(ctx context.Context, addr string) (verdicts []rule.Verdict, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	w.mu.Lock()
	e, expected := w.entries[addr]
	w.mu.Unlock()
	if !expected {
		return nil, false
	}
	select {
	case <-e.done:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.entries, addr)
	return e.verdicts, e.seen
}

func (w *Watch) finish(addr string, seen bool, verdicts []rule.Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e, ok := w.entries[addr]; ok && !e.finished {
		e.finished, e.seen, e.verdicts = true, seen, verdicts
		close(e.done)
	}
}
