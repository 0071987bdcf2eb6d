package trace

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-http/lockstep/rule"
)

// Widths at which the cells of the tables are wrapped, chosen for a terminal of 120 columns and the
// same everywhere, so that output is stable to the byte.
var (
	tableWidths = []int{0, 26, 28, 32, 25}
	tourWidths  = []int{0, 30, 24, 28, 27}
	fateWidths  = []int{24, 34, 34, 34}
	factsWidth  = 110
	lineWidth   = 120
)

// WriteTable writes the execution table, the variable tracker and the key moments. verbose opens
// each step into its requests and verdicts, and shows every variable.
func (s *Story) WriteTable(w io.Writer, verbose bool) {
	s.table().text(w, s.widths())
	for i, text := range s.differences() {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, clean(text))
	}
	if verbose {
		for i := range s.Steps {
			writeParts(w, &s.Steps[i])
		}
	}
	fmt.Fprintln(w, "\nVariables")
	g := s.tracker(verbose)
	if g.width() > lineWidth {
		g = g.transposed()
	}
	g.text(w, make([]int, len(g.head)))
	if !s.known() && len(s.Cookies) > 0 {
		fmt.Fprintln(w, "\nCookies")
		s.fates().text(w, fateWidths)
	}
	if s.More > 0 {
		fmt.Fprintf(w, "\nThe site set %d more cookies, of which -v and --format json tell.\n", s.More)
	}
	if len(s.Moments) > 0 {
		fmt.Fprintln(w, "\nKey moments")
	}
	for _, m := range s.Moments {
		fmt.Fprintf(w, "  %s\n", clean(m.Question))
		for _, line := range wrap(clean(m.Answer), factsWidth) {
			fmt.Fprintf(w, "    %s\n", line)
		}
		m.writeDetails(w, "      ")
		fmt.Fprintf(w, "    -> step %d, rule %s\n", m.Step, m.Rule)
	}
}

// WriteMarkdown writes the same as tables and lists of Markdown.
func (s *Story) WriteMarkdown(w io.Writer, verbose bool) {
	s.table().markdown(w)
	for _, text := range s.differences() {
		fmt.Fprintf(w, "\n%s\n", markdownCell.Replace(clean(text)))
	}
	if !s.known() && len(s.Cookies) > 0 {
		fmt.Fprintln(w, "\n### Cookies")
		fmt.Fprintln(w)
		s.fates().markdown(w)
	}
	fmt.Fprintln(w, "\n### Variables")
	fmt.Fprintln(w)
	s.tracker(verbose).markdown(w)
	fmt.Fprintln(w, "\n### Key moments")
	fmt.Fprintln(w)
	for _, m := range s.Moments {
		fmt.Fprintf(w, "- **%s** %s (step %d, rule `%s`)\n", markdownCell.Replace(clean(m.Question)), markdownCell.Replace(clean(m.Answer)), m.Step, m.Rule)
		for _, detail := range m.Details {
			fmt.Fprintf(w, "  - %s\n", markdownCell.Replace(clean(detail)))
		}
	}
	if !verbose {
		return
	}
	fmt.Fprintln(w, "\n### Verdicts")
	fmt.Fprintln(w)
	g := grid{head: []string{"Part", "Side", "Question", "Subject", "Answer", "Rule", "Facts"}}
	for i := range s.Steps {
		for j, p := range s.Steps[i].Parts {
			if p.Request == "" {
				v := p.Verdict
				g.rows = append(g.rows, []string{
					fmt.Sprintf("%d.%d", s.Steps[i].Number, j+1), string(v.Side), string(v.Question), v.Subject,
					yesNo(v.Yes), ids(v), facts(v),
				})
			}
		}
	}
	g.markdown(w)
}

