package arch

import (
	"go/ast"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// symbols are the names that a package declares outside of functions: "Name" for constants,
// variables, functions and types, "Type.Name" for fields and methods, whether exported or not.
type symbols struct {
	names    map[string]bool
	embedded map[string][]string // the types that a type embeds; "" stands for one of another package
}

// symbolsOf returns the symbols of a package of the module or of the standard library, or nil when
// its source is not at hand.
func (m *Module) symbolsOf(importPath string) *symbols {
	if s, ok := m.known[importPath]; ok {
		return s
	}
	var parsed []*ast.File
	if dir, own := m.dirOf(importPath); own {
		for _, p := range m.packages {
			if p.dir == dir {
				for _, f := range p.sources() {
					parsed = append(parsed, f.ast)
				}
			}
		}
	} else if m.std != nil && m.isStd(importPath) {
		parsed = m.parseStd(importPath)
	}
	var s *symbols
	if len(parsed) > 0 {
		s = collect(parsed)
	}
	m.known[importPath] = s
	return s
}

// parseStd parses a package of the standard library, the files of all systems alike.
func (m *Module) parseStd(importPath string) (parsed []*ast.File) {
	entries, err := fs.ReadDir(m.std, importPath)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if path.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		if f, err := parseFile(m.fset, m.std, path.Join(importPath, e.Name())); err == nil {
			parsed = append(parsed, f)
		}
	}
	return parsed
}

// has reports whether the package declares a name: a symbol, or with recv a field or method of the
// type recv, its own or of a type it embeds. What a type of another package brings along is believed.
func (s *symbols) has(recv, name string) bool {
	if recv == "" {
		return s.names[name]
	}
	types := []string{recv} // and those it embeds, of which some may embed each other
	for i := 0; i < len(types); i++ {
		if types[i] == "" || s.names[types[i]+"."+name] {
			return true
		}
		for _, inner := range s.embedded[types[i]] {
			if !slices.Contains(types, inner) {
				types = append(types, inner)
			}
		}
	}
	return false
}

func collect(files []*ast.File) *symbols {
	s := &symbols{names: map[string]bool{}, embedded: map[string][]string{}}
	for _, f := range files {
		for _, decl := range f.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				s.addFunc(decl)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					s.addSpec(spec)
				}
			}
		}
	}
	return s
}

func (s *symbols) addFunc(fn *ast.FuncDecl) {
	name := fn.Name.Name
	if fn.Recv != nil && len(fn.Recv.List) == 1 {
		name = typeName(fn.Recv.List[0].Type) + "." + name
	}
	s.names[name] = true
}

func (s *symbols) addSpec(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			s.names[id.Name] = true
		}
	case *ast.TypeSpec:
		s.names[spec.Name.Name] = true
		s.addMembers(spec.Name.Name, spec.Type)
	}
}

// addMembers adds the fields of a struct, the methods of an interface, and what either embeds.
func (s *symbols) addMembers(owner string, typ ast.Expr) {
	var members *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		members = typ.Fields
	case *ast.InterfaceType:
		members = typ.Methods
	case *ast.Ident, *ast.SelectorExpr, *ast.StarExpr:
		s.embedded[owner] = append(s.embedded[owner], typeName(typ))
		return
	default:
		return
	}
	for _, field := range members.List {
		for _, id := range field.Names {
			s.names[owner+"."+id.Name] = true
		}
		if len(field.Names) == 0 {
			inner := typeName(field.Type)
			s.embedded[owner] = append(s.embedded[owner], inner)
			s.names[owner+"."+inner] = true
		}
	}
}

// typeName returns the name of a type of the same package, without its pointer and parameters, and
// "" for anything else.
func typeName(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ.Name
	case *ast.StarExpr:
		return typeName(typ.X)
	case *ast.ParenExpr:
		return typeName(typ.X)
	case *ast.IndexExpr:
		return typeName(typ.X)
	case *ast.IndexListExpr:
		return typeName(typ.X)
	}
	return ""
}

// docComments calls f for every comment of a file that documents something: the package, a
// declaration, a field.
func docComments(parsed *ast.File, f func(*ast.CommentGroup)) {
	note := func(groups ...*ast.CommentGroup) {
		for _, g := range groups {
			if g != nil {
				f(g)
			}
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.File:
			note(n.Doc)
		case *ast.GenDecl:
			note(n.Doc)
		case *ast.FuncDecl:
			note(n.Doc)
			return false // what stands inside of functions documents nothing
		case *ast.TypeSpec:
			note(n.Doc, n.Comment)
		case *ast.ValueSpec:
			note(n.Doc, n.Comment)
		case *ast.Field:
			note(n.Doc, n.Comment)
		}
		return true
	})
}
