package oracle_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/internal/oracle"
)

// The Djangos after 3.2 are not at hand, so their answers are derived: every case is answered as 3.2
// answers it, which TestAgainstDjango holds to a real one, but for what the documents and sources of
// Django say has changed since. Changes that touch many cases are functions here; the others stand in
// "changes" of the case, by the version that brought them.

// A change is one between Djangos that touches many cases.
type change struct {
	since string
	about string
	make  func(o observation)
}

var changesSince32 = []change{
	{"4.0", "Cross-Origin-Opener-Policy is sent with the other headers of SecurityMiddleware", func(o observation) {
		for name := range maps.Clone(o) {
			n, header, _ := strings.Cut(name, ".")
			key := n + ".Cross-Origin-Opener-Policy"
			if (header == "X-Content-Type-Options" || header == "Referrer-Policy") && o[key] == "" {
				o[key] = "same-origin"
			}
		}
	}},
	{"4.0", "X-XSS-Protection is gone", func(o observation) {
		maps.DeleteFunc(o, func(name, _ string) bool { return strings.HasSuffix(name, ".X-Xss-Protection") })
	}},
	{"4.1", "CSRF cookies hold the bare secret", func(o observation) {
		for name, value := range o {
			if strings.HasSuffix(name, ".Set-Cookie") {
				o[name] = bare.ReplaceAllStringFunc(value, open)
			}
		}
	}},
}

// bare is a token where a later Django has its secret.
var bare = regexp.MustCompile(`\b[A-Za-z0-9]{64}\b`)

// later is the line as a later Django is asked it: with the settings in their later form.
func (q question) later(t *testing.T) []byte {
	t.Helper()
	if q.Later == nil {
		return q.line
	}
	var line, settings map[string]json.RawMessage
	if err := json.Unmarshal(q.line, &line); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(line["settings"], &settings)
	maps.Copy(settings, q.Later)
	line["settings"], _ = json.Marshal(settings)
	text, _ := json.Marshal(line)
	return text
}

// TestVersions holds the answers as every later Django to those of 3.2 and what has changed since.
func TestVersions(t *testing.T) {
	all := questions(t)
	lockstep := map[string]*oracle.Answerer{}
	for _, version := range oracle.Versions {
		lockstep[version] = answerer(t, version)
	}
	for _, q := range all {
		t.Run(q.ID, func(t *testing.T) {
			old := observation{}
			if q.Since == "" {
				old = observe(t, lockstep["3.2"].Answer(q.line))
			}
			line := q.later(t)
			for _, version := range oracle.Versions[1:] {
				if q.Since != "" && before(version, q.Since) {
					continue
				}
				want := q.unmasked(q.expected(t, old, version))
				got := q.unmasked(observe(t, lockstep[version].Answer(line)))
				for _, name := range names(got, want) {
					if !same(got[name], want[name]) {
						t.Errorf("as %s %s is\n%q, want\n%q", version, name, got[name], want[name])
					}
				}
			}
		})
	}
}

// expected is what the case is answered as a version, given the answer as 3.2.
func (q question) expected(t *testing.T, old observation, version string) observation {
	t.Helper()
	want := maps.Clone(old)
	for _, c := range changesSince32 {
		if !before(version, c.since) {
			c.make(want)
		}
	}
	q.change(t, want, version)
	return want
}

// change makes what the case itself says has changed up to a version.
func (q question) change(t *testing.T, o observation, version string) {
	t.Helper()
	for _, since := range slices.SortedFunc(maps.Keys(q.Changes), compareVersions) {
		if before(version, since) {
			continue
		}
		for name, value := range q.Changes[since] {
			if o[name] == value {
				t.Errorf("since %s %s shall be %q, and was before", since, name, value)
			}
			if o[name] = value; value == "" {
				delete(o, name)
			}
		}
	}
}

func compareVersions(a, b string) int { return numberOf(a) - numberOf(b) }

func before(a, b string) bool { return numberOf(a) < numberOf(b) }

func numberOf(version string) int {
	major, minor, _ := strings.Cut(version, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return 100*a + b
}

// drawn is what may have been drawn at random: a secret, a session key.
var drawn = regexp.MustCompile(`\b[A-Za-z0-9]{32}\b`)

// unmasked names what was drawn at random by when it appears first. Django from 4.1 on draws no mask
// for a cookie, so that what it draws next is another.
func (q question) unmasked(o observation) observation {
	known, out := map[string]string{}, observation{}
	for _, name := range names(o) {
		text := strings.NewReplacer("<token of ", "", ">", "").Replace(open(o[name]))
		out[name] = drawn.ReplaceAllStringFunc(text, func(found string) string {
			if bytes.Contains(q.asked, []byte(found)) {
				return found
			}
			if known[found] == "" {
				known[found] = fmt.Sprintf("<drawn %d>", len(known)+1)
			}
			return known[found]
		})
	}
	return out
}
