package arch

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	namedTest = regexp.MustCompile("`(Test\\w+)`")
	namedCase = regexp.MustCompile(`case ([A-Za-z0-9 .-]+?)(?:,| \||;|$)`)
)

// divergences holds each row of docs/divergences.md to a test that shows it: the last cell names tests
// that exist, or cases of the comparison with Django.
func divergences(m *Module) (found []Finding) {
	tests := m.testText()
	for _, d := range m.documents {
		if path.Base(d.path) != "divergences.md" {
			continue
		}
		for i, line := range strings.Split(d.text, "\n") {
			row := strings.TrimSpace(line)
			if !strings.HasPrefix(row, "|") || strings.HasPrefix(row, "|---") || strings.HasPrefix(row, "| setting") {
				continue
			}
			cells := strings.Split(strings.Trim(row, "| "), " | ")
			for _, problem := range unshown(cells[len(cells)-1], tests) {
				found = append(found, Finding{d.path, i + 1, problem})
			}
		}
	}
	return found
}

// unshown says what is wrong with a cell that should name tests or cases.
func unshown(cell, tests string) (problems []string) {
	names := namedTest.FindAllStringSubmatch(cell, -1)
	for _, n := range names {
		if !strings.Contains(tests, "func "+n[1]+"(") {
			problems = append(problems, n[1]+" is no test of this module")
		}
	}
	cases := namedCase.FindAllStringSubmatch(cell+" |", -1)
	for _, c := range cases {
		name := strings.TrimSpace(c[1])
		if !strings.Contains(tests, `"id": "`+name+`"`) {
			problems = append(problems, "no test has a case "+name)
		}
	}
	if len(names)+len(cases) == 0 {
		problems = append(problems, "a difference that is kept needs a test that shows it: name one in the last column")
	}
	return problems
}

// casesDir holds the cases of the comparison with Django, a line of JSON each.
const casesDir = "internal/oracle/testdata"

// witnesses are the tests that need a Chromium or a Django beside them, in a module of their own.
const witnesses = "e2e/*_test.go"

// testText is the source of all tests of the module, of those of the witnesses, and the cases of the
// comparison with Django.
func (m *Module) testText() string {
	var all strings.Builder
	cases, _ := fs.Glob(m.files, casesDir+"/*.jsonl") // the pattern is good
	for _, file := range cases {
		if text, err := fs.ReadFile(m.files, file); err == nil {
			all.Write(text)
		}
	}
	for _, p := range m.packages {
		for _, f := range p.files {
			if text, err := fs.ReadFile(m.files, f.path); f.test && err == nil {
				all.Write(text)
			}
		}
	}
	names, _ := fs.Glob(m.files, witnesses) // the pattern is one
	for _, name := range names {
		if text, err := fs.ReadFile(m.files, name); err == nil {
			all.Write(text)
		}
	}
	return all.String()
}
