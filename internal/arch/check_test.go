package arch_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lockstep-http/lockstep/internal/arch"
)

// A checkTest is a small module and what one check finds in it. The files are written one after
// the other, each after a line "-- path --"; go.mod and package comments that a case does not
// speak of are added.
type checkTest struct {
	about string // what the module does, in a few words
	check string
	files string
	want  []string // findings, each by its place and a part of its text; none when the check holds
}

var floorTests = []checkTest{
	{
		"a room imports a lower floor", "floors", `
-- browser/b.go --
package browser
import _ "example.test/m/cookie"
-- cookie/c.go --
package cookie
import _ "example.test/m/rule"
-- rule/r.go --
package rule
`, nil,
	},
	{
		"a room imports a higher floor", "floors", `
-- cookie/c.go --
package cookie

import _ "example.test/m/session"
-- session/s.go --
package session
`, []string{"cookie/c.go:3: imports example.test/m/session: floor 1 imports lower floors only, and that is floor 2"},
	},
	{
		"a room imports its neighbour", "floors", `
-- browser/b.go --
package browser
import _ "example.test/m/session"
-- session/s.go --
package session
`, []string{"browser/b.go:2: imports example.test/m/session: both stand on floor 2, and nothing imports sideways"},
	},
	{
		"a room imports a lower floor that the table does not give it", "floors", `
-- session/s.go --
package session
import _ "example.test/m/cookie"
-- cookie/c.go --
package cookie
`, []string{"session/s.go:2: imports example.test/m/cookie: of this module the room may import rule, django only"},
	},
	{
		"a package has no room, whatever it imports", "floors", `
-- attic/a.go --
package attic
-- rule/r.go --
package rule
import _ "example.test/m/attic"
`, []string{
			"attic: is not in the list of rooms",
			"rule/r.go:2: imports example.test/m/attic: that package is not in the list of rooms",
		},
	},
	{
		"somebody imports the program, and somebody the building's tests", "floors", `
-- internal/lab/l.go --
package lab
import _ "example.test/m/cmd/lockstep"
-- internal/lab/m.go --
package lab
import _ "example.test/m/internal/arch"
-- cmd/lockstep/main.go --
package main
-- internal/arch/a.go --
package arch
`, []string{"internal/lab/l.go:2: imports", "internal/lab/m.go:2: imports"},
	},
	{
		"tests import sideways and the rooms for tests", "floors", `
-- browser/b_test.go --
package browser_test
import (
	_ "example.test/m/internal/oracle"
	_ "example.test/m/session"
)
-- browser/b.go --
package browser
-- session/s.go --
package session
-- internal/oracle/o.go --
package oracle
`, nil,
	},
	{
		"a test imports a higher floor", "floors", `
-- browser/b_test.go --
package browser_test
import _ "example.test/m/internal/trace"
-- internal/trace/t.go --
package trace
`, []string{"browser/b_test.go:2: imports example.test/m/internal/trace: tests of floor 2 import nothing of floor 4"},
	},
	{
		"nested modules and testdata stand outside", "floors", `
-- e2e/go.mod --
module example.test/m/e2e
-- e2e/e.go --
package e2e
-- rule/testdata/x.go --
package attic
`, nil,
	},
}

var dependencyTests = []checkTest{
	{
		"dependencies where the list has them", "dependencies", `
-- go.mod --
module example.test/m

go 1.26.0

require (
	golang.org/x/net v0.62.0
	golang.org/x/other v0.1.0 // indirect
)
-- browser/b.go --
package browser
import _ "golang.org/x/net/publicsuffix"
-- rule/r_test.go --
package rule_test
import _ "github.com/rogpeppe/go-internal/testscript"
`, nil,
	},
	{
		"dependencies elsewhere", "dependencies", `
-- session/s.go --
package session
import _ "modernc.org/sqlite"
-- cmd/lockstep/main.go --
package main
import _ "github.com/rogpeppe/go-internal/testscript"
-- browser/b_test.go --
package browser_test
import _ "github.com/stretchr/testify"
`, []string{
			"browser/b_test.go:2: imports github.com/stretchr/testify: no such dependency is listed",
			"cmd/lockstep/main.go:2: imports github.com/rogpeppe/go-internal/testscript: it is there for tests only",
			"session/s.go:2: imports modernc.org/sqlite: it belongs to store/sqlite",
		},
	},
	{
		"a go.mod that others would stumble over", "dependencies", `
-- go.mod --
module example.test/m

go 1.26.0

toolchain go1.26.8

require github.com/stretchr/testify v1.12.1

replace golang.org/x/net => ../net
`, []string{"go.mod:5: has a toolchain line", "go.mod:7: requires github.com/stretchr/testify", "go.mod:9: replaces"},
	},
}

