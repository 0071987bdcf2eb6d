package lesson

import (
	"cmp"
	"fmt"
	"net/http"
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
}

// step tells a row of the execution table and all that opens from it.
func (t *teller) step(st *trace.Step) Step {
	s := Step{
		Number: st.Number, Title: st.Title, As: st.As, Action: st.Action, Condition: st.Condition, Result: st.Result,
		Sent: st.Sent, Skipped: !st.Reached(),
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
	s.Messages = t.messages(st)
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
}

// signs are in the order of their weight: what ends a request, then what keeps a cookie back, then what is
// as it should be.
var signs = []sign{
	{rule.Connect, false},
	{rule.AllowHost, false},
	{rule.CheckCSRF, false},
	{rule.FollowRedirect, false},
	{rule.UpgradeToHTTPS, true},
	{rule.StoreCookie, false},
	{rule.SendCookie, false},
	{rule.ReadCookie, false},
	{rule.IsAuthenticated, false},
	{rule.RedirectToHTTPS, true},
	{rule.IsAuthenticated, true},
	{rule.SendCookie, true},
	{rule.ReadCookie, true},
	{rule.StoreHSTS, true},
	{rule.StoreCookie, true},
	{rule.IsSecure, true},
	{rule.IsSecure, false},
}

// decisive is the verdict by which the row came about.
func (t *teller) decisive(st *trace.Step) rule.Verdict {
	all := verdicts(st)
	for _, s := range signs {
		i := slices.IndexFunc(all, func(v rule.Verdict) bool {
			return v.Question == s.question && v.Yes == s.yes && t.matters(v)
		})
		if i >= 0 {
			return all[i]
		}
	}
	if len(all) > 0 {
		return all[0]
	}
	return rule.Verdict{}
}

// matters is false for what stands in most rows and decides none of them.
func (t *teller) matters(v rule.Verdict) bool {
	switch v.Rule {
	case "csrf-safe-method", "follow-not-redirect", "upgrade-already-https":
		return false
	}
	return true
}

// truth is what the condition of the row was. The lesson's third is about the cookie that is set.
func truth(st *trace.Step) *bool {
	yes := false
	if st.Half() == trace.TellsAnswer {
		yes = strings.Contains(st.Condition, "Secure=True")
		return choosePointer(st.Condition != "-", &yes)
	}
	h := st.Hops()[0]
	if v, ok := h.Verdict(rule.CheckCSRF, ""); ok && h.Method != http.MethodGet {
		yes = v.Yes
		return &yes
	}
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
	if s.As != "" {
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
	if s.Condition != "-" {
		parts = append(parts, t.words.run("text.condition", "condition", s.Condition))
	}
	if r, ok := t.lookup(s.Rule); ok {
		parts = append(parts, r.Sentence)
	}
	for _, m := range moments {
		if m.Step == s.Number {
			parts = append(parts, m.Question, m.Answer)
		}
	}
	for _, a := range s.Attacker {
		parts = append(parts, a.Text)
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
