package listen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/lockstep-http/lockstep/internal/listen"
)

// pair returns both ends of a connection.
func pair(t testing.TB, l *listen.PipeListener) (client, server net.Conn) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	client, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client, <-accepted
}

// The contract of net.Conn, as golang.org/x/net has it.
func TestPipeConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l := listen.Pipe()
		c1, c2 = pair(t, l)
		return c1, c2, func() { c1.Close(); c2.Close(); l.Close() }, nil
	})
}

func TestPipeAddresses(t *testing.T) {
	l := listen.Pipe()
	defer l.Close()
	seen := map[string]bool{}
	for i := range 3 {
		client, server := pair(t, l)
		defer client.Close()
		defer server.Close()
		local := client.LocalAddr().String()
		if want := fmt.Sprintf("pipe:%d", i+1); local != want || server.RemoteAddr().String() != local {
			t.Errorf("the client is %s for itself and %s for the server, want %s", local, server.RemoteAddr(), want)
		}
		if remote := client.RemoteAddr(); remote != l.Addr() || server.LocalAddr() != remote || remote.String() != "pipe:0" || remote.Network() != "pipe" {
			t.Errorf("the server is %s for the client and %s for itself", remote, server.LocalAddr())
		}
		if host, _, err := net.SplitHostPort(local); err != nil || host != "pipe" || seen[local] {
			t.Errorf("%s, which was seen %v: %v", local, seen[local], err)
		}
		seen[local] = true
	}
}

func TestPipeAddressesAreUnique(t *testing.T) {
	l := listen.Pipe()
	defer l.Close()
	const n = 100
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range n {
		wg.Go(func() {
			conn, err := l.Dial(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			mu.Lock()
			defer mu.Unlock()
			seen[conn.LocalAddr().String()] = true
		})
	}
	for range n {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d connections have %d addresses", n, len(seen))
	}
}

func TestPipeDialGivesUp(t *testing.T) {
	l := listen.Pipe()
	cause := errors.New("enough waited")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := l.Dial(ctx); !errors.Is(err, cause) {
		t.Errorf("dialling without an Accept: %v", err)
	}
	dialed := make(chan error, 1)
	go func() {
		_, err := l.Dial(t.Context())
		dialed <- err
	}()
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-dialed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialling while it closes: %v", err)
	}
	if _, err := l.Dial(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialling when it is closed: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting when it is closed: %v", err)
	}
}

// What was written before an end closed is still read by the other; what comes after is refused.
func TestPipeClose(t *testing.T) {
	l := listen.Pipe()
	defer l.Close()
	client, server := pair(t, l)
	io.WriteString(client, "last words")
	client.Close()
	if words, err := io.ReadAll(server); string(words) != "last words" || err != nil {
		t.Errorf("read %q, %v", words, err)
	}
	if _, err := server.Write([]byte("x")); err == nil {
		t.Error("writing to an end that has closed is no error")
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing after Close: %v", err)
	}
}

// One end may be ahead by a bounded number of bytes only.
func TestPipeBuffersABoundedAmount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen.Pipe()
		defer l.Close()
		client, server := pair(t, l)
		defer client.Close()
		defer server.Close()
		client.SetWriteDeadline(time.Now().Add(time.Hour))
		n, err := client.Write(make([]byte, 1<<20))
		if !isTimeout(err) || n == 0 || n > 1<<17 {
			t.Errorf("%d bytes were written ahead, %v", n, err)
		}
	})
}

// Two ends that close at one time do not wait for each other, although TLS says good-bye first.
func TestPipeBothEndsCloseTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, pool := serverConfig(t)
		l := listen.Pipe()
		both := listen.Both(l, config)
		defer both.Close()
		server := make(chan net.Conn, 1)
		go func() {
			conn, err := both.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Read(make([]byte, 1))
			server <- conn
		}()
		plain, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		client := tlsClient(plain, pool)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var wg sync.WaitGroup
		for _, conn := range []net.Conn{client, <-server} {
			wg.Go(func() { conn.Close() })
		}
		wg.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("closing both ends took %v", waited)
		}
	})
}

// In a bubble, a server and a client over a pipe live through hours in no time.
func TestBothInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, pool := serverConfig(t)
		l := listen.Pipe()
		serve(t, listen.Both(l, config))
		c := client(t, l.Dial, pool)
		for range 3 {
			if body, _ := get(t, c, "https://example.com/"); !strings.HasPrefix(body, "tls true") {
				t.Error(body)
			}
			if body, _ := get(t, c, "http://example.com/"); !strings.HasPrefix(body, "tls false") {
				t.Error(body)
			}
			time.Sleep(6 * time.Hour)
			synctest.Wait()
		}
		silent, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a silent client is told %v", err)
		}
		if waited := time.Since(began); waited != listen.SniffTimeout {
			t.Errorf("a silent client was hung up on after %v", waited)
		}
		c.CloseIdleConnections()
	})
}

// The first byte may come late; the time it took counts for nothing afterwards.
func TestBothFirstByteIsNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, _ := serverConfig(t)
		l := listen.Pipe()
		both := listen.Both(l, config)
		defer both.Close()
		conn, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			time.Sleep(listen.SniffTimeout - time.Second)
			io.WriteString(conn, "G")
			time.Sleep(time.Hour)
			io.WriteString(conn, "ET")
			conn.Close()
		}()
		accepted, err := both.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
		if text, err := io.ReadAll(accepted); string(text) != "GET" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
	})
}
