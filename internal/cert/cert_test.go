package cert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/cert"
	"github.com/lockstep-http/lockstep/internal/listen"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func authority(t testing.TB) *cert.Authority {
	t.Helper()
	a, err := cert.NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthority(t *testing.T) {
	a := authority(t)
	block, rest := pem.Decode(a.PEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("PEM holds %v and %q", block, rest)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Subject.CommonName, "Lockstep local CA") || !strings.Contains(c.Subject.CommonName, "temporary") {
		t.Errorf("the name is %q", c.Subject.CommonName)
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is %T", c.PublicKey)
	}
	if !c.IsCA || c.MaxPathLen != 0 || !c.MaxPathLenZero || c.KeyUsage != x509.KeyUsageCertSign {
		t.Errorf("CA %v, path length %d, usage %b", c.IsCA, c.MaxPathLen, c.KeyUsage)
	}
	if !c.NotBefore.Equal(now.Add(-time.Hour)) {
		t.Errorf("valid from %v", c.NotBefore)
	}
	other, _ := pem.Decode(authority(t).PEM())
	if o, err := x509.ParseCertificate(other.Bytes); err != nil || o.SerialNumber.Cmp(c.SerialNumber) == 0 {
		t.Errorf("two authorities have the same serial number, or %v", err)
	}
}

func verify(a *cert.Authority, c tls.Certificate, name string, at time.Time) error {
	_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: name, CurrentTime: at})
	return err
}

func TestIssue(t *testing.T) {
	a := authority(t)
	c, err := a.Issue(now, "Shop.test", "*.shop.test", "under_score.test", "192.0.2.1", "2001:db8::1")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop.test", "SHOP.test", "www.shop.test", "under_score.test", "192.0.2.1", "[2001:db8::1]"} {
		if err := verify(a, c, name, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"test", "a.www.shop.test", "192.0.2.2"} {
		var wrongName x509.HostnameError
		if err := verify(a, c, name, now); !errors.As(err, &wrongName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if lifetime := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore); lifetime >= 398*24*time.Hour || lifetime != cert.Lifetime {
		t.Errorf("the lifetime is %v", lifetime)
	}
	if c.Leaf.IsCA || c.Leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("CA %v, usage %b", c.Leaf.IsCA, c.Leaf.KeyUsage)
	}
	var unknown x509.UnknownAuthorityError
	if err := verify(authority(t), c, "shop.test", now); !errors.As(err, &unknown) {
		t.Errorf("by another authority: %v", err)
	}
}

func TestIssueBetween(t *testing.T) {
	a := authority(t)
	c, err := a.IssueBetween(now, now.Add(time.Hour), "shop.test")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now.Add(-time.Second), now.Add(time.Hour + time.Second)} {
		var invalid x509.CertificateInvalidError
		if err := verify(a, c, "shop.test", at); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
			t.Errorf("at %v: %v", at, err)
		}
	}
	if err := verify(a, c, "shop.test", now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

var malformed = []string{
	"", ".", "shop..test", ".test", "shop.test.", "shop test", "shop/test", "shop.test:443", "*", "*.", "a.*.test", "**.test",
	"b\u00fccher.test", "shop\x00.test", "shop\n.test", "1.2.3.4.5", "999.1.1.1", "fe80::1%eth0", "[::1]",
	strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 127) + "test",
}

func TestIssueRefuses(t *testing.T) {
	a := authority(t)
	for _, name := range malformed {
		if _, err := a.Issue(now, "shop.test", name); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := a.Issue(now); err == nil {
		t.Error("a certificate without a name is issued")
	}
	if _, err := a.Issue(now, strings.Split(strings.Repeat("a.test ", 101), " ")[:101]...); err == nil {
		t.Error("a certificate with 101 names is issued")
	}
}

// ask asks a configuration for the certificate of a name.
func ask(t testing.TB, config *tls.Config, name string) *tls.Certificate {
	t.Helper()
	c, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	return c
}

func TestServerConfigKeeps(t *testing.T) {
	a := authority(t)
	clock := now
	config := a.ServerConfig(func() time.Time { return clock })
	first := ask(t, config, "shop.test")
	if ask(t, config, "SHOP.test.") != first {
		t.Error("case and a dot at the end make another certificate")
	}
	if ask(t, config, "www.shop.test") == first {
		t.Error("another name has the same certificate")
	}
	for range 40 { // ten years all but some months, in steps shorter than a lifetime
		clock = clock.Add(cert.Lifetime - time.Hour)
		if err := verify(a, *ask(t, config, "shop.test"), "shop.test", clock); err != nil {
			t.Fatalf("at %v: %v", clock, err)
		}
	}
	clock = now
	if err := verify(a, *ask(t, config, "shop.test"), "shop.test", clock); err != nil {
		t.Errorf("when the clock goes back: %v", err)
	}
	for i := range cert.MaxCached {
		ask(t, config, fmt.Sprintf("h%d.test", i))
	}
	last := fmt.Sprintf("h%d.test", cert.MaxCached-1)
	if newest := ask(t, config, last); newest != ask(t, config, last) {
		t.Error("the newest certificate is not kept")
	}
	again := ask(t, config, "shop.test")
	if again == first {
		t.Error("the oldest certificate is still kept")
	}
}

func TestServerConfigIsStrict(t *testing.T) {
	config := authority(t).ServerConfig(nil)
	if config.MinVersion != tls.VersionTLS12 {
		t.Errorf("versions from %x", config.MinVersion)
	}
	for _, id := range config.CipherSuites {
		if name := tls.CipherSuiteName(id); !strings.HasPrefix(name, "TLS_ECDHE_") || strings.Contains(name, "CBC") {
			t.Errorf("suite %s", name)
		}
	}
}

// handshake connects a client to a server with config. It returns the client's error and the
// server's.
func handshake(t *testing.T, config, client *tls.Config) (state tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	l := listen.Pipe()
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			err = tls.Server(conn, config).HandshakeContext(t.Context())
		}
		done <- err
	}()
	conn, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	secure := tls.Client(conn, client)
	clientErr = secure.HandshakeContext(t.Context())
	conn.Close()
	return secure.ConnectionState(), clientErr, <-done
}

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

