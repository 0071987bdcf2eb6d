package listen_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/listen"
)

// noLeaks fails the test when, at its end, more goroutines of package listen run than at its
// beginning. It must be called first.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		var after int
		for range 100 {
			if after = goroutines(); after <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%d goroutines run in package listen, %d did before", after, before)
	})
}

func goroutines() int {
	buf := make([]byte, 4<<20)
	stacks := bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n"))
	n := 0
	for _, stack := range stacks {
		if bytes.Contains(stack, []byte("internal/listen.(")) {
			n++
		}
	}
	return n
}

// serverConfig returns a configuration for example.com, and the pool that trusts it.
func serverConfig(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	certificate, pool := selfSigned(t)
	return &tls.Config{Certificates: []tls.Certificate{certificate}}, pool
}

// serve answers requests with whether they came over TLS, until the test ends.
func serve(t *testing.T, l net.Listener) {
	t.Helper()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "tls %v, from %s", r.TLS != nil, r.RemoteAddr)
		}),
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving: %v", err)
		}
	})
}

func tlsClient(conn net.Conn, pool *x509.CertPool) *tls.Conn {
	return tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "example.com"})
}

type dialFunc func(ctx context.Context) (net.Conn, error)

// client returns an HTTP client whose connections all come from dial.
func client(t *testing.T, dial dialFunc, pool *x509.CertPool) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		TLSClientConfig: &tls.Config{RootCAs: pool},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// get returns the body and, of a TLS connection, the protocol that was agreed on.
func get(t *testing.T, c *http.Client, url string) (body, protocol string) {
	t.Helper()
	response, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.TLS != nil {
		protocol = response.TLS.NegotiatedProtocol
	}
	return string(data), protocol
}

// listenTCP listens on a free port of loopback.
func listenTCP(t *testing.T) (net.Listener, dialFunc) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

func listenPipe(*testing.T) (net.Listener, dialFunc) {
	l := listen.Pipe()
	return l, l.Dial
}

func TestBothSpeaksBoth(t *testing.T) {
	for name, listener := range map[string]func(*testing.T) (net.Listener, dialFunc){"tcp": listenTCP, "pipe": listenPipe} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			config, pool := serverConfig(t)
			l, dial := listener(t)
			both := listen.Both(l, config)
			if both.Addr() != l.Addr() {
				t.Errorf("the address is %v, want %v", both.Addr(), l.Addr())
			}
			serve(t, both)
			if len(config.NextProtos) != 0 {
				t.Error("the configuration of the caller has changed")
			}
			c := client(t, dial, pool)
			for range 2 {
				if body, _ := get(t, c, "http://example.com/"); !strings.HasPrefix(body, "tls false") {
					t.Errorf("http: %s", body)
				}
				body, protocol := get(t, c, "https://example.com/")
				if !strings.HasPrefix(body, "tls true") {
					t.Errorf("https: %s", body)
				}
				if protocol != "" && protocol != "http/1.1" {
					t.Errorf("https: protocol %q", protocol)
				}
			}
		})
	}
}

func TestBothAgreesOnHTTP1(t *testing.T) {
	noLeaks(t)
	config, pool := serverConfig(t)
	l := listen.Pipe()
	serve(t, listen.Both(l, config))
	conn, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}})
	defer secure.Close()
	if err := secure.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := secure.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("protocol %q", p)
	}
}

func TestBothWithLargeBodies(t *testing.T) {
	noLeaks(t)
	config, pool := serverConfig(t)
	l := listen.Pipe()
	sent := bytes.Repeat([]byte("lockstep"), 100_000)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, r.Body)
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listen.Both(l, config)) }()
	defer func() { server.Close(); <-served }()
	c := client(t, l.Dial, pool)
	for _, scheme := range []string{"http", "https"} {
		response, err := c.Post(scheme+"://example.com/", "text/plain", bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: %d bytes came back, error %v", scheme, len(got), err)
		}
	}
}

