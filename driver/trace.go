package driver

import "github.com/sqlaio/sqlaio/internal/pinned"

// What a tracer is, and what it is told.
type (
	// A Tracer is told of the start and the end of each call:
	//
	//	// TraceStart is called before the call waits for anything. The context that it
	//	// returns must be made from ctx, or be nil, which means ctx itself. TraceEnd and
	//	// the inner driver get it.
	//	TraceStart(ctx context.Context, call TraceCall) context.Context
	//
	//	// TraceEnd is called once for each call, when its outcome is known, or nobody
	//	// waits for it any longer.
	//	TraceEnd(ctx context.Context, end TraceEnd)
	//
	// Both are called in many goroutines at the same time. They must be quick, since calls
	// wait for them, and must not use the database that they are told about. A call through
	// database/sql calls both in its own goroutine. One through package overlay calls
	// TraceStart there, and TraceEnd before its future completes: on the connection's
	// thread, or in the goroutine that withdraws the call or gives it up. If a method
	// panics, the call goes on, and the panic is logged once for each tracer.
	Tracer = pinned.Tracer

	// A TraceCall is what a Tracer is told at the start of a call:
	//
	//	Op        Op     // what kind of call it is
	//	Statement string // as the application gave it; "" if there is none, as for a function
	//	BatchSize int    // how many statements, or sets of arguments, a batch has; or 0
	//
	// The arguments of a statement are not in it, but its text may hold values. The method
	// Short(max int) string returns the text in at most max bytes, with ? for values. The
	// statement of a batch is its statements, separated by "; " and cut after some 4 KiB.
	// That of a transaction is BEGIN, COMMIT or ROLLBACK, and of a savepoint SAVEPOINT, RELEASE
	// SAVEPOINT or ROLLBACK TO SAVEPOINT.
	TraceCall = pinned.TraceCall

	// A TraceEnd is what a Tracer is told at the end of a call:
	//
	//	TraceCall              // as at its start
	//	Took     time.Duration // from its start to its end; with what was done between its rows
	//	Queued   time.Duration // it waited for its thread, or for a lane
	//	OnThread time.Duration // the thread was busy with it
	//	Rows     int64         // changed or fetched; -1 if that is not known
	//	Err      error         // what the caller gets
	//
	// Queued is all that a withdrawn call has. The wait of database/sql for a connection of
	// its pool is before the call. OnThread is as long as the rows were open if a function on
	// the thread has made the query, and includes the COMMIT if a writer has committed the call
	// with others. An error may quote values. The method ErrText() string returns its text
	// without what is quoted.
	TraceEnd = pinned.TraceEnd

	// An Op is the kind of a call. Its method String() string returns it in lower case,
	// such as "exec".
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
// package overlay, once for each, however many hops it takes. What the module does by
// itself is not told, such as rolling back what was left open, but for the PRAGMA query_only
// on the lanes of an engine with a writer. Given more than once, all tracers are told: of
// starts in their order, of ends in the opposite one.
//
// Without a tracer nothing is measured. With one a call costs up to half a microsecond
// more, beside what t itself does.
func WithTracer(t Tracer) Option {
	return func(o *options) { o.tracers = o.tracers.With(t) }
}

// Tracers is for package overlay, which knows the driver of its sql.DB.
func (w *wrapped) Tracers() *pinned.Tracers { return w.opts.tracers }
