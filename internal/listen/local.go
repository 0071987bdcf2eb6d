package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// nearPorts is how many ports above a busy one [Local] tries before it lets the system choose.
const nearPorts = 20

// chosenTries is how often [Local] lets the system choose a port. The system chooses for
// 127.0.0.1, and the port may be busy on ::1.
const chosenTries = 5

// Local listens on a loopback port, and returns the port it took: the one that was asked for, or,
// when that one is busy, the next that is free of the 20 above it, or else one that the system
// chooses, as it does for port 0. The caller compares taken with port, to say so.
//
// The host is "localhost" (or "", which is the same) or an address of the loopback interface; any
// other is refused, because what listens here is meant for this machine only.
//
// For localhost the listener is on 127.0.0.1 and, where this machine has it, on ::1 with the same
// port. A browser that is given the name may try either address first. If only one of the two
// were ours, another program could have the same port on the other, and the person would look at
// that one's pages: so a port that is busy on either address counts as busy.
func Local(ctx context.Context, host string, port int) (l net.Listener, taken int, err error) {
	addresses, err := loopback(host)
	if err != nil {
		return nil, 0, err
	}
	if port < 0 || port > 65535 {
		return nil, 0, fmt.Errorf("listening on %q: port %d is not between 0 and 65535", host, port)
	}
	if err := ctx.Err(); err != nil { // listening on an address does not ask
		return nil, 0, fmt.Errorf("listening on %q: %w", host, err)
	}
	for _, candidate := range candidates(port) {
		l, taken, err = listenOn(ctx, addresses, candidate)
		if err == nil || !busy(err) {
			break
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("listening on %q: %w", host, err)
	}
	return l, taken, nil
}

// loopback returns the addresses that host stands for. The first is required, a second is wanted.
func loopback(host string) ([]netip.Addr, error) {
	if host == "" || strings.EqualFold(host, "localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if err != nil || !address.IsLoopback() {
		return nil, fmt.Errorf("listening on %q: only localhost and loopback addresses (127.0.0.1, ::1) are allowed here", host)
	}
	return []netip.Addr{address}, nil
}

// candidates returns the ports to try, in order; 0 lets the system choose.
func candidates(port int) []int {
	var ports []int
	for p := port; port != 0 && p <= min(port+nearPorts, 65535); p++ {
		ports = append(ports, p)
	}
	return append(ports, make([]int, chosenTries)...)
}

// listenOn listens with one port on every address. An address after the first that this machine
// does not have is left out.
func listenOn(ctx context.Context, addresses []netip.Addr, port int) (l net.Listener, taken int, err error) {
	var config net.ListenConfig
	var listeners []net.Listener
	for _, address := range addresses {
		next, err := config.Listen(ctx, "tcp", net.JoinHostPort(address.String(), strconv.Itoa(port)))
		switch {
		case err == nil:
			listeners = append(listeners, next)
			port = next.Addr().(*net.TCPAddr).Port
		case len(listeners) == 0:
			return nil, 0, err
		case busy(err):
			_ = closeAll(listeners)
			return nil, 0, err
		}
	}
	if len(listeners) == 1 {
		return listeners[0], port, nil
	}
	return join(listeners), port, nil
}

func closeAll(listeners []net.Listener) error {
	errs := make([]error, 0, len(listeners))
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Numbers of Windows for a port that another program has, or has reserved. Package syscall knows
// them there only, and no other system uses them.
const (
	wsaEACCES     = syscall.Errno(10013) //nolint:errname // as Windows calls it
	wsaEADDRINUSE = syscall.Errno(10048) //nolint:errname // as Windows calls it
)

// busy reports whether err says that the port is taken.
func busy(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaEADDRINUSE) || errors.Is(err, wsaEACCES)
}

// joined is several listeners as one.
type joined struct {
	listeners []net.Listener
	accepted  chan acceptance
	done      chan struct{}
	running   sync.WaitGroup

	closing  sync.Once
	closeErr error
}

func join(listeners []net.Listener) *joined {
	j := &joined{listeners: listeners, accepted: make(chan acceptance), done: make(chan struct{})}
	for _, l := range listeners {
		j.running.Go(func() { j.acceptAll(l) })
	}
	return j
}

// acceptAll takes the connections of l until j is closed.
func (j *joined) acceptAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		select {
		case j.accepted <- acceptance{conn, err}:
		case <-j.done:
			if conn != nil {
				conn.Close()
			}
			return
		}
	}
}

// Accept implements [net.Listener].
func (j *joined) Accept() (net.Conn, error) {
	select {
	case a := <-j.accepted:
		return a.conn, a.err
	case <-j.done:
		return nil, net.ErrClosed
	}
}

// Addr implements [net.Listener]: the address of the first listener.
func (j *joined) Addr() net.Addr { return j.listeners[0].Addr() }

// Close implements [net.Listener].
func (j *joined) Close() error {
	j.closing.Do(func() {
		close(j.done)
		j.closeErr = closeAll(j.listeners)
		j.running.Wait()
	})
	return j.closeErr
}
