package overlay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A Statement is one of a batch: Query with its Args, as for ExecAsync.
type Statement struct {
	Query string
	Args  []any // as a call's: driver values, valuers, sql.Named
}

// A BatchResult is what became of one statement of a batch: a result, or an
// error. ErrNotRun means that a statement before it has failed. If a statement
// succeeded but its transaction was not committed, the error says so; it wraps
// ErrOutcomeUnknown if part of the transaction may have been kept.
type BatchResult struct {
	Result sql.Result
	Err    error
}

var errTakenBack = errors.New("overlay: not kept, since the transaction of the batch was not committed")

// ErrNotRun is the error of the statements of a batch after the one that failed.
var ErrNotRun = errors.New("overlay: not run, since a statement before it has failed")

// A BatchOption says how a batch is run.
type BatchOption func(*batch)

type batch struct {
	keepGoing bool
	inTx      bool
	opts      *sql.TxOptions
}

// KeepGoing also runs the statements after one that fails.
func KeepGoing() BatchOption { return func(b *batch) { b.keepGoing = true } }

// InTx runs all statements in one transaction, or in a savepoint if the Conn has a
// transaction open. It is rolled back when a statement fails, unless KeepGoing is
// given.
func InTx(opts *sql.TxOptions) BatchOption {
	return func(b *batch) {
		b.inTx, b.opts = true, nil
		if opts != nil {
			own := *opts // as they are at the call
			b.opts = &own
		}
	}
}

// BatchAsync executes many statements in one hop. Without options it stops at the
// first that fails. There is a result for each statement, also when Await returns an
// error. That error is the first statement's that failed, with its number.
func (e *Engine) BatchAsync(ctx context.Context, statements []Statement, opts ...BatchOption) *Future[[]BatchResult] {
	return batchAsync(ctx, e, statements, opts)
}

// BatchAsync is Engine.BatchAsync on this connection.
func (c *Conn) BatchAsync(ctx context.Context, statements []Statement, opts ...BatchOption) *Future[[]BatchResult] {
	return batchAsync(ctx, c, statements, opts)
}

// ExecManyAsync prepares one statement, and executes it with each set of arguments,
// in one hop. Options and results are those of BatchAsync.
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
	requests := make([]*request, len(statements))
	for i, s := range statements {
		requests[i] = newRequest(s.Query, s.Args)
	}
	return send(ctx, to, callOptions{kind: function, repeatable: true, describe: "BatchAsync"}, func(ctx context.Context, l *lane) ([]BatchResult, error) {
		return b.run(ctx, l, len(requests), func(ctx context.Context, i int) (*pinned.Result, error) {
			return l.exec(ctx, requests[i])
		})
	})
}

func execManyAsync(ctx context.Context, to Target, query string, argSets [][]any, opts []BatchOption) *Future[[]BatchResult] {
	b := newBatch(opts)
	requests := make([]*request, len(argSets))
	for i, args := range argSets {
		requests[i] = newRequest(query, args)
	}
	return send(ctx, to, callOptions{kind: function, repeatable: true, describe: query}, func(ctx context.Context, l *lane) ([]BatchResult, error) {
		var s *pinned.Stmt
		defer func() {
			if s != nil {
				s.Close()
			}
		}()
		return b.run(ctx, l, len(requests), func(ctx context.Context, i int) (*pinned.Result, error) {
			if err := l.pc.Refused(); err != nil {
				return nil, err
			}
			if s == nil { // in the transaction, if there is one
				st := new(pinned.Stmt)
				if err := l.pc.Prepare(ctx, l.held(), query, st); err != nil {
					return nil, err
				}
				s = st
			}
			requests[i].Stmt = s
			return l.exec(ctx, requests[i])
		})
	})
}

// run executes n statements on the thread, in a transaction if that was asked for.
func (b *batch) run(ctx context.Context, l *lane, n int, exec func(context.Context, int) (*pinned.Result, error)) (results []BatchResult, err error) {
	var around *level
	if b.inTx {
		if l.tx != nil && len(l.tx.levels) > 0 {
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
		ended := l.hasEnded()
		l.end(around, false)
		takeBack(results, failed, ended)
		return results, failed
	}
	ended := l.hasEnded()
	if err := l.end(around, true); err != nil {
		if failed != nil {
			err = fmt.Errorf("%w; %w", failed, err)
		}
		takeBack(results, err, ended)
		return results, err
	}
	return results, failed
}

// takeBack turns the results of statements whose transaction was not committed into
// errors. If a statement has ended it, such as DDL on MySQL, it is unknown whether
// those before it were kept.
func takeBack(results []BatchResult, why error, ended bool) {
	kind := errTakenBack
	if ended {
		kind = ErrOutcomeUnknown
	}
	for i := range results {
		switch {
		case results[i].Err != nil:
		case errors.Is(why, ErrOutcomeUnknown):
			results[i] = BatchResult{Err: why}
		default:
			results[i] = BatchResult{Err: fmt.Errorf("%w: %w", kind, why)}
		}
	}
}

// each executes the statements one by one. If the database or a statement has ended
// the transaction, the rest are refused.
func (b *batch) each(ctx context.Context, l *lane, n int, exec func(context.Context, int) (*pinned.Result, error)) ([]BatchResult, error) {
	results := make([]BatchResult, n)
	inner := ctx
	if l.pc.Stops() { // otherwise the driver has to watch it
		inner = context.WithoutCancel(ctx)
	}
	var failed error
	begun := -1 // the statement whose text has begun the transaction that is open; -1: none
	lost := false
	for i := range results {
		err := ctx.Err()
		if err == nil && failed != nil && (!b.keepGoing || lost) {
			err = ErrNotRun
		}
		was := l.pc.InTx()
		if err == nil {
			var r *pinned.Result
			if r, err = exec(inner, i); err == nil {
				results[i].Result = r
			} else if isBad(err) && !l.answered { // nothing was done
				for j := i; j < n; j++ {
					results[j].Err = ErrNotRun
				}
				results[i].Err = err
				return results, fmt.Errorf("overlay: statement %d of %d: %w", i+1, n, err)
			} else {
				lost = l.pc.Lost(err)
				results[i].Err = l.current.Load().verdict(l, err)
			}
		} else {
			results[i].Err = err
		}
		switch is := l.pc.InTx(); {
		case lost && begun >= 0: // it may have been the COMMIT that was not answered
			takeBack(results[begun:i], pinned.Unknown(err), false)
			begun = -1
		case is && !was:
			begun = i
		case was && !is && err != nil: // with what had been done in it
			takeBack(results[max(begun, 0):i], err, !l.pc.RolledBack())
			begun = -1
		case !is:
			begun = -1
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("overlay: statement %d of %d: %w", i+1, n, err)
		}
	}
	if begun >= 0 && l.lease != nil && !b.inTx {
		takeBack(results[begun:], pinned.ErrTxLeftOpen, false)
	}
	return results, failed
}
