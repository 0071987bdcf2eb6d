package e2e_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPage looks at the pages that --format html writes, in a browser that has them from a file: nothing
// breaks their own policy, and they are legible at each width and in each colour, closed and opened.
func TestPage(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err, "chromium")
	}
	t.Parallel()
	program := filepath.Join(t.TempDir(), "lockstep")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/lockstep")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := startPerson(t, path, "")
	for name, args := range map[string][]string{
		"the acts":   {"demo", "--act", "all", "--format", "html"},
		"a change":   {"demo", "--set", "SESSION_COOKIE_SECURE=False", "--format", "html"},
		"no answers": {"trace", "http://127.0.0.1:1/a-path-" + strings.Repeat("x", 300), "--format", "html"},
	} {
		page, err := exec.CommandContext(t.Context(), program, args...).Output()
		if len(page) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), "page.html")
		if err := os.WriteFile(file, page, 0o600); err != nil {
			t.Fatal(err)
		}
		p.visit(t, (&url.URL{Scheme: "file", Path: file}).String())
		if got := evaluate[int](t, p, `performance.getEntriesByType("resource").length`); got > 0 {
			t.Errorf("%s: the page loads %d files", name, got)
		}
		if !evaluate[bool](t, p, `document.querySelector("svg").getBoundingClientRect().height > 100 && getComputedStyle(document.querySelector(".scroll")).borderTopStyle === "solid"`) {
			t.Errorf("%s: the page has no style, or nothing is drawn", name)
		}
		p.look(t, "page of "+name)
		evaluate[any](t, p, `[...document.querySelectorAll("details")].slice(0, 2).forEach(d => d.open = true)`)
		p.look(t, "opened page of "+name)
	}
	p.quiet(t)
}
