package lesson

import (
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/rule"
)

// at returns the step with a number, or nil when the run has none.
func (r *Run) at(number int) *Step {
	if number < 1 || number > len(r.Steps) {
		return nil
	}
	return &r.Steps[number-1]
}

// own are the numbers of the steps of the person's browser.
func (r *Run) own() []int {
	var all []int
	for i := range r.Steps {
		if r.Steps[i].As == "" {
			all = append(all, i+1)
		}
	}
	return all
}

// sentence is what a rule of the run says, or its ID when the run does not tell it.
func (r *Run) sentence(id rule.ID) string {
	i := slices.IndexFunc(r.Rules, func(known Rule) bool { return known.ID == id })
	if i < 0 {
		return string(id)
	}
	return r.Rules[i].Sentence
}

// variable returns the row of the tracker with a name, or nil.
func (r *Run) variable(name string) *Variable {
	i := slices.IndexFunc(r.Tracker, func(v Variable) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Tracker[i]
}

// after is the value of a variable after a step; "" when there is no such variable or step.
func (r *Run) after(name string, number int) string {
	v := r.variable(name)
	if v == nil || number < 0 || number >= len(v.Values) {
		return ""
	}
	return v.Values[number]
}

// cookies are the names of those that the person's browser was asked to store or to send, in the order in
// which they appeared.
func (r *Run) cookies() []string {
	var names []string
	for _, number := range r.own() {
		for _, v := range r.at(number).Verdicts {
			about := v.Question == string(rule.StoreCookie) || v.Question == string(rule.SendCookie)
			if about && v.Subject != "" && !slices.Contains(names, v.Subject) {
				names = append(names, v.Subject)
			}
		}
	}
	return names
}

// all are the verdicts of a step on a question about a subject, where "" stands for any.
func (s *Step) all(q rule.Question, subject string) []Verdict {
	var found []Verdict
	for _, v := range s.Verdicts {
		if v.Question == string(q) && (subject == "" || v.Subject == subject) {
			found = append(found, v)
		}
	}
	return found
}

// said is the verdict by which a step goes on: the first that says yes, else the first.
func (s *Step) said(q rule.Question, subject string) (Verdict, bool) {
	if q == rule.SendCookie {
		return yesFirst(s.sends(subject))
	}
	return yesFirst(s.all(q, subject))
}

func yesFirst(all []Verdict) (Verdict, bool) {
	if i := slices.IndexFunc(all, func(v Verdict) bool { return v.Yes }); i >= 0 {
		return all[i], true
	}
	if len(all) == 0 {
		return Verdict{}, false
	}
	return all[0], true
}

// opening is the first verdict of a step on a question.
func (s *Step) opening(q rule.Question, subject string) (Verdict, bool) {
	all := s.all(q, subject)
	if len(all) == 0 {
		return Verdict{}, false
	}
	return all[0], true
}

// answered is the part of the column Result that tells the answers, without what became of cookies.
func (s *Step) answered() string {
	text, _, _ := strings.Cut(s.Result, ";")
	return text
}

func (v Verdict) fact(name string) string {
	for _, f := range v.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// inClear reports whether a cookie that is sent goes where others on the way can read it. Loopback has no
// way between the two.
func (v Verdict) inClear() bool { return v.Yes && v.fact("secure connection") == "false" }

// A carriage is how a cookie goes along with the requests of a step.
type carriage string

const (
	absent carriage = "absent" // there is no such cookie to send
	kept   carriage = "kept"   // the browser has it and keeps it back
	sealed carriage = "sealed" // over https, or within one machine
	bare   carriage = "clear"  // over http
	mixed  carriage = "mixed"  // a later request of the step otherwise than the first
)

// sends are the verdicts on a cookie that the column "Cookie sent" is about: over http those of the first
// request alone, for what follows a redirect is another moment.
func (s *Step) sends(cookie string) []Verdict {
	var all []Verdict
	for _, v := range s.Verdicts {
		switch {
		case v.Question == string(rule.Connect) && plain(v):
			return all
		case v.Question == string(rule.SendCookie) && (cookie == "" || v.Subject == cookie):
			all = append(all, v)
		}
	}
	return all
}

// carries is how a cookie goes along with the first request of a step, and the verdict that says so. Where
// the column "Cookie sent" says otherwise, because of a later request, it is mixed.
func (s *Step) carries(cookie string) (carriage, Verdict) {
	all := s.sends(cookie)
	said, _ := yesFirst(all)
	v, asked := s.first(cookie)
	switch {
	case said.Yes != v.Yes || asked != (len(all) > 0):
		return mixed, v
	case !asked:
		return absent, v
	case v.inClear():
		return bare, v
	case v.Yes:
		return sealed, v
	}
	return kept, v
}

// first is the verdict on a cookie that is about the first request of a step.
func (s *Step) first(cookie string) (Verdict, bool) {
	var all []Verdict
	for _, v := range s.Verdicts {
		if v.Question == string(rule.Connect) {
			break
		}
		if v.Question == string(rule.SendCookie) && v.Subject == cookie {
			all = append(all, v)
		}
	}
	return yesFirst(all)
}

// onHTTP is how a cookie goes along with what a step asks over http: in clear if any request carries it. ok is
// false when it was not a question.
func (s *Step) onHTTP(cookie string) (c carriage, v Verdict, ok bool) {
	c = absent
	for _, asked := range s.all(rule.SendCookie, cookie) {
		if asked.fact("secure connection") != "false" {
			continue
		}
		if asked.Yes {
			return bare, asked, true
		}
		c, v, ok = kept, asked, true
	}
	return c, v, ok
}

// plain reports whether a request leaves over http.
func plain(connect Verdict) bool { return connect.fact("connection") == "plain HTTP" }

// inClear counts the requests of the person's browser that leave over http, for others on the way to read.
func (r *Run) inClear() (count, step int) {
	for _, number := range r.own() {
		for _, v := range r.at(number).all(rule.Connect, "") {
			if plain(v) && !browser.SecureConnection(&url.URL{Scheme: "http", Host: v.Subject}) {
				count, step = count+1, number
			}
		}
	}
	return count, step
}

// sent are the cookies that go along with a step, in the order of the header.
func (s *Step) sent() []string {
	var names []string
	for _, v := range s.sends("") {
		if v.Yes && !slices.Contains(names, v.Subject) {
			names = append(names, v.Subject)
		}
	}
	slices.Sort(names)
	return names
}
