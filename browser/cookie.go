package browser

import (
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// A Cookie is a cookie that a browser has stored. It cannot be changed; two are equal when
// everything about them is.
type Cookie struct { //nolint:recvcheck // the store alone has pointers
	name, value      string
	domain, path     string
	hostOnly         bool
	secure, httpOnly bool
	sameSite         cookie.SameSite
	persistent       bool
	expires, created time.Time
	partition        partition
}

// newCookie makes the cookie that l is when it comes from t at now. Its strings do not share
// memory with the line, which may be long; the host is the browser's own copy.
func newCookie(l *cookie.Line, t *target, now time.Time) Cookie {
	c := Cookie{
		name: strings.Clone(l.Name), value: strings.Clone(l.Value),
		domain: t.host, hostOnly: l.HostOnly(t.host),
		path:   strings.Clone(l.Path),
		secure: l.Secure, httpOnly: l.HttpOnly, sameSite: l.SameSite,
		created: now,
	}
	if !c.hostOnly {
		c.domain = strings.Clone(l.Domain)
	}
	if c.path == "" {
		c.path = strings.Clone(cookie.DefaultPath(t.path))
	}
	c.expires, c.persistent = l.Expiry(now)
	return c
}

// Name returns the name, which is empty for a nameless cookie.
func (c Cookie) Name() string { return c.name }

// Value returns the value, which may be a secret: it is for sending, not for showing.
func (c Cookie) Value() string { return c.value }

// Domain returns the host, of a host-only cookie, or the domain under which hosts get the cookie.
func (c Cookie) Domain() string { return c.domain }

// HostOnly returns the host-only-flag: whether only the host itself gets the cookie.
func (c Cookie) HostOnly() bool { return c.hostOnly }

// Path returns the path under which requests get the cookie.
func (c Cookie) Path() string { return c.path }

// Secure returns the secure-only-flag: whether only secure connections carry the cookie.
func (c Cookie) Secure() bool { return c.secure }

// HttpOnly returns the http-only-flag: whether the cookie is hidden from scripts.
func (c Cookie) HttpOnly() bool { return c.httpOnly }

// SameSite returns the same-site-flag.
func (c Cookie) SameSite() cookie.SameSite { return c.sameSite }

// Persistent returns the persistent-flag: whether the cookie outlives the browser.
func (c Cookie) Persistent() bool { return c.persistent }

// Expires returns the expiry-time, which is zero for a cookie that is not persistent.
func (c Cookie) Expires() time.Time { return c.expires }

// Created returns the creation-time. A cookie that replaces another one has that one's.
func (c Cookie) Created() time.Time { return c.created }

// Partition returns the partition in which alone the cookie is found, such as "https://shop.test": the
// top-level site, and whether a document on the way to it is of another one. It is "none" for a cookie
// that is found everywhere.
func (c Cookie) Partition() string { return c.partition.String() }

// String returns the cookie without its value, such as
// "sessionid=…; host=shop.test; Path=/; Secure; HttpOnly; SameSite=Lax". A cookie that goes to
// subdomains too has Domain in place of host.
func (c Cookie) String() string {
	var b strings.Builder
	b.WriteString(c.name + "=…; ")
	if c.hostOnly {
		b.WriteString("host=")
	} else {
		b.WriteString("Domain=")
	}
	b.WriteString(unfolded(c.domain) + "; Path=" + unfolded(c.path))
	if c.secure {
		b.WriteString("; Secure")
	}
	if c.httpOnly {
		b.WriteString("; HttpOnly")
	}
	if c.sameSite != cookie.SameSiteDefault {
		b.WriteString("; SameSite=" + c.sameSite.String())
	}
	if c.partition != (partition{}) {
		b.WriteString("; partition=" + c.partition.String())
	}
	return b.String()
}

// unfolded takes the value of another cookie out of an attribute. A proxy that joins Set-Cookie lines with
// commas makes the pair of the second a part of the last attribute of the first.
func unfolded(attribute string) string {
	parts := strings.Split(attribute, ",")
	for i, part := range parts[1:] {
		if name, _, pair := strings.Cut(part, "="); pair {
			parts[i+1] = name + "=…"
		}
	}
	return strings.Join(parts, ",")
}

// GoString is String, so that no way of printing shows the value.
func (c Cookie) GoString() string { return c.String() }

// LogValue implements [slog.LogValuer] with String.
func (c Cookie) LogValue() slog.Value { return slog.StringValue(c.String()) }

// expired reports whether the cookie is to be forgotten at now.
func (c *Cookie) expired(now time.Time) bool { return c.persistent && !c.expires.After(now) }

// covers reports whether requests to host are among those the cookie is for.
func (c *Cookie) covers(host string) bool {
	if c.hostOnly {
		return host == c.domain
	}
	return cookie.DomainMatch(host, c.domain)
}

// same reports whether c and other have the same identity, so that one replaces the other.
//
// RFC 6265bis-22, section 5.7, step 23.
func (c *Cookie) same(other *Cookie) bool {
	return c.name == other.name && c.domain == other.domain &&
		c.hostOnly == other.hostOnly && c.path == other.path && c.partition == other.partition
}

// facts tells a request and a cookie, in the words of the draft.
func facts(t *target, c *Cookie) []rule.Fact {
	f := []rule.Fact{
		{Name: "request-host", Value: t.host},
		{Name: "request-path", Value: t.path},
		{Name: "secure connection", Value: strconv.FormatBool(t.secure())},
		{Name: "domain", Value: unfolded(c.domain)},
		{Name: "host-only-flag", Value: strconv.FormatBool(c.hostOnly)},
		{Name: "path", Value: unfolded(c.path)},
		{Name: "secure-only-flag", Value: strconv.FormatBool(c.secure)},
		{Name: "http-only-flag", Value: strconv.FormatBool(c.httpOnly)},
		{Name: "same-site-flag", Value: c.sameSite.String()},
		{Name: "persistent-flag", Value: strconv.FormatBool(c.persistent)},
		{Name: "creation-time", Value: formatTime(c.created)},
	}
	if c.persistent {
		f = append(f, rule.Fact{Name: "expiry-time", Value: formatTime(c.expires)})
	}
	if c.partition != (partition{}) {
		f = append(f, rule.Fact{Name: "cookie's partition", Value: c.partition.String()})
	}
	return f
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
