package har

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What is read of any JSON.
const (
	maxDepth  = 64       // values in each other
	maxKey    = 1 << 10  // bytes of the name of a field
	maxNumber = 64       // bytes of a number
	bufSize   = 64 << 10 // read at once
)

// An Error is what is wrong with a recording, and where.
type Error struct {
	Line    int    // counted from 1
	Offset  int64  // bytes before the place
	Field   string // such as log.entries[3].request.url; "" for the whole
	Problem string
	Err     error // that of the reader, or nil
}

// Error implements error.
func (e *Error) Error() string {
	where := fmt.Sprintf("line %d, byte %d", e.Line, e.Offset)
	if e.Field != "" {
		where += ", field " + e.Field
	}
	return where + ": " + e.Problem
}

// Unwrap returns the error of the reader.
func (e *Error) Unwrap() error { return e.Err }

// A scanner reads JSON as it comes and keeps none of it. Its methods read one value each; the functions
// they are given read the values inside.
type scanner struct {
	r          io.Reader
	buf        []byte
	start, end int // what of buf is not used yet
	base       int64
	lines      int
	most       int64
	path       []step
	names      map[string]string
	scratch    []byte // the last text
	failed     error  // of the reader
	progress   func(read int64)
}

// A step is one field or item on the way to a value.
type step struct {
	name  string
	index int // used when name is ""
}

func newScanner(r io.Reader, most int64) *scanner {
	return &scanner{r: r, buf: make([]byte, bufSize), most: most, names: map[string]string{}}
}

// fail makes an error about where the scanner is.
func (s *scanner) fail(format string, args ...any) error {
	return &Error{Line: s.lines + 1, Offset: s.base + int64(s.start), Field: s.field(), Problem: fmt.Sprintf(format, args...), Err: s.failed}
}

// field is the way to the value that is being read.
func (s *scanner) field() string {
	var b strings.Builder
	for _, p := range s.path {
		switch {
		case p.name == "":
			fmt.Fprintf(&b, "[%d]", p.index)
		case b.Len() > 0:
			b.WriteString("." + shown(p.name))
		default:
			b.WriteString(shown(p.name))
		}
	}
	return b.String()
}

// shown is a name from a file as an error repeats it.
func shown(name string) string {
	const enough = 40
	if len(name) > enough {
		name = strings.ToValidUTF8(name[:enough], "?") + "…"
	}
	quoted := strconv.QuoteToGraphic(name)
	if quoted == `"`+name+`"` {
		return name
	}
	return quoted
}

// more reads on, and reports whether there is anything.
func (s *scanner) more() bool {
	if s.start < s.end {
		return true
	}
	if s.failed != nil {
		return false
	}
	s.base += int64(s.end)
	s.start, s.end = 0, 0
	if s.base >= s.most {
		s.failed = errTooLong
		return false
	}
	for range 100 { // a reader may bring nothing a few times
		n, err := s.r.Read(s.buf)
		s.end = n
		if err != nil {
			s.failed = err
		}
		if n > 0 || err != nil {
			break
		}
	}
	if s.failed == nil && s.end == 0 {
		s.failed = io.ErrNoProgress
	}
	if s.progress != nil {
		s.progress(s.base + int64(s.end))
	}
	return s.start < s.end
}

var errTooLong = errors.New("the file is too long")

// ended is the error of a file that is over too early.
func (s *scanner) ended() error {
	switch {
	case errors.Is(s.failed, errTooLong):
		return s.fail("the file is longer than %d bytes", s.most)
	case s.failed != nil && !errors.Is(s.failed, io.EOF):
		return s.fail("reading on: %v", s.failed)
	}
	return s.fail("the file ends in the middle of a value")
}

// next returns the next byte that is not white space, and leaves it.
func (s *scanner) next() (byte, error) {
	for s.more() {
		switch c := s.buf[s.start]; c {
		case '\n':
			s.lines++
			s.start++
		case ' ', '\t', '\r':
			s.start++
		default:
			return c, nil
		}
	}
	return 0, s.ended()
}

// take reads the byte c, which has to be next.
func (s *scanner) take(c byte) error {
	got, err := s.next()
	if err != nil {
		return err
	}
	if got != c {
		return s.fail("%q stands where %q should", got, c)
	}
	s.start++
	return nil
}