func TestHandshake(t *testing.T) {
	a := authority(t)
	expired := a.ExpiredConfig(at(now))
	valid := a.ServerConfig(at(now))
	later := a.ServerConfig(at(now.Add(9 * 365 * 24 * time.Hour)))
	for _, c := range []struct {
		name   string
		server *tls.Config
		client *tls.Config
		check  func(error) bool // nil: it succeeds
	}{
		{name: "a name", server: valid, client: &tls.Config{ServerName: "shop.test"}},
		{name: "TLS 1.2", server: valid, client: &tls.Config{ServerName: "shop.test", MaxVersion: tls.VersionTLS12}},
		{name: "127.0.0.1", server: valid, client: &tls.Config{ServerName: "127.0.0.1"}},
		{name: "::1", server: valid, client: &tls.Config{ServerName: "::1"}},
		{name: "nine years on", server: later, client: &tls.Config{ServerName: "shop.test", Time: at(now.Add(9 * 365 * 24 * time.Hour))}},
		{name: "expired", server: expired, client: &tls.Config{ServerName: "shop.test"}, check: func(err error) bool {
			var invalid x509.CertificateInvalidError
			return errors.As(err, &invalid) && invalid.Reason == x509.Expired
		}},
		{name: "unknown", server: authority(t).ServerConfig(at(now)), client: &tls.Config{ServerName: "shop.test"}, check: func(err error) bool {
			var unknown x509.UnknownAuthorityError
			return errors.As(err, &unknown)
		}},
		{name: "TLS 1.1", server: valid, client: &tls.Config{ServerName: "shop.test", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, check: alert("protocol version")},
		{name: "CBC", server: valid, client: &tls.Config{ServerName: "shop.test", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, check: alert("handshake failure")},
		{name: "a malformed name", server: valid, client: &tls.Config{ServerName: "shop test"}, check: alert("unrecognized name")},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.client.RootCAs = a.Pool()
			if c.client.Time == nil {
				c.client.Time = at(now)
			}
			_, err, _ := handshake(t, c.server, c.client)
			if c.check == nil && err != nil || c.check != nil && !c.check(err) {
				t.Errorf("the client says: %v", err)
			}
		})
	}
}

func alert(text string) func(error) bool {
	return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
}

// Whatever name a client sends, a handshake ends with a certificate for it or an alert.
func TestMalformedNames(t *testing.T) {
	config := authority(t).ServerConfig(at(now))
	for _, name := range malformed {
		switch name {
		case "", "shop.test.": // no name, and a name
			continue
		}
		if c := ask(t, config, name); c != nil {
			t.Errorf("%q has a certificate for %q", name, c.Leaf.DNSNames)
		}
	}
	if c := ask(t, config, "192.0.2.1"); c != nil {
		t.Error("an address has a certificate, although it is no name in a ClientHello")
	}
}

func TestNothingIsResumed(t *testing.T) {
	a := authority(t)
	config := a.ServerConfig(at(now))
	client := &tls.Config{ServerName: "shop.test", RootCAs: a.Pool(), Time: at(now), ClientSessionCache: tls.NewLRUClientSessionCache(10)}
	for range 3 {
		state, err, serverErr := handshake(t, config, client)
		if err != nil || serverErr != nil || state.DidResume {
			t.Errorf("resumed %v, %v, %v", state.DidResume, err, serverErr)
		}
	}
}

// A real client and a real server, through a real socket, on a port that speaks HTTP too.
func TestOverTCP(t *testing.T) {
	a, err := cert.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%v %s", r.TLS != nil, r.Host)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listen.Both(l, a.ServerConfig(nil))) }()
	defer func() { server.Close(); <-served }()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool()}, DisableKeepAlives: true}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for url, want := range map[string]string{
		"https://127.0.0.1:" + port: "true 127.0.0.1:" + port,
		"https://localhost:" + port: "true localhost:" + port,
		"http://127.0.0.1:" + port:  "false 127.0.0.1:" + port,
	} {
		response, err := (&http.Client{Transport: transport}).Get(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(body) != want {
			t.Errorf("%s: %s", url, body)
		}
	}
}

func FuzzIssue(f *testing.F) {
	for _, name := range append(malformed, "shop.test", "*.shop.test", "::1", "xn--bcher-kva.test") {
		f.Add(name)
	}
	a := authority(f)
	config := a.ServerConfig(at(now))
	f.Fuzz(func(t *testing.T, name string) {
		c, err := a.Issue(now, name)
		if err == nil && !strings.HasPrefix(name, "*.") {
			if err := verify(a, c, name, now); err != nil {
				t.Errorf("a certificate for %q is issued, and not good for it: %v", name, err)
			}
		}
		asked, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if asked != nil && name != "" && verify(a, *asked, strings.TrimSuffix(name, "."), now) != nil {
			t.Errorf("%q has a certificate for %q", name, asked.Leaf.DNSNames)
		}
	})
}

func BenchmarkNewAuthority(b *testing.B) {
	for b.Loop() {
		authority(b)
	}
}

func BenchmarkIssue(b *testing.B) {
	a := authority(b)
	for b.Loop() {
		if _, err := a.Issue(now, "shop.test"); err != nil {
			b.Fatal(err)
		}
	}
}
