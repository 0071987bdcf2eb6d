package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// A Variable is one row of the variable tracker.
type Variable struct {
	Name   string
	Detail bool     // shown only when every variable is asked for
	Chance bool     // its values differ from run to run
	Values []string // at the start, then after each step of the story
}

// Changed reports whether the value after step (counted from 1) differs from the one before it.
func (v Variable) Changed(step int) bool { return v.Values[step] != v.Values[step-1] }

// none is the value of what does not exist yet.
const none = "-"

// track follows the variables through the steps.
func (s *Story) track() []Variable {
	vars := []Variable{s.follow("request.is_secure()", false, secureValue)}
	if !s.known() {
		vars = []Variable{s.follow("scheme", false, schemeValue)}
	}
	for _, name := range s.Cookies {
		vars = append(vars, s.follow("cookie "+called(name), false, func(st *Step, before string) string { return fate(st, name, before) }))
	}
	for _, name := range s.Cookies {
		vars = append(vars, s.follow("cookie "+called(name)+", stored as", true, func(st *Step, before string) string { return storedAs(st, name, before) }))
	}
	header := s.follow("Cookie header", true, cookieHeader)
	header.Chance = true
	return append(vars, header, s.follow("known HSTS hosts", true, hstsHosts))
}

func (s *Story) known() bool {
	return len(s.Run.Visits) > 0 && s.Run.Visits[0].Hops[0].Known
}

// follow computes the values of one variable: what it is after each step, given what it was before.
func (s *Story) follow(name string, detail bool, after func(st *Step, before string) string) Variable {
	v := Variable{Name: name, Detail: detail, Values: []string{none}}
	for i := range s.Steps {
		before := v.Values[i]
		if s.Steps[i].reached && s.Steps[i].As == "" { // the variables are those of the person's browser
			before = after(&s.Steps[i], before)
		}
		v.Values = append(v.Values, before)
	}
	return v
}

func secureValue(st *Step, before string) string {
	if st.sets {
		return before
	}
	if v, ok := st.hops[0].Verdict(rule.IsSecure, ""); ok {
		return pythonBool(v.Yes)
	}
	return before
}

func schemeValue(st *Step, before string) string {
	if st.sets {
		return before
	}
	return scheme(st.hops[0].URL)
}

// fate is what became of a cookie: not there, stored, refused, sent or kept back.
func fate(st *Step, name, before string) string {
	if !st.sets {
		if v, ok := sendVerdict(askedOf(st.hops), name); ok && v.Yes {
			return "sent"
		} else if ok {
			return "kept back"
		}
		if st.split {
			return before
		}
	}
	for _, h := range slices.Backward(st.hops) {
		for _, v := range h.All(rule.StoreCookie) {
			if v.Subject == name {
				return map[bool]string{true: "stored", false: "refused"}[v.Yes]
			}
		}
	}
	return before
}

// storedAs is how the browser holds a cookie after a step.
func storedAs(st *Step, name, before string) string {
	if st.split {
		return before
	}
	var all []string
	for _, c := range st.hops[len(st.hops)-1].Cookies {
		if c.Name == name {
			all = append(all, c.describe())
		}
	}
	if all == nil {
		return none
	}
	return strings.Join(all, " and ")
}

// describe tells a stored cookie by its attributes, without the value.
func (c StoredCookie) describe() string {
	scope := "Domain=" + c.Domain
	if c.HostOnly {
		scope = "host-only " + c.Domain
	}
	parts := append([]string{scope, "Path=" + c.Path}, flags(c.Secure, c.HttpOnly, c.SameSite)...)
	if !c.Expires.IsZero() {
		parts = append(parts, "until "+c.Expires.UTC().Format("2006-01-02"))
	}
	return strings.Join(parts, "; ")
}

func cookieHeader(st *Step, before string) string {
	if st.sets {
		return before
	}
	if st.hops[0].Cookie == "" {
		return none
	}
	return st.hops[0].Cookie
}

func hstsHosts(st *Step, _ string) string {
	var all []string
	for _, k := range st.hops[len(st.hops)-1].HSTS {
		text := k.Host
		if k.IncludeSubDomains {
			text += " and below"
		}
		all = append(all, fmt.Sprintf("%s until %s", text, k.Expires.UTC().Format("2006-01-02")))
	}
	if all == nil {
		return none
	}
	return strings.Join(all, ", ")
}
