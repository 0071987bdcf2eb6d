package trace

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A grid is a table before it is rendered. Its cells may come from a foreign site: rendering takes
// the control characters out.
type grid struct {
	head []string
	rows [][]string
}

// text renders the grid with aligned columns. Cells wider than limits (one a column; 0: any width)
// are wrapped between words.
func (g grid) text(w io.Writer, limits []int) {
	rows := append([][]string{g.head}, g.rows...)
	wrapped := make([][][]string, len(rows))
	widths := make([]int, len(g.head))
	for i, row := range rows {
		wrapped[i] = make([][]string, len(row))
		for j, cell := range row {
			wrapped[i][j] = wrap(clean(cell), limits[j])
			for _, line := range wrapped[i][j] {
				widths[j] = max(widths[j], utf8.RuneCountInString(line))
			}
		}
	}
	for i, row := range wrapped {
		writeRow(w, row, widths)
		if i == 0 {
			rule := make([][]string, len(widths))
			for j, n := range widths {
				rule[j] = []string{strings.Repeat("-", n)}
			}
			writeRow(w, rule, widths)
		}
	}
}

// width is how many runes the longest line of the grid has when nothing is wrapped.
func (g grid) width() int {
	total := 0
	for j := range g.head {
		widest := 0
		for _, row := range append([][]string{g.head}, g.rows...) {
			widest = max(widest, utf8.RuneCountInString(row[j]))
		}
		total += widest + len("  ")
	}
	return total - len("  ")
}

// transposed has the rows of g for columns: a run of many steps is long and not wide.
func (g grid) transposed() grid {
	columns := append([][]string{g.head}, g.rows...)
	var t grid
	for i := range g.head {
		row := make([]string, len(columns))
		for j, column := range columns {
			row[j] = column[i]
		}
		t.rows = append(t.rows, row)
	}
	t.head, t.rows = t.rows[0], t.rows[1:]
	return t
}

func writeRow(w io.Writer, cells [][]string, widths []int) {
	height := 0
	for _, lines := range cells {
		height = max(height, len(lines))
	}
	for k := range height {
		var line strings.Builder
		for j, lines := range cells {
			text := ""
			if k < len(lines) {
				text = lines[k]
			}
			line.WriteString(text)
			line.WriteString(strings.Repeat(" ", widths[j]-utf8.RuneCountInString(text)+2))
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// markdown renders the grid as a table of GitHub's Markdown.
func (g grid) markdown(w io.Writer) {
	line := func(cells []string) {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	line(g.head)
	line(slices.Repeat([]string{"---"}, len(g.head)))
	for _, row := range g.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = markdownCell.Replace(clean(c))
		}
		line(cells)
	}
}

// A cell must not end the row, begin an element or be read as emphasis.
var markdownCell = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "*", `\*`, "`", "\\`")

// Printable takes out of a text what a terminal would obey.
func Printable(s string) string { return clean(s) }

// Wrap breaks a text into lines that a terminal shows whole, and makes it printable.
func Wrap(text string) []string { return wrap(clean(text), factsWidth) }

// clean takes out what a terminal or a table would obey.
func clean(s string) string { return strings.Map(printable, strings.ToValidUTF8(s, "?")) }

// wrap breaks text into lines of at most width runes, between words where it can; URLs and the like
// that are longer are broken where they are full.
func wrap(text string, width int) []string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var (
		lines []string
		line  []byte
		runes int // in line
	)
	flush := func() {
		if runes > 0 {
			lines = append(lines, string(line))
		}
		line, runes = line[:0], 0
	}
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if runes > 0 && runes+1+n > width {
			flush()
		}
		if runes > 0 {
			line = append(line, ' ')
			runes++
		}
		for ; runes+n > width; n-- {
			_, size := utf8.DecodeRuneInString(word)
			line, word = append(line, word[:size]...), word[size:]
			if runes++; runes == width {
				flush()
			}
		}
		line = append(line, word...)
		runes += n
	}
	flush()
	return lines
}
