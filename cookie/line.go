package cookie

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/rule"
)

// Limits of a line.
const (
	// MaxPair is the greatest length of name and value together, in octets. A longer cookie is
	// refused.
	MaxPair = 4096
	// MaxAttribute is the greatest length of the value of an attribute, in octets. A longer
	// attribute is ignored, the cookie kept.
	MaxAttribute = 1024
	// MaxAttributes is how many attributes a Line lists. Further ones are understood like the
	// others, but not listed.
	MaxAttributes = 64
)

// SameSite is the same-site-flag of a cookie.
type SameSite int

// The values of SameSite. Default is what a line has that names none or an unknown one; a browser
// decides what it means, which is Lax in the draft and in Chromium.
const (
	SameSiteDefault SameSite = iota
	SameSiteNone
	SameSiteLax
	SameSiteStrict
)

var sameSiteNames = [...]string{"Default", "None", "Lax", "Strict"}

// String returns the word of the draft: Default, None, Lax or Strict.
func (s SameSite) String() string {
	if s < 0 || int(s) >= len(sameSiteNames) {
		return "SameSite(" + strconv.Itoa(int(s)) + ")"
	}
	return sameSiteNames[s]
}

// An Effect is what became of an attribute.
type Effect int

// The effects. An overridden attribute was understood, and then another one of the line took its
// place.
const (
	Ignored Effect = iota
	Applied
	Overridden
)

// An Attribute is one attribute of a line as it was written, without the white space around name
// and value, and what became of it.
type Attribute struct {
	Name, Value string
	Effect      Effect
	Note        rule.ID // what a person should know of it, or empty
}

// A Line is a Set-Cookie line as browsers understand it. Its strings share memory with the line.
type Line struct { //nolint:recvcheck // the methods with a pointer build it
	Name, Value string      // the name is empty for a nameless cookie
	Attributes  []Attribute // the first MaxAttributes, in the order of the line

	Domain      string        // lower case, without the leading dot; empty for a host-only cookie
	Path        string        // begins with a slash; empty for the default-path
	Secure      bool          //
	HttpOnly    bool          //
	Partitioned bool          // read, and not yet acted on
	SameSite    SameSite      //
	HasMaxAge   bool          // whether there is a valid Max-Age
	MaxAge      time.Duration // as written, in whole seconds; at most [time.Duration] can hold
	Expires     time.Time     // zero without a valid Expires

	Notes []rule.ID // what a person should know, each once, in the order of the line

	dialect Dialect
	control int // where the first control character is, counted from 1; 0 without one
}

// String returns the name and the attributes that count, without the value, which may be a secret.
func (l Line) String() string {
	var b strings.Builder
	b.WriteString(l.Name + "=…")
	for _, a := range l.Attributes {
		if a.Effect != Applied {
			continue
		}
		b.WriteString("; " + a.Name)
		if a.Value != "" {
			b.WriteString("=" + a.Value)
		}
	}
	return b.String()
}

var (
	noteNameless = rules.Add(rule.Rule{
		ID:       "note-nameless",
		Source:   bis + ", section 5.6, step 3",
		Sentence: "A line without an equals sign, or with nothing before it, makes a nameless cookie: all of it is the value.",
		Fix:      "Write the cookie as name=value.",
		Scenario: `
on /a send Set-Cookie: token
visit https://shop.test/a
`,
	})
	noteCommaInValue = rules.Add(rule.Rule{
		ID:       "note-comma-in-value",
		Source:   bis + ", section 5.6, step 2",
		Sentence: "A comma is part of the value; it does not begin another cookie.",
		Fix:      "Send a Set-Cookie line for each cookie; if a proxy joined several lines with commas, stop it doing so.",
		Scenario: `
on /a send Set-Cookie: a=1, b=2
visit https://shop.test/a
`,
	})
	noteTruncatedAtSemicolon = rules.Add(rule.Rule{
		ID:       "note-truncated-at-semicolon",
		Source:   bis + ", section 5.6, step 2",
		Sentence: "The value ends at the first semicolon, although that one is inside quotes: quotes are ordinary bytes.",
		Fix:      "Encode semicolons in the value, such as with percent-encoding or base64.",
		Scenario: `
on /a send Set-Cookie: a="1;2"
visit https://shop.test/a
`,
	})
	noteAttrTooLong = rules.Add(rule.Rule{
		ID:       "note-attr-too-long",
		Source:   bis + ", section 5.6, attributes, step 6",
		Sentence: "An attribute whose value is longer than 1024 octets is ignored; the cookie is kept without it.",
		Fix:      "Shorten the value of the attribute to 1024 octets.",
		Scenario: `
on /a send Set-Cookie: a=1; Path=/` + strings.Repeat("a", MaxAttribute) + `
visit https://shop.test/a
`,
	})
	noteAttrUnknown = rules.Add(rule.Rule{
		ID:       "note-attr-unknown",
		Source:   bis + ", section 5.6, attributes, step 7",
		Sentence: "An attribute with an unknown name is ignored.",
		Fix:      "Correct the name of the attribute, or remove it; attributes are separated by semicolons.",
		Scenario: `
on /a send Set-Cookie: a=1; Secure HttpOnly
visit https://shop.test/a
`,
	})
)

