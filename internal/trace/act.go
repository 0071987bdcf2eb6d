package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// An Act is what there is to tell of a run whose visits have titles.
type Act struct {
	Name      string   // "act 2", for sentences
	Cookies   []string // the cookies it is about
	Variables []string // those of its tracker; the others are details
	Questions []Asked  // its key moments
}

// An Asked is a key moment: a question about the first verdict on something at a step. The step is
// named by its title; a verdict that did not fall is not asked about.
type Asked struct {
	Title    string
	Question rule.Question
	Subject  string // "" stands for any
	Yes, No  string // the question, when the verdict is yes and when it is no
}

// TellAct tells a run in which each visit has a title. A visit with a second title is two steps: what
// went over http, and what followed over https.
func TellAct(run Run, act Act, lookup func(rule.ID) (rule.Rule, bool)) Story {
	s := Story{Run: run, Cookies: act.Cookies, Called: act.Name, lookup: lookup}
	for i := range run.Visits {
		for _, part := range partsOf(&run.Visits[i]) {
			s.Steps = append(s.Steps, s.actStep(part))
		}
	}
	s.Variables = s.trackAct(act)
	for _, q := range act.Questions {
		s.Moments = append(s.Moments, s.answer(q)...)
	}
	return s
}

// A titled part of a visit is a step.
type titled struct {
	title string
	hops  []*Hop
	first bool // of the run
}

func partsOf(v *Visit) []titled {
	hops := pointers(v.Hops)
	if v.Then == "" {
		return []titled{{title: v.Title, hops: hops}}
	}
	cut := slices.IndexFunc(hops, (*Hop).Secure)
	if cut < 0 {
		cut = len(hops)
	}
	return []titled{{title: v.Title, hops: hops[:cut]}, {title: v.Then, hops: hops[cut:]}}
}

func (s *Story) actStep(part titled) Step {
	step := Step{Number: len(s.Steps) + 1, Title: part.title, Action: part.title, hops: part.hops, reached: len(part.hops) > 0}
	if !step.reached {
		step.Condition, step.Result, step.Sent = none, "not reached", none
		return step
	}
	first := part.hops[0]
	step.Action += ": " + first.Method + " " + first.URL
	if v, ok := first.Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
		step.Action += fmt.Sprintf(", upgraded before it leaves (%s)", v.Rule)
	}
	step.Condition = strings.Join(conditions(part.hops), ", ")
	step.Result = result(part.hops) + s.changed(part.hops)
	step.Sent = s.sent(step.Number == 1, part.hops)
	for _, h := range part.hops {
		step.Parts = append(step.Parts, Part{Request: requestLine(h)})
		for _, v := range h.Verdicts {
			step.Parts = append(step.Parts, Part{Verdict: v})
		}
	}
	return step
}

// conditions are what the site looked at before it answered the first request, and who it took the
// person for in the end.
func conditions(hops []*Hop) []string {
	all := []string{condition(hops[0])}
	if v, ok := hops[0].Verdict(rule.CheckCSRF, ""); ok && hops[0].Method != "GET" {
		all = append(all, "csrf="+pythonBool(v.Yes))
	}
	for _, h := range slices.Backward(hops) {
		if v, ok := h.Verdict(rule.IsAuthenticated, ""); ok {
			return append(all, "is_authenticated="+pythonBool(v.Yes))
		}
	}
	return all
}

// changed is what the answers did to the cookies, and to what the browser knows of the host.
func (s *Story) changed(hops []*Hop) string {
	var text strings.Builder
	for _, h := range hops {
		for _, v := range s.storeVerdicts(h) {
			switch {
			case !v.Yes:
				fmt.Fprintf(&text, "; sets %s: %s", called(v.Subject), s.storing(v))
			case deleted(h, v.Subject):
				fmt.Fprintf(&text, "; deletes %s", called(v.Subject))
			default:
				fmt.Fprintf(&text, "; sets %s: the browser stores it", called(v.Subject))
			}
		}
		if v, ok := h.Verdict(rule.StoreHSTS, ""); ok {
			fmt.Fprintf(&text, "; HSTS: %s", v.Rule)
		}
	}
	return text.String()
}

