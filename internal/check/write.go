package check

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// WriteText writes the report for a person at a terminal: the lesson as it ran, the rows with the
// harm first; the findings that count; what does not count; and the patch.
func (r *Report) WriteText(w io.Writer) {
	fmt.Fprintf(w, "%s: %s, executed: %s.\n\n", r.Name, r.about(), r.where())
	order, marked := r.rows()
	r.Story.WriteRows(w, order, marked)
	if len(marked) > 0 {
		fmt.Fprintln(w, "\nRows marked ! show the harm of a finding.")
	}
	if len(r.Replaced) > 0 {
		fmt.Fprintln(w, "\nThe run differs from the settings, which could not run as they are, in")
		for _, x := range r.Replaced {
			paragraph(w, fmt.Sprintf("%s = %s instead of %s: %s", x.Setting, x.Now, x.Was, x.Why))
		}
	}
	fmt.Fprintf(w, "\n%s\n", r.Summary())
	for i := range r.Counting() {
		r.Findings[i].writeText(w)
	}
	r.writeRest(w)
	if r.Patch != "" {
		fmt.Fprintf(w, "\nThe patch: %s.\n\n%s", r.whereto(), r.Patch)
	}
}

// about says what was read, and of which Django.
func (r *Report) about() string {
	text := fmt.Sprintf("%s of Django %s", count(r.Settings, "setting"), r.Django)
	switch r.Because {
	case "":
		return text
	case "nothing":
		return text + " (nothing tells the version, and this is the newest; --django says another)"
	}
	return text + " (told by " + r.Because + ")"
}

func (r *Report) where() string {
	if r.Proxy {
		return r.URL + " behind a proxy that ends TLS"
	}
	return r.URL
}

// rows are the steps in the order in which they are shown, and those that show harm.
func (r *Report) rows() (order []int, marked map[int]bool) {
	marked = map[int]bool{}
	for _, f := range r.Counting() {
		if f.Evidence.Step > 0 {
			marked[f.Evidence.Step] = true
		}
	}
	order = []int{1, 2, 3, 4, 5}
	slices.SortStableFunc(order, func(a, b int) int {
		return map[bool]int{true: 0, false: 1}[marked[a]] - map[bool]int{true: 0, false: 1}[marked[b]]
	})
	return order, marked
}

// Summary says in one sentence how much was found.
func (r *Report) Summary() string {
	n := len(r.Counting())
	if n == 0 {
		return "No findings."
	}
	by := map[Severity]int{}
	for _, f := range r.Counting() {
		by[f.Severity]++
	}
	var parts []string
	for s := Critical; s > Info; s-- {
		if by[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[s], s))
		}
	}
	return fmt.Sprintf("%s: %s.", count(n, "finding"), strings.Join(parts, ", "))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (f *Finding) writeText(w io.Writer) {
	fmt.Fprintf(w, "\n%-8s  %s  %s\n", f.Severity, f.Check.ID, f.Check.Title)
	paragraph(w, fmt.Sprintf("%s (%s)", f.Text, f.Origin))
	paragraph(w, f.Check.Doc)
	f.Evidence.writeText(w)
	paragraph(w, "Do: "+f.Check.Fix)
}

func (e *Evidence) writeText(w io.Writer) {
	switch {
	case e.Step > 0:
		paragraph(w, fmt.Sprintf("Seen in step %d: %s", e.Step, e.told()))
	case e.Scenario != "":
		paragraph(w, "Seen in a run of its own: "+e.told())
		for line := range strings.Lines(e.Scenario) {
			if !strings.HasPrefix(line, "visit ") && !strings.HasPrefix(line, "expect ") {
				fmt.Fprintf(w, "    %s\n", strings.TrimSuffix(line, "\n"))
			}
		}
		for _, request := range e.Requests {
			fmt.Fprintf(w, "    %s\n", request)
		}
	default:
		paragraph(w, "Not shown by a run: "+e.Text)
	}
}

// told is what a rule says of what it was asked about, after the request.
func (e *Evidence) told() string {
	text := fmt.Sprintf("%s (%s)", e.Text, e.Rule)
	if e.Subject != "" && !strings.ContainsAny(e.Subject, ":/") {
		text = e.Subject + ": " + text
	}
	if e.Request != "" {
		text = e.Request + "; " + text
	}
	return text
}

