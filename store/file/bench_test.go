package file_test

import (
	"testing"

	"github.com/lockstep-http/lockstep/session"
	"github.com/lockstep-http/lockstep/store/file"
)

func BenchmarkLoad(b *testing.B) {
	s := open(b, newFolder(b), file.Options{})
	if err := s.Save(b.Context(), aKey, session.Record{}, record("first")); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Load(b.Context(), aKey); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSave(b *testing.B) {
	s := open(b, newFolder(b), file.Options{})
	r := record("first")
	if err := s.Save(b.Context(), aKey, session.Record{}, r); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Save(b.Context(), aKey, r, r); err != nil {
			b.Fatal(err)
		}
	}
}
