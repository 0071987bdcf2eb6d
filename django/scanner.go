package django

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may be nested in JSON that is read or written here.
const MaxDepth = 500

var errTooDeep = fmt.Errorf("JSON is nested more than %d deep", MaxDepth)

// A syntaxError tells where JSON ends to be JSON, and never what stands there.
type syntaxError struct {
	offset  int
	problem string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d of JSON", e.problem, e.offset)
}

// A scanner finds the tokens of JSON as Python's json module reads it.
type scanner struct {
	data  []byte
	text  string // all of data, once a key was needed: keys are parts of it
	pos   int
	depth int
}

func (s *scanner) fail(problem string) error {
	return &syntaxError{offset: s.pos, problem: problem}
}

// object reads all of the data as one object.
func (s *scanner) object() (o Object, err error) {
	if s.space(); s.peek() != '{' {
		return o, s.fail("no object")
	}
	more, err := s.open('}')
	if more { // one comma less than members; values may have some, too
		o.members = make([]member, 0, min(bytes.Count(s.data, []byte{','})+1, smallObject))
	}
	for ; more && err == nil; more, err = s.next('}') {
		name, err := s.name()
		if err != nil {
			return o, err
		}
		token, err := s.token()
		if err != nil {
			return o, err
		}
		o.set(s.key(name), token)
	}
	if err != nil {
		return o, err
	}
	return o, s.end()
}

// whole checks that all of the data is one value.
func (s *scanner) whole() error {
	s.space()
	if err := s.value(); err != nil {
		return err
	}
	return s.end()
}

func (s *scanner) end() error {
	if s.space(); s.pos < len(s.data) {
		return s.fail("data after the value")
	}
	return nil
}

// token passes over one value and returns it.
func (s *scanner) token() ([]byte, error) {
	start := s.pos
	err := s.value()
	return s.data[start:s.pos:s.pos], err
}

// value passes over one value.
func (s *scanner) value() error {
	switch c := s.peek(); {
	case c == '{':
		return s.nested('}')
	case c == '[':
		return s.nested(']')
	case c == '"':
		return s.string()
	case c == '-' && !s.has("-Infinity") || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null", "NaN", "Infinity", "-Infinity"} {
		if s.has(word) {
			s.pos += len(word)
			return nil
		}
	}
	return s.fail("no value")
}

// nested passes over an array or object.
func (s *scanner) nested(closing byte) error {
	more, err := s.open(closing)
	for ; more && err == nil; more, err = s.next(closing) {
		if closing == '}' {
			if _, err := s.name(); err != nil {
				return err
			}
		}
		if err := s.value(); err != nil {
			return err
		}
	}
	return err
}

// open passes over an opening bracket and reports whether something stands before the closing one,
// over which it passes otherwise.
func (s *scanner) open(closing byte) (more bool, err error) {
	if s.depth++; s.depth > MaxDepth {
		return false, errTooDeep
	}
	s.pos++
	if s.space(); s.peek() != closing {
		return true, nil
	}
	s.pos++
	s.depth--
	return false, nil
}

// next passes over a comma, or over the closing bracket, after which there is no more.
func (s *scanner) next(closing byte) (more bool, err error) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		s.space()
		return true, nil
	case closing:
		s.pos++
		s.depth--
		return false, nil
	}
	return false, s.fail("no comma or closing bracket")
}

// A span is a part of the data.
type span struct{ start, end int }

// name passes over the name of a member and its colon, and returns where the name's token is.
func (s *scanner) name() (span, error) {
	if s.peek() != '"' {
		return span{}, s.fail("no member name")
	}
	token := span{start: s.pos}
	if err := s.string(); err != nil {
		return token, err
	}
	token.end = s.pos
	if s.space(); s.peek() != ':' {
		return token, s.fail("no colon")
	}
	s.pos++
	s.space()
	return token, nil
}

// string passes over a string.
func (s *scanner) string() error {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c < ' ':
			return s.fail("control character")
		case c >= utf8.RuneSelf:
			return s.fail("byte that is not ASCII")
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return s.fail("no end of string")
}

// escape passes over an escape up to its last byte.
func (s *scanner) escape() error {
	rest := s.data[s.pos:]
	if len(rest) < 2 {
		return s.fail("no end of string")
	}
	if rest[1] == 'u' {
		if _, ok := unicodeEscape(rest); !ok {
			return s.fail("broken escape")
		}
		s.pos += 5
		return nil
	}
	if bytes.IndexByte([]byte(`"\/bfnrt`), rest[1]) < 0 {
		return s.fail("broken escape")
	}
	s.pos++
	return nil
}