var purityTests = []checkTest{
	{
		"the clock, wherever it is forbidden", "purity", `
-- rule/r.go --
package rule
import "time"
var now = time.Now
-- session/s.go --
package session
import stdtime "time"
var now = stdtime.Now
func age() { stdtime.Now() }
-- internal/trace/t.go --
package trace
import "time"
var now = time.Now()
`, []string{"rule/r.go:3: uses time.Now: a decision takes the time as an argument", "session/s.go:4: uses time.Now: the clock is Options.Now"},
	},
	{
		"net/http in the adapter and beside it", "purity", `
-- browser/jar.go --
package browser
import _ "net/http"
-- browser/store.go --
package browser
import _ "net/http"
-- browser/store_test.go --
package browser_test
import _ "net/http"
`, []string{"browser/store.go:2: imports net/http: this browser has no network"},
	},
	{
		"the site learns of the browser and of internal rooms", "purity", `
-- guard.go --
package lockstep
import _ "example.test/m/browser"
import _ "example.test/m/internal/cert"
-- browser/b.go --
package browser
`, []string{"guard.go:2: imports example.test/m/browser: the site must not know the browser", "guard.go:3: imports example.test/m/internal/cert: the library stands on public packages only"},
	},
	{
		"files, randomness and logs", "purity", `
-- django/d.go --
package django
import (
	_ "crypto/rand"
	_ "log"
	"log/slog"
	_ "os"
)
func f() { slog.Info("signed") }
var _ slog.Value
`, []string{"django/d.go:3: imports crypto/rand", "django/d.go:4: imports log", "django/d.go:6: imports os", "django/d.go:8: uses slog.Info"},
	},
}

var packageTests = []checkTest{
	{
		"names that say nothing", "package-names", `
-- internal/httputil/h.go --
package httputil
-- internal/util/u.go --
package util
-- internal/kinds/t.go --
package types
-- internal/helpers/h.go --
package quoting
`, []string{"internal/helpers: is called helpers", "internal/kinds: is called types", "internal/util: is called util"},
	},
	{
		"package comments as they should be", "package-docs", `
-- rule/doc.go --
// Package rule is a vocabulary.
package rule
-- rule/rule.go --
package rule
-- cmd/lockstep/main.go --
// Command lockstep runs the lesson.
package main
-- internal/e2e/e_test.go --
package e2e_test
`, nil,
	},
	{
		"package comments missing, double, and misnamed", "package-docs", `
-- cookie/c.go --
package cookie
-- cmd/lockstep/main.go --
// Package main runs the lesson.
package main
-- rule/doc.go --
// Package rule is a vocabulary.
package rule
-- rule/rule.go --
// Package rule has rules.
package rule
`, []string{
			`cmd/lockstep/main.go:1: the package comment does not begin "Command lockstep "`,
			"cookie: has no package comment",
			"rule/rule.go:1: is a second package comment beside that of rule/doc.go",
		},
	},
	{
		"an init function, and a method of that name", "inits", `
-- rule/r.go --
package rule
type t struct{}
func (t) init() {}
func init() {}
`, []string{"rule/r.go:4: is an init function"},
	},
}

