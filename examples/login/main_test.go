package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/cert"
)

// asSite is set for the process that is the site and not the test.
const asSite = "LOCKSTEP_EXAMPLE_LOGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asSite) != "" {
		iterations = 1000
		main()
		return
	}
	os.Exit(m.Run())
}

// TestSite is a person at the site, which runs in a process of its own, over real TLS.
func TestSite(t *testing.T) {
	data, pool := dataFolder(t)
	site := start(t, data)
	ada := site.person(pool)

	if a := ada.get("http://shop.test/account"); a.status != 301 || a.location != "https://shop.test/account" {
		t.Fatalf("over http: %+v", a)
	}
	ada.wants(t, "https://shop.test/account", 303, "/login")
	for about, typed := range map[string]url.Values{
		"no name":          {"password": {"correct horse"}},
		"a short password": {"username": {"ada"}, "password": {"short"}},
	} {
		if a := ada.submit("/signup", typed); a.status != 200 || !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("signing up with %s: %+v", about, a)
		}
	}
	typed := url.Values{"username": {"ada"}, "password": {"correct horse"}}
	if a := ada.submit("/signup", typed); a.status != 303 || a.location != "/account" {
		t.Fatalf("signing up: %+v", a)
	}
	ada.sees(t, "/account", "The account of ada")
	ada.sees(t, "/account", "Visit 2")
	ada.sees(t, "/", "Hello, ada")
	if a := site.person(pool).submit("/signup", url.Values{"username": {"ADA"}, "password": {"another one"}}); !strings.Contains(a.body, "already") {
		t.Errorf("signing up under a name that is taken: %+v", a)
	}

	before := ada.cookie("__Host-sessionid")
	if a := ada.submit("/login", typed); a.status != 303 || ada.cookie("__Host-sessionid") == before {
		t.Errorf("logging in again keeps the key of the session: %+v", a)
	}

	// A restart that nobody prepared for.
	site.kill(t)
	site = start(t, data)
	ada.site = site
	ada.sees(t, "/account", "Visit 3")

	stolen := ada.cookie("__Host-sessionid")
	if a := ada.submitFrom("/account", "/logout", nil); a.status != 303 || ada.cookie("__Host-sessionid") != "" {
		t.Errorf("logging out: %+v, cookie %q", a, ada.cookie("__Host-sessionid"))
	}
	thief := site.person(pool)
	thief.jar.SetCookies(&url.URL{Scheme: "https", Host: "shop.test"}, []*http.Cookie{{Name: "__Host-sessionid", Value: stolen, Path: "/", Secure: true}})
	thief.wants(t, "https://shop.test/account", 303, "/login")
	for _, wrong := range []url.Values{
		{"username": {"ada"}, "password": {"wrong horse"}},
		{"username": {"bob"}, "password": {"correct horse"}},
		{"username": {"ada"}, "password": {strings.Repeat("x", maxPassword+1)}},
	} {
		if a := ada.submit("/login", wrong); a.status != 200 || !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("logging in as %s: %+v", wrong["username"], a)
		}
	}
	ada.wants(t, "https://shop.test/account", 303, "/login")
	site.stop(t)
}

// TestForgedRequests holds that what another page sends is refused, whatever cookies go along.
func TestForgedRequests(t *testing.T) {
	data, pool := dataFolder(t)
	site := start(t, data)
	ada := site.person(pool)
	token := ada.token("/login")
	for about, change := range map[string]func(*http.Request, url.Values){
		"no token":        func(_ *http.Request, v url.Values) { v.Del("csrfmiddlewaretoken") },
		"another token":   func(_ *http.Request, v url.Values) { v.Set("csrfmiddlewaretoken", strings.Repeat("a", 64)) },
		"another origin":  func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "https://evil.test") },
		"no origin":       func(r *http.Request, _ url.Values) { r.Header.Del("Origin") },
		"another site":    func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a page of http":  func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "http://shop.test") },
		"a null origin":   func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "null") },
		"a part of token": func(_ *http.Request, v url.Values) { v.Set("csrfmiddlewaretoken", token[:63]) },
	} {
		if a := ada.post("/logout", url.Values{"csrfmiddlewaretoken": {token}}, change); a.status != 403 {
			t.Errorf("%s: %+v", about, a)
		}
	}
	if a := ada.post("/logout", url.Values{"csrfmiddlewaretoken": {token}}, nil); a.status != 303 {
		t.Errorf("nothing forged: %+v", a)
	}
}