// enter goes one step down.
func (s *scanner) enter(p step) error {
	if len(s.path) >= maxDepth {
		return s.fail("more than %d values are in each other", maxDepth)
	}
	s.path = append(s.path, p)
	return nil
}

func (s *scanner) leave() { s.path = s.path[:len(s.path)-1] }

// object reads an object: value reads that of each field.
func (s *scanner) object(value func(name string) error) error {
	if err := s.take('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		if done, err := s.separator('}', first); done || err != nil {
			return err
		}
		name, cut, err := s.text(maxKey)
		if err != nil {
			return err
		}
		if cut {
			return s.fail("the name of a field is longer than %d bytes", maxKey)
		}
		if err := s.take(':'); err != nil {
			return err
		}
		if err := s.enter(step{name: s.known(name)}); err != nil {
			return err
		}
		if err := value(s.path[len(s.path)-1].name); err != nil {
			return err
		}
		s.leave()
	}
}

// array reads an array: value reads each item.
func (s *scanner) array(value func() error) error {
	if err := s.take('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if done, err := s.separator(']', i == 0); done || err != nil {
			return err
		}
		if err := s.enter(step{index: i}); err != nil {
			return err
		}
		if err := value(); err != nil {
			return err
		}
		s.leave()
	}
}

// separator reads the end of an object or array, or the comma before what is not its first value.
func (s *scanner) separator(end byte, first bool) (done bool, err error) {
	c, err := s.next()
	if err != nil {
		return false, err
	}
	switch {
	case c == end:
		s.start++
		return true, nil
	case first:
		return false, nil
	case c != ',':
		return false, s.fail("%q stands where a comma or %q should", c, end)
	}
	s.start++
	c, err = s.next()
	if err == nil && c == end {
		err = s.fail("%q stands behind a comma", end)
	}
	return false, err
}

// known returns name as a string. Each entry has the same names, so most need no memory.
func (s *scanner) known(name []byte) string {
	const most = 1000
	if k, ok := s.names[string(name)]; ok {
		return k
	}
	k := string(name)
	if k == "" {
		k = `""` // "" is the step of an array
	}
	if len(s.names) < most {
		s.names[string(name)] = k
	}
	return k
}

// text reads a string, of which it returns at most limit bytes, until the next text is read; cut says
// that there were more. Bytes that are no UTF-8 are kept.
func (s *scanner) text(limit int) (text []byte, cut bool, err error) {
	if err := s.take('"'); err != nil {
		return nil, false, err
	}
	s.scratch = s.scratch[:0]
	for s.more() {
		part := s.buf[s.start:s.end]
		i := bytes.IndexByte(part, '"')
		if i >= 0 {
			part = part[:i]
		}
		if j := bytes.IndexByte(part, '\\'); j >= 0 {
			s.pass(part[:j], limit, &cut)
			s.start++
			if err := s.escape(limit, &cut); err != nil {
				return nil, false, err
			}
			continue
		}
		s.pass(part, limit, &cut)
		if i >= 0 {
			s.start++
			return s.scratch, cut, nil
		}
	}
	return nil, false, s.ended()
}

// pass reads a part of a text as it stands.
func (s *scanner) pass(part []byte, limit int, cut *bool) {
	s.lines += bytes.Count(part, newline)
	s.start += len(part)
	s.keep(part, limit, cut)
}

// keep adds to the text what there is room for.
func (s *scanner) keep(part []byte, limit int, cut *bool) {
	if room := limit - len(s.scratch); len(part) > room {
		*cut = true
		part = part[:max(room, 0)]
	}
	s.scratch = append(s.scratch, part...)
}

var newline = []byte{'\n'}

// escape reads what follows a backslash.
func (s *scanner) escape(limit int, cut *bool) error {
	if !s.more() {
		return s.ended()
	}
	c := s.buf[s.start]
	s.start++
	if plain := escapes[c]; plain != 0 {
		s.keepRune(rune(plain), limit, cut)
		return nil
	}
	if c != 'u' {
		s.start--
		return s.fail("%q stands behind a backslash", c)
	}
	r, err := s.hex()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		return s.surrogate(r, limit, cut)
	}
	s.keepRune(r, limit, cut)
	return nil
}

