package mysql

import (
	"errors"
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
	failed   atomic.Bool   // a Read or a Write has failed: the driver closes it
	sent     atomic.Uint64 // how many Writes have sent something that is to be answered
	answered atomic.Uint64 // what sent was when the server last sent something
	received atomic.Uint64 // how many Reads have received something
}

// WrapConn prepares a connection that the program's own dialer has opened, for
// cancellation and for waiting on its thread: see the package's documentation. It
// can prepare a *net.TCPConn or a *net.UnixConn, and returns any other connection
// as it is. On TCP it turns keepalive on, as the driver does for a *net.TCPConn.
func WrapConn(c net.Conn) net.Conn {
	switch s := c.(type) {
	case *net.TCPConn:
		if s != nil {
			_ = s.SetKeepAlive(true) // it works without, and the driver does not fail here either
			return &conn{stream: s}
		}
	case *net.UnixConn:
		if s != nil {
			return &conn{stream: s}
		}
	}
	return c
}

// useThread makes every later Read wait with its thread. Call it when all reads
// come from a goroutine that is locked to its thread.
func (c *conn) useThread() { c.reader.start(c.stream) }

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.reader.read(c.stream, b)
	if n > 0 {
		c.received.Add(1)
		c.answered.Store(c.sent.Load())
		c.greeting.feed(b[:n])
	}
	if err != nil {
		c.failed.Store(true)
		if c.closed.Load() {
			// Close shuts the stream down, which a Read takes for its end.
			err = readError(c, net.ErrClosed)
		}
	}
	return n, err
}

// readError gives an error the form that a stream's own Read gives it.
func readError(c net.Conn, err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	return &net.OpError{Op: "read", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.stream.Write(b)
	if n > 0 && !closesStatement(b) {
		c.sent.Add(1)
	}
	if err != nil {
		c.failed.Store(true)
	}
	return n, err
}

// closesStatement reports whether b is a COM_STMT_CLOSE, the one command of the
// driver that gets no answer and changes nothing. It does not recognize one that is
// encrypted or compressed.
func closesStatement(b []byte) bool {
	const header, length, comStmtClose = 4, 5, 0x19
	return len(b) == header+length && b[0] == length && b[1] == 0 && b[2] == 0 && b[3] == 0 && b[4] == comStmtClose
}

// unanswered reports whether anything was sent after the server's last data came.
func (c *conn) unanswered() bool { return c.sent.Load() != c.answered.Load() }

// quiet reports whether the connection is open and the server has sent nothing since its
// last answer: not even that it has closed it. It does not block. False may also mean that
// this is not known.
func (c *conn) quiet() bool { return !c.broken() && quiet(c.stream) }

// broken reports whether the connection was closed or has failed. No further call
// can use it then.
func (c *conn) broken() bool { return c.closed.Load() || c.failed.Load() }

// Close ends a blocked Read at once.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		// The descriptor is released only when no Read uses it, and a Read that
		// waits in the kernel does not notice a Close.
		_ = c.stream.CloseRead()
	}
	return c.stream.Close()
}

func (c *conn) SetDeadline(t time.Time) error {
	c.reader.setDeadline(t)
	return c.stream.SetDeadline(t)
}

// SetReadDeadline bounds later Reads exactly. A Read that is already waiting may
// notice a new, earlier deadline up to kernelWait late.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.reader.setDeadline(t)
	return c.stream.SetReadDeadline(t)
}
