package settings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/BurntSushi/toml"

	"github.com/lockstep-http/lockstep"
)

// A Project is what a text says of the settings of a Django project: those that Lockstep has, by
// way of [Project.Source], and all others too, as they were read. It is made by
// [ReadDiffsettings], [ReadTOML] and [ReadEnvironment].
type Project struct {
	source  Source
	values  []Value
	index   map[string]int
	printed bool // by diffsettings: what is not in it has Django's default
}

// A Value is one setting as it was read.
type Value struct {
	Name   string
	Line   int    // in the text; 0 where there are no lines
	Origin Origin // for a person
	State  State
	Python any  // nil, bool, int64, float64, string, []any, or one of [Bytes], [Dict] and [Opaque]
	Read   bool // false: the text could not be read as a value, so that Python is Opaque
}

// A State is what diffsettings says of a setting beside its value.
type State int

// The states. Sources other than diffsettings only know Changed.
const (
	Changed State = iota // has another value than the default
	Unset                // has the default
	Foreign              // Django has no setting of this name
)

// The limits of a text of diffsettings, beside those of its values.
const (
	maxProject  = 4 << 20 // bytes
	maxSettings = 10_000  // lines that begin with a name
)

// ReadDiffsettings reads what "python manage.py diffsettings" prints, of any Django from 2.2 to
// 6.1, with or without --all and with --output unified. The name is used in origins, as in
// "settings.txt:3". A value that cannot be read is kept as [Opaque]; text that is no setting is
// passed over. It is an error when no setting is found, or the text is beyond the limits.
func ReadDiffsettings(name string, text []byte) (*Project, error) {
	if len(text) > maxProject {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxProject)
	}
	p := &Project{index: map[string]int{}, printed: true}
	if err := p.readLines(name, decoded(text)); err != nil {
		return nil, err
	}
	if len(p.values) == 0 {
		return nil, fmt.Errorf("%s: no line of it is a setting as diffsettings prints them, such as DEBUG = False", name)
	}
	for _, v := range p.values {
		if f, known := fieldNamed(v.Name); known {
			p.source.given = append(p.source.given, given{
				name: v.Name, origin: v.Origin, value: func(field) (any, error) { return f.fromPython(v) },
			})
		}
	}
	return p, nil
}

// Diffsettings is the source of those settings in the output of diffsettings that Lockstep has.
// See [ReadDiffsettings]. Values that cannot be read, and those of other types than the setting's,
// are errors of [Load].
func Diffsettings(name string, text []byte) Source {
	p, err := ReadDiffsettings(name, text)
	if err != nil {
		return Source{err: err}
	}
	return p.Source()
}

// fromPython turns a value that diffsettings printed into one that assign takes.
func (f field) fromPython(v Value) (any, error) {
	switch python := v.Python.(type) {
	case Opaque:
		return nil, errors.New("is not a value that can be read here")
	case Bytes:
		if f.secret {
			return string(python), nil
		}
	case []any:
		if f.secret {
			return textsOf(python), nil
		}
	case nil:
		if f.noAttribute || f.kind == list {
			return false, nil // Python's None, which is no attribute, or no list
		}
	}
	return v.Python, nil
}

// textsOf turns keys that are bytes into strings.
func textsOf(items []any) []any {
	texts := slices.Clone(items)
	for i, item := range items {
		if b, ok := item.(Bytes); ok {
			texts[i] = string(b)
		}
	}
	return texts
}

// decoded is text as UTF-8 without a byte order mark: PowerShell writes UTF-16 to a file. What
// colours a terminal is taken out.
func decoded(text []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xFF, 0xFE}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xFE, 0xFF}):
		order = binary.BigEndian
	default:
		return colours.ReplaceAllString(strings.TrimPrefix(string(text), "\uFEFF"), "")
	}
	units := make([]uint16, len(text)/2-1)
	for i := range units {
		units[i] = order.Uint16(text[2*i+2:])
	}
	return colours.ReplaceAllString(string(utf16.Decode(units)), "")
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// The line of a setting: its mark, name and value, and the mark behind it. "- " is the default of
// a setting whose value follows on a line of "+ ".
var settingLine = regexp.MustCompile(`^(### |\+ |- |  )?([A-Z][A-Z0-9_]*) = (.*)$`)

