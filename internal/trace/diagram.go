package trace

import (
	"fmt"
	"strings"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// The sequence diagram is drawn for a narrow screen, in units that are pixels there, and grows with
// the page. Its texts stand above their arrows and are wrapped.
const (
	diagramWidth = 360
	browserLane  = 14
	siteLane     = diagramWidth - browserLane
	textLeft     = browserLane + 9
	textRight    = siteLane - 9
	lineStep     = 14 // from one line of text to the next
	textWidth    = 50 // characters that stand between the lanes

	// maxDrawn is how many requests a diagram shows.
	maxDrawn = 60
)

// A diagram is who said what, in order: shapes for the page to draw.
type diagram struct {
	Width, Height int
	Told, Caption string
	Lines         []drawnLine
	Heads         []drawnHead
	Texts         []drawnText
}

type drawnLine struct {
	Class          string
	X1, Y1, X2, Y2 int
}

type drawnHead struct{ Class, Points string }

type drawnText struct {
	Class, Anchor, Text string
	X, Y                int
}

// diagram draws the run of the story, or as much of it as a person would look at; nil for no hops.
func (s *Story) diagram() *diagram {
	d := &diagram{Width: diagramWidth, Height: 22}
	d.Texts = append(d.Texts,
		drawnText{Class: "head", Text: "browser", X: browserLane - 10, Y: 16},
		drawnText{Class: "head", Text: "site", X: siteLane + 10, Y: 16, Anchor: "end"})
	drawn, all := 0, 0
	for i := range s.Run.Visits {
		v := &s.Run.Visits[i]
		all += len(v.Hops)
		if drawn >= maxDrawn {
			continue
		}
		d.visit(i+1, v)
		for j := range v.Hops {
			if drawn < maxDrawn {
				d.hop(&v.Hops[j])
				drawn++
			}
		}
	}
	if drawn == 0 {
		return nil
	}
	d.Height += lineStep
	d.Lines = append([]drawnLine{
		{"lane", browserLane, 24, browserLane, d.Height},
		{"lane", siteLane, 24, siteLane, d.Height},
	}, d.Lines...)
	d.Told = fmt.Sprintf("%s between the browser and the site; the table above tells them all.", counted(all, "request"))
	d.Caption = "Time goes down. A solid arrow is https, a dashed one is http, which anybody on the way can read."
	if all > drawn {
		d.Caption += fmt.Sprintf(" These are the first %d of %d requests.", drawn, all)
	}
	return d
}

// visit begins a visit: what it is for, or what was typed.
func (d *diagram) visit(number int, v *Visit) {
	title := v.Title
	if title == "" {
		title = "visit to " + v.Typed
	}
	if v.As != "" {
		title += " (" + v.As + ")"
	}
	if len(d.Lines) > 0 {
		d.Height += lineStep / 2
		d.Lines = append(d.Lines, drawnLine{"rule", textLeft, d.Height, textRight, d.Height})
	}
	d.say("visit", "", fmt.Sprintf("%d. %s", number, title))
}

// hop draws a request with what goes along and what stays behind, and the answer with what it sets.
func (d *diagram) hop(h *Hop) {
	d.Height += 4
	class := choose(h.Secure(), "https", "http")
	if v, ok := h.Verdict(rule.UpgradeToHTTPS, ""); ok && v.Yes {
		d.say("yes", "", "upgraded to https before it leaves")
	}
	for _, v := range h.All(rule.SendCookie) {
		if !v.Yes {
			d.say("no", "", fmt.Sprintf("keeps %s back: %s", called(v.Subject), v.Rule))
		}
	}
	d.say("", "", h.Method+" "+h.URL)
	if names := cookiesSent(h); names != "" {
		d.say(choose(h.Secure(), "yes", "no"), "", "with "+names)
	}
	if !h.Left {
		d.arrow("lost", browserLane, (browserLane+siteLane)/2)
		d.say("no", "", outcome(h))
		return
	}
	d.arrow(class, browserLane, siteLane)
	if h.Response == nil {
		d.say("no", "end", outcome(h))
		return
	}
	d.say("", "end", outcome(h))
	for _, v := range h.All(rule.StoreCookie) {
		d.say(choose(v.Yes, "yes", "no"), "end", fmt.Sprintf("sets %s: %s", called(v.Subject), v.Rule))
	}
	d.arrow(class, siteLane, browserLane)
}

// cookiesSent names what the Cookie field of a request holds.
func cookiesSent(h *Hop) string {
	var names []string
	for _, p := range cookie.ParseHeader(h.Cookie) {
		names = append(names, called(p.Name))
	}
	return strings.Join(names, ", ")
}

// say puts text between the lanes, at the left or, for the site's words, at the right.
func (d *diagram) say(class, anchor, text string) {
	x := textLeft
	if anchor == "end" {
		x = textRight
	}
	for _, line := range wrap(clean(text), textWidth) {
		d.Height += lineStep
		d.Texts = append(d.Texts, drawnText{Class: class, Anchor: anchor, Text: line, X: x, Y: d.Height})
	}
}

// arrow draws from one lane to the other, below the words that it carries.
func (d *diagram) arrow(class string, from, to int) {
	const head = 7
	d.Height += 7
	back := to - head
	if to < from {
		back = to + head
	}
	y := d.Height
	d.Lines = append(d.Lines, drawnLine{class, from, y, back, y})
	d.Heads = append(d.Heads, drawnHead{class + "-head", fmt.Sprintf("%d,%d %d,%d %d,%d", to, y, back, y-4, back, y+4)})
	d.Height += 3
}
