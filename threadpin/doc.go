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
// A hop hands a function to a worker and waits for it. While calls come close together,
// within 200 µs, both sides wait actively for each other, and a hop costs about as
// much as two cache misses between processors: 0.3 to 0.5 µs. When the caller computes or
// sleeps in between, the worker is parked, and a hop costs the wake-up of its thread and that
// of the caller: together 6 to 60 µs with a processor idle, 100 and more if the cores
// have to be woken too. With all processors busy it costs what two thread switches do, and
// if other processes keep them busy, two waits for a time slice.
//
// Active waiting holds a processor (a P of the scheduler). So at most GOMAXPROCS/2
// workers are waited for actively, and none with GOMAXPROCS=1. (Since Go 1.25 a quota of one
// processor sets that.) A worker that waits actively parks when a goroutine wants its
// processor; a caller lets that goroutine run first. When such waits have been for nothing,
// they are not tried for a while. An idle worker is parked and uses no processor.
//
// If more workers than that get calls that follow each other within some microseconds, they
// take turns of 2 ms, in which the callers of the others wait, as goroutines do that compute.
// 64 workers on two processors serve calls of 3 µs in 13 µs each; woken one by one they need 19.
//
// On Linux a parked worker waits in the kernel, without a P, for as long as the program
// has Ps to spare. In a program without cgo the Go runtime reports no deadlock while a worker waits so.
//
// # What GOMAXPROCS should be
//
// A worker that is woken takes an idle P, if there is one. If there is none, a caller and its
// worker hand one to each other, and each time the kernel may wake the next thread on a core where
// another one computes. So a program with few processors should have twice as many Ps. With
// two processors and GOMAXPROCS=2, a caller that computes 1 ms between hops pays 13 µs for
// each, and 47 on another machine; with GOMAXPROCS=3 it pays 5 and 7. Eight goroutines that
// compute 1 ms and make a query of 15 µs in turns get 66 % of the throughput that they have without hops
// with GOMAXPROCS=2, and 82, 92 and 95 % with 3, 4 and 8. In such a program a hop waits for
// time slices of the kernel, 1 ms and more; with GOMAXPROCS=2 most hops take 0.2 ms, and one in a
// hundred waits 30 ms for its turn in Go's scheduler.
//
// # Panics and Goexit
//
// A panic on the thread is raised again in the caller, with the same value, and
// the worker goes on. runtime.Goexit ends the worker: the caller of that function
// gets [ErrGoexit], everybody else [ErrAlreadyQuit].
package threadpin
