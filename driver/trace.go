package driver

import "github.com/sqlaio/sqlaio/internal/pinned"

// What a tracer is, and what it is told. The contracts stand at the types' fields and
// methods.
type (
	// A Tracer is told of the start and the end of each call.
	Tracer = pinned.Tracer

	// A TraceCall is what a Tracer is told at the start of a call.
	TraceCall = pinned.TraceCall

	// A TraceEnd is what a Tracer is told at the end of a call. Its times are Durations.
	TraceEnd = pinned.TraceEnd

	// An Op is the kind of a call.
	Op = pinned.Op
)

// The kinds of calls.
const (
	OpExec     = pinned.OpExec     // a statement is executed
	OpQuery    = pinned.OpQuery    // rows are queried; the call ends when they are closed
	OpPrepare  = pinned.OpPrepare  // a statement is prepared
	OpBegin    = pinned.OpBegin    // a transaction is begun, or a savepoint made
	OpCommit   = pinned.OpCommit   // a transaction is committed, or a savepoint released
	OpRollback = pinned.OpRollback // a transaction is rolled back, or to a savepoint
	OpPing     = pinned.OpPing     // the connection is asked whether it works
	OpConnect  = pinned.OpConnect  // a thread is started, and a connection opened on it
	OpReset    = pinned.OpReset    // the session is reset, before the pool hands it out again
	OpClose    = pinned.OpClose    // the connection is closed
	OpBatch    = pinned.OpBatch    // many statements are executed in one hop
	OpFunction = pinned.OpFunction // a function is called on the thread; its calls are told of too
)

// WithTracer has t told of every call of the connections, through database/sql and through
// package overlay. A call in progress is told of once, however many hops it takes; what the
// module does by itself, such as rolling back what was left open, is not told. Given more
// than once, all tracers are told: of starts in their order, of ends in the opposite one.
//
// Without a tracer nothing is measured. With one a call costs up to half a microsecond
// more, beside what t itself does.
func WithTracer(t Tracer) Option {
	return func(o *options) { o.tracers = o.tracers.With(t) }
}

// Tracers is for package overlay, which knows the driver of its sql.DB.
func (w *wrapped) Tracers() *pinned.Tracers { return w.opts.tracers }
