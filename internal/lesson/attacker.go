package lesson

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// What somebody on the path does, by its rules.
const (
	ruleForged   rule.ID = "path-forged"
	ruleStripped rule.ID = "path-stripped"
)

// onPath is what somebody on the path did about a request, if anything.
func onPath(h *trace.Hop) (rule.Verdict, bool) {
	v, ok := h.Verdict(rule.Answer, "")
	return v, ok && v.Side == rule.Path
}

// seen is what somebody else saw of a step, or did at it. Whoever is on the path sees every byte; of https
// he can read nothing but the host.
func (t *teller) seen(st *trace.Step) []Seen {
	if st.As != "" {
		return t.ownDoing(st)
	}
	var all []Seen
	for _, h := range st.Hops() {
		if !h.Left {
			continue
		}
		for _, s := range t.seenOf(h, st.Half()) {
			if !slices.Contains(all, s) { // a chain of redirects says the same more than once
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		left := slices.ContainsFunc(st.Hops(), func(h *trace.Hop) bool { return h.Left })
		all = append(all, Seen{Text: t.words.attacker(choose(left, "seen.nothing", "seen.not-left"))})
	}
	return all
}

func (t *teller) seenOf(h *trace.Hop, half trace.Half) []Seen {
	var all []Seen
	if half != trace.TellsAnswer {
		if v, ok := h.Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
			all = append(all, Seen{Text: t.words.attacker("seen.upgraded"), Rule: v.Rule})
		}
		if v, ok := onPath(h); ok && v.Rule == ruleStripped {
			all = append(all, Seen{Text: t.words.attacker("did.strip"), Could: t.words.attacker("could.strip"), Harm: true, Rule: v.Rule})
		}
		all = append(all, t.requestRead(h)...)
		all = append(all, t.foreignForm(h)...)
	}
	if half != trace.TellsRequest {
		all = append(all, t.answerRead(h)...)
		all = append(all, t.forged(h)...)
	}
	return all
}

// requestRead is what can be read of a request.
func (t *teller) requestRead(h *trace.Hop) []Seen {
	if h.Secure() {
		return nil
	}
	if isLoopback(h.URL) {
		return []Seen{{Text: t.words.attacker("seen.loopback", "url", h.URL)}}
	}
	var all []Seen
	names := cookieNames(h.Cookie)
	switch {
	case slices.Contains(names, t.session()):
		v, _ := h.Verdict(rule.SendCookie, t.session())
		all = append(all, Seen{Text: t.words.attacker("seen.cookies", "url", h.URL, "cookies", strings.Join(names, ", ")), Could: t.words.attacker("could.act", "cookie", t.session()), Harm: true, Rule: v.Rule})
	case len(names) > 0:
		all = append(all, Seen{Text: t.words.attacker("seen.cookies", "url", h.URL, "cookies", strings.Join(names, ", ")), Could: t.words.attacker("could.value", "cookies", strings.Join(names, ", "))})
	default:
		all = append(all, Seen{Text: t.words.attacker("seen.request", "url", h.URL), Could: t.words.attacker("could.answer")})
	}
	if h.Method == http.MethodPost {
		all = append(all, Seen{Text: t.words.attacker("seen.form"), Could: t.words.attacker("could.form"), Harm: true})
	}
	return all
}

// answerRead is what can be read of what the site answered.
func (t *teller) answerRead(h *trace.Hop) []Seen {
	if h.Secure() || h.Response == nil || isLoopback(h.URL) || isForged(h) {
		return nil
	}
	names := setBy(h)
	if len(names) == 0 {
		return nil
	}
	s := Seen{Text: t.words.attacker("seen.sets", "cookies", strings.Join(names, ", ")), Could: t.words.attacker("could.value", "cookies", strings.Join(names, ", "))}
	if slices.Contains(names, t.session()) {
		s.Could = ""
		if keeps(h, t.session()) {
			s.Could, s.Harm = t.words.attacker("could.act", "cookie", t.session()), true
		}
	}
	return []Seen{s}
}

// keeps reports whether the browser holds a cookie from then on as an answer has set it. One that it refuses
// is nobody's: who reads that gets a session that the person is not in.
func keeps(h *trace.Hop, name string) bool {
	v, ok := h.Verdict(rule.StoreCookie, name)
	return ok && v.Yes && v.Rule != "store-deleted"
}

func isForged(h *trace.Hop) bool {
	v, ok := onPath(h)
	return ok && v.Rule == ruleForged
}

// forged is what came of an answer that somebody else gave.
func (t *teller) forged(h *trace.Hop) []Seen {
	if !isForged(h) {
		return nil
	}
	all := []Seen{{Text: t.words.attacker(choose(h.Secure(), "did.answer-own", "did.answer"), "url", h.URL), Rule: ruleForged}}
	for _, v := range h.All(rule.StoreCookie) {
		s := Seen{Text: t.words.attacker("did.toss-not", "cookie", called(v.Subject)), Rule: v.Rule}
		if v.Yes {
			s.Text, s.Could, s.Harm = t.words.attacker("did.toss", "cookie", called(v.Subject)), t.words.attacker("could.toss"), true
		}
		all = append(all, s)
	}
	return all
}

// foreignForm is what came of a form that a page of another site sent in the person's name.
func (t *teller) foreignForm(h *trace.Hop) []Seen {
	from := sentBy(h)
	if !isForeignForm(h) {
		return nil
	}
	csrf, checked := h.Verdict(rule.CheckCSRF, "")
	send, _ := h.Verdict(rule.SendCookie, t.session())
	switch {
	case checked && !csrf.Yes:
		return []Seen{{Text: t.words.attacker("did.form-refused", "from", from), Rule: csrf.Rule}}
	case send.Yes:
		return []Seen{{Text: t.words.attacker("did.form", "from", from), Could: t.words.attacker("could.post"), Harm: true, Rule: csrf.Rule}}
	}
	return []Seen{{Text: t.words.attacker("did.form-stranger", "from", from), Rule: send.Rule}}
}

// ownDoing is what somebody else gets who asks the site himself.
func (t *teller) ownDoing(st *trace.Step) []Seen {
	for _, h := range slices.Backward(st.Hops()) {
		if v, ok := h.Verdict(rule.IsAuthenticated, ""); ok && v.Yes {
			user, _ := v.Fact("request.user")
			if t.isPerson(user) {
				return []Seen{{Text: t.words.attacker("own.person", "user", user), Could: t.words.attacker("could.own"), Harm: true, Rule: v.Rule}}
			}
			return []Seen{{Text: t.words.attacker("own.self", "user", user), Rule: v.Rule}}
		}
	}
	for _, h := range st.Hops() {
		if v, ok := h.Verdict(rule.LoadSession, ""); ok && !v.Yes && v.Rule != ruleNoSession {
			return []Seen{{Text: t.words.attacker("own.unknown"), Rule: v.Rule}}
		}
	}
	if t.shares(st) {
		return []Seen{{Text: t.words.attacker("own.shared"), Could: t.words.attacker("could.shared"), Harm: true, Rule: "session-loaded"}}
	}
	return []Seen{{Text: t.words.attacker("own.stranger")}}
}

// ruleNoSession is that a request has no session cookie at all.
const ruleNoSession rule.ID = "session-none"

// isPerson reports whether the site took the person for that user at some step.
func (t *teller) isPerson(user string) bool {
	return slices.ContainsFunc(t.story.Steps, func(st trace.Step) bool {
		return st.Reached() && st.As == "" && userValue(&st, "") == user
	})
}

// shares reports whether somebody else has, after a step, the session that the person has been given before it.
func (t *teller) shares(st *trace.Step) bool {
	persons, own := none, none
	for i := range t.story.Steps {
		at := &t.story.Steps[i]
		switch {
		case !at.Reached() || at.Number > st.Number:
		case at.As == "":
			persons = sessionValue(at, t.session(), persons)
		case at.As == st.As:
			own = sessionValue(at, t.session(), own)
		}
	}
	return own != none && own == persons
}

// session is the name of the session cookie.
func (t *teller) session() string { return t.result.Settings.SessionCookieName }

// sentBy is the origin of the page that sent a request, or "".
func sentBy(h *trace.Hop) string {
	for _, f := range h.Sent {
		if f.Name == "Origin" {
			return f.Value
		}
	}
	return ""
}

// isForeignForm reports whether a page of another origin sends the form.
func isForeignForm(h *trace.Hop) bool {
	from := sentBy(h)
	return h.Method == http.MethodPost && from != "" && !sameHost(from, h.URL)
}

func sameHost(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	return err == nil && x.Host == y.Host
}

// isLoopback reports whether a request stays on this machine.
func isLoopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
