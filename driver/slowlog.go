package driver

import (
	"context"
	"log/slog"
	"time"

	"github.com/sqlaio/sqlaio/warnings"
)

// SlowLog returns a Tracer that logs, as a warning, each call that has waited for its thread
// and been on it for at least threshold in sum. What the application does between the rows of
// a query does not count. nil means slog.Default(), as it is when the call ends.
//
// The record says what kind of call it was ("op"), its statement in at most 500 bytes with ?
// for values, how long it was "queued" and "on_thread", its "rows" if they are known, and its
// "error", from which what the database has quoted is left out. There are no arguments in it.
// A function has no statement: its record has the "site", which is the line of the
// application that has called RunInThread, Write or Raw. The record is logged in the call's
// context, where TraceEnd runs: the logger must not use the database.
func SlowLog(logger *slog.Logger, threshold time.Duration) Tracer {
	return slowLog{logger, threshold}
}

type slowLog struct {
	logger    *slog.Logger
	threshold time.Duration
}

// siteOf is the key of a function's site in its context.
type siteOf struct{}

func (slowLog) TraceStart(ctx context.Context, call TraceCall) context.Context {
	if call.Op != OpFunction {
		return nil
	}
	return context.WithValue(ctx, siteOf{}, warnings.Caller())
}

func (s slowLog) TraceEnd(ctx context.Context, end TraceEnd) {
	if end.Queued+end.OnThread < s.threshold {
		return
	}
	attrs := []slog.Attr{slog.String("op", end.Op.String())}
	if end.Statement != "" {
		attrs = append(attrs, slog.String("statement", end.Short(500)))
	}
	if end.Op == OpFunction {
		if site, _ := ctx.Value(siteOf{}).(warnings.Site); !site.IsZero() {
			attrs = append(attrs, slog.String("site", site.String()))
		}
	}
	attrs = append(attrs, slog.Duration("queued", end.Queued), slog.Duration("on_thread", end.OnThread))
	if end.Rows >= 0 {
		attrs = append(attrs, slog.Int64("rows", end.Rows))
	}
	if end.Err != nil {
		attrs = append(attrs, slog.String("error", end.ErrText()))
	}
	logger := s.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelWarn, "slow database call", attrs...)
}
