package django

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// QuoteCookie writes a cookie's value as Python's http.cookies does: as it is when it has only
// letters, digits and !#$%&'*+-.^_`|~: characters; otherwise, and when it is empty, between double
// quotes, where " and \ follow a backslash and every other character below U+0100 that is not
// printable ASCII, and ; and , become three octal digits (é is \351). Characters from U+0100 stay:
// servers of Django fail on them.
//
// A byte that is not UTF-8 is written as the character of its number.
func QuoteCookie(value string) string {
	if isCookieToken(value) {
		return value
	}
	return string(appendQuotedCookie(make([]byte, 0, len(value)+16), value))
}

func appendCookieValue(dst []byte, value string) []byte {
	if isCookieToken(value) {
		return append(dst, value...)
	}
	return appendQuotedCookie(dst, value)
}

func appendQuotedCookie(dst []byte, value string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		if r == utf8.RuneError && size == 1 {
			r = rune(value[i])
		}
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r > 0xFF:
			dst = append(dst, value[i:i+size]...)
		case r < utf8.RuneSelf && (cookieBytes[r]&(tokenByte|quotedByte)) != 0:
			dst = append(dst, byte(r))
		default:
			dst = append(dst, '\\', '0'+byte(r>>6), '0'+byte(r>>3)&7, '0'+byte(r)&7)
		}
		i += size
	}
	return append(dst, '"')
}

// UnquoteCookie reads what [QuoteCookie] writes, as Python's http.cookies does: a text between
// double quotes loses them, three octal digits after a backslash become the character of that
// number, any other character loses the backslash before it. All other texts are returned as they
// are.
func UnquoteCookie(coded string) string {
	if len(coded) < 2 || coded[0] != '"' || coded[len(coded)-1] != '"' {
		return coded
	}
	coded = coded[1 : len(coded)-1]
	next := strings.IndexByte(coded, '\\')
	if next < 0 {
		return coded
	}
	var b strings.Builder
	b.Grow(len(coded))
	for next >= 0 {
		b.WriteString(coded[:next])
		coded = coded[next:]
		switch {
		case isOctalEscape(coded):
			b.WriteRune(rune(coded[1]-'0')<<6 | rune(coded[2]-'0')<<3 | rune(coded[3]-'0'))
			coded = coded[4:]
		case len(coded) == 1 || coded[1] == '\n': // Python's "." matches no line feed
			b.WriteByte('\\')
			coded = coded[1:]
		default:
			b.WriteByte(coded[1])
			coded = coded[2:]
		}
		next = strings.IndexByte(coded, '\\')
	}
	b.WriteString(coded)
	return b.String()
}

func isOctalEscape(s string) bool {
	return len(s) >= 4 && s[1] >= '0' && s[1] <= '3' && isOctal(s[2]) && isOctal(s[3])
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

// A CookiePair is one cookie of a Cookie header.
type CookiePair struct{ Name, Value string }

// ParseCookies reads a Cookie header as django.http.parse_cookie does after a WSGI server: bytes are
// UTF-8, broken ones become U+FFFD; ";" separates, also between quotes; the first "=" ends the name;
// Python's white space around both goes; without "=" the name is empty; values are unquoted as by
// [UnquoteCookie] and never percent-decoded. Every name is accepted.
//
// Pairs come in the header's order, duplicates included. Django's request.COOKIES has the last of
// them, as [LookupCookie] does.
func ParseCookies(header string) []CookiePair {
	if header == "" {
		return nil
	}
	pairs := make([]CookiePair, 0, strings.Count(header, ";")+1)
	for chunk := range strings.SplitSeq(header, ";") {
		if name, coded := splitPair(chunk); name != "" || coded != "" {
			pairs = append(pairs, CookiePair{Name: name, Value: UnquoteCookie(coded)})
		}
	}
	return pairs
}

// LookupCookie returns the value of request.COOKIES[name], and whether there is one: the last of
// that name in a Cookie header that is read as by [ParseCookies].
func LookupCookie(header, name string) (value string, ok bool) {
	for more := header != ""; more; {
		var chunk string
		chunk, header, more = strings.Cut(header, ";")
		have, coded := splitPair(chunk)
		if have == name && (have != "" || coded != "") {
			value, ok = coded, true
		}
	}
	return UnquoteCookie(value), ok
}

// splitPair divides what stands between two semicolons into a name and a value still coded.
func splitPair(chunk string) (name, coded string) {
	name, coded, found := strings.Cut(decodeUTF8(chunk), "=")
	if !found {
		name, coded = "", name
	}
	return strip(name), strip(coded)
}

// CheckCookieName returns an error for a name with which response.set_cookie fails in Django: empty,
// with a character other than letters, digits and !#$%&'*+-.^_`|~: ones, or, in any letter case,
// the name of an attribute.
func CheckCookieName(name string) error {
	if name == "" {
		return errors.New("cookie name is empty")
	}
	if !isCookieToken(name) {
		return fmt.Errorf("cookie name %q has a character that is not allowed", name)
	}
	switch strings.ToLower(name) {
	case "expires", "path", "comment", "domain", "max-age", "secure", "httponly", "version", "samesite":
		return fmt.Errorf("cookie name %q is the name of an attribute", name)
	}
	return nil
}

// isCookieToken reports whether s may stand without quotes, http.cookies._is_legal_key.
func isCookieToken(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf || cookieBytes[s[i]]&tokenByte == 0 {
			return false
		}
	}
	return s != ""
}

const (
	tokenByte  = 1 << iota // stands for itself without quotes: http.cookies._LegalChars
	quotedByte             // stands for itself between quotes: http.cookies._UnescapedChars
)

var cookieBytes = func() (table [utf8.RuneSelf]uint8) {
	const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for _, c := range alphanumeric + "!#$%&'*+-.^_`|~:" {
		table[c] |= tokenByte
	}
	for _, c := range " ()/<=>?@[]{}" {
		table[c] |= quotedByte
	}
	return table
}()
