package django

import (
	"strconv"
	"strings"
	"time"
)

// A SetCookie is a Set-Cookie line as Django writes it. Name and Value are those of the cookie, the
// other fields are its attributes; what is empty, nil or false is not written.
//
// Nothing is checked: attributes go out as they are, so that a ";" or a line end in one of them
// would be an attribute or header more. Whoever takes them from elsewhere checks them first, names
// with [CheckCookieName].
type SetCookie struct {
	Name        string
	Value       string // as the application means it; written by [QuoteCookie]
	Domain      string
	Path        string
	SameSite    string // in the letter case given
	MaxAge      *int   // in seconds; 0 and negative numbers are written
	Expires     string // as from [HTTPDate]
	Secure      bool
	HttpOnly    bool
	Partitioned bool // not known to Django; written where Python 3.14 has it
}

// DeleteCookie returns what response.delete_cookie(name, path, domain, samesite) sends. It is Secure
// when the name begins with exactly "__Secure-" or "__Host-", or when sameSite is none, and never
// HttpOnly: browsers match neither when a cookie is replaced.
func DeleteCookie(name, path, domain, sameSite string) SetCookie {
	return SetCookie{
		Name:     name,
		Domain:   domain,
		Path:     path,
		SameSite: sameSite,
		MaxAge:   new(int),
		Expires:  longAgo,
		Secure: strings.HasPrefix(name, "__Secure-") || strings.HasPrefix(name, "__Host-") ||
			strings.EqualFold(sameSite, "none"),
	}
}

const longAgo = "Thu, 01 Jan 1970 00:00:00 GMT"

// String returns the value of the Set-Cookie header: name, value, and the attributes in the order
// and spelling of Python's http.cookies.
func (c SetCookie) String() string {
	var room [256]byte // most lines fit
	return string(c.AppendTo(room[:0]))
}

// AppendTo appends what [SetCookie.String] returns.
func (c SetCookie) AppendTo(dst []byte) []byte {
	dst = append(dst, c.Name...)
	dst = append(dst, '=')
	dst = appendCookieValue(dst, c.Value)
	dst = appendAttribute(dst, "Domain", c.Domain)
	dst = appendAttribute(dst, "expires", c.Expires)
	dst = appendFlag(dst, "HttpOnly", c.HttpOnly)
	if c.MaxAge != nil {
		dst = append(dst, "; Max-Age="...)
		dst = strconv.AppendInt(dst, int64(*c.MaxAge), 10)
	}
	dst = appendFlag(dst, "Partitioned", c.Partitioned)
	dst = appendAttribute(dst, "Path", c.Path)
	dst = appendAttribute(dst, "SameSite", c.SameSite)
	return appendFlag(dst, "Secure", c.Secure)
}

func appendAttribute(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, "; "...)
	dst = append(dst, name...)
	dst = append(dst, '=')
	return append(dst, value...)
}

func appendFlag(dst []byte, name string, set bool) []byte {
	if !set {
		return dst
	}
	dst = append(dst, "; "...)
	return append(dst, name...)
}

// HTTPDate is django.utils.http.http_date: "Tue, 14 Nov 2023 22:13:20 GMT", fractions of a second
// cut off.
func HTTPDate(t time.Time) string {
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
}
