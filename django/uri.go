package django

import (
	"strings"
	"unicode/utf8"
)

// FullPath is request.get_full_path() behind a WSGI server: the path percent-decoded and quoted
// anew as by [EscapePath], and the query as by [EscapeQuery] after a "?" when it is not empty.
//
// rawPath and rawQuery are those of the request line as it came, still percent-encoded. What comes
// out is ASCII without white space and control characters, and begins with "/".
func FullPath(rawPath, rawQuery string) string {
	path := EscapePath(rootedPath(unquotePercent(rawPath)))
	if rawQuery == "" {
		return path
	}
	return path + "?" + EscapeQuery(rawQuery)
}

// rootedPath is WSGIRequest.path without a SCRIPT_NAME: "/" and the path without its first slash,
// wherever that is.
func rootedPath(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + strings.Replace(path, "/", "", 1)
}

// EscapePath is django.utils.encoding.escape_uri_path of a path that is already percent-decoded.
// Letters, digits and /:@&+$,-_.!~*'() stay. A byte that is not UTF-8 is escaped twice (0xFF is
// %25FF), for Django puts %FF into request.path already.
func EscapePath(path string) string {
	i := 0
	for i < len(path) && pathSafe[path[i]] {
		i++
	}
	if i == len(path) {
		return path
	}
	dst := append(make([]byte, 0, len(path)+16), path[:i]...)
	for i < len(path) {
		if pathSafe[path[i]] {
			dst = append(dst, path[i])
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(path[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, "%25"...)
			dst = appendHex(dst, path[i])
			i++
			continue
		}
		for ; size > 0; size-- {
			dst = appendPercent(dst, path[i])
			i++
		}
	}
	return string(dst)
}

// EscapeQuery is iri_to_uri(META["QUERY_STRING"]): letters, digits and -_.~/#%[]=:;$&()+,!?*@' stay
// as they are, so do escapes, good or broken. A WSGI server hands each byte over as the character of
// its number, so that a raw é comes out as %C3%83%C2%A9.
func EscapeQuery(rawQuery string) string {
	i := unsafeIRIByte(rawQuery)
	if i < 0 {
		return rawQuery
	}
	dst := append(make([]byte, 0, len(rawQuery)+16), rawQuery[:i]...)
	for ; i < len(rawQuery); i++ {
		switch c := rawQuery[i]; {
		case iriSafe[c]:
			dst = append(dst, c)
		case c >= utf8.RuneSelf:
			dst = appendPercent(dst, 0xC0|c>>6)
			dst = appendPercent(dst, 0x80|c&0x3F)
		default:
			dst = appendPercent(dst, c)
		}
	}
	return string(dst)
}

// IRIToURI is django.utils.encoding.iri_to_uri of a text in UTF-8: as [EscapeQuery], with é written
// as %C3%A9.
func IRIToURI(s string) string {
	i := unsafeIRIByte(s)
	if i < 0 {
		return s
	}
	dst := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if iriSafe[s[i]] {
			dst = append(dst, s[i])
		} else {
			dst = appendPercent(dst, s[i])
		}
	}
	return string(dst)
}

func unsafeIRIByte(s string) int {
	for i := range len(s) {
		if !iriSafe[s[i]] {
			return i
		}
	}
	return -1
}

// unquotePercent is urllib.parse.unquote_to_bytes: what is no escape stays.
func unquotePercent(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	dst := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			dst = append(dst, hexValue(s[i+1])<<4|hexValue(s[i+2]))
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return string(dst)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

func appendPercent(dst []byte, c byte) []byte { return appendHex(append(dst, '%'), c) }

func appendHex(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, digits[c>>4], digits[c&0xF])
}

// The characters that urllib.parse.quote leaves alone, always and for each use.
const alwaysSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"

var (
	pathSafe = byteSet(alwaysSafe + "/:@&+$,!*'()")
	iriSafe  = byteSet(alwaysSafe + "/#%[]=:;$&()+,!?*@'")
)

func byteSet(chars string) (set [256]bool) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}
