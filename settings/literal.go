package settings

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep"
)

// secretMark stands for a secret, and for what is too long to show.
const secretMark = "…"

// Format returns the value of a setting of s as the Python literal with which Django would be
// given it, and whether there is a setting of that name. A secret that is not empty is '…'.
func Format(s lockstep.Settings, name string) (text string, ok bool) {
	f, ok := fieldNamed(name)
	if !ok {
		return "", false
	}
	value := reflect.ValueOf(s).Field(f.index)
	switch {
	case value.IsZero() && f.none, f.kind == list && f.none && value.Len() == 0:
		return "None", true
	case value.IsZero() && f.noAttribute:
		return "False", true
	case f.secret:
		return formatSecret(value), true
	}
	switch v := value.Interface().(type) {
	case []string:
		if f.words && len(v) == 1 && slices.Equal(splitWords(v[0]), v) && v[0] != "" {
			return quote(v[0]), true
		}
		return "[" + quoteAll(v) + "]", true
	case [2]string:
		return "(" + quoteAll(v[:]) + ")", true
	case lockstep.CSP:
		return writeValue(dictOf(v)), true
	default:
		return formatValue(v), true
	}
}

func formatSecret(value reflect.Value) string {
	if value.Kind() != reflect.Slice {
		if value.IsZero() {
			return quote("")
		}
		return quote(secretMark)
	}
	marks := make([]string, value.Len())
	for i := range marks {
		marks[i] = secretMark
	}
	return "[" + quoteAll(marks) + "]"
}

func quoteAll(items []string) string {
	written := make([]string, len(items))
	for i, item := range items {
		written[i] = quote(item)
	}
	return strings.Join(written, ", ")
}

