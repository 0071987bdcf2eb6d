package lesson

import (
	"cmp"
	"slices"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// Key moments of a run.
const (
	maxMoments = 5
	minMoments = 3 // below that, what is asked of any run is asked
	maxPerStep = 2 // about one step
)

// A wonder is a kind of moment at which a person asks why: the first verdict that fits is asked about, one
// about the cookie of the session before one about another.
type wonder struct {
	key      string // of the question, in the texts; that with ".because" behind it begins the answer
	question rule.Question
	yes      bool
	rules    []rule.ID                      // of which it is one; nil: any
	note     rule.ID                        // that it has to have, and that then is the answer
	when     func(*teller, *trace.Hop) bool // what else has to be so; nil: nothing
	others   bool                           // it is asked of the steps of others, and not of the person's
}

// wonders are in the order in which they are worth asking.
var wonders = []wonder{
	{key: "moment.forged", question: rule.Answer, yes: true, rules: []rule.ID{ruleForged}},
	{key: "moment.stripped", question: rule.Answer, yes: true, rules: []rule.ID{ruleStripped}},
	{key: "moment.other-is-person", question: rule.IsAuthenticated, yes: true, others: true},
	{key: "moment.other-unknown", question: rule.LoadSession, rules: []rule.ID{"session-unknown-key"}, others: true},
	{key: "moment.other-stranger", question: rule.IsAuthenticated, others: true, when: strangerSentAway},
	{key: "moment.other-shares", question: rule.LoadSession, yes: true, others: true, when: anonymous},
	{key: "moment.loop", question: rule.RedirectToHTTPS, rules: []rule.ID{"redirect-loop-forwarded", "redirect-loop-repeated"}},
	{key: "moment.stays", question: rule.FollowRedirect, rules: []rule.ID{"follow-loop", "follow-too-many"}},
	{key: "moment.csrf-refused", question: rule.CheckCSRF},
	{key: "moment.csrf-exempt", question: rule.CheckCSRF, yes: true, rules: []rule.ID{"csrf-exempt"}},
	{key: "moment.refused", question: rule.StoreCookie, rules: []rule.ID{
		"store-secure-over-http", "store-would-overlay-secure", "store-prefix-host", "store-prefix-secure", "store-domain-mismatch",
		"store-none-not-secure", "store-samesite-cross-site", "store-public-suffix",
	}},
	{key: "moment.sent-in-clear", question: rule.SendCookie, yes: true, when: inClear},
	{key: "moment.secure-kept-back", question: rule.SendCookie, rules: []rule.ID{"send-secure-over-http"}},
	{key: "moment.samesite-kept-back", question: rule.SendCookie, rules: []rule.ID{"send-samesite-lax", "send-samesite-strict", "send-samesite-default-lax"}},
	{key: "moment.delete-missed", question: rule.StoreCookie, rules: []rule.ID{"store-delete-missed"}},
	{key: "moment.deleted", question: rule.StoreCookie, yes: true, rules: []rule.ID{"store-deleted"}},
	{key: "moment.upgrade", question: rule.UpgradeToHTTPS, yes: true, rules: []rule.ID{"upgrade-hsts", "upgrade-preloaded"}},
	{key: "moment.forgotten", question: rule.UpgradeToHTTPS, rules: []rule.ID{"upgrade-expired"}},
	{key: "moment.unknown-session", question: rule.LoadSession, rules: []rule.ID{"session-unknown-key"}},
	{key: "moment.key-cycled", question: rule.SaveSession, yes: true, note: "note-session-key-cycled", when: hadSession},
	{key: "moment.proxy", question: rule.IsSecure, yes: true, rules: []rule.ID{"secure-proxy-header"}},
	{key: "moment.loopback", question: rule.SendCookie, yes: true, note: "note-loopback-secure"},
	{key: "moment.redirected", question: rule.RedirectToHTTPS, yes: true},
	{key: "moment.hsts-stored", question: rule.StoreHSTS, yes: true},
	{key: "moment.script", question: rule.ReadCookie},
	{key: "moment.csrf-passed", question: rule.CheckCSRF, yes: true, rules: []rule.ID{"csrf-ok"}},
	{key: "moment.not-logged-in", question: rule.IsAuthenticated, when: sentAway},
}

// fillers are what can be asked of nearly every run.
var fillers = []wonder{
	{key: "moment.sent", question: rule.SendCookie, yes: true},
	{key: "moment.stored", question: rule.StoreCookie, yes: true},
	{key: "moment.secure", question: rule.IsSecure, yes: true},
	{key: "moment.not-secure", question: rule.IsSecure},
	{key: "moment.unconnected", question: rule.Connect},
}

// sentAway says that the app led somebody to the login.
func sentAway(_ *teller, h *trace.Hop) bool { return h.Location() != "" }

// strangerSentAway says the same of somebody who came without a session that the site might know.
func strangerSentAway(t *teller, h *trace.Hop) bool {
	v, _ := h.Verdict(rule.LoadSession, "")
	return sentAway(t, h) && v.Rule != "session-unknown-key"
}

// anonymous says that nobody has logged in there.
func anonymous(_ *teller, h *trace.Hop) bool {
	v, _ := h.Verdict(rule.IsAuthenticated, "")
	return !v.Yes
}

// inClear says that others can read the request.
func inClear(_ *teller, h *trace.Hop) bool { return !h.Secure() && !isLoopback(h.URL) }

// hadSession says that the request came with a session.
func hadSession(t *teller, h *trace.Hop) bool {
	v, _ := h.Verdict(rule.SendCookie, t.session())
	return v.Yes
}

// moments are the questions of the lesson about itself, and of any other run those that its verdicts
// raise, in the order of the steps.
func (t *teller) moments() []Moment {
	all := []Moment{}
	for _, m := range t.story.Moments {
		all = append(all, Moment{Question: m.Question, Answer: m.Answer, Step: m.Step, Rule: m.Rule})
	}
	if len(all) >= minMoments {
		return all[:min(len(all), maxMoments)]
	}
	for _, w := range wonders {
		all = t.ask(all, w, maxMoments)
	}
	for _, w := range fillers {
		all = t.ask(all, w, minMoments)
	}
	slices.SortStableFunc(all, func(a, b Moment) int { return cmp.Compare(a.Step, b.Step) })
	return all
}

// ask adds a question, unless there are enough, of the run or of its step, or another has its answer.
func (t *teller) ask(all []Moment, w wonder, enough int) []Moment {
	if len(all) >= enough {
		return all
	}
	m, ok := t.wonder(w, t.session())
	if !ok {
		m, ok = t.wonder(w, "")
	}
	sameStep, sameRule := 0, false
	for _, other := range all {
		if other.Step == m.Step {
			sameStep++
			sameRule = sameRule || other.Rule == m.Rule
		}
	}
	if !ok || sameRule || sameStep >= maxPerStep {
		return all
	}
	return append(all, m)
}

// wonder finds the first verdict that a question is about, and that is about a subject, of which "" is any.
func (t *teller) wonder(w wonder, subject string) (Moment, bool) {
	for i := range t.story.Steps {
		st := &t.story.Steps[i]
		if w.others != (st.As != "") {
			continue
		}
		for _, h := range st.Hops() {
			for _, v := range h.Verdicts {
				if (subject == "" || v.Subject == subject) && w.fits(v) && (w.when == nil || w.when(t, h)) {
					return t.moment(w, st, v), true
				}
			}
		}
	}
	return Moment{}, false
}

func (w *wonder) fits(v rule.Verdict) bool {
	return v.Question == w.question && v.Yes == w.yes &&
		(w.rules == nil || slices.Contains(w.rules, v.Rule)) &&
		(w.note == "" || slices.Contains(v.Notes, w.note))
}

func (t *teller) moment(w wonder, st *trace.Step, v rule.Verdict) Moment {
	id := cmp.Or(w.note, v.Rule)
	who := cmp.Or(st.As, "the person")
	m := Moment{Question: t.words.run(w.key, "subject", called(v.Subject), "who", who), Answer: string(id), Step: st.Number, Rule: id}
	if r, ok := t.lookup(id); ok {
		m.Answer = r.Sentence
	}
	if because, ok := t.words.Run[w.key+".because"]; ok {
		m.Answer = fill(map[string]string{"": because}, "", []string{"subject", called(v.Subject)}) + " " + m.Answer
	}
	return m
}
