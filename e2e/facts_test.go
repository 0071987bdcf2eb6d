package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/trace"
)

// Facts are what one side saw of an exchange: names, such as "visit 1 hop 2 status", and what was
// there. What was not there has no name.
type facts map[string]string

// add notes what, if there is anything to note.
func (f facts) add(what, at string, args ...any) {
	if what != "" {
		f[fmt.Sprintf(at, args...)] = what
	}
}

// absent stands for a fact that one side does not have.
const absent = "(nothing)"

func (f facts) at(name string) string {
	if text, ok := f[name]; ok {
		return text
	}
	return absent
}

// A judge compares what Lockstep did with what a witness did.
type judge struct {
	witness string
	used    map[difference]bool
}

// run judges each lesson. When all of them were, it fails for differences in the list that were not
// found.
func (j *judge) run(t *testing.T, lessons []lesson, both func(t *testing.T, l lesson) (ours, theirs facts)) {
	t.Helper()
	judged := 0
	j.used = map[difference]bool{}
	for _, l := range lessons {
		t.Run(l.name(), func(t *testing.T) {
			ours, theirs := both(t, l)
			j.compare(t, l, ours, theirs)
			judged++
		})
	}
	for _, d := range differences {
		if judged == len(lessons) && d.witness == j.witness && !j.used[d] {
			t.Errorf("a known difference was not found: %+v", d)
		}
	}
}

// compare reports the facts in which the two differ.
func (j *judge) compare(t *testing.T, l lesson, ours, theirs facts) {
	t.Helper()
	names := slices.Concat(slices.Collect(maps.Keys(ours)), slices.Collect(maps.Keys(theirs)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a, b := ours.at(name), theirs.at(name)
		if a != b && !j.known(l, name, a, b) {
			t.Errorf("%s\n  Lockstep: %s\n  %-8s: %s", name, a, j.witness, b)
		}
	}
}

// known reports whether a difference is in the list.
func (j *judge) known(l lesson, fact, ours, theirs string) bool {
	for _, d := range differences {
		if d.witness == j.witness && (d.lesson == "" || d.lesson == l.name()) &&
			strings.Contains(fact, d.fact) && d.ours == ours && d.theirs == theirs {
			j.used[d] = true
			return true
		}
	}
	return false
}

// A visit and its hops in the form that our browser and Chromium can both be put into.
type (
	visit struct {
		hops    []hop
		cookies []trace.StoredCookie // what is stored when the visit is over
		over    time.Time
	}
	hop struct {
		url    string
		status string
		text   string   // what the page says
		sent   []string // names, in order
		kept   []string // names, with the reasons for which they were kept back
		lines  []string // for each Set-Cookie line: the name, and what became of it
	}
)

func (v visit) facts(f facts, at string) {
	for i, h := range v.hops {
		at := fmt.Sprintf("%s hop %d", at, i+1)
		f.add(h.url, "%s URL", at)
		f.add(h.status, "%s status", at)
		f.add(h.text, "%s text", at)
		f.add(strings.Join(h.sent, ", "), "%s cookies sent", at)
		f.add(strings.Join(slices.Sorted(slices.Values(h.kept)), ", "), "%s cookies kept back", at)
		for i, line := range h.lines {
			f.add(line, "%s Set-Cookie line %d", at, i+1)
		}
	}
	f.add(describe(v.cookies, v.over), "%s store", at)
}

// describe tells stored cookies by everything but their values.
func describe(cookies []trace.StoredCookie, now time.Time) string {
	all := make([]string, len(cookies))
	for i, c := range cookies {
		lifetime := "until the browser closes"
		if !c.Expires.IsZero() {
			// The two sides were asked some seconds apart; ages in lessons are whole minutes.
			lifetime = "for " + c.Expires.Sub(now).Round(time.Minute).String()
		}
		all[i] = fmt.Sprintf("%s of %s (host-only %t) %s Secure=%t HttpOnly=%t SameSite=%s %s",
			c.Name, c.Domain, c.HostOnly, c.Path, c.Secure, c.HttpOnly, c.SameSite, lifetime)
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}
