package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(tb testing.TB, p place) []*stack {
	tb.Helper()
	stacks, shut, err := p.open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(shut)
	return stacks
}

func visit(tb testing.TB, s *stack) *visitor {
	tb.Helper()
	v, err := arrive(s)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// each runs f for every stack in every place.
func each(t *testing.T, f func(t *testing.T, s *stack)) {
	for _, p := range places {
		for _, s := range open(t, p) {
			if s.name != bareName {
				t.Run(p.name+"/"+s.name, func(t *testing.T) { f(t, s) })
			}
		}
	}
}

func TestReadingReads(t *testing.T) {
	each(t, func(t *testing.T, s *stack) {
		v := visit(t, s)
		if got := v.perform(v.request(reading)); got.Code != http.StatusOK || got.Body.String() != userID {
			t.Errorf("answered %d %q, want the user's id %q", got.Code, got.Body, userID)
		}
		stranger := &visitor{stack: s, cookies: map[string]string{}}
		if got := stranger.perform(stranger.request(reading)); got.Body.String() == userID {
			t.Error("somebody without a cookie is taken for the user, so the session is not what is read")
		}
	})
}

func TestUntouchedAnswers(t *testing.T) {
	each(t, func(t *testing.T, s *stack) {
		v := visit(t, s)
		answer := v.perform(v.request(untouched))
		if answer.Code != http.StatusOK || answer.Body.String() != "ok" {
			t.Errorf("answered %d %q", answer.Code, answer.Body)
		}
		// The headers that every stack is asked for.
		for name, want := range map[string]string{
			"Strict-Transport-Security":  "max-age=31536000",
			"X-Content-Type-Options":     "nosniff",
			"X-Frame-Options":            "DENY",
			"Referrer-Policy":            "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := answer.Header().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

func TestWritingWrites(t *testing.T) {
	for _, d := range []deed{writing, sending} {
		each(t, func(t *testing.T, s *stack) {
			v := visit(t, s)
			for _, want := range []string{"1", "2", "3"} {
				if got := v.perform(v.request(d)); got.Code != http.StatusOK {
					t.Fatalf("%s: answered %d %q", d.name, got.Code, got.Body)
				}
				if got := v.visits(); got != want {
					t.Errorf("%s: %s visits are in the session, want %s", d.name, got, want)
				}
			}
		})
	}
}

// A token is asked for by the stacks that have some, and it is the token that opens.
func TestWritingNeedsItsToken(t *testing.T) {
	each(t, func(t *testing.T, s *stack) {
		if s.tokenField == "" {
			t.Skip("the stack knows no tokens")
		}
		for _, d := range []deed{writing, sending} {
			v, other := visit(t, s), visit(t, s)
			v.token = other.token
			if got := v.perform(v.request(d)); got.Code != s.refusal {
				t.Errorf("%s: with the token of somebody else answered %d, want %d", d.name, got.Code, s.refusal)
			}
			if got := v.visits(); got != "0" {
				t.Errorf("%s: a refused request has written: %s visits", d.name, got)
			}
		}
	})
}

func TestForgeryIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *stack) {
		v := visit(t, s)
		if got := v.perform(v.request(forging)); got.Code != s.refusal {
			t.Errorf("answered %d, want %d", got.Code, s.refusal)
		}
		if got := v.visits(); got != "0" {
			t.Errorf("a refused request has written: %s visits", got)
		}
	})
}

func TestRedirectRedirects(t *testing.T) {
	each(t, func(t *testing.T, s *stack) {
		v := visit(t, s)
		answer := v.perform(v.request(redirect))
		if want := "https://" + host + plainPath; answer.Code != http.StatusMovedPermanently || answer.Header().Get("Location") != want {
			t.Errorf("answered %d to %q, want 301 to %q", answer.Code, answer.Header().Get("Location"), want)
		}
	})
}

// The repeated request does what the single one does, for every deed, one at a time and several.
func TestMeasuring(t *testing.T) {
	for _, p := range places {
		for _, lanes := range p.lanes {
			c, err := p.measure(plan{rounds: 2, batch: time.Microsecond, lanes: lanes}, t.Output())
			if err != nil {
				t.Fatal(err)
			}
			if len(c.figures) != len(p.deeds) {
				t.Errorf("%s: %d figures for %d deeds", c.title, len(c.figures), len(p.deeds))
			}
		}
	}
}

func TestMeasuringNoticesWhatIsNotDone(t *testing.T) {
	lazy := bare()
	lazy.holds = true
	if _, err := (plan{rounds: 1, lanes: 1}).measure(writing, []*stack{lazy}); err == nil {
		t.Error("a stack that keeps no session was measured at writing into one")
	}
	lazy.refusal = http.StatusForbidden
	if _, err := (plan{rounds: 1, lanes: 1}).measure(forging, []*stack{lazy}); err == nil {
		t.Error("a stack that refuses nothing was measured at refusing")
	}
}

func TestGoals(t *testing.T) {
	costs := func(name string, cpu, allocs float64) column {
		return column{stack: &stack{name: name, onServer: name != bareName && name != lockstepName}, rounds: []cost{{cpu: cpu, allocs: allocs}}}
	}
	g := goal{deed: reading, cpu: 6000, allocs: 30, ratio: 5}
	for _, test := range []struct {
		name             string
		ours, fast, slow column
		wantText         string
		wantMissed       int
	}{
		{"reached", costs(lockstepName, 5000, 30), costs("a", 25000, 99), costs("b", 90000, 99), "| reached |", 0},
		{"the cheapest peer counts", costs(lockstepName, 5000, 30), costs("a", 24000, 99), costs("b", 90000, 99), "| missed |", 1},
		{"allocations", costs(lockstepName, 5000, 31), costs("a", 25000, 99), costs("b", 90000, 99), "| missed |", 1},
		{"time is that of a machine", costs(lockstepName, 7000, 30), costs("a", 35000, 99), costs("b", 90000, 99), "| over the time |", 0},
	} {
		c := chapter{title: "memory", figures: []figure{{deed: reading, columns: []column{
			test.ours, test.slow, test.fast, costs(bareName, 14, 0),
		}}}}
		var b strings.Builder
		missed := writeGoals(&b, c.outcomes([]goal{g}))
		if missed != test.wantMissed || !strings.Contains(b.String(), test.wantText) {
			t.Errorf("%s: %d missed in\n%s", test.name, missed, &b)
		}
	}
}

func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + beginMarker + "old\n" + endMarker + "after\n")
	for range 2 { // what was written can be written again
		if err := update(path, "new"); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(path)
	if want := "before\n" + beginMarker + "\nnew\n" + endMarker + "after\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	write("nothing to write between")
	if err := update(path, "new"); err == nil {
		t.Error("a document without markers was updated")
	}
}

// One stack at one deed, for a profile:
//
//	go test -run - -bench Stacks/memory/Lockstep/ -cpuprofile cpu
func BenchmarkStacks(b *testing.B) {
	for _, p := range places {
		for _, s := range open(b, p) {
			for _, d := range p.deeds {
				if d.wants(s) == 0 {
					continue
				}
				b.Run(strings.ReplaceAll(p.name+"/"+s.name+"/"+d.name, " ", "_"), func(b *testing.B) {
					r := visit(b, s).repeater(d)
					b.ReportAllocs()
					b.ResetTimer()
					if err := r.run(b.N); err != nil {
						b.Fatal(err)
					}
				})
			}
		}
	}
}
