// Package threadpin runs functions on a chosen OS thread.
//
// A [Worker] is one goroutine locked to one thread. [Worker.Run] hands it a
// function and waits, [Do] likewise with a result, [Worker.Submit] does not
// wait. Calls run one at a time, in the order they arrive, and may come from
// any number of goroutines:
//
//	w, err := threadpin.Start(threadpin.WithName("sqlite"))
//	if err != nil {
//		return err
//	}
//	defer w.Quit()
//	n, err := threadpin.Do(ctx, w, func() (int, error) { return handle.Count() })
//
// It is for C libraries that tie state to threads, for per-thread state of the
// kernel (namespaces, credentials, affinity, priority), and for whatever must
// not move from thread to thread. The thread ends with the worker and takes its
// state along.
//
// # What a hop costs
//
// A hop hands a function over and waits for it. Both sides wait actively for
// up to 200 µs before they park, and then a hop costs about as much as
// two cache misses between processors, well under a microsecond. When either
// side has parked it costs a wake-up of a thread, 25-100 µs on most machines.
//
// Waiting actively holds a processor (a P of the scheduler's), though after 5 µs
// it lets other threads and goroutines run in between, so there
// are never more than GOMAXPROCS/2 workers that are waited for in this way, and
// none with GOMAXPROCS=1; it is given up when calls take longer or are further
// apart than the wait. An idle worker is parked and uses no processor.
//
// # What GOMAXPROCS should be
//
// A goroutine that is locked to a thread and finds no free P when it returns
// from C or wakes up is scheduled by two thread wake-ups, one more than others.
// As long as there are more Ps than busy workers that does not happen. A
// program with several busy workers should set GOMAXPROCS to the number of
// processors plus the number of workers that are busy at once.
//
// # Panics and Goexit
//
// A panic on the thread is raised again in the caller with its own value, and
// the worker goes on. runtime.Goexit ends the worker: its caller gets
// [ErrGoexit], everybody else [ErrAlreadyQuit].
package threadpin
