package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// SidesSchema names the form of the lines that [Sides.WriteJSON] writes. Its number goes up when a field
// changes its meaning or goes.
const SidesSchema = "lockstep.trace-profiles/1"

// Sides are runs of the same visits by browsers of several profiles.
type Sides []Side

// A Side is the run of one of them.
type Side struct {
	Profile string
	Story   *Story
}

// same stands in a table for what the first profile has in that row.
const same = "="

// A sideRow is one row of a comparison: what it is about, and what it is with each profile.
type sideRow struct {
	name, action string
	cells        []string
	step         bool // that a profile has nothing here is a difference
}

// differs reports whether two profiles are not alike in a row. That one was not asked about a cookie is told
// by another row: it holds none, or has no scripts.
func (r *sideRow) differs() bool {
	cells := slices.Clone(r.cells)
	if !r.step {
		cells = slices.DeleteFunc(cells, func(cell string) bool { return cell == none })
	}
	return len(slices.Compact(cells)) > 1
}

// mark is the name of the row, with a star where the profiles differ.
func (r *sideRow) mark() string { return r.name + choose(r.differs(), " *", "") }

// shown are the cells, with what is as in the first left out.
func (r *sideRow) shown() []string {
	cells := slices.Clone(r.cells)
	for i := range cells[1:] {
		if cells[i+1] == r.cells[0] {
			cells[i+1] = same
		}
	}
	return cells
}