var ruleTests = []checkTest{
	{
		"a rule as it should be", "rules", `
-- browser/store.go --
package browser
import "example.test/m/rule"
const bis = "draft"
var rules rule.Set
var storeSecureOverHTTP = rules.Add(rule.Rule{
	ID: "store-secure-over-http", Source: bis + ", section 5.7", Sentence: "It is not stored.",
	Fix: "Use https.", Scenario: "visit http://shop.test/" + strings.Repeat("x", 4096),
})
var noteSameSiteUnknown = rules.Add(rule.Rule{
	ID: "note-samesite-unknown", Source: (bis), Sentence: "It is ignored.", Fix: "Use Lax.", Scenario: ''visit'',
})
var noteEvicted = rules.Add(rule.Rule{
	ID: "note-evicted", Source: bis, Sentence: "It is gone.", Fix: "Send fewer.", Scenario: manyCookies(),
})
func store() []rule.ID { return []rule.ID{storeSecureOverHTTP, noteSameSiteUnknown, noteEvicted} }
`, nil,
	},
	{
		"rules that are incomplete", "rules", `
-- browser/store.go --
package browser
import "example.test/m/rule"
var rules rule.Set
var storeEmpty = rules.Add(rule.Rule{ID: "store-empty", Sentence: "It is empty", Fix: " "})
var storeOK = rules.Add(rule.Rule{ID: "store-ok", Source: source(), Sentence: "It is stored.", Fix: "Nothing.", Scenario: "x"})
var storeA, storeB = rules.Add(rule.Rule{Source: "s", Sentence: "S.", Fix: "F.", Scenario: "x"}), rules.Add(rule.Rule{Source: "s", Sentence: "S.", Fix: "F.", Scenario: "x"})
var _ = storeEmpty + storeOK
`, []string{
			`browser/store.go:6: rule "" has no ID`,
			`browser/store.go:6: rule "" has no ID`,
			`browser/store.go:4: rule "store-empty" has no Source`,
			`browser/store.go:4: rule "store-empty" has no Fix`,
			`browser/store.go:4: rule "store-empty" has no Scenario`,
			`browser/store.go:4: rule "store-empty": its Sentence does not end with a full stop`,
			`browser/store.go:4: rule "store-empty": its Fix does not end with a full stop`,
			`browser/store.go:5: rule "store-ok": its Source is not made of constants`,
		},
	},
	{
		"rules that nobody finds", "rules", `
-- browser/store.go --
package browser
import "example.test/m/rule"
var rules rule.Set
var (
	storeOk = rules.Add(rule.Rule{ID: "store-ok", Source: "s", Sentence: "S.", Fix: "F.", Scenario: "x"})
	sendOK = rules.Add(rule.Rule{ID: "send-ok", Source: "s", Sentence: "S.", Fix: "F.", Scenario: "x"})
	sendIt = rules.Add(rule.Rule{ID: "Send_it", Source: "s", Sentence: "S.", Fix: "F.", Scenario: "x"})
)
func declare() { rules.Add(rule.Rule{ID: "send-no", Source: "s", Sentence: "S.", Fix: "F.", Scenario: "x"}) }
-- browser/send.go --
package browser
func send() { use(sendOK, storeOk, sendIt) }
-- session/s.go --
package session
import "example.test/m/rule"
var more rule.Set
var sendOK = more.Add(rule.Rule{ID: "send-ok", Source: "s", Sentence: "S.", Fix: "F.", Scenario: "x"})
var _ = sendOK
`, []string{
			`browser/store.go:5: rule "store-ok" is held by storeOk: a search for the ID in camel case, storeOK, finds nothing`,
			`browser/store.go:6: rule "send-ok" decides nothing in this file`,
			`browser/store.go:7: rule "Send_it": an ID is "question-reason"`,
			`browser/store.go:9: rule "send-no" is not held by a variable`,
			`session/s.go:4: declares "send-ok", as browser/store.go:6`,
		},
	},
}

