package listen

import (
	"container/list"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// Limits of a listener made by [Both].
const (
	// SniffTimeout is how long a client may stay silent before its first byte; then it is hung up on.
	SniffTimeout = 10 * time.Second

	// MaxPending is how many connections may wait for their first byte, or for Accept, at one
	// time. When one more arrives, the client that has been silent longest is hung up on.
	MaxPending = 1024
)

// recordTypeHandshake is the first byte of a TLS connection: the content type of the record that
// holds the ClientHello (RFC 8446, section 5.1). No HTTP method begins with it.
const recordTypeHandshake = 0x16

// Both returns a listener that speaks HTTP and TLS on the one port of l: a connection whose first
// byte opens a TLS handshake is accepted as a [*tls.Conn] with config, so that [net/http.Server]
// sets Request.TLS, and any other as it is. The handshake is left to the server, under its
// ReadHeaderTimeout. Unless config names protocols, http/1.1 is the one that is offered.
//
// A client that sends nothing keeps nobody else waiting; see [SniffTimeout] and [MaxPending].
// Errors of l.Accept are passed on as they are, one to each call of Accept. Closing the listener
// closes l and the connections that were not accepted yet.
func Both(l net.Listener, config *tls.Config) net.Listener {
	config = config.Clone()
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"http/1.1"}
	}
	b := &both{
		inner:    l,
		config:   config,
		accepted: make(chan acceptance),
		done:     make(chan struct{}),
		slots:    make(chan struct{}, MaxPending),
	}
	b.running.Go(b.acceptAll)
	return b
}

// acceptance is what one call of Accept returns.
type acceptance struct {
	conn net.Conn
	err  error
}

type both struct {
	inner    net.Listener
	config   *tls.Config
	accepted chan acceptance
	done     chan struct{}
	slots    chan struct{} // one for each connection that is pending
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	silent list.List // of net.Conn, the one that is silent longest in front

	closing  sync.Once
	closeErr error
}

// Accept implements [net.Listener].
func (b *both) Accept() (net.Conn, error) {
	select {
	case a := <-b.accepted:
		return a.conn, a.err
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Addr implements [net.Listener].
func (b *both) Addr() net.Addr { return b.inner.Addr() }

// Close implements [net.Listener].
func (b *both) Close() error {
	b.closing.Do(func() {
		close(b.done)
		b.closeErr = b.inner.Close()
		b.hangUpOnSilent()
		b.running.Wait()
	})
	return b.closeErr
}

// acceptAll takes the connections of the inner listener until b is closed. An error waits until
// somebody calls Accept, so that a server that backs off slows this loop down too.
func (b *both) acceptAll() {
	for {
		conn, err := b.inner.Accept()
		if err != nil {
			if !b.deliver(acceptance{err: err}) {
				return
			}
			continue
		}
		if !b.takeSlot() {
			conn.Close()
			return
		}
		listed := b.list(conn) // here, so that the list is in the order of arrival
		b.running.Go(func() {
			defer b.freeSlot()
			b.sniff(conn, listed)
		})
	}
}

// takeSlot waits for a slot, and makes one free when only silence holds them. It reports false
// when b is closed.
func (b *both) takeSlot() bool {
	select {
	case b.slots <- struct{}{}:
		return true
	default:
		b.hangUpOnOldest()
	}
	select {
	case b.slots <- struct{}{}:
		return true
	case <-b.done:
		return false
	}
}

func (b *both) freeSlot() { <-b.slots }

// sniff waits for the first byte of conn and hands the connection to Accept. It hangs up when
// none comes.
func (b *both) sniff(conn net.Conn, listed *list.Element) {
	first, ok := firstByte(conn)
	b.unlist(listed)
	if !ok {
		conn.Close()
		return
	}
	var read net.Conn = &sniffed{Conn: conn, first: first, unread: true}
	if first == recordTypeHandshake {
		read = tls.Server(read, b.config)
	}
	if !b.deliver(acceptance{conn: read}) {
		conn.Close()
	}
}

// firstByte reads one byte from conn within [SniffTimeout].
func firstByte(conn net.Conn) (first byte, ok bool) {
	if conn.SetReadDeadline(time.Now().Add(SniffTimeout)) != nil {
		return 0, false
	}
	var buf [1]byte
	if n, _ := conn.Read(buf[:]); n == 0 {
		return 0, false
	}
	return buf[0], conn.SetReadDeadline(time.Time{}) == nil
}

func (b *both) deliver(a acceptance) bool {
	select {
	case b.accepted <- a:
		return true
	case <-b.done:
		return false
	}
}

// list puts conn on the list of the silent. When b is closed, it closes conn too.
func (b *both) list(conn net.Conn) *list.Element {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		conn.Close()
	}
	return b.silent.PushBack(conn)
}

func (b *both) unlist(listed *list.Element) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silent.Remove(listed)
}

// hangUpOnOldest closes the connection that is silent longest. The goroutine that reads from it
// frees its slot.
func (b *both) hangUpOnOldest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if oldest := b.silent.Front(); oldest != nil {
		b.silent.Remove(oldest).(net.Conn).Close()
	}
}

// hangUpOnSilent closes all silent connections, and has those closed that are listed later.
func (b *both) hangUpOnSilent() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for e := b.silent.Front(); e != nil; e = e.Next() {
		e.Value.(net.Conn).Close()
	}
}

// sniffed is a connection whose first byte has been read, and is read again. As with every
// connection, no two calls of Read run at one time: the TLS layer and net/http see to that.
type sniffed struct {
	net.Conn
	first  byte
	unread bool
}

// Read implements [net.Conn].
func (s *sniffed) Read(p []byte) (int, error) {
	if !s.unread || len(p) == 0 {
		return s.Conn.Read(p)
	}
	s.unread = false
	p[0] = s.first
	return 1, nil
}

// CloseWrite shuts the writing side down where the connection can do that. net/http calls it
// before it hangs up on a client that is still sending, so that the answer arrives.
func (s *sniffed) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}
