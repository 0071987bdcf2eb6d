package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/lockstep-http/lockstep/django"
)

// An object is a JSON object of a line. It is read as Python reads it: in order, NaN included.
type object struct{ django.Object }

func (o *object) raw(name string) json.RawMessage {
	raw, _ := o.Get(name)
	return raw
}

func (o *object) has(name string) bool {
	_, ok := o.Get(name)
	return ok
}

// given reports whether name is there and not null.
func (o *object) given(name string) bool { return !isNull(o.raw(name)) }

// text returns the string name, "" when there is none.
func (o *object) text(name string) string { return textOf(o.raw(name)) }

func (o *object) flag(name string) bool { return truthy(o.raw(name)) }

// object returns the object name, an empty one when there is none.
func (o *object) object(name string) object { return objectOf(o.raw(name)) }

func (o *object) list(name string) []json.RawMessage { return listOf(o.raw(name)) }

func (o *object) texts(name string) (all []string) {
	for _, raw := range o.list(name) {
		all = append(all, textOf(raw))
	}
	return all
}

// number returns the number name, and whether it is one.
func (o *object) number(name string) (float64, bool) { return numberOf(o.raw(name)) }

// needs returns an error when one of the names is not there or no string.
func (o *object) needs(names ...string) error {
	for _, name := range names {
		if raw := o.raw(name); len(raw) == 0 || raw[0] != '"' {
			return &djangoError{"KeyError", fmt.Sprintf("'%s': a string is needed", name)}
		}
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

func textOf(raw json.RawMessage) (text string) {
	if len(raw) > 0 && raw[0] == '"' {
		_ = json.Unmarshal(raw, &text) // it is JSON already
	}
	return text
}

func objectOf(raw json.RawMessage) (o object) {
	if len(raw) > 0 && raw[0] == '{' {
		_ = o.UnmarshalJSON(raw) // likewise
	}
	return o
}

func listOf(raw json.RawMessage) (list []json.RawMessage) {
	if len(raw) > 0 && raw[0] == '[' {
		_ = django.Unmarshal(raw, &list)
	}
	return list
}

func numberOf(raw json.RawMessage) (float64, bool) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	return n, err == nil
}

// truthy is Python's bool().
func truthy(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "false", "0", "0.0", `""`, "[]", "{}":
		return false
	}
	return true
}

// pythonText is Python's str() of a JSON value: what a cookie holds that was set to it.
func pythonText(raw json.RawMessage) string {
	switch {
	case len(raw) > 0 && raw[0] == '"':
		return textOf(raw)
	case string(raw) == "true":
		return "True"
	case string(raw) == "false":
		return "False"
	case isNull(raw):
		return "None"
	}
	return string(raw)
}

// python writes a JSON value anew as Django's JSONSerializer does, which keeps the order of members.
func python(raw json.RawMessage) (json.RawMessage, error) {
	switch {
	case len(raw) == 0:
		return nil, fmt.Errorf("a value is missing")
	case raw[0] == '{':
		var o, out django.Object
		if err := o.UnmarshalJSON(raw); err != nil {
			return nil, err
		}
		for _, key := range o.Keys() {
			member, _ := o.Get(key)
			value, err := python(member)
			if err != nil {
				return nil, err
			}
			out.Set(key, value)
		}
		return out.AppendJSON(nil), nil
	case raw[0] == '[':
		items := listOf(raw)
		for i, item := range items {
			value, err := python(item)
			if err != nil {
				return nil, err
			}
			items[i] = value
		}
		return django.Marshal(append([]json.RawMessage{}, items...))
	}
	var value any
	if err := django.Unmarshal(raw, &value); err != nil {
		return nil, err
	}
	return django.Marshal(value)
}

// mustMarshal is django.Marshal for values that always have JSON: strings, numbers, lists of them.
func mustMarshal(v any) json.RawMessage {
	raw, err := django.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}

// objectFrom is an object of name and value in turn.
func objectFrom(pairs ...any) json.RawMessage {
	var o django.Object
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i].(string), mustMarshal(pairs[i+1]))
	}
	return o.AppendJSON(nil)
}

// moment is a time as oracle.py has it: seconds since 1970.
func moment(seconds float64) time.Time {
	if math.Abs(seconds) > 1<<45 {
		seconds = 0
	}
	whole, rest := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(rest*1e6))*1e3).UTC()
}

// seconds is a length of time as JSON has it: a number, or the arguments of a Python timedelta.
func seconds(raw json.RawMessage) (float64, bool) {
	if n, ok := numberOf(raw); ok {
		return n, math.Abs(n) < 1<<33
	}
	o := objectOf(raw)
	var sum float64
	for _, unit := range []struct {
		name   string
		length float64
	}{{"days", 86400}, {"hours", 3600}, {"minutes", 60}, {"seconds", 1}, {"milliseconds", 1e-3}} {
		n, _ := o.number(unit.name)
		sum += n * unit.length
	}
	return sum, o.Len() > 0 && math.Abs(sum) < 1<<33
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