var commentTests = []checkTest{
	{
		"names in brackets that exist", "doc-links", `
-- browser/b.go --
// Package browser keeps a [Store]; see [rule.ID], [rule.Rule.Fix], [rule], [strings.Builder.Len] and
// [example.test/m/cookie.Line].
package browser
import "example.test/m/rule"
// A Store has [Store.Add] and [Store.Size], and [*Store] has what [inner] has: [Store.deep],
// [Store.Reset], and [Loop.Len] comes from elsewhere. Not names: [1], [a-z], x[Y], [some words].
type Store struct { inner; Size int }
// Add takes a [rule.ID].
func (s *Store) Add(rule.ID) {}
type inner struct { deep int }
func (inner) Reset() {}
type Loop struct { strings.Builder }
-- rule/r.go --
package rule
type ID string
type Rule struct { Fix string }
-- cookie/c.go --
package cookie
type Line struct{}
`, nil,
	},
	{
		"names in brackets that do not", "doc-links", `
-- browser/b.go --
// Package browser keeps a [Shop].
package browser
import "example.test/m/rule"
// A Store has [Store.Remove].
type Store struct {
	*Twin
	// See [rule.Answer].
	ID rule.ID
}
// Add is like [cookie.Line] and [example.test/m/attic.Box] and [strings.Bilder].
func Add() {
	// Nobody looks at [This].
	var n int
}
// A Twin embeds whoever embeds it.
type Twin struct{ *Store }
-- rule/r.go --
package rule
type ID string
`, []string{
			"browser/b.go:1: [Shop] does not resolve",
			"browser/b.go:4: [Store.Remove] does not resolve: example.test/m/browser declares no such name",
			"browser/b.go:7: [example.test/m/rule.Answer] does not resolve",
			`browser/b.go:10: [cookie.Line] does not resolve: the package imports no "cookie"`,
			"browser/b.go:10: [example.test/m/attic.Box] does not resolve: the module has no package",
			"browser/b.go:10: [strings.Bilder] does not resolve",
		},
	},
	{
		"comments that belong to one machine or belittle", "comments", `
-- rule/r.go --
// Package rule simply works.
package rule
// F reads http://shop.test/home/ada and ../shared/suites.
func F() {
	// The file is /home/ada/notes, and this is just a remark.
}
`, []string{`rule/r.go:1: "simply" explains nothing`, "rule/r.go:5: /home/… is a path of one machine"},
	},
}

var documentTests = []checkTest{
	{
		"a document as it should be", "documents", `
-- README.md --
Run it, see [the tour](docs/tour.md#start) and [Go](https://go.dev/); ''just'' in code is a name.

''rule.ID'', ''rule.Rule.Fix'', ''settings.DEBUG'', ''rule/r.go:2'', ''make demo'', ''make fuzz FUZZTIME=1m'', ''no/such/place'', ''bin/lockstep'', ''store-empty'', ''no-rule''

'''sh
make FUZZTIME=1m fuzz # just like this
'''

<!-- run: bin/lockstep demo -->
'''text
just now
'''
-- bin/linter --
-- docs/tour.md --
[back](../README.md)
-- Makefile --
demo:
	bin/lockstep demo
fuzz: demo
-- rule/r.go --
package rule
type ID string
type Rule struct { ID ID; Fix string }
-- settings/s.go --
package settings
-- browser/b.go --
package browser

import "example.test/m/rule"

var storeEmpty = rules.Add(rule.Rule{ID: "store-empty"})
`, nil,
	},
	{
		"a document that has grown old", "documents", `
-- README.md --
You can easily run it: [the tour](docs/tour.md).
''rule.Verdict'', ''rule.ID.Fix'', ''rule/gone.go'', ''make coffee''
See /home/ada/lockstep.

'''sh
$ make tea
'''

'''
typed output
'''

<!-- run: bin/lockstep demo -->

'''text
typed output
'''

''store-nothing''

<!-- file: main.go -->
-- Makefile --
demo:
-- rule/r.go --
package rule
type ID string
-- browser/b.go --
package browser

import "example.test/m/rule"

var storeEmpty = rules.Add(rule.Rule{ID: "store-empty"})
`, []string{
			"README.md:1: “easily” explains nothing",
			"README.md:1: links to docs/tour.md, which does not exist",
			"README.md:2: `make coffee` is not a target",
			"README.md:2: `rule.ID.Fix` is not declared",
			"README.md:2: `rule.Verdict` is not declared by package example.test/m/rule",
			"README.md:2: `rule/gone.go` is not a file",
			"README.md:3: /home/… is a path of one machine",
			"README.md:6: make tea is not a target",
			"README.md:9: is output that was typed",
			"README.md:13: no closed block follows",
			"README.md:15: is output that was typed",
			"README.md:19: `store-nothing` begins like the ID of a rule, and is none",
			"README.md:21: no closed block follows",
		},
	},
}

