package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

var noTime time.Time // files are told apart by their tags

// pages are the page for each scenario, made when it is first asked for. Beside the empty frame that the
// script fills, it holds the scenario's run as a transcript, for who has no script.
type pages struct {
	files   *files
	library Library

	mu   sync.Mutex
	made map[string]*file
}

func newPages(f *files, l Library) *pages {
	return &pages{files: f, library: l, made: map[string]*file{}}
}

// A view is what the template reads.
type view struct {
	Scenario  lesson.Scenario
	Scenarios []lesson.Scenario
	Run       *lesson.Run
}

// Heads are the columns of the tracker.
func (v view) Heads() []string {
	heads := []string{"Start"}
	for i := range v.Run.Steps {
		heads = append(heads, fmt.Sprintf("After %d", i+1))
	}
	return heads
}

// Main are the variables that are shown at first.
func (v view) Main() []lesson.Variable {
	var all []lesson.Variable
	for i := range v.Run.Tracker {
		if !v.Run.Tracker[i].Detail {
			all = append(all, v.Run.Tracker[i])
		}
	}
	return all
}

// of returns the page of a scenario, which has to be there.
func (p *pages) of(ctx context.Context, s lesson.Scenario) (*file, error) {
	if f := p.ready(s.Name); f != nil {
		return f, nil
	}
	run, err := p.library.Run(ctx, lesson.Setup{Scenario: s.Name})
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if err := p.files.template.Execute(&body, view{s, p.library.Scenarios(), run}); err != nil {
		return nil, fmt.Errorf("rendering scenario %q: %w", s.Name, err)
	}
	f := newFile("text/html; charset=utf-8", body.Bytes())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[s.Name] = f
	return f, nil
}

// ready is the page of a scenario if it is made.
func (p *pages) ready(name string) *file {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made[name]
}

// pageOf waits for its turn only when there is something to run.
func (s *Server) pageOf(ctx context.Context, of lesson.Scenario) (f *file, err error) {
	if f = s.pages.ready(of.Name); f != nil {
		return f, nil
	}
	err = s.runs.do(ctx, func(ctx context.Context) (err error) {
		f, err = s.pages.of(ctx, of)
		return err
	})
	return f, err
}

// page answers with the page of a scenario; "" is the lesson.
func (s *Server) page(w http.ResponseWriter, r *http.Request, name string) {
	found, ok := s.library.Scenario(name)
	if name == "" {
		found, ok = s.library.Scenarios()[0], true
	}
	if !ok {
		s.nothing(w, r)
		return
	}
	f, err := s.pageOf(r.Context(), found)
	if err != nil {
		troubleOf(err).writeText(w)
		return
	}
	serve(w, r, f)
}
