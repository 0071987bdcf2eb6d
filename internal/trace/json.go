package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lockstep-http/lockstep/rule"
)

// Schema names the form of the lines that WriteJSON writes. Its number goes up when a field changes
// its meaning or goes; a new field does not change it.
const Schema = "lockstep.trace/1"

// Lines of a saved run longer than this are refused.
const maxLine = 4 << 20

// A line is one line of a saved run: a hop, or a verdict of the hop before it.
type line struct {
	Schema  string        `json:"schema"`
	Kind    string        `json:"kind"` // "hop" or "verdict"
	Visit   int           `json:"visit"`
	Hop     int           `json:"hop"`
	Request *requestLines `json:"request,omitempty"`
	Verdict *rule.Verdict `json:"verdict,omitempty"`
}

type requestLines struct {
	Title    string         `json:"title,omitempty"`
	Then     string         `json:"then,omitempty"`
	As       string         `json:"as,omitempty"`
	Typed    string         `json:"typed"`
	From     string         `json:"from,omitempty"`
	Context  *Context       `json:"context,omitempty"`
	Profile  string         `json:"profile,omitempty"`
	At       time.Time      `json:"at"`
	Method   string         `json:"method"`
	URL      string         `json:"url"`
	Known    bool           `json:"known"`
	Left     bool           `json:"left"`
	Cookie   string         `json:"cookie,omitempty"`
	Sent     []Field        `json:"sent,omitempty"`
	Response *Response      `json:"response,omitempty"`
	Cookies  []StoredCookie `json:"cookies,omitempty"`
	HSTS     []KnownHost    `json:"hsts,omitempty"`
}

// WriteJSON writes the run, one JSON object a line: each hop, then each of its verdicts.
func (r *Run) WriteJSON(w io.Writer) error {
	for i := range r.Visits {
		if err := r.Visits[i].WriteJSON(w, i+1); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the lines of one visit, whose number in the run is given, for a run that is not kept
// whole.
func (v Visit) WriteJSON(w io.Writer, number int) error {
	enc := json.NewEncoder(printableJSON{w})
	enc.SetEscapeHTML(false)
	for _, l := range v.lines(number) {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// lines are those of a visit: each hop, then each of its verdicts.
func (v Visit) lines(number int) []line {
	var all []line
	for j, h := range v.Hops {
		all = append(all, line{Schema: Schema, Kind: "hop", Visit: number, Hop: j + 1, Request: &requestLines{
			Title: v.Title, Then: v.Then, As: v.As,
			Typed: v.Typed, From: v.From, Context: v.Context, Profile: v.Profile, At: h.At, Method: h.Method, URL: h.URL, Known: h.Known, Left: h.Left, Cookie: h.Cookie, Sent: h.Sent,
			Response: h.Response, Cookies: h.Cookies, HSTS: h.HSTS,
		}})
		for k := range h.Verdicts {
			all = append(all, line{Schema: Schema, Kind: "verdict", Visit: number, Hop: j + 1, Verdict: &h.Verdicts[k]})
		}
	}
	return all
}

// printableJSON escapes what a terminal would obey and JSON lets through, such as C1 control
// characters and changes of the writing direction. Each Write is whole JSON text.
type printableJSON struct{ w io.Writer }

// Write implements [io.Writer].
func (p printableJSON) Write(text []byte) (int, error) {
	var out bytes.Buffer
	rest := text
	for {
		i := printablePart(rest)
		if i == len(rest) {
			break
		}
		out.Write(rest[:i])
		r, n := utf8.DecodeRune(rest[i:])
		if high, low := utf16.EncodeRune(r); r > 0xFFFF {
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		} else {
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		rest = rest[i+n:]
	}
	if out.Len() == 0 {
		return p.w.Write(text)
	}
	out.Write(rest)
	if _, err := p.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// printablePart returns how much of the text is printable from its beginning on. What is below a space JSON
// escapes itself.
func printablePart(text []byte) int {
	for i := 0; i < len(text); {
		if text[i] < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if !strconv.IsPrint(r) {
			return i
		}
		i += n
	}
	return len(text)
}

// ReadJSON reads what WriteJSON wrote, so that a saved run can be told again by any writer.
func ReadJSON(r io.Reader) (Run, error) {
	var run Run
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return Run{}, fmt.Errorf("reading line %d of a saved run: %w", n, err)
		}
		if err := run.add(l); err != nil {
			return Run{}, fmt.Errorf("reading line %d of a saved run: %w", n, err)
		}
	}
	if err := s.Err(); err != nil {
		return Run{}, fmt.Errorf("reading a saved run: %w", err)
	}
	if len(run.Visits) == 0 {
		return Run{}, errors.New("reading a saved run: it holds no hop")
	}
	return run, nil
}

// add appends one line to the run; lines come in the order in which they were written.
func (r *Run) add(l line) error {
	if l.Schema != Schema {
		return fmt.Errorf("schema %q is not %q", l.Schema, Schema)
	}
	if l.Visit < 1 || l.Hop < 1 {
		return fmt.Errorf("hop %d of visit %d: both count from 1", l.Hop, l.Visit)
	}
	switch {
	case l.Kind == "hop" && l.Request != nil:
		q := l.Request
		if l.Visit == len(r.Visits)+1 && l.Hop == 1 {
			r.Visits = append(r.Visits, Visit{Title: q.Title, Then: q.Then, As: q.As, Typed: q.Typed, From: q.From, Context: q.Context, Profile: q.Profile})
		}
		if l.Visit != len(r.Visits) || l.Hop != len(r.Visits[l.Visit-1].Hops)+1 {
			return fmt.Errorf("hop %d of visit %d is out of order", l.Hop, l.Visit)
		}
		v := &r.Visits[l.Visit-1]
		v.Hops = append(v.Hops, Hop{
			At: q.At, Method: q.Method, URL: q.URL, Known: q.Known, Left: q.Left, Cookie: q.Cookie, Sent: q.Sent,
			Response: q.Response, Cookies: q.Cookies, HSTS: q.HSTS,
		})
	case l.Kind == "verdict" && l.Verdict != nil:
		if l.Visit != len(r.Visits) || l.Hop != len(r.Visits[l.Visit-1].Hops) {
			return fmt.Errorf("a verdict of hop %d of visit %d is out of order", l.Hop, l.Visit)
		}
		h := r.Visits[l.Visit-1].Last()
		h.Verdicts = append(h.Verdicts, *l.Verdict)
	default:
		return fmt.Errorf("kind %q is neither a hop nor a verdict", l.Kind)
	}
	return nil
}
