package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDjangoExample holds that examples/django/settings.txt is what a real Django prints for a new
// project, but for the folder and the key.
func TestDjangoExample(t *testing.T) {
	const python = "/usr/bin/python3"
	version, err := exec.CommandContext(t.Context(), python, "-I", "-c", "import django; print(django.get_version())").Output()
	switch {
	case err != nil && os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all":
		t.Fatalf("no Django to compare with: apt-get install python3-django: %v", err)
	case err != nil:
		t.Skip("no Django to compare with: apt-get install python3-django")
	case !strings.HasPrefix(string(version), "3.2."):
		t.Skipf("Django %s is here, and the example is of 3.2", version)
	}
	want, err := os.ReadFile("../../examples/django/settings.txt")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, args := range [][]string{{"-m", "django", "startproject", "shop", "."}, {"manage.py", "diffsettings", "--all"}} {
		cmd := exec.CommandContext(t.Context(), python, args...)
		cmd.Dir, cmd.Stderr = folder, os.Stderr
		cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		if got, err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
	}
	key := regexp.MustCompile(`(?m)^SECRET_KEY = .*$`)
	text := strings.ReplaceAll(string(got), folder, "/srv/shop")
	if key.ReplaceAllString(text, "") != key.ReplaceAllString(string(want), "") {
		t.Errorf("Django prints other settings for a new project than examples/django/settings.txt has:\n%s", text)
	}
}
