package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
	"weak"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A Tx is a transaction on a Conn, or a savepoint in one. The statements in it are
// made on the Conn. One that is garbage collected while it is open is rolled back,
// with a ResourceWarning.
type Tx struct {
	conn *Conn
	*level
}

// level is one transaction or savepoint. Fields without a note are the thread's.
type level struct {
	tx     *pinned.Tx       // the transaction that it is, or is in
	since  time.Time        // set once: when it began
	failed int              // how many streams had failed when it began
	name   string           // of a savepoint; empty: it is the transaction
	over   atomic.Bool      // committed, rolled back, or gone with the one around it; anybody may look
	scoped atomic.Bool      // WithTx or WithNested will end it; anybody may look
	user   weak.Pointer[Tx] // set before the level is known to anybody else
	place  site             // likewise

	cleanup runtime.Cleanup // the thread's: the Tx's, as long as the level is open
}

// txState is what a Conn's lane knows about its transaction. It is the thread's.
type txState struct {
	s      *session
	levels []*level
	names  int       // savepoints so far
	failed []*stream // of the open transaction: writes that nobody may have been told of
}

// verdict returns why a level must not be committed: a streamed write has failed and
// nobody has been told, or a function that works in a savepoint inside of it has not
// returned.
func (t *txState) verdict(v *level) error {
	for _, st := range t.failed {
		if err := st.unseen(); err != nil {
			return err
		}
	}
	for _, inner := range t.levels[slices.Index(t.levels, v)+1:] {
		if inner.scoped.Load() {
			return ErrConcurrentTx
		}
	}
	return nil
}

// leave ends a level and those inside of it.
func (t *txState) leave(v *level, commit bool) {
	at := slices.Index(t.levels, v)
	for _, inner := range t.levels[at:] {
		inner.over.Store(true)
	}
	t.set(t.levels[:at])
	if !commit {
		t.failed = t.failed[:min(v.failed, len(t.failed))]
	}
}

