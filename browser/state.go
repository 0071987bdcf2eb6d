package browser

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/cookie"
)

// A State is what a Browser remembers, as data that can be kept and given to another Browser. It has the
// values of the cookies, which may be secrets.
type State struct {
	Cookies []SavedCookie // in the order in which they were first stored
	HSTS    []HSTSHost    // ordered by name, without those that came with the browser
}

// A SavedCookie is a stored cookie as data.
type SavedCookie struct { //nolint:recvcheck // the methods that print have no pointer
	Name, Value      string
	Domain, Path     string
	HostOnly         bool
	Secure, HttpOnly bool
	SameSite         cookie.SameSite
	Expires          time.Time // zero: until the browser closes
	Created          time.Time
	Partition        SavedPartition
}

// A SavedPartition is the partition of a cookie as data; the zero one is that of a cookie without one.
type SavedPartition struct {
	Site      string // of the page on top
	TLS       bool   // whether that page is https
	CrossSite bool   // whether a frame on the way to it is of another site
}

// String returns the cookie without its value.
func (c SavedCookie) String() string {
	k := c.cookie(c.Created)
	return k.String()
}

// GoString is String, so that no way of printing shows the value.
func (c SavedCookie) GoString() string { return c.String() }

// LogValue implements [slog.LogValuer] with String.
func (c SavedCookie) LogValue() slog.Value { return slog.StringValue(c.String()) }

// A StateError is what no browser can remember in a State.
type StateError struct {
	Cookie, Host int    // which one, counted from 1; one of the two is 0
	Field        string // such as Path; "" for all of it
	Problem      string
}

// Error implements error.
func (e *StateError) Error() string {
	where := fmt.Sprintf("cookie %d", e.Cookie)
	if e.Cookie == 0 {
		where = fmt.Sprintf("known HSTS host %d", e.Host)
	}
	if e.Field != "" {
		where += ", " + e.Field
	}
	return where + ": " + e.Problem
}

// State returns what the browser remembers at now: all that has not expired.
func (b *Browser) State(now time.Time) State {
	s := State{HSTS: slices.DeleteFunc(b.KnownHSTSHosts(now), func(h HSTSHost) bool { return h.Preloaded })}
	for _, c := range b.Cookies(now) {
		s.Cookies = append(s.Cookies, SavedCookie{
			Name: c.name, Value: c.value, Domain: c.domain, Path: c.path, HostOnly: c.hostOnly,
			Secure: c.secure, HttpOnly: c.httpOnly, SameSite: c.sameSite, Expires: c.expires, Created: c.created,
			Partition: SavedPartition{Site: c.partition.site, TLS: c.partition.tls, CrossSite: c.partition.crossSite},
		})
	}
	return s
}

// Restore makes the browser remember s, and beside it only what came with it, as of now. What has expired by then is left out,
// and times that no browser would have given are brought to those that it would. The error is a
// [*StateError] about what no line could have made a browser of this profile store; then the browser is as
// it was.
func (b *Browser) Restore(s State, now time.Time) error {
	var (
		cookies cookieStore
		hsts    hstsStore
	)
	for i := range s.Cookies {
		c := &s.Cookies[i]
		if field, problem := c.problem(&b.Profile); problem != "" {
			return &StateError{Cookie: i + 1, Field: field, Problem: problem}
		}
		k := c.cookie(now)
		site := cookie.RegistrableDomain(k.domain)
		if cookies.find(site, &k) != nil {
			return &StateError{Cookie: i + 1, Problem: "there is another one with this name, domain and path"}
		}
		if !k.expired(now) {
			cookies.insert(site, k, cmp.Or(b.MaxCookies, maxCookies), now)
		}
	}
	for i, h := range s.HSTS {
		if h.Preloaded || h.Host == "" || hstsName(&url.URL{Host: h.Host}) != h.Host || isIPAddress(h.Host) || cookie.Loopback(h.Host) {
			return &StateError{Host: i + 1, Field: "Host", Problem: fmt.Sprintf("%q is no canonical name that can be known", h.Host)}
		}
		if limit := now.Add(MaxHSTSLifetime); h.Expiry.After(limit) {
			h.Expiry = limit
		}
		if h.Expiry.After(now) {
			hsts.put(h, now)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.hsts.hosts {
		if h.Preloaded {
			hsts.put(h, now)
		}
	}
	b.cookies, b.hsts = cookies, hsts
	return nil
}

// cookie is c as the store has it.
func (c *SavedCookie) cookie(now time.Time) Cookie {
	k := Cookie{
		name: c.Name, value: c.Value, domain: c.Domain, path: c.Path, hostOnly: c.HostOnly,
		secure: c.Secure, httpOnly: c.HttpOnly, sameSite: c.SameSite,
		persistent: !c.Expires.IsZero(), expires: c.Expires, created: c.Created,
		partition: partition{site: c.Partition.Site, tls: c.Partition.TLS, crossSite: c.Partition.CrossSite},
	}
	if k.created.After(now) {
		k.created = now
	}
	if limit := now.Add(cookie.MaxLifetime); k.expires.After(limit) {
		k.expires = limit
	}
	return k
}

// problem returns why no line could have made a browser store c, and in which field; "" when one could. What
// a profile refuses beyond the standard is let be: the browser may have had another one before.
func (c *SavedCookie) problem(p *Profile) (field, problem string) {
	if host, err := cookie.CanonicalHost(c.Domain); err != nil || host != c.Domain {
		return "Domain", fmt.Sprintf("%q is no canonical host", c.Domain)
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsFunc(c.Path, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "Path", fmt.Sprintf("%q does not begin with a slash, or holds a control character", c.Path)
	}
	if c.SameSite < cookie.SameSiteDefault || c.SameSite > cookie.SameSiteStrict {
		return "SameSite", "it is none of Default, None, Lax and Strict"
	}
	if k := c.Partition; k != (SavedPartition{}) && k.Site != opaqueSite {
		if host, err := cookie.CanonicalHost(k.Site); err != nil || host != k.Site {
			return "Partition", fmt.Sprintf("%q is no site", k.Site)
		}
	}
	l := cookie.Parse(c.line())
	switch problems := p.problems(&l, c.Domain); {
	case len(problems) > 0:
		return "", "a browser refuses it, by " + string(problems[0])
	case l.Name != c.Name:
		return "Name", "no line gives it"
	case l.Value != c.Value:
		return "Value", "no line gives it"
	case l.HostOnly(c.Domain) != c.HostOnly:
		return "HostOnly", "the domain is a public suffix, which has host-only cookies alone"
	}
	return "", ""
}

// line is a line that sets c, but for its path and times: a Path that is the folder of a page may be longer
// than an attribute.
func (c *SavedCookie) line() string {
	parts := []string{c.Name + "=" + c.Value}
	for _, a := range []struct {
		there bool
		text  string
	}{
		{!c.HostOnly, "Domain=" + c.Domain},
		{c.Path == "/", "Path=/"},
		{c.Secure, "Secure"},
		{c.HttpOnly, "HttpOnly"},
		{c.SameSite != cookie.SameSiteDefault, "SameSite=" + c.SameSite.String()},
	} {
		if a.there {
			parts = append(parts, a.text)
		}
	}
	return strings.Join(parts, "; ")
}
