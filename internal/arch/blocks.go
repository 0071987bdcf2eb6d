package arch

import (
	"bytes"
	"regexp"
	"strings"
)

// A Block is a fenced block of a markdown document whose text is produced: what a command prints, or
// a part of a file. It is marked by a comment on the line before its fence:
//
//	<!-- run: bin/lockstep demo -->
//	<!-- file: examples/login/main.go main -->
type Block struct {
	Mark    string // "run" or "file"
	Command string // what the comment has behind it
	Text    string // the lines between the fences, each with its newline
	Line    int    // of the opening fence, counted from 1
}

var (
	markComment = regexp.MustCompile(`^<!--\s*(run|file):\s*(.*?)\s*-->\s*$`)
	fenceLine   = regexp.MustCompile("^(`{3,}|~{3,})([^`]*)$")
)

// Blocks returns the blocks of a document whose text is to be produced, in their order. A
// comment that no closed block follows gives none; the check "documents" names such.
func Blocks(markdown []byte) (blocks []Block) {
	for _, f := range fences(markdown) {
		if f.command != "" {
			blocks = append(blocks, Block{f.mark, f.command, f.text, f.line})
		}
	}
	return blocks
}

// Replace returns the document with the text of each of its [Blocks] replaced by what produce
// returns for it. Everything else stays as it is, byte for byte, but a fence that the new text
// would close early is lengthened. A missing newline at the end of a text is added.
//
// A test that compares the result with the document shows that its output was produced; one that
// writes it back brings the document up to date.
func Replace(markdown []byte, produce func(Block) string) []byte {
	var out bytes.Buffer
	rest := 0
	for _, f := range fences(markdown) {
		if f.command == "" {
			continue
		}
		text := produce(Block{f.mark, f.command, f.text, f.line})
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		marks := lengthened(f.marks, text)
		out.Write(markdown[rest:f.start])
		out.WriteString(marks + f.info + text + marks + "\n")
		rest = f.end
	}
	out.Write(markdown[rest:])
	return out.Bytes()
}

// lengthened returns the marks of a fence, longer than any line of text that would close it.
func lengthened(marks, text string) string {
	longest := len(marks) - 1
	for line := range strings.Lines(text) {
		if closes(line, marks) {
			longest = max(longest, strings.Count(line, marks[:1]))
		}
	}
	return strings.Repeat(marks[:1], longest+1)
}

// A fence is a fenced block of a markdown document that is closed.
type fence struct {
	mark       string // of the comment on the line before it, or ""
	command    string // of that comment, or ""
	marks      string // "```", or more of them, or tildes
	info       string // the rest of the opening line, with its newline
	text       string
	line       int // of the opening fence
	start, end int // bytes of the document from the opening fence to the end of the closing one's line
}

// fences returns the fenced blocks of a document that stand at the beginning of the line.
func fences(markdown []byte) (found []fence) {
	var open *fence
	mark, command, at, number := "", "", 0, 0
	for line := range bytes.Lines(markdown) {
		number++
		start := at
		at += len(line)
		text := string(line)
		switch {
		case open != nil && closes(text, open.marks):
			open.end = at
			found = append(found, *open)
			open = nil
		case open != nil:
			open.text += text
		default:
			if opening := fenceLine.FindStringSubmatch(strings.TrimRight(text, "\r\n")); opening != nil {
				open = &fence{mark: mark, command: command, marks: opening[1], info: text[len(opening[1]):], line: number, start: start}
			}
			mark, command = markOf(text)
		}
	}
	return found
}

// markOf returns the mark and the command of a line that is such a comment, or two empty texts.
func markOf(line string) (mark, command string) {
	if found := markComment.FindStringSubmatch(strings.TrimRight(line, "\r\n")); found != nil {
		return found[1], found[2]
	}
	return "", ""
}

// closes reports whether a line closes a fence: the same marks, at least as many, and nothing else.
func closes(line, marks string) bool {
	line = strings.TrimRight(line, " \t\r\n")
	return len(line) >= len(marks) && strings.Trim(line, marks[:1]) == ""
}
