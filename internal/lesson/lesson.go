// Package lesson runs what the lab teaches: scenarios, each a plain file, under settings that a learner
// switches, over in-memory connections with real TLS; and questions and exercises whose answers are those
// of runs. It has no page and no server: package lab shows what it returns, and so does the terminal.
//
// Nothing here is told that was not run. A row, a number, an option of a question comes from a [Run]; the
// texts around them stand in texts.json.
package lesson

import (
	"github.com/lockstep-http/lockstep/rule"
)

// A Setup is what a run is made of: everything that decides how it goes. The zero Setup is the lesson.
type Setup struct {
	Scenario string            `json:"scenario,omitempty"` // the name of its file, without the ending; "" is the lesson
	Switches map[string]string `json:"switches,omitempty"` // by name, those that differ from the scenario's own
	Profile  string            `json:"profile,omitempty"`  // of the browser; "" is chromium
}

// A Scenario is one of the files.
type Scenario struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Intro    []string `json:"intro"`              // paragraphs: what it is about, in a learner's words
	Question string   `json:"question"`           // to predict before it runs
	Plan     []string `json:"plan"`               // what is done, a line a row, as it is known before it runs
	Switches []string `json:"switches"`           // the names of those worth turning here, the first the most telling
	Attacker bool     `json:"attacker,omitempty"` // somebody attacks in it: the lane is shown from the start
	Text     string   `json:"text"`               // the file
}

// A Switch is something of the what-if panel.
type Switch struct {
	Name    string   `json:"name"`    // SECURE_SSL_REDIRECT, or start, proxy
	Label   string   `json:"label"`   // for a person
	About   string   `json:"about"`   // one sentence
	Values  []Choice `json:"values"`  // two for one that is on or off; the first is Django's or the lesson's
	Default string   `json:"default"` // in the scenario that is shown
}

// A Choice is a value of a switch.
type Choice struct {
	Value string `json:"value"` // as a Setup has it
	Label string `json:"label"`
}

// A Run is one run of a scenario, as it is shown.
type Run struct {
	Setup    Setup        `json:"setup"`
	Title    string       `json:"title"`
	Took     float64      `json:"took"`  // milliseconds, of the run alone
	Steps    []Step       `json:"steps"` // the execution table
	Tracker  []Variable   `json:"tracker"`
	Moments  []Moment     `json:"moments"`
	Text     []string     `json:"transcript"` // a paragraph a step
	Settings []Assignment `json:"settings"`   // that differ from Django's defaults
	Rules    []Rule       `json:"rules"`      // each that the run names, ordered by ID
}

// A Step is a row of the execution table, with what is drawn and opened for it.
type Step struct {
	Number    int       `json:"number"`
	Title     string    `json:"title,omitempty"`
	As        string    `json:"as,omitempty"` // whose browser; "" is the person's
	Action    string    `json:"action"`
	Condition string    `json:"condition"`
	True      *bool     `json:"true,omitempty"` // what the condition was; nil when it is not a yes or no
	Result    string    `json:"result"`
	Sent      string    `json:"sent"` // the column "Cookie sent"
	Rule      rule.ID   `json:"rule"` // by which the row came about
	Say       string    `json:"say"`  // one sentence, for who hears the page
	Messages  []Message `json:"messages"`
	Verdicts  []Verdict `json:"verdicts"`
	Attacker  []Seen    `json:"attacker,omitempty"`
	Skipped   bool      `json:"skipped,omitempty"` // it was not reached; Result says why
}

// Lanes of the flow diagram.
const (
	LaneBrowser  = "browser"
	LaneGate     = "gate"
	LaneApp      = "app"
	LaneAttacker = "attacker"
)

// A Message is an arrow of the flow diagram, or, from a lane to itself, what happens there.
type Message struct {
	From   string  `json:"from"`
	To     string  `json:"to"`
	Text   string  `json:"text"`           // complete without the drawing
	Secure bool    `json:"secure"`         // it goes over https
	Stop   bool    `json:"stop,omitempty"` // something was refused, kept back or did not arrive
	Rule   rule.ID `json:"rule,omitempty"`
	Raw    string  `json:"raw,omitempty"` // the lines as they went, cookie values shortened
}

// A Verdict is a decision of one of the sides.
type Verdict struct {
	Side     string      `json:"side"`
	Question string      `json:"question"`
	Subject  string      `json:"subject,omitempty"`
	Yes      bool        `json:"yes"`
	Rule     rule.ID     `json:"rule"`
	Also     []rule.ID   `json:"also,omitempty"`
	Notes    []rule.ID   `json:"notes,omitempty"`
	Facts    []rule.Fact `json:"facts,omitempty"`
}

// Seen is what somebody else saw or could do at a step.
type Seen struct {
	Text  string  `json:"text"`            // a sentence
	Could string  `json:"could,omitempty"` // what can be done with it
	Harm  bool    `json:"harm"`            // it is enough to act as the person, or to change what the person gets
	Rule  rule.ID `json:"rule,omitempty"`
}

// A Variable is a row of the variable tracker.
type Variable struct {
	Name   string   `json:"name"`
	Values []string `json:"values"` // at the start, then after each step
	Chance bool     `json:"chance,omitempty"`
	Detail bool     `json:"detail,omitempty"` // shown only when all are asked for
}

// A Moment is a "why" about a run.
type Moment struct {
	Question string  `json:"question"`
	Answer   string  `json:"answer"`
	Step     int     `json:"step"`
	Rule     rule.ID `json:"rule"`
}

// An Assignment is a setting with its value as Python writes it.
type Assignment struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Rule is what explains a decision.
type Rule struct {
	ID       rule.ID `json:"id"`
	Sentence string  `json:"sentence"`
	Source   string  `json:"source"`
	Fix      string  `json:"fix,omitempty"`
}

// A Change is a place in which two runs differ.
type Change struct {
	Step   int    `json:"step"`   // 0: the run as a whole, as when one has more steps
	Column string `json:"column"` // of the execution table, or the name of a variable
	Was    string `json:"was"`
	Now    string `json:"now"`
}