// unifiedLine is in every text of --output unified: the module itself is no setting of Django's.
var unifiedLine = regexp.MustCompile(`(?m)^\+ [A-Z][A-Z0-9_]* = `)

const foreignMark = "  ###"

func (p *Project) readLines(name, text string) error {
	number, defaultOf := 0, ""
	unified := unifiedLine.MatchString(text)
	var (
		last    *Value   // the setting that is being read
		printed []string // of its value, by lines
	)
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		m := settingLine.FindStringSubmatch(line)
		if m == nil || m[1] == "  " && !unified {
			printed = append(printed, line)
			continue
		}
		p.finish(last, printed)
		if m[1] == "- " {
			last, defaultOf = nil, m[2]
			continue
		}
		if len(p.values) == maxSettings {
			return fmt.Errorf("%s: more than %d settings", name, maxSettings)
		}
		v := Value{Name: m[2], Line: number, Origin: Origin(fmt.Sprintf("%s:%d", name, number))}
		switch {
		case m[1] == "### ", m[1] == "  ":
			v.State = Unset
		case m[1] == "+ " && defaultOf != v.Name:
			v.State = Foreign
		}
		last, printed = &v, []string{m[3]}
	}
	p.finish(last, printed)
	return nil
}

// finish reads a setting from what was printed of it. Lines behind the first are part of a value that
// the first does not end; else they are no part of the output of diffsettings.
func (p *Project) finish(v *Value, printed []string) {
	if v == nil {
		return
	}
	if readPrinted(v, printed[0]); !v.Read && len(printed) > 1 {
		readPrinted(v, strings.Join(printed, "\n"))
	}
	p.add(*v)
}

// readPrinted reads the value of v and the mark behind it.
func readPrinted(v *Value, text string) {
	text, foreign := strings.CutSuffix(text, foreignMark)
	if foreign {
		v.State = Foreign
	}
	v.Python, v.Read = readRepr(text)
}

// add keeps a value; of a name that is there already the later value counts.
func (p *Project) add(v Value) {
	if i, ok := p.index[v.Name]; ok {
		p.values[i] = v
		return
	}
	p.index[v.Name] = len(p.values)
	p.values = append(p.values, v)
}

// ReadTOML reads a file of TOML as [TOML] does, of which it also keeps what Lockstep has no
// setting for, such as MIDDLEWARE. Only names that Lockstep has are part of its Source. It is an
// error when the file is not TOML, or a key is none that a setting of Python could have: names are
// shown as they are, and stand in lines of Python that people paste.
func ReadTOML(name string, data []byte) (*Project, error) {
	source := TOML(name, data)
	if source.err != nil {
		return nil, source.err
	}
	keys := map[string]any{}
	if err := toml.Unmarshal(data, &keys); err != nil {
		return nil, tomlError(name, err)
	}
	p := &Project{index: map[string]int{}}
	for _, g := range source.given {
		if !settingName.MatchString(g.name) {
			return nil, fmt.Errorf("%s: %q cannot be the name of a setting", g.origin, g.name)
		}
		if _, known := fieldNamed(g.name); known {
			p.source.given = append(p.source.given, g)
		}
		p.add(Value{Name: g.name, Line: g.origin.line(), Origin: g.origin, Python: plain(keys[g.name]), Read: true})
	}
	return p, nil
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// plain turns the values of TOML into those of Python.
func plain(value any) any {
	switch v := value.(type) {
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = plain(item)
		}
		return items
	case []map[string]any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = plain(item)
		}
		return items
	case map[string]any:
		dict := Dict{}
		for key, item := range v {
			dict = append(dict, Item{key, plain(item)})
		}
		slices.SortFunc(dict, func(a, b Item) int { return strings.Compare(a.Key.(string), b.Key.(string)) })
		return dict
	case nil, bool, int64, float64, string:
		return v
	}
	return Opaque(fmt.Sprint(value)) // a date
}

// ReadEnvironment reads the elements of environ as [Environment] does.
func ReadEnvironment(environ []string, others ...string) *Project {
	p := &Project{source: Environment(environ, others...), index: map[string]int{}}
	for _, g := range p.source.given {
		f, known := fieldNamed(g.name)
		if !known {
			continue
		}
		value, err := g.value(f)
		v := Value{Name: g.name, Origin: g.origin, Python: value, Read: err == nil}
		if err != nil {
			v.Python = Opaque("")
		}
		p.add(v)
	}
	return p
}

