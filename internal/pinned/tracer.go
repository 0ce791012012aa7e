package pinned

import (
	"context"
	"time"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// An Op is the kind of a call that a Tracer is told of.
type Op uint8

// The kinds of calls.
const (
	OpExec     Op = iota + 1 // a statement is executed
	OpQuery                  // rows are queried; the call ends when they are closed
	OpPrepare                // a statement is prepared
	OpBegin                  // a transaction is begun, or a savepoint made
	OpCommit                 // likewise for its end
	OpRollback               // likewise
	OpPing                   // the connection is asked whether it works
	OpConnect                // a thread is started, and a connection opened on it
	OpReset                  // the pool resets the session before it hands the connection out again
	OpClose                  // the connection is closed
	OpBatch                  // many statements are executed in one hop
	OpFunction               // a function of the application's is called on the thread
)

var opNames = [...]string{"", "exec", "query", "prepare", "begin", "commit", "rollback", "ping", "connect", "reset", "close", "batch", "function"}

// String returns the kind in lower case, such as "exec".
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "unknown"
}

// A TraceCall is what a Tracer is told at the start of a call. Values of arguments are
// never part of it, but the text of a statement may hold some: see Short.
type TraceCall struct {
	Op Op

	// Statement is the text of the statement, as the application gave it. That of a batch
	// is its statements, separated by "; " and cut after some 4 KiB. For transactions it is
	// BEGIN, COMMIT or ROLLBACK, and for savepoints SAVEPOINT, RELEASE SAVEPOINT or ROLLBACK
	// TO SAVEPOINT, whatever the driver does for that. It is empty for other calls.
	Statement string

	// BatchSize is how many statements, or sets of arguments, a batch has. It is 0 for
	// other calls.
	BatchSize int
}

// Short returns the statement in at most max bytes, for people to read: with ? for values,
// without comments, with single spaces.
func (c TraceCall) Short(max int) string { return sqltext.Shorten(c.Statement, max) }

// A TraceEnd is what a Tracer is told at the end of a call.
type TraceEnd struct {
	TraceCall

	// Took is the time from the call's start to its end. For a query it includes what the
	// application did between its rows.
	Took time.Duration

	// Queued is how long the call waited for the connection's thread, and through package
	// overlay for a lane. A call that was withdrawn has only waited. The time that
	// database/sql waits for a connection of its pool is before the call.
	Queued time.Duration

	// OnThread is how long the thread was busy with the call. For a query that a function
	// on the thread has made, it is as long as its rows were open. For a call that a writer
	// has committed together with others, it includes the COMMIT; all else is Queued.
	OnThread time.Duration

	// Rows is how many rows a statement has changed, as the driver says, or how many the
	// application has got of a query; of a stream, how many were read. It is -1 if that is
	// not known, and for other calls.
	Rows int64

	// Err is the error that the caller gets; nil if there is none. For a query it is the
	// first one until the rows are closed. A driver's error may quote values: see ErrText.
	Err error
}

// ErrText returns the text of Err, or "" if there is none, for logs: what is between the
// first quotation mark and the last one is left out, since databases quote values there.
func (e TraceEnd) ErrText() string {
	if e.Err == nil {
		return ""
	}
	return sqltext.HideQuoted(e.Err.Error())
}

// A Tracer is told of the start and the end of each call. Its methods are called in many
// goroutines at the same time, must be quick, and must not use the database that they are
// told about, since a call may wait for them:
//
//   - In a call through database/sql, both are called in the goroutine that makes it. That
//     is the connection's thread for a call in a function that runs there. Rows are closed,
//     and transactions rolled back, in goroutines of database/sql's when their context ends.
//   - In a call through package overlay, TraceStart is called in the goroutine that makes
//     it, and TraceEnd before its future completes: on the connection's thread, or for a
//     call that was withdrawn or given up, in the goroutine that does so.
//
// If a method panics, the call goes on as if there were no tracer, and the panic is logged
// with slog.Error once for each tracer. If TraceStart has panicked, TraceEnd is not called
// for that call.
type Tracer interface {
	// TraceStart is called before the call waits for anything. The context that it returns
	// is what TraceEnd and the inner driver get in place of ctx. It must be made from ctx;
	// nil means ctx itself.
	TraceStart(ctx context.Context, call TraceCall) context.Context

	// TraceEnd is called once for each call, when its outcome is known, or nobody waits
	// for it any longer.
	TraceEnd(ctx context.Context, end TraceEnd)
}
