package lockstep_test

import (
	"net/http"
	"testing"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/session"
)

// nowhere is a response writer that keeps its header between requests, so that the benchmarks
// measure the Guard.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w *nowhere) WriteHeader(int)             {}

func benchmarkGuard(b *testing.B, change func(*lockstep.Settings), app http.Handler, r *http.Request) {
	b.Helper()
	s := lockstep.Recommended(guardKey, "shop.test")
	s.SessionCookieName = "sessionid"
	if change != nil {
		change(&s)
	}
	g, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		b.Fatal(err)
	}
	first := &nowhere{http.Header{}}
	g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		_ = s.Set("_auth_user_id", "42")
		_ = s.Set("_auth_user_backend", "django.contrib.auth.backends.ModelBackend")
		_ = s.Set("_auth_user_hash", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	})).ServeHTTP(first, get(b, "https", "/", "shop.test"))
	if line := first.header.Get("Set-Cookie"); line != "" {
		r.Header.Set("Cookie", "theme=dark; "+line[:len("sessionid=")+32])
	}
	h, w := g.Wrap(app), &nowhere{make(http.Header, 16)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func browserRequest(b *testing.B, scheme string) *http.Request {
	b.Helper()
	r := get(b, scheme, "/cart?x=1", "shop.test",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate")
	if scheme == "http" { // browsers send them over https only
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Del("Sec-Fetch-Mode")
	}
	return r
}

var silent = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })

// The goals stand in the table of costs: untouched at most 1.5 µs and 6 allocations, reading at
// most 6 µs and 30.
func BenchmarkUntouched(b *testing.B) {
	benchmarkGuard(b, nil, silent, browserRequest(b, "https"))
}

func BenchmarkUntouchedBehindProxy(b *testing.B) {
	r := browserRequest(b, "http")
	r.Header.Set("X-Forwarded-Proto", "https")
	benchmarkGuard(b, proxied, silent, r)
}

func BenchmarkRedirect(b *testing.B) { benchmarkGuard(b, nil, silent, browserRequest(b, "http")) }

func BenchmarkReadSession(b *testing.B) {
	benchmarkGuard(b, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := session.Value[string](session.From(r.Context()), "_auth_user_id"); !ok || id != "42" {
			b.Fatal(id, ok)
		}
		w.WriteHeader(http.StatusOK)
	}), browserRequest(b, "https"))
}

func BenchmarkWriteSession(b *testing.B) {
	n := 0
	benchmarkGuard(b, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		_ = session.From(r.Context()).Set("visits", n)
		w.WriteHeader(http.StatusOK)
	}), browserRequest(b, "https"))
}

func BenchmarkSetCookie(b *testing.B) {
	benchmarkGuard(b, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = lockstep.SetCookie(w, r, lockstep.Cookie{Name: "theme", Value: "dark", Secure: true})
	}), browserRequest(b, "https"))
}

func BenchmarkRefusedHost(b *testing.B) {
	r := browserRequest(b, "https")
	r.Host = "evil.test"
	benchmarkGuard(b, nil, silent, r)
}

func TestUntouchedAllocations(t *testing.T) {
	s := lockstep.Recommended(guardKey, "shop.test")
	g, err := lockstep.New(s, lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, w, r := g.Wrap(silent), &nowhere{make(http.Header, 16)}, get(t, "https", "/", "shop.test", "Cookie: a=1; __Host-sessionid=abcdefghijklmnopqrstuvwxyz012345")
	if n := testing.AllocsPerRun(100, func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}); n > 6 {
		t.Errorf("%v allocations for a request that touches nothing, want 6 at most", n)
	}
}
