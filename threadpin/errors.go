package threadpin

import "github.com/sqlaio/sqlaio/internal/thread"

var (
	// ErrAlreadyQuit is returned by every call to a worker that has quit.
	ErrAlreadyQuit = thread.ErrAlreadyQuit

	// ErrGoexit is returned to the caller of a function that ended its
	// goroutine with runtime.Goexit (as testing.T.FailNow does). The worker's
	// thread is gone: later calls return ErrAlreadyQuit.
	ErrGoexit = thread.ErrGoexit

	// ErrQueueFull is returned by Submit, which never waits, when as many
	// calls as WithQueue allows are waiting.
	ErrQueueFull = thread.ErrQueueFull

	// ErrTooManyThreads is wrapped by Start's error when WithMaxThreads
	// workers are running already.
	ErrTooManyThreads = thread.ErrTooManyThreads
)

// A PanicError reports a panic on a worker's thread to a caller of Submit. Run
// and Do raise the panic again instead. Value is what was passed to panic; if that
// is an error, errors.Is and errors.As find it. Stack is the worker's stack at the
// panic, as debug.Stack formats it.
type PanicError = thread.PanicError
