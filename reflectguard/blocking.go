package reflectguard

import (
	"context"
	"time"

	"github.com/sqlaio/sqlaio/warnings"
)

// The messages of this package's warnings, for filters.
const (
	// ReflectionMessage: the schema is read with the blocking methods of an
	// asynchronous handle.
	ReflectionMessage = "an asynchronous handle is used for blocking schema reflection"
	// HandleMessage: those methods are used for something else.
	HandleMessage = "an asynchronous handle is used in a blocking way"
	// ContextMessage: a call blocks although its context is marked NonBlocking.
	ContextMessage = "a database call blocks in a context where nothing may block"
	// WaitMessage: the caller waits for asynchronous calls although its context is
	// marked NonBlocking.
	WaitMessage = "a wait blocks in a context where nothing may block"
	// ThreadMessage: a function on one connection's thread waits for another
	// connection.
	ThreadMessage = "a connection's thread waits for another connection"
)

// Noticeable is the shortest time for which a warning says how long a call blocked.
const Noticeable = time.Millisecond

// Handle warns that an asynchronous handle is about to be used in a blocking way.
// query is "" if unknown. optOut names what to use if blocking is intended. If Handle
// returns an error, because a filter says Error, the call must not be made.
func Handle(query, optOut string) error {
	message, advice := HandleMessage, "use the asynchronous methods or RunInThread; "
	if IsReflection(query) {
		message, advice = ReflectionMessage, "use RunInThread, HasTableAsync or TableNamesAsync; "
	}
	return warn(message, advice+optOut+" says that blocking is meant", query, 0)
}

// Call is called before a database call that blocks. It warns if ctx is marked
// NonBlocking, or if foreign is set, which means that the caller is on the thread of
// another connection. When the call has returned, the caller must call after, unless
// that is nil. If Call returns an error, because a filter says Error, the call must
// not be made. If there is nothing to warn about, Call allocates nothing.
func Call(ctx context.Context, foreign bool, query string) (after func(), err error) {
	switch {
	case IsNonBlocking(ctx):
		return guard(ContextMessage, "use overlay's asynchronous methods, or another goroutine; MayBlock says that blocking is meant", query)
	case foreign:
		return guard(ThreadMessage, "make the call on the thread's own connection, or from another goroutine", query)
	}
	return nil, nil
}

// Wait is Call for methods that wait for asynchronous calls, such as Await and
// WithTx. what names the method. Wait warns if ctx is marked NonBlocking. It costs an
// atomic load in a program that has marked no context.
func Wait(ctx context.Context, what string) (after func(), err error) {
	if !IsNonBlocking(ctx) {
		return nil, nil
	}
	return guard(WaitMessage, what+" waits: use OnDone or Then, or another goroutine; MayBlock says that blocking is meant", "")
}

// guard warns at once if a filter says Error, and otherwise when after is called.
func guard(message, advice, query string) (after func(), err error) {
	switch warnings.Decide(warnings.Blocking, message, warnings.Site{}) {
	case warnings.Ignore:
		return nil, nil
	case warnings.Error:
		return nil, warn(message, advice, query, 0)
	}
	start := time.Now()
	return func() {
		took := time.Since(start)
		if took < Noticeable {
			took = 0
		}
		_ = warn(message, advice, query, took)
	}, nil
}

// warn makes the warning only if somebody will see it: a repeat must cost little.
func warn(message, advice, query string, took time.Duration) error {
	if warnings.Decide(warnings.Blocking, message, warnings.Site{}) == warnings.Ignore {
		return nil
	}
	return warnings.Warn(&warnings.BlockingWarning{
		Info: warnings.Info{Message: message, Advice: advice, Statement: query},
		Took: took,
	})
}