// Source is the source of those settings that Lockstep has.
func (p *Project) Source() Source { return p.source }

// Values returns all settings in the order of the text. The slice is the caller's.
func (p *Project) Values() []Value { return slices.Clone(p.values) }

// Lookup returns the setting of that name, if the text has it.
func (p *Project) Lookup(name string) (Value, bool) {
	i, ok := p.index[name]
	if !ok {
		return Value{}, false
	}
	return p.values[i], true
}

// Printed reports whether the text is of diffsettings, so that every setting that is not in it has
// Django's default. What a file of TOML or an environment leaves out is as Lockstep has it.
func (p *Project) Printed() bool { return p.printed }

// line is the line at the end of an origin, or 0.
func (o Origin) line() int {
	n := 0
	_, text, _ := cutLast(string(o), ':')
	_, err := fmt.Sscanf(text, "%d", &n)
	if err != nil {
		return 0
	}
	return n
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// hidden are the names whose values Django hides on its error pages (SafeExceptionReporterFilter
// of django/views/debug.py).
var hidden = regexp.MustCompile(`API|TOKEN|KEY|SECRET|PASS|SIGNATURE`)

// shown are the settings beside Lockstep's whose values may be shown: none of them can be or hold
// a secret.
var shown = []string{
	"CSRF_COOKIE_MASKED", "CSRF_FAILURE_VIEW", "DEFAULT_HASHING_ALGORITHM", "INSTALLED_APPS",
	"LANGUAGE_COOKIE_HTTPONLY", "LANGUAGE_COOKIE_SAMESITE", "LANGUAGE_COOKIE_SECURE", "MIDDLEWARE",
	"SECURE_CSP", "SECURE_CSP_REPORT_ONLY", "SESSION_SERIALIZER", "SILENCED_SYSTEM_CHECKS",
}

// String is the value as a Python literal. It is '…' where the setting is a secret or might hold
// one, which is every setting of which the opposite is not known, and where the value is long.
func (v Value) String() string {
	f, known := fieldNamed(v.Name)
	if f.secret || hidden.MatchString(v.Name) || !known && !slices.Contains(shown, v.Name) {
		return quote(secretMark)
	}
	text := writeValue(v.Python)
	if items, isList := v.Python.([]any); isList && f.kind == pair {
		text = "(" + strings.Trim(writeValue(items), "[]") + ")"
	}
	if len(text) > maxShown {
		return quote(secretMark)
	}
	return text
}

// GoString is String, so that no way of printing a Value tells a secret.
func (v Value) GoString() string { return v.Name + " = " + v.String() }

// In how many characters a misspelt name differs at most, and a short one.
const (
	maxMisspelt      = 2
	maxMisspeltShort = 1
	shortName        = 10 // characters, from which on a name is not short
)

// Nearest returns the setting of Lockstep's that another name is a misspelling of, or "".
func Nearest(name string) string {
	asked, most := folded(name), maxMisspelt
	if len(asked) < shortName {
		most = maxMisspeltShort
	}
	for _, f := range fields {
		meant := folded(f.name)
		if more := len(asked) - len(meant); -most <= more && more <= most && name != f.name && distance(asked, meant) <= most {
			return f.name
		}
	}
	return ""
}

// Python returns the value of a setting of s as Python has it, as [Value.Python] does, and whether
// there is a setting of that name. Secrets are returned as they are.
func Python(s lockstep.Settings, name string) (value any, ok bool) {
	f, ok := fieldNamed(name)
	if !ok {
		return nil, false
	}
	v := reflect.ValueOf(s).Field(f.index)
	switch {
	case v.IsZero() && f.none, f.kind == list && f.none && v.Len() == 0:
		return nil, true
	case v.IsZero() && f.noAttribute:
		return false, true
	}
	switch v := v.Interface().(type) {
	case int:
		return int64(v), true
	case []string:
		return anys(v), true
	case [2]string:
		return anys(v[:]), true
	case lockstep.CSP:
		return dictOf(v), true
	default:
		return v, true
	}
}

func anys(texts []string) []any {
	items := make([]any, len(texts))
	for i, text := range texts {
		items[i] = text
	}
	return items
}

// Literal writes a value as Python does: None, True, a number, a string, or a list or dictionary of
// them. What is [Opaque] or [Bytes] is "…", and not a literal.
func Literal(value any) string { return writeValue(value) }
