package lockstep_test

import (
	"bufio"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/rule"
)

const guardKey = "lockstep-oracle-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"

var guardNow = time.Unix(1700000000, 0).UTC()

func fixedNow() time.Time { return guardNow }

// djangoSettings are the defaults of the newest Django for any host, changed.
func djangoSettings(change func(*lockstep.Settings)) lockstep.Settings {
	s := lockstep.DjangoDefaults("6.1")
	s.SecretKey = guardKey
	s.AllowedHosts = []string{"*"}
	if change != nil {
		change(&s)
	}
	return s
}

func newGuard(t testing.TB, change func(*lockstep.Settings)) *lockstep.Guard {
	t.Helper()
	g, err := lockstep.New(djangoSettings(change), lockstep.Options{Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// redirecting turns SECURE_SSL_REDIRECT on.
func redirecting(s *lockstep.Settings) { s.SecureSSLRedirect = true }

// proxied reads X-Forwarded-Proto from 192.0.2.1.
func proxied(s *lockstep.Settings) {
	s.SecureSSLRedirect = true
	s.SecureProxySSLHeader = [2]string{"HTTP_X_FORWARDED_PROTO", "https"}
	s.TrustedProxies = []string{"192.0.2.1", "2001:db8::/32"}
}

// serverRequest is a request as net/http hands it to a handler: scheme says whether it came over
// TLS, target is what stood in the request line, and lines are header lines "Name: value".
func serverRequest(t testing.TB, scheme, method, target, host string, lines ...string) *http.Request {
	t.Helper()
	text := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(lines, "\r\n"), "\r\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatalf("reading request %q: %v", text, err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	if scheme == "https" {
		r.TLS = new(tls.ConnectionState)
	}
	return r.WithContext(t.Context())
}

func get(t testing.TB, scheme, target, host string, lines ...string) *http.Request {
	t.Helper()
	return serverRequest(t, scheme, http.MethodGet, target, host, lines...)
}

// hello is an app that touches nothing.
var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("hello"))
})

func answerOf(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// watched serves r and returns the verdicts, too.
func watched(h http.Handler, r *http.Request) (*http.Response, []rule.Verdict) {
	var verdicts []rule.Verdict
	ctx := rule.WithWatch(r.Context(), func(v rule.Verdict) { verdicts = append(verdicts, v) })
	return answerOf(h, r.WithContext(ctx)), verdicts
}

// about returns the first verdict on a question and subject; subject "" is any.
func about(t *testing.T, verdicts []rule.Verdict, q rule.Question, subject string) rule.Verdict {
	t.Helper()
	for _, v := range verdicts {
		if v.Question == q && (subject == "" || v.Subject == subject) {
			return v
		}
	}
	t.Fatalf("no verdict on %q %q among %v", q, subject, verdicts)
	return rule.Verdict{}
}

func ruleIDs(verdicts []rule.Verdict) []rule.ID {
	ids := make([]rule.ID, len(verdicts))
	for i, v := range verdicts {
		ids[i] = v.Rule
	}
	return ids
}

func readRequest(text string) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
}
