package e2e_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/site"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/settings"
)

// common are the settings of every lesson: those that make it one, and what both sites need to be
// the same site. The key is known to everybody and protects nothing.
var common = []string{
	"SECRET_KEY='lockstep-e2e-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz'",
	"ALLOWED_HOSTS=['.shop.test', 'localhost']",
	"SECURE_SSL_REDIRECT=True",
	"SESSION_COOKIE_SECURE=True",
	"CSRF_COOKIE_SECURE=True",
}

// A lesson is one case: the visits of the lesson under some settings.
type lesson struct {
	set    []string // settings that differ from the lesson's, as Django has them
	target string   // the URL of the visits; "" is http://shop.test/
	then   []string // URLs that are visited after those of the lesson

	// What concerns browsers only.
	lines []string // header lines that the app adds to its answers
	cache bool     // Chromium keeps its cache
}

// lessons are the cases. The port of a target on localhost is the site's.
var lessons = []lesson{
	{},
	{set: []string{"SESSION_COOKIE_SECURE=False"}},
	{set: []string{"SECURE_SSL_REDIRECT=False"}},
	{set: []string{"SECURE_SSL_REDIRECT=False", "SESSION_COOKIE_SECURE=False"}},
	{set: []string{"SECURE_HSTS_SECONDS=3600"}, then: []string{"http://www.shop.test/"}},
	{set: []string{"SECURE_HSTS_SECONDS=3600", "SECURE_HSTS_INCLUDE_SUBDOMAINS=True", "SECURE_HSTS_PRELOAD=True"}, then: []string{"http://www.shop.test/"}},
	{set: []string{"SECURE_HSTS_SECONDS=3600", "SECURE_SSL_REDIRECT=False"}},
	{set: []string{"SESSION_COOKIE_NAME='__Host-sessionid'"}},
	{set: []string{"SESSION_COOKIE_SAMESITE='Strict'"}},
	{set: []string{"SESSION_COOKIE_SAMESITE='None'"}},
	{set: []string{"SESSION_COOKIE_SAMESITE=False"}},
	{set: []string{"SESSION_COOKIE_DOMAIN='shop.test'"}, then: []string{"https://www.shop.test/", "http://www.shop.test/"}},
	{set: []string{"SESSION_COOKIE_DOMAIN='www.shop.test'"}, then: []string{"https://www.shop.test/"}},
	{set: []string{"SESSION_COOKIE_PATH='/other'"}, then: []string{"https://shop.test/other", "http://shop.test/other/deep", "https://shop.test/others"}},
	{set: []string{"SESSION_COOKIE_HTTPONLY=False"}},
	{set: []string{"SESSION_EXPIRE_AT_BROWSER_CLOSE=True"}},
	{set: []string{"SESSION_COOKIE_AGE=3600"}},
	{set: []string{"SESSION_COOKIE_AGE=60000000"}}, // more than the 400 days that a browser keeps a cookie
	{set: []string{"SESSION_ENGINE='django.contrib.sessions.backends.signed_cookies'"}},
	{set: []string{"SECURE_SSL_HOST='www.shop.test'"}},
	{set: []string{"SECURE_REDIRECT_EXEMPT=['^plain$']"}, target: "http://shop.test/plain"},
	{set: []string{"SECURE_REFERRER_POLICY='no-referrer'", "SECURE_CONTENT_TYPE_NOSNIFF=False", "X_FRAME_OPTIONS='SAMEORIGIN'", "SECURE_BROWSER_XSS_FILTER=True"}},
	{set: []string{"SESSION_SAVE_EVERY_REQUEST=True"}},
	{set: []string{"ALLOWED_HOSTS=['other.test']"}},
	{target: "http://shop.test/a%20b/%C3%A9?q=http://shop.test/&r=%2F"},
	{target: "http://localhost/"},
	{target: "http://localhost/", set: []string{"SECURE_SSL_REDIRECT=False"}},
	{target: "http://localhost/", set: []string{"SECURE_HSTS_SECONDS=3600"}},
	{target: "http://localhost/", lines: []string{"Strict-Transport-Security: max-age=3600"}},
	{lines: []string{"Strict-Transport-Security: max-age=3600"}},
	{lines: []string{"Strict-Transport-Security: max-age=3600; max-age=3600"}},
	{lines: []string{"Set-Cookie: __Host-a=1; Path=/"}},
	{lines: []string{"Set-Cookie: __Host-a=1; Secure"}},
	{lines: []string{"Set-Cookie: __Host-a=1; Secure; Path=/; Domain=shop.test"}},
	{lines: []string{"Set-Cookie: __Secure-a=1"}},
	{lines: []string{"Set-Cookie: a=1; SameSite=None"}},
	{lines: []string{"Set-Cookie: a=1; Domain=test"}},
	{lines: []string{"Set-Cookie: a=1; Path=/deep", "Set-Cookie: a", "Set-Cookie: =b", "Set-Cookie: __Host-c"}},
	{lines: []string{"Set-Cookie: a=2", "Set-Cookie: a=1; Secure", "Set-Cookie: b=1; Max-Age=0"}, set: []string{"SECURE_SSL_REDIRECT=False"}},
	{cache: true},
	{cache: true, set: []string{"SESSION_COOKIE_SECURE=False"}},
}

