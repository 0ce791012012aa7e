package overlay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/driver"
)

// A Statement is one of a batch: Query with its Args, as for ExecAsync.
type Statement struct {
	Query string
	Args  []any // as a call's: driver values, valuers, sql.Named
}

// A BatchResult is what became of one statement of a batch: a result, or an
// error. ErrNotRun means that one before it has failed.
type BatchResult struct {
	Result sql.Result
	Err    error
}

// ErrNotRun is the error of the statements of a batch behind the one that failed.
var ErrNotRun = errors.New("overlay: not run, since a statement before it has failed")

// A BatchOption says how a batch is run.
type BatchOption func(*batch)

type batch struct {
	keepGoing bool
	inTx      bool
	opts      *sql.TxOptions
}

// KeepGoing runs the statements behind one that fails, too.
func KeepGoing() BatchOption { return func(b *batch) { b.keepGoing = true } }

// InTx runs all statements in one transaction, or on a Conn that has one open in a
// savepoint. It is rolled back when a statement fails, unless KeepGoing is given.
func InTx(opts *sql.TxOptions) BatchOption {
	return func(b *batch) { b.inTx, b.opts = true, opts }
}

// BatchAsync executes many statements in one hop. Without options it stops at the
// first that fails. There is a result for each statement, also when Await
// returns an error: the first one, with the statement's number.
func (e *Engine) BatchAsync(ctx context.Context, statements []Statement, opts ...BatchOption) *Future[[]BatchResult] {
	return batchAsync(ctx, e, statements, opts)
}

// BatchAsync is Engine.BatchAsync on this connection.
func (c *Conn) BatchAsync(ctx context.Context, statements []Statement, opts ...BatchOption) *Future[[]BatchResult] {
	return batchAsync(ctx, c, statements, opts)
}

// ExecManyAsync executes one statement, prepared once, with each of the sets of
// arguments, in one hop. Options and results are those of BatchAsync.
func (e *Engine) ExecManyAsync(ctx context.Context, query string, argSets [][]any, opts ...BatchOption) *Future[[]BatchResult] {
	return execManyAsync(ctx, e, query, argSets, opts)
}

// ExecManyAsync is Engine.ExecManyAsync on this connection.
func (c *Conn) ExecManyAsync(ctx context.Context, query string, argSets [][]any, opts ...BatchOption) *Future[[]BatchResult] {
	return execManyAsync(ctx, c, query, argSets, opts)
}

func newBatch(opts []BatchOption) *batch {
	b := new(batch)
	for _, o := range opts {
		if o != nil {
			o(b)
		}
	}
	return b
}

func batchAsync(ctx context.Context, to Target, statements []Statement, opts []BatchOption) *Future[[]BatchResult] {
	b := newBatch(opts)
	return send(ctx, to, function, func(ctx context.Context, l *lane) ([]BatchResult, error) {
		return b.run(ctx, l, len(statements), func(ctx context.Context, i int) (*outcome, error) {
			return l.exec(ctx, statements[i].Query, statements[i].Args)
		})
	})
}

func execManyAsync(ctx context.Context, to Target, query string, argSets [][]any, opts []BatchOption) *Future[[]BatchResult] {
	b := newBatch(opts)
	return send(ctx, to, function, func(ctx context.Context, l *lane) ([]BatchResult, error) {
		l.ready()
		var s *driver.HandleStmt
		defer func() {
			if s != nil {
				s.Close()
			}
		}()
		return b.run(ctx, l, len(argSets), func(ctx context.Context, i int) (*outcome, error) {
			var err error
			if s == nil { // in the transaction, if there is one
				if s, err = l.h.Prepare(ctx, query); err != nil {
					s = nil
					return nil, err
				}
			}
			args, err := named(argSets[i])
			if err != nil {
				return nil, err
			}
			if err := l.usable(); err != nil {
				return nil, err
			}
			r, err := s.Exec(ctx, args)
			if err != nil {
				return nil, err
			}
			return outcomeOf(r), nil
		})
	})
}

// run executes n statements on the thread.
func (b *batch) run(ctx context.Context, l *lane, n int, exec func(context.Context, int) (*outcome, error)) ([]BatchResult, error) {
	var around *level
	if b.inTx {
		var err error
		if len(l.tx.levels) > 0 {
			around, err = l.savepoint(ctx)
		} else {
			around, err = l.begin(ctx, b.opts)
		}
		if err != nil {
			return nil, err
		}
	}
	if around == nil {
		return b.each(ctx, l, n, exec)
	}
	defer func() { // after a panic
		if !around.over.Load() {
			l.end(around, false)
		}
	}()
	results, failed := b.each(ctx, l, n, exec)
	if failed != nil && (!b.keepGoing || ctx.Err() != nil) {
		l.end(around, false)
		return results, failed
	}
	if err := l.end(around, true); err != nil {
		return results, err
	}
	return results, failed
}

func (b *batch) each(ctx context.Context, l *lane, n int, exec func(context.Context, int) (*outcome, error)) ([]BatchResult, error) {
	results := make([]BatchResult, n)
	outcomes := make([]outcome, n)
	inner := ctx
	if l.h.CanInterrupt() { // otherwise the driver has to watch it
		inner = context.WithoutCancel(ctx)
	}
	var failed error
	for i := range results {
		err := ctx.Err()
		if err == nil && failed != nil && !b.keepGoing {
			err = ErrNotRun
		}
		if err == nil {
			var o *outcome
			if o, err = exec(inner, i); err == nil {
				outcomes[i] = *o
				results[i].Result = &outcomes[i]
				continue
			}
		}
		results[i].Err = err
		if failed == nil {
			failed = fmt.Errorf("overlay: statement %d of %d: %w", i+1, n, err)
		}
	}
	return results, failed
}
