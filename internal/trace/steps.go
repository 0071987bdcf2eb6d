package trace

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A Story is a Run of [Client.Lesson] as the lesson tells it. It is data: the writers render it.
type Story struct {
	Run       Run
	Cookies   []string   // the names of the cookies it is about, in the order in which they appeared
	More      int        // cookies beyond those that a story can tell of
	Steps     []Step     // the execution table
	Variables []Variable // the variable tracker
	Moments   []Moment   // the key moments
	Changes   []Change   // against another story; nil when it was compared with none
	Because   string     // what the other story was run without
	Called    string     // the run, for sentences; "" is the lesson

	lookup lookup
}

// maxTold is of how many cookies a story tells.
const maxTold = 50

// A Step is one row of the execution table: a moment, of which a visit has several and a hop one or
// two.
type Step struct {
	Number    int
	Title     string // in an act
	As        string // in an act: whose browser; "" is the person's
	Action    string
	Condition string
	Result    string
	Sent      string // the cell "Cookie sent"
	Parts     []Part // the requests and verdicts that make it up

	hops    []*Hop
	visit   int // of a tour, counted from 1
	reached bool

	// What the answers of a split step set is told by the step after it, which sets.
	split, sets bool
}

// notReached is the result of a step for which the run has nothing.
const notReached = "not reached"

// a lookup finds the rule with an ID.
type lookup func(rule.ID) (rule.Rule, bool)

// A Part is a piece of a Step: a request that left, or a verdict.
type Part struct {
	Request string // "GET http://shop.test/ -> 301"; "" for a verdict
	Verdict rule.Verdict
}

// Tell recognises the lesson in run. about names the cookie it is about; when it is empty the story
// is about every cookie that the site set.
// A run whose visits have titles is told as an act instead, and one of [Client.Tour] hop by hop.
func Tell(run Run, about string, lookup func(rule.ID) (rule.Rule, bool)) Story {
	if run.IsTour() {
		return tellTour(run, lookup)
	}
	if len(run.Visits) > 0 && run.Visits[0].Title != "" {
		return TellAct(run, PlainAct(run), lookup)
	}
	s := Story{Run: run, Cookies: []string{about}, lookup: lookup}
	if about == "" {
		s.aboutAll()
	}
	m := locate(run)
	s.Steps = []Step{
		s.plainStep(1, "HTTP request", m),
		s.requestStep(2, "HTTPS request", m.secure),
		s.cookieStep(3, m.secure),
		s.requestStep(4, "next HTTPS request", m.next),
		s.requestStep(5, "HTTP again", m.again),
	}
	s.Variables = s.track()
	s.Moments = s.moments()
	return s
}

// aboutAll makes the story one of every cookie that the site set, within its limit.
func (s *Story) aboutAll() {
	s.Cookies = cookieNames(s.Run)
	if more := len(s.Cookies) - maxTold; more > 0 {
		s.Cookies, s.More = s.Cookies[:maxTold], more
	}
}

// located are the hops of a run from which each step is read.
type located struct {
	plain  []*Hop // the first visit, as far as it went over http
	secure []*Hop // from the first https request to the end of its visit
	next   []*Hop // the visit over https after that
	again  []*Hop // the last visit, over http
}

func locate(run Run) located {
	var m located
	for i := range run.Visits {
		hops := pointers(run.Visits[i].Hops)
		first := slices.IndexFunc(hops, (*Hop).Secure)
		asked := scheme(run.Visits[i].Typed)
		switch {
		case i == 0:
			m.plain = hops
			if first >= 0 {
				m.plain, m.secure = hops[:first], hops[first:]
			}
		case m.secure == nil:
			m.secure = hops
		case asked == "https" && m.next == nil:
			m.next = hops
		case asked == "http":
			m.again = hops
		}
	}
	return m
}

func pointers(hops []Hop) []*Hop {
	p := make([]*Hop, len(hops))
	for i := range hops {
		p[i] = &hops[i]
	}
	return p
}