// steps are the rows of the execution tables, one beside the other. Those of a visit stand together, however
// many hops it took with each profile.
func (s Sides) steps() []sideRow {
	var rows []sideRow
	for _, at := range s.places() {
		row := sideRow{step: true, cells: make([]string, len(s))}
		for i, side := range s {
			row.cells[i] = none
			if st := side.Story.at(at); st != nil {
				row.cells[i] = st.Result + side.Story.sentBriefly(st)
				if row.action == "" {
					row.name, row.action = strconv.Itoa(len(rows)+1), st.Action
				}
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// sentBriefly names the cookies that a step sent, and those that it kept back.
func (s *Story) sentBriefly(st *Step) string {
	if !st.reached || st.sets {
		return ""
	}
	var sent, kept []string
	for _, name := range s.Cookies {
		if v, ok := sendVerdict(askedOf(st.hops), name); ok && v.Yes {
			sent = append(sent, called(name))
		} else if ok {
			kept = append(kept, called(name))
		}
	}
	text := ""
	if sent != nil {
		text += "; cookies sent: " + strings.Join(sent, ", ")
	}
	if kept != nil {
		text += "; kept back: " + strings.Join(kept, ", ")
	}
	return text
}

// A place is where a step stands: in which visit of a tour, 0 in any other story, and as which of its steps.
type place struct{ visit, step int }

// places are those of all steps, in order.
func (s Sides) places() []place {
	var all []place
	for _, side := range s {
		for p := range side.Story.placed() {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b place) int {
		if a.visit != b.visit {
			return a.visit - b.visit
		}
		return a.step - b.step
	})
	return slices.Compact(all)
}

// placed are the steps of a story by where they stand.
func (s *Story) placed() map[place]*Step {
	all := map[place]*Step{}
	last := place{}
	for i := range s.Steps {
		if s.Steps[i].visit != last.visit {
			last = place{visit: s.Steps[i].visit}
		}
		last.step++
		all[last] = &s.Steps[i]
	}
	return all
}

// at is the step that stands at a place, or nil.
func (s *Story) at(p place) *Step { return s.placed()[p] }

// cookies are what became of each cookie, one beside the other.
func (s Sides) cookies() []sideRow {
	var rows []sideRow
	for i, side := range s {
		fates := side.Story.fates()
		for _, fate := range fates.rows {
			for j, what := range fates.head[1:] {
				name := fate[0] + ", " + lowerFirst(what)
				k := slices.IndexFunc(rows, func(r sideRow) bool { return r.name == name })
				if k < 0 {
					k = len(rows)
					rows = append(rows, sideRow{name: name, cells: slices.Repeat([]string{none}, len(s))})
				}
				rows[k].cells[i] = fate[j+1]
			}
		}
	}
	return slices.DeleteFunc(rows, func(r sideRow) bool {
		return !slices.ContainsFunc(r.cells, func(cell string) bool { return cell != none })
	})
}

func lowerFirst(text string) string {
	if text == "HTTP again" { // no sentence begins with it
		return text
	}
	return string(text[0]|' ') + text[1:]
}

// alike puts profiles together whose browsers did the same throughout: the indexes of each group, those
// before which come first.
func (s Sides) alike() [][]int {
	rows := slices.Concat(s.steps(), s.cookies())
	var groups [][]int
	for i := range s {
		k := slices.IndexFunc(groups, func(g []int) bool {
			return !slices.ContainsFunc(rows, func(r sideRow) bool { return r.cells[i] != r.cells[g[0]] })
		})
		if k < 0 {
			groups = append(groups, []int{i})
			continue
		}
		groups[k] = append(groups[k], i)
	}
	return groups
}

// beside is a grid with a column for each group of profiles behind what stands in front.
func (s Sides) beside(rows []sideRow, head []string, front func(*sideRow) []string) grid {
	groups := s.alike()
	g := grid{head: head}
	for _, group := range groups {
		var names []string
		for _, i := range group {
			names = append(names, s[i].Profile)
		}
		g.head = append(g.head, strings.Join(names, ", "))
	}
	for i := range rows {
		cells, row := rows[i].shown(), front(&rows[i])
		for _, group := range groups {
			row = append(row, cells[group[0]])
		}
		g.rows = append(g.rows, row)
	}
	return g
}

func (s Sides) stepGrid() grid {
	return s.beside(s.steps(), []string{"Step", "Action"}, func(r *sideRow) []string { return []string{r.mark(), r.action} })
}

func (s Sides) cookieGrid() grid {
	return s.beside(s.cookies(), []string{"Cookie"}, func(r *sideRow) []string { return []string{r.mark()} })
}

// differences say in which rows the profiles differ.
func (s Sides) differences() string {
	var steps, cookies []string
	for _, r := range s.steps() {
		if r.differs() {
			steps = append(steps, r.name)
		}
	}
	for _, r := range s.cookies() {
		if r.differs() {
			cookies = append(cookies, r.name)
		}
	}
	if steps == nil && cookies == nil {
		return "The browsers of these profiles do the same."
	}
	text := "The profiles differ in the rows marked *; = is as in the first column."
	if steps == nil {
		text += " Every step went alike, and only what is said of cookies differs."
	}
	return text
}

// longestID is about how long the ID of a rule gets, which is to be read in one piece.
const longestID = 26

// columns are the widths of the cells beside those in front, which have theirs, and at least as wide as said.
func (s Sides) columns(least int, front ...int) []int {
	room := lineWidth
	for _, width := range front {
		room -= width + len("  ")
	}
	n := len(s.alike())
	each := max(least, room/n-len("  "))
	return append(front, slices.Repeat([]int{each}, n)...)
}

// WriteTable writes the execution tables side by side, and what became of each cookie. verbose tells each run
// whole after that.
func (s Sides) WriteTable(w io.Writer, verbose bool) {
	s.stepGrid().text(w, s.columns(0, 6, 26))
	if g := s.cookieGrid(); len(g.rows) > 0 {
		fmt.Fprintln(w, "\nCookies")
		g.text(w, s.columns(longestID, 27))
	}
	fmt.Fprintf(w, "\n%s\n", s.differences())
	if !verbose {
		fmt.Fprintln(w, "-v tells each run whole, and so does --profile with one name.")
		return
	}
	for _, side := range s {
		fmt.Fprintf(w, "\nProfile %s\n\n", side.Profile)
		side.Story.WriteTable(w, true)
	}
}

// WriteMarkdown writes the same as tables of Markdown.
func (s Sides) WriteMarkdown(w io.Writer, verbose bool) {
	s.stepGrid().markdown(w)
	if g := s.cookieGrid(); len(g.rows) > 0 {
		fmt.Fprint(w, "\n### Cookies\n\n")
		g.markdown(w)
	}
	fmt.Fprintf(w, "\n%s\n", markdownCell.Replace(s.differences()))
	if verbose {
		for _, side := range s {
			fmt.Fprintf(w, "\n## Profile %s\n\n", side.Profile)
			side.Story.WriteMarkdown(w, true)
		}
	}
}

// WriteHTML writes one page that begins with the tables side by side.
func (s Sides) WriteHTML(w io.Writer, title string, intro []string) error {
	page := Page{Title: title, Intro: append(slices.Clone(intro), s.differences()), sides: s}
	for _, side := range s {
		page.Stories, page.Titles = append(page.Stories, side.Story), append(page.Titles, "Profile "+side.Profile)
	}
	return page.WriteHTML(w)
}

// A sideLine is a profile with its run, and in which rows that differs from the one of the first.
type sideLine struct {
	Schema  string   `json:"schema"`
	Profile string   `json:"profile"`
	Differs []string `json:"differs"`
	Run     []line   `json:"run"`
}

// WriteJSON writes one JSON object for each profile, on a line of its own.
func (s Sides) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(printableJSON{w})
	enc.SetEscapeHTML(false)
	for i, side := range s {
		l := sideLine{Schema: SidesSchema, Profile: side.Profile, Differs: s.differsFromFirst(i)}
		for j := range side.Story.Run.Visits {
			l.Run = append(l.Run, side.Story.Run.Visits[j].lines(j+1)...)
		}
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// differsFromFirst are the rows in which a side is not as the first.
func (s Sides) differsFromFirst(i int) []string {
	differ := []string{}
	for _, r := range slices.Concat(s.steps(), s.cookies()) {
		pair := sideRow{step: r.step, cells: []string{r.cells[0], r.cells[i]}}
		if pair.differs() {
			differ = append(differ, choose(r.step, "step ", "")+r.name)
		}
	}
	return differ
}
