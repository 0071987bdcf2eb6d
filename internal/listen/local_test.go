package listen_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-http/lockstep/internal/listen"
)

// hasIPv6 reports whether this machine has ::1.
func hasIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// local calls Local and closes the listener at the end of the test.
func local(t *testing.T, host string, port int) (l net.Listener, taken int) {
	t.Helper()
	l, taken, err := listen.Local(t.Context(), host, port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, taken
}

func TestLocalListensOnBothAddresses(t *testing.T) {
	noLeaks(t)
	addresses := []string{"127.0.0.1"}
	if hasIPv6() {
		addresses = append(addresses, "::1")
	} else {
		t.Log("this machine has no ::1, so only 127.0.0.1 is tried")
	}
	l, taken := local(t, "localhost", 0)
	if port := l.Addr().(*net.TCPAddr).Port; port != taken || port == 0 {
		t.Errorf("the port is %d, and %d was taken", port, taken)
	}
	for _, address := range addresses {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(address, strconv.Itoa(taken)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
		if accepted.RemoteAddr().String() != conn.LocalAddr().String() {
			t.Errorf("dialled from %v, accepted from %v", conn.LocalAddr(), accepted.RemoteAddr())
		}
	}
}

func TestLocalServesWithBoth(t *testing.T) {
	noLeaks(t)
	config, pool := serverConfig(t)
	l, taken := local(t, "localhost", 0)
	serve(t, listen.Both(l, config))
	c := client(t, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("localhost", strconv.Itoa(taken)))
	}, pool)
	for _, scheme := range []string{"http", "https"} {
		get(t, c, scheme+"://example.com/")
	}
}

func TestLocalTakesAnotherPort(t *testing.T) {
	noLeaks(t)
	_, busy := local(t, "localhost", 0)
	_, next := local(t, "localhost", busy)
	if next == busy || next <= busy && busy < 65000 || next > busy+20 && busy < 65000 {
		t.Errorf("%d was busy, %d was taken", busy, next)
	}
	again, third := local(t, "127.0.0.1", busy)
	if third == busy || third == next || again.Addr().(*net.TCPAddr).Port != third {
		t.Errorf("%d and %d were busy, %d was taken", busy, next, third)
	}
}

// A port that somebody has on the other address of localhost is busy too.
func TestLocalBusyOnIPv6(t *testing.T) {
	if !hasIPv6() {
		t.Skip("this machine has no ::1")
	}
	noLeaks(t)
	other, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	busy := other.Addr().(*net.TCPAddr).Port
	if _, taken := local(t, "", busy); taken == busy {
		t.Errorf("%d was taken, which is busy on ::1", taken)
	}
	if _, taken := local(t, "127.0.0.1", busy); taken != busy {
		t.Errorf("%d was taken, although %d is free on 127.0.0.1", taken, busy)
	}
}

func TestLocalManyBusyPorts(t *testing.T) {
	noLeaks(t)
	_, first := local(t, "127.0.0.1", 0)
	for range 25 {
		local(t, "127.0.0.1", first)
	}
	if _, taken := local(t, "127.0.0.1", 65535); taken == 0 {
		t.Error("no port was taken")
	}
}

func TestLocalRefuses(t *testing.T) {
	for _, c := range []struct {
		host string
		port int
	}{
		{"0.0.0.0", 0},
		{"::", 0},
		{"192.0.2.1", 0},
		{"shop.test", 0},
		{"localhost:8443", 0},
		{"localhost", -1},
		{"localhost", 65536},
	} {
		l, _, err := listen.Local(t.Context(), c.host, c.port)
		if err == nil {
			l.Close()
			t.Errorf("%q, %d is accepted", c.host, c.port)
		} else if !strings.Contains(err.Error(), strconv.Quote(c.host)) {
			t.Errorf("%q, %d: the error does not name the host: %v", c.host, c.port, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, _, err := listen.Local(ctx, "localhost", 0); err == nil {
		l.Close()
		t.Error("a context that is done is not looked at")
	}
}

func TestLocalClose(t *testing.T) {
	noLeaks(t)
	l, taken := local(t, "localhost", 0)
	pending, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(taken)), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer pending.Close()
	for range 2 {
		if err := l.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting after Close: %v", err)
	}
	if _, again := local(t, "localhost", taken); again != taken {
		t.Errorf("%d is busy after Close", taken)
	}
}
