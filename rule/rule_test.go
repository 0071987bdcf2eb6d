package rule_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-http/lockstep/rule"
)

func TestSetOrdersByID(t *testing.T) {
	var s rule.Set
	b := s.Add(rule.Rule{ID: "send-b"})
	a := s.Add(rule.Rule{ID: "send-a"})
	all := s.All()
	if len(all) != 2 || all[0].ID != a || all[1].ID != b {
		t.Fatalf("All() = %v, want %s then %s", all, a, b)
	}
	all[0].ID = "changed"
	if s.All()[0].ID != a {
		t.Error("changing what All returned changed the set")
	}
}

func TestSetRefusesSecondDeclaration(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Add took the same ID twice")
		}
	}()
	var s rule.Set
	s.Add(rule.Rule{ID: "send-a"})
	s.Add(rule.Rule{ID: "send-a"})
}

func TestNilRecorder(t *testing.T) {
	var rec *rule.Recorder
	if rec.Watching() {
		t.Error("a nil Recorder says that somebody watches")
	}
	rec.Record(rule.Verdict{}) // must not panic
	if rule.FromContext(context.Background()) != nil {
		t.Error("a context that nobody watches has a Recorder")
	}
}

func TestWatchersCompose(t *testing.T) {
	var heard []string
	hear := func(name string) func(rule.Verdict) {
		return func(v rule.Verdict) { heard = append(heard, name+" "+string(v.Rule)) }
	}
	outer := rule.WithWatch(context.Background(), hear("first"))
	inner := rule.WithWatch(outer, hear("second"))
	rule.FromContext(inner).Record(rule.Verdict{Rule: "send-ok"})
	rule.FromContext(outer).Record(rule.Verdict{Rule: "store-ok"})
	want := []string{"first send-ok", "second send-ok", "first store-ok"}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

func TestFact(t *testing.T) {
	v := rule.Verdict{Facts: []rule.Fact{{Name: "path", Value: "/a"}}}
	if value, ok := v.Fact("path"); value != "/a" || !ok {
		t.Errorf("Fact(path) = %q, %v", value, ok)
	}
	if _, ok := v.Fact("host"); ok {
		t.Error("Fact(host) is there")
	}
}

func TestLogValueLeavesFactsOut(t *testing.T) {
	var out strings.Builder
	v := rule.Verdict{Side: rule.Site, Question: rule.IsSecure, Subject: "shop.test", Rule: "secure-plain-http", Facts: []rule.Fact{{Name: "x", Value: "hidden"}}}
	slog.New(slog.NewTextHandler(&out, nil)).Info("decided", "verdict", v)
	if got := out.String(); !strings.Contains(got, "verdict.rule=secure-plain-http") || strings.Contains(got, "hidden") {
		t.Errorf("logged %q", got)
	}
}

func BenchmarkNobodyWatches(b *testing.B) {
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if rec := rule.FromContext(ctx); rec.Watching() {
			rec.Record(rule.Verdict{Facts: []rule.Fact{{Name: "path", Value: "/"}}})
		}
	}
}

func TestNobodyWatchesCostsNothing(t *testing.T) {
	ctx := context.Background()
	allocs := testing.AllocsPerRun(1000, func() {
		rec := rule.FromContext(ctx)
		v := rule.Verdict{Side: rule.Browser, Question: rule.SendCookie, Rule: "send-ok", Yes: true}
		if rec.Watching() {
			v.Facts = []rule.Fact{{Name: "path", Value: "/"}}
		}
		rec.Record(v)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a request that nobody watches", allocs)
	}
}
