package trace

import "strings"

// Values of at least this many bytes keep their first four, so that a person can see whether one
// changed; shorter ones show nothing.
const shortenFrom = 16

// shorten makes a cookie value presentable: enough to tell two apart, too little to use.
func shorten(value string) string {
	switch {
	case value == "" || value == `""`:
		return value
	case len(value) < shortenFrom:
		return "…"
	default:
		return strings.ToValidUTF8(value[:4], "?") + "…"
	}
}

// shortenPair does it to "name=value"; a text without "=" is a value.
func shortenPair(pair string) string {
	name, value, found := strings.Cut(pair, "=")
	if !found {
		return shorten(pair)
	}
	return name + "=" + shorten(value)
}

// shortenCookie does it to every pair of a Cookie field.
func shortenCookie(field string) string {
	pairs := strings.Split(field, ";")
	for i, p := range pairs {
		pairs[i] = shortenPair(strings.TrimSpace(p))
	}
	return strings.Join(pairs, "; ")
}

// shortenSetCookie does it to the pair of a Set-Cookie field and leaves the attributes.
func shortenSetCookie(field string) string {
	pair, attributes, found := strings.Cut(field, ";")
	if !found {
		return shortenPair(pair)
	}
	return shortenPair(pair) + ";" + attributes
}
