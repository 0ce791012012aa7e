//go:build linux && !threadpin_portable

package threadpin

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// parker puts a worker's thread to sleep in a futex. A goroutine that sleeps
// in a channel instead is woken through the scheduler, which hands a
// processor from thread to thread: two wake-ups in place of one.
type parker struct {
	word atomic.Uint32 // 1: a wake-up that no sleep has used yet
}

const (
	futexWait = 0 | 128 // FUTEX_WAIT | FUTEX_PRIVATE_FLAG
	futexWake = 1 | 128
)

func (p *parker) init() {}

// sleep returns after a wake, perhaps one meant for an earlier sleep.
func (p *parker) sleep() {
	if !p.word.CompareAndSwap(1, 0) {
		syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&p.word)), futexWait, 0, 0, 0, 0)
	}
}

// wake ends a sleep. It costs a system call of about a microsecond and never
// blocks.
func (p *parker) wake() {
	p.word.Store(1)
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&p.word)), futexWake, 1, 0, 0, 0)
}
