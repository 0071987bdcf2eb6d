package arch_test

import (
	"go/build"
	"os"
	"path/filepath"
	"testing"

	"github.com/lockstep-http/lockstep/internal/arch"
)

// TestBuilding runs every check over this module as it is on disk.
func TestBuilding(t *testing.T) {
	std := os.DirFS(filepath.Join(build.Default.GOROOT, "src"))
	m, err := arch.Load(os.DirFS("../.."), std)
	if err != nil {
		t.Fatalf("loading the module: %v", err)
	}
	for _, c := range arch.Checks() {
		t.Run(c.Name, func(t *testing.T) {
			findings := c.Run(m)
			for _, f := range findings {
				t.Error(f)
			}
			if len(findings) > 0 {
				t.Log("held here: " + c.Doc)
			}
		})
	}
}
