package site

import (
	"context"
	"net/http"
	"sync"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/django"
	"github.com/lockstep-http/lockstep/rule"
)

// maxBody is how long the body of a request may be: the forms of this site are small.
const maxBody = 64 << 10

// A record is what is gathered about one request while it is under way.
type record struct {
	cookie cookieHash // of the session cookie that came

	mu     sync.Mutex // a handler may have goroutines
	entry  *entry
	feed   string // the ID of the feed that it belongs to; "" is not known yet
	from   string // the feed that moves to it
	ends   string // a feed that ends with this request
	hidden bool   // not to be shown
}

type recordKey struct{}

func recordOf(r *http.Request) *record {
	if rec, ok := r.Context().Value(recordKey{}).(*record); ok {
		return rec
	}
	return &record{entry: new(entry)} // a request that nobody observes
}

// Observe returns a handler that notes each request to h, which is the Guard with the site behind it,
// and the verdicts on it, for the page of verdicts.
func (s *Site) Observe(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, _ := lockstep.ReadCookie(r, s.config.SessionCookie)
		rec := &record{entry: newEntry(r, s.config.Now()), cookie: hashCookie(value)}
		ctx := context.WithValue(r.Context(), recordKey{}, rec)
		ctx = rule.WithWatch(ctx, rec.tell)
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		out := &statusWriter{ResponseWriter: w}
		h.ServeHTTP(out, r)
		s.finish(rec, out.status, s.keyOf(w.Header()["Set-Cookie"]))
	})
}

func (rec *record) tell(v rule.Verdict) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.entry.tell(v)
}

// hide keeps a request out of its feed, whose ID it returns.
func (rec *record) hide() (feed string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.hidden = true
	return rec.feed
}

// keyOf returns the hash of the session cookie that a response sets, if it does.
func (s *Site) keyOf(lines []string) cookieHash {
	for _, line := range lines {
		if c := cookie.Parse(line); c.Name == s.config.SessionCookie {
			return hashCookie(django.UnquoteCookie(c.Value))
		}
	}
	return cookieHash{}
}

// finish puts the request into its feed; next is the cookie by which the browser comes again. A request that no handler saw, because the Guard answered it,
// belongs to whom its session cookie belongs to; one without such a cookie is nobody's.
func (s *Site) finish(rec *record, status int, next cookieHash) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.entry.Status = status
	if rec.from != "" {
		s.feeds.move(rec.from, rec.feed)
	}
	if rec.feed == "" {
		rec.feed = s.feeds.of(rec.cookie)
	}
	if rec.feed != "" {
		s.feeds.know(rec.feed, next)
	}
	if rec.feed != "" && !rec.hidden {
		s.feeds.add(rec.feed, rec.entry)
	}
	if rec.ends != "" {
		s.feeds.end(rec.ends)
	}
	if s.config.Told != nil && !rec.hidden {
		s.config.Told(rec.entry.report())
	}
	rec.entry = new(entry) // what is in a feed does not change, whatever the handler left running
}

// A statusWriter remembers the status of a response. The Guard, which finds everything else about the
// writer through Unwrap, sends the status through here.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	if w.status < http.StatusOK { // informational ones come before it
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status < http.StatusOK {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
