package main

import (
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// maxExplained is how long a line may be that is explained.
const maxExplained = 64 << 10

const exampleOfLine = "lockstep explain 'Set-Cookie: id=1; Secure' --at https://shop.test/"

// headerStart is how a line begins that has the name of a header, perhaps as curl -v or a browser's tools
// show it: the name, a colon, and white space, or the end.
var headerStart = regexp.MustCompile(`^(?:[<>] )?([A-Za-z][-A-Za-z0-9]*):(?:[ \t]|$)`)

// knownStart is the same of a name that is explained, behind which there need not be white space.
var knownStart = regexp.MustCompile(`^(?i)(?:[<>] )?(set-cookie2?|cookie|strict-transport-security):`)

// isLine tells a line from the ID of a rule, which has letters and hyphens only.
func isLine(text string) bool {
	return strings.ContainsAny(text, "=;: \t\r\n")
}

// splitLine takes the header's name, in lower case, off a line. A line without one is a Set-Cookie line's
// value.
func splitLine(text string) (header, value string) {
	text = strings.Trim(text, " \t\r\n")
	for _, start := range []*regexp.Regexp{knownStart, headerStart} {
		if at := start.FindStringSubmatchIndex(text); at != nil {
			return strings.ToLower(text[at[2]:at[3]]), strings.Trim(text[at[3]+1:], " \t")
		}
	}
	return "set-cookie", text
}

// A lineStory is a line explained.
type lineStory interface {
	WriteText(w io.Writer)
	WriteJSON(w io.Writer) error
}

// line explains a line of a header where it would arrive.
func (c *explainCommand) line(p *program, catalogue *scenario.Catalogue) error {
	header, value := splitLine(c.Rule)
	if err := c.checkLine(header, value); err != nil {
		return err
	}
	var (
		story   lineStory
		verdict rule.Verdict
	)
	if header == "cookie" {
		s := trace.ExplainCookieHeader(value, c.ShowCookieValues)
		story, verdict.Yes = &s, true
	} else {
		at, err := trace.ParseLineURL(c.At)
		if err != nil {
			return &usageError{fmt.Errorf("--at: %w", err), exampleOfLine}
		}
		story, verdict = c.answered(header, value, at, catalogue)
	}
	if c.Format == "json" {
		if err := story.WriteJSON(p.stdout); err != nil {
			return err
		}
	} else {
		story.WriteText(p.stdout)
	}
	if !verdict.Yes && verdict.Rule != "hsts-removed" {
		return &finding{fmt.Errorf("the browser refuses the line: %s", sentenceOf(verdict.Rule)), fixOf(verdict.Rule)}
	}
	return nil
}

// answered explains a line of an answer.
func (c *explainCommand) answered(header, value string, at *url.URL, catalogue *scenario.Catalogue) (lineStory, rule.Verdict) {
	if header == "strict-transport-security" {
		s := trace.ExplainHSTS(c.browser(), value, at, time.Now(), catalogue.Lookup)
		return &s, s.Verdict
	}
	s := trace.ExplainLine(c.browser(), value, at, time.Now(), c.ShowCookieValues, catalogue.Lookup)
	return &s, s.Verdict
}

// checkLine refuses what is no line that can be explained.
func (c *explainCommand) checkLine(header, value string) error {
	first, _, _ := strings.Cut(value, " ")
	wrong := func(hint, format string, args ...any) error { return &usageError{fmt.Errorf(format, args...), hint} }
	switch {
	case c.Rule == "":
		return wrong(exampleOfLine, "--at is about a line of a header, and there is none")
	case len(value) > maxExplained:
		return wrong("a browser refuses name and value together above 4096", "the line has %d bytes, and at most %d are explained", len(value), maxExplained)
	case strings.ContainsAny(value, "\r\n"):
		return wrong("explain one line at a time", "there is a line break in it, which ends a line of a header")
	case header == "set-cookie2":
		return wrong("send Set-Cookie", "no browser reads Set-Cookie2, which RFC 6265 has done away with")
	case header != "set-cookie" && header != "cookie" && header != "strict-transport-security":
		return wrong("lockstep trace URL shows what a site sends", "of the headers only Set-Cookie, Strict-Transport-Security and Cookie are explained, not %q", header)
	case strings.EqualFold(first, "Set-Cookie"), strings.EqualFold(first, "Strict-Transport-Security"):
		return wrong("write a colon behind it: "+exampleOfLine, "%s is a header's name, and no colon is behind it", first)
	case strings.HasPrefix(value, "HTTP/"):
		return wrong(exampleOfLine, "this is the first line of an answer, and no line of its header")
	case header != "cookie" && c.At == "" && !strings.ContainsAny(value, "=;") && !strings.Contains(c.Rule, ":"):
		return wrong("lockstep explain lists the rules, and --search finds those with some words", "no rule %q", c.Rule)
	case header != "cookie" && c.At == "":
		return wrong(exampleOfLine, "what becomes of the line depends on where it arrives, and there is no --at URL")
	case header == "cookie" && value == "":
		return wrong("lockstep explain 'Cookie: id=1; id=2'", "the Cookie line is empty, and a browser sends none then")
	}
	return nil
}
