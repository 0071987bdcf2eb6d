package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/trace"
)

const testKey = "a secret of more than fifty characters, kept out of the repository"

// TestBehindNginx has a browser's requests go through a real nginx with the configuration of the
// document.
func TestBehindNginx(t *testing.T) {
	site := serve(t)
	nginx := startNginx(t, site, nil)

	if a := nginx.do(t, http.MethodGet, "http://shop.test/a?b=c", nil); a.StatusCode != http.StatusMovedPermanently || a.Header.Get("Location") != "https://shop.test/a?b=c" {
		t.Errorf("over http: %v, to %q", a.Status, a.Header.Get("Location"))
	}
	forged := func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }
	if a := nginx.do(t, http.MethodGet, "http://shop.test/", forged); a.StatusCode != http.StatusMovedPermanently {
		t.Errorf("a client that says https over http is believed: %v", a.Status)
	}
	other := func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.test") }
	page := nginx.do(t, http.MethodGet, "https://shop.test/", other)
	if text := body(page); page.StatusCode != http.StatusOK || !strings.Contains(text, "Visit 1 to https://shop.test/.") {
		t.Errorf("over https: %v, %s", page.Status, text)
	}
	if hsts := page.Header["Strict-Transport-Security"]; len(hsts) != 1 {
		t.Errorf("Strict-Transport-Security: %q", hsts)
	}
	for origin, status := range map[string]int{"https://shop.test": 200, "https://evil.test": 403, "http://shop.test": 403} {
		if a := nginx.post(t, origin); a.StatusCode != status {
			t.Errorf("a form of %s: %v, want %d", origin, a.Status, status)
		}
	}
	if a := nginx.do(t, http.MethodGet, "https://shop.test/", func(r *http.Request) { r.Host = "evil.test" }); a.StatusCode != http.StatusBadRequest {
		t.Errorf("another Host: %v", a.Status)
	}
}

// TestHealth holds that the load balancer is answered, however it asks.
func TestHealth(t *testing.T) {
	resp, err := http.Get("http://" + serve(t) + "/health")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
}

// TestWithoutTheHeader holds that the mistake is what the document says it is: a redirect without end.
func TestWithoutTheHeader(t *testing.T) {
	nginx := startNginx(t, serve(t), func(conf string) string {
		return must(t, conf, "        proxy_set_header X-Forwarded-Proto $scheme;", "        #")
	})
	a := nginx.do(t, http.MethodGet, "https://shop.test/", nil)
	if a.StatusCode != http.StatusMovedPermanently || a.Header.Get("Location") != "https://shop.test/" {
		t.Errorf("%v to %q, want the redirect to itself", a.Status, a.Header.Get("Location"))
	}
	traced := &trace.Client{Browser: &browser.Browser{}, Roots: nginx.pool, Dial: trace.DialTo(nginx.ports, trace.Dial)}
	v, err := traced.Visit(t.Context(), http.MethodGet, "http://shop.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := v.Diagnosis()
	if by, _ := d.Fact("answered by"); d.Rule != "loop-tls-unseen" || by != "nginx" {
		t.Errorf("the trace says %+v", d)
	}
}

// TestWithoutHost holds that a proxy that puts its own name into Host is refused.
func TestWithoutHost(t *testing.T) {
	nginx := startNginx(t, serve(t), func(conf string) string {
		return must(t, conf, "        proxy_set_header Host ", "        #")
	})
	if a := nginx.do(t, http.MethodGet, "https://shop.test/", nil); a.StatusCode != http.StatusBadRequest {
		t.Errorf("%v, want 400", a.Status)
	}
}

// serve runs the site and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	guard, err := lockstep.New(siteSettings(testKey, []string{"127.0.0.1"}), lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(routes(guard))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// A proxy is a running nginx and a browser that reaches it under the name of the site.
type proxy struct {
	client *http.Client
	pool   *x509.CertPool
	ports  []trace.ConnectTo
}

// startNginx runs nginx with nginx.conf, changed for this machine and by change.
func startNginx(t *testing.T, site string, change func(string) string) *proxy {
	t.Helper()
	binary := findNginx(t)
	dir := t.TempDir()
	plain, secure := freeAddress(t), freeAddress(t)
	pool := writeCertificate(t, dir)
	text, err := os.ReadFile("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	if change != nil {
		conf = change(conf)
	}
	for from, to := range map[string]string{
		"listen 80;":             "listen " + plain + ";",
		"listen 443 ssl;":        "listen " + secure + " ssl;",
		"/etc/ssl/shop.test.pem": filepath.Join(dir, "cert.pem"),
		"/etc/ssl/shop.test.key": filepath.Join(dir, "key.pem"),
		"http://127.0.0.1:8000;": "http://" + site + ";",
	} {
		conf = must(t, conf, from, to)
	}
	for _, temp := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf = fmt.Sprintf("%s_temp_path %s;\n%s", temp, filepath.Join(dir, temp), conf)
	}
	main := filepath.Join(dir, "main.conf")
	conf = fmt.Sprintf("daemon off; master_process off; pid %s; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s}\n", filepath.Join(dir, "pid"), conf)
	if err := os.WriteFile(main, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "-p", dir, "-e", "stderr", "-c", main)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	answers(t, secure)
	nginx := &proxy{client: client(pool, map[string]string{"80": plain, "443": secure}), pool: pool}
	for port, at := range map[string]string{"80": plain, "443": secure} {
		host, own, _ := net.SplitHostPort(at)
		nginx.ports = append(nginx.ports, trace.ConnectTo{Port: port, ToHost: host, ToPort: own})
	}
	return nginx
}

