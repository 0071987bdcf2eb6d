package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/cookie"
	"github.com/lockstep-http/lockstep/rule"
)

// An HSTSStory is one Strict-Transport-Security line explained: what it says, what the browser does with
// it, and which visits over http it takes to https then.
type HSTSStory struct {
	Line    string       `json:"line"`
	At      string       `json:"at"`    // the URL whose answer has the line
	Says    []Token      `json:"says"`  // its directives; nil when it cannot be read
	Token   string       `json:"token"` // what spoils a line that cannot be read
	Verdict rule.Verdict `json:"verdict"`
	Asked   []Asking     `json:"asked,omitempty"` // nil when the line is ignored

	rules map[rule.ID]rule.Rule
}

// ExplainHSTS explains a Strict-Transport-Security line, without the header's name, that b, which knows no
// host, gets at now in the answer to a visit to at, under a certificate that it trusts.
func ExplainHSTS(b *browser.Browser, line string, at *url.URL, now time.Time, lookup func(rule.ID) (rule.Rule, bool)) HSTSStory {
	s := HSTSStory{Line: clean(line), At: at.Redacted(), rules: map[rule.ID]rule.Rule{}}
	s.Verdict = heard(func(rec *rule.Recorder) { b.StoreHSTS(at, []string{line}, true, now, rec) })
	policy, token, ok := browser.ParseHSTS(line)
	if ok {
		s.Says = directives(policy)
	} else {
		s.Token = clean(token)
	}
	if s.Verdict.Yes {
		for _, what := range upgrading(at) {
			v := heard(func(rec *rule.Recorder) { b.Upgrade(what.url, now, rec) })
			s.Asked = append(s.Asked, Asking{What: what.what, Method: what.method, URL: what.url.Redacted(), Verdict: v})
		}
	}
	for _, id := range append([]rule.ID{s.Verdict.Rule}, append(s.Verdict.Also, s.Verdict.Notes...)...) {
		if r, ok := lookup(id); ok {
			s.rules[id] = r
		}
	}
	return s
}

// directives are what a policy says, in words.
func directives(p browser.HSTSPolicy) []Token {
	seconds := int64(p.MaxAge / time.Second)
	age := fmt.Sprintf("For %d seconds after each answer that has it, which are %d days, the browser asks the host over HTTPS only.", seconds, seconds/86400)
	if seconds == 0 {
		age = "The browser forgets that it knew the host."
	}
	all := []Token{{Text: "max-age=" + strconv.FormatInt(seconds, 10), Is: "directive", Effect: "counts", Does: age}}
	if p.IncludeSubDomains {
		all = append(all, Token{Text: "includeSubDomains", Is: "directive", Effect: "counts", Does: "The same holds of every host under it, visited or not."})
	}
	if p.Preload {
		all = append(all, Token{Text: "preload", Is: "directive", Effect: "ignored", Does: "Browsers do not read it. It lets hstspreload.org put the host on the list that they come with, if it asks for a year and has includeSubDomains."})
	}
	return all
}

// upgrading are visits over http that somebody may wonder about.
func upgrading(at *url.URL) []question {
	host := at.Hostname()
	name := host
	if strings.Contains(host, ":") {
		name = "[" + host + "]"
	}
	all := []question{
		{"the host, typed with http", "GET", &url.URL{Scheme: "http", Host: name, Path: "/"}, nil},
		{"another port of it", "GET", &url.URL{Scheme: "http", Host: name + ":8080", Path: "/"}, nil},
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return all
	}
	all = append(all, question{"a host under it", "GET", &url.URL{Scheme: "http", Host: "www." + name, Path: "/"}, nil})
	canonical, err := cookie.CanonicalHost(host)
	if registered := cookie.RegistrableDomain(canonical); err == nil && registered != "" && registered != canonical {
		all = append(all, question{"the name above", "GET", &url.URL{Scheme: "http", Host: registered, Path: "/"}, nil})
	}
	return all
}

// WriteJSON writes the story as one line of JSON.
func (s *HSTSStory) WriteJSON(w io.Writer) error { return writeStory(w, s) }

