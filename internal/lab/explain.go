package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/check"
	"github.com/lockstep-http/lockstep/internal/har"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/settings"
)

// Limits of what is explained.
const (
	maxLine     = 64 << 10 // bytes of a Set-Cookie line
	maxLineURL  = 4 << 10  // bytes of the URL of the answer that has it
	maxSettings = 2 << 20  // bytes of what diffsettings prints
	maxPatterns = 20_000   // characters that the patterns of SECURE_REDIRECT_EXEMPT come to, repetitions written out
	maxItems    = 300      // of a list among the settings: the audit holds each against every other
	maxShown    = 200      // cookies of a recording, and differences, that are told; the rest is counted
)

// pasted is what somebody wants explained.
type pasted struct {
	Kind    string `json:"kind"` // line, har or settings
	Text    string `json:"text"`
	URL     string `json:"url"`               // of a line: whose answer has it
	Profile string `json:"profile,omitempty"` // of the browser; "" is chromium
}

// explained is one of the three.
type explained struct {
	Line     *trace.LineStory `json:"line,omitempty"`
	HAR      *recording       `json:"har,omitempty"`
	Settings json.RawMessage  `json:"settings,omitempty"` // as lockstep check --format json has it
}

func (s *Server) postExplain(r *http.Request) (any, error) {
	out := new(explained)
	// What is read is large, so it waits for its turn before it is read. That it does not arrive ends the
	// request, and is told none the less.
	var unread error
	err := s.pastes.do(r.Context(), func(ctx context.Context) error {
		b, paced := r.Body.(*body)
		if paced {
			b.within(pasteArrival)
		}
		var p pasted
		if unread = read(r, maxPasted, &p); unread != nil {
			return unread
		}
		if paced {
			b.within(pasteTimeout) // the server reads on, to notice a page that goes
		}
		profile, ok := browser.ProfileNamed(p.Profile)
		if p.Profile == "" {
			profile, ok = browser.Chromium(), true
		}
		if !ok {
			return unfit("there is no such browser", "take one of those that the page offers")
		}
		return s.explain(ctx, p, &browser.Browser{Profile: profile}, out)
	})
	if err := cmp.Or(unread, err); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Server) explain(ctx context.Context, p pasted, b *browser.Browser, out *explained) (err error) {
	switch p.Kind {
	case "line":
		out.Line, err = s.line(p, b)
	case "har":
		out.HAR, err = playRecording(p.Text, b)
	case "settings":
		out.Settings, err = audit(ctx, p.Text)
	default:
		err = unfit("that is neither line, har nor settings", "reload the page")
	}
	return err
}

func unfit(text, hint string) *trouble { return &trouble{http.StatusUnprocessableEntity, text, hint} }

// line explains a Set-Cookie line, with or without the header's name.
func (s *Server) line(p pasted, b *browser.Browser) (*trace.LineStory, error) {
	const name = "Set-Cookie:"
	line := strings.TrimSpace(p.Text)
	if len(line) >= len(name) && strings.EqualFold(line[:len(name)], name) {
		line = strings.Trim(line[len(name):], " \t")
	}
	switch {
	case line == "":
		return nil, unfit("there is no line to explain", "paste one, such as Set-Cookie: id=1; Secure; HttpOnly")
	case len(line) > maxLine:
		return nil, unfit(fmt.Sprintf("the line is longer than %s", size(maxLine)), "a browser refuses name and value together above 4096 bytes")
	case strings.ContainsAny(line, "\r\n"):
		return nil, unfit("that is more than one line", "paste one Set-Cookie line at a time")
	case len(p.URL) > maxLineURL:
		return nil, unfit(fmt.Sprintf("the URL is longer than %s", size(maxLineURL)), "such as https://shop.test/")
	}
	at, err := trace.ParseLineURL(p.URL)
	if err != nil {
		return nil, unfit(err.Error(), "such as https://shop.test/")
	}
	story := trace.ExplainLine(b, line, at, time.Now(), false, s.catalogue.Lookup)
	return &story, nil
}

// A recording is what there is to tell of a HAR.
type recording struct {
	Summary     []string       `json:"summary"`
	Cookies     []playedCookie `json:"cookies"`
	More        int            `json:"more"` // cookies beyond those
	Differences []string       `json:"differences"`
	MoreDiffer  int            `json:"moreDifferences"`
}

type playedCookie struct {
	Site     string `json:"site"`
	Name     string `json:"name"`
	Sent     int    `json:"sent"`
	Stored   string `json:"stored"`
	Refused  string `json:"refused"`
	KeptBack string `json:"keptBack"`
}

