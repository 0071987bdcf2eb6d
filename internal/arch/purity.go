package arch

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A ban is what a package never touches in its own code, with the reason. Tests may.
type ban struct {
	dirs   []string
	what   []string // import paths ("os", "internal/..." with all below), or names of other packages ("time.Now")
	called bool     // of names, calls only: as a value, such as a default of Options, they pass
	except string   // the one file of these packages that may
	reason string
}

var (
	clock = []string{
		"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc",
		"time.Tick", "time.NewTicker", "time.NewTimer",
	}
	files   = []string{"os", "os/exec", "os/signal", "syscall", "io/ioutil", "embed"}
	network = []string{"net", "net/http", "net/http/httptest", "net/rpc", "crypto/tls"}
	logging = []string{
		"log", "slog.Default", "slog.Debug", "slog.Info", "slog.Warn", "slog.Error",
		"slog.Log", "slog.LogAttrs", "slog.SetDefault",
	}
	random = []string{"crypto/rand", "math/rand", "math/rand/v2"}
)

var bans = []ban{
	{
		dirs: []string{"rule", "cookie", "django"}, what: clock,
		reason: "a decision takes the time as an argument, so that it can be asked about any moment",
	},
	{
		dirs: []string{"browser"}, what: clock, except: "jar.go",
		reason: "a decision takes the time as an argument, so that it can be asked about any moment; the adapter in jar.go asks the clock",
	},
	{
		dirs: []string{"session", "."}, what: clock, called: true,
		reason: "the clock is Options.Now, so that years pass in a test in no time",
	},
	{
		dirs: []string{"rule", "cookie", "django", "browser", "session", "."}, what: files,
		reason: "packages that decide read and write nothing; the rooms above them act",
	},
	{
		dirs: []string{"rule", "cookie", "django", "session"}, what: network,
		reason: "the package knows no network; what it needs of a request is an argument",
	},
	{
		dirs: []string{"browser"}, what: network, except: "jar.go",
		reason: "this browser has no network; only the adapter of http.CookieJar in jar.go knows net/http",
	},
	{
		dirs: []string{"rule", "cookie", "django", "browser", "session"}, what: logging,
		reason: "packages that decide return what they found; shells log it",
	},
	{
		dirs: []string{"."}, what: logging,
		reason: "the site logs to Options.Logger, never to a logger of the whole process",
	},
	{
		dirs: []string{"rule", "cookie", "django", "browser"}, what: random,
		reason: "randomness is passed in, so that every answer can be had again",
	},
	{
		dirs: []string{"."}, what: []string{"./browser"},
		reason: "the site must not know the browser: the two sides meet only in a trace",
	},
	{
		dirs: []string{"."}, what: []string{"./internal/..."},
		reason: "the library stands on public packages only, so that what it does can be read and used by anybody",
	},
	{
		dirs: []string{"."}, what: []string{"crypto/x509", "crypto/tls"},
		reason: "certificates belong to who listens: the gate, the demo, or the program that imports this library",
	},
	{
		dirs: []string{"internal/trace"}, what: []string{"."},
		reason: "what a site decided reaches a trace as verdicts; a trace that imported the site would know more than it saw",
	},
	{
		dirs: []string{"internal/arch"}, what: slices.Concat([]string{"os/exec"}, network),
		reason: "a test that asks another program is cached and stays green after a bad import",
	},
}

// purity holds the bans against the code that is not a test.
func purity(m *Module) (found []Finding) {
	for _, b := range bans {
		for _, p := range m.packages {
			if !slices.Contains(b.dirs, p.dir) {
				continue
			}
			for _, f := range p.sources() {
				if path.Base(f.path) != b.except {
					found = append(found, m.banned(b, f)...)
				}
			}
		}
	}
	return found
}

func (m *Module) banned(b ban, f *file) (found []Finding) {
	for importPath, spec := range f.imports() {
		if slices.ContainsFunc(b.what, func(what string) bool { return m.matches(importPath, what) }) {
			found = append(found, m.at(spec.Pos(), "imports %s: %s", importPath, b.reason))
		}
	}
	for _, use := range uses(f, b.called) {
		if slices.Contains(b.what, use.name) {
			found = append(found, m.at(use.node.Pos(), "uses %s: %s", use.name, b.reason))
		}
	}
	return found
}

// matches reports whether an import path is what a ban names: a path as it is, or after a dot a
// package of the module, either with all below it when it ends in "/...".
func (m *Module) matches(importPath, what string) bool {
	if what == "." {
		what = m.path
	} else if own, ok := strings.CutPrefix(what, "./"); ok {
		what = m.path + "/" + own
	}
	if tree, ok := strings.CutSuffix(what, "/..."); ok {
		return within(importPath, tree)
	}
	return importPath == what
}

// A use is a name of another package in code, such as time.Now.
type use struct {
	name string // with the last element of the package's path
	node ast.Node
}

// uses returns the names of other packages that f uses, or only those it calls.
func uses(f *file, called bool) (found []use) {
	names := f.importNames()
	note := func(n ast.Node) {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && names[x.Name] != "" {
				found = append(found, use{path.Base(names[x.Name]) + "." + s.Sel.Name, n})
			}
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && called {
			note(call.Fun)
		} else if !called {
			note(n)
		}
		return true
	})
	return found
}

// importNames returns the paths that f imports by the names they have in it.
func (f *file) importNames() map[string]string {
	names := map[string]string{}
	for importPath, spec := range f.imports() {
		name := path.Base(importPath)
		if isMajorVersion(name) {
			name = path.Base(path.Dir(importPath))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = importPath
	}
	return names
}

// isMajorVersion reports whether an element of an import path is a version such as v2.
func isMajorVersion(element string) bool {
	digits, ok := strings.CutPrefix(element, "v")
	_, err := strconv.Atoi(digits)
	return ok && err == nil
}
