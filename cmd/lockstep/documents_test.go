package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/arch"
)

// TestDocuments holds the documents to what they tell of: a block that is marked as the output of a
// command is what the command prints now, one marked as part of a file is what stands there, and the
// sections of the references are made from the code.
func TestDocuments(t *testing.T) {
	t.Chdir("../..") // where the commands of the documents are typed
	d := newDocuments(t)
	produced := 0
	for _, name := range markdown(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		now := arch.ReplaceSections(text, func(s arch.Section) string { produced++; return made(t, s.Name) })
		now = arch.Replace(now, func(b arch.Block) string { produced++; return d.produce(t, b) })
		if sameBut(day, text, now) {
			continue
		}
		if !*update {
			t.Errorf("%s shows what is no longer so; go test ./cmd/lockstep -run Documents -update mends it", name)
			continue
		}
		if err := os.WriteFile(name, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if produced == 0 {
		t.Error("no document shows anything that is produced")
	}
}

// markdown returns the documents of the project.
func markdown(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch base := filepath.Base(name); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (base == "testdata" || base == "node_modules" || base[0] == '.'):
			return fs.SkipDir
		case filepath.Ext(name) == ".md":
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A documents is what commands of documents may be about: the sites of the scripts by the variables
// that hold their ports, and $CA, a file with the authority of their certificates.
type documents struct {
	variables map[string]string
}

func newDocuments(t *testing.T) documents {
	t.Helper()
	s := newSites(t)
	s.env["CA"] = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(s.env["CA"], s.ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return documents{s.env}
}

// day is a date in output that depends on the day on which a command runs.
var day = regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`)

// sameBut reports whether two texts are the same but for what the expression matches.
func sameBut(what *regexp.Regexp, a, b []byte) bool {
	return bytes.Equal(what.ReplaceAll(a, nil), what.ReplaceAll(b, nil))
}

func (d documents) produce(t *testing.T, b arch.Block) string {
	t.Helper()
	if b.Mark == "file" {
		return excerpt(t, b.Command)
	}
	return d.printed(t, b.Command)
}

// printed is what a command line of a document prints, both streams together.
func (d documents) printed(t *testing.T, command string) string {
	t.Helper()
	words := strings.Fields(os.Expand(command, func(name string) string { return d.variables[name] }))
	if len(words) == 0 || words[0] != "bin/lockstep" {
		t.Fatalf("a document shows the output of %q, which is not bin/lockstep", command)
	}
	var out bytes.Buffer
	run(t.Context(), words[1:], &program{stdin: strings.NewReader(""), stdout: &out, stderr: &out})
	return out.String()
}

// excerpt is a file, or the declarations in it that are named behind it.
func excerpt(t *testing.T, command string) string {
	t.Helper()
	words := strings.Fields(command)
	source, err := os.ReadFile(words[0])
	if err != nil {
		t.Fatalf("a document shows a file: %v", err)
	}
	if len(words) == 1 {
		return string(source)
	}
	text, err := arch.Excerpt(source, words[1:]...)
	if err != nil {
		t.Fatalf("a document shows a part of %s: %v", words[0], err)
	}
	return text
}
