package lesson

import (
	"cmp"
	"slices"

	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// maxMoments is how many key moments a run has.
const maxMoments = 5

// A wonder is a kind of moment at which a person asks why: the first verdict that fits is asked about.
type wonder struct {
	key      string // of the question, in the texts
	question rule.Question
	yes      bool
	rules    []rule.ID // of which it is one; nil: any
	note     rule.ID   // that it has to have, and that then is the answer
	clear    bool      // over http only
}

// wonders are in the order in which they are worth asking.
var wonders = []wonder{
	{key: "moment.loop", question: rule.RedirectToHTTPS, rules: []rule.ID{"redirect-loop-forwarded", "redirect-loop-repeated"}},
	{key: "moment.stays", question: rule.FollowRedirect, rules: []rule.ID{"follow-loop", "follow-too-many"}},
	{key: "moment.csrf-refused", question: rule.CheckCSRF},
	{key: "moment.secure-kept-back", question: rule.SendCookie, rules: []rule.ID{"send-secure-over-http"}},
	{key: "moment.samesite-kept-back", question: rule.SendCookie, rules: []rule.ID{"send-samesite-lax", "send-samesite-strict", "send-samesite-default-lax"}},
	{key: "moment.sent-in-clear", question: rule.SendCookie, yes: true, clear: true},
	{key: "moment.refused", question: rule.StoreCookie, rules: []rule.ID{
		"store-secure-over-http", "store-would-overlay-secure", "store-prefix-host", "store-prefix-secure", "store-domain-mismatch",
		"store-none-not-secure", "store-samesite-cross-site", "store-public-suffix",
	}},
	{key: "moment.delete-missed", question: rule.StoreCookie, rules: []rule.ID{"store-delete-missed"}},
	{key: "moment.upgrade", question: rule.UpgradeToHTTPS, yes: true, rules: []rule.ID{"upgrade-hsts", "upgrade-preloaded"}},
	{key: "moment.unknown-session", question: rule.LoadSession, rules: []rule.ID{"session-unknown-key"}},
	{key: "moment.key-cycled", question: rule.SaveSession, yes: true, note: "note-session-key-cycled"},
	{key: "moment.proxy", question: rule.IsSecure, yes: true, rules: []rule.ID{"secure-proxy-header"}},
	{key: "moment.proxy-unheard", question: rule.IsSecure, note: "note-proxy-header-unused"},
	{key: "moment.redirected", question: rule.RedirectToHTTPS, yes: true},
	{key: "moment.hsts-stored", question: rule.StoreHSTS, yes: true},
	{key: "moment.script", question: rule.ReadCookie},
	{key: "moment.csrf-passed", question: rule.CheckCSRF, yes: true, rules: []rule.ID{"csrf-ok"}},
	{key: "moment.loopback", question: rule.SendCookie, yes: true, note: "note-loopback-secure"},
	{key: "moment.not-logged-in", question: rule.IsAuthenticated},
	{key: "moment.sent", question: rule.SendCookie, yes: true},
	{key: "moment.stored", question: rule.StoreCookie, yes: true},
	{key: "moment.secure", question: rule.IsSecure, yes: true},
	{key: "moment.not-secure", question: rule.IsSecure},
}

// moments are the questions of the lesson about itself, and of any other run those that its verdicts
// raise, in the order of the steps.
func (t *teller) moments() []Moment {
	all := []Moment{}
	if len(t.story.Moments) > 0 {
		for _, m := range t.story.Moments {
			all = append(all, Moment{Question: m.Question, Answer: m.Answer, Step: m.Step, Rule: m.Rule})
		}
		return all[:min(len(all), maxMoments)]
	}
	asked := map[momentOf]bool{}
	for _, w := range wonders {
		if m, ok := t.wonder(w); ok && len(all) < maxMoments && !asked[momentOf{m.Step, m.Rule}] {
			asked[momentOf{m.Step, m.Rule}] = true
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b Moment) int { return cmp.Compare(a.Step, b.Step) })
	return all
}

// momentOf is what two questions are not to have in common.
type momentOf struct {
	step int
	rule rule.ID
}

// wonder finds the first verdict that a question is about.
func (t *teller) wonder(w wonder) (Moment, bool) {
	for i := range t.story.Steps {
		st := &t.story.Steps[i]
		for _, h := range st.Hops() {
			for _, v := range h.Verdicts {
				if w.fits(h, v) {
					return t.moment(w, st, v), true
				}
			}
		}
	}
	return Moment{}, false
}

func (w *wonder) fits(h *trace.Hop, v rule.Verdict) bool {
	return v.Question == w.question && v.Yes == w.yes &&
		(w.rules == nil || slices.Contains(w.rules, v.Rule)) &&
		(w.note == "" || slices.Contains(v.Notes, w.note)) &&
		(!w.clear || !h.Secure())
}

func (t *teller) moment(w wonder, st *trace.Step, v rule.Verdict) Moment {
	id := cmp.Or(w.note, v.Rule)
	m := Moment{Question: t.words.run(w.key, "subject", called(v.Subject)), Answer: string(id), Step: st.Number, Rule: id}
	if r, ok := t.lookup(id); ok {
		m.Answer = r.Sentence
	}
	return m
}
