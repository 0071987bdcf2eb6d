package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"io/fs"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep"
	"github.com/lockstep-http/lockstep/internal/arch"
	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
	"github.com/lockstep-http/lockstep/internal/scenario"
	"github.com/lockstep-http/lockstep/internal/site"
)

// TestDocuments holds the documents to what they tell of: a block that is marked as the output of a
// command is what the command prints now, one marked as part of a file is what stands there, and the
// sections of the references are made from the code.
func TestDocuments(t *testing.T) {
	t.Chdir("../..") // where the commands of the documents are typed
	d := newDocuments(t)
	produced := 0
	for _, name := range markdown(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		now := arch.ReplaceSections(text, func(s arch.Section) string { produced++; return made(t, s.Name) })
		now = arch.Replace(now, func(b arch.Block) string { produced++; return d.produce(t, b) })
		if sameBut(varies, text, now) {
			continue
		}
		if !*update {
			t.Errorf("%s shows what is no longer so; go test ./cmd/lockstep -run Documents -update mends it", name)
			continue
		}
		if err := os.WriteFile(name, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if produced == 0 {
		t.Error("no document shows anything that is produced")
	}
}

// markdown returns the documents of the project.
func markdown(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch base := filepath.Base(name); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (base == "testdata" || base == "node_modules" || base[0] == '.'):
			return fs.SkipDir
		case filepath.Ext(name) == ".md":
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A documents is what commands of documents may be about, by the variables that stand for it.
type documents struct {
	variables map[string]string
}

// newDocuments has $UNTOLD, the port of a site behind a proxy, and $CONTEXTS, that of one whose cookies pages
// of others ask for: for http, and for https with a certificate of $CA.
func newDocuments(t *testing.T) documents {
	t.Helper()
	authority, err := cert.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{"CA": ca}
	for name, h := range map[string]http.Handler{"UNTOLD": untoldProxy(t), "CONTEXTS": contexts()} {
		l := loopback(t)
		server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
		go server.Serve(listen.Both(l, authority.ServerConfig(time.Now)))
		t.Cleanup(func() { server.Close() })
		variables[name] = port(l)
	}
	return documents{variables}
}

// untoldProxy is a proxy that ends TLS and does not tell the site behind it by which scheme it was asked.
func untoldProxy(t *testing.T) http.Handler {
	t.Helper()
	guard, err := lockstep.New(scenario.LessonSettings("shop.test"), lockstep.Options{})
	if err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(guard.Wrap(&site.App{Default: site.Page{Do: site.Counter}}))
	t.Cleanup(behind.Close)
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
}

// variable is what a name in a command stands for. The site of the tutorial is started when it is
// asked for first.
func (d documents) variable(t *testing.T, name string) string {
	t.Helper()
	if strings.HasPrefix(name, "LOGIN_") && d.variables[name] == "" {
		maps.Copy(d.variables, startLogin(t))
	}
	value, ok := d.variables[name]
	if !ok {
		t.Fatalf("a document has a command about $%s, and there is no such thing", name)
	}
	return value
}

// startLogin builds and runs examples/login as the site shop.test, where ada has signed up.
func startLogin(t *testing.T) map[string]string {
	t.Helper()
	data := t.TempDir()
	v := map[string]string{
		"LOGIN_HTTP": freePort(t), "LOGIN_HTTPS": freePort(t),
		"LOGIN_CA": filepath.Join(data, "ca.pem"), "LOGIN_PASSWORD": filepath.Join(data, "password"),
	}
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
	const password = "correct horse"
	for name, content := range map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"ca.pem":   authority.PEM(),
		"password": []byte(password + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(data, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(t.TempDir(), "login")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./examples/login").CombinedOutput(); err != nil {
		t.Fatalf("building the site of the tutorial: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-site", "shop.test", "-data", data,
		"-http", "127.0.0.1:"+v["LOGIN_HTTP"], "-https", "127.0.0.1:"+v["LOGIN_HTTPS"])
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	signUp(t, authority.Pool(), "127.0.0.1:"+v["LOGIN_HTTPS"], url.Values{"username": {"ada"}, "password": {password}})
	return v
}

// signUp fills in the form of the site of the tutorial, as soon as it answers.
func signUp(t *testing.T, pool *x509.CertPool, address string, form url.Values) {
	t.Helper()
	jar, _ := cookiejar.New(nil) // which never fails
	client := &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}}
	const page = "https://shop.test/signup"
	resp, err := client.Get(page)
	for tries := 0; err != nil && tries < 200; tries++ {
		time.Sleep(50 * time.Millisecond)
		resp, err = client.Get(page)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	token := regexp.MustCompile(`value="(\w{64})"`).FindSubmatch(text)
	if token == nil {
		t.Fatalf("no token on the page to sign up:\n%s", text)
	}
	form.Set("csrfmiddlewaretoken", string(token[1]))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://shop.test")
	resp, err = client.Do(r)
	if err != nil || resp.Request.URL.Path != "/account" {
		t.Fatalf("signing up did not lead to the account: %v, %v", resp, err)
	}
	resp.Body.Close()
}

// varies is what differs from run to run in output: dates of the day on which a command runs, and the
// beginnings of cookie values.
var varies = regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b|=[A-Za-z0-9]{4}…`)

// sameBut reports whether two texts are the same but for what the expression matches.
func sameBut(what *regexp.Regexp, a, b []byte) bool {
	return bytes.Equal(what.ReplaceAll(a, nil), what.ReplaceAll(b, nil))
}

func (d documents) produce(t *testing.T, b arch.Block) string {
	t.Helper()
	if b.Mark == "file" {
		return excerpt(t, b.Command)
	}
	return d.printed(t, b.Command)
}

// printed is what a command line of a document prints, both streams together.
func (d documents) printed(t *testing.T, command string) string {
	t.Helper()
	words := strings.Fields(os.Expand(command, func(name string) string { return d.variable(t, name) }))
	if len(words) == 0 || words[0] != "bin/lockstep" {
		t.Fatalf("a document shows the output of %q, which is not bin/lockstep", command)
	}
	var out bytes.Buffer
	run(t.Context(), words[1:], &program{stdin: strings.NewReader(""), stdout: &out, stderr: &out})
	return out.String()
}

// excerpt is a file; or the declarations in it that are named behind it; or, of what is no Go, the
// lines that hold the text behind it.
func excerpt(t *testing.T, command string) string {
	t.Helper()
	name, part, _ := strings.Cut(command, " ")
	source, err := os.ReadFile(name)
	switch {
	case err != nil:
		t.Fatalf("a document shows a file: %v", err)
	case part == "":
		return string(source)
	case filepath.Ext(name) != ".go":
		return linesWith(t, name, string(source), part)
	}
	text, err := arch.Excerpt(source, strings.Fields(part)...)
	if err != nil {
		t.Fatalf("a document shows a part of %s: %v", name, err)
	}
	return text
}

func linesWith(t *testing.T, name, source, part string) (found string) {
	t.Helper()
	for line := range strings.Lines(source) {
		if strings.Contains(line, part) {
			found += line
		}
	}
	if found == "" {
		t.Fatalf("a document shows the lines of %s with %q, and there are none", name, part)
	}
	return found
}
