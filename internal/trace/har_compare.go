package trace

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/rule"
)

// held is where it is written what a recording is.
const recorded = "HAR 1.2, log.entries"

var (
	recordingSetBefore = rules.Add(rule.Rule{
		ID:       "recording-set-before",
		Source:   recorded + "; the browser's store before the recording",
		Sentence: "The cookie was sent, and no answer before it in the recording sets it: it was there before the recording began, or a script set it.",
		Fix:      "Record again from an empty browser, such as a private window, to see where the cookie comes from.",
		Scenario: `
visit https://shop.test/a
recording with id=1
`,
	})
	recordingOtherValue = rules.Add(rule.Rule{
		ID:       "recording-other-value",
		Source:   recorded,
		Sentence: "The cookie was sent with another value than the last one that the browser stored.",
		Fix:      whyOtherValue,
		Scenario: `
on /a send Set-Cookie: id=1
visit https://shop.test/a
visit https://shop.test/a
recording with id=2
`,
	})
	recordingNotSent = rules.Add(rule.Rule{
		ID:       "recording-not-sent",
		Source:   recorded,
		Sentence: "The cookie was not sent, although by the rules it is stored and nothing keeps it back.",
		Fix:      whyNotSent,
		Scenario: `
on /a send Set-Cookie: id=1
visit https://shop.test/a
visit https://shop.test/a
visit https://shop.test/a
recording without id
`,
	})
	recordingSentKept = rules.Add(rule.Rule{
		ID:       "recording-sent-kept",
		Source:   recorded,
		Sentence: "The cookie was sent, although a rule keeps it back.",
		Fix:      whySentKept,
		Scenario: `
on /a send Set-Cookie: id=1; Path=/a
visit https://shop.test/a
visit https://shop.test/
recording with id=1
`,
	})
	recordingSentRefused = rules.Add(rule.Rule{
		ID:       "recording-sent-refused",
		Source:   recorded,
		Sentence: "The cookie was sent, although by the rules the browser refused to store it.",
		Fix:      whySentRefused,
		Scenario: `
on /a send Set-Cookie: id=1; SameSite=None
visit https://shop.test/a
visit https://shop.test/
recording with id=1
`,
	})
	recordingUntold = rules.Add(rule.Rule{
		ID:       "recording-untold",
		Source:   recorded + "; Fetch standard, section 2.2.5, of which a recording has only parts",
		Sentence: "The recording leaves open what decides about the cookie, such as the credentials mode of a script's request: it may be as it should.",
		Fix:      "Look into the script for credentials: \"include\", and at the page for its frames; a recording of the browser itself tells more than that of a proxy.",
		Scenario: `
on /a send Set-Cookie: id=1
visit https://shop.test/a
visit https://shop.test/a
from https://shop.test/
load fetch https://shop.test/a omit
recording without id
`,
	})
)

// What most likely is behind a difference.
const (
	whyOtherValue  = "A script, another tab or an answer that is not in the recording has changed it."
	whyNotSent     = "A script or another tab has deleted it, a script asked without credentials: \"include\", or the browser blocks cookies of third parties."
	whySentKept    = "The browser that was recorded follows another rule here, or sent a cookie of the same name that was there before the recording began."
	whySentRefused = "The cookie that was sent was set otherwise: before the recording began, by a script, or by an answer that is not in it."
)

// differing are the rules by the kinds of differences, and fixes what is most likely behind them.
var (
	differing = map[DifferenceKind]rule.ID{
		OtherValue: recordingOtherValue, NotSent: recordingNotSent, SentKept: recordingSentKept, SentUnstored: recordingSentRefused,
	}
	fixes = map[DifferenceKind]string{OtherValue: whyOtherValue, NotSent: whyNotSent, SentKept: whySentKept, SentUnstored: whySentRefused}
)

