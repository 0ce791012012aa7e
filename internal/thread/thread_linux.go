//go:build linux && !threadpin_portable

package thread

import (
	"syscall"
	"unsafe"
)

func ID() int { return syscall.Gettid() }

// onMainThread: Linux gives the main thread the process's id.
func onMainThread() bool { return syscall.Gettid() == syscall.Getpid() }

// setThreadName names the calling thread; the kernel cuts it to 15 bytes.
func setThreadName(name string) {
	if name == "" {
		return
	}
	const prSetName = 15
	buf := make([]byte, 16)
	copy(buf[:15], name)
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetName, uintptr(unsafe.Pointer(&buf[0])), 0)
}

// yieldThread lets another thread that waits for this processor run first.
func yieldThread() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
