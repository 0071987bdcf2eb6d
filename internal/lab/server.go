package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

// A Library is what the lab asks for runs, questions and exercises. A [*lesson.Library] is one.
type Library interface {
	Scenarios() []lesson.Scenario
	Scenario(name string) (lesson.Scenario, bool)
	Switches(scenario string) []lesson.Switch
	Run(ctx context.Context, s lesson.Setup) (*lesson.Run, error)
	Predict(ctx context.Context, s lesson.Setup) ([]lesson.Question, error)
	Lesson(ctx context.Context) (*lesson.Course, error)
	Quiz(ctx context.Context, s lesson.Setup) ([]lesson.Question, error)
	Test(ctx context.Context, seed uint64) ([]lesson.Question, error)
	Exercises() []lesson.Exercise
	Judge(ctx context.Context, id string, a lesson.Answer) (*lesson.Judgement, error)
}

// Options are what a Server is made of.
type Options struct {
	Library   Library
	Catalogue *scenario.Catalogue // of the rules that the page explains
	Host      string              // that it listens on: localhost, or an address of loopback
	Port      int                 // the same
}

// A Server answers for the lab. It is safe for concurrent use.
type Server struct {
	library   Library
	catalogue *scenario.Catalogue
	origins   []string // own ones, as http://localhost:8400
	files     *files
	pages     *pages
	bases     *bases
	runs      *queue
	pastes    *queue
	visits    *visits
	mux       *http.ServeMux
	handler   http.Handler
}

// New returns a server. Who has used it calls [Server.Close].
func New(o Options) (*Server, error) {
	if o.Library == nil || o.Catalogue == nil {
		return nil, errors.New("making a lab: a library and a catalogue are needed")
	}
	files, err := readFiles()
	if err != nil {
		return nil, err
	}
	s := &Server{
		library: o.Library, catalogue: o.Catalogue, origins: originsOf(o.Host, o.Port), files: files,
		runs: newQueue(maxRuns, maxWaiting, runTimeout), pastes: newQueue(maxPastes, maxWaiting, pasteTimeout),
		visits: newVisits(),
	}
	s.pages = newPages(files, o.Library)
	s.bases = newBases(o.Library)
	s.mux = s.routes()
	s.handler = s.secured(s.mux)
	return s, nil
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// End ends the streams, which otherwise last as long as somebody looks on.
func (s *Server) End() { s.visits.end() }

// Close stops the site for one's own browser, if there is one.
func (s *Server) Close() error {
	s.End()
	return s.visits.close()
}

// Timeouts of the server's connections.
const (
	headerTimeout = 10 * time.Second // for the header of a request to arrive
	bodyTimeout   = time.Minute      // for all of it
	writeTimeout  = time.Minute      // for the answer, streams apart
	idleTimeout   = time.Minute
	maxHeader     = 32 << 10
	pasteArrival  = 10 * time.Second // for what was pasted, from when its turn has come

	maxConnections = 4096
)

// HTTP returns a server for [Server], with limits on time, size and connections. Serving and stopping is the
// caller's. There is nothing to ask about all of it (OPTIONS *), which is left to the handler to say.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ConnState: limited(maxConnections), DisableGeneralOptionsHandler: true,
	}
}

// full is what a connection gets when there are enough.
const full = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: " + retryAfter +
	"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe lab has too many connections.\nhint: close other pages of the lab, and try again\n"

// limited counts connections, and hangs up on those that are too many.
func limited(most int64) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			open.Add(-1)
		}
		if state == http.StateNew && open.Add(1) > most {
			_, _ = io.WriteString(c, full) // nothing waits in its buffer, so it is taken at once
			c.Close()
		}
	}
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.page(w, r, "") })
	mux.HandleFunc("GET /scenario/{name}", func(w http.ResponseWriter, r *http.Request) { s.page(w, r, r.PathValue("name")) })
	for name := range s.files.served {
		mux.HandleFunc("GET /"+name, s.asset)
	}
	mux.HandleFunc("GET /api/library", s.answer(s.getLibrary))
	mux.HandleFunc("GET /api/lesson", s.answer(s.getLesson))
	mux.HandleFunc("GET /api/rule/{id}", s.answer(s.getRule))
	mux.HandleFunc("POST /api/run", s.answer(s.postRun))
	mux.HandleFunc("POST /api/predict", s.answer(s.postPredict))
	mux.HandleFunc("POST /api/quiz", s.answer(s.postQuiz))
	mux.HandleFunc("POST /api/test", s.answer(s.postTest))
	mux.HandleFunc("POST /api/strong", s.answer(s.postStrong))
	mux.HandleFunc("POST /api/judge", s.answer(s.postJudge))
	mux.HandleFunc("POST /api/explain", s.answer(s.postExplain))
	mux.HandleFunc("POST /api/site", s.answer(s.postSite))
	mux.HandleFunc("GET /api/site/visits", s.stream)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.nothing(w, r) })
	return mux
}