// plainStep is the step of the first visit as far as it went over http, which a browser that knows better
// from the start does not let leave.
func (s *Story) plainStep(number int, action string, m located) Step {
	step := s.requestStep(number, action, m.plain)
	if !step.reached && len(m.secure) > 0 {
		step.stayed(m.secure[0])
	}
	return step
}

// stayed tells a step whose request went over https instead, if that is what next shows.
func (st *Step) stayed(next *Hop) {
	v, ok := next.Verdict(rule.UpgradeToHTTPS, "")
	if !ok || !v.Yes {
		return
	}
	if from, ok := v.Fact("url"); ok {
		st.Action += " to " + from
	}
	st.Result = fmt.Sprintf("upgraded by HSTS before the network (%s)", v.Rule)
	st.Sent = "no (nothing was sent)"
}

// requestStep is a step that begins with a request. Step 2 leaves what its answers set to step 3.
func (s *Story) requestStep(number int, action string, hops []*Hop) Step {
	step := Step{Number: number, Action: action, hops: hops, reached: len(hops) > 0, split: number == 2}
	if !step.reached {
		step.Condition, step.Result, step.Sent = none, notReached, none
		return step
	}
	step.Action += " to " + hops[0].URL
	if v, ok := hops[0].Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
		step.Action = fmt.Sprintf("%s, upgraded to %s before it leaves (%s)", action, hops[0].URL, v.Rule)
	}
	step.Condition = condition(hops[0])
	step.Result = result(hops)
	if !step.split {
		step.Result += s.stored(hops)
	}
	step.Sent = s.sent(number <= 2, hops)
	for _, h := range hops {
		step.Parts = append(step.Parts, Part{Request: requestLine(h)})
		for _, v := range h.Verdicts {
			if !step.split || !setsCookie(v.Question) {
				step.Parts = append(step.Parts, Part{Verdict: v})
			}
		}
	}
	return step
}

// cookieStep is what the answers to step 2 did to the cookies.
func (s *Story) cookieStep(number int, hops []*Hop) Step {
	step := Step{Number: number, Action: "the site sets no cookie", Condition: "-", Result: "nothing to store", Sent: "-", hops: hops, reached: len(hops) > 0, sets: true}
	if !step.reached {
		step.Result = notReached
		return step
	}
	var actions, conditions, results []string
	for _, h := range hops {
		for _, v := range h.Verdicts {
			if setsCookie(v.Question) {
				step.Parts = append(step.Parts, Part{Verdict: v})
			}
		}
		for _, v := range s.storeVerdicts(h) {
			flags := flagsOf(h, v.Subject)
			actions = append(actions, strings.Join(append([]string{called(v.Subject)}, flags...), "; "))
			conditions = append(conditions, fmt.Sprintf("Secure=%s over %s", pythonBool(slices.Contains(flags, "Secure")), scheme(h.URL)))
			results = append(results, s.storing(v))
		}
	}
	if len(actions) > 0 {
		step.Action = "the site sets " + strings.Join(actions, ", ")
		step.Condition = strings.Join(slices.Compact(conditions), ", ")
		step.Result = strings.Join(results, ", ")
		step.Sent = "no (set in the response)"
	}
	return step
}

// setsCookie tells the questions of step 3 from those of step 2.
func setsCookie(q rule.Question) bool {
	return q == rule.SaveSession || q == rule.SetCookie || q == rule.StoreCookie
}

// StepOf returns the number of the step that tells of a hop, both counted from 1, and of the verdict by
// the rule there; 0 when none does.
func (s *Story) StepOf(visit, hop int, decided rule.ID) int {
	if visit < 1 || visit > len(s.Run.Visits) || hop < 1 || hop > len(s.Run.Visits[visit-1].Hops) {
		return 0
	}
	number := 0
	for _, st := range s.Steps {
		if !slices.Contains(st.hops, &s.Run.Visits[visit-1].Hops[hop-1]) {
			continue
		}
		if slices.ContainsFunc(st.Parts, func(p Part) bool { return p.Verdict.Rule == decided }) {
			return st.Number
		}
		if number == 0 {
			number = st.Number
		}
	}
	return number
}