// findNginx finds the one that is installed, or the one that scripts/setup-tests.sh unpacks.
func findNginx(t *testing.T) string {
	t.Helper()
	unpacked, err := filepath.Abs("../../.cache/nginx/usr/sbin/nginx")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nginx", "/usr/sbin/nginx", unpacked} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	const missing = "no nginx to ask: make setup unpacks Debian's into .cache, or apt-get install nginx"
	if os.Getenv("LOCKSTEP_TEST_REQUIRE") == "all" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// must replaces a text that has to be there.
func must(t *testing.T, in, from, to string) string {
	t.Helper()
	if !strings.Contains(in, from) {
		t.Fatalf("nginx.conf has no %q", from)
	}
	return strings.ReplaceAll(in, from, to)
}

func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	authority, err := cert.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issued, err := authority.Issue(time.Now(), "shop.test")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(issued.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: issued.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return authority.Pool()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answers waits until something listens there.
func answers(t *testing.T, address string) {
	t.Helper()
	for range 600 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nothing listens on %s", address)
}

// client is a browser with cookies that dials addresses by the ports of the URLs.
func client(pool *x509.CertPool, addresses map[string]string) *http.Client {
	jar, _ := cookiejar.New(nil) // which never fails
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		var d net.Dialer
		return d.DialContext(ctx, network, addresses[port])
	}
	return &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do makes a request, changed before it is sent.
func (p *proxy) do(t *testing.T, method, url string, change func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

var tokenField = regexp.MustCompile(`name="csrfmiddlewaretoken" value="(\w{64})"`)

// post sends the form of the page as a page of an origin would.
func (p *proxy) post(t *testing.T, origin string) *http.Response {
	t.Helper()
	found := tokenField.FindStringSubmatch(body(p.do(t, http.MethodGet, "https://shop.test/", nil)))
	if found == nil {
		t.Fatal("the page has no token")
	}
	form := url.Values{"csrfmiddlewaretoken": {found[1]}}.Encode()
	return p.do(t, http.MethodPost, "https://shop.test/", func(r *http.Request) {
		r.Header.Set("Origin", origin)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = io.NopCloser(strings.NewReader(form))
	})
}

func body(resp *http.Response) string {
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}
