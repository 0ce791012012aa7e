// Command faults breaks what a database stands on while programs write through
// aio and through the overlay, and compares what the writers were told with
// what is there afterwards. `make faults` runs it; it takes less than ten
// minutes and needs Linux.
//
//	go run ./internal/test/faults [-only sqlitekill,proxy] [-short] [-seed n]
//
// # What it decides
//
// Each unit of work, which is one row or a few rows of one transaction, has one
// of three answers: acknowledged, refused, or unknown. A bare connection then
// looks for the rows:
//
//   - lost: acknowledged, and not all rows are there;
//   - half: some rows of a transaction are there and others are not;
//   - kept: refused, and rows are there;
//   - hung: a call that came back later than two seconds after its deadline, or
//     never;
//   - leaked: goroutines, threads or descriptors that are left after Shutdown;
//   - wrong: an answer that breaks a promise without any data being lost.
//
// An answer is unknown if its error wraps overlay.ErrOutcomeUnknown. A broken
// connection also leaves it unknown for a statement outside a transaction and
// for the Commit of a sql.Tx, as with the bare driver. Every other error says
// that nothing was done, a context's error included.
//
// The exit code is 1 if any of these was found, or if a scenario failed.
//
// # How it runs
//
// Each scenario is a process of its own, so that a hang or a leak in one does
// not spoil the next. If one does not end in time, it prints its goroutines and
// is killed. All traffic stays on the loopback interface.
package main
