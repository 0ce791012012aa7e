package reflectguard

import (
	"context"
	"time"

	"github.com/sqlaio/sqlaio/internal/sqltext"
	"github.com/sqlaio/sqlaio/warnings"
)

// The messages of this package's warnings, for filters.
const (
	// ReflectionMessage: the schema is read through an asynchronous handle's
	// blocking methods.
	ReflectionMessage = "an asynchronous handle is used for blocking schema reflection"
	// HandleMessage: those methods are used for something else.
	HandleMessage = "an asynchronous handle is used in a blocking way"
	// ContextMessage: a call blocks although its context is marked by NonBlocking.
	ContextMessage = "a database call blocks in a context where nothing may block"
	// ThreadMessage: a function on a connection's thread waits for another one's.
	ThreadMessage = "a connection's thread waits for another connection's"
)

// Noticeable is from when on a warning tells how long a call has blocked.
const Noticeable = time.Millisecond

const statementLength = 200

// Handle warns that an asynchronous handle is about to be used in a blocking way.
// query is "" if it is not known; optOut is the handle's way to say that
// blocking is meant. The error is the warning, if a filter says so: the call must
// not be made then.
func Handle(query, optOut string) error {
	if IsReflection(query) {
		return warn(ReflectionMessage, "use RunInThread, HasTableAsync or TableNamesAsync; "+optOut+" says that blocking is meant", query, 0)
	}
	return warn(HandleMessage, "use the asynchronous methods or RunInThread; "+optOut+" says that blocking is meant", query, 0)
}

// Call is asked before a call that blocks. Where ctx is marked by NonBlocking, or
// foreign says that the caller is on the thread of another connection, it warns: with
// an error at once, if a filter wants that, or when the function that it returns is
// called after the call. The function is nil if there is nothing to warn of.
func Call(ctx context.Context, foreign bool, query string) (after func(), err error) {
	var message, advice string
	switch {
	case IsNonBlocking(ctx):
		message, advice = ContextMessage, "use overlay's asynchronous methods, or another goroutine; MayBlock says that blocking is meant"
	case foreign:
		message, advice = ThreadMessage, "make the call on the thread's own connection, or from another goroutine"
	default:
		return nil, nil
	}
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

// warn makes a warning, unless nobody would hear of it.
func warn(message, advice, query string, took time.Duration) error {
	if warnings.Decide(warnings.Blocking, message, warnings.Site{}) == warnings.Ignore {
		return nil
	}
	return warnings.Warn(&warnings.BlockingWarning{
		Info: warnings.Info{Message: message, Advice: advice, Statement: sqltext.Shorten(query, statementLength)},
		Took: took,
	})
}
