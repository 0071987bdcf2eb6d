package lesson

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// A teller makes of a run what is shown of it.
type teller struct {
	words  *words
	lookup func(rule.ID) (rule.Rule, bool)
	result *scenario.Result
	story  *trace.Story

	attacked bool // the pages of other sites are an attacker's
}

// step tells a row of the execution table and all that opens from it.
func (t *teller) step(st *trace.Step) Step {
	s := Step{
		Number: st.Number, Title: st.Title, As: st.As, Action: t.words.brief(st.Action),
		Condition: t.words.brief(st.Condition), Result: t.words.brief(st.Result), Sent: t.words.brief(st.Sent), Skipped: !st.Reached(), Messages: []Message{}, Verdicts: []Verdict{},
	}
	s.Say = t.say(&s)
	if s.Skipped {
		return s
	}
	decided := t.decisive(st)
	s.Rule, s.True = decided.Rule, truth(st)
	for _, p := range st.Parts {
		if p.Request == "" {
			s.Verdicts = append(s.Verdicts, shown(p.Verdict))
		}
	}
	s.Messages, s.Attacker = t.messages(st), t.seen(st)
	return s
}

func shown(v rule.Verdict) Verdict {
	return Verdict{
		Side: string(v.Side), Question: string(v.Question), Subject: v.Subject, Yes: v.Yes, Rule: v.Rule,
		Also: v.Also, Notes: v.Notes, Facts: v.Facts,
	}
}

// verdicts are those of a step, in order.
func verdicts(st *trace.Step) []rule.Verdict {
	var all []rule.Verdict
	for _, p := range st.Parts {
		if p.Request == "" {
			all = append(all, p.Verdict)
		}
	}
	return all
}

// A sign is a kind of verdict by which a row may have come about.
type sign struct {
	question rule.Question
	yes      bool
	clear    bool // over http only
}

// signs are in the order of their weight: what keeps a cookie back, then what is as it should be.
var signs = []sign{
	{question: rule.FollowRedirect},
	{question: rule.UpgradeToHTTPS, yes: true},
	{question: rule.StoreCookie},
	{question: rule.Answer, yes: true},
	{question: rule.SendCookie},
	{question: rule.ReadCookie},
	{question: rule.SendCookie, yes: true, clear: true},
	{question: rule.RedirectToHTTPS, yes: true},
	{question: rule.IsAuthenticated, yes: true},
	{question: rule.SendCookie, yes: true},
	{question: rule.ReadCookie, yes: true},
	{question: rule.StoreHSTS, yes: true},
	{question: rule.StoreCookie, yes: true},
	{question: rule.IsSecure, yes: true},
	{question: rule.IsSecure},
}

// decisive is the verdict by which the row came about: one that ended a request, else the first of signs.
func (t *teller) decisive(st *trace.Step) rule.Verdict {
	if v, ok := t.ended(st); ok {
		return v
	}
	all := verdicts(st)
	for _, s := range signs {
		i := slices.IndexFunc(all, func(v rule.Verdict) bool {
			return v.Question == s.question && v.Yes == s.yes && (!s.clear || !st.Hops()[0].Secure()) && t.matters(st, v)
		})
		if i >= 0 {
			return all[i]
		}
	}
	last := st.Hops()[len(st.Hops())-1]
	if v, ok := stopped(last); ok { // an answer that sets nothing
		return v
	}
	v, _ := last.Verdict(rule.IsSecure, "")
	if v.Rule == "" && len(last.Verdicts) > 0 {
		v = last.Verdicts[0]
	}
	return v
}

// ended is the verdict by which a request of the step was not served, or not to who he wanted to be.
func (t *teller) ended(st *trace.Step) (rule.Verdict, bool) {
	if st.Half() == trace.TellsAnswer {
		return rule.Verdict{}, false
	}
	for _, h := range st.Hops() {
		if v, ok := h.Verdict(rule.Connect, ""); ok && !v.Yes {
			return v, true
		}
		if v, ok := stopped(h); ok && !v.Yes {
			return v, true
		}
		if v, ok := h.Verdict(rule.LoadSession, ""); ok && !v.Yes && v.Rule != ruleNoSession {
			return v, true
		}
		if v, ok := h.Verdict(rule.IsAuthenticated, ""); ok && !v.Yes && h.Location() != "" {
			return v, true
		}
	}
	return rule.Verdict{}, false
}

// matters is false for what stands in most rows and decides none of them, and for what is about another
// cookie than that of the session, when the same is asked about that.
func (t *teller) matters(st *trace.Step, v rule.Verdict) bool {
	if v.Question != rule.SendCookie {
		return v.Rule != "follow-not-redirect"
	}
	first := st.Hops()[0]
	own, asked := first.Verdict(rule.SendCookie, t.session())
	return !asked || v.Subject == t.session() && (v.Rule == own.Rule || first.Secure())
}

// truth is what the condition of the row was, where there is one condition. The lesson's third is about the
// cookie that is set.
func truth(st *trace.Step) *bool {
	yes := false
	if strings.Contains(st.Condition, ", ") {
		return nil
	}
	if st.Half() == trace.TellsAnswer {
		yes = strings.Contains(st.Condition, "Secure=True")
		return choosePointer(st.Condition != "-", &yes)
	}
	h := st.Hops()[0]
	v, ok := h.Verdict(rule.IsSecure, "")
	yes = v.Yes
	return choosePointer(ok, &yes)
}

func choosePointer(ok bool, p *bool) *bool {
	if !ok {
		return nil
	}
	return p
}

// say is the row in one sentence.
func (t *teller) say(s *Step) string {
	who := ""
	if s.As != "" && !strings.Contains(s.Action, s.As) {
		who = " (" + s.As + ")"
	}
	text := fmt.Sprintf("%s%s: %s", s.Action, who, s.Result)
	if !s.Skipped && s.Sent != "-" {
		text += t.words.run("say.cookie", "sent", s.Sent)
	}
	return sentence(text)
}

// paragraph is the row in the transcript, with the questions that it answers.
func (t *teller) paragraph(s *Step, moments []Moment) string {
	parts := []string{t.words.run("text.step", "number", fmt.Sprint(s.Number), "say", s.Say)}
	if strings.Contains(s.Condition, "=") { // the site was asked
		parts = append(parts, t.words.run("text.condition", "condition", s.Condition))
	}
	said := map[string]bool{}
	add := func(texts ...string) {
		for _, text := range texts {
			if !said[text] {
				said[text] = true
				parts = append(parts, text)
			}
		}
	}
	for _, m := range moments {
		if m.Step == s.Number {
			add(m.Question, m.Answer)
		}
	}
	if r, ok := t.lookup(s.Rule); ok && !slices.ContainsFunc(moments, func(m Moment) bool { return m.Step == s.Number && m.Rule == s.Rule }) {
		add(r.Sentence)
	}
	for _, a := range s.Attacker {
		if a.Harm || t.attacked && (a.Rule != "" || a.Could != "") {
			add(a.Text)
		}
	}
	return strings.Join(parts, " ")
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	text = strings.TrimSuffix(text, ".")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// whose is the lane of who makes the step.
func whose(st *trace.Step) string {
	return cmp.Or(map[bool]string{true: LaneAttacker}[st.As != ""], LaneBrowser)
}