var divergenceTests = []checkTest{
	{
		"differences and what shows them", "divergences", `
-- docs/divergences.md --
| setting or behaviour | Django | Lockstep | why | shown by |
|---|---|---|---|---|
| a | 1 | 2 | because | ''TestHost'', case proxy list |
| b | 1 | 2 | because | ''TestGone'' |
| c | 1 | 2 | because | case nobody |
| d | 1 | 2 | because | package a |
| e | 1 | 2 | because | ''TestWitness'' |
-- e2e/go.mod --
module example.test/m/e2e
-- e2e/a_test.go --
package e2e_test

func TestWitness(t *testing.T) {}
-- a/a.go --
// Package a is one.
package a
-- a/a_test.go --
package a_test

func TestHost() {}
-- internal/oracle/testdata/secure.jsonl --
{"id": "proxy list", "requests": []}
`, []string{
			"docs/divergences.md:4: TestGone is no test of this module",
			"docs/divergences.md:5: no test has a case nobody",
			"docs/divergences.md:6: a difference that is kept needs a test that shows it",
		},
	},
}

func TestChecks(t *testing.T) {
	ran := map[string]bool{}
	for _, cases := range [][]checkTest{floorTests, dependencyTests, purityTests, packageTests, ruleTests, commentTests, documentTests, divergenceTests} {
		for _, c := range cases {
			ran[c.check] = true
			t.Run(c.check+"/"+c.about, c.run)
		}
	}
	for _, c := range arch.Checks() {
		if !ran[c.Name] {
			t.Errorf("no test shows what check %q finds", c.Name)
		}
	}
}

func (c checkTest) run(t *testing.T) {
	std := fstest.MapFS{"strings/s.go": &fstest.MapFile{Data: []byte("package strings; type Builder struct{}; func (*Builder) Len() int")}}
	m, err := arch.Load(tree(c.files), std)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(arch.Checks(), func(check arch.Check) bool { return check.Name == c.check })
	if i < 0 {
		t.Fatalf("there is no check %q", c.check)
	}
	var got []string
	for _, f := range arch.Checks()[i].Run(m) {
		got = append(got, f.String())
	}
	for _, want := range c.want {
		i := slices.IndexFunc(got, func(f string) bool { return strings.HasPrefix(f, want) })
		if i < 0 {
			t.Errorf("not found: %s", want)
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	for _, extra := range got {
		t.Errorf("found too much: %s", extra)
	}
}

var treeLine = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// tree returns the files of a test, with the go.mod that every module has. Backquotes are written
// as two apostrophes.
func tree(text string) fstest.MapFS {
	files := fstest.MapFS{"go.mod": &fstest.MapFile{Data: []byte("module example.test/m\n\ngo 1.26.0\n")}}
	text = strings.NewReplacer("'''", "```", "''", "`").Replace(text)
	names := treeLine.FindAllStringSubmatch(text, -1)
	for i, content := range treeLine.Split(text, -1)[1:] {
		files[names[i][1]] = &fstest.MapFile{Data: []byte(content)}
	}
	return files
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct{ about, files, want string }{
		{"a file that does not parse", "-- rule/r.go --\npackage rule\nfunc {\n", "rule/r.go:2"},
		{"a go.mod that names no module", "-- go.mod --\ngo 1.26.0\n", "no module line"},
	} {
		if _, err := arch.Load(tree(c.files), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.about, err, c.want)
		}
	}
	if _, err := arch.Load(fstest.MapFS{}, nil); err == nil {
		t.Error("a root without go.mod: no error")
	}
}
