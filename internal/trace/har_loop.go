package trace

import (
	"slices"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/rule"
)

// What is kept of redirects until a recording has shown where they lead.
const (
	minLoop         = 10 // requests of a chain of redirects before it is asked whether it ends
	maxLoopVerdicts = 60 // verdicts about cookies of such a request; one with more is not looked at
	maxLoops        = 20 // loops that are told
)

// A Loop is a chain of redirects in a recording that does not end, with the verdict that explains it.
type Loop struct {
	First   string // the title of its first request
	Verdict rule.Verdict
}

// Tell says why it does not end, and what to do.
func (l Loop) Tell() string {
	all := rules.All()
	at := slices.IndexFunc(all, func(r rule.Rule) bool { return r.ID == l.Verdict.Rule })
	if at < 0 {
		return Diagnosed(l.Verdict, string(l.Verdict.Rule))
	}
	return "Redirects from " + l.First + " on do not end. " + Diagnosed(l.Verdict, all[at].Sentence) + " " + all[at].Fix
}

// A chain is a row of requests of which each was redirected to the next, as a loop is told by. One that was
// looked at has no hops any more.
type chain struct {
	first string
	hops  []Hop
	over  bool
}

// and is the chain with one hop more; diagnosed by p when it is long enough.
func (c chain) and(p *player, a *asked) chain {
	hop := a.visit.Last()
	if c.over || !hop.Left {
		return c
	}
	if len(c.hops) == 0 {
		c.first = a.visit.Title
	}
	kept, ok := loopHop(hop)
	if !ok {
		return chain{over: true}
	}
	c.hops = append(slices.Clip(c.hops), kept)
	if len(c.hops) < minLoop {
		return c
	}
	v, ok := DiagnoseLoop(c.hops)
	if !ok && len(c.hops) < browser.MaxRequests {
		return c
	}
	if ok && len(p.out.Loops) < maxLoops {
		hop.Verdicts = append(hop.Verdicts, v)
		p.out.Loops = append(p.out.Loops, Loop{c.first, v})
	}
	return chain{over: true}
}

// loopHop is what a diagnosis needs of a hop, in less memory. A cookie that was stored is held: a recording
// tells of no more.
func loopHop(h *Hop) (Hop, bool) {
	kept := Hop{Method: h.Method, URL: h.URL, Left: h.Left, Response: h.Response}
	for _, v := range h.Verdicts {
		if v.Question != rule.StoreCookie && v.Question != rule.SendCookie {
			continue
		}
		if len(kept.Verdicts) >= maxLoopVerdicts {
			return Hop{}, false
		}
		kept.Verdicts = append(kept.Verdicts, rule.Verdict{Question: v.Question, Subject: v.Subject, Yes: v.Yes, Rule: v.Rule})
		if v.Question == rule.StoreCookie && v.Yes && v.Rule != storeDeleted {
			kept.Cookies = append(kept.Cookies, StoredCookie{Name: v.Subject})
		}
	}
	return kept, true
}

// storeDeleted decides about a line that deletes a cookie.
const storeDeleted = rule.ID("store-deleted")

// redirect remembers where an answer leads.
func (p *player) redirect(e *har.Entry, f *inference, location string, so chain) {
	next, v := new(browser.Chain).Next(f.req, e.Status, location, "", nil)
	if v.Yes && len(p.redirected) < maxRedirections {
		p.redirected[bareURL(next.URL)] = &redirection{*f, e.Status, location, so}
	}
}
