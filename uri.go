package lockstep

import (
	"net/http"
	"strings"

	"github.com/lockstep-http/lockstep/django"
)

// AbsoluteURI is Django's request.build_absolute_uri(location): location as an absolute URI, seen
// from the request. "" stands for the request's own path and query. A location with a scheme of
// its own ("mailto:a@shop.test", "https://pay.shop.test/") stays what it is, and "//pay.shop.test/"
// keeps its host: AbsoluteURI makes URIs, it does not make a location that came from outside safe
// to redirect to. Scheme and host are those of [IsSecure] and [Host].
func AbsoluteURI(r *http.Request, location string) string {
	base := scheme(IsSecure(r)) + "://" + Host(r)
	if location == "" {
		location = "//" + django.FullPath(r.URL.EscapedPath(), r.URL.RawQuery) // the path may begin with "//" itself
	}
	return django.IRIToURI(absolute(base, r.URL.Path, location))
}

func absolute(base, path, location string) string {
	to := splitURL(location)
	switch {
	case to.scheme != "" && to.netloc != "":
		return location
	case to.scheme == "" && to.netloc == "" && strings.HasPrefix(to.path, "/") &&
		!strings.Contains(to.path, "/./") && !strings.Contains(to.path, "/../"):
		// Most locations are a path, of which nothing has to be resolved. "///x" has an empty
		// host, which is this one.
		return base + strings.TrimPrefix(location, "//")
	}
	return joinURL(base+path, location)
}

// A pyURL is a URL as Python's urllib.parse divides it. Nothing in it is decoded.
type pyURL struct{ scheme, netloc, path, params, query, fragment string }

// splitURL is urllib.parse.urlsplit, which takes white space and control characters off the front
// and tabs and line ends from everywhere. A netloc with one bracket, for which Python has an error,
// is taken as it is.
func splitURL(s string) (u pyURL) {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s, "\t\r\n") {
		s = lineParts.Replace(s)
	}
	if i := strings.IndexByte(s, ':'); i > 0 && isScheme(s[:i]) {
		u.scheme, s = strings.ToLower(s[:i]), s[i+1:]
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		u.netloc, s = rest[:end], rest[end:]
	}
	s, u.fragment, _ = strings.Cut(s, "#")
	u.path, u.query, _ = strings.Cut(s, "?")
	return u
}

// lineParts takes out what Python takes out of URLs.
var lineParts = strings.NewReplacer("\t", "", "\r", "", "\n", "")

func isScheme(s string) bool {
	letter := func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
	return letter(s[0]) && only(s, func(c byte) bool {
		return letter(c) || isDigit(c) || c == '+' || c == '-' || c == '.'
	})
}

// cutParams moves what follows a semicolon in the last segment into params, as urlparse does.
func (u *pyURL) cutParams() {
	last := strings.LastIndexByte(u.path, '/') + 1
	if i := strings.IndexByte(u.path[last:], ';'); i >= 0 {
		u.path, u.params = u.path[:last+i], u.path[last+i+1:]
	}
}

// String is urllib.parse.urlunparse, in which an empty query or fragment loses its mark.
func (u *pyURL) String() string {
	path := u.path
	if u.params != "" {
		path += ";" + u.params
	}
	if path != "" && path[0] != '/' {
		path = "/" + path
	}
	s := u.scheme + "://" + u.netloc + path
	if u.query != "" {
		s += "?" + u.query
	}
	if u.fragment != "" {
		s += "#" + u.fragment
	}
	return s
}

// joinURL is urllib.parse.urljoin for a base that is http or https and has a host.
func joinURL(base, location string) string {
	from, to := splitURL(base), splitURL(location)
	if to.scheme != "" && to.scheme != from.scheme {
		return location
	}
	from.cutParams()
	to.cutParams()
	to.scheme = from.scheme
	if to.netloc != "" {
		return to.String()
	}
	to.netloc = from.netloc
	if to.path == "" && to.params == "" {
		to.path, to.params = from.path, from.params
		if to.query == "" {
			to.query = from.query
		}
		return to.String()
	}
	to.path = resolve(from.path, to.path)
	return to.String()
}

// resolve is RFC 3986, section 5.2.4, as Python has it: ".." above the root is dropped, and empty
// segments go when path is relative.
func resolve(base, path string) string {
	segments := strings.Split(path, "/")
	if !strings.HasPrefix(path, "/") {
		segments = relativeSegments(base, segments)
	}
	var kept []string
	for _, s := range segments {
		switch s {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, s)
		}
	}
	if last := segments[len(segments)-1]; last == "." || last == ".." {
		kept = append(kept, "")
	}
	if joined := strings.Join(kept, "/"); joined != "" {
		return joined
	}
	return "/"
}

func relativeSegments(base string, segments []string) []string {
	all := strings.Split(base, "/")
	if all[len(all)-1] != "" {
		all = all[:len(all)-1]
	}
	all = append(all, segments...)
	inner := all[:min(1, len(all))]
	for i, s := range all {
		if i > 0 && (s != "" || i == len(all)-1) {
			inner = append(inner, s)
		}
	}
	return inner
}
