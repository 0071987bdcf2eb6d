package lab

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/lesson"
	"github.com/lockstep-http/lockstep/rule"
)

type library struct {
	Scenarios []lesson.Scenario            `json:"scenarios"`
	Switches  []lesson.Switch              `json:"switches"` // as the lesson has them
	Defaults  map[string]map[string]string `json:"defaults"` // by scenario and switch, where they are not the lesson's
	Profiles  []string                     `json:"profiles"`
	Exercises []lesson.Exercise            `json:"exercises"`
}

func (s *Server) getLibrary(*http.Request) (any, error) {
	all := library{Scenarios: s.library.Scenarios(), Switches: s.library.Switches(""), Defaults: map[string]map[string]string{}, Exercises: s.library.Exercises()}
	for i := range all.Scenarios {
		name := all.Scenarios[i].Name
		all.Defaults[name] = ownDefaults(all.Switches, s.library.Switches(name))
	}
	for _, p := range browser.Profiles() {
		all.Profiles = append(all.Profiles, p.Name())
	}
	return all, nil
}

// ownDefaults are what the switches of a scenario say at first, where it is not what the lesson's do. In all
// else the switches are the same everywhere.
func ownDefaults(usual, here []lesson.Switch) map[string]string {
	own := map[string]string{}
	for i := range here {
		same := func(u lesson.Switch) bool { return u.Name == here[i].Name && u.Default == here[i].Default }
		if !slices.ContainsFunc(usual, same) {
			own[here[i].Name] = here[i].Default
		}
	}
	return own
}

func (s *Server) getRule(r *http.Request) (any, error) {
	found, ok := s.catalogue.Lookup(rule.ID(r.PathValue("id")))
	if !ok {
		return nil, &trouble{http.StatusNotFound, "there is no such rule", "lockstep explain lists the rules"}
	}
	return lesson.Rule{ID: found.ID, Sentence: found.Sentence, Source: found.Source, Fix: found.Fix}, nil
}

// A comparison is a run beside the one of the scenario as it is.
type comparison struct {
	Run     *lesson.Run     `json:"run"`
	Base    *lesson.Run     `json:"base"` // nil when nothing is changed
	Changes []lesson.Change `json:"changes"`
}

func (s *Server) postRun(r *http.Request) (any, error) {
	return asked(s, r, func(ctx context.Context, setup lesson.Setup) (*comparison, error) {
		c := &comparison{Changes: []lesson.Change{}}
		var err error
		if c.Run, err = s.library.Run(ctx, setup); err != nil {
			return nil, err
		}
		if isBase(setup) {
			return c, nil
		}
		if c.Base, err = s.bases.of(ctx, setup.Scenario); err != nil {
			return nil, err
		}
		c.Changes = append(c.Changes, lesson.Difference(c.Base, c.Run)...)
		return c, nil
	})
}

func isBase(s lesson.Setup) bool {
	return len(s.Switches) == 0 && s.Profile == ""
}

func (s *Server) postPredict(r *http.Request) (any, error) { return asked(s, r, s.library.Predict) }

func (s *Server) postQuiz(r *http.Request) (any, error) { return asked(s, r, s.library.Quiz) }

func (s *Server) getLesson(r *http.Request) (any, error) {
	var course *lesson.Course
	err := s.runs.do(r.Context(), func(ctx context.Context) (err error) {
		course, err = s.library.Lesson(ctx)
		return err
	})
	return course, err
}

func (s *Server) postTest(r *http.Request) (any, error) {
	return asked(s, r, func(ctx context.Context, from struct {
		Seed uint64 `json:"seed"`
	},
	) ([]lesson.Question, error) {
		return s.library.Test(ctx, from.Seed)
	})
}

// postStrong judges a test that was answered: the questions come from the seed again.
func (s *Server) postStrong(r *http.Request) (any, error) {
	return asked(s, r, func(ctx context.Context, done struct {
		Seed    uint64 `json:"seed"`
		Answers []int  `json:"answers"` // the number of the option taken; -1: none
	},
	) (map[string]bool, error) {
		questions, err := s.library.Test(ctx, done.Seed)
		if err != nil {
			return nil, err
		}
		if len(done.Answers) != len(questions) {
			return nil, &trouble{http.StatusUnprocessableEntity, "the test has another number of questions", "begin the test anew"}
		}
		return lesson.Strong(questions, done.Answers), nil
	})
}

func (s *Server) postJudge(r *http.Request) (any, error) {
	return asked(s, r, func(ctx context.Context, handed struct {
		ID     string        `json:"id"`
		Answer lesson.Answer `json:"answer"`
	},
	) (*lesson.Judgement, error) {
		return s.library.Judge(ctx, handed.ID, handed.Answer)
	})
}

// asked reads a question and answers it when its turn has come.
func asked[Q, A any](s *Server, r *http.Request, answer func(context.Context, Q) (A, error)) (any, error) {
	var (
		question Q
		found    A
	)
	if err := read(r, maxAsked, &question); err != nil {
		return nil, err
	}
	err := s.runs.do(r.Context(), func(ctx context.Context) (err error) {
		found, err = answer(ctx, question)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// bases are the runs of scenarios as they are, each made once: nothing about them changes but the clock.
type bases struct {
	library Library

	mu   sync.Mutex
	runs map[string]*lesson.Run
}

func newBases(l Library) *bases { return &bases{library: l, runs: map[string]*lesson.Run{}} }

func (b *bases) of(ctx context.Context, name string) (*lesson.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if run, ok := b.runs[name]; ok {
		return run, nil
	}
	run, err := b.library.Run(ctx, lesson.Setup{Scenario: name})
	if err != nil {
		return nil, err
	}
	b.runs[name] = run
	return run, nil
}
