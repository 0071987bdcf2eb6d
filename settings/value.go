package settings

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep"
)

// Values on their way into Settings are nil, bool, int64, float64, string or []any of them, as
// TOML and Python's literals give them, and Dict for a policy.

// readText reads a value of the environment, where nothing is in quotes.
func (f field) readText(text string) (any, error) {
	switch f.kind {
	case boolean:
		return readBoolean(text), nil
	case integer:
		return f.readInteger(text), nil
	case list, pair:
		return f.readItems(strings.TrimSpace(text))
	case policy:
		return readPolicy(strings.TrimSpace(text))
	default:
		return f.readWord(text), nil
	}
}

// readPython reads the value of an assignment: a literal, or a word as in the environment.
func (f field) readPython(text string) (any, error) {
	switch {
	case constants[text] != nil || text == "None":
		return constants[text], nil
	case startsString(text), (f.kind == boolean || f.kind == integer) && startsLiteral(text):
		return literal(text)
	}
	return f.readText(text)
}

// readBoolean reads truth values; anything else stays the text that it is.
func readBoolean(text string) any {
	switch text {
	case "True", "true":
		return true
	case "False", "false":
		return false
	}
	return text
}

func (f field) readInteger(text string) any {
	if text == "None" || text == "" && f.none {
		return nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return text
}

func (f field) readWord(text string) any {
	switch {
	case f.noAttribute && (text == "False" || text == "false"):
		return false
	case f.none && text == "None":
		return nil
	}
	return text
}

func (f field) readItems(text string) (any, error) {
	switch {
	case text == "" && f.none, text == "None":
		return nil, nil
	case text == "":
		return []any{}, nil
	case text[0] == '[' || text[0] == '(':
		return literal(text)
	}
	var items []any
	for _, item := range splitWords(text) {
		items = append(items, item)
	}
	return items, nil
}

// assign puts value into its field of s, or says why it does not fit.
func (f field) assign(s *lockstep.Settings, value any) error {
	target := reflect.ValueOf(s).Elem().Field(f.index)
	if f.turnsOff(value) {
		target.SetZero()
		return nil
	}
	if f.kind == integer && f.none && value == int64(0) {
		return f.refuse(value, "the cookie would be deleted at once")
	}
	fitting, ok := f.convert(value)
	if !ok {
		return f.refuse(value, "is "+describeValue(value))
	}
	target.Set(reflect.ValueOf(fitting))
	return nil
}

// turnsOff reports whether value is the None or False that the zero value stands for. Where None
// is meant, false is as good, as TOML has nothing else.
func (f field) turnsOff(value any) bool {
	switch value {
	case nil:
		return f.none || f.kind == policy
	case false:
		return f.none || f.noAttribute || f.kind == policy
	case "":
		return f.none && f.kind != integer
	}
	return false
}

// convert turns value into the Go type of the field.
func (f field) convert(value any) (fitting any, ok bool) {
	switch f.kind {
	case boolean:
		fitting, ok = value.(bool)
	case integer:
		n, isInt := value.(int64)
		fitting, ok = int(n), isInt && int64(int(n)) == n
	case word:
		fitting, ok = value.(string)
	case list:
		fitting, ok = f.convertList(value)
	case pair:
		var items []string
		if items, ok = stringsOf(value); ok && len(items) == 2 {
			return [2]string(items), true
		}
		return nil, false
	case policy:
		fitting, ok = convertPolicy(value)
	}
	return fitting, ok
}

func (f field) convertList(value any) ([]string, bool) {
	if text, isText := value.(string); isText && f.words {
		return splitWords(text), true
	}
	return stringsOf(value)
}

// splitWords reads the items of a list that are separated by commas.
func splitWords(text string) []string {
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}

func stringsOf(value any) ([]string, bool) {
	items, ok := value.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(items))
	for i, item := range items {
		if texts[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// maxShown is how many bytes of a value that does not fit are shown at most.
const maxShown = 200

func (f field) refuse(value any, problem string) error {
	shown := formatValue(value)
	if text, isText := value.(string); isText {
		shown = strconv.Quote(text)
	}
	if len(shown) > maxShown {
		shown = secretMark
	}
	if f.secret {
		shown = ""
	}
	hint := "write " + f.accepts()
	if truth := readBoolean(fmt.Sprint(value)); f.kind == boolean && truth != value && truth != fmt.Sprint(value) {
		hint = "write " + formatValue(truth) + " without quotes"
	}
	return &lockstep.SettingError{Setting: f.name, Value: shown, Problem: problem, Hint: hint}
}

func describeValue(value any) string {
	switch value := value.(type) {
	case nil:
		return "not accepted here"
	case bool:
		return "a boolean"
	case int64:
		return "a number"
	case float64:
		return "a number with a fraction"
	case string:
		return "a string"
	case []any:
		if _, ok := stringsOf(value); ok {
			return fmt.Sprintf("a list of %d", len(value))
		}
		return "a list with other things than strings"
	case Dict:
		return "a dictionary with other things than lists of strings"
	case map[string]any, []map[string]any:
		return "a table"
	}
	return "of a type that no setting has"
}
