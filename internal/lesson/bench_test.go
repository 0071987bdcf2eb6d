package lesson_test

import (
	"testing"

	"github.com/lockstep-http/lockstep/internal/lesson"
)

// What a run of each scenario costs. The lab runs one for each switch that somebody turns.
func BenchmarkRun(b *testing.B) {
	l := library(b)
	for _, s := range l.Scenarios() {
		b.Run(s.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Run(b.Context(), lesson.Setup{Scenario: s.Name}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
