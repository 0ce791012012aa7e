package overlay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
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
// first that fails. There is a result for each statement, also when Await returns the
// error of the first that failed, with its number. There are none if the batch has not
// begun: it was withdrawn, or its transaction could not be begun.
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
	o := b.options("BatchAsync")
	ctx = o.tracedBatch(ctx, to, requests)
	return send(ctx, to, o, func(ctx context.Context, l *lane) ([]BatchResult, error) {
		return b.run(ctx, l, requests, func(ctx context.Context, q *request) (*pinned.Result, error) {
			return l.exec(ctx, q)
		})
	})
}

func execManyAsync(ctx context.Context, to Target, query string, argSets [][]any, opts []BatchOption) *Future[[]BatchResult] {
	b := newBatch(opts)
	requests := make([]*request, len(argSets))
	for i, args := range argSets {
		requests[i] = newRequest(query, args)
	}
	o := b.options(query)
	o.statement = true
	ctx = o.tracedBatch(ctx, to, requests)
	return send(ctx, to, o, func(ctx context.Context, l *lane) ([]BatchResult, error) {
		var s *pinned.Stmt
		defer func() {
			if s != nil {
				s.Close()
			}
		}()
		return b.run(ctx, l, requests, func(ctx context.Context, q *request) (*pinned.Result, error) {
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
			q.Stmt = s
			return l.exec(ctx, q)
		})
	})
}

// run executes the statements on the thread, in a transaction if that was asked for.
func (b *batch) run(ctx context.Context, l *lane, requests []*request, exec execFunc) (results []BatchResult, err error) {
	if b.inTx && l.group != nil {
		return b.member(ctx, l, requests, exec)
	}
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
		return b.each(ctx, l, requests, exec)
	}
	results, failed := b.each(ctx, l, requests, exec)
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

// execFunc executes one statement of a batch.
type execFunc func(context.Context, *request) (*pinned.Result, error)

// each executes the statements one by one. If the database or a statement has ended
// the transaction, the rest are refused.
func (b *batch) each(ctx context.Context, l *lane, requests []*request, exec execFunc) ([]BatchResult, error) {
	n := len(requests)
	results := make([]BatchResult, n)
	inner := ctx
	if l.pc.Stops() { // otherwise the driver has to watch it
		inner = context.WithoutCancel(ctx)
	}
	var failed error
	text := textTx{results: results, owned: b.inTx, open: l.pc.InTx()}
	lost := false
	for i, q := range requests {
		err := ctx.Err()
		if err == nil && failed != nil && (!b.keepGoing || lost) {
			err = ErrNotRun
		}
		results[i].Err = err
		if err == nil {
			var r *pinned.Result
			err = guard(func() (err error) { r, err = exec(inner, q); return err })
			switch {
			case err == nil:
				results[i].Result = r
			case isBad(err) && !l.answered: // nothing was done
				for j := i + 1; j < n; j++ {
					results[j].Err = ErrNotRun
				}
				results[i].Err = err
				return results, fmt.Errorf("overlay: statement %d of %d: %w", i+1, n, err)
			default:
				lost = l.pc.Lost(err)
				results[i].Err = l.current.Load().verdict(l, err)
			}
			text.after(l, q.Query, i, err, lost)
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("overlay: statement %d of %d: %w", i+1, n, err)
		}
	}
	if l.lease != nil && !b.inTx && text.open { // it will be rolled back
		takeBack(results[text.from:], pinned.ErrTxLeftOpen, text.mixed)
	}
	return results, failed
}

// A textTx is the transaction that a batch's statements are made in, and that their texts
// can begin and end.
type textTx struct {
	results []BatchResult
	owned   bool // the batch has begun it (InTx): texts cannot end it unnoticed
	open    bool
	from    int    // the first statement in it
	mixed   bool   // a part of what was done since then may not be in it, but kept
	plain   string // a text that does nothing to a transaction: most batches repeat one
}

// after notes what statement i has done, and takes back what was lost with it.
func (t *textTx) after(l *lane, query string, i int, err error, lost bool) {
	was := t.open
	t.open = l.pc.InTx()
	switch {
	case was && lost: // it may have been the COMMIT that was not answered
		takeBack(t.results[t.from:i], pinned.Unknown(err), false)
	case was && !t.open && err != nil:
		takeBack(t.results[t.from:i], err, t.mixed || sqltext.MayCommit(query, l.pc.Dialect()) || !l.pc.RolledBack())
	case t.open && !was:
		t.from, t.mixed = i, sqltext.Several(query, l.pc.Dialect())
	case t.open && !t.owned:
		t.stayed(l, query, i, err)
	}
}

// stayed notes what statement i has done if a transaction is open before and after it. It
// need not be the same one.
func (t *textTx) stayed(l *lane, query string, i int, err error) {
	if query == t.plain {
		return
	}
	several := sqltext.Several(query, l.pc.Dialect())
	switch control := sqltext.ControlOf(query, l.pc.Dialect()); {
	case err == nil && control == sqltext.Begins: // which has committed the one before
		t.from, t.mixed = i, several
	case err == nil && (control == sqltext.Commits || control == sqltext.Chains) && several:
		t.from, t.mixed = i, true
	case err == nil && (control == sqltext.Commits || control == sqltext.Chains):
		t.from, t.mixed = i+1, false
	case sqltext.MayCommit(query, l.pc.Dialect()):
		t.mixed = true
	default:
		t.plain = query
	}
}

// options are those of a batch's call.
func (b *batch) options(describe string) callOptions {
	plain := b.opts == nil || !b.opts.ReadOnly && b.opts.Isolation == 0
	return callOptions{kind: function, repeatable: true, writes: true, groups: b.inTx && plain, describe: describe}
}

// member runs the statements as a member of a group, whose savepoint is their
// transaction.
func (b *batch) member(ctx context.Context, l *lane, requests []*request, exec execFunc) ([]BatchResult, error) {
	results, failed := b.each(ctx, l, requests, exec)
	if failed != nil && (!b.keepGoing || ctx.Err() != nil) {
		takeBack(results, failed, false)
		return results, failed
	}
	l.group.keep = true
	return results, failed
}
