package listen

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// streamSize is how many bytes one end of a connection may be ahead of the other.
const streamSize = 64 << 10

// A pipeConn is one end of a connection inside this process.
type pipeConn struct {
	in, out       *stream
	local, remote net.Addr
}

// Read implements [net.Conn].
func (c *pipeConn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write implements [net.Conn].
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close implements [net.Conn]: the other end can still read what was written before.
func (c *pipeConn) Close() error {
	c.out.end()
	c.in.abandon()
	return nil
}

// LocalAddr implements [net.Conn].
func (c *pipeConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn].
func (c *pipeConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements [net.Conn].
func (c *pipeConn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}

// SetReadDeadline implements [net.Conn].
func (c *pipeConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (c *pipeConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}

// A stream is one direction of a connection: one end writes it, the other reads it.
type stream struct {
	mu              sync.Mutex
	changed         *sync.Cond
	data            []byte
	ended           bool // the writer has closed
	abandoned       bool // the reader has closed
	readBy, writeBy deadline
}

// A deadline is a moment after which an operation fails; the zero deadline never comes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.abandoned:
			return 0, net.ErrClosed
		case s.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(s.data) > 0:
			n := copy(p, s.data)
			s.data = s.data[n:]
			s.changed.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (written int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch room := streamSize - len(s.data); {
		case s.ended:
			return written, net.ErrClosed
		case s.abandoned:
			return written, io.ErrClosedPipe
		case s.writeBy.passed():
			return written, os.ErrDeadlineExceeded
		case written == len(p):
			return written, nil
		case room > 0:
			n := min(room, len(p)-written)
			s.data = append(s.data, p[written:written+n]...)
			written += n
			s.changed.Broadcast()
			continue
		}
		s.changed.Wait()
	}
}

// end is the writer's: nothing more comes.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.writeBy.stop()
	s.changed.Broadcast()
}

// abandon is the reader's: what is still in the stream is lost.
func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned, s.data = true, nil
	s.readBy.stop()
	s.changed.Broadcast()
}

func (s *stream) setDeadline(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.stop()
	if d.at = t; !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), s.wake)
	}
	s.changed.Broadcast()
}

func (s *stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
