package arch

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"maps"
	"strings"
)

// docLinks looks up every name in brackets in the doc comments of code that is not a test, as
// go/doc does: in the package itself, or in a package it imports, or in one that is named by its
// whole path. Fields may be named beside methods.
func docLinks(m *Module) (found []Finding) {
	for _, p := range m.packages {
		names := map[string]string{}
		for _, f := range p.sources() {
			maps.Copy(names, f.importNames())
		}
		for _, f := range p.sources() {
			docComments(f.ast, func(g *ast.CommentGroup) {
				for _, link := range linksIn(g.Text(), names) {
					if why := m.unresolved(p, link); why != "" {
						found = append(found, m.at(g.Pos(), "[%s] %s", linkText(link), why))
					}
				}
			})
		}
	}
	return found
}

// linksIn returns what a comment links to. Every name in brackets is taken for a link, whether it
// exists or not; of packages that are neither in names nor of the standard library the name stands
// in for the path.
func linksIn(text string, names map[string]string) (links []*comment.DocLink) {
	p := comment.Parser{
		LookupSym: func(string, string) bool { return true },
		LookupPackage: func(name string) (string, bool) {
			if importPath, ok := names[name]; ok {
				return importPath, true
			}
			if importPath, ok := comment.DefaultLookupPackage(name); ok {
				return importPath, true
			}
			return unknownPackage + name, isIdentifier(name)
		},
	}
	visit := func(texts []comment.Text) {
		for _, t := range texts {
			if link, ok := t.(*comment.DocLink); ok {
				links = append(links, link)
			}
		}
	}
	for _, block := range p.Parse(text).Content {
		visitTexts(block, visit)
	}
	return links
}

// unknownPackage precedes the name of a package whose path nobody knows.
const unknownPackage = "?"

func visitTexts(block comment.Block, visit func([]comment.Text)) {
	switch block := block.(type) {
	case *comment.Heading:
		visit(block.Text)
	case *comment.Paragraph:
		visit(block.Text)
	case *comment.List:
		for _, item := range block.Items {
			for _, inner := range item.Content {
				visitTexts(inner, visit)
			}
		}
	}
}

// unresolved returns why a link of p leads nowhere, or "".
func (m *Module) unresolved(p *pkg, link *comment.DocLink) string {
	importPath := link.ImportPath
	if name, unknown := strings.CutPrefix(importPath, unknownPackage); unknown {
		if own := m.symbolsOf(m.importPath(p)); link.Name == "" && own != nil && own.names[name] {
			return "" // an unexported name of the package itself
		}
		return fmt.Sprintf("does not resolve: the package imports no %q; write the whole import path, or leave the brackets out", name)
	}
	if importPath == "" {
		importPath = m.importPath(p)
	}
	known := m.symbolsOf(importPath)
	switch _, own := m.dirOf(importPath); {
	case known == nil && own:
		return "does not resolve: the module has no package " + importPath
	case known == nil || link.Name == "" || known.has(link.Recv, link.Name):
		return ""
	}
	return "does not resolve: " + importPath + " declares no such name"
}

// importPath returns the path by which others import p.
func (m *Module) importPath(p *pkg) string {
	if p.dir == "." {
		return m.path
	}
	return m.path + "/" + p.dir
}

// linkText returns a link as it may have been written.
func linkText(link *comment.DocLink) string {
	var parts []string
	for _, part := range []string{strings.TrimPrefix(link.ImportPath, unknownPackage), link.Recv, link.Name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ".")
}

// isIdentifier reports whether a word in brackets could be the name of a package rather than
// prose, such as a number or a placeholder.
func isIdentifier(s string) bool {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z' || r == '_'
		if !letter && (i == 0 || r < '0' || '9' < r) {
			return false
		}
	}
	return s != ""
}
