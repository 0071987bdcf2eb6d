package trace

import (
	"fmt"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// A Moment is a "why" question about a run, answered by the rule that decided it.
type Moment struct {
	Question string
	Answer   string
	Step     int
	Rule     rule.ID
}

// moments asks the three questions of the lesson of a story. A question whose step was not reached
// is not asked.
func (s *Story) moments(lookup func(rule.ID) (rule.Rule, bool)) []Moment {
	var all []Moment
	ask := func(step int, question string, v rule.Verdict) {
		answer := string(v.Rule)
		if r, ok := lookup(v.Rule); ok {
			answer = r.Sentence
		}
		if v.Question == rule.StoreCookie && v.Yes {
			answer = "As the browser reads the answer to " + s.setBy(step, v.Subject) + ". " + answer
		}
		for _, id := range v.Notes {
			if r, ok := lookup(id); ok && v.Question == rule.SendCookie {
				answer += " " + r.Sentence
			}
		}
		all = append(all, Moment{Question: question, Answer: answer, Step: step, Rule: v.Rule})
	}
	for _, name := range s.Cookies {
		if v, ok := s.sendOver(5, name); ok {
			ask(5, fmt.Sprintf("Why is %s %s on the last HTTP request?", called(name), choose(v.Yes, "sent", "not sent")), v)
		}
	}
	if v, ok := s.first(1, rule.RedirectToHTTPS, rule.Answer, rule.Connect); ok {
		ask(1, "What happens to a request over HTTP?", v)
	}
	for _, name := range s.Cookies {
		for _, step := range []int{3, 1} {
			if v, ok := s.storing(step, name); ok {
				ask(step, fmt.Sprintf(choose(v.Yes, "When exactly is %s stored?", "Why is %s not stored?"), called(name)), v)
				break
			}
		}
	}
	return all
}

// setBy is the request of a step whose answer set the cookie.
func (s *Story) setBy(number int, name string) string {
	for _, h := range s.Steps[number-1].hops {
		if _, ok := h.Verdict(rule.StoreCookie, name); ok {
			return h.Method + " " + h.URL
		}
	}
	return "the request"
}

func (s *Story) first(number int, questions ...rule.Question) (rule.Verdict, bool) {
	for _, q := range questions {
		for _, p := range s.Steps[number-1].Parts {
			if p.Verdict.Question == q {
				return p.Verdict, true
			}
		}
	}
	return rule.Verdict{}, false
}

func (s *Story) sendOver(number int, name string) (rule.Verdict, bool) {
	st := s.Steps[number-1]
	if !st.reached {
		return rule.Verdict{}, false
	}
	return sendVerdict(st.hops[:1], name)
}

func (s *Story) storing(number int, name string) (rule.Verdict, bool) {
	for _, p := range s.Steps[number-1].Parts {
		if p.Verdict.Question == rule.StoreCookie && p.Verdict.Subject == name {
			return p.Verdict, true
		}
	}
	return rule.Verdict{}, false
}

// facts lists the facts of a verdict.
func facts(v rule.Verdict) string {
	parts := make([]string, len(v.Facts))
	for i, f := range v.Facts {
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
