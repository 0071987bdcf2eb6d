package django

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// decodeUTF8 is bytes.decode("utf-8", "replace"): each longest beginning of a character that does
// not go on as UTF-8 becomes one U+FFFD. It returns s itself when s is UTF-8.
func decodeUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*utf8.UTFMax)
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			size = brokenPrefix(s)
		}
		b.WriteRune(r)
		s = s[size:]
	}
	return b.String()
}

// brokenPrefix returns the length of the broken character at the start of s: the lead byte and the
// continuation bytes that could follow it (Unicode, section 3.9, maximal subpart).
func brokenPrefix(s string) int {
	want, low, high := 0, byte(0x80), byte(0xBF) // continuation bytes wanted, and the range of the first
	switch lead := s[0]; {
	case lead >= 0xC2 && lead <= 0xDF:
		want = 1
	case lead == 0xE0:
		want, low = 2, 0xA0
	case lead == 0xED:
		want, high = 2, 0x9F
	case lead >= 0xE1 && lead <= 0xEF:
		want = 2
	case lead == 0xF0:
		want, low = 3, 0x90
	case lead == 0xF4:
		want, high = 3, 0x8F
	case lead >= 0xF1 && lead <= 0xF3:
		want = 3
	}
	n := 1
	for n <= want && n < len(s) && s[n] >= low && s[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}

// strip is str.strip().
func strip(s string) string {
	if s == "" || isPrintable(s[0]) && isPrintable(s[len(s)-1]) {
		return s
	}
	return strings.TrimFunc(s, isPythonSpace)
}

// isPrintable reports whether c is ASCII and neither white space nor a control character.
func isPrintable(c byte) bool { return c > ' ' && c < 0x7F }

// isPythonSpace is str.isspace() of one character: Unicode's white space, and the four separators
// of ASCII.
func isPythonSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1C && r <= 0x1F
}
