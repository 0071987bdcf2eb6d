package arch

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Module is the source of a Go module: its packages, parsed, and its documents.
type Module struct {
	path      string // as go.mod has it
	goMod     document
	packages  []*pkg     // ordered by directory
	documents []document // every markdown file, ordered by path

	files fs.FS // the module's root
	std   fs.FS // the standard library's source, or nil
	fset  *token.FileSet
	known map[string]*symbols // by import path, filled when first asked for
}

// A pkg is a directory of Go files: a package and its tests.
type pkg struct {
	dir   string // slash-separated, relative to the module's root, "." for the root itself
	name  string // without the _test of external tests
	files []*file
}

// A file is one parsed Go file.
type file struct {
	path string
	test bool
	ast  *ast.File
}

// A document is a text file of the module.
type document struct {
	path string
	text string
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+(\S+)$`)

// Load parses the module whose root is root. Folders named testdata, those that begin with a dot
// or an underscore, and nested modules are not part of it. The source of the standard library,
// std, serves to look up the names that comments link to; with a nil std those are believed.
//
// A file that does not parse, and a root without a go.mod, are errors.
func Load(root, std fs.FS) (*Module, error) {
	goMod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("reading the module's root: %w", err)
	}
	line := moduleLine.FindSubmatch(goMod)
	if line == nil {
		return nil, errors.New("go.mod has no module line")
	}
	m := &Module{
		path:  string(line[1]),
		goMod: document{"go.mod", string(goMod)},
		files: root,
		std:   std,
		fset:  token.NewFileSet(),
		known: map[string]*symbols{},
	}
	if err := fs.WalkDir(root, ".", m.visit); err != nil {
		return nil, err
	}
	slices.SortFunc(m.packages, func(a, b *pkg) int { return cmp.Compare(a.dir, b.dir) })
	return m, nil
}

// visit takes in one entry of the walk over the module's root.
func (m *Module) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case entry.IsDir():
		if name != "." && m.foreign(name) {
			return fs.SkipDir
		}
	case path.Ext(name) == ".go":
		return m.addFile(name)
	case path.Ext(name) == ".md":
		text, err := fs.ReadFile(m.files, name)
		if err != nil {
			return err
		}
		m.documents = append(m.documents, document{name, string(text)})
	}
	return nil
}

// foreign reports whether a folder is not part of the module.
func (m *Module) foreign(dir string) bool {
	base := path.Base(dir)
	return base == "testdata" || base == "node_modules" || base[0] == '.' || base[0] == '_' || m.exists(path.Join(dir, "go.mod"))
}

func (m *Module) exists(name string) bool {
	_, err := fs.Stat(m.files, name)
	return err == nil
}

func (m *Module) addFile(name string) error {
	parsed, err := parseFile(m.fset, m.files, name)
	if err != nil {
		return err
	}
	f := &file{path: name, test: strings.HasSuffix(name, "_test.go"), ast: parsed}
	p := m.packageAt(path.Dir(name))
	if p.name == "" || !f.test {
		p.name = parsed.Name.Name
		if f.test {
			p.name = strings.TrimSuffix(p.name, "_test")
		}
	}
	p.files = append(p.files, f)
	return nil
}

// packageAt returns the package of a directory, new when there is none yet.
func (m *Module) packageAt(dir string) *pkg {
	for _, p := range m.packages {
		if p.dir == dir {
			return p
		}
	}
	p := &pkg{dir: dir}
	m.packages = append(m.packages, p)
	return p
}

// sources returns the files of p that are not tests.
func (p *pkg) sources() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return f.test })
}

// imports returns the paths that f imports, each with its spec.
func (f *file) imports() map[string]*ast.ImportSpec {
	specs := map[string]*ast.ImportSpec{}
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			specs[p] = spec
		}
	}
	return specs
}

// dirOf returns the directory of a package of the module, given its import path.
func (m *Module) dirOf(importPath string) (dir string, ok bool) {
	if importPath == m.path {
		return ".", true
	}
	return strings.CutPrefix(importPath, m.path+"/")
}

// isStd reports whether an import path is one of the standard library: its first element has no
// dot, and it is not the module's own.
func (m *Module) isStd(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	_, own := m.dirOf(importPath)
	return !own && !strings.Contains(first, ".")
}

func parseFile(fset *token.FileSet, files fs.FS, name string) (*ast.File, error) {
	src, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
}
