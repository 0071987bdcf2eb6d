package arch_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/arch"
)

const guide = `# Guide

<!-- run: bin/lockstep demo -->
~~~text
old
lines
~~~

Typed, and left alone:

~~~sh
make demo
~~~

<!--run:bin/lockstep explain-->
~~~~text
~~~
old
~~~~

<!-- file: main.go main -->
~~~go
func main() {}
~~~
the end`

func TestBlocks(t *testing.T) {
	got := arch.Blocks([]byte(guide))
	want := []arch.Block{
		{Mark: "run", Command: "bin/lockstep demo", Text: "old\nlines\n", Line: 4},
		{Mark: "run", Command: "bin/lockstep explain", Text: "~~~\nold\n", Line: 16},
		{Mark: "file", Command: "main.go main", Text: "func main() {}\n", Line: 22},
	}
	if !slices.Equal(got, want) {
		t.Errorf("Blocks:\n got %+v\nwant %+v", got, want)
	}
}

func TestBlocksNone(t *testing.T) {
	for about, markdown := range map[string]string{
		"a blank line between":         "<!-- run: x -->\n\n~~~\nold\n~~~\n",
		"a fence that is never closed": "<!-- run: x -->\n~~~\nold\n",
		"a comment inside of a block":  "~~~\n<!-- run: x -->\n~~~\n~~~\nold\n~~~\n",
		"no command":                   "<!-- run: -->\n~~~\nold\n~~~\n",
	} {
		if got := arch.Blocks([]byte(markdown)); got != nil {
			t.Errorf("%s: got %+v, want none", about, got)
		}
	}
}

func TestReplace(t *testing.T) {
	got := string(arch.Replace([]byte(guide), func(b arch.Block) string {
		return "new: " + b.Command + "\n~~~\nmore"
	}))
	want := strings.NewReplacer(
		"~~~text\nold\nlines\n~~~\n", "~~~~text\nnew: bin/lockstep demo\n~~~\nmore\n~~~~\n",
		"~~~~text\n~~~\nold\n~~~~\n", "~~~~text\nnew: bin/lockstep explain\n~~~\nmore\n~~~~\n",
		"~~~go\nfunc main() {}\n~~~\n", "~~~~go\nnew: main.go main\n~~~\nmore\n~~~~\n",
	).Replace(guide)
	if got != want {
		t.Errorf("Replace:\n got %s\nwant %s", got, want)
	}
}

// FuzzReplace holds that a document stays as it is when its blocks do, and that what was put into
// a block is found in it.
func FuzzReplace(f *testing.F) {
	f.Add([]byte(guide), "new\n")
	f.Add([]byte("<!-- run: x -->\n```text\r\nold\r\n```  \r\n"), "```\n````")
	f.Add([]byte("<!-- run: x -->\n```\n```"), "~~~")
	f.Fuzz(func(t *testing.T, markdown []byte, text string) {
		before := arch.Blocks(markdown)
		same := arch.Replace(markdown, func(b arch.Block) string { return b.Text })
		if len(before) == 0 && !bytes.Equal(same, markdown) {
			t.Errorf("a document without blocks was changed:\n%q\n%q", markdown, same)
		}
		if got := arch.Blocks(same); !slices.Equal(got, before) {
			t.Errorf("blocks put back as they were:\n got %+v\nwant %+v", got, before)
		}
		after := arch.Blocks(arch.Replace(markdown, func(arch.Block) string { return text }))
		if len(after) != len(before) {
			t.Fatalf("%d blocks, %d after they were replaced", len(before), len(after))
		}
		for _, b := range after {
			if strings.TrimSuffix(b.Text, "\n") != strings.TrimSuffix(text, "\n") {
				t.Errorf("a block holds %q after %q was put into it", b.Text, text)
			}
		}
	})
}
