package rule

import "context"

// A Recorder hands verdicts to whoever watches. A nil Recorder is what everybody has when nobody
// does: it can be asked and called, and does nothing.
type Recorder struct {
	watch func(Verdict)
}

// NewRecorder returns a Recorder that calls watch with each verdict, in the order in which they
// are recorded, on the goroutine that decides.
func NewRecorder(watch func(Verdict)) *Recorder {
	return &Recorder{watch: watch}
}

// Watching reports whether somebody will see what is recorded. Facts are built only then.
func (r *Recorder) Watching() bool { return r != nil }

// Record hands v to the watcher, if there is one.
func (r *Recorder) Record(v Verdict) {
	if r != nil {
		r.watch(v)
	}
}

type watchKey struct{}

// WithWatch returns a context whose verdicts are handed to watch, after those who already watch
// ctx have had them. It is called on the goroutine that decides and holds the request up, so it
// should keep what it gets and return.
func WithWatch(ctx context.Context, watch func(Verdict)) context.Context {
	if earlier := FromContext(ctx); earlier != nil {
		later := watch
		watch = func(v Verdict) { earlier.watch(v); later(v) }
	}
	return context.WithValue(ctx, watchKey{}, NewRecorder(watch))
}

// FromContext returns the Recorder of ctx, or nil when nobody watches it.
func FromContext(ctx context.Context) *Recorder {
	r, _ := ctx.Value(watchKey{}).(*Recorder)
	return r
}
