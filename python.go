package lockstep

import (
	"fmt"
	"strings"
)

// How values are written where Django would write them.

func pyBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func pyList(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = pyRepr(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// pyRepr is Python's repr of the bytes of a header, which WSGI decodes as Latin-1.
func pyRepr(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for i := range len(s) {
		switch c := s[i]; {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || 0x7f <= c && c <= 0xa0 || c == 0xad:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteRune(rune(c))
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// What a client wrote is cut to this many bytes before it goes into a log line or a fact.
const maxShown = 1024

func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return s[:maxShown] + "…"
}

// unquotePlus is urllib.parse.unquote_plus on bytes: what is no escape stays as it is.
func unquotePlus(s string) string {
	if !strings.ContainsAny(s, "+%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
