package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// A Severity says how bad a finding is.
type Severity int

// The severities. Info does not count as a finding: it tells what a person should know.
const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

var severities = [...]string{"info", "low", "medium", "high", "critical"}

// String returns the severity in lower case.
func (s Severity) String() string { return severities[s] }

// MarshalText implements [encoding.TextMarshaler].
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity is the inverse of [Severity.String].
func ParseSeverity(text string) (Severity, error) {
	i := slices.Index(severities[:], text)
	if i < 0 {
		return Info, fmt.Errorf("%q is none of %s", text, strings.Join(severities[:], ", "))
	}
	return Severity(i), nil
}

// A Check is one thing that can be wrong with settings.
type Check struct {
	ID       string   // Django's, such as "security.W008", or Lockstep's, such as "lockstep.W101"; never reused, never renamed
	Title    string   // what is wrong, on one line
	Doc      string   // why it matters, in sentences
	Fix      string   // what to do
	Severity Severity // of its findings, unless one says otherwise
	Settings []string // what it looks at, by Django's names; a finding is placed at the first
	Source   string   // where it is written down
	Versions string   // of Django, where it is not for all: "4.1 and later"

	// Find returns what is wrong with s, nothing when all is well. It is never given settings of a
	// Django that the check is not for.
	Find func(s *Subject) []Fault

	// Show says where a run shows the harm.
	Show Proof

	// Mend changes s so that Find has nothing to find; nil where only a person can.
	Mend func(s *Subject)

	applies func(s *Subject) bool // nil: to every version
}

// A Fault is one thing wrong, as a check found it.
type Fault struct {
	Setting  string    // where it is; "" is the first that the check looks at
	Text     string    // what is wrong, with the values
	Severity *Severity // when not the check's own
}

// A Proof says how the harm of a fault is shown.
type Proof struct {
	// Steps are looked for in the steps of the lesson, which runs under the settings; the first that
	// is there is shown.
	Steps func(s *Subject) []Sight

	// Scenario returns the text of a run of its own, for what no step shows, and what is to be seen
	// there. The text is run under the settings; "" is none.
	Scenario func(s *Subject) (text string, seen Sight)

	// Words tells why no run shows it. It is used when neither of the others does.
	Words string
}

// A Sight is a verdict to look for in a run.
type Sight struct {
	Step    int // of the lesson, 1 to 5; 0 in a scenario
	Rule    rule.ID
	Subject string // "" is any
	Scheme  string // of the request at which it falls; "" is any
}

// DjangosOwn reports whether the id is one of Django's.
func (c *Check) DjangosOwn() bool { return !strings.HasPrefix(c.ID, "lockstep.") }

// All returns every check: Django's, then Lockstep's, each ordered by ID. The slice is the
// caller's.
func All() []Check {
	all := slices.Concat(djangoChecks, hostChecks, hstsChecks, cookieChecks, headerChecks, proxyChecks, csrfChecks, sessionChecks, projectChecks)
	slices.SortStableFunc(all, func(a, b Check) int {
		if a.DjangosOwn() != b.DjangosOwn() {
			return map[bool]int{true: -1, false: 1}[a.DjangosOwn()]
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Lookup returns the check with an ID.
func Lookup(id string) (Check, bool) {
	all := All()
	i := slices.IndexFunc(all, func(c Check) bool { return c.ID == id })
	if i < 0 {
		return Check{}, false
	}
	return all[i], true
}

// when returns one fault if wrong, and none if not.
func when(wrong bool, format string, values ...any) []Fault {
	if !wrong {
		return nil
	}
	return []Fault{{Text: fmt.Sprintf(format, values...)}}
}

// at is when for a fault that is at another setting than the check's first.
func at(setting string, wrong bool, format string, values ...any) []Fault {
	faults := when(wrong, format, values...)
	for i := range faults {
		faults[i].Setting = setting
	}
	return faults
}

// only makes faults weigh less, or more, than their check's.
func only(severity Severity, faults []Fault) []Fault {
	for i := range faults {
		faults[i].Severity = &severity
	}
	return faults
}

// sets is a Mend that gives one setting a value.
func sets(name string, value any) func(*Subject) {
	return func(s *Subject) { s.set(name, value) }
}

// inStep is a Proof by one verdict in one step.
func inStep(step int, id rule.ID, subject, scheme string) Proof {
	return Proof{Steps: func(*Subject) []Sight { return []Sight{{Step: step, Rule: id, Subject: subject, Scheme: scheme}} }}
}
