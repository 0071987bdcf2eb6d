package arch

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// Names of packages that say nothing about what is inside.
var emptyNames = []string{
	"util", "utils", "common", "helper", "helpers", "types", "models", "misc", "base", "shared", "lib", "manager",
}

func packageNames(m *Module) (found []Finding) {
	for _, p := range m.packages {
		for _, name := range []string{p.name, path.Base(p.dir)} {
			if slices.Contains(emptyNames, name) {
				found = append(found, Finding{p.dir, 0, "is called " + name + ", which says nothing: name the package after what it gives"})
				break
			}
		}
	}
	return found
}

func packageDocs(m *Module) (found []Finding) {
	for _, p := range m.packages {
		var documented []*file
		for _, f := range p.sources() {
			if f.ast.Doc != nil {
				documented = append(documented, f)
			}
		}
		switch start := packageDocStart(p); {
		case len(p.sources()) == 0:
		case len(documented) == 0:
			found = append(found, Finding{p.dir, 0, "has no package comment: one file's package clause wants one, beginning " + start})
		case len(documented) > 1:
			found = append(found, m.at(documented[1].ast.Doc.Pos(), "is a second package comment beside that of %s: a package has one", documented[0].path))
		case !strings.HasPrefix(documented[0].ast.Doc.Text(), start):
			found = append(found, m.at(documented[0].ast.Doc.Pos(), "the package comment does not begin %q, as godoc wants it", start))
		}
	}
	return found
}

// packageDocStart returns how a package's comment begins.
func packageDocStart(p *pkg) string {
	if p.name == "main" {
		return "Command " + path.Base(p.dir) + " "
	}
	return "Package " + p.name + " "
}

func inits(m *Module) (found []Finding) {
	for _, p := range m.packages {
		for _, f := range p.files {
			for _, decl := range f.ast.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					found = append(found, m.at(fn.Pos(), "is an init function: what a program does when it starts is written where it starts"))
				}
			}
		}
	}
	return found
}
