//go:build linux && !threadpin_portable

package threadpin_test

import (
	"context"
	"fmt"
	"math/bits"
	"os"
	"syscall"
	"unsafe"

	"github.com/sqlaio/sqlaio/threadpin"
)

// On Linux a nice value is a thread's, named by its id: a worker for background work
// leaves the processors to the rest of the program.
func ExampleWithOnStart_priority() {
	nice := func() error {
		return os.NewSyscallError("setpriority",
			syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), 15))
	}
	w, err := threadpin.Start(threadpin.WithName("background"), threadpin.WithOnStart(nice))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Quit()
	// The system call, unlike C's getpriority, returns 20 minus the nice value.
	prio, err := syscall.Getpriority(syscall.PRIO_PROCESS, w.ThreadID())
	fmt.Println("the worker's nice value:", 20-prio, err)
	// Output: the worker's nice value: 15 <nil>
}

// cpuSet is the kernel's cpu_set_t: a bit for each of 1024 processors.
type cpuSet [1024 / bits.UintSize]uint

func (s *cpuSet) add(cpu int) { s[cpu/bits.UintSize] |= 1 << (cpu % bits.UintSize) }

// first returns the set's first processor, or -1.
func (s *cpuSet) first() int {
	for i, word := range s {
		if word != 0 {
			return i*bits.UintSize + bits.TrailingZeros(word)
		}
	}
	return -1
}

func (s *cpuSet) count() (n int) {
	for _, word := range s {
		n += bits.OnesCount(word)
	}
	return n
}

// affinity makes one of the two system calls about the calling thread.
func affinity(call uintptr, s *cpuSet) error {
	_, _, errno := syscall.RawSyscall(call, 0, unsafe.Sizeof(*s), uintptr(unsafe.Pointer(s)))
	if errno != 0 {
		return os.NewSyscallError("sched affinity", errno)
	}
	return nil
}

// A worker may be bound to a processor. Whoever waits for it actively should be able
// to run on another one.
func ExampleWithOnStart_affinity() {
	bind := func() error {
		var allowed, one cpuSet // not all processors need be the process's
		if err := affinity(syscall.SYS_SCHED_GETAFFINITY, &allowed); err != nil {
			return err
		}
		one.add(allowed.first())
		return affinity(syscall.SYS_SCHED_SETAFFINITY, &one)
	}
	w, err := threadpin.Start(threadpin.WithOnStart(bind))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Quit()
	n, err := threadpin.Do(context.Background(), w, func() (int, error) {
		var s cpuSet
		err := affinity(syscall.SYS_SCHED_GETAFFINITY, &s)
		return s.count(), err
	})
	fmt.Println("processors the worker may run on:", n, err)
	// Output: processors the worker may run on: 1 <nil>
}