// dataFolder is a folder with a certificate for shop.test, and who vouches for it.
func dataFolder(t *testing.T) (name string, pool *x509.CertPool) {
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
	name = t.TempDir()
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: issued.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(name, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return name, authority.Pool()
}

// A process is the site as it runs.
type process struct {
	cmd         *exec.Cmd
	http, https string
}

func start(t *testing.T, data string) *process {
	t.Helper()
	p := &process{http: freeAddress(t), https: freeAddress(t)}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "-site", "shop.test", "-http", p.http, "-https", p.https, "-data", data)
	p.cmd.Env = append(os.Environ(), asSite+"=1")
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	for _, address := range []string{p.http, p.https} {
		answers(t, address)
	}
	return p
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

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
}

// stop ends the site as Ctrl-C does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the site ended: %v", err)
	}
}

// A person has a browser with cookies of its own.
type person struct {
	site   *process
	jar    *cookiejar.Jar
	client *http.Client
}

func (p *process) person(pool *x509.CertPool) *person {
	jar, _ := cookiejar.New(nil) // which never fails
	you := &person{site: p, jar: jar}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		var d net.Dialer
		return d.DialContext(ctx, network, map[string]string{"80": you.site.http, "443": you.site.https}[port])
	}
	you.client = &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return you
}

// An answer is what comes back.
type answer struct {
	status         int
	location, body string
}

func (p *person) do(r *http.Request) answer {
	resp, err := p.client.Do(r)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body)}
}

func (p *person) get(url string) answer {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return answer{body: err.Error()}
	}
	return p.do(r)
}

func (p *person) wants(t *testing.T, url string, status int, location string) {
	t.Helper()
	if a := p.get(url); a.status != status || a.location != location {
		t.Errorf("GET %s: %+v, want %d to %q", url, a, status, location)
	}
}

func (p *person) sees(t *testing.T, path, text string) {
	t.Helper()
	if a := p.get("https://shop.test" + path); a.status != 200 || !strings.Contains(a.body, text) {
		t.Errorf("GET %s: %+v, want a page with %q", path, a, text)
	}
}

var tokenField = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([A-Za-z0-9]{64})"`)

// token is that of the form on a page.
func (p *person) token(path string) string {
	if found := tokenField.FindStringSubmatch(p.get("https://shop.test" + path).body); found != nil {
		return found[1]
	}
	return ""
}

// submit fills in the form of a page that is sent to the page itself.
func (p *person) submit(path string, typed url.Values) answer { return p.submitFrom(path, path, typed) }

func (p *person) submitFrom(page, action string, typed url.Values) answer {
	fields := url.Values{"csrfmiddlewaretoken": {p.token(page)}}
	maps.Copy(fields, typed)
	return p.post(action, fields, nil)
}

// post sends fields as a browser does from a page of the site, but for what change does.
func (p *person) post(path string, fields url.Values, change func(*http.Request, url.Values)) answer {
	r, err := http.NewRequest(http.MethodPost, "https://shop.test"+path, nil)
	if err != nil {
		return answer{body: err.Error()}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://shop.test")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r, fields)
	}
	r.Body = io.NopCloser(strings.NewReader(fields.Encode()))
	return p.do(r)
}

func (p *person) cookie(name string) string {
	for _, c := range p.jar.Cookies(&url.URL{Scheme: "https", Host: "shop.test", Path: "/"}) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
