package e2e_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/trace"
	"github.com/lockstep-http/lockstep/rule"
)

// The Django of Debian 12, whose defaults and bytes the Guard is told to have.
const (
	python        = "/usr/bin/python3"
	djangoVersion = "3.2"
)

// grace is how long Django may take to end.
const grace = 5 * time.Second

// TestDjango has our browser make the same visits at the Guard and at a Django.
func TestDjango(t *testing.T) {
	needDjango(t)
	t.Parallel()
	j := &judge{witness: "Django"}
	j.run(t, slices.DeleteFunc(slices.Clone(lessons), lesson.aboutBrowsers), func(t *testing.T, l lesson) (ours, theirs facts) {
		s := newStage(t)
		s.put(t, l, lockstep.DjangoDefaults(djangoVersion))
		addr := startDjango(t, l, s)
		name := l.settings(t, lockstep.DjangoDefaults(djangoVersion)).SessionCookieName
		client := s.client()
		client.Watch, client.Dial = nil, dialTo(addr)
		ours = seen(l.visit(t, s.client(), s.addr), name, s.addr)
		theirs = seen(l.visit(t, client, addr), name, addr)
		return ours, theirs
	})
}

// TestSignedCookieSession has one browser go from Django to the Guard and back, with the session in
// its cookie: each reads what the other wrote.
func TestSignedCookieSession(t *testing.T) {
	needDjango(t)
	t.Parallel()
	l := lesson{set: []string{"SESSION_ENGINE='django.contrib.sessions.backends.signed_cookies'"}}
	s := newStage(t)
	s.put(t, l, lockstep.DjangoDefaults(djangoVersion))
	toGuard := s.client()
	toDjango := s.client()
	toDjango.Browser, toDjango.Watch, toDjango.Dial = toGuard.Browser, nil, dialTo(startDjango(t, l, s))
	for i, c := range []*trace.Client{toDjango, toGuard, toDjango, toDjango, toGuard, toGuard, toDjango} {
		v, err := c.Visit(t.Context(), http.MethodGet, "https://shop.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("visit %d", i+1)
		if got := insideOf(v.Last())["text"]; got != want {
			t.Errorf("request %d was answered %q, want %q", i+1, got, want)
		}
	}
}

func needDjango(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), python, "-I", "-c", "import django.conf").CombinedOutput(); err != nil {
		missing(t, fmt.Errorf("asking for Django: %w %s", err, out), "python3-django")
	}
}

// startDjango starts a Django with the settings of the lesson and the certificate of s, and returns
// its address.
func startDjango(t *testing.T, l lesson, s *stage) (addr string) {
	t.Helper()
	return serveDjango(t, l.set, s, t.TempDir())
}

