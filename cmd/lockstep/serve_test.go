package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A running is this program, keeping the site up in a process of its own.
type running struct {
	t        *testing.T
	cmd      *exec.Cmd
	base     string // https://localhost:PORT
	password string // of the account demo, when it was shown
}

var (
	basePattern     = regexp.MustCompile(`^  (https://localhost:\d+)/ `)
	passwordPattern = regexp.MustCompile(`with the password (\S+)`)
)

// startSite starts the program, which is this test program under its name, and waits until it is up.
func startSite(t *testing.T, args ...string) *running {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), self)}
	r.cmd.Args = append([]string{"lockstep", "demo", "--serve"}, args...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	r.cmd.Stderr = &complaints
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.end(syscall.SIGKILL) })
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "where it holds") {
		if found := basePattern.FindStringSubmatch(lines.Text()); found != nil {
			r.base = found[1]
		}
		if found := passwordPattern.FindStringSubmatch(lines.Text()); found != nil {
			r.password = found[1]
		}
	}
	if r.base == "" {
		r.end(syscall.SIGKILL)
		t.Fatalf("the site is not up: %s", complaints.String())
	}
	go io.Copy(io.Discard, out)
	return r
}

// end sends a signal, of which 0 is none, and waits until the program has ended.
func (r *running) end(signal os.Signal) *os.ProcessState {
	r.t.Helper()
	if r.cmd.ProcessState == nil {
		r.cmd.Process.Signal(signal)
		r.cmd.Wait()
	}
	return r.cmd.ProcessState
}

// A person is an HTTP client that trusts the authority which the site wrote, and keeps cookies.
type person struct {
	t *testing.T
	*http.Client
}

func newPerson(t *testing.T, ca string) *person {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no authority")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true,
	}}}
}

// get returns the page at which a GET ends, and its text.
func (p *person) get(address string) (at, body string) {
	p.t.Helper()
	response, err := p.Get(address)
	return p.read(response, err)
}

// post sends a form with the token of the page it is on.
func (p *person) post(page, address string, form url.Values) (at, body string) {
	p.t.Helper()
	_, text := p.get(page)
	found := regexp.MustCompile(`name="csrfmiddlewaretoken" value="(\w+)"`).FindStringSubmatch(text)
	if found == nil {
		p.t.Fatalf("no token in %s", text)
	}
	form.Set("csrfmiddlewaretoken", found[1])
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Referer", page)
	response, err := p.Do(r)
	return p.read(response, err)
}

func (p *person) read(response *http.Response, err error) (at, body string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.Request.URL.Path, string(text)
}

// Who is logged in stays so when the program is killed and started again, at whatever moment; and who
// logs out stays logged out.
func TestSessionSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	args := []string{"--state", filepath.Join(dir, "state"), "--ca-out", ca, "--listen", "localhost:" + freePort(t)}

	site := startSite(t, args...)
	p := newPerson(t, ca)
	p.get(site.base + "/counter")
	at, body := p.post(site.base+"/login", site.base+"/login", url.Values{"username": {"demo"}, "password": {site.password}})
	if at != "/account" || !strings.Contains(body, "Logged in as <strong>demo</strong>") {
		t.Fatalf("the login leads to %s: %s", at, body)
	}
	certificate := served(t, p, site.base)
	site.end(syscall.SIGKILL)

	site = startSite(t, args...)
	if site.password != "" {
		t.Error("the account is made a second time")
	}
	if at, body := p.get(site.base + "/account"); at != "/account" || !strings.Contains(body, "Logged in as <strong>demo</strong>") {
		t.Errorf("after a kill the account leads to %s: %s", at, body)
	}
	if _, body := p.get(site.base + "/counter"); !strings.Contains(body, "<h1>Visit 2</h1>") {
		t.Errorf("after a kill the counter shows %s", body)
	}
	if served(t, p, site.base) != certificate {
		t.Error("after a kill the certificate is another, and a browser's exception is lost")
	}
	kept := cookies(p, site.base)
	if at, _ := p.post(site.base+"/logout", site.base+"/logout", url.Values{}); at != "/logged-out" {
		t.Errorf("the logout leads to %s", at)
	}
	site.end(syscall.SIGKILL)

	site = startSite(t, args...)
	thief := newPerson(t, ca)
	address, _ := url.Parse(site.base)
	thief.Jar.SetCookies(address, kept)
	if at, _ := thief.get(site.base + "/account"); at != "/login" {
		t.Errorf("after the logout and a kill, the old cookie leads to %s", at)
	}
	if state := site.end(os.Interrupt); state.ExitCode() != exitOK {
		t.Errorf("after Ctrl-C: %v", state)
	}
}

