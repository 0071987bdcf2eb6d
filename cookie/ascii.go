package cookie

import "strings"

// equalFold reports whether s and t are equal when the case of ASCII letters is not looked at.
// Letters outside ASCII that fold into it, such as the long s, take more bytes and so do not pass.
func equalFold(s, t string) bool { return len(s) == len(t) && strings.EqualFold(s, t) }

// hasPrefixFold is [strings.HasPrefix] by equalFold.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix)
}

// lower puts the ASCII letters of s in lower case and leaves every other byte alone.
// [strings.ToLower] would make an ASCII k of the Kelvin sign.
func lower(s string) string {
	if !strings.ContainsFunc(s, isUpper) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if isUpper(rune(c)) {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}

func isUpper(r rune) bool { return r >= 'A' && r <= 'Z' }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// trim removes the draft's white space, space and tab, from both ends.
func trim(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
