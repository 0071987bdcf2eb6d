package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/check"
)

// checkPages are the checks, Django's and then Lockstep's.
func checkPages(t *testing.T) string {
	t.Helper()
	overview := table("check", "severity", "what is wrong")
	var each strings.Builder
	for _, c := range check.All() {
		anchor := strings.ReplaceAll(strings.ToLower(c.ID), ".", "") // as GitHub makes it of a heading
		overview += cells(fmt.Sprintf("[%s](#%s)", c.ID, anchor), c.Severity.String(), plain(c.Title))
		fmt.Fprintf(&each, "### %s\n\n**%s.** %s\n\n", c.ID, plain(c.Title), plain(c.Doc))
		if len(c.Settings) > 0 {
			fmt.Fprintf(&each, "- Looks at: %s\n", strings.Join(c.Settings, ", "))
		}
		if c.Versions != "" {
			fmt.Fprintf(&each, "- Django: %s\n", plain(c.Versions))
		}
		fmt.Fprintf(&each, "- What to do: %s\n", plain(c.Fix))
		if c.Source != "" {
			fmt.Fprintf(&each, "- Source: %s\n", plain(c.Source))
		}
		each.WriteString("\n")
	}
	return fmt.Sprintf("There are %d checks.\n\n", len(check.All())) + overview + "\n## What each finds\n\n" + each.String()
}