// set notes which levels are open now.
func (t *txState) set(levels []*level) {
	for _, v := range t.levels[min(len(levels), len(t.levels)):] {
		v.cleanup.Stop()
	}
	t.levels = levels
	t.s.top.Store(nil)
	if len(levels) == 0 {
		t.failed = nil
	}
	if n := len(levels); n > 0 {
		t.s.top.Store(levels[n-1])
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.levels = slices.Clone(levels)
}

// gone ends the transaction of a connection whose thread has ended.
func (t *txState) gone() {
	for _, v := range t.levels {
		v.over.Store(true)
	}
	t.s.lane.lost.Store(true)
	t.set(nil)
}

// BeginAsync begins a transaction. ctx only bounds the beginning. The transaction
// lasts until it is ended or its Conn is closed. If one is open already, the future
// fails with ErrInTransaction.
func (c *Conn) BeginAsync(ctx context.Context, opts *sql.TxOptions) *Future[*Tx] {
	if opts != nil { // as they are now
		own := *opts
		opts = &own
	}
	return c.beginAsync(ctx, "BEGIN", func(ctx context.Context, l *lane) (*level, error) { return l.begin(ctx, opts) })
}

// BeginNestedAsync makes a savepoint in the open transaction, to any depth. If no
// transaction is open, it begins one.
func (c *Conn) BeginNestedAsync(ctx context.Context) *Future[*Tx] {
	return c.beginAsync(ctx, "SAVEPOINT", func(ctx context.Context, l *lane) (*level, error) {
		if len(l.tx.levels) == 0 {
			return l.begin(ctx, nil)
		}
		return l.savepoint(ctx)
	})
}

func (c *Conn) beginAsync(ctx context.Context, what string, begin func(context.Context, *lane) (*level, error)) *Future[*Tx] {
	place := caller(c.s.config)
	var begun *level // the thread's
	o := callOptions{kind: read, op: pinned.OpBegin, begins: true, place: place, describe: what, undo: func(l *lane) {
		if begun != nil && !begun.over.Load() {
			l.end(begun, false)
		}
	}}
	return send(ctx, c, o, func(ctx context.Context, l *lane) (*Tx, error) {
		v, err := begin(ctx, l)
		if err != nil {
			return nil, err
		}
		begun = v
		if cause := l.current.Load().stopped(); cause != nil { // nobody would end it
			l.end(v, false)
			return nil, cause
		}
		v.place = place
		return newTx(c, v), nil
	})
}

// CommitAsync commits a transaction, or releases a savepoint. If that fails, the
// transaction or savepoint is rolled back. A commit that waits is withdrawn when ctx
// ends, and what it was to commit is rolled back in its turn. One that runs is not
// interrupted. If its answer does not come within 100 ms of ctx's end, the error wraps
// ErrOutcomeUnknown.
//
// What WithTx or WithNested has begun they end themselves: CommitAsync, RollbackAsync
// and CloseAsync fail.
func (t *Tx) CommitAsync(ctx context.Context) *Future[struct{}] { return t.endAsync(ctx, true) }

// RollbackAsync rolls back a transaction, or to a savepoint. If the database has done
// so by itself, the error is nil. After CommitAsync or RollbackAsync it is
// sql.ErrTxDone. If ctx ends first, the error is ctx's, and the rollback is still made.
func (t *Tx) RollbackAsync(ctx context.Context) *Future[struct{}] { return t.endAsync(ctx, false) }

// CloseAsync rolls back if the transaction or savepoint is still open, even if ctx
// has ended. Otherwise it does nothing.
func (t *Tx) CloseAsync(ctx context.Context) *Future[struct{}] {
	s := t.conn.s
	if err := t.kept(); err != nil || t.over.Load() {
		return completed(s.config, struct{}{}, err)
	}
	// Another goroutine's call does not keep the transaction from being closed.
	o := t.closing(caller(s.config))
	return start(o.tracedTidy(ctx, s.config), s.queue, o, func(ctx context.Context, l *lane) (struct{}, error) {
		defer runtime.KeepAlive(t)
		return struct{}{}, l.endIfOpen(t.level)
	})
}

func (t *Tx) closing(place site) callOptions {
	return callOptions{kind: ending, op: pinned.OpRollback, tidy: true, place: place, describe: t.ends(false)}
}

// Conn returns the connection of the transaction.
func (t *Tx) Conn() *Conn { return t.conn }

// String describes the transaction in one line.
func (t *Tx) String() string {
	kind, state := "transaction", "open"
	if t.name != "" {
		kind = "savepoint"
	}
	if t.over.Load() {
		state = "over"
	}
	return fmt.Sprintf("overlay.Tx(%s, %s)", kind, state)
}

// Tx returns the innermost open transaction or savepoint, as of the calls that have
// ended. It is nil if there is none, or if only the text of a statement has begun it.
func (c *Conn) Tx() *Tx {
	if v := c.s.top.Load(); v != nil && !v.over.Load() {
		return v.user.Value()
	}
	return nil
}

// kept returns why the application must not end it; nil if it may.
func (t *Tx) kept() error {
	if t.scoped.Load() && !t.over.Load() {
		return errScoped
	}
	return nil
}

// ends returns the statement that ends the level.
func (v *level) ends(commit bool) string {
	switch {
	case commit && v.name != "":
		return "RELEASE SAVEPOINT"
	case commit:
		return "COMMIT"
	case v.name != "":
		return "ROLLBACK TO SAVEPOINT"
	}
	return "ROLLBACK"
}

func (t *Tx) endAsync(ctx context.Context, commit bool) *Future[struct{}] {
	if err := t.kept(); err != nil {
		return completed(t.conn.s.config, struct{}{}, err)
	}
	return t.sendEnd(ctx, commit)
}

func (t *Tx) sendEnd(ctx context.Context, commit bool) *Future[struct{}] {
	op := pinned.OpRollback
	if commit {
		op = pinned.OpCommit
	}
	o := callOptions{kind: ending, op: op, tx: t.tx, describe: t.ends(commit), undo: func(l *lane) { l.endIfOpen(t.level) }}
	return send(ctx, t.conn, o, func(ctx context.Context, l *lane) (struct{}, error) {
		defer runtime.KeepAlive(t) // one that is being ended is in use
		return struct{}{}, l.end(t.level, commit)
	})
}

// begin begins a transaction on the thread.
func (l *lane) begin(ctx context.Context, opts *sql.TxOptions) (*level, error) {
	if l.tx != nil && len(l.tx.levels) > 0 {
		return nil, ErrInTransaction
	}
	if err := l.free(); err != nil {
		return nil, err
	}
	var o driver.TxOptions
	if opts != nil {
		o = driver.TxOptions{Isolation: driver.IsolationLevel(opts.Isolation), ReadOnly: opts.ReadOnly}
	}
	// The transaction outlives the call, so its context must too.
	var tx *pinned.Tx
	var err error
	if l.tx != nil && l.tx.s.e.writer != nil && !o.ReadOnly {
		tx, err = l.pc.BeginImmediate(ctx, l.held(), false)
	} else {
		tx, err = l.pc.Begin(context.WithoutCancel(ctx), l.held(), o, true)
	}
	l.answered = l.answered || !isBad(err)
	if err != nil {
		return nil, err
	}
	v := &level{tx: tx, since: now()}
	if l.tx != nil {
		l.tx.levels = append(l.tx.levels, v)
	}
	return v, nil
}

func (l *lane) savepoint(ctx context.Context) (*level, error) {
	if err := l.free(); err != nil {
		return nil, err
	}
	l.tx.names++
	v := &level{tx: l.tx.levels[0].tx, since: now(), name: fmt.Sprintf("sqlaio_%d", l.tx.names), failed: len(l.tx.failed)}
	if err := l.statement(ctx, "SAVEPOINT "+v.name); err != nil {
		return nil, err
	}
	l.tx.levels = append(l.tx.levels, v)
	return v, nil
}

func (l *lane) endIfOpen(v *level) error {
	if v.over.Load() {
		return nil
	}
	return l.end(v, false)
}

// end commits or rolls back a level, and ends those in it.
func (l *lane) end(v *level, commit bool) error {
	if v.over.Load() {
		return sql.ErrTxDone
	}
	if l.tx != nil {
		if v.name == "" || l.q.config.dialect.oneResult() {
			l.closeStreams()
		}
		if commit {
			if err := l.tx.verdict(v); err != nil {
				l.end(v, false)
				return err
			}
		}
		l.tx.leave(v, commit)
	}
	v.over.Store(true)
	if v.name != "" {
		return l.endSavepoint(v, commit)
	}
	l.held().CloseOpen()
	if !commit {
		gone := l.pc.Refused() != nil // the database has ended it by itself
		if err := l.pc.Rollback(v.tx); err != nil && !gone {
			return err
		}
		return nil
	}
	err := l.pc.Commit(v.tx)
	if err != nil && inDoubt(err) && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrRolledBack) {
		return pinned.Unknown(err)
	}
	return err
}

func (l *lane) endSavepoint(v *level, commit bool) (err error) {
	if gone := l.pc.Refused(); gone != nil {
		if commit {
			return gone
		}
		return nil
	}
	l.pc.Firmly(func() {
		if commit {
			if err = l.statement(background, "RELEASE SAVEPOINT "+v.name); err == nil {
				return
			}
		}
		back := l.statement(background, "ROLLBACK TO SAVEPOINT "+v.name)
		if back != nil { // what was done since must not be committed
			v.tx.Spoil(back)
		} else {
			back = l.statement(background, "RELEASE SAVEPOINT "+v.name)
		}
		if !commit {
			err = back
		}
	})
	return err
}

// hasEnded reports whether a statement has ended the transaction.
func (l *lane) hasEnded() bool { return errors.Is(l.pc.Refused(), ErrTxEnded) }

// statement executes a statement of the overlay's own.
func (l *lane) statement(ctx context.Context, text string) error {
	_, _, err := l.pc.Exec(ctx, &pinned.Request{Query: text})
	l.answered = l.answered || !isBad(err)
	return err
}