// writeRest writes what does not count.
func (r *Report) writeRest(w io.Writer) {
	for _, x := range r.Expired {
		fmt.Fprintf(w, "\nExpired: the suppression of %s ended on %s and fails now. Mend what it is about, or give it a new date.\n  Its reason was: %s\n", x.ID, x.until(), x.Reason)
	}
	rest := r.Findings[len(r.Counting()):]
	if len(rest) > 0 {
		fmt.Fprintln(w, "\nNot counted")
	}
	for _, f := range rest {
		paragraph(w, fmt.Sprintf("%s  %s (%s): %s", f.Check.ID, f.Text, f.Origin, f.why()))
	}
	for _, x := range r.Unused {
		fmt.Fprintf(w, "\nThe suppression of %s has nothing to suppress: take it out.\n", x.ID)
	}
	if len(r.Unread) > 0 {
		fmt.Fprintln(w, "\nNot judged, as the text does not tell the value")
		for _, v := range r.Unread {
			fmt.Fprintf(w, "  %s (%s)\n", v.Name, v.Origin)
		}
	}
}

// why tells why a finding does not count; what is for information is told what it is about.
func (f *Finding) why() string {
	if f.Excuse == "for information" {
		return f.Check.Doc
	}
	return f.Excuse
}

// lineWidth is that of a terminal of 120 columns with some margin.
const lineWidth = 110

// paragraph writes text in lines that are indented.
func paragraph(w io.Writer, text string) {
	const indent = "  "
	line := indent
	for word := range strings.FieldsSeq(text) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > lineWidth && strings.TrimSpace(line) != "" {
			fmt.Fprintln(w, line)
			line = indent
		}
		if strings.TrimSpace(line) != "" {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}

// WriteMarkdown writes the report for a comment or a page.
func (r *Report) WriteMarkdown(w io.Writer) {
	fmt.Fprintf(w, "## %s\n\n`%s`: %s, executed: %s\n\n", strings.TrimSuffix(r.Summary(), "."), r.Name, r.about(), r.where())
	order, marked := r.rows()
	r.Story.WriteMarkdownRows(w, order, marked)
	if len(marked) > 0 {
		fmt.Fprintln(w, "\nRows marked ! show the harm of a finding.")
	}
	for _, x := range r.Replaced {
		fmt.Fprintf(w, "\n- run with %s\n", escape(fmt.Sprintf("%s = %s instead of %s: %s", x.Setting, x.Now, x.Was, x.Why)))
	}
	if len(r.Counting()) > 0 {
		fmt.Fprint(w, "\n| Severity | Check | Found | Seen | Do |\n| --- | --- | --- | --- | --- |\n")
	}
	for _, f := range r.Counting() {
		fmt.Fprintf(w, "| %s | `%s` %s | %s (%s) | %s | %s |\n", f.Severity, f.Check.ID, escape(f.Check.Title),
			escape(f.Text), escape(string(f.Origin)), escape(f.Evidence.oneLine()), escape(f.Check.Fix))
	}
	for _, x := range r.Expired {
		fmt.Fprintf(w, "\n**Expired:** the suppression of `%s` ended on %s and fails now. Its reason was: %s\n", x.ID, x.until(), escape(x.Reason))
	}
	for i, f := range r.Findings[len(r.Counting()):] {
		if i == 0 {
			fmt.Fprint(w, "\n### Not counted\n\n")
		}
		fmt.Fprintf(w, "- `%s` %s: %s\n", f.Check.ID, escape(f.Text), escape(f.why()))
	}
	for _, x := range r.Unused {
		fmt.Fprintf(w, "\nThe suppression of `%s` has nothing to suppress: take it out.\n", x.ID)
	}
	for _, v := range r.Unread {
		fmt.Fprintf(w, "\nNot judged, as the text does not tell the value: `%s` (%s)\n", v.Name, escape(string(v.Origin)))
	}
	if r.Patch != "" {
		fmt.Fprintf(w, "\n### Patch\n\nWhat to do: %s.\n\n```python\n%s```\n", escape(r.whereto()), r.Patch)
	}
}

// whereto says what to do with the patch, which is Python.
func (r *Report) whereto() string {
	if r.Printed {
		return "put these lines at the end of settings.py"
	}
	return "give these settings their values in " + r.Name + "; they are written as in Python"
}

func (e *Evidence) oneLine() string {
	switch {
	case e.Step > 0:
		return fmt.Sprintf("step %d: %s", e.Step, e.told())
	case e.Scenario != "":
		return e.told()
	}
	return e.Text
}

// escape keeps text from ending a cell of a table, or beginning an element.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "*", `\*`, "`", "\\`", "_", `\_`, "\n", " ").Replace(text)
}
