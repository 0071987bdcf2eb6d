package arch

import (
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	belittling  = regexp.MustCompile(`(?i)\b(simply|just|easily)\b`)
	machinePath = regexp.MustCompile("(^|[\\s\"'`(=:,])(/(home|root|Users|work|farm|tmp|private)/|[A-Z]:\\\\)")
	inlineCode  = regexp.MustCompile("`([^`\n]+)`")
	linkTarget  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	makeTarget  = regexp.MustCompile(`^make(?: +[A-Z]+=\S+)* +([a-z][a-z-]*)`)
	goName      = regexp.MustCompile(`^\*?([a-z]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?`)
	marked      = regexp.MustCompile(`^\s*<!--\s*(run|file)\b`)
	shellTongue = []string{"sh", "shell", "bash"}
)

const (
	belittles   = "explains nothing to whoever does not find it so: leave the word out"
	machineOnly = "is a path of one machine: name it relative to the project's root"
)

// comments looks through the comments of all Go files for paths of a machine, and through doc
// comments for words that belittle.
func comments(m *Module) (found []Finding) {
	for _, p := range m.packages {
		for _, f := range p.files {
			for _, g := range f.ast.Comments {
				if path := machinePath.FindString(g.Text()); path != "" {
					found = append(found, m.at(g.Pos(), "%s… %s", strings.TrimSpace(path), machineOnly))
				}
			}
			docComments(f.ast, func(g *ast.CommentGroup) {
				if word := belittling.FindString(g.Text()); word != "" {
					found = append(found, m.at(g.Pos(), "%q %s", word, belittles))
				}
			})
		}
	}
	return found
}

// documents looks through the markdown files. Fenced blocks are left out, but for what they run.
func documents(m *Module) (found []Finding) {
	for _, d := range m.documents {
		blocks := fences([]byte(d.text))
		found = append(found, unproduced(d, blocks)...)
		found = append(found, m.misspoken(d, blocks)...)
	}
	return found
}

// unproduced finds output that was typed: a block of no language or of "text" or "console" is
// output, and output has the comment that tells what prints it. A comment that no block follows is
// a mistake as well.
func unproduced(d document, blocks []fence) (found []Finding) {
	produced := map[int]bool{}
	for _, b := range blocks {
		produced[b.line-1] = b.command != ""
		language := strings.TrimSpace(b.info)
		if b.command == "" && slices.Contains([]string{"", "text", "console", "output"}, language) {
			found = append(found, Finding{d.path, b.line, "is output that was typed: put <!-- run: COMMAND --> on the line before it, or name its language"})
		}
	}
	for i, line := range proseLines(d, blocks) {
		if marked.MatchString(line) && !produced[i+1] {
			found = append(found, Finding{d.path, i + 1, "no closed block follows this comment, or it names no command"})
		}
	}
	return found
}

// misspoken finds, line by line, words, paths and names that a document should not have.
func (m *Module) misspoken(d document, blocks []fence) (found []Finding) {
	for i, line := range proseLines(d, blocks) {
		at := func(text string) { found = append(found, Finding{d.path, i + 1, text}) }
		if word := belittling.FindString(inlineCode.ReplaceAllString(line, "")); word != "" {
			at("“" + word + "” " + belittles)
		}
		for _, link := range linkTarget.FindAllStringSubmatch(line, -1) {
			if m.deadLink(d.path, link[1]) {
				at("links to " + link[1] + ", which does not exist")
			}
		}
		for _, code := range inlineCode.FindAllStringSubmatch(line, -1) {
			if why := m.misnamed(code[1]); why != "" {
				at("`" + code[1] + "` " + why)
			}
		}
	}
	for i, line := range strings.Split(d.text, "\n") {
		if p := machinePath.FindString(line); p != "" {
			found = append(found, Finding{d.path, i + 1, strings.TrimSpace(p) + "… " + machineOnly})
		}
	}
	for _, b := range blocks {
		found = append(found, m.unknownTargets(d, b)...)
	}
	return found
}

// proseLines returns the lines of a document with those of its blocks emptied.
func proseLines(d document, blocks []fence) []string {
	lines := strings.Split(d.text, "\n")
	for _, b := range blocks {
		for i := range strings.Count(b.text, "\n") + 2 {
			lines[b.line-1+i] = ""
		}
	}
	return lines
}

// deadLink reports whether a link of a document leads to a file of the module that is not there.
func (m *Module) deadLink(from, target string) bool {
	target, _, _ = strings.Cut(target, "#")
	if target == "" || strings.Contains(target, ":") {
		return false
	}
	name := path.Join(path.Dir(from), target)
	return !fs.ValidPath(name) || !m.exists(name)
}

// misnamed returns why a piece of code in a sentence names nothing of the module, or "": names of
// its packages, paths of its files and targets of its Makefile have to exist.
func (m *Module) misnamed(code string) string {
	if target := makeTarget.FindStringSubmatch(code); target != nil {
		if !m.hasTarget(target[1]) {
			return "is not a target of the Makefile"
		}
		return ""
	}
	if name := goName.FindStringSubmatch(code); name != nil {
		return m.misnamedSymbol(name[1], name[2], name[3])
	}
	if ruleID.MatchString(code) && m.missesRule(code) {
		return "begins like the ID of a rule, and is none"
	}
	first, _, slash := strings.Cut(code, "/")
	isPath := slash && !strings.ContainsAny(code, " *<>…") && !strings.Contains(code, "...") && m.exists(first) && first != "bin"
	if file, _, _ := strings.Cut(code, ":"); isPath && !m.exists(strings.TrimSuffix(file, "/")) {
		return "is not a file or folder of the module"
	}
	return ""
}

// missesRule reports whether a text begins with a word with which IDs of rules do, and is none.
func (m *Module) missesRule(text string) bool {
	word, _, _ := strings.Cut(text, "-")
	begins := false
	for _, p := range m.packages {
		for _, r := range m.declaredRules(p) {
			id := r.fields["ID"]
			if id == text {
				return false
			}
			begins = begins || strings.HasPrefix(id, word+"-")
		}
	}
	return begins
}

// misnamedSymbol looks up pkg.Name or pkg.Type.Name where pkg is a public or internal package of
// the module. Python's settings.NAME is not Go's.
func (m *Module) misnamedSymbol(pkgName, name, member string) string {
	if pkgName == "settings" && strings.ToUpper(name) == name {
		return ""
	}
	for _, p := range m.packages {
		if p.name != pkgName {
			continue
		}
		known := m.symbolsOf(m.importPath(p))
		if known == nil {
			continue
		}
		if known.has("", name) && (member == "" || known.has(name, member)) {
			return ""
		}
		return "is not declared by package " + m.importPath(p)
	}
	return ""
}

// unknownTargets finds calls of make, in a block of shell commands, that the Makefile cannot do.
func (m *Module) unknownTargets(d document, b fence) (found []Finding) {
	if !slices.Contains(shellTongue, strings.TrimSpace(b.info)) {
		return nil
	}
	number := b.line
	for line := range strings.Lines(b.text) {
		number++
		target := makeTarget.FindStringSubmatch(strings.TrimPrefix(strings.TrimSpace(line), "$ "))
		if target != nil && !m.hasTarget(target[1]) {
			found = append(found, Finding{d.path, number, "make " + target[1] + " is not a target of the Makefile"})
		}
	}
	return found
}

func (m *Module) hasTarget(name string) bool {
	text, err := fs.ReadFile(m.files, "Makefile")
	return err != nil || regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`\s*:`).Match(text)
}
