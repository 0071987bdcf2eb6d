package lesson

import "github.com/lockstep-http/lockstep/rule"

// Grades of questions and exercises.
const (
	Easy   = "easy"
	Medium = "medium"
	Hard   = "hard"
)

// A Question is asked about a run. Each of its options is backed by a run: that of the question for the
// right one, another for a wrong one, in which it would be true.
type Question struct {
	ID       string   `json:"id"`   // stable for the same seed and files
	Kind     string   `json:"kind"` // predict, visual, practice, test, quiz
	Grade    string   `json:"grade"`
	Text     string   `json:"text"`
	Setup    Setup    `json:"setup"`
	Step     int      `json:"step,omitempty"` // to look at for the answer; 0: none
	Options  []Option `json:"options"`        // exactly one is right
	Because  string   `json:"because"`        // why that is so: a sentence, and what the run shows
	Rule     rule.ID  `json:"rule,omitempty"`
	Hints    []string `json:"hints,omitempty"`    // one at a time
	Solution []string `json:"solution,omitempty"` // the steps to it
	Check    string   `json:"check,omitempty"`    // how to see at a glance that it is right
	Mistakes []string `json:"mistakes,omitempty"` // that are common
	Key      string   `json:"key,omitempty"`      // what the lesson's own key says, where the run shows otherwise
}

// An Option is one of the answers.
type Option struct {
	Text  string `json:"text"`
	Right bool   `json:"right"`
	Setup *Setup `json:"setup,omitempty"` // the run in which it is true; nil: in none that could be found, and Why says so
	Step  int    `json:"step,omitempty"`  // where it shows
	Why   string `json:"why"`             // what that run shows
	Look  *Setup `json:"look,omitempty"`  // of a wrong one without Setup: the run that shows that it is wrong
}

// A Course is what the lesson has of its own, beyond its run.
type Course struct {
	Visual   []Question `json:"visual"`   // three, about the execution table
	Practice []Question `json:"practice"` // five, graded
	Snapshot []string   `json:"snapshot"` // the facts to keep
	Sample   Sample     `json:"sample"`
}

// A Sample is the lesson as code: by hand, and as the settings that make the code unnecessary.
type Sample struct {
	Intro    []string `json:"intro"`    // paragraphs
	Python   string   `json:"python"`   // a view of Django
	Go       string   `json:"go"`       // the same with Lockstep's calls
	Settings string   `json:"settings"` // the lines that do the same for every view
}

// An Exercise is solved by doing: the system is the judge.
type Exercise struct {
	ID       string   `json:"id"`
	Grade    string   `json:"grade"`
	Kind     string   `json:"kind"` // settings: turn switches; line: write a Set-Cookie line; leak: find the step
	Title    string   `json:"title"`
	Text     []string `json:"text"`
	Setup    Setup    `json:"setup"`              // where it begins
	Switches []string `json:"switches,omitempty"` // of kind settings: those that may be turned
	URL      string   `json:"url,omitempty"`      // of kind line: whose answer has the line
	Line     string   `json:"line,omitempty"`     // of kind line: what to begin with
	Goals    []string `json:"goals"`
	Hints    []string `json:"hints"`
	Solution Answer   `json:"solution"` // one that holds
}

// An Answer is what a learner hands in.
type Answer struct {
	Switches map[string]string `json:"switches,omitempty"`
	Line     string            `json:"line,omitempty"`
	Step     int               `json:"step,omitempty"`
}

// A Judgement is what came of an answer.
type Judgement struct {
	Solved bool    `json:"solved"`
	Goals  []Goal  `json:"goals"`
	Run    *Run    `json:"run,omitempty"` // that decided
	Line   *Tokens `json:"line,omitempty"`
}

// A Goal is met or not.
type Goal struct {
	Text string  `json:"text"`
	Met  bool    `json:"met"`
	Step int     `json:"step,omitempty"`
	Rule rule.ID `json:"rule,omitempty"`
	Why  string  `json:"why"`
}

// Tokens is a Set-Cookie line explained.
type Tokens struct {
	Line   string  `json:"line"`
	Tokens []Token `json:"tokens"`
	Stored bool    `json:"stored"`
	Rule   rule.ID `json:"rule"`
	Why    string  `json:"why"`
}

// A Token is a part of the line.
type Token struct {
	Text   string  `json:"text"`
	Is     string  `json:"is"`
	Effect string  `json:"effect"`
	Does   string  `json:"does"`
	Rule   rule.ID `json:"rule,omitempty"`
}
