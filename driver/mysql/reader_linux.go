//go:build linux && !threadpin_portable

package mysql

import (
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// kernelWait is how long a Read waits in the kernel before it goes on waiting in
// Go's network poller. After that time the poller's extra thread switches, about
// 100 µs, no longer matter. In the poller a Read holds no processor of Go's
// scheduler, and it notices new deadlines.
const kernelWait = 5 * time.Millisecond

// reader reads from a stream. Start it for a goroutine that is locked to its
// thread. If such a goroutine blocks in Go's network poller, the scheduler hands its
// processor to another thread, and the thread that polls has to wake it later. A
// thread that waits in the kernel is woken by the kernel directly.
//
// A reader does not wait actively: while a caller spins for the result, the server
// needs the processor that a second spinner would take.
type reader struct {
	deadline atomic.Int64 // when a Read gives up, as since(); 0: never

	mu     sync.Mutex            // one Read at a time; guards what follows
	raw    syscall.RawConn       // nil until start
	step   func(fd uintptr) bool // the method value, made once
	buf    []byte
	n      int
	err    error
	waited bool
}

// epoch is the monotonic time that deadlines count from, so that they do not jump
// with the wall clock.
var epoch = time.Now()

func since(t time.Time) int64 { return int64(t.Sub(epoch)) }

func (r *reader) setDeadline(t time.Time) {
	d := int64(0)
	if !t.IsZero() {
		d = max(since(t), 1)
	}
	r.deadline.Store(d)
}

func (r *reader) start(s stream) {
	raw, err := s.SyscallConn()
	if err != nil {
		return // closed: every Read will say so
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw, r.step = raw, r.tryAndWait
}

func (r *reader) read(s stream, b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.raw == nil || len(b) == 0 {
		return s.Read(b)
	}
	r.buf, r.n, r.err, r.waited = b, 0, nil, false
	err := r.raw.Read(r.step)
	r.buf = nil
	if err == nil && r.err != nil {
		err = os.NewSyscallError("read", r.err)
	}
	if err != nil {
		return 0, readError(s, err)
	}
	if r.n == 0 {
		return 0, io.EOF
	}
	return r.n, nil
}

// tryAndWait is one turn of a Read. It returns false to wait in Go's network
// poller, which calls it again.
func (r *reader) tryAndWait(fd uintptr) bool {
	if r.try(fd) {
		return true
	}
	if r.waited {
		return false
	}
	r.waited = true
	return waitReadable(fd, r.budget()) && r.try(fd)
}

// try reads what is there. It returns false if there is nothing yet.
func (r *reader) try(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), r.buf)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		r.n, r.err = max(n, 0), err
		return true
	}
}

// quiet reports whether the other side of a stream has sent nothing that is not read yet, and
// has not closed it. It does not block.
func quiet(s stream) bool {
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	var b [1]byte
	var got error
	err = raw.Control(func(fd uintptr) {
		_, _, got = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && got == syscall.EAGAIN
}

// budget is how long this Read may wait in the kernel.
func (r *reader) budget() time.Duration {
	d := r.deadline.Load()
	if d == 0 {
		return kernelWait
	}
	return min(kernelWait, time.Duration(d-since(time.Now())))
}

// pollFd is struct pollfd.
type pollFd struct {
	fd              int32
	events, revents int16
}

const pollIn = 1

// waitReadable blocks the thread until fd is readable, closed or broken, at most
// for d. It is a system call to the Go runtime: garbage collection and other
// goroutines go on.
func waitReadable(fd uintptr, d time.Duration) bool {
	if d <= 0 || fd > math.MaxInt32 {
		return false
	}
	p := pollFd{fd: int32(fd), events: pollIn}
	left := syscall.NsecToTimespec(int64(d))
	for {
		n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1,
			uintptr(unsafe.Pointer(&left)), 0, 0, 0)
		if errno == syscall.EINTR {
			continue // the kernel has left the rest of the time in left
		}
		return errno == 0 && n > 0
	}
}