// writeStory writes a story as one line of JSON.
func writeStory(w io.Writer, s any) error {
	enc := json.NewEncoder(printableJSON{w})
	enc.SetEscapeHTML(false)
	return enc.Encode(s)
}

// WriteText writes the story for a person.
func (s *HSTSStory) WriteText(w io.Writer) {
	fmt.Fprintf(w, "Strict-Transport-Security: %s\n  in the answer to GET %s, under a certificate that the browser trusts\n\n", s.Line, clean(s.At))
	if s.Says == nil {
		fmt.Fprintf(w, "It cannot be read, because of %s\n", strconv.Quote(s.Token))
	} else {
		g := grid{head: []string{"Directive", "Effect", "What it does"}}
		for _, t := range s.Says {
			g.rows = append(g.rows, []string{t.Text, t.Effect, t.Does})
		}
		g.text(w, []int{34, 0, 66})
	}
	fmt.Fprintf(w, "\nWhat the browser does\n  %s %s\n", choose(s.Verdict.Yes, "It remembers the host:", choose(s.Verdict.Rule == "hsts-removed", "It forgets the host:", "It ignores the line:")), s.Verdict.Rule)
	writeRules(w, s.Verdict, s.rules)
	if s.Asked == nil {
		return
	}
	fmt.Fprintln(w, "\nWhat becomes of visits over http")
	g := grid{head: []string{"Request", "", "To https", "Rule"}}
	for _, a := range s.Asked {
		g.rows = append(g.rows, []string{a.What, a.Method + " " + a.URL, yesNo(a.Verdict.Yes), ids(a.Verdict)})
	}
	g.text(w, []int{30, 44, 0, 34})
	fmt.Fprintln(w, "\nEvery profile remembers hosts alike. The first visit of a browser leaves over http, as it knows of none.")
}

// A CookieStory is one Cookie line explained: what the site gets of each cookie. Values are shortened.
type CookieStory struct {
	Line    string  `json:"line"`
	Cookies []Token `json:"cookies"` // in the order of the line, which is that of sending
}

// ExplainCookieHeader explains a Cookie line, without the header's name. Values are shortened, unless
// showValues.
func ExplainCookieHeader(line string, showValues bool) CookieStory {
	var s CookieStory
	shown, seen := valueShown(showValues), map[string]bool{}
	var written []string
	for _, p := range cookie.ParseHeader(line) {
		t := Token{Text: clean(called(p.Name) + "=" + shown(p.Value)), Is: "cookie", Effect: "counts", Does: valueMeaning(p.Value)}
		if p.Name == "" {
			t.Text, t.Does = clean(shown(p.Value)), "It has no name, or there is no equals sign; sites differ in what they read."
		}
		switch {
		case seen[p.Name]:
			t.Does, t.Rule = "A second cookie of this name, set with another Domain or Path; servers differ in which they read.", "note-same-name-twice"
		case isAttribute(p.Name):
			t.Does = "A cookie that has this name. No attributes are in a Cookie line: only Set-Cookie has them."
		}
		seen[p.Name] = true
		written = append(written, t.Text)
		s.Cookies = append(s.Cookies, t)
	}
	s.Line = strings.Join(written, "; ")
	return s
}

// WriteJSON writes the story as one line of JSON.
func (s *CookieStory) WriteJSON(w io.Writer) error { return writeStory(w, s) }

// WriteText writes the story for a person.
func (s *CookieStory) WriteText(w io.Writer) {
	fmt.Fprintf(w, "Cookie: %s\n  which a browser sends, longer paths first, and of one length the older first\n\n", s.Line)
	g := grid{head: []string{"Cookie", "What the site gets"}}
	for _, t := range s.Cookies {
		g.rows = append(g.rows, []string{t.Text, cmp.Or(t.Does, string(t.Rule))})
	}
	g.text(w, []int{40, 66})
	fmt.Fprintln(w, "\nThe line does not say why these were sent and others were not: lockstep explain 'Set-Cookie: ...' --at URL does\nof the line that set one, lockstep trace URL and lockstep trace --har FILE of whole visits.")
}
