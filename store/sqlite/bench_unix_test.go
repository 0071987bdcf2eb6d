//go:build unix

package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/session"
)

// The data of a session with a login, as Django signs it.
var payload = []byte(strings.Repeat("abcdefgh", 40))

const benchSessions = 10_000

func benchStore(b *testing.B) (session.Store, func(i int) string) {
	store, _ := open(b, diskPath(b))
	keys := make([]string, benchSessions)
	b.SetParallelism(32)
	var n atomic.Int64
	for i := range keys {
		keys[i] = fmt.Sprintf("%032d", i*7919%benchSessions)
	}
	fill := func() {
		for i := n.Add(1) - 1; i < benchSessions; i = n.Add(1) - 1 {
			if err := store.Save(context.Background(), keys[i], session.Record{}, session.Record{Data: payload, Expires: later}); err != nil {
				b.Error(err)
			}
		}
	}
	done := make(chan struct{})
	for range 64 {
		go func() { fill(); done <- struct{}{} }()
	}
	for range 64 {
		<-done
	}
	return store, func(i int) string { return keys[i*31%benchSessions] }
}

// measure adds the processor time of the whole process to a benchmark.
func measure(b *testing.B, run func()) {
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime()
	run()
	b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/op")
}

func BenchmarkLoad(b *testing.B) {
	store, key := benchStore(b)
	ctx := b.Context() // one that can be done
	measure(b, func() {
		for i := range b.N {
			if _, err := store.Load(ctx, key(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLoadParallel(b *testing.B) {
	store, key := benchStore(b)
	var n atomic.Int64
	measure(b, func() {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := store.Load(context.Background(), key(int(n.Add(1)))); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func save(b *testing.B, store session.Store, key string, i int) {
	old := session.Record{Data: payload, Expires: later}
	next := session.Record{Data: payload, Expires: later.Add(time.Duration(i) * time.Microsecond)}
	if err := store.Save(context.Background(), key, old, next); err != nil {
		b.Error(err)
	}
}

func BenchmarkSave(b *testing.B) {
	store, key := benchStore(b)
	measure(b, func() {
		for i := range b.N {
			save(b, store, key(i), i)
		}
	})
}

func BenchmarkSaveParallel(b *testing.B) {
	store, key := benchStore(b)
	var n atomic.Int64
	measure(b, func() {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := int(n.Add(1))
				save(b, store, key(i), i)
			}
		})
	})
}

// BenchmarkPurge removes expired rows while 16 others save, and tells what the slowest percent of
// those waited, with and without the purge.
func BenchmarkPurge(b *testing.B) {
	for _, purge := range []bool{false, true} {
		b.Run(fmt.Sprintf("purge=%v", purge), func(b *testing.B) {
			store, key := benchStore(b)
			p := store.(session.Purger)
			var waits latencies
			var i atomic.Int64
			b.SetParallelism(8)
			stop, stopped := make(chan struct{}), make(chan int)
			go func() {
				removed := 0
				defer func() { stopped <- removed }()
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					for j := range 128 {
						k := fmt.Sprintf("p%015d%016d", n, j)
						_ = store.Save(context.Background(), k, session.Record{}, session.Record{Data: payload, Expires: time.Unix(int64(j), 0)})
						if !purge {
							_ = store.Delete(context.Background(), k)
						}
					}
					if purge {
						r, _ := p.Purge(context.Background(), time.Unix(1e9, 0), 128)
						removed += r
					}
				}
			}()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := int(i.Add(1))
					start := time.Now()
					save(b, store, key(n), n)
					waits.add(time.Since(start))
				}
			})
			close(stop)
			removed := <-stopped
			b.ReportMetric(float64(waits.percent(99).Microseconds()), "p99-us")
			b.ReportMetric(float64(waits.percent(50).Microseconds()), "p50-us")
			b.ReportMetric(float64(removed), "purged")
		})
	}
}

// processorTime is what this process has used, in nanoseconds.
func processorTime() int64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

// latencies are how long calls took.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

func (l *latencies) percent(p int) time.Duration {
	slices.Sort(l.all)
	return l.all[len(l.all)*p/100]
}
