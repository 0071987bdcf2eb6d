package arch

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// A dependency is another module, with the rooms whose code may import it.
type dependency struct {
	module string
	rooms  []string // nil: tests only
}

// What the module stands on. Whoever imports Lockstep inherits floors 0 to 3 at least, so those
// need the standard library, golang.org/x/net and the golang.org/x/text it needs, and no more.
var dependsOn = []dependency{
	{"golang.org/x/net", []string{"cookie", "browser", ".", "internal/form"}},
	{"golang.org/x/sys", []string{"store/file"}}, // renameat2, which package syscall has not; modernc.org/sqlite needs the module anyway
	{"golang.org/x/term", []string{"cmd/lockstep"}},
	{"golang.org/x/text", []string{"cookie", "browser", "."}},
	{"github.com/BurntSushi/toml", []string{"settings", "cmd/lockstep"}},
	{"github.com/alecthomas/kong", []string{"cmd/lockstep"}},
	{"modernc.org/sqlite", []string{"store/sqlite", "examples/login"}},
	{"github.com/jackc/pgx/v5", []string{"store/postgres"}},
	{"github.com/redis/rueidis", []string{"store/redis"}},
	{"github.com/caddyserver/certmagic", []string{"internal/cert"}},
	{"github.com/smallstep/truststore", []string{"internal/cert"}},
	{"github.com/quic-go/quic-go", []string{"internal/gate"}},
	{"github.com/prometheus/client_golang", []string{"internal/gate"}},
	{"github.com/rogpeppe/go-internal", nil},
	{"pgregory.net/rapid", nil},
}

var (
	toolchainLine   = regexp.MustCompile(`(?m)^toolchain\s`)
	replaceLine     = regexp.MustCompile(`(?m)^(replace|exclude)\s`)
	requireLine     = regexp.MustCompile(`^(?:require\s+)?(\S+)\s+v\S+\s*(//.*)?$`)
	indirectComment = "// indirect"
)

// dependencies holds imports of other modules, and go.mod, against the list.
func dependencies(m *Module) (found []Finding) {
	for _, p := range m.packages {
		for _, f := range p.files {
			for importPath, spec := range f.imports() {
				if why := m.refusesModule(p.dir, importPath, f.test); why != "" {
					found = append(found, m.at(spec.Pos(), "imports %s: %s", importPath, why))
				}
			}
		}
	}
	return append(found, m.goModFindings()...)
}

// refusesModule returns why the package at dir, or its tests, may not import a package of another
// module, or "" when they may.
func (m *Module) refusesModule(dir, importPath string, test bool) string {
	if _, own := m.dirOf(importPath); own || m.isStd(importPath) {
		return ""
	}
	i := slices.IndexFunc(dependsOn, func(d dependency) bool { return within(importPath, d.module) })
	switch {
	case i < 0:
		return "no such dependency is listed in internal/arch/dependencies.go; a new one wants a row there and a reason in its commit message"
	case test || slices.Contains(dependsOn[i].rooms, dir):
		return ""
	case dependsOn[i].rooms == nil:
		return "it is there for tests only"
	}
	return "it belongs to " + strings.Join(dependsOn[i].rooms, ", ") + ", so that nobody else inherits it"
}

// within reports whether an import path is a module's or lies below it.
func within(importPath, module string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// goModFindings tells what go.mod has that importers would inherit or stumble over.
func (m *Module) goModFindings() (found []Finding) {
	for i, line := range strings.Split(m.goMod.text, "\n") {
		line = strings.TrimSpace(line)
		at := func(text string) { found = append(found, Finding{m.goMod.path, i + 1, text}) }
		switch require := requireLine.FindStringSubmatch(line); {
		case toolchainLine.MatchString(line):
			at("has a toolchain line: the go line says which Go is needed, and another is never downloaded")
		case replaceLine.MatchString(line):
			at("replaces or excludes a module, which holds here and for nobody who imports this one")
		case require == nil || strings.Contains(cmp.Or(require[2], ""), indirectComment):
		case !slices.ContainsFunc(dependsOn, func(d dependency) bool { return d.module == require[1] }):
			at("requires " + require[1] + ", which is not listed in internal/arch/dependencies.go")
		}
	}
	return found
}