// Parse reads a Set-Cookie line, without the header's name. It never fails: what makes the line
// refusable is remembered for [Line.Problems].
//
// RFC 6265bis-22, section 5.6.
func Parse(line string) Line { return Dialect{}.Parse(line) }

// A Dialect is in what a browser reads lines otherwise than RFC 6265bis. The zero Dialect is that document.
type Dialect struct {
	SignedMaxAge bool // a Max-Age may begin with a plus sign
	EarlyDates   bool // a date before 1601 is one, so that the line deletes the cookie
	LastExpiry   bool // of several Max-Age, or several Expires, the last counts, also when it cannot be read
}

// Parse is [Parse] in this dialect.
func (d Dialect) Parse(line string) Line {
	l := Line{dialect: d, control: 1 + indexControl(line)}
	pair, rest, more := strings.Cut(line, ";")
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		name, value = "", pair
	}
	l.Name, l.Value = trim(name), trim(value)
	l.notePair(rest)

	if more {
		l.Attributes = make([]Attribute, 0, min(strings.Count(rest, ";")+1, MaxAttributes))
	}
	reader := attributeReader{line: &l}
	for more {
		var av string
		av, rest, more = strings.Cut(rest, ";")
		reader.read(av)
	}
	reader.preferMaxAge()
	return l
}

// notePair notes what stands out in name and value, after which rest follows in the line.
func (l *Line) notePair(rest string) {
	if l.Name == "" && l.Value != "" {
		l.note(noteNameless)
	}
	if strings.Contains(l.Value, ",") {
		l.note(noteCommaInValue)
	}
	if strings.HasPrefix(l.Value, `"`) && strings.Count(l.Value, `"`) == 1 && strings.Contains(rest, `"`) {
		l.note(noteTruncatedAtSemicolon)
	}
}

// note adds id to the notes unless it is there.
func (l *Line) note(id rule.ID) {
	if !slices.Contains(l.Notes, id) {
		l.Notes = append(l.Notes, id)
	}
}

// An attributeReader puts the attributes of a line into it, one after the other.
type attributeReader struct {
	line *Line
	last [len(known)]int // where in line.Attributes the one of each name is that counts, from 1
}

// read understands one attribute, such as " Path=/", and lists it. An empty one, as after a
// semicolon at the end, is nothing.
func (r *attributeReader) read(av string) {
	name, value, _ := strings.Cut(av, "=")
	a := Attribute{Name: trim(name), Value: trim(value)}
	if a.Name == "" && a.Value == "" {
		return
	}
	kind := -1
	if len(a.Value) > MaxAttribute {
		a.Note = noteAttrTooLong
	} else if kind = kindOf(a.Name); kind < 0 {
		a.Note = noteAttrUnknown
	} else {
		a.Effect, a.Note = known[kind].read(r.line, a.Value)
	}
	r.list(a, kind)
}

// list keeps a, and marks the earlier one of its kind as overridden.
func (r *attributeReader) list(a Attribute, kind int) {
	l := r.line
	if a.Note != "" {
		l.note(a.Note)
	}
	listed := len(l.Attributes) < MaxAttributes
	if listed {
		l.Attributes = append(l.Attributes, a)
	}
	if a.Effect != Applied {
		return
	}
	if before := r.last[kind]; before > 0 && !known[kind].flag {
		l.Attributes[before-1].Effect = Overridden
	}
	r.last[kind] = 0
	if listed {
		r.last[kind] = len(l.Attributes)
	}
}

var noteMaxAgeWins = rules.Add(rule.Rule{
	ID:       "note-max-age-wins",
	Source:   bis + ", section 5.7, step 6",
	Sentence: "With both Max-Age and Expires, Max-Age decides, whichever comes first.",
	Fix:      "Make both say the same, or send Max-Age only.",
	Scenario: `
on /a send Set-Cookie: a=1; Max-Age=60; Expires=Thu, 01 Jan 2099 00:00:00 GMT
visit https://shop.test/a
`,
})

// preferMaxAge marks Expires as overridden when there is a Max-Age.
func (r *attributeReader) preferMaxAge() {
	if !r.line.HasMaxAge || r.line.Expires.IsZero() {
		return
	}
	r.line.note(noteMaxAgeWins)
	if i := r.last[kindOf("Expires")]; i > 0 {
		a := &r.line.Attributes[i-1]
		a.Effect, a.Note = Overridden, noteMaxAgeWins
	}
}

// indexControl returns the place of the first control character of s, or -1. A tab is none.
func indexControl(s string) int {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7F {
			return i
		}
	}
	return -1
}
