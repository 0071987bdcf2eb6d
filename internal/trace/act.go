package trace

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// An Act is what there is to tell of a run whose visits have titles.
type Act struct {
	Name      string   // "act 2", for sentences
	Cookies   []string // the cookies it is about
	Variables []string // those of its tracker; the others are details
	Questions []Asked  // its key moments
	Skipped   []Skipped
}

// A Skipped is a step for which there was no visit, since what it needs was not there.
type Skipped struct {
	Before int // the index of the visit before which it stood
	Title  string
	As     string // whose browser; "" is the person's
	Why    string
}

// An Asked is a key moment: a question about the first verdict on something at a step. The step is
// named by its title; a verdict that did not fall is not asked about.
type Asked struct {
	Title    string
	Question rule.Question
	Subject  string  // "" stands for any
	Note     rule.ID // what the verdict has to note, which then is the answer; "" for none
	Yes, No  string  // the question, when the verdict is yes and when it is no
}

// TellAct tells a run in which each visit has a title. A visit with a second title is two steps: what
// went over http, and what followed over https.
func TellAct(run Run, act Act, lookup func(rule.ID) (rule.Rule, bool)) Story {
	s := Story{Run: run, Cookies: act.Cookies, Called: act.Name, lookup: lookup}
	s.actSteps(act.Skipped...)
	s.Variables = s.trackAct(act)
	for _, q := range act.Questions {
		s.Moments = append(s.Moments, s.answer(q)...)
	}
	s.Moments = append(s.Moments, s.aside()...)
	return s
}

// actSteps tells the parts of the visits, one after the other, and what was skipped between them.
func (s *Story) actSteps(skipped ...Skipped) {
	held := map[string]map[string]string{} // by whose browser it is, the values of cookies
	for i := range s.Run.Visits {
		skipped = s.skip(i, skipped)
		for _, part := range partsOf(&s.Run.Visits[i]) {
			if held[part.as] == nil {
				held[part.as] = map[string]string{}
			}
			s.Steps = append(s.Steps, s.actStep(part, held[part.as]))
		}
	}
	s.skip(len(s.Run.Visits), skipped)
}

// skip tells the steps that stood before a visit, and returns the others.
func (s *Story) skip(visit int, skipped []Skipped) []Skipped {
	for ; len(skipped) > 0 && skipped[0].Before == visit; skipped = skipped[1:] {
		s.Steps = append(s.Steps, Step{
			Number: len(s.Steps) + 1, Title: skipped[0].Title, As: skipped[0].As, Action: skipped[0].Title,
			Condition: none, Result: notReached + ": " + skipped[0].Why, Sent: none,
		})
	}
	return skipped
}

// PlainAct is how a run with titles is told when nobody says what it is about.
func PlainAct(run Run) Act {
	a := Act{Name: "the run", Cookies: cookieNames(run), Variables: []string{"request.is_secure()", "request.user", "known HSTS hosts"}}
	a.Cookies = a.Cookies[:min(len(a.Cookies), maxTold)]
	for _, name := range a.Cookies {
		a.Variables = append(a.Variables, "cookie "+name)
	}
	return a
}

// A titled part of a visit is a step.
type titled struct {
	title string
	as    string // whose browser; "" is the person's
	hops  []*Hop
	next  *Hop // the one after a part that has none
}

func partsOf(v *Visit) []titled {
	hops := pointers(v.Hops)
	if v.Then == "" {
		return []titled{{title: v.Title, as: v.As, hops: hops}}
	}
	cut := slices.IndexFunc(hops, (*Hop).Secure)
	if cut < 0 {
		cut = len(hops)
	}
	return []titled{{v.Title, v.As, hops[:cut], hops[0]}, {title: v.Then, as: v.As, hops: hops[cut:]}}
}

