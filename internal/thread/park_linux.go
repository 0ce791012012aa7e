//go:build linux && !threadpin_portable

package thread

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A futex puts a thread to sleep together with its goroutine. A plain system call
// would keep the processor until the runtime takes it back, 20 µs later or more; so
// it is given away first. The runtime promises to keep the two functions for that,
// where it declares them.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

const (
	hasKernelParker = true
	handsOn         = inChannel // waiting actively for a worker that slept so keeps it from running
)

// kernelParker is a word that the kernel compares: 1 while the worker sleeps, or is
// about to.
type kernelParker struct{ word atomic.Uint32 }

// sleep sleeps until asleep is false. Whoever makes it false calls wake after that.
// No wake is lost: either sleep sees asleep false after it has set the word, or the
// waker clears the word later, before the kernel compares it or while it sleeps.
func (p *kernelParker) sleep(asleep func() bool) {
	for {
		p.word.Store(1)
		if !asleep() {
			return
		}
		futexWait(&p.word, 1)
	}
}

func (p *kernelParker) wake() {
	p.word.Store(0)
	futexWake(&p.word)
}

const (
	futexWaitPrivate = 0 | 128
	futexWakePrivate = 1 | 128
)

// futexWait must not grow its stack between the two calls, so nothing in it is
// instrumented.
//
//go:nosplit
//go:norace
func futexWait(word *atomic.Uint32, value uint32) {
	entersyscallblock()
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitPrivate, uintptr(value), 0, 0, 0)
	exitsyscall()
}

func futexWake(word *atomic.Uint32) {
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakePrivate, 1, 0, 0, 0)
}
