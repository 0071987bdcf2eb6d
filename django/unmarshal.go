package django

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// Unmarshal stores the JSON value raw in what v points to, as encoding/json does, and reads Python's
// numbers: NaN, Infinity and -Infinity go into floats, and into an empty interface goes an int64
// when an integer fits, a [json.Number] when it does not, a float64 for all others. Numbers beyond
// the floats are infinite, as in Python.
//
// That holds for floats, interfaces and [Object], and for pointers, slices and maps of them. Within
// structs and other types encoding/json decides alone.
func Unmarshal(raw json.RawMessage, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return &json.InvalidUnmarshalError{Type: reflect.TypeOf(v)}
	}
	raw, err := asciiJSON(raw)
	if err == nil {
		err = decode(raw, target.Elem())
	}
	if err != nil {
		return fmt.Errorf("reading JSON: %w", err)
	}
	return nil
}

// decode stores checked JSON in an addressable value.
func decode(raw []byte, target reflect.Value) error {
	pointer := target.Addr().Interface()
	switch p := pointer.(type) {
	case *Object:
		return p.UnmarshalJSON(raw)
	case *json.RawMessage:
		*p = append((*p)[:0], raw...)
		return nil
	case *string:
		if raw[0] == '"' {
			*p = unquoteString(raw, false)
			return nil
		}
	case *int:
		if n, ok := pythonInt(raw); ok && int64(int(n)) == n {
			*p = int(n)
			return nil
		}
	case *int64:
		if n, ok := pythonInt(raw); ok {
			*p = n
			return nil
		}
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return json.Unmarshal(raw, pointer)
	}
	switch kind, null := target.Kind(), raw[0] == 'n'; {
	case kind == reflect.Pointer && !null:
		if target.IsNil() {
			target.Set(reflect.New(target.Type().Elem()))
		}
		return decode(raw, target.Elem())
	case kind == reflect.Interface && target.NumMethod() == 0 && !null:
		s := scanner{data: raw}
		v, err := s.decode()
		if err == nil {
			target.Set(reflect.ValueOf(v))
		}
		return err
	case kind == reflect.Float32 || kind == reflect.Float64:
		if f, ok := pythonFloat(raw, target.Type().Bits()); ok {
			target.SetFloat(f)
			return nil
		}
	case kind == reflect.Slice && target.Type().Elem().Kind() != reflect.Uint8 && raw[0] == '[':
		return decodeSlice(raw, target)
	case kind == reflect.Map && target.Type().Key().Kind() == reflect.String && raw[0] == '{':
		return decodeMap(raw, target)
	}
	return json.Unmarshal(raw, pointer)
}

func decodeSlice(raw []byte, target reflect.Value) error {
	elements := reflect.MakeSlice(target.Type(), 0, 4)
	s := scanner{data: raw}
	more, err := s.open(']')
	for ; more && err == nil; more, err = s.next(']') {
		token, err := s.token()
		if err != nil {
			return err
		}
		elements = reflect.Append(elements, reflect.Zero(target.Type().Elem()))
		if err := decode(token, elements.Index(elements.Len()-1)); err != nil {
			return err
		}
	}
	target.Set(elements)
	return err
}

func decodeMap(raw []byte, target reflect.Value) error {
	if target.IsNil() {
		target.Set(reflect.MakeMap(target.Type()))
	}
	s := scanner{data: raw}
	more, err := s.open('}')
	for ; more && err == nil; more, err = s.next('}') {
		name, err := s.name()
		if err != nil {
			return err
		}
		token, err := s.token()
		if err != nil {
			return err
		}
		value := reflect.New(target.Type().Elem()).Elem()
		if err := decode(token, value); err != nil {
			return err
		}
		key := reflect.ValueOf(unquoteString(raw[name.start:name.end], false))
		target.SetMapIndex(key.Convert(target.Type().Key()), value)
	}
	return err
}

// decode passes over one value and returns it as an empty interface holds it.
func (s *scanner) decode() (any, error) {
	switch s.peek() {
	case '{':
		return s.decodeObject()
	case '[':
		return s.decodeArray()
	}
	raw, err := s.token()
	if err != nil {
		return nil, err
	}
	switch raw[0] {
	case '"':
		return unquoteString(raw, false), nil
	case 't', 'f':
		return raw[0] == 't', nil
	case 'n':
		return nil, nil
	}
	return decodeNumber(raw), nil
}

func (s *scanner) decodeObject() (map[string]any, error) {
	values := map[string]any{}
	more, err := s.open('}')
	for ; more && err == nil; more, err = s.next('}') {
		name, err := s.name()
		if err != nil {
			return nil, err
		}
		key := unquoteString(s.data[name.start:name.end], false)
		if values[key], err = s.decode(); err != nil {
			return nil, err
		}
	}
	return values, err
}

func (s *scanner) decodeArray() ([]any, error) {
	values := []any{}
	more, err := s.open(']')
	for ; more && err == nil; more, err = s.next(']') {
		v, err := s.decode()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, err
}

func decodeNumber(raw []byte) any {
	if n, ok := pythonInt(raw); ok {
		return n
	}
	if isInteger(raw) {
		return json.Number(raw)
	}
	f, _ := pythonFloat(raw, 64)
	return f
}

// pythonInt reads an integer that fits.
func pythonInt(raw []byte) (n int64, ok bool) {
	if !isInteger(raw) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

func isInteger(raw []byte) bool {
	for i, c := range raw {
		if (c < '0' || c > '9') && (i > 0 || c != '-') {
			return false
		}
	}
	return true
}

// pythonFloat reads a number or one of Python's words for what is none.
func pythonFloat(raw []byte, bits int) (f float64, ok bool) {
	switch string(raw) {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	f, _ = strconv.ParseFloat(string(raw), bits) // out of range it is infinite, as float() is
	return f, true
}