// deleted reports whether the browser no longer holds a cookie after a hop that set it.
func deleted(h *Hop, name string) bool {
	return !slices.ContainsFunc(h.Cookies, func(c StoredCookie) bool { return c.Name == name })
}

// trackAct follows all variables there are; those that the act does not name are details.
func (s *Story) trackAct(act Act) []Variable {
	all := []Variable{
		s.follow("request.is_secure()", false, secureValue),
		s.follow("request.user", false, userValue),
	}
	for _, name := range s.Cookies {
		all = append(all,
			s.follow("cookie "+name, false, func(st *Step, before string) string { return fateInAct(st, name, before) }),
			s.follow("value of "+name, false, valueOf(name)))
	}
	all = append(all, s.follow("known HSTS hosts", false, func(st *Step, _ string) string { return hstsNames(st) }))
	for _, name := range s.Cookies {
		all = append(all, s.follow("cookie "+name+", stored as", true, func(st *Step, before string) string { return storedAs(st, name, before) }))
	}
	header := s.follow("Cookie header", true, cookieHeader)
	header.Chance = true
	for i := range all {
		all[i].Detail = !slices.Contains(act.Variables, all[i].Name)
	}
	return append(all, header)
}

// fateInAct is what became of a cookie, of which an answer may dispose too.
func fateInAct(st *Step, name, before string) string {
	last := st.hops[len(st.hops)-1]
	for _, h := range slices.Backward(st.hops) {
		if v, ok := h.Verdict(rule.StoreCookie, name); ok && v.Yes {
			if deleted(last, name) {
				return "deleted"
			}
			return "stored"
		}
	}
	if v, ok := sendVerdict(askedOf(st.hops), name); ok {
		return choose(v.Yes, "sent", "kept back")
	}
	if deleted(last, name) && before != none && before != "deleted" {
		return "gone"
	}
	return before
}

// valueOf numbers the values that a cookie had, so that a person sees it change: none of them is shown.
func valueOf(name string) func(st *Step, before string) string {
	var seen []string
	return func(st *Step, before string) string {
		for _, h := range st.hops {
			v, ok := h.Verdict(rule.StoreCookie, name)
			if !ok || !v.Yes {
				continue
			}
			if deleted(h, name) {
				before = none
				continue
			}
			value := setValue(h, name)
			i := slices.Index(seen, value)
			if i < 0 {
				seen = append(seen, value)
				i = len(seen) - 1
			}
			before = fmt.Sprintf("no. %d", i+1)
		}
		return before
	}
}

// setValue is the value, shortened, that an answer gave a cookie last.
func setValue(h *Hop, name string) (value string) {
	for _, f := range h.Response.Fields {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		pair, _, _ := strings.Cut(f.Value, ";")
		if n, v, _ := strings.Cut(pair, "="); n == name {
			value = v
		}
	}
	return value
}

func userValue(st *Step, before string) string {
	for _, h := range slices.Backward(st.hops) {
		if v, ok := h.Verdict(rule.IsAuthenticated, ""); ok {
			user, _ := v.Fact("request.user")
			return user
		}
	}
	return before
}

// hstsNames are the hosts that the browser asks over https only, without the day until when.
func hstsNames(st *Step) string {
	var all []string
	for _, k := range st.hops[len(st.hops)-1].HSTS {
		all = append(all, k.Host+choose(k.IncludeSubDomains, " and below", ""))
	}
	if all == nil {
		return none
	}
	return strings.Join(all, ", ")
}

// answer answers a question from the verdict that it is about, if that fell.
func (s *Story) answer(q Asked) []Moment {
	for i := range s.Steps {
		if s.Steps[i].Title != q.Title {
			continue
		}
		for _, h := range s.Steps[i].hops {
			if v, ok := h.Verdict(q.Question, q.Subject); ok {
				if text := choose(v.Yes, q.Yes, q.No); text != "" {
					return []Moment{s.moment(s.Steps[i].Number, text, "", v)}
				}
			}
		}
	}
	return nil
}