// compare holds the cookies that the recording has against those of the model, name by name.
func (p *player) compare(e *har.Entry, a *asked, sent, model []cookie.Pair) {
	want, got := byName(model), byName(sent)
	ruled := map[string]*rule.Verdict{}
	verdicts := a.visit.Last().All(rule.SendCookie)
	for i := range verdicts {
		v := &verdicts[i]
		if ruled[v.Subject] == nil {
			ruled[v.Subject] = v
		}
		if !v.Yes {
			p.told(a.site, v.Subject, func(c *PlayedCookie) { c.KeptBack = c.KeptBack.and(v.Rule) })
		}
	}
	for _, name := range got.names {
		p.told(a.site, name, func(c *PlayedCookie) { c.Sent++ })
		switch {
		case want.values[name] == nil:
			p.unexpected(e, a, ruled[name], name, got.values[name])
		case !shared(got.values[name], want.values[name]):
			p.differ(e, a, OtherValue, name, "", got.values[name])
		}
	}
	if p.out.NoneSent || e.Status == 0 {
		return
	}
	for _, name := range want.names {
		if got.values[name] == nil {
			p.differ(e, a, NotSent, name, "", nil)
		}
	}
}

// byNames are the values of cookies by their names, which are in the order in which they were met.
type byNames struct {
	names  []string
	values map[string][]string
}

func byName(pairs []cookie.Pair) byNames {
	n := byNames{values: map[string][]string{}}
	for _, c := range pairs {
		if n.values[c.Name] == nil {
			n.names = append(n.names, c.Name)
		}
		n.values[c.Name] = append(n.values[c.Name], c.Value)
	}
	return n
}

// shared reports whether both have a value.
func shared(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}

// unexpected is about a cookie that was sent and that the model would not send. ruled is what that has to say;
// nil when it does not know the cookie.
func (p *player) unexpected(e *har.Entry, a *asked, ruled *rule.Verdict, name string, got []string) {
	key := [2]string{a.site, name}
	if ruled != nil && !ruled.Yes {
		p.differ(e, a, SentKept, name, ruled.Rule, got)
	} else if id := p.refused[key]; id != "" {
		p.differ(e, a, SentUnstored, name, id, got)
	} else if !p.before[key] && len(p.before) < maxPlayedCookies {
		p.before[key] = true
		p.out.Before++
		p.hold(a, name, recordingSetBefore, true, a.about)
	}
}

// differ names a difference, or counts one that is named already. What may be none, since the recording
// leaves open what decides, is told apart.
func (p *player) differ(e *har.Entry, a *asked, kind DifferenceKind, name string, id rule.ID, got []string) {
	u := a.req.URL
	key := Difference{Kind: kind, Cookie: name, Host: u.Host, Rule: id, Doubt: p.doubt(e, a, id, name, got)}
	facts := append([]rule.Fact{{Name: "recording", Value: string(kind)}}, a.about...)
	if id != "" {
		facts = append(facts, rule.Fact{Name: "rule", Value: string(id)})
	}
	list := &p.out.Differences
	if key.Doubt != "" {
		list = &p.out.Untold
		p.hold(a, name, recordingUntold, true, append(facts, rule.Fact{Name: "depends on", Value: key.Doubt}))
	} else {
		p.hold(a, name, differing[kind], false, facts)
	}
	if i, ok := p.differences[key]; ok {
		(*list)[i].Times++
		return
	}
	if len(p.differences) >= maxDifferences {
		p.out.MoreDifferences++
		return
	}
	p.differences[key] = len(*list)
	d := key
	d.Times, d.First, d.Method, d.URL = 1, e.Started, cmp.Or(e.Method, http.MethodGet), u.Redacted()
	*list = append(*list, d)
}

// doubt is what the recording would have to tell to settle a difference; "" when it is one in any case.
func (p *player) doubt(e *har.Entry, a *asked, id rule.ID, name string, got []string) string {
	if id == otherPartition && a.guess {
		return a.inference.doubt
	}
	for i := range a.others {
		if a.modelled == nil {
			a.modelled = make([]map[string][]string, len(a.others))
		}
		if a.modelled[i] == nil {
			a.modelled[i] = byName(cookie.ParseHeader(p.browser.CookieHeader(a.others[i], e.Started, nil))).values
		}
		model := a.modelled[i][name]
		if shared(got, model) || got == nil && model == nil {
			return a.inference.doubt
		}
	}
	return p.doubtful[[2]string{a.site, name}]
}

// otherPartition decides about a cookie that belongs to another window.
const otherPartition = rule.ID("send-other-partition")

// hold adds the verdict about how the recording stands to the rules.
func (p *player) hold(a *asked, name string, id rule.ID, yes bool, facts []rule.Fact) {
	hop := a.visit.Last()
	hop.Verdicts = append(hop.Verdicts, rule.Verdict{
		Side: rule.Browser, Question: rule.MatchRecording, Subject: name, Yes: yes, Rule: id, Facts: facts,
	})
}
