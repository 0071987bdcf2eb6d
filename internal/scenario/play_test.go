package scenario_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/scenario"
)

const played = `# Why?
#
# Because.

foreign
on /a app plain
on /a send Set-Cookie: a=1; SameSite=None
visit https://shop.test/a
expect store-none-not-secure a
visit https://shop.test/b
expect send-ok a
`

func TestPlay(t *testing.T) {
	for name, c := range map[string]struct {
		profile browser.Profile
		missed  string
		want    []string // in this order
	}{
		"rfc6265bis": {browser.Profile{}, "expect send-ok a", []string{
			"Why?\n\nBecause.\n\n", "GET https://shop.test/a", "line 9: expect store-none-not-secure a: holds\n",
			"store cookie a: no  store-none-not-secure", "GET https://shop.test/b", "line 11: expect send-ok a: does not hold\n",
		}},
		"curl": {browser.Curl(), "expect store-none-not-secure a", []string{
			"GET https://shop.test/a", "line 9: expect store-none-not-secure a: does not hold\n", "GET https://shop.test/b",
			"Cookie: a=", "line 11: expect send-ok a: holds\n", "send cookie a: yes  send-ok",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scenario.Read(strings.NewReader(played))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			result, err := s.Play(t.Context(), &out, scenario.Options{Profile: c.profile})
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Missed) != 1 || result.Missed[0].String() != c.missed {
				t.Errorf("missed are %v, want %s", result.Missed, c.missed)
			}
			inOrder(t, out.String(), c.want)
		})
	}
}

// inOrder looks for parts of a text, each behind the one before.
func inOrder(t *testing.T, text string, parts []string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("no %q, at its place, in:\n%s", part, text)
		}
		rest = after
	}
}

// TestPlayStops is about a line that cannot be run: what came before it is shown.
func TestPlayStops(t *testing.T) {
	s, err := scenario.Parse("visit https://shop.test/\nexpect send-ok a\x1b[2J\nsubmit\n")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	result, err := s.Play(t.Context(), &out, scenario.Options{})
	if err == nil || !strings.Contains(err.Error(), "line 3") || len(result.Missed) != 1 {
		t.Errorf("missed %v, error %v", result.Missed, err)
	}
	inOrder(t, out.String(), []string{"GET https://shop.test/", "line 2: expect send-ok"})
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a terminal would obey %q", out.String())
	}
}

func TestReadRefuses(t *testing.T) {
	if _, err := scenario.Read(iotest.ErrReader(os.ErrPermission)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the error of the reader is not told: %v", err)
	}
	endless := strings.NewReader(strings.Repeat("#\n", 1<<20))
	if _, err := scenario.Read(endless); err == nil || endless.Len() < 1<<20 {
		t.Errorf("an endless text: %v, and %d bytes are left", err, endless.Len())
	}
}

// TestPlayIn plays one scenario for several profiles: those that agree are told once.
func TestPlayIn(t *testing.T) {
	s, err := scenario.Parse("# Why?\n#\n# Because.\n#\n# Profiles: rfc6265bis, chromium\n\nforeign\non /a app plain\non /a send Set-Cookie: a=1; SameSite=None\nvisit https://shop.test/a\nexpect store-none-not-secure a\n")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	results, err := s.PlayIn(t.Context(), &out, []browser.Profile{{}, browser.Curl(), browser.Chromium()}, scenario.Options{})
	if err != nil || len(results) != 3 || len(results[0].Missed) != 0 || len(results[1].Missed) != 1 {
		t.Errorf("results %+v, error %v", results, err)
	}
	inOrder(t, out.String(), []string{
		"Why?\n\nBecause.\n\nProfiles rfc6265bis, chromium\n\n", "expect store-none-not-secure a: holds", "is refused", "What to do: Add Secure",
		"no  store-none-not-secure", "\n\nProfile curl\n\n", "does not hold",
	})
	if n := strings.Count(out.String(), "Because."); n != 1 {
		t.Errorf("the answer is written %d times", n)
	}
}

// TestFoldedLinesKeepSecrets runs a site behind a proxy that joins Set-Cookie lines with commas. The value of
// the second cookie is in an attribute of the first, and nowhere in the run.
func TestFoldedLinesKeepSecrets(t *testing.T) {
	const secret = "0123456789abcdefghij"
	s, err := scenario.Parse("foreign\non /a app plain\non /a send Set-Cookie: a=1; Path=/, sessionid=" + secret +
		"\non /b app plain\non /b send Set-Cookie: a=1; Domain=shop.test, sessionid=" + secret +
		"\nvisit https://shop.test/a\nvisit https://shop.test/b\nexpect store-ok a\nexpect store-domain-mismatch a\n")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	result, err := s.Play(t.Context(), &out, scenario.Options{})
	if err != nil || len(result.Missed) > 0 {
		t.Fatalf("missed are %v, error %v", result.Missed, err)
	}
	if err := result.Run.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "456789") || !strings.Contains(text, "Path=/, sessionid=0123…") {
		t.Errorf("the run tells\n%s", text)
	}
}