// escapes are what a letter stands for behind a backslash; 0 is nothing.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// surrogate reads the second half of a character, if it is there.
func (s *scanner) surrogate(high rune, limit int, cut *bool) error {
	if !s.more() || s.buf[s.start] != '\\' {
		s.keepRune(utf8.RuneError, limit, cut)
		return nil
	}
	s.start++
	if !s.more() || s.buf[s.start] != 'u' {
		s.keepRune(utf8.RuneError, limit, cut)
		return s.escape(limit, cut)
	}
	s.start++
	low, err := s.hex()
	s.keepRune(utf16.DecodeRune(high, low), limit, cut)
	return err
}

func (s *scanner) keepRune(r rune, limit int, cut *bool) {
	if len(s.scratch)+utf8.RuneLen(r) > limit {
		*cut = true
		return
	}
	s.scratch = utf8.AppendRune(s.scratch, r)
}

func (s *scanner) hex() (rune, error) {
	var r rune
	for range 4 {
		if !s.more() {
			return 0, s.ended()
		}
		n, err := strconv.ParseUint(string(s.buf[s.start]), 16, 8)
		if err != nil {
			return 0, s.fail("%q is no hexadecimal digit", s.buf[s.start])
		}
		r = r<<4 | rune(n)
		s.start++
	}
	return r, nil
}

// number reads a number.
func (s *scanner) number() (float64, error) {
	if _, err := s.next(); err != nil {
		return 0, err
	}
	text, err := s.literal()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !isNumber(text) {
		return 0, s.fail("%s is no number", shown(text))
	}
	return n, nil
}

// isNumber leaves out what [strconv.ParseFloat] reads and JSON has not, such as NaN and 0x1p-2.
func isNumber(text string) bool {
	return strings.Trim(text, "0123456789+-.eE") == "" && strings.IndexByte("-0123456789", text[0]) >= 0
}

// literal reads up to what ends a number or word.
func (s *scanner) literal() (string, error) {
	s.scratch = s.scratch[:0]
	for s.more() {
		c := s.buf[s.start]
		if strings.IndexByte(" \t\r\n,]}:\"[{", c) >= 0 {
			break
		}
		if len(s.scratch) >= maxNumber {
			return "", s.fail("a number or word is longer than %d bytes", maxNumber)
		}
		s.scratch = append(s.scratch, c)
		s.start++
	}
	if len(s.scratch) == 0 {
		if s.failed != nil && s.start >= s.end {
			return "", s.ended()
		}
		return "", s.fail("%q stands where a value should", s.buf[s.start])
	}
	return string(s.scratch), nil
}

// skip reads any value, for nobody.
func (s *scanner) skip() error {
	c, err := s.next()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return s.object(func(string) error { return s.skip() })
	case '[':
		return s.array(s.skip)
	case '"':
		return s.skipText()
	case 't', 'f', 'n':
		word, err := s.literal()
		if err == nil && word != "true" && word != "false" && word != "null" {
			err = s.fail("%s is no value", shown(word))
		}
		return err
	}
	_, err = s.number()
	return err
}

// skipText reads a string, for nobody: most of a recording is in the bodies of answers.
func (s *scanner) skipText() error {
	s.start++
	var cut bool
	for s.more() {
		i := s.start
	inside:
		for i < s.end {
			switch c := s.buf[i]; {
			case c == '"':
				s.start = i + 1
				return nil
			case c == '\n':
				s.lines++
				i++
			case c != '\\':
				i++
			case i+1 < s.end && escapes[s.buf[i+1]] != 0:
				i += 2
			default:
				s.start = i + 1
				if err := s.escape(0, &cut); err != nil {
					return err
				}
				i = s.start
				break inside
			}
		}
		s.start = i
	}
	return s.ended()
}

// absent reads a null, if one is next.
func (s *scanner) absent() (bool, error) {
	c, err := s.next()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, s.skip()
}

// finish reads what may follow the last value, which is white space.
func (s *scanner) finish() error {
	c, err := s.next()
	if err == nil {
		return s.fail("%q stands behind the end", c)
	}
	if errors.Is(s.failed, io.EOF) {
		return nil
	}
	return err
}
