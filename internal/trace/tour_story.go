package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// IsTour reports whether a run is one of [Client.Tour].
func (r *Run) IsTour() bool { return len(r.Visits) > 0 && r.Visits[0].Context != nil }

// tellTour tells a run of [Client.Tour]: each hop is a step.
func tellTour(run Run, lookup lookup) Story {
	s := Story{Run: run, Called: "the run", lookup: lookup}
	s.aboutAll()
	held := map[string]string{}
	for i := range run.Visits {
		title := run.Visits[i].Title
		for _, h := range pointers(run.Visits[i].Hops) {
			if h.isPreflight() {
				s.Steps = append(s.Steps, s.tourStep(i+1, "preflight, "+title, h, held))
				continue
			}
			s.Steps = append(s.Steps, s.tourStep(i+1, title, h, held))
			title = "redirected"
		}
	}
	s.Variables = s.trackTour()
	s.Moments = slices.Concat(s.preflightMoments(), s.lastVisitMoments(), s.refusalMoments())
	return s
}

func (s *Story) tourStep(visit int, title string, h *Hop, held map[string]string) Step {
	step := s.actStep(titled{title: title, hops: []*Hop{h}}, held)
	step.visit = visit
	if site, ok := h.sent("Sec-Fetch-Site"); ok {
		step.Condition += ", Sec-Fetch-Site: " + site
	}
	return step
}

// trackTour follows what a login is followed by; a value that never changes is a detail.
func (s *Story) trackTour() []Variable {
	all := s.trackLogin()
	for i := range all {
		values := slices.Compact(slices.Clone(all[i].Values))
		all[i].Detail = all[i].Detail || strings.HasPrefix(all[i].Name, valuePrefix) && len(values) <= 2
	}
	return all
}

// sent is what the browser told the site of where the request comes from, in a field of its header.
func (h *Hop) sent(name string) (string, bool) {
	for _, f := range h.Sent {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// isPreflight reports whether a request asks for permission to send another one.
func (h *Hop) isPreflight() bool {
	_, ok := h.sent(requestMethod)
	return ok
}

// requestMethod is the field in which a preflight names the method that it asks for.
const requestMethod = "Access-Control-Request-Method"

// preflightMoments ask why a request was not sent for which there was no permission.
func (s *Story) preflightMoments() []Moment {
	var all []Moment
	for _, st := range s.Steps {
		for _, h := range st.hops {
			method, _ := h.sent(requestMethod)
			if v, ok := h.Verdict(rule.AllowFetch, ""); ok && !v.Yes {
				all = append(all, s.ask(told{st.Number, v, []string{"the " + method}}, "not sent"))
			}
		}
	}
	return all
}

// A told is something to tell of several cookies at once.
type told struct {
	step    int
	verdict rule.Verdict
	names   []string
}

// grouped puts cookies together of which the same was decided at the same step.
func grouped(all []told) []told {
	var groups []told
	for _, t := range all {
		i := slices.IndexFunc(groups, func(g told) bool {
			return g.step == t.step && g.verdict.Rule == t.verdict.Rule && slices.Equal(g.verdict.Notes, t.verdict.Notes)
		})
		if i < 0 {
			groups = append(groups, t)
			continue
		}
		groups[i].names = append(groups[i].names, t.names...)
	}
	return groups
}

// ask asks why something is so of the cookies of a group; behind the answer that it is not so stands what to
// do.
func (s *Story) ask(t told, what string) Moment {
	is := choose(len(t.names) > 1, "are", "is")
	m := s.moment(t.step, fmt.Sprintf("Why %s %s %s?", is, strings.Join(t.names, ", "), what), "", t.verdict)
	if r, ok := s.lookup(t.verdict.Rule); ok && !t.verdict.Yes {
		m.Answer += " What to do: " + r.Fix
	}
	return m
}

// lastVisitMoments ask of the cookies why the last visit carried them, or did not.
func (s *Story) lastVisitMoments() []Moment {
	var all []told
	for _, name := range s.Cookies {
		if n, v, ok := s.decidedLast(name); ok {
			all = append(all, told{n, v, []string{called(name)}})
		}
	}
	var moments []Moment
	for _, t := range grouped(all) {
		moments = append(moments, s.ask(t, choose(t.verdict.Yes, "sent with the last request", "not sent with the last request")))
	}
	return moments
}

// refusalMoments ask of each answer why cookies that it sets were not stored.
func (s *Story) refusalMoments() []Moment {
	var all []told
	for _, st := range s.Steps {
		for _, h := range st.hops {
			for _, v := range s.storeVerdicts(h) {
				if !v.Yes {
					all = append(all, told{st.Number, v, []string{called(v.Subject)}})
				}
			}
		}
	}
	var moments []Moment
	for _, t := range grouped(all) {
		moments = append(moments, s.ask(t, fmt.Sprintf("not stored from the answer of step %d", t.step)))
	}
	return moments
}

// decidedLast is the last verdict on sending a cookie in the last visit, and the step at which it fell.
func (s *Story) decidedLast(name string) (step int, verdict rule.Verdict, ok bool) {
	for _, st := range s.lastVisit() {
		if v, asked := sendVerdict(st.hops, name); asked && !st.hops[0].isPreflight() {
			step, verdict, ok = st.Number, v, true
		}
	}
	return step, verdict, ok
}

// lastVisit are the steps of the last visit of a tour.
func (s *Story) lastVisit() []Step {
	i := slices.IndexFunc(s.Steps, func(st Step) bool { return st.visit == len(s.Run.Visits) })
	return s.Steps[max(i, 0):]
}

// tourFates is what became of each cookie of a tour, and, where there is a script that could ask, whether it
// finds the cookie in the end.
func (s *Story) tourFates() grid {
	last := s.Run.Visits[len(s.Run.Visits)-1].Last()
	g := grid{head: []string{"Cookie", "Stored", "Last request"}}
	scripts := len(last.All(rule.ReadCookie)) > 0
	if scripts {
		g.head = append(g.head, "document.cookie")
	}
	for _, name := range s.Cookies {
		sent, read := none, none
		if _, v, ok := s.decidedLast(name); ok {
			sent = yesNo(v.Yes) + ": " + ids(v)
		}
		if v, ok := last.Verdict(rule.ReadCookie, name); ok {
			read = yesNo(v.Yes) + ": " + ids(v)
		}
		row := []string{called(name), s.whetherStored(name), sent}
		if scripts {
			row = append(row, read)
		}
		g.rows = append(g.rows, row)
	}
	return g
}