// WriteTranscript writes the story as prose, one paragraph a step.
func (s *Story) WriteTranscript(w io.Writer, verbose bool) {
	defer func() {
		for _, text := range s.differences() {
			fmt.Fprintln(w, clean(text))
		}
	}()
	for i := range s.Steps {
		st := &s.Steps[i]
		fmt.Fprintf(w, "Step %d. %s.\n", st.Number, clean(sentence(st.Action)))
		if !st.reached {
			fmt.Fprintln(w, "  "+choose(st.Result == notReached, "This run did not get here.", sentence(st.Result)+"."))
			continue
		}
		if st.sets && st.Condition == none {
			continue
		}
		fmt.Fprintf(w, "  %s: %s.\n", clean(st.Condition), clean(st.Result))
		fmt.Fprintf(w, "  Cookie sent: %s.\n", clean(st.Sent))
		for _, m := range s.Moments {
			if m.Step == st.Number {
				for _, line := range wrap(clean(m.Question+" "+m.Answer), factsWidth) {
					fmt.Fprintf(w, "  %s\n", line)
				}
				m.writeDetails(w, "    ")
			}
		}
		if verbose {
			writeParts(w, st)
		}
	}
}

// writeDetails writes the details of a moment, indented.
func (m *Moment) writeDetails(w io.Writer, indent string) {
	for _, detail := range m.Details {
		for i, line := range wrap(clean(detail), factsWidth) {
			fmt.Fprintf(w, "%s%s%s\n", indent, choose(i == 0, "", "  "), line)
		}
	}
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// WriteRows writes the steps of the execution table alone, in the given order; behind the numbers of
// those that marked names stands a "!".
func (s *Story) WriteRows(w io.Writer, order []int, marked map[int]bool) {
	s.rows(order, marked).text(w, tableWidths)
}

// WriteMarkdownRows is WriteRows as a table of Markdown.
func (s *Story) WriteMarkdownRows(w io.Writer, order []int, marked map[int]bool) {
	s.rows(order, marked).markdown(w)
}

func (s *Story) rows(order []int, marked map[int]bool) grid {
	all := s.table()
	g := grid{head: all.head}
	for _, number := range order {
		row := all.rows[number-1]
		if marked[number] {
			row[0] += " !"
		}
		g.rows = append(g.rows, row)
	}
	return g
}

// widths are those of the columns of the execution table.
func (s *Story) widths() []int {
	if s.Run.IsTour() {
		return tourWidths
	}
	return tableWidths
}

func (s *Story) table() grid {
	g := grid{head: []string{"Step", "Action", "Condition", "Result", "Cookie sent"}}
	for i := range s.Steps {
		st := &s.Steps[i]
		number := strconv.Itoa(st.Number)
		if slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Step == st.Number }) {
			number += " *"
		}
		g.rows = append(g.rows, []string{number, st.Action, st.Condition, st.Result, st.Sent})
	}
	return g
}

// tracker is the variable tracker: the start, and each step after which a shown variable changed.
func (s *Story) tracker(every bool) grid {
	g := grid{head: []string{"Variable", "Start"}}
	var shown []Variable
	for _, v := range s.Variables {
		if every || !v.Detail {
			shown = append(shown, v)
			g.rows = append(g.rows, []string{v.Name, v.Values[0]})
		}
	}
	for i := range s.Steps {
		changed := false
		for _, v := range shown {
			changed = changed || v.Changed(i+1)
		}
		if !changed {
			continue
		}
		g.head = append(g.head, fmt.Sprintf("After step %d", s.Steps[i].Number))
		for j, v := range shown {
			g.rows[j] = append(g.rows[j], v.Values[i+1])
		}
	}
	return g
}

// writeParts opens a step: its requests and verdicts, numbered.
func writeParts(w io.Writer, st *Step) {
	if len(st.Parts) == 0 {
		return
	}
	fmt.Fprintf(w, "\nStep %d  %s\n", st.Number, clean(st.Action))
	for j, p := range st.Parts {
		fmt.Fprintf(w, "  %-5s ", fmt.Sprintf("%d.%d", st.Number, j+1))
		if p.Request != "" {
			fmt.Fprintln(w, clean(p.Request))
		} else {
			writeVerdict(w, p.Verdict, "        ")
		}
	}
}

// WriteVerdict writes one verdict and its facts.
func WriteVerdict(w io.Writer, v rule.Verdict) {
	fmt.Fprint(w, "  ")
	writeVerdict(w, v, "  ")
}

// writeVerdict writes a verdict behind what stands on the line already, and its facts, indented, below.
func writeVerdict(w io.Writer, v rule.Verdict, indent string) {
	fmt.Fprintf(w, "%-8s %s\n", v.Side, Answered(v))
	if text := facts(v); text != "" {
		for _, line := range wrap(clean(text), factsWidth) {
			fmt.Fprintf(w, "%s%s\n", indent, line)
		}
	}
}

