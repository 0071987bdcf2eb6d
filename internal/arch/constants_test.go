package arch_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/lockstep-http/lockstep/internal/arch"
)

func TestConstants(t *testing.T) {
	module := fstest.MapFS{
		"go.mod":           {Data: []byte("module a.test/m\n")},
		"limits/limits.go": {Data: []byte("package limits\n\nimport \"time\"\n\nconst (\n\tmaxBytes = 1 << 20\n\tmaxBoth = 2*maxBytes + 1_000\n\tmaxAge = 400 * 24 * time.Hour\n\twait = 90 * time.Second\n\tword = \"text\"\n\tround = round\n\thalf = 7 / 2\n\trest = 7 % 4\n\tnothing = 1 / 0\n)\n")},
		"limits/x_test.go": {Data: []byte("package limits\n\nconst maxTested = 1\n")},
	}
	m, err := arch.Load(module, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range m.Constants() {
		got = append(got, c.Dir+"."+c.Name+" "+c.String())
	}
	want := []string{
		"limits.half 3", "limits.maxAge 400 days", "limits.maxBoth 2,098,152", "limits.maxBytes 1,048,576",
		"limits.rest 3", "limits.wait 90 seconds",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}
