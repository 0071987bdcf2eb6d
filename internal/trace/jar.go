package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
)

// JarSchema names the form of the lines of a jar file. A program that does not know a field of it refuses
// the file: a cookie without one of its attributes would go where it must not.
const JarSchema = "lockstep.jar/2"

// firstJarSchema is that of files that do not name a profile. Those of RFC 6265bis alone were kept then.
const firstJarSchema = "lockstep.jar/1"

// Limits of a jar file.
const (
	maxJarLine  = 64 << 10 // bytes; a cookie needs less, escaped to the last byte
	maxJarLines = 20_000   // browsers keep fewer
)

// A jarLine is one line of a jar file. The first has the schema and the profile, the others a cookie or a
// host.
type jarLine struct {
	Schema  string     `json:"schema,omitempty"`
	Profile string     `json:"profile,omitempty"`
	Cookie  *jarCookie `json:"cookie,omitempty"`
	HSTS    *jarHost   `json:"hsts,omitempty"`
}

type jarCookie struct {
	Name     jarBytes `json:"name"`
	Value    jarBytes `json:"value"`
	Domain   string   `json:"domain"`
	HostOnly bool     `json:"host_only"`
	Path     jarBytes `json:"path"`
	Secure   bool     `json:"secure"`
	HttpOnly bool     `json:"http_only"`
	SameSite string   `json:"same_site"`
	Created  string   `json:"created"`
	Expires  string   `json:"expires,omitempty"`

	Partition *jarPartition `json:"partition,omitempty"`
}

type jarPartition struct {
	Site      string `json:"site"`
	TLS       bool   `json:"tls"`
	CrossSite bool   `json:"cross_site"`
}

type jarHost struct {
	Host              string `json:"host"`
	IncludeSubDomains bool   `json:"include_subdomains"`
	Expires           string `json:"expires"`
}

// jarBytes are bytes that need be no UTF-8: each is written as the character with its number.
type jarBytes string

// MarshalJSON implements [json.Marshaler].
func (b jarBytes) MarshalJSON() ([]byte, error) {
	runes := make([]rune, len(b))
	for i := range len(b) {
		runes[i] = rune(b[i])
	}
	return json.Marshal(string(runes))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (b *jarBytes) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range s {
		if r > 0xff {
			return fmt.Errorf("a character of a name, value or path is no byte: %q", r)
		}
		out.WriteByte(byte(r)) //nolint:gosec // it is one
	}
	*b = jarBytes(out.String())
	return nil
}

// WriteJar writes what a browser remembers at now, with the values of its cookies, and the name of its
// profile: the file is a secret.
func WriteJar(w io.Writer, b *browser.Browser, now time.Time) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(printableJSON{out})
	enc.SetEscapeHTML(false)
	state := b.State(now)
	lines := []jarLine{{Schema: JarSchema, Profile: b.Profile.Name()}}
	for _, c := range state.Cookies {
		k := &jarCookie{
			Name: jarBytes(c.Name), Value: jarBytes(c.Value), Domain: c.Domain, HostOnly: c.HostOnly, Path: jarBytes(c.Path),
			Secure: c.Secure, HttpOnly: c.HttpOnly, SameSite: c.SameSite.String(), Created: c.Created.UTC().Format(time.RFC3339Nano),
		}
		if !c.Expires.IsZero() {
			k.Expires = c.Expires.UTC().Format(time.RFC3339Nano)
		}
		if p := jarPartition(c.Partition); p != (jarPartition{}) {
			k.Partition = &p
		}
		lines = append(lines, jarLine{Cookie: k})
	}
	for _, h := range state.HSTS {
		lines = append(lines, jarLine{HSTS: &jarHost{Host: h.Host, IncludeSubDomains: h.IncludeSubDomains, Expires: h.Expiry.UTC().Format(time.RFC3339Nano)}})
	}
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return out.Flush()
}

// IsJar reports whether r begins like a jar file of any version.
func IsJar(r io.Reader) bool {
	start := make([]byte, len(jarStart))
	_, err := io.ReadFull(r, start)
	return err == nil && string(start) == jarStart
}

const jarStart = `{"schema":"lockstep.jar/`

