package arch_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/arch"
)

func TestReplaceSections(t *testing.T) {
	const page = "# Page\n\n<!-- made: a -->\nold\n<!-- end -->\n\n" +
		"```\n<!-- made: shown -->\n<!-- end -->\n```\n\n<!-- made: b -->\n<!-- end -->\n<!-- made: open -->\nstays\n"
	const want = "# Page\n\n<!-- made: a -->\n\nnew a, was \"old\\n\"\n\n<!-- end -->\n\n" +
		"```\n<!-- made: shown -->\n<!-- end -->\n```\n\n<!-- made: b -->\n<!-- end -->\n<!-- made: open -->\nstays\n"
	got := arch.ReplaceSections([]byte(page), func(s arch.Section) string {
		if s.Name == "b" {
			return ""
		}
		return "new " + s.Name + ", was " + strings.ReplaceAll(`"`+s.Text+`"`, "\n", `\n`)
	})
	if string(got) != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// FuzzReplaceSections holds that what is between sections stays, and that producing the same twice
// changes nothing the second time.
func FuzzReplaceSections(f *testing.F) {
	f.Add([]byte("<!-- made: a -->\nold\n<!-- end -->\n"), "new\n")
	f.Add([]byte("```\n<!-- made: a -->\n```\n<!-- end -->"), "<!-- end -->")
	f.Fuzz(func(t *testing.T, markdown []byte, text string) {
		if strings.Contains(text, "<!--") || strings.ContainsAny(text, "`~") {
			return // would begin, end or hide sections
		}
		produce := func(arch.Section) string { return text }
		once := arch.ReplaceSections(markdown, produce)
		if twice := arch.ReplaceSections(once, produce); !bytes.Equal(once, twice) {
			t.Errorf("the second time differs:\n%q\n%q", once, twice)
		}
	})
}