// actStep tells one part. The values that cookies had before are in values, by name, and are kept up to date.
func (s *Story) actStep(part titled, values map[string]string) Step {
	step := Step{Number: len(s.Steps) + 1, Title: part.title, As: part.as, Action: part.title, hops: part.hops, reached: len(part.hops) > 0}
	if !step.reached {
		step.Condition, step.Result, step.Sent = none, notReached, none
		if part.next != nil {
			step.stayed(part.next)
		}
		return step
	}
	first := part.hops[0]
	step.Action += ": " + first.Method + " " + first.URL
	if v, ok := first.Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
		step.Action += fmt.Sprintf(", upgraded before it leaves (%s)", v.Rule)
	}
	step.Condition = strings.Join(conditions(part.hops), ", ")
	step.Result = result(part.hops) + s.changed(part.hops, values)
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
	if v, ok := hops[0].Verdict(rule.CheckCSRF, ""); ok && hops[0].Method != http.MethodGet {
		all = append(all, "csrf="+pythonBool(v.Yes))
	}
	for _, h := range slices.Backward(hops) {
		if v, ok := h.Verdict(rule.IsAuthenticated, ""); ok {
			return append(all, "is_authenticated="+pythonBool(v.Yes))
		}
	}
	return all
}

// changed is what the answers did to the cookies in the end, and to what the browser knows of the host.
func (s *Story) changed(hops []*Hop, values map[string]string) string {
	var text strings.Builder
	for _, name := range s.Cookies {
		if h, v, ok := lastStored(hops, name); ok {
			fmt.Fprintf(&text, "; %s", s.fateTold(h, v, values))
		}
	}
	for _, h := range hops {
		if v, ok := h.Verdict(rule.StoreHSTS, ""); ok {
			fmt.Fprintf(&text, "; HSTS: %s", v.Rule)
		}
	}
	return text.String()
}

// lastStored is the last verdict on storing a cookie among some hops, and the hop at which it fell.
func lastStored(hops []*Hop, name string) (*Hop, rule.Verdict, bool) {
	for _, h := range slices.Backward(hops) {
		if all := h.All(rule.StoreCookie); len(all) > 0 {
			for _, v := range slices.Backward(all) {
				if v.Subject == name {
					return h, v, true
				}
			}
		}
	}
	return nil, rule.Verdict{}, false
}

// fateTold says what an answer that set a cookie did: whether it is new, another, or the same as before.
func (s *Story) fateTold(h *Hop, v rule.Verdict, values map[string]string) string {
	name, before := called(v.Subject), values[v.Subject]
	if v.Yes {
		values[v.Subject] = setValue(h, v.Subject)
	}
	switch {
	case !v.Yes:
		return fmt.Sprintf("sets %s: %s", name, s.storing(v))
	case deleted(h, v.Subject):
		delete(values, v.Subject)
		return "deletes " + name
	case before == "":
		return "sets " + name + ": the browser stores it"
	case before == values[v.Subject]:
		return "renews " + name
	}
	return "sets " + name + " to another value"
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
			s.follow("cookie "+called(name), false, func(st *Step, before string) string { return fateInAct(st, name, before) }),
			s.follow(valuePrefix+name, false, valueOf(name)))
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

// valuePrefix begins the names of the variables that tell the values of a cookie apart.
const valuePrefix = "value of "

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

// setValue is what stands for the value that an answer gave a cookie last: its number and, for a run that
// was saved when there were none, what is shown of it.
func setValue(h *Hop, name string) (value string) {
	if h.Response == nil { // a script set it
		return ""
	}
	for _, f := range h.Response.Fields {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		if l := cookie.Parse(f.Value); l.Name == name {
			value = fmt.Sprintf("%d %s", f.Number, l.Value)
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
			v, ok := h.Verdict(q.Question, q.Subject)
			if !ok || q.Note != "" && !slices.Contains(v.Notes, q.Note) {
				continue
			}
			if text := choose(v.Yes, q.Yes, q.No); text != "" {
				v.Rule = cmp.Or(q.Note, v.Rule)
				return []Moment{s.moment(s.Steps[i].Number, text, "", v)}
			}
		}
	}
	return nil
}
