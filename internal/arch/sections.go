package arch

import (
	"bytes"
	"regexp"
)

// A Section is a part of a markdown document that is produced and that is no fenced block, such as a
// table. It stands between two comments, each on a line of its own:
//
//	<!-- made: settings -->
//	| setting | default |
//	<!-- end -->
type Section struct {
	Name string // as the first comment has it
	Text string // the lines between the comments, each with its newline
}

var (
	madeComment = regexp.MustCompile(`^<!-- made: (\S+) -->\r?\n$`)
	endComment  = regexp.MustCompile(`^<!-- end -->\r?\n?$`)
)

// ReplaceSections returns the document with the text of each [Section] replaced by what produce
// returns for it, between empty lines. Comments in fenced blocks are text, and a section that does not
// end is none.
func ReplaceSections(markdown []byte, produce func(Section) string) []byte {
	var out bytes.Buffer
	rest := 0
	for _, s := range sections(markdown) {
		out.Write(markdown[rest:s.start])
		if text := bytes.Trim([]byte(produce(s.Section)), "\n"); len(text) > 0 {
			out.WriteString("\n" + string(text) + "\n\n")
		}
		rest = s.end
	}
	out.Write(markdown[rest:])
	return out.Bytes()
}

type section struct {
	Section
	start, end int // bytes of the document between the comments
}

// sections returns the sections of a document.
func sections(markdown []byte) (found []section) {
	blocks := fences(markdown)
	var open *section
	at := 0
	for line := range bytes.Lines(markdown) {
		start := at
		at += len(line)
		for len(blocks) > 0 && blocks[0].end <= start {
			blocks = blocks[1:]
		}
		if len(blocks) > 0 && blocks[0].start <= start {
			continue
		}
		switch name := madeComment.FindSubmatch(line); {
		case name != nil:
			open = &section{Section: Section{Name: string(name[1])}, start: at}
		case open != nil && endComment.Match(line):
			open.end = start
			open.Text = string(markdown[open.start:open.end])
			found = append(found, *open)
			open = nil
		}
	}
	return found
}