// number passes over a number.
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.peek()|0x20 != 'e' {
		return nil
	}
	s.pos++
	if c := s.peek(); c == '+' || c == '-' {
		s.pos++
	}
	return s.digits()
}

func (s *scanner) digits() error {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	if s.pos == start {
		return s.fail("no digit")
	}
	return nil
}

func (s *scanner) space() {
	for s.pos < len(s.data) && isJSONSpace(s.data[s.pos]) {
		s.pos++
	}
}

func isJSONSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) has(word string) bool {
	return len(s.data)-s.pos >= len(word) && string(s.data[s.pos:s.pos+len(word)]) == word
}

// key returns the text of a name. Names without escapes are parts of one string, which costs one
// allocation for all of them.
func (s *scanner) key(name span) string {
	token := s.data[name.start:name.end]
	if bytes.IndexByte(token, '\\') >= 0 {
		return unquoteString(token, true)
	}
	if s.text == "" {
		s.text = string(s.data)
	}
	return s.text[name.start+1 : name.end-1]
}

// unquoteString returns the text of a string token that the scanner has passed. A surrogate without
// its partner becomes three bytes that are not UTF-8 when it is to be kept, else U+FFFD.
func unquoteString(token []byte, keepSurrogates bool) string {
	token = token[1 : len(token)-1]
	if bytes.IndexByte(token, '\\') < 0 {
		return string(token)
	}
	text := make([]byte, 0, len(token))
	for len(token) > 0 {
		i := bytes.IndexByte(token, '\\')
		if i < 0 {
			return string(append(text, token...))
		}
		text = append(text, token[:i]...)
		token = token[i:]
		if token[1] != 'u' {
			text = append(text, plainEscape(token[1]))
			token = token[2:]
			continue
		}
		r, _ := unicodeEscape(token)
		token = token[6:]
		if utf16.IsSurrogate(r) {
			if second, ok := unicodeEscape(token); ok && utf16.DecodeRune(r, second) != utf8.RuneError {
				r = utf16.DecodeRune(r, second)
				token = token[6:]
			} else if keepSurrogates {
				text = appendSurrogate(text, r)
				continue
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return string(text)
}

func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unicodeEscape reads \uXXXX at the start of data.
func unicodeEscape(data []byte) (r rune, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	for _, c := range data[2:6] {
		if !isHex(c) {
			return 0, false
		}
		r = r<<4 | rune(hexValue(c))
	}
	return r, true
}

// appendSurrogate writes half a pair as UTF-8 would if it could.
func appendSurrogate(dst []byte, r rune) []byte {
	return append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
}

// surrogateAt reads what appendSurrogate writes.
func surrogateAt(s string) (r rune, ok bool) {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2] < 0x80 || s[2] > 0xBF {
		return 0, false
	}
	return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), true
}

var errEmptyJSON = errors.New("JSON is empty")

// asciiJSON checks that raw is one JSON value and returns it in ASCII, without white space around
// it: UTF-8 becomes escapes, all else stays. It returns raw, or a part of it, when it can.
func asciiJSON(raw json.RawMessage) (json.RawMessage, error) {
	for i, c := range raw {
		if c >= 0x7F {
			raw = escapeJSON(raw, i)
			break
		}
	}
	raw = bytes.TrimFunc(raw, func(r rune) bool { return r < utf8.RuneSelf && isJSONSpace(byte(r)) })
	if len(raw) == 0 {
		return nil, errEmptyJSON
	}
	s := scanner{data: raw}
	return raw, s.whole()
}

// escapeJSON returns JSON in UTF-8 as ASCII. Before start it is ASCII already.
func escapeJSON(raw []byte, start int) []byte {
	dst := append(make([]byte, 0, len(raw)+len(raw)/2), raw[:start]...)
	for i := start; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r < 0x7F {
			dst = append(dst, raw[i])
		} else {
			dst = appendUnicodeEscape(dst, r)
		}
		i += size
	}
	return dst
}

// compactJSON returns checked JSON without white space between its tokens.
func compactJSON(raw []byte) []byte {
	dst := make([]byte, 0, len(raw))
	inString := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case !inString && isJSONSpace(c):
			continue
		case inString && c == '\\':
			dst = append(dst, c)
			i++
			c = raw[i]
		case c == '"':
			inString = !inString
		}
		dst = append(dst, c)
	}
	return dst
}
