package django

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Marshal returns v as Django's JSONSerializer would write it: ASCII, no white space, floats as
// Python's repr (1.0, 1e+16, NaN, Infinity).
//
// Booleans, integers, floats, strings, [json.Number], [json.RawMessage], [Object], slices, pointers
// and maps of those are written here, map keys in the order of their bytes; all else (structs,
// [json.Marshaler], [encoding.TextMarshaler], []byte) by encoding/json, in which a float64 of 1 is 1.
// A byte of a string that is not UTF-8 becomes U+FFFD. Values may be nested [MaxDepth] deep.
func Marshal(v any) (json.RawMessage, error) {
	raw, err := appendValue(nil, v, 0)
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return raw, nil
}

func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendString(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v, 64), nil
	case json.Number:
		return appendNumber(dst, v)
	case json.RawMessage:
		return appendRaw(dst, v)
	case Object:
		return v.AppendJSON(dst), nil
	case *Object:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return v.AppendJSON(dst), nil
	case json.Marshaler, encoding.TextMarshaler:
		return appendForeign(dst, v)
	}
	return appendReflected(dst, reflect.ValueOf(v), depth)
}

// appendReflected writes values by their kind. Depth counts pointers too, for they may go in circles.
func appendReflected(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth++; depth > MaxDepth {
		return dst, errTooDeep
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.String:
		return appendString(dst, v.String()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return appendFloat(dst, v.Float(), v.Type().Bits()), nil
	case reflect.Pointer:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return appendValue(dst, v.Elem().Interface(), depth)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return appendForeign(dst, v.Interface())
		}
		return appendArray(dst, v, depth)
	case reflect.Array:
		return appendArray(dst, v, depth)
	case reflect.Map:
		return appendMap(dst, v, depth)
	default:
		return appendForeign(dst, v.Interface())
	}
}

func appendArray(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, v.Index(i).Interface(), depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendMap(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.IsNil() {
		return append(dst, "null"...), nil
	}
	type entry struct {
		key   string
		value reflect.Value
	}
	entries := make([]entry, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		key, err := mapKey(iter.Key())
		if err != nil {
			return dst, err
		}
		entries = append(entries, entry{key, iter.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, e.key), ':')
		var err error
		if dst, err = appendValue(dst, e.value.Interface(), depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func mapKey(key reflect.Value) (string, error) {
	if key.Kind() == reflect.String {
		return key.String(), nil
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](key); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch {
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10), nil
	case key.CanUint():
		return strconv.FormatUint(key.Uint(), 10), nil
	}
	return "", fmt.Errorf("map keys of type %s cannot be written", key.Type())
}

// appendForeign lets encoding/json write v and spells the result as Python does.
func appendForeign(dst []byte, v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return dst, err
	}
	return append(dst, escapeJSON(bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), 0)...), nil
}

func appendRaw(dst []byte, raw json.RawMessage) ([]byte, error) {
	if raw == nil {
		return append(dst, "null"...), nil
	}
	raw, err := asciiJSON(raw)
	if err != nil {
		return dst, err
	}
	return append(dst, compactJSON(raw)...), nil
}

func appendNumber(dst []byte, n json.Number) ([]byte, error) {
	s := scanner{data: []byte(n)}
	if s.number() != nil || s.pos < len(n) {
		return dst, errors.New("json.Number is not a number")
	}
	return append(dst, n...), nil
}

// appendFloat is float.__repr__: the shortest digits that read back as f, with an exponent outside
// 1e-4 to 1e16, and never without a point or an exponent.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if abs := math.Abs(f); f != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	if bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendString writes s as json.dumps does with ensure_ascii.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7F && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[plain:i]...)
		r, size := utf8.DecodeRuneInString(s[i:])
		if half, ok := surrogateAt(s[i:]); ok {
			r, size = half, 3
		}
		dst = appendEscaped(dst, r)
		i += size
		plain = i
	}
	return append(append(dst, s[plain:]...), '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return appendUnicodeEscape(dst, r)
}

func appendUnicodeEscape(dst []byte, r rune) []byte {
	if r > 0xFFFF {
		high, low := utf16.EncodeRune(r)
		return appendUnicodeEscape(appendUnicodeEscape(dst, high), low)
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12], digits[r>>8&0xF], digits[r>>4&0xF], digits[r&0xF])
}