// A client that is silent, for ever or for a while, keeps nobody waiting.
func TestBothSilentClient(t *testing.T) {
	noLeaks(t)
	config, pool := serverConfig(t)
	l, dial := listenTCP(t)
	serve(t, listen.Both(l, config))
	var silent []net.Conn
	for range 50 {
		conn, err := dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	began := time.Now()
	c := client(t, dial, pool)
	for _, scheme := range []string{"http", "https"} {
		get(t, c, scheme+"://example.com/")
	}
	if took := time.Since(began); took > listen.SniffTimeout/2 {
		t.Errorf("two requests beside silent clients took %v", took)
	}
	fmt.Fprint(silent[7], "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(silent[7]); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) {
		t.Errorf("a client that speaks late gets %q, %v", answer, err)
	}
}

// More silent clients than may be pending: the oldest are hung up on, and others still served.
func TestBothHangsUpOnOldest(t *testing.T) {
	noLeaks(t)
	config, pool := serverConfig(t)
	l := listen.Pipe()
	serve(t, listen.Both(l, config))
	const extra = 5
	var silent []net.Conn
	for range listen.MaxPending + extra {
		conn, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	get(t, client(t, l.Dial, pool), "https://example.com/")
	for i, wantOpen := range map[int]bool{0: false, extra: false, extra + 1: true, len(silent) - 1: true} {
		silent[i].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := silent[i].Read(make([]byte, 1))
		if isTimeout(err) != wantOpen {
			t.Errorf("silent client %d: %v, want open %v", i, err, wantOpen)
		}
	}
}

func TestBothCloseHangsUpOnPending(t *testing.T) {
	noLeaks(t)
	config, _ := serverConfig(t)
	l, dial := listenTCP(t)
	both := listen.Both(l, config)
	silent, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ready, err := dial(t.Context()) // nobody calls Accept
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	fmt.Fprint(ready, "GET / HTTP/1.1\r\n")
	time.Sleep(20 * time.Millisecond)
	for range 2 {
		if err := both.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	for _, conn := range []net.Conn{silent, ready} {
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || isTimeout(err) {
			t.Errorf("a pending connection is open after Close: %d, %v", n, err)
		}
	}
	if _, err := both.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting after Close: %v", err)
	}
	if _, err := dial(t.Context()); err == nil {
		t.Error("the port is still open after Close")
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// failing is a listener that fails first, as one does that runs out of file descriptors.
type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.Listener.Accept()
}

type temporary struct{ n int }

func (e temporary) Error() string   { return fmt.Sprintf("no file descriptor, %d", e.n) }
func (e temporary) Timeout() bool   { return false }
func (e temporary) Temporary() bool { return true }

func TestBothPassesErrorsOn(t *testing.T) {
	noLeaks(t)
	config, pool := serverConfig(t)
	errs := []error{temporary{1}, temporary{2}}
	l := listen.Pipe()
	both := listen.Both(&failing{l, errs}, config)
	for _, want := range errs {
		if _, err := both.Accept(); !errors.Is(err, want) {
			t.Errorf("accepting: %v, want %v", err, want)
		}
	}
	serve(t, both)
	get(t, client(t, l.Dial, pool), "https://example.com/")
}

// net/http takes temporary errors for what they are, and goes on.
func TestBothServerSurvivesErrors(t *testing.T) {
	noLeaks(t)
	config, pool := serverConfig(t)
	l := listen.Pipe()
	serve(t, listen.Both(&failing{l, []error{temporary{1}, temporary{2}}}, config))
	get(t, client(t, l.Dial, pool), "http://example.com/")
}

func TestBothBytesThatAreNeither(t *testing.T) {
	noLeaks(t)
	config, _ := serverConfig(t)
	l, dial := listenTCP(t)
	serve(t, listen.Both(l, config))
	for _, c := range []struct{ sent, want string }{
		{"\x16", ""},
		{"\x16\x03\x01\x00\x05hello", "\x15\x03\x01"}, // a TLS alert
		{"\x80\x2e\x01\x03\x00\r\n\r\n", "HTTP/1.1 400"},
		{"SSH-2.0-x\r\n\r\n", "HTTP/1.1 400"},
		{"\x00\r\n\r\n", "HTTP/1.1 400"},
	} {
		conn, err := dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, c.sent)
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.CloseWrite()
		}
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, err := io.ReadAll(conn)
		conn.Close()
		if isTimeout(err) || !strings.HasPrefix(string(answer), c.want) {
			t.Errorf("%q is answered %q, %v", c.sent, answer, err)
		}
	}
}