func (s *Story) about(name string) bool { return slices.Contains(s.Cookies, name) }

func (s *Story) storeVerdicts(h *Hop) []rule.Verdict {
	return slices.DeleteFunc(h.All(rule.StoreCookie), func(v rule.Verdict) bool { return !s.about(v.Subject) })
}

// condition is what the site saw: its own answer when it is known, else the scheme.
func condition(h *Hop) string {
	if v, ok := h.Verdict(rule.IsSecure, ""); ok && h.Known {
		return "request.is_secure()=" + pythonBool(v.Yes)
	}
	if v, ok := h.Verdict(rule.Answer, ""); ok && v.Side == rule.Path {
		return scheme(h.URL) + ", and the site is not asked"
	}
	return scheme(h.URL) + " (seen from outside)"
}

// result is how a chain of answers went on.
func result(hops []*Hop) string {
	var parts []string
	for _, h := range hops {
		parts = append(parts, outcome(h))
	}
	return strings.Join(parts, ", then ")
}

func outcome(h *Hop) string {
	if h.Response == nil {
		if v, ok := h.Verdict(rule.Connect, ""); ok {
			return "no answer (" + string(v.Rule) + ")"
		}
		if v, ok := h.Verdict(rule.MixedContent, ""); ok && !v.Yes {
			return "not asked for (" + string(v.Rule) + ")"
		}
		return "no answer"
	}
	status := h.Response.Status
	if to := h.Location(); to != "" && status/100 == 3 {
		text := fmt.Sprintf("%d to %s", status, to)
		if v, ok := h.Verdict(rule.FollowRedirect, ""); ok && !v.Yes {
			text += " (" + string(v.Rule) + ")"
		}
		return text
	}
	text := fmt.Sprintf("%d, %s", status, processed(status))
	text += refusedBy(h)
	if v, ok := h.Verdict(rule.LoadSession, ""); ok && v.Yes {
		text += ", session read"
	}
	if h.Response.Text != "" && status < 300 {
		text += fmt.Sprintf(" (%s)", h.Response.Text)
	}
	return text
}

// refusedBy names the rule by which the Guard refused a request, in parentheses.
func refusedBy(h *Hop) string {
	for _, q := range []rule.Question{rule.AllowHost, rule.CheckCSRF} {
		if v, ok := h.Verdict(q, ""); ok && !v.Yes {
			return " (" + string(v.Rule) + ")"
		}
	}
	return ""
}

func processed(status int) string {
	if status < 300 {
		return "processed"
	}
	return strings.ToLower(http.StatusText(status))
}

// stored is what the answers of a step that is not split did to the cookies.
func (s *Story) stored(hops []*Hop) string {
	var text strings.Builder
	for _, h := range hops {
		for _, v := range s.storeVerdicts(h) {
			switch {
			case !h.Secure() && v.Yes:
				fmt.Fprintf(&text, "; sets %s in clear: %s", called(v.Subject), s.storing(v))
			case !v.Yes || h == s.firstStored(v.Subject):
				fmt.Fprintf(&text, "; sets %s: %s", called(v.Subject), s.storing(v))
			}
		}
	}
	return text.String()
}

// firstStored is the hop whose answer set a cookie that the browser kept for the first time.
func (s *Story) firstStored(name string) *Hop {
	for i := range s.Run.Visits {
		for j := range s.Run.Visits[i].Hops {
			h := &s.Run.Visits[i].Hops[j]
			for _, v := range h.All(rule.StoreCookie) {
				if v.Yes && v.Subject == name {
					return h
				}
			}
		}
	}
	return nil
}

func (s *Story) storing(v rule.Verdict) string {
	if v.Yes {
		return "the browser stores it"
	}
	return "the browser refuses it: " + s.why(v.Rule)
}

