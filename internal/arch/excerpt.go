package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// Excerpt returns the declarations of a Go file that have the given names, each with its comment, in
// the order of the names: a function's name, "Type.method", the name of a type, or that of a constant
// or variable, which stands for the whole group it is declared in. It is how documents show code that
// is compiled and tested.
func Excerpt(source []byte, names ...string) (string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", fmt.Errorf("reading Go source: %w", err)
	}
	var parts []string
	for _, name := range names {
		found := false
		for _, decl := range file.Decls {
			if declares(decl, name) {
				found = true
				start := fset.Position(startOf(decl)).Offset
				parts = append(parts, string(source[start:fset.Position(decl.End()).Offset]))
			}
		}
		if !found {
			return "", fmt.Errorf("nothing called %q is declared there", name)
		}
	}
	return strings.Join(parts, "\n\n") + "\n", nil
}

// startOf is where a declaration begins, its comment counted.
func startOf(decl ast.Decl) token.Pos {
	var doc *ast.CommentGroup
	switch d := decl.(type) {
	case *ast.FuncDecl:
		doc = d.Doc
	case *ast.GenDecl:
		doc = d.Doc
	}
	if doc != nil {
		return doc.Pos()
	}
	return decl.Pos()
}

func declares(decl ast.Decl, name string) bool {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		return name == receiver(d)+d.Name.Name
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.Name == name {
					return true
				}
			case *ast.ValueSpec:
				for _, id := range s.Names {
					if id.Name == name {
						return true
					}
				}
			}
		}
	}
	return false
}

// receiver is "Type." for a method and "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}
