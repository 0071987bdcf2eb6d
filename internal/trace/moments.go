package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// A Moment is a "why" question about a run, answered by the rule that decided it.
type Moment struct {
	Question string
	Answer   string
	Details  []string // what the answer is about, and what mends it, a line each; of a diagnosis only
	Step     int
	Rule     rule.ID
}

// moments asks the three questions of the lesson of a story. A question whose moment did not come is
// not asked.
func (s *Story) moments() []Moment {
	return slices.Concat(s.lastMoments(), s.httpMoment(), s.storeMoments(), s.aside())
}

// lastMoments ask about the last visit: why the cookie was sent over HTTP, or was not; or, when the
// browser went over to HTTPS by itself, why.
func (s *Story) lastMoments() []Moment {
	last := s.Steps[len(s.Steps)-1]
	if !last.reached {
		return nil
	}
	if v, ok := last.hops[0].Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
		return []Moment{s.moment(last.Number, "Why does the last visit leave over HTTPS?", "", v)}
	}
	var all []Moment
	for _, name := range s.Cookies {
		if v, ok := sendVerdict(last.hops[:1], name); ok {
			all = append(all, s.moment(last.Number, fmt.Sprintf("Why is %s %s on the last HTTP request?", called(name), choose(v.Yes, "sent", "not sent")), "", v))
		}
	}
	return all
}

// httpMoment asks what happened to the first request: a refused host comes before everything else.
func (s *Story) httpMoment() []Moment {
	first := s.Steps[0]
	if !first.reached {
		return s.stayedMoment()
	}
	h := first.hops[0]
	v, ok := h.Verdict(rule.AllowHost, "")
	if !ok || v.Yes {
		for _, q := range []rule.Question{rule.RedirectToHTTPS, rule.Answer, rule.Connect} {
			if v, ok = h.Verdict(q, ""); ok {
				break
			}
		}
	}
	return []Moment{s.moment(1, "What happens to a request over HTTP?", "", v)}
}

// stayedMoment answers the same question when the request went over https at once.
func (s *Story) stayedMoment() []Moment {
	if len(s.Run.Visits) == 0 {
		return nil
	}
	v, ok := s.Run.Visits[0].Hops[0].Verdict(rule.UpgradeToHTTPS, "")
	if !ok || !v.Yes {
		return nil
	}
	return []Moment{s.moment(1, "What happens to a request over HTTP?", "", v)}
}

// storeMoments ask when each cookie was stored for the first time, or why it never was.
func (s *Story) storeMoments() []Moment {
	var all []Moment
	for _, name := range s.Cookies {
		number, h, v, ok := s.settled(name)
		switch {
		case !ok:
		case v.Yes:
			before := fmt.Sprintf("As the browser reads the answer to %s %s. ", h.Method, h.URL)
			all = append(all, s.moment(number, fmt.Sprintf("When exactly is %s stored?", called(name)), before, v))
		default:
			all = append(all, s.moment(number, fmt.Sprintf("Why is %s not stored?", called(name)), "", v))
		}
	}
	return all
}

// settled finds the verdict by which a cookie was first stored; failing that, the first by which it
// was refused.
func (s *Story) settled(name string) (number int, in *Hop, verdict rule.Verdict, ok bool) {
	for _, st := range s.Steps {
		if st.split { // its answers are those of the next step
			continue
		}
		for _, h := range st.hops {
			for _, v := range h.All(rule.StoreCookie) {
				if v.Subject == name && v.Yes {
					return st.Number, h, v, true
				}
				if v.Subject == name && !ok {
					number, in, verdict, ok = st.Number, h, v, true
				}
			}
		}
	}
	return number, in, verdict, ok
}

// moment answers a question by the rule of a verdict. What else there is to know of a cookie that was
// sent follows.
func (s *Story) moment(step int, question, before string, v rule.Verdict) Moment {
	answer := string(v.Rule)
	if r, ok := s.lookup(v.Rule); ok {
		answer = r.Sentence
	}
	for _, id := range v.Notes {
		if r, ok := s.lookup(id); ok && v.Question == rule.SendCookie {
			answer += " " + r.Sentence
		}
	}
	return Moment{Question: question, Answer: before + answer, Step: step, Rule: v.Rule}
}

// facts lists the facts of a verdict.
func facts(v rule.Verdict) string {
	parts := make([]string, len(v.Facts))
	for i, f := range tellingFacts(v) {
		parts[i] = f.Name + "=" + f.Value
	}
	return strings.Join(parts, ", ")
}

func choose(yes bool, whenYes, whenNo string) string {
	if yes {
		return whenYes
	}
	return whenNo
}
