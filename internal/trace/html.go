package trace

import (
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"

	"github.com/lockstep-http/lockstep/rule"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// pageTemplate escapes whatever it is given by where it stands. Nothing but the style, which is ours,
// is let through as it is.
var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A Page is stories for a browser to show.
type Page struct {
	Title   string
	Intro   []string // paragraphs
	Stories []*Story
	Titles  []string // of the stories; a story without one has no heading

	sides Sides // which the stories are; nil when they are not to be compared
}

// WriteHTML writes one page that needs nothing else: it loads nothing, runs no script, and its own
// policy forbids both. What comes from a foreign site is escaped, and without control characters.
func (p *Page) WriteHTML(w io.Writer) error {
	v := pageView{
		Title: clean(p.Title), Style: template.CSS(pageStyle), //nolint:gosec // the style is ours
		Policy: pagePolicy(pageStyle),
		Footer: "Made by Lockstep from what happened: each answer names the rule that decided. Cookie values are shortened.",
	}
	for _, text := range p.Intro {
		v.Intro = append(v.Intro, clean(text))
	}
	if p.sides != nil {
		v.Sides = []gridView{p.sides.stepGrid().view(false), p.sides.cookieGrid().view(false)}
	}
	for i, s := range p.Stories {
		title := ""
		if i < len(p.Titles) {
			title = p.Titles[i]
		}
		v.Stories = append(v.Stories, s.view("run-"+strconv.Itoa(i+1), title))
	}
	return pageTemplate.Execute(w, v)
}

// pagePolicy allows the style by its hash, and nothing else.
func pagePolicy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// The views are what the template reads: text, ready to be escaped.
type (
	pageView struct {
		Title, Policy, Footer string
		Intro                 []string
		Style                 template.CSS
		Sides                 []gridView
		Stories               []storyView
	}
	storyView struct {
		ID, Title, More string
		Differences     []string
		Head            []string
		Steps           []stepView
		Fates           *gridView
		Tracker         gridView
		Moments         []Moment
		Diagram         *diagram
	}
	stepView struct {
		Number int
		Moved  bool
		Cells  []cellView
		Count  string
		Parts  []partView
	}
	cellView struct {
		Label, Text string
		Moved       bool
	}
	partView struct {
		Request                 string
		Side, Question, Subject string
		Yes                     bool
		Rules                   []ruleView
		Facts                   []rule.Fact
	}
	ruleView struct{ ID, Role, Sentence, Fix, Source string }
	gridView struct {
		Head []string
		Rows []rowView
	}
	rowView struct {
		Name   string
		Values []cellView
	}
)

// view is the story for the page.
func (s *Story) view(id, title string) storyView {
	table := s.table()
	v := storyView{ID: id, Title: clean(title), Head: table.head, Tracker: s.tracker(false).view(true), Diagram: s.diagram()}
	for _, text := range s.differences() {
		v.Differences = append(v.Differences, clean(text))
	}
	for i := range s.Steps {
		v.Steps = append(v.Steps, s.stepView(&s.Steps[i], table.head, table.rows[i]))
	}
	if !s.known() && len(s.Cookies) > 0 {
		fates := s.fates().view(false)
		v.Fates = &fates
	}
	if s.More > 0 {
		v.More = fmt.Sprintf("The site set %d more cookies, of which --format json tells.", s.More)
	}
	for _, m := range s.Moments {
		m.Question, m.Answer, m.Rule = clean(m.Question), clean(m.Answer), rule.ID(clean(string(m.Rule)))
		m.Details = slices.Clone(m.Details)
		for j, detail := range m.Details {
			m.Details[j] = clean(detail)
		}
		v.Moments = append(v.Moments, m)
	}
	return v
}

func (s *Story) stepView(st *Step, head, row []string) stepView {
	v := stepView{Number: st.Number, Moved: slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Step == st.Number })}
	for j, cell := range row[1:] {
		v.Cells = append(v.Cells, cellView{Label: head[j+1], Text: clean(cell)})
	}
	requests, verdicts := 0, 0
	for _, p := range st.Parts {
		if p.Request != "" {
			requests++
			v.Parts = append(v.Parts, partView{Request: clean(p.Request)})
			continue
		}
		verdicts++
		v.Parts = append(v.Parts, s.partView(p.Verdict))
	}
	v.Count = counted(verdicts, "verdict")
	if requests > 0 {
		v.Count = counted(requests, "request") + ", " + v.Count
	}
	return v
}

// partView opens a verdict: the rule that decided, with what to do, and the others by their sentence.
func (s *Story) partView(d rule.Verdict) partView {
	v := partView{Side: string(d.Side), Question: string(d.Question), Subject: clean(called(d.Subject)), Yes: d.Yes}
	v.Rules = append(v.Rules, s.ruleView(d.Rule, ""))
	for _, id := range d.Also {
		v.Rules = append(v.Rules, s.ruleView(id, "would have decided the same"))
	}
	for _, id := range d.Notes {
		v.Rules = append(v.Rules, s.ruleView(id, "note"))
	}
	for _, f := range d.Facts {
		v.Facts = append(v.Facts, rule.Fact{Name: clean(f.Name), Value: clean(f.Value)})
	}
	return v
}

func (s *Story) ruleView(id rule.ID, role string) ruleView {
	v := ruleView{ID: clean(string(id)), Role: role}
	if r, ok := s.lookup(id); ok {
		v.Sentence, v.Fix, v.Source = r.Sentence, r.Fix, r.Source
	}
	return v
}

// view is the grid for the page. With marks, a cell that differs from the one before it stands out.
func (g grid) view(marks bool) gridView {
	v := gridView{Head: g.head}
	for _, row := range g.rows {
		r := rowView{Name: clean(row[0])}
		for j, cell := range row[1:] {
			r.Values = append(r.Values, cellView{Text: clean(cell), Moved: marks && j > 0 && cell != row[j]})
		}
		v.Rows = append(v.Rows, r)
	}
	return v
}

// counted is "1 request" or "2 requests".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}
