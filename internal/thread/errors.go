package thread

import (
	"errors"
	"fmt"
)

// The errors of threadpin, which describes them.
var (
	ErrAlreadyQuit    = errors.New("threadpin: worker has quit")
	ErrGoexit         = errors.New("threadpin: function called runtime.Goexit; its worker is gone")
	ErrQueueFull      = errors.New("threadpin: queue is full")
	ErrTooManyThreads = errors.New("too many worker threads")
)

// A PanicError is a panic that happened on a worker's thread.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // the worker's stack at the panic, as debug.Stack formats it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("threadpin: panic on worker thread: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// raise panics in the caller's goroutine with the original value, so that
// recover sees what fn threw. The first panic is there for the crash report
// only: the runtime prints superseded panics too, and so shows the stack.
func (e *PanicError) raise() {
	defer func() { panic(e.Value) }()
	panic(workerStack(e.Stack))
}

// workerStack is an error because the runtime prints an error's text when it
// reports an uncaught panic.
type workerStack []byte

func (s workerStack) Error() string {
	return "on a threadpin worker:\n" + string(s)
}
