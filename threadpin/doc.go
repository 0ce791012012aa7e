// Package threadpin runs functions on a chosen OS thread.
//
// A [Worker] is one goroutine locked to one thread. [Worker.Run] hands it a
// function and waits, [Do] does the same for a function with a result, and
// [Worker.Submit] does not wait. Calls run one at a time, in the order they
// arrive, and may come from any number of goroutines:
//
//	w, err := threadpin.Start(threadpin.WithName("sqlite"))
//	if err != nil {
//		return err
//	}
//	defer w.Quit()
//	n, err := threadpin.Do(ctx, w, func() (int, error) { return handle.Count() })
//
// It is for C libraries that tie state to threads, for per-thread state of the
// kernel (namespaces, credentials, affinity, priority), and for anything else
// that must stay on one thread. The thread ends with its worker, and so does the
// thread's state.
//
// # What a hop costs
//
// A hop hands a function to a worker and waits for it. Both sides wait actively
// for up to 200 µs before they park. While both do, a hop costs about as much as
// two cache misses between processors, well under a microsecond. If one of them
// has parked, a hop costs a wake-up of a thread, 25-100 µs on most machines.
//
// Active waiting holds a processor (a P of the scheduler), though after 5 µs it
// lets other threads and goroutines run in between. So at most GOMAXPROCS/2
// workers are waited for actively, and none with GOMAXPROCS=1. A worker whose
// calls take longer than the wait, or come further apart, is not waited for
// actively. An idle worker is parked and uses no processor.
//
// # What GOMAXPROCS should be
//
// If a goroutine that is locked to a thread finds no free P when it returns from
// C or wakes up, scheduling it takes two thread wake-ups, one more than for other
// goroutines. That does not happen while there are more Ps than busy workers. A
// program with several busy workers should set GOMAXPROCS to the number of
// processors plus the number of workers that are busy at once.
//
// # Panics and Goexit
//
// A panic on the thread is raised again in the caller, with the same value, and
// the worker goes on. runtime.Goexit ends the worker: the caller of that function
// gets [ErrGoexit], everybody else [ErrAlreadyQuit].
package threadpin