// formatValue writes a value that a source gave, or one of Settings, as a Python literal.
func formatValue(value any) string {
	switch v := value.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case string:
		return quote(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = formatValue(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case int, int64:
		return fmt.Sprint(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return secretMark
	}
}

// quote writes s as Python's repr does, in single quotes unless only those are in it.
func quote(s string) string {
	mark := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		mark = '"'
	}
	var b strings.Builder
	b.WriteRune(mark)
	for _, r := range s {
		quoteRune(&b, r, mark)
	}
	b.WriteRune(mark)
	return b.String()
}

func quoteRune(b *strings.Builder, r, mark rune) {
	switch {
	case r == mark || r == '\\':
		b.WriteRune('\\')
		b.WriteRune(r)
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case unicode.IsPrint(r):
		b.WriteRune(r)
	case r <= 0xff:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// The limits of literal.
const (
	maxLiteral = 1 << 16 // bytes
	maxNesting = 8       // lists in lists; no setting has more than one
)

// constants are Python's words for values; None is nil.
var constants = map[string]any{"True": true, "False": false}

func startsString(text string) bool {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "r"), "R")
	return text != "" && (text[0] == '\'' || text[0] == '"')
}

func startsLiteral(text string) bool {
	return text != "" && (strings.IndexByte("[(+-", text[0]) >= 0 || '0' <= text[0] && text[0] <= '9')
}

// literal reads a Python literal: True, False, None, a decimal number, a string (also raw), a
// list or a tuple. The error gives the place and never the text, which may be a secret.
func literal(text string) (any, error) {
	if len(text) > maxLiteral {
		return nil, fmt.Errorf("longer than %d bytes", maxLiteral)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	if strings.IndexByte(text, 0) >= 0 {
		return nil, errors.New("a null byte is in it")
	}
	p := &parser{text: text}
	value, err := p.value(0)
	if err == nil {
		if p.skipSpace(); p.at < len(text) {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("not a Python literal: %w, at character %d", err, utf8.RuneCountInString(text[:p.at])+1)
	}
	return value, nil
}

// parser reads text from position at on.
type parser struct {
	text string
	at   int
}

func (p *parser) rest() string { return p.text[p.at:] }

func (p *parser) skipSpace() {
	p.at = len(p.text) - len(strings.TrimLeft(p.rest(), " \t\n\r\f"))
}

// next returns the byte at the position, 0 at the end.
func (p *parser) next() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) value(depth int) (any, error) {
	p.skipSpace()
	switch c := p.next(); {
	case depth > maxNesting:
		return nil, errors.New("nested too deeply")
	case c == 0:
		return nil, errors.New("a value is missing")
	case c == '[':
		return p.items(']', depth)
	case c == '(':
		return p.items(')', depth)
	case startsString(p.rest()):
		return p.str()
	case startsLiteral(p.rest()) || c == '.':
		return p.number()
	}
	return p.constant()
}

// items reads a list or a tuple. One value in parentheses without a comma is that value, as in
// Python.
func (p *parser) items(end byte, depth int) (any, error) {
	p.at++
	items, commas := []any{}, 0
	for {
		p.skipSpace()
		if p.next() == end {
			break
		}
		if len(items) > commas {
			return nil, fmt.Errorf("a comma or %q is missing", end)
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if p.skipSpace(); p.next() == ',' {
			p.at++
			commas++
		}
	}
	p.at++
	if end == ')' && len(items) == 1 && commas == 0 {
		return items[0], nil
	}
	return items, nil
}

func (p *parser) constant() (any, error) {
	name := p.rest()
	if end := strings.IndexFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
		name = name[:end]
	}
	if value, ok := constants[name]; ok || name == "None" {
		p.at += len(name)
		return value, nil
	}
	return nil, errors.New("expected True, False, None, a number, a string in quotes, a list or a tuple")
}

func (p *parser) number() (any, error) {
	number := p.rest()
	if end := strings.IndexFunc(number, func(r rune) bool { return !strings.ContainsRune("0123456789_.eE+-", r) }); end >= 0 {
		number = number[:end]
	}
	value, err := readNumber(number)
	if err == nil {
		p.at += len(number)
	}
	return value, err
}

func readNumber(text string) (any, error) {
	digits, ok := withoutUnderscores(text)
	if !ok {
		return nil, errors.New("not a number")
	}
	if strings.ContainsAny(digits, ".eE") {
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			return nil, errors.New("not a number")
		}
		return f, nil
	}
	if unsigned := strings.TrimLeft(digits, "+-"); len(unsigned) > 1 && unsigned[0] == '0' && strings.Trim(unsigned, "0") != "" {
		return nil, errors.New("a number does not begin with 0")
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return nil, errors.New("a number out of range")
	}
	if err != nil {
		return nil, errors.New("not a number; sums and products are to be worked out")
	}
	return n, nil
}

// withoutUnderscores takes out the underscores that Python allows between digits.
func withoutUnderscores(text string) (string, bool) {
	isDigit := func(i int) bool { return i >= 0 && i < len(text) && '0' <= text[i] && text[i] <= '9' }
	for i := range len(text) {
		if text[i] == '_' && !(isDigit(i-1) && isDigit(i+1)) {
			return "", false
		}
	}
	return strings.ReplaceAll(text, "_", ""), true
}

// str reads a string in single or double quotes, which are not part of what it returns.
func (p *parser) str() (string, error) {
	raw := p.next() == 'r' || p.next() == 'R'
	if raw {
		p.at++
	}
	mark := p.next()
	p.at++
	var b strings.Builder
	for {
		switch c := p.next(); {
		case p.at == len(p.text) || c == '\n' || c == '\r':
			return "", errors.New("the quote that ends the string is missing")
		case c == mark:
			p.at++
			p.skipSpace()
			if startsString(p.rest()) {
				return "", errors.New("a comma is missing between two strings")
			}
			return b.String(), nil
		case c == '\\' && raw:
			p.rawPair(&b)
		case c == '\\':
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			p.at++
		}
	}
}

// rawPair takes a backslash of a raw string and what follows it, even if that is the quote.
func (p *parser) rawPair(b *strings.Builder) {
	b.WriteByte('\\')
	p.at++
	if c := p.next(); c == '\'' || c == '"' || c == '\\' {
		b.WriteByte(c)
		p.at++
	}
}

// escapes are the escapes that are one character.
var escapes = map[byte]byte{
	'\\': '\\', '\'': '\'', '"': '"', 'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

// escape reads a backslash and what belongs to it. An escape that Python does not know stays as
// it is, backslash and all, as in Python.
func (p *parser) escape(b *strings.Builder) error {
	p.at++
	c := p.next()
	if plain, ok := escapes[c]; ok {
		b.WriteByte(plain)
		p.at++
		return nil
	}
	switch {
	case c == 'x':
		return p.codePoint(b, 1, 2, 16)
	case c == 'u':
		return p.codePoint(b, 1, 4, 16)
	case c == 'U':
		return p.codePoint(b, 1, 8, 16)
	case '0' <= c && c <= '7':
		return p.octal(b)
	case c == 'N', c == '\n', c == '\r':
		return errors.New("an escape that is not read here")
	}
	b.WriteByte('\\')
	return nil
}

// codePoint reads exactly digits behind skip bytes as a character.
func (p *parser) codePoint(b *strings.Builder, skip, digits, base int) error {
	if len(p.rest()) < skip+digits {
		return errors.New("an escape has too few digits")
	}
	n, err := strconv.ParseUint(p.rest()[skip:skip+digits], base, 32)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
		return errors.New("an escape that is no character")
	}
	b.WriteRune(rune(n))
	p.at += skip + digits
	return nil
}

// octal reads one to three octal digits as a character.
func (p *parser) octal(b *strings.Builder) error {
	digits := 0
	for digits < 3 && digits < len(p.rest()) && '0' <= p.rest()[digits] && p.rest()[digits] <= '7' {
		digits++
	}
	return p.codePoint(b, 0, digits, 8)
}