// ReadJar returns a browser of the profile of a jar file that remembers at now what the file has. An error
// names line and field, and has no value in it.
func ReadJar(r io.Reader, now time.Time) (*browser.Browser, error) {
	var (
		b              browser.Browser
		state          browser.State
		cookies, hosts []int // the lines of the parts of state
		s              = bufio.NewScanner(r)
		n              = 0
	)
	s.Buffer(nil, maxJarLine)
	for s.Scan() {
		n++
		var l jarLine
		err := l.read(s.Bytes(), n == 1)
		switch {
		case err != nil:
		case n == 1:
			b.Profile, err = l.profile()
		case n > maxJarLines:
			err = fmt.Errorf("more than %d lines", maxJarLines)
		case l.Cookie != nil:
			var c browser.SavedCookie
			c, err = l.Cookie.saved()
			state.Cookies, cookies = append(state.Cookies, c), append(cookies, n)
		case l.HSTS != nil:
			var at time.Time
			at, err = jarTime("hsts.expires", l.HSTS.Expires)
			state.HSTS = append(state.HSTS, browser.HSTSHost{Host: l.HSTS.Host, IncludeSubDomains: l.HSTS.IncludeSubDomains, Expiry: at})
			hosts = append(hosts, n)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: it is longer than %d bytes", n+1, maxJarLine)
	} else if err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	if n == 0 {
		return nil, errors.New("line 1: it is empty, and a jar begins with its schema")
	}
	if err := b.Restore(state, now); err != nil {
		return nil, whereInJar(err, cookies, hosts)
	}
	return &b, nil
}

// whereInJar puts the line before an error about a part of a state.
func whereInJar(err error, cookies, hosts []int) error {
	var e *browser.StateError
	switch {
	case !errors.As(err, &e):
		return err
	case e.Cookie > 0:
		return fmt.Errorf("line %d: %w", cookies[e.Cookie-1], err)
	}
	return fmt.Errorf("line %d: %w", hosts[e.Host-1], err)
}

// read reads one line. The first, and no other, has the schema.
func (l *jarLine) read(text []byte, first bool) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return jarMistake(err)
	}
	if d.More() {
		return errors.New("there is more than one value")
	}
	parts := 0
	for _, there := range []bool{l.Schema != "", l.Cookie != nil, l.HSTS != nil} {
		if there {
			parts++
		}
	}
	switch {
	case first && l.Schema != JarSchema && l.Schema != firstJarSchema:
		return fmt.Errorf("schema is %q, and this program reads %q", l.Schema, JarSchema)
	case parts != 1, !first && (l.Schema != "" || l.Profile != ""):
		return errors.New("it has none of cookie and hsts, or more than one part")
	}
	return nil
}

// profile is the one that the first line names.
func (l *jarLine) profile() (browser.Profile, error) {
	if l.Schema == firstJarSchema && l.Profile == "" {
		return browser.Profile{}, nil
	}
	p, ok := browser.ProfileNamed(l.Profile)
	if !ok {
		return p, fmt.Errorf("field profile: %q is none that this program has", l.Profile)
	}
	return p, nil
}

// jarMistake is an error of encoding/json without what the line holds.
func jarMistake(err error) error {
	var (
		wrongType *json.UnmarshalTypeError
		syntax    *json.SyntaxError
	)
	switch {
	case errors.As(err, &wrongType):
		return fmt.Errorf("field %s: a %s where a %s belongs", wrongType.Field, strings.Fields(wrongType.Value + " ")[0], wrongType.Type)
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: it is no JSON", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends in the middle of a value")
	}
	return err
}

func (c *jarCookie) saved() (browser.SavedCookie, error) {
	s := browser.SavedCookie{
		Name: string(c.Name), Value: string(c.Value), Domain: c.Domain, HostOnly: c.HostOnly, Path: string(c.Path),
		Secure: c.Secure, HttpOnly: c.HttpOnly, SameSite: -1,
	}
	if c.Partition != nil {
		s.Partition = browser.SavedPartition(*c.Partition)
	}
	for k := cookie.SameSiteDefault; k <= cookie.SameSiteStrict; k++ {
		if k.String() == c.SameSite {
			s.SameSite = k
		}
	}
	if s.SameSite < 0 {
		return s, fmt.Errorf("field cookie.same_site: %q is none of Default, None, Lax and Strict", c.SameSite)
	}
	var err error
	if s.Created, err = jarTime("cookie.created", c.Created); err != nil || c.Expires == "" {
		return s, err
	}
	s.Expires, err = jarTime("cookie.expires", c.Expires)
	return s, err
}

func jarTime(field, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1970 {
		return t, fmt.Errorf("field %s: %q is no time such as 2026-11-25T20:31:03Z", field, text)
	}
	return t, nil
}
