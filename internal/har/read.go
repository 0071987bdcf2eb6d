package har

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits of a recording. Beyond one Read fails and says which.
const (
	MaxSize    = 1 << 30  // bytes of the file; what is more ends the reading
	MaxEntries = 100_000  // requests
	maxKept    = 64 << 20 // bytes of the URLs, headers and cookies that are kept
	maxURL     = 64 << 10 // bytes of the URL of an http request
	maxValue   = 256 << 10
	maxFields  = 2000 // lines of a header, and cookies
	maxWord    = 1 << 10
	maxPages   = 10_000
	maxTaken   = 24 * time.Hour // one request
)

// A Log is a recording, as far as cookies depend on it.
type Log struct {
	Creator string            // what recorded it, with its version
	Browser string            // which browser, when the recorder tells
	Pages   map[string]string // the titles of pages by their IDs; in some recordings a title is the URL
	Entries []Entry
	Left    int // entries that are no requests over http, https, ws or wss, or open a tunnel, which are not in Entries
}

// An Entry is one request and its answer.
type Entry struct {
	Started  time.Time     // when the request began
	Taken    time.Duration // until the header of the answer was there, as far as is known
	Method   string
	URL      string
	Kind     string // what the answer was for, such as document or image; "" when the recorder does not tell
	Page     string // the ID of the page in which it was asked for; "" when the recorder does not tell
	Parser   string // the URL of the document whose markup led to the request, where the recorder tells
	Sent     Header
	Status   int  // 0 when there was no answer
	Local    bool // the answer came from a cache or a service worker, and no request left
	Received Header
}

// HasCookies reports whether any request carries cookies, and whether any answer sets some. Where both are
// missing, the recording was most likely saved without them.
func (l *Log) HasCookies() (sent, set bool) {
	for i := range l.Entries {
		sent = sent || l.Entries[i].Sent.First("Cookie") != ""
		set = set || len(l.Entries[i].Received.Values("Set-Cookie")) > 0
	}
	return sent, set
}

// SetCookie puts a pair into the Cookie line, in place of those of its name; "" takes those out.
func (e *Entry) SetCookie(name, pair string) {
	var pairs []string
	for one := range strings.SplitSeq(strings.Join(e.Sent.Values("Cookie"), "; "), "; ") {
		if have, _, _ := strings.Cut(one, "="); have != name && one != "" {
			pairs = append(pairs, one)
		}
	}
	if pair != "" {
		pairs = append(pairs, pair)
	}
	e.Sent = slices.DeleteFunc(slices.Clone(e.Sent), func(f Field) bool { return f.Name == "Cookie" })
	if len(pairs) > 0 {
		e.Sent = append(e.Sent, Field{"Cookie", strings.Join(pairs, "; ")})
	}
}

// A Header is those lines of a header on which cookies depend, in their order.
type Header []Field

// A Field is one line of a header.
type Field struct{ Name, Value string }

// Values returns the values of the lines called name, which is spelled as in Set-Cookie.
func (h Header) Values(name string) []string {
	var all []string
	for _, f := range h {
		if f.Name == name {
			all = append(all, f.Value)
		}
	}
	return all
}

