package arch

import (
	"fmt"
	"go/token"
)

// A Check is one thing that the building keeps.
type Check struct {
	Name string // one or two words in lower case, joined by hyphens
	Doc  string // what it holds, in one sentence
	Run  func(*Module) []Finding
}

// A Finding is a place where a check does not hold.
type Finding struct {
	Path string // of the file, relative to the module's root
	Line int    // counted from 1, or 0 when it is about the whole file
	Text string // what is wrong, why it matters, and what would be right
}

// String returns the finding as "path:line: text".
func (f Finding) String() string {
	if f.Line == 0 {
		return f.Path + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text)
}

// Checks returns all checks, in the order in which a reader wants to hear of them.
func Checks() []Check {
	return []Check{
		{"floors", "Each package stands on a floor and imports lower floors only, never sideways.", floors},
		{"dependencies", "Each package of another module is imported where the list of dependencies has it, and nowhere else.", dependencies},
		{"purity", "Packages that decide touch no clock, no file, no network and no log.", purity},
		{"package-names", "No package has a name that says nothing.", packageNames},
		{"package-docs", "Each package has exactly one package comment, which begins as godoc wants it.", packageDocs},
		{"inits", "No package does anything on its own when a program starts.", inits},
		{"rules", "Each rule is a variable named after its ID, complete, and used in the file that declares it.", rules},
		{"doc-links", "Each name in brackets in a doc comment exists.", docLinks},
		{"comments", "No comment names a path of somebody's machine, and no doc comment belittles what it explains.", comments},
		{"divergences", "Each difference from Django that is kept is shown by a test.", divergences},
		{"documents", "Documents name what exists, belittle nothing, and show output that was produced.", documents},
	}
}

// at returns a finding at a position in a Go file.
func (m *Module) at(pos token.Pos, format string, args ...any) Finding {
	p := m.fset.Position(pos)
	return Finding{p.Filename, p.Line, fmt.Sprintf(format, args...)}
}
