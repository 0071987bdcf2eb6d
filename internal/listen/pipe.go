package listen

import (
	"context"
	"net"
	"strconv"
	"sync"
)

// A PipeListener listens inside this process: [PipeListener.Dial] is the other end of Accept.
// Connections buffer what was written, as those of a network do: over [net.Pipe] both ends of a TLS
// connection that closes would wait for each other to read. They know deadlines, and no timer runs
// where none was set, so that tests inside a bubble of testing/synctest can wait for all to idle.
//
// Each connection has two addresses of its own that both ends agree on: the listener's, "pipe:0",
// and the client's, "pipe:1", "pipe:2" and so on in the order of dialling.
type PipeListener struct {
	accepted chan net.Conn
	done     chan struct{}
	closing  sync.Once

	mu     sync.Mutex
	dialed int
}

// Pipe returns a listener without a network.
func Pipe() *PipeListener {
	return &PipeListener{accepted: make(chan net.Conn), done: make(chan struct{})}
}

// Dial connects to l. It waits until the other end is accepted, ctx is done (the error wraps its
// cause) or l is closed (the error wraps [net.ErrClosed]).
func (l *PipeListener) Dial(ctx context.Context) (net.Conn, error) {
	address := l.nextAddress()
	up, down := newStream(), newStream()
	client := &pipeConn{in: down, out: up, local: address, remote: l.Addr()}
	server := &pipeConn{in: up, out: down, local: l.Addr(), remote: address}
	var cause error
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.done:
		cause = net.ErrClosed
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	return nil, &net.OpError{Op: "dial", Net: pipeNetwork, Addr: l.Addr(), Err: cause}
}

func (l *PipeListener) nextAddress() pipeAddr {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialed++
	return pipeAddr(l.dialed)
}

// Accept implements [net.Listener].
func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case <-l.done: // a closed listener accepts nobody, even when somebody dials right now
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]. Connections that were accepted stay open.
func (l *PipeListener) Close() error {
	l.closing.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *PipeListener) Addr() net.Addr { return pipeAddr(0) }

const pipeNetwork = "pipe"

// pipeAddr is the number of a client, or 0 for the listener.
type pipeAddr int

// Network implements [net.Addr].
func (pipeAddr) Network() string { return pipeNetwork }

// String implements [net.Addr]. It has the form of a host and a port, which net/http expects of a
// client's address.
func (a pipeAddr) String() string { return net.JoinHostPort(pipeNetwork, strconv.Itoa(int(a))) }