// First returns the first value of the lines called name, or "".
func (h Header) First(name string) string {
	for _, f := range h {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// keptNames are the lines that are kept, by their names in lower case.
var keptNames = map[string]string{
	"accept": "Accept", "access-control-allow-credentials": "Access-Control-Allow-Credentials", "access-control-allow-origin": "Access-Control-Allow-Origin",
	"cookie": "Cookie", "origin": "Origin", "referer": "Referer", "sec-fetch-dest": "Sec-Fetch-Dest", "sec-fetch-mode": "Sec-Fetch-Mode",
	"sec-fetch-site": "Sec-Fetch-Site", "sec-fetch-user": "Sec-Fetch-User",
	"set-cookie": "Set-Cookie", "location": "Location", "strict-transport-security": "Strict-Transport-Security",
	"referrer-policy": "Referrer-Policy", "clear-site-data": "Clear-Site-Data", "content-type": "Content-Type",
	"server": "Server", "cf-ray": "Cf-Ray", // which name what stands before a site
	"non-authoritative-reason": "Non-Authoritative-Reason", // Chromium's mark of a redirect of its own, such as by HSTS
}

// Read reads a recording. progress, when not nil, is told now and then how many bytes are read. The error
// is an [*Error].
func Read(r io.Reader, progress func(read int64)) (*Log, error) {
	return readLimited(r, MaxSize, progress)
}

func readLimited(r io.Reader, most int64, progress func(read int64)) (*Log, error) {
	s := newScanner(r, most)
	s.progress = progress
	d := &reader{scanner: s, log: &Log{}}
	found := false
	if err := s.mark(); err != nil {
		return nil, err
	}
	err := s.object(func(name string) error {
		if name != "log" {
			return s.skip()
		}
		found = true
		return d.readLog()
	})
	if err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	if !found {
		return nil, &Error{Line: 1, Field: "log", Problem: "it is missing, so the file is no HAR"}
	}
	return d.log, nil
}

// mark passes over the mark that some programs put before UTF-8.
func (s *scanner) mark() error {
	for _, c := range []byte("\xef\xbb\xbf") {
		if !s.more() {
			return s.ended()
		}
		if s.buf[s.start] != c {
			return nil
		}
		s.start++
	}
	return nil
}

// A reader puts a recording together.
type reader struct {
	*scanner
	log   *Log
	kept  int
	pages int
}

func (d *reader) readLog() error {
	return d.object(func(name string) error {
		switch name {
		case "creator":
			return d.program(&d.log.Creator)
		case "browser":
			return d.program(&d.log.Browser)
		case "pages":
			if none, err := d.absent(); none || err != nil {
				return err
			}
			return d.array(d.page)
		case "entries":
			return d.array(d.entry)
		}
		return d.skip()
	})
}

// program reads the name and version of a program.
func (d *reader) program(to *string) error {
	if none, err := d.absent(); none || err != nil {
		return err
	}
	var name, version string
	err := d.object(func(field string) error {
		switch field {
		case "name":
			return d.word(&name)
		case "version":
			return d.word(&version)
		}
		return d.skip()
	})
	*to = strings.TrimSpace(name + " " + version)
	return err
}

// page reads the ID and title of a page.
func (d *reader) page() error {
	var id, title string
	err := d.object(func(field string) error {
		switch field {
		case "id":
			return d.word(&id)
		case "title":
			return d.word(&title)
		}
		return d.skip()
	})
	if err != nil || id == "" || title == "" {
		return err
	}
	if d.pages++; d.pages > maxPages {
		return d.fail("more than %d pages", maxPages)
	}
	if d.log.Pages == nil {
		d.log.Pages = map[string]string{}
	}
	d.log.Pages[id] = title
	return d.keeping(len(id) + len(title))
}

// repeated is word of what most entries have alike, which then takes memory once.
func (d *reader) repeated(to *string) error {
	if none, err := d.absent(); none || err != nil {
		return err
	}
	text, _, err := d.text(maxWord)
	if err != nil || len(text) == 0 {
		return err
	}
	*to = d.known(text)
	return d.keeping(len(text))
}

// initiator reads what led to a request. Of a script it tells the URL of the script, which is not that of
// its document.
func (d *reader) initiator(to *string) error {
	c, err := d.next()
	if err != nil {
		return err
	}
	if c != '{' {
		return d.skip()
	}
	var kind, at string
	err = d.object(func(field string) error {
		switch field {
		case "type":
			return d.repeated(&kind)
		case "url":
			return d.word(&at)
		}
		return d.skip()
	})
	if err != nil || kind != "parser" {
		return err
	}
	*to = at
	return d.keeping(len(at))
}

// word reads a short text into to; a longer one is cut, and null leaves it.
func (d *reader) word(to *string) error {
	if none, err := d.absent(); none || err != nil {
		return err
	}
	text, _, err := d.text(maxWord)
	if err == nil {
		*to = string(text)
	}
	return err
}

func (d *reader) entry() error {
	if len(d.log.Entries) >= MaxEntries {
		return d.fail("more than %d requests", MaxEntries)
	}
	var (
		e       Entry
		total   float64
		receive float64
		cache   string
		web     = true
		hasDate bool
		cookies [2][]Field // of the request and the answer, for who leaves the headers out
	)
	err := d.object(func(name string) error {
		var err error
		switch name {
		case "startedDateTime":
			hasDate = true
			e.Started, err = d.date()
		case "time":
			total, err = d.milliseconds()
		case "timings":
			receive, err = d.timings()
		case "_resourceType":
			err = d.repeated(&e.Kind)
		case "pageref":
			err = d.repeated(&e.Page)
		case "_initiator":
			err = d.initiator(&e.Parser)
		case "_fromCache":
			err = d.word(&cache)
		case "request":
			web, err = d.request(&e, &cookies[0])
		case "response":
			err = d.response(&e, &cookies[1])
		default:
			err = d.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if !web || e.Method == http.MethodConnect {
		d.log.Left++
		return nil
	}
	switch {
	case e.URL == "":
		return d.fail("the request has no url")
	case !hasDate:
		return d.fail("the entry has no startedDateTime")
	}
	e.Taken = time.Duration(max(total-max(receive, 0), 0) * float64(time.Millisecond))
	e.Local = e.Local || cache != ""
	e.fill(cookies)
	d.log.Entries = append(d.log.Entries, e)
	return nil
}

// fill makes header lines of the lists of cookies, where a recorder has those alone.
func (e *Entry) fill(cookies [2][]Field) {
	if len(cookies[0]) > 0 && e.Sent.First("Cookie") == "" {
		pairs := make([]string, len(cookies[0]))
		for i, c := range cookies[0] {
			pairs[i] = c.Name + "=" + c.Value
		}
		e.Sent = append(e.Sent, Field{"Cookie", strings.Join(pairs, "; ")})
	}
	if len(e.Received.Values("Set-Cookie")) > 0 {
		return
	}
	for _, c := range cookies[1] {
		e.Received = append(e.Received, Field{"Set-Cookie", c.Name + "=" + c.Value})
	}
}

// date reads a moment as ISO 8601 has it.
func (d *reader) date() (time.Time, error) {
	text, cut, err := d.text(maxWord)
	if err != nil {
		return time.Time{}, err
	}
	if !cut {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"} {
			if t, err := time.Parse(layout, string(text)); err == nil && t.Year() >= 1970 && t.Year() < 10000 {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, d.fail("%s is no date such as 2026-11-25T20:31:03.123Z", shown(string(text)))
}

// milliseconds reads a time that something took; -1 says that it is not known.
func (d *reader) milliseconds() (float64, error) {
	if none, err := d.absent(); none || err != nil {
		return -1, err
	}
	n, err := d.number()
	if err != nil {
		return 0, err
	}
	if n < 0 && n != -1 {
		return 0, d.fail("%v milliseconds are less than none", n)
	}
	if limit := float64(maxTaken / time.Millisecond); n > limit {
		return 0, d.fail("%v milliseconds are more than a request takes", n)
	}
	return n, nil
}

func (d *reader) timings() (receive float64, err error) {
	if none, err := d.absent(); none || err != nil {
		return 0, err
	}
	err = d.object(func(name string) error {
		if name != "receive" {
			return d.skip()
		}
		receive, err = d.milliseconds()
		return err
	})
	return receive, err
}

// request reads what was asked. web says that it was over http, https, ws or wss.
func (d *reader) request(e *Entry, cookies *[]Field) (web bool, err error) {
	web = true
	err = d.object(func(name string) error {
		switch name {
		case "method":
			return d.repeated(&e.Method)
		case "url":
			web, err = d.url(&e.URL)
			return err
		case "headers":
			return d.header(&e.Sent)
		case "cookies":
			return d.cookies(cookies, false)
		}
		return d.skip()
	})
	return web, err
}

// url reads a URL. One of another scheme may be as long as it likes, such as data.
func (d *reader) url(to *string) (web bool, err error) {
	text, cut, err := d.text(maxURL)
	if err != nil {
		return false, err
	}
	scheme, _, _ := bytes.Cut(text, []byte(":"))
	switch strings.ToLower(string(scheme)) {
	case "http", "https", "ws", "wss":
	default:
		return false, nil
	}
	if cut {
		return false, d.fail("the URL is longer than %d bytes", maxURL)
	}
	*to = string(text)
	return true, d.keeping(len(text))
}

func (d *reader) response(e *Entry, cookies *[]Field) error {
	if none, err := d.absent(); none || err != nil {
		return err
	}
	return d.object(func(name string) error {
		switch name {
		case "status":
			return d.status(&e.Status)
		case "headers":
			return d.header(&e.Received)
		case "cookies":
			return d.cookies(cookies, true)
		case "_fetchedViaServiceWorker":
			var err error
			e.Local, err = d.truth()
			return err
		}
		return d.skip()
	})
}

// status reads a status; that of a request without an answer is 0 for some recorders and -1 for others.
func (d *reader) status(to *int) error {
	if none, err := d.absent(); none || err != nil {
		return err
	}
	n, err := d.number()
	if err != nil {
		return err
	}
	if n != math.Trunc(n) || n < -1 || n > 999 {
		return d.fail("%v is no status", n)
	}
	*to = max(int(n), 0)
	return nil
}

// header reads the lines of a header and keeps those on which cookies depend.
func (d *reader) header(to *Header) error {
	*to = nil
	if none, err := d.absent(); none || err != nil {
		return err
	}
	count, cookies := 0, 0
	return d.array(func() error {
		if count++; count > maxFields {
			return d.fail("the header has more than %d lines", maxFields)
		}
		name, value, err := d.pair()
		if err != nil || name == "" {
			return err
		}
		if name == "Cookie" {
			if cookies += 1 + strings.Count(value, ";"); cookies > maxFields {
				return d.fail("there are more than %d cookies", maxFields)
			}
		}
		for _, one := range d.split(name, value) {
			*to = append(*to, Field{name, one})
		}
		return nil
	})
}

// pair reads a line of a header: its name is "" when it is not kept. Which of the two comes first is the
// recorder's affair.
func (d *reader) pair() (name, value string, err error) {
	var known, named, cut bool
	err = d.object(func(field string) error {
		switch field {
		case "name":
			text, _, err := d.text(maxKey)
			if err == nil {
				named = true
				name, known = keptNames[strings.ToLower(string(text))]
			}
			return err
		case "value":
			if none, err := d.absent(); none || err != nil {
				return err
			}
			limit := maxValue
			if named && !known {
				limit = 0
			}
			text, long, err := d.text(limit)
			if err == nil && limit > 0 {
				value, cut = string(text), long
			}
			return err
		}
		return d.skip()
	})
	if err != nil || !known {
		return "", "", err
	}
	if cut {
		return "", "", d.fail("the value of %s is longer than %d bytes", name, maxValue)
	}
	return name, value, d.keeping(len(value))
}

// split takes lines apart that a recorder has put into one: Chromium puts line feeds between them, and
// WebKit joins Set-Cookie with commas.
func (d *reader) split(name, value string) []string {
	if strings.Contains(value, "\n") {
		return strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })
	}
	if name == "Set-Cookie" && strings.HasPrefix(d.log.Creator, "WebKit") {
		return unfold(value)
	}
	return []string{value}
}

// unfold splits Set-Cookie lines that were joined with ", ". A comma in a date is followed by a day and
// not by a name with its equals sign.
func unfold(value string) []string {
	var lines []string
	start := 0
	for i := 0; i+2 < len(value); i++ {
		if value[i] == ',' && value[i+1] == ' ' && beginsCookie(value[i+2:]) {
			lines = append(lines, value[start:i])
			start = i + 2
		}
	}
	return append(lines, value[start:])
}

// beginsCookie reports whether s begins with a name, as RFC 9110 has names, and an equals sign.
func beginsCookie(s string) bool {
	i := strings.IndexAny(s, "=;, \t")
	return i > 0 && s[i] == '='
}

// cookies reads the list of cookies that recorders keep beside the headers. With attributes, each value
// has those that follow it in a Set-Cookie line.
func (d *reader) cookies(to *[]Field, attributes bool) error {
	if none, err := d.absent(); none || err != nil {
		return err
	}
	*to = nil
	return d.array(func() error {
		if len(*to) >= maxFields {
			return d.fail("there are more than %d cookies", maxFields)
		}
		c, err := d.cookie(attributes)
		if err == nil && c != (Field{}) {
			*to = append(*to, c)
			err = d.keeping(len(c.Name) + len(c.Value))
		}
		return err
	})
}

func (d *reader) cookie(attributes bool) (Field, error) {
	var (
		c                               Field
		path, domain, expires, sameSite string
		flags                           string
	)
	texts := map[string]*string{"name": &c.Name, "path": &path, "domain": &domain, "expires": &expires, "sameSite": &sameSite}
	err := d.object(func(field string) error {
		if to := texts[field]; to != nil {
			return d.word(to)
		}
		switch field {
		case "value":
			if none, err := d.absent(); none || err != nil {
				return err
			}
			text, _, err := d.text(maxValue)
			c.Value = string(text)
			return err
		case "httpOnly", "secure":
			on, err := d.truth()
			if on {
				flags += "; " + map[string]string{"httpOnly": "HttpOnly", "secure": "Secure"}[field]
			}
			return err
		}
		return d.skip()
	})
	if !attributes {
		return c, err
	}
	for _, a := range []Field{{"Path", path}, {"Domain", domain}, {"SameSite", sameSite}} {
		if a.Value != "" {
			c.Value += "; " + a.Name + "=" + a.Value
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, expires); err == nil {
		c.Value += "; Expires=" + t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	c.Value += flags
	return c, err
}

// truth reads true, false or null.
func (d *reader) truth() (bool, error) {
	if _, err := d.next(); err != nil {
		return false, err
	}
	word, err := d.literal()
	if err == nil && word != "true" && word != "false" && word != "null" {
		err = d.fail("%s is neither true nor false", shown(word))
	}
	return word == "true", err
}

// keeping counts what is kept of the whole recording.
func (d *reader) keeping(n int) error {
	if d.kept += n; d.kept > maxKept {
		return d.fail("URLs, headers and cookies have more than %d bytes together", maxKept)
	}
	return nil
}