// serveDjango starts a Django whose database is sessions.sqlite3 in dir.
func serveDjango(t *testing.T, set []string, s *stage, dir string) (addr string) {
	t.Helper()
	certificate := filepath.Join(dir, "certificate.pem")
	if err := os.WriteFile(certificate, s.pem(t), 0o600); err != nil {
		t.Fatal(err)
	}
	literals := map[string]string{}
	for _, assignment := range slices.Concat(common, set) {
		name, literal, _ := strings.Cut(assignment, "=")
		literals[name] = literal
	}
	overrides, err := json.Marshal(literals)
	if err != nil {
		t.Fatal(err)
	}
	// The context of a test is over before the cleanup that ends Django in an orderly way.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), python, filepath.Join("testdata", "django", "serve.py"))
	cmd.Env = append(os.Environ(),
		"PYTHONDONTWRITEBYTECODE=1",
		"LOCKSTEP_E2E_SETTINGS="+string(overrides),
		"LOCKSTEP_E2E_CERTIFICATE="+certificate,
		"LOCKSTEP_E2E_DATABASE="+filepath.Join(dir, "sessions.sqlite3"))
	var said output
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // which is what it waits for
		late := time.AfterFunc(grace, func() { cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("Django ended: %v", err)
		}
		if t.Failed() {
			t.Logf("Django said:\n%s", said.String())
		}
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("starting Django: %v", err)
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
}

// pem is the certificate of the stage with its key.
func (s *stage) pem(t *testing.T) []byte {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(s.certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
}

// seen are the facts of a run at the site at addr: what the site sent, what it alone knows, what our
// browser made of it, and the rows of the execution table, told from outside.
func seen(run trace.Run, cookie, addr string) facts {
	_, port, _ := net.SplitHostPort(addr)
	anyPort := func(text string) string { return strings.ReplaceAll(text, "localhost:"+port, "localhost:PORT") }
	f := facts{}
	for i := range run.Visits {
		for j := range run.Visits[i].Hops {
			h := &run.Visits[i].Hops[j]
			at := fmt.Sprintf("visit %d hop %d", i+1, j+1)
			f.add(anyPort(h.URL), "%s URL", at)
			for name, value := range insideOf(h) {
				f.add(anyPort(value), "%s %s", at, name)
			}
			answered(f, h, at, anyPort)
			judged(f, h, at, anyPort)
		}
	}
	for _, s := range trace.Tell(outside(run), cookie, nothing).Steps {
		f.add(anyPort(s.Action), "step %d action", s.Number)
		f.add(s.Condition, "step %d condition", s.Number)
		f.add(anyPort(s.Result), "step %d result", s.Number)
		f.add(s.Sent, "step %d cookie sent", s.Number)
	}
	return f
}

func nothing(rule.ID) (rule.Rule, bool) { return rule.Rule{}, false }

// insideOf is what only the site knows of a request that reached its app: the Guard tells it by its
// verdicts, the Django of testdata by header lines.
func insideOf(h *trace.Hop) map[string]string {
	if h.Response == nil || h.Response.Status != http.StatusOK {
		return nil
	}
	if !h.Known {
		return map[string]string{
			"text":                field(h, "X-Text"),
			"request.is_secure()": field(h, "X-Is-Secure"),
			"request.get_host()":  field(h, "X-Host"),
		}
	}
	secure, _ := h.Verdict(rule.IsSecure, "")
	host, _ := h.Verdict(rule.AllowHost, "")
	return map[string]string{
		"text":                h.Response.Text,
		"request.is_secure()": map[bool]string{true: "True", false: "False"}[secure.Yes],
		"request.get_host()":  host.Subject,
	}
}

func field(h *trace.Hop, name string) string {
	for _, f := range h.Response.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// notTheSites are header lines of the server, and those by which the Django of testdata tells what
// it knows.
var notTheSites = []string{"Connection", "Date", "Server", "X-Host", "X-Is-Secure", "X-Text"}

// answered adds what the site sent.
func answered(f facts, h *trace.Hop, at string, anyPort func(string) string) {
	if h.Response == nil {
		return
	}
	f.add(fmt.Sprint(h.Response.Status), "%s status", at)
	count := map[string]int{}
	for _, line := range h.Response.Fields {
		name := http.CanonicalHeaderKey(line.Name)
		if slices.Contains(notTheSites, name) {
			continue
		}
		count[name]++
		value := anyPort(line.Value)
		if name == "Set-Cookie" {
			value = withoutValue(value, h.At)
		}
		f[fmt.Sprintf("%s %s line %d", at, name, count[name])] = value
	}
}

var expires = regexp.MustCompile(`expires=([^;]*)`)

// withoutValue is a Set-Cookie line without the value, and with its date as the time until then.
func withoutValue(line string, now time.Time) string {
	pair, attributes, _ := strings.Cut(line, ";")
	name, _, _ := strings.Cut(pair, "=")
	return name + "=…;" + expires.ReplaceAllStringFunc(attributes, func(text string) string {
		date, err := time.Parse(http.TimeFormat, strings.TrimPrefix(text, "expires="))
		if err != nil {
			return text
		}
		return "expires=" + date.Sub(now).Round(time.Minute).String() + " from now"
	})
}

// judged adds what the browser made of a hop: its verdicts, and what it holds afterwards.
func judged(f facts, h *trace.Hop, at string, anyPort func(string) string) {
	for _, v := range h.Verdicts {
		if v.Side == rule.Browser {
			f.add(anyPort(fmt.Sprintf("%t, by %s %s %s", v.Yes, v.Rule, v.Also, v.Notes)), "%s %s: %s", at, v.Question, anyPort(v.Subject))
		}
	}
	f.add(describe(h.Cookies, h.At), "%s store", at)
	for _, k := range h.HSTS {
		f.add(fmt.Sprintf("includeSubDomains %t, for %s", k.IncludeSubDomains, k.Expires.Sub(h.At).Round(time.Minute)), "%s known HSTS host %s", at, k.Host)
	}
}

// outside is the run without what only a site in this process tells, so that it is told like any
// other.
func outside(run trace.Run) trace.Run {
	var told trace.Run
	for _, v := range run.Visits {
		v.Hops = slices.Clone(v.Hops)
		for i := range v.Hops {
			h := &v.Hops[i]
			h.Known = false
			h.Verdicts = slices.DeleteFunc(slices.Clone(h.Verdicts), func(v rule.Verdict) bool { return v.Side == rule.Site })
			if h.Response != nil {
				response := *h.Response
				response.Text = ""
				h.Response = &response
			}
		}
		told.Visits = append(told.Visits, v)
	}
	return told
}