// Answered is a verdict on one line: the question, the answer and the rules, without side and facts.
func Answered(v rule.Verdict) string {
	subject := clean(v.Subject)
	if subject == "" {
		subject = called(subject)
	}
	return fmt.Sprintf("%s %s: %s  %s", v.Question, subject, yesNo(v.Yes), ids(v))
}

// WriteHops writes the requests of a run, one a line.
func (r *Run) WriteHops(w io.Writer) {
	for i := range r.Visits {
		for j := range r.Visits[i].Hops {
			fmt.Fprintf(w, "  %s\n", clean(requestLine(&r.Visits[i].Hops[j])))
		}
	}
}

// ids are the rules of a verdict: the one that decided, the others, the notes.
func ids(v rule.Verdict) string {
	var text strings.Builder
	text.WriteString(string(v.Rule))
	for _, id := range v.Also {
		text.WriteString(", also " + string(id))
	}
	for _, id := range v.Notes {
		text.WriteString(", " + string(id))
	}
	return text.String()
}

func yesNo(yes bool) string { return choose(yes, "yes", "no") }

// A Change is a cell of the execution table in which two runs differ, or a variable after a step.
type Change struct {
	Step             int
	Column, Was, Now string
}

// Compare notes in s where its execution table and its variables differ from those of was, which was
// run without what because names. The writers mark the rows.
func (s *Story) Compare(was *Story, because string) {
	a, b := was.table(), s.table()
	s.Because, s.Changes = because, []Change{}
	for i := range b.rows {
		for j := 1; j < len(b.head); j++ {
			if a.rows[i][j] != b.rows[i][j] {
				s.Changes = append(s.Changes, Change{Step: i + 1, Column: b.head[j], Was: a.rows[i][j], Now: b.rows[i][j]})
			}
		}
	}
	for i, v := range s.Variables {
		// Variables stand in pairs as long as both stories are about the same cookies.
		if i < len(was.Variables) && was.Variables[i].Name == v.Name && v.Detail && !v.Chance {
			s.compareVariable(was.Variables[i], v)
		}
	}
}

// compareVariable notes the first step after which a variable has another value than it had.
func (s *Story) compareVariable(was, now Variable) {
	for step := range now.Values {
		if was.Values[step] != now.Values[step] {
			s.Changes = append(s.Changes, Change{Step: step, Column: now.Name, Was: was.Values[step], Now: now.Values[step]})
			return
		}
	}
}

// differences are the sentences that tell the changes; nil when s was compared with nothing.
func (s *Story) differences() []string {
	if s.Changes == nil {
		return nil
	}
	if len(s.Changes) == 0 {
		return []string{"Nothing changed in what table and tracker show, because of " + s.Because + "; -v shows the rest."}
	}
	plain := cmp.Or(s.Called, "the lesson")
	all := []string{"Rows marked * differ from " + plain + ", because of " + s.Because + "."}
	for _, c := range s.Changes {
		all = append(all, fmt.Sprintf("step %d, %s: %s (in %s: %s)", c.Step, c.Column, c.Now, plain, c.Was))
	}
	return all
}

// fates lists each cookie of the story: stored or not, sent or not, and by which rule.
func (s *Story) fates() grid {
	if s.Run.IsTour() {
		return s.tourFates()
	}
	next := "Next HTTPS request"
	if slices.ContainsFunc(s.Steps, func(st Step) bool { return st.Title == titleNextPlain }) {
		next = "Next request"
	}
	g := grid{head: []string{"Cookie", "Stored", next, "HTTP again"}}
	for _, name := range s.Cookies {
		g.rows = append(g.rows, []string{called(name), s.whetherStored(name), s.whetherSent(len(s.Steps)-2, name), s.whetherSent(len(s.Steps)-1, name)})
	}
	return g
}

func (s *Story) whetherStored(name string) string {
	if _, _, v, ok := s.settled(name); ok {
		return yesNo(v.Yes) + ": " + ids(v)
	}
	return none
}

func (s *Story) whetherSent(i int, name string) string {
	if i < 0 || !s.Steps[i].reached {
		return none
	}
	st := &s.Steps[i]
	if v, ok := sendVerdict(askedOf(st.hops), name); ok {
		return yesNo(v.Yes) + ": " + ids(v)
	}
	return none
}
