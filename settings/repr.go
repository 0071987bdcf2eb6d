package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The values of Python that TOML and Settings have no types for. Lists, tuples and sets are all
// []any.
type (
	// Bytes is a bytes object.
	Bytes string

	// Dict is a dictionary, in the order in which it was printed.
	Dict []Item

	// Opaque is what cannot be read back from what Python's repr prints of it: an object, the call
	// of a constructor, or text that is no repr at all. It holds that text, which may be a secret.
	Opaque string
)

// An Item is one entry of a [Dict].
type Item struct{ Key, Value any }

// String returns "…": the text may be a secret.
func (Opaque) String() string { return secretMark }

// String returns "…": the text may be a secret.
func (Bytes) String() string { return secretMark }

// The limits of a printed value.
const (
	maxRepr        = 1 << 18 // bytes; Django's longest default, LANGUAGES, has 3 KB
	maxReprNesting = 24      // LOGGING and TEMPLATES have 6
)

// readRepr reads what Python's repr prints of a value. What it cannot read is Opaque, and ok is
// false when that is so of the value as a whole.
func readRepr(text string) (value any, ok bool) {
	if len(text) > maxRepr || !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return Opaque(text), false
	}
	p := &reprParser{parser{text: text}}
	value, err := p.repr(0)
	if p.skipSpace(); err != nil || p.at < len(p.text) {
		return Opaque(text), false
	}
	_, opaque := value.(Opaque)
	return value, !opaque
}

// A reprParser reads all that a repr may hold; its parser reads strings and numbers.
type reprParser struct{ parser }

var errRepr = errors.New("not a repr that can be read")

func (p *reprParser) repr(depth int) (any, error) {
	p.skipSpace()
	rest := p.rest()
	switch c := p.next(); {
	case depth > maxReprNesting:
		return nil, errRepr
	case c == '[':
		return p.sequence(']', depth)
	case c == '(':
		return p.sequence(')', depth)
	case c == '{':
		return p.braces(depth)
	case c == '<':
		return p.object()
	case startsString(rest):
		return p.str()
	case c == 'b' && startsString(rest[1:]):
		p.at++
		text, err := p.str()
		return Bytes(text), err
	case startsLiteral(rest):
		return p.number()
	}
	return p.named(depth)
}

// sequence reads the items of a list, or of a tuple, in which the one value of "('a')" stays a
// tuple as repr never prints needless parentheses.
func (p *reprParser) sequence(end byte, depth int) ([]any, error) {
	items := []any{}
	err := p.items(end, func() error {
		item, err := p.repr(depth + 1)
		items = append(items, item)
		return err
	})
	return items, err
}

// braces reads a dictionary or a set.
func (p *reprParser) braces(depth int) (any, error) {
	var (
		dict  = Dict{}
		items []any
	)
	err := p.items('}', func() error {
		key, err := p.repr(depth + 1)
		if err != nil {
			return err
		}
		if p.skipSpace(); p.next() != ':' {
			items = append(items, key)
			return nil
		}
		p.at++
		value, err := p.repr(depth + 1)
		dict = append(dict, Item{key, value})
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case items != nil && len(dict) > 0:
		return nil, errRepr
	case items != nil:
		return sorted(items), nil
	}
	return dict, nil
}

// sorted is a set of strings in an order of its own, as Django sends one, each once. Other sets stay
// as they were printed.
func sorted(set []any) []any {
	texts, ok := stringsOf(set)
	if !ok {
		return set
	}
	slices.Sort(texts)
	return anys(slices.Compact(texts))
}

// items reads what stands between the bracket at the position and end, each with one, and with
// commas between them.
func (p *reprParser) items(end byte, one func() error) error {
	p.at++
	for first := true; ; first = false {
		p.skipSpace()
		if p.next() == end {
			break
		}
		if !first {
			if p.next() != ',' {
				return errRepr
			}
			p.at++
			if p.skipSpace(); p.next() == end {
				break
			}
		}
		if err := one(); err != nil {
			return err
		}
	}
	p.at++
	return nil
}

// object reads "<...>", in which angles may be nested and strings may hold some more.
func (p *reprParser) object() (any, error) {
	depth := 0
	for i, c := range []byte(p.rest()) {
		switch c {
		case '<':
			depth++
		case '>':
			depth--
		}
		if depth == 0 {
			object := p.rest()[:i+1]
			p.at += i + 1
			if value, ok := memberOf(object); ok {
				return value, nil
			}
			return Opaque(object), nil
		}
	}
	return nil, errRepr
}

// named reads a constant, or the call of a constructor such as PosixPath('/srv') or
// datetime.timedelta(days=14).
func (p *reprParser) named(depth int) (any, error) {
	start := p.at
	name := p.name()
	if name == "" {
		return nil, errRepr
	}
	if p.next() != '(' {
		switch value, ok := constants[name]; {
		case ok:
			return value, nil
		case name == "None":
			return nil, nil
		}
		return Opaque(name), nil // inf, nan, Ellipsis, a member of an enumeration
	}
	arguments := []any{}
	err := p.items(')', func() error {
		p.keyword()
		argument, err := p.repr(depth + 1)
		arguments = append(arguments, argument)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(arguments) == 1 && wrappers[name] {
		return arguments[0], nil
	}
	return Opaque(p.text[start:p.at]), nil
}

// wrappers are constructors whose value is as good as that of their only argument.
var wrappers = map[string]bool{"frozenset": true, "OrderedDict": true, "deque": true, "SafeString": true}

// name reads a dotted name, "" if there is none.
func (p *reprParser) name() string {
	n := 0
	for n < len(p.rest()) && isNamePart(p.rest()[n]) {
		n++
	}
	name := p.rest()[:n]
	p.at += n
	return name
}

func isNamePart(c byte) bool {
	return c == '_' || c == '.' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// keyword reads "days=" before an argument, if it is there.
func (p *reprParser) keyword() {
	p.skipSpace()
	start := p.at
	if name := p.name(); name == "" || p.next() != '=' {
		p.at = start
		return
	}
	p.at++
}

// writeValue writes a value as Python would print it; what is opaque or bytes is left out.
func writeValue(value any) string {
	switch v := value.(type) {
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = writeValue(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case Dict:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = writeValue(item.Key) + ": " + writeValue(item.Value)
		}
		return "{" + strings.Join(items, ", ") + "}"
	case Opaque, Bytes:
		return fmt.Sprint(v)
	}
	return formatValue(value)
}
