package mysql

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// stream is what *net.TCPConn and *net.UnixConn have in common.
type stream interface {
	net.Conn
	syscall.Conn
	CloseRead() error
}

// conn is a connection to a server. Until useThread is called it behaves as the
// stream it wraps; it only listens to the server's greeting.
//
// It offers SyscallConn, which the driver's check for dead connections needs.
type conn struct {
	stream
	greeting greeting
	reader   reader
	closed   atomic.Bool
}

// WrapConn prepares a connection that a dialer of the program's own has opened
// for cancellation and for waiting on its thread: see the package's
// documentation. Only a *net.TCPConn or a *net.UnixConn can be prepared; any
// other connection is returned as it is. On TCP, keepalive is switched on, as
// the driver does for a *net.TCPConn that it gets.
func WrapConn(c net.Conn) net.Conn {
	switch s := c.(type) {
	case *net.TCPConn:
		if s == nil {
			return c
		}
		// A connection without keepalive still works, and the driver does
		// not fail here either.
		_ = s.SetKeepAlive(true)
		return &conn{stream: s}
	case *net.UnixConn:
		if s == nil {
			return c
		}
		return &conn{stream: s}
	}
	return c
}

// useThread makes every later Read wait with its thread. Call it when all reads
// come from a goroutine that is locked to its thread.
func (c *conn) useThread() { c.reader.start(c.stream) }

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.reader.read(c.stream, b)
	c.greeting.feed(b[:n])
	if err != nil && c.closed.Load() {
		// Close ends a Read by shutting the stream down, which reads as
		// its end.
		err = &net.OpError{
			Op:     "read",
			Net:    c.LocalAddr().Network(),
			Source: c.LocalAddr(),
			Addr:   c.RemoteAddr(),
			Err:    net.ErrClosed,
		}
	}
	return n, err
}

// Close ends a blocked Read at once.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		// The descriptor is released only when no Read uses it any more,
		// and one that waits in the kernel does not notice a Close.
		_ = c.stream.CloseRead()
	}
	return c.stream.Close()
}

func (c *conn) SetDeadline(t time.Time) error {
	c.reader.setDeadline(t)
	return c.stream.SetDeadline(t)
}

// SetReadDeadline bounds later Reads exactly. A Read that is waiting already
// may notice an earlier deadline up to kernelWait late.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.reader.setDeadline(t)
	return c.stream.SetReadDeadline(t)
}