// name is what a lesson is called in the list of differences and in the output.
func (l lesson) name() string {
	parts := slices.Clone(l.set)
	if l.target != "" {
		parts = append(parts, l.target)
	}
	parts = append(parts, l.lines...)
	if l.cache {
		parts = append(parts, "with a cache")
	}
	return cmp.Or(strings.Join(parts, " "), "the lesson")
}

// aboutBrowsers reports whether a lesson is about browsers only, and asks Django nothing new.
func (l lesson) aboutBrowsers() bool { return l.lines != nil || l.cache }

// settings are base with those of every lesson and those of this one.
func (l lesson) settings(t *testing.T, base lockstep.Settings) lockstep.Settings {
	t.Helper()
	s, _, err := settings.Load(base, settings.Assignments(common, "common"), settings.Assignments(l.set, "lesson"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// visit makes the visits of the lesson with a client that reaches the site at addr.
func (l lesson) visit(t *testing.T, c *trace.Client, addr string) trace.Run {
	t.Helper()
	run, err := c.Lesson(t.Context(), withPort(cmp.Or(l.target, "http://shop.test/"), addr))
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range l.then {
		v, err := c.Visit(t.Context(), http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		run.Visits = append(run.Visits, v)
	}
	return run
}

// withPort gives a target on localhost, which nobody maps, the port of the site.
func withPort(target, addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return strings.Replace(target, "//localhost/", "//localhost:"+port+"/", 1)
}

// dialTo leads every address to addr.
func dialTo(addr string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, _ := net.SplitHostPort(addr)
	var d net.Dialer
	return trace.DialTo([]trace.ConnectTo{{ToHost: host, ToPort: port}}, d.DialContext)
}

// A stage is one loopback port that speaks HTTP and TLS, with the site of the moment behind it.
type stage struct {
	addr        string
	authority   *cert.Authority
	certificate tls.Certificate
	site        atomic.Pointer[http.Handler]
	watch       trace.Watch
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	var err error
	if s.authority, err = cert.NewAuthority(time.Now()); err != nil {
		t.Fatal(err)
	}
	if s.certificate, err = s.authority.Issue(time.Now(), "shop.test", "*.shop.test", "localhost", "evil.test", "search.test", "login.test"); err != nil {
		t.Fatal(err)
	}
	l, _, err := listen.Local(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	server := &http.Server{
		Handler:           s.watch.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.site.Load()).ServeHTTP(w, r) })),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		ConnState:         s.watch.ConnState,
	}
	go server.Serve(listen.Both(l, &tls.Config{Certificates: []tls.Certificate{s.certificate}}))
	t.Cleanup(func() { server.Close() })
	return s
}

// put makes a new site of the lesson, with no session yet, the one behind the port.
func (s *stage) put(t *testing.T, l lesson, base lockstep.Settings) {
	t.Helper()
	guard, err := lockstep.New(l.settings(t, base), lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	page := site.Page{Do: site.Counter}
	for _, line := range l.lines {
		name, value, _ := strings.Cut(line, ": ")
		page.Lines = append(page.Lines, [2]string{name, value})
	}
	app := &site.App{Default: page}
	app.Set("/favicon.ico", site.Page{Status: http.StatusNotFound}) // browsers ask for it by themselves
	handler := guard.Wrap(app)
	s.site.Store(&handler)
}

// client is a new browser of ours at the stage.
func (s *stage) client() *trace.Client {
	return &trace.Client{Browser: &browser.Browser{}, Dial: dialTo(s.addr), Roots: s.authority.Pool(), Watch: &s.watch}
}

// missing skips a test whose witness is not installed, or fails it where all are required.
func missing(t *testing.T, err error, debian string) {
	t.Helper()
	say := t.Skipf
	if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
		say = t.Fatalf
	}
	say("%v; install it with: apt-get install %s", err, debian)
}
