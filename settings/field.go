package settings

import (
	"cmp"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/lockstep-http/lockstep"
)

// A Field is a setting: what there is to know of it beside its value.
type Field struct {
	Name    string // Django's: "SECURE_SSL_REDIRECT"
	GoName  string // the field of lockstep.Settings: "SecureSSLRedirect"
	Type    string // "boolean", "integer", "string", "list of strings", "pair of strings" or "dictionary of directives", with "or None" where it may be that
	Default string // as a Python literal
	About   string // what it does, as one or more sentences without the name
	Secret  bool   // whether its value is a secret
}

// Fields returns all settings in the order in which [lockstep.Settings] has them, with the values
// of defaults as their defaults.
func Fields(defaults lockstep.Settings) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for _, f := range fields {
			literal, _ := Format(defaults, f.name)
			if !yield(Field{
				Name: f.name, GoName: f.goName, Type: f.describe(), Default: literal,
				About: about[f.name], Secret: f.secret,
			}) {
				return
			}
		}
	}
}

// kind is the type of a setting.
type kind int

const (
	boolean kind = iota
	integer
	word   // a string
	list   // of strings
	pair   // of strings
	policy // of directives, each with a list of strings
)

// field is a setting as its struct tag in lockstep.Settings describes it.
type field struct {
	name, goName string
	index        int
	kind         kind
	none         bool // the zero value is None
	noAttribute  bool // the zero value is False
	words        bool // a string with commas is as good as a list
	secret       bool
}

var fields = readFields()

func readFields() []field {
	settings := reflect.TypeFor[lockstep.Settings]()
	all := make([]field, settings.NumField())
	for i := range all {
		all[i] = readField(settings.Field(i), i)
	}
	return all
}

func readField(sf reflect.StructField, index int) field {
	name, options, _ := strings.Cut(sf.Tag.Get("django"), ",")
	has := func(option string) bool { return slices.Contains(strings.Split(options, ","), option) }
	return field{
		name: name, goName: sf.Name, index: index, kind: kindOf(sf.Type),
		none: has("none"), noAttribute: has("false"), words: has("words"), secret: has("secret"),
	}
}

func kindOf(t reflect.Type) kind {
	switch {
	case t == reflect.TypeFor[lockstep.CSP]():
		return policy
	case t.Kind() == reflect.Bool:
		return boolean
	case t.Kind() == reflect.Int:
		return integer
	case t.Kind() == reflect.Slice:
		return list
	case t.Kind() == reflect.Array:
		return pair
	default:
		return word
	}
}

func fieldNamed(name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

// describe names the type.
func (f field) describe() string {
	name := map[kind]string{
		boolean: "boolean", integer: "integer", word: "string", list: "list of strings", pair: "pair of strings",
		policy: "dictionary of directives",
	}[f.kind]
	switch {
	case f.none:
		return name + " or None"
	case f.noAttribute:
		return name + " or False"
	}
	return name
}

// accepts says what may be written for the setting.
func (f field) accepts() string {
	switch {
	case f.kind == boolean:
		return "True or False"
	case f.kind == integer && f.none:
		return "a whole number or None"
	case f.kind == integer:
		return "a whole number"
	case f.noAttribute:
		return "'Lax', 'Strict' or 'None' in quotes, or False for no attribute"
	case f.kind == word && f.none:
		return "a string or None"
	case f.kind == word:
		return "a string"
	case f.kind == policy:
		return "a dictionary of directives and their sources, such as " + f.example()
	case f.kind == pair:
		return "two strings, such as " + f.example() + ", or None"
	}
	return "a list of strings, such as " + f.example()
}

// example is a value of the setting.
func (f field) example() string {
	switch f.kind {
	case boolean:
		return "True"
	case integer:
		return "3600"
	case list:
		return "['a', 'b']"
	case policy:
		return `{'default-src': ["'self'"]}`
	case pair:
		return "('HTTP_X_FORWARDED_PROTO', 'https')"
	default:
		return "'value'"
	}
}

// maxName is how many bytes of an unknown name are shown and compared.
const maxName = 64

func unknownSetting(name, prefix string) error {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	problem := &lockstep.SettingError{Setting: prefix + name, Problem: "no such setting"}
	if near := nearest(name); near != "" {
		problem.Hint = fmt.Sprintf("did you mean %s?", prefix+near)
	}
	if !printableName(name) {
		problem.Setting = fmt.Sprintf("%q", prefix+name)
	}
	return problem
}

func printableName(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\uFFFD' }) < 0
}

// nearest returns the setting that was probably meant by name, or "". Case and underscores do
// not count, so that a field's Go name finds its setting.
func nearest(name string) string {
	asked := folded(name)
	best := slices.MinFunc(fields, func(a, b field) int {
		return cmp.Compare(distance(asked, folded(a.name)), distance(asked, folded(b.name)))
	})
	if distance(asked, folded(best.name)) <= len(asked)/4 {
		return best.name
	}
	return holding(asked)
}

// shortestPart is how much of a name it takes to be reminded of the whole.
const shortestPart = 6

// holding returns the only setting whose name ends in part, or "".
func holding(part string) string {
	var found []string
	for _, f := range fields {
		if len(part) >= shortestPart && strings.HasSuffix(folded(f.name), part) {
			found = append(found, f.name)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

func folded(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// distance is how many characters have to be changed, added or taken away to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
