package arch_test

import (
	"testing"

	"github.com/lockstep-http/lockstep/internal/arch"
)

const excerpted = `package p

// A T is a type.
type T struct {
	n int // of something
}

const (
	one = 1
	two = 2
)

// Do does it.
func (t *T) Do() int {
	return t.n // there
}

func Do() {}
`

func TestExcerpt(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  string // "" is an error
	}{
		{[]string{"T"}, "// A T is a type.\ntype T struct {\n\tn int // of something\n}\n"},
		{[]string{"T.Do"}, "// Do does it.\nfunc (t *T) Do() int {\n\treturn t.n // there\n}\n"},
		{[]string{"Do", "two"}, "func Do() {}\n\nconst (\n\tone = 1\n\ttwo = 2\n)\n"},
		{[]string{"n"}, ""},
		{[]string{"Do", "T.Undone"}, ""},
	} {
		got, err := arch.Excerpt([]byte(excerpted), test.names...)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%v:\n got %q, %v\nwant %q", test.names, got, err, test.want)
		}
	}
	if _, err := arch.Excerpt([]byte("no Go")); err == nil {
		t.Error("what is no Go was read")
	}
}