// Ctrl-C ends the site in an orderly way although somebody looks at the verdicts: the stream is ended and
// not cut off.
func TestStreamsEndOnInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	site := startSite(t, "--memory", "--ca-out", ca, "--listen", "localhost:"+freePort(t))
	p := newPerson(t, ca)
	p.get(site.base + "/counter")
	response, err := p.Get(site.base + "/verdicts/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if state := site.end(os.Interrupt); state.ExitCode() != exitOK {
		t.Errorf("%v", state)
	}
	if _, err := io.ReadAll(lines); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

// A request that is under way at Ctrl-C is answered.
func TestRequestsEndOnInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	site := startSite(t, "--memory", "--ca-out", ca, "--listen", "localhost:"+freePort(t))
	address := strings.TrimPrefix(site.base, "https://")
	config := newPerson(t, ca).Transport.(*http.Transport).TLSClientConfig
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: "+address+"\r\nOrigin: "+site.base+"\r\nCookie: csrftoken="+strings.Repeat("a", 32)+
		"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") { // the body is being read
		t.Fatalf("%q, %v", line, err)
	}
	answers.ReadString('\n')
	site.cmd.Process.Signal(os.Interrupt)
	for { // until it takes no more connections
		more, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			break
		}
		more.Close()
		time.Sleep(time.Millisecond)
	}
	io.WriteString(conn, "username=a")
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, " 403 ") { // for want of a token
		t.Errorf("%q, %v", line, err)
	}
	conn.Close()
	if state := site.end(syscall.Signal(0)); state.ExitCode() != exitOK {
		t.Errorf("%v", state)
	}
}

// Of several programs that begin a state at one time, one makes the account, and all start.
func TestManyBeginOneState(t *testing.T) {
	dir := t.TempDir()
	passwords := make([]string, 8)
	var wg sync.WaitGroup
	for i := range passwords {
		wg.Go(func() {
			s, err := openState(t.Context(), dir, slog.New(slog.DiscardHandler), time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if passwords[i], err = demoAccount(t.Context(), s.accounts); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made := slices.DeleteFunc(passwords, func(p string) bool { return p == "" }); len(made) != 1 {
		t.Errorf("%d accounts were made", len(made))
	}
}

// Two programs on one state share what it holds.
func TestTwoOnOneState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	args := []string{"--state", filepath.Join(dir, "state"), "--ca-out", ca, "--listen", "localhost:" + freePort(t)}
	first := startSite(t, args...)
	second := startSite(t, args...)
	p := newPerson(t, ca)
	p.post(first.base+"/login", first.base+"/login", url.Values{"username": {"demo"}, "password": {first.password}})
	if at, _ := p.get(second.base + "/account"); at != "/account" { // cookies know no ports
		t.Errorf("at the second one the account leads to %s", at)
	}
	p.post(second.base+"/logout", second.base+"/logout", url.Values{})
	if at, _ := p.get(first.base + "/account"); at != "/login" {
		t.Errorf("after a logout at the second one, the account at the first leads to %s", at)
	}
}

func served(t *testing.T, p *person, base string) string {
	t.Helper()
	response, err := p.Get(base + "/static/icon.svg")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return string(response.TLS.PeerCertificates[0].Raw)
}

func cookies(p *person, base string) []*http.Cookie {
	address, _ := url.Parse(base)
	var all []*http.Cookie
	for _, c := range p.Jar.Cookies(address) {
		all = append(all, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
	}
	return all
}

// TestTraceLogsInHere has trace log in at the site that demo --serve keeps up, whose login leads to a page
// with a form of its own for passwords.
func TestTraceLogsInHere(t *testing.T) {
	dir := t.TempDir()
	ca, password := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "password")
	r := startSite(t, "--memory", "--listen", "localhost:0", "--ca-out", ca)
	for text, want := range map[string]string{r.password: "seems to have worked", "wrong": "The form is shown again"} {
		if err := os.WriteFile(password, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), r.cmd.Path)
		cmd.Args = []string{"lockstep", "trace", "http" + strings.TrimPrefix(r.base, "https") + "/", "--login", "/login", "--user", "demo", "--password-file", password, "--cacert", ca}
		out, err := cmd.CombinedOutput()
		if (err == nil) != (text == r.password) || !strings.Contains(string(out), want) {
			t.Errorf("%v, and no %q:\n%s", err, want, out)
		}
	}
}