// why is a rule in words, where there is one cookie to speak of and so the room; else its ID.
func (s *Story) why(id rule.ID) string {
	r, ok := s.lookup(id)
	if !ok || len(s.Cookies) != 1 {
		return string(id)
	}
	sentence := strings.TrimSuffix(r.Sentence, ".")
	return strings.ToLower(sentence[:1]) + sentence[1:]
}

// sent is the cell "Cookie sent". Over http it is about the first request alone, for what follows a
// redirect is another moment; over https about the whole chain.
func (s *Story) sent(first bool, hops []*Hop) string {
	asked := askedOf(hops)
	var yes, no []string
	for _, name := range s.Cookies {
		switch v, ok := sendVerdict(asked, name); {
		case !ok:
		case v.Yes:
			yes = append(yes, called(name))
		case len(s.Cookies) == 1:
			no = append(no, s.why(v.Rule))
		default:
			no = append(no, fmt.Sprintf("%s: %s", called(name), v.Rule))
		}
	}
	switch {
	case !slices.ContainsFunc(asked, func(h *Hop) bool { return h.Left }):
		return "no (nothing was sent)"
	case len(yes) > 0 && len(no) > 0:
		return "yes: " + strings.Join(yes, ", ") + "; no: " + strings.Join(no, ", ")
	case len(yes) > 0:
		return "yes: " + strings.Join(yes, ", ")
	case len(no) > 0:
		return "no: " + strings.Join(no, ", ")
	case first:
		return "no (first request)"
	default:
		return "no (none stored)"
	}
}

// askedOf are the requests that the question whether a cookie was sent is about.
func askedOf(hops []*Hop) []*Hop {
	if hops[0].Secure() {
		return hops
	}
	return hops[:1]
}

// sendVerdict is whether any request of a chain carried the cookie, and if none did, why the first
// that could have did not.
func sendVerdict(hops []*Hop, name string) (verdict rule.Verdict, asked bool) {
	for _, h := range hops {
		if !h.Left {
			continue
		}
		for _, v := range h.All(rule.SendCookie) {
			if v.Subject != name {
				continue
			}
			if v.Yes {
				return v, true
			}
			if !asked {
				verdict, asked = v, true
			}
		}
	}
	return verdict, asked
}

func requestLine(h *Hop) string {
	line := h.Method + " " + h.URL
	if h.Cookie != "" {
		line += "  Cookie: " + h.Cookie
	}
	if h.Response == nil {
		return line + "  -> no answer"
	}
	return fmt.Sprintf("%s  -> %d %s", line, h.Response.Status, http.StatusText(h.Response.Status))
}

// flagsOf reads the flags that a site set a cookie with.
func flagsOf(h *Hop, name string) []string {
	if h.Response == nil {
		return nil
	}
	for _, f := range h.Response.Fields {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		if line := cookie.Parse(f.Value); line.Name == name {
			return flags(line.Secure, line.HttpOnly, line.SameSite.String())
		}
	}
	return nil
}

// flags are those attributes of a cookie that say who may see it. A SameSite of "Default" is none.
func flags(secure, httpOnly bool, sameSite string) []string {
	var names []string
	if secure {
		names = append(names, "Secure")
	}
	if httpOnly {
		names = append(names, "HttpOnly")
	}
	if sameSite != cookie.SameSiteDefault.String() {
		names = append(names, "SameSite="+sameSite)
	}
	return names
}

// cookieNames lists the cookies that a site set or that the browser held, in the order in which they
// appeared.
func cookieNames(run Run) []string {
	var names []string
	seen := map[string]bool{}
	for _, visit := range run.Visits {
		for i := range visit.Hops {
			for _, v := range visit.Hops[i].Verdicts {
				if (v.Question == rule.StoreCookie || v.Question == rule.SendCookie) && !seen[v.Subject] {
					seen[v.Subject] = true
					names = append(names, v.Subject)
				}
			}
		}
	}
	return names
}

// called is the name of a cookie for a person: one may have none.
func called(name string) string {
	if name == "" {
		return "(nameless)"
	}
	return name
}

// pythonBool spells a truth value as Django's settings do.
func pythonBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