func playRecording(text string, b *browser.Browser) (*recording, error) {
	log, err := har.Read(strings.NewReader(text), func(int64) {})
	if err != nil {
		return nil, unfit("reading the recording: "+problemOf(err), "a recording is a HAR file: in the developer tools, Network, Export HAR; one without the bodies of answers is smaller")
	}
	if sent, set := log.HasCookies(); !sent && !set {
		return nil, unfit(fmt.Sprintf("the recording has %d requests and no cookie", len(log.Entries)), "browsers leave cookies out unless told otherwise: export with sensitive data, and handle the file like a password")
	}
	played, err := trace.PlayHAR(log, b, false, func(trace.Visit) error { return nil })
	if err != nil {
		return nil, unfit("playing the recording: "+problemOf(err), "record it again")
	}
	return tellRecording(played), nil
}

func tellRecording(p *trace.Playback) *recording {
	r := &recording{Summary: p.Summary(), Cookies: []playedCookie{}, Differences: p.Differ(), More: p.MoreCookies, MoreDiffer: p.MoreDifferences}
	for _, c := range p.Cookies {
		if len(r.Cookies) == maxShown {
			r.More += len(p.Cookies) - maxShown
			break
		}
		r.Cookies = append(r.Cookies, playedCookie{trace.Printable(c.Site), trace.Printable(c.Name), c.Sent, c.Stored.String(), c.Refused.String(), c.KeptBack.String()})
	}
	if more := len(r.Differences) - maxShown; more > 0 {
		r.Differences, r.MoreDiffer = r.Differences[:maxShown], r.MoreDiffer+more
	}
	return r
}

// problemOf is an error of a recording, which names the place and the limit.
func problemOf(err error) string {
	if place, ok := errors.AsType[*har.Error](err); ok {
		return trace.Printable(place.Error())
	}
	return trace.Printable(shorten(err.Error()))
}

// longList names a setting that is a list of more items than are looked at; "" is none.
func longList(p *settings.Project) string {
	for _, v := range p.Values() {
		if items, ok := v.Python.([]any); ok && len(items) > maxItems {
			return v.Name
		}
	}
	return ""
}

// heavy reports whether the patterns of SECURE_REDIRECT_EXEMPT are a burden: a few bytes of a{1000} become
// megabytes and seconds, in each Guard that is made of them.
func heavy(p *settings.Project) bool {
	v, _ := p.Lookup("SECURE_REDIRECT_EXEMPT")
	patterns, _ := v.Python.([]any)
	all := 0
	for _, one := range patterns {
		pattern, _ := one.(string)
		if tree, err := syntax.Parse(pattern, syntax.Perl); err == nil { // the audit tells of one that is none
			all += weight(tree)
		}
		if all > maxPatterns {
			return true
		}
	}
	return false
}

// weight is how many characters, classes and operators a pattern comes to when its repetitions are written
// out. It is bounded, for the parser refuses what repeats more than a thousand times in all.
func weight(re *syntax.Regexp) int {
	all := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		all += weight(sub)
	}
	if re.Op == syntax.OpRepeat {
		all *= max(re.Min, re.Max, 1)
	}
	return all
}

// audit is lockstep check of what diffsettings prints.
func audit(ctx context.Context, text string) (json.RawMessage, error) {
	const example = "python manage.py diffsettings --all prints what is to be pasted"
	if len(text) > maxSettings {
		return nil, unfit(fmt.Sprintf("the settings are longer than %s", size(maxSettings)), example)
	}
	project, err := settings.ReadDiffsettings("pasted", []byte(text))
	if err != nil {
		return nil, unfit(trace.Printable(shorten(err.Error())), example)
	}
	if name := longList(project); name != "" {
		return nil, unfit(fmt.Sprintf("the list %s has more than %d items", name, maxItems), "leave it out, or shorten it; lockstep check looks at it without this limit")
	}
	if heavy(project) {
		return nil, unfit(fmt.Sprintf("the patterns of SECURE_REDIRECT_EXEMPT come to more than %d characters", maxPatterns),
			"leave SECURE_REDIRECT_EXEMPT out; lockstep check looks at it without this limit")
	}
	report, err := check.Audit(ctx, "pasted", project, check.Options{Now: time.Now(), Least: check.Low})
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, unfit(trace.Printable(shorten(err.Error())), example)
	}
	var out bytes.Buffer
	if err := report.WriteJSON(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
