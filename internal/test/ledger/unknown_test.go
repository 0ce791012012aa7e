package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// The driver's connection hears of no interrupt, and its server does not answer. What has
// become of a write then nobody knows, and the caller is told just that, soon.

// prompt is how long a call may last after its deadline; DESIGN.md says about 100 ms.
const prompt = 2 * time.Second

// deadline leaves time for a call to reach the step where it gets stuck.
const deadline = 50 * time.Millisecond

// promptly returns what fn returns, which is to take no longer than the deadline of its
// context and a moment. If it does the test fails, and release lets it go on.
func promptly(t testing.TB, deadline time.Duration, release func(), fn func() error) (inTime bool, err error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return true, err
	case <-time.After(deadline + prompt):
		t.Error("not back after its deadline")
		release()
		return false, within(t, "the call", func() error { return <-done })
	}
}

// stall makes every call of a step wait until the result is called.
func (b *bank) stall(step string) (entered <-chan struct{}, release func()) {
	in, free := make(chan struct{}), make(chan struct{})
	var enter, leave sync.Once
	b.on(step, func(*bankConn) error {
		enter.Do(func() { close(in) })
		<-free
		return nil
	})
	return in, func() { leave.Do(func() { b.on(step, nil); close(free) }) }
}

// stalls are the steps at which a call of a kind gets stuck.
func stalls(name string) []string {
	var steps []string
	if strings.Contains(name, "RETURNING") {
		steps = append(steps, "query", "next")
	}
	steps = append(steps, "exec", "executed")
	if stepOf(name) == "begin" {
		steps = append(steps, "begin", "commit", "committed")
	}
	return steps
}

// A write or a COMMIT whose answer does not come ends soon after its deadline, with an
// error that says that its outcome is unknown. So does what has just been released.
func TestNoAnswer(t *testing.T) {
	for _, w := range ways() {
		if strings.Contains(w.name, "BEGIN") {
			continue
		}
		for _, step := range stalls(w.name) {
			t.Run(w.name+" stalls at "+step, func(t *testing.T) {
				t.Parallel()
				db := newBank("ledgerbank")
				e := db.open(t)
				_, release := db.bank.stall(step)
				t.Cleanup(release)
				ctx, cancel := context.WithTimeout(background, deadline)
				defer cancel()
				inTime, err := promptly(t, deadline, release, func() error { return w.write(ctx, e, db.l) })
				if !inTime {
					// It may have been finished after all.
				} else if err == nil {
					t.Error("no error, although no answer came")
				} else if !errors.Is(err, context.DeadlineExceeded) && !(err == sql.ErrTxDone && verbatim(w.name)) {
					t.Errorf("%v; want an error that wraps the context's", err)
				} else if strings.HasPrefix(step, "commit") && !errors.Is(err, overlay.ErrOutcomeUnknown) {
					t.Errorf("%v; want ErrOutcomeUnknown", err)
				}
				release()
				db.later(t, e)
				db.check(t)
			})
		}
	}
}

// So with a deadline that comes before the network stalls, and with Cancel.
func TestCancelWithoutAnswer(t *testing.T) {
	db := newBank("ledgerbank")
	e := db.open(t)
	entered, release := db.bank.stall("executed")
	t.Cleanup(release)
	id := db.l.next("ExecAsync")
	f := e.ExecAsync(background, insert, id)
	arrives(t, "the call", entered)
	f.Cancel()
	_, err := promptly(t, 0, release, func() error { return errOf(f.Await(background)) })
	release()
	if db.l.told(id, err) == nil || !errors.Is(err, context.Canceled) || !errors.Is(err, overlay.ErrOutcomeUnknown) {
		t.Errorf("%v; want context.Canceled and ErrOutcomeUnknown", err)
	}
	db.later(t, e)
	db.check(t)
}

// What only reads is not unknown: nothing can have become of it.
func TestReadWithoutAnswerIsNotUnknown(t *testing.T) {
	db := newBank("ledgerbank")
	e := db.open(t)
	_, release := db.bank.stall("query")
	t.Cleanup(release)
	ctx, cancel := context.WithTimeout(background, deadline)
	defer cancel()
	_, err := promptly(t, deadline, release, func() error { return errOf(e.QueryAsync(ctx, "SELECT id FROM ledger").Await(ctx)) })
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, overlay.ErrOutcomeUnknown) {
		t.Errorf("%v; want the context's error alone", err)
	}
	release()
	db.check(t)
}

// A function that goes on after its context has ended may still write: that is unknown too.
func TestFunctionThatIgnoresItsContext(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		free, began := make(chan struct{}), make(chan struct{})
		id := db.l.next("RunInThread")
		f := overlay.RunInThread(ctx, e, func(_ context.Context, c *sql.Conn) (struct{}, error) {
			close(began)
			<-free
			return struct{}{}, errOf(c.ExecContext(background, insert, id))
		})
		arrives(t, "the function", began)
		cancel()
		release := sync.OnceFunc(func() { close(free) })
		_, err := promptly(t, 0, release, func() error { return errOf(f.Await(ctx)) })
		if db.l.told(id, err); !errors.Is(err, overlay.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v; want context.Canceled and ErrOutcomeUnknown", err)
		}
		release()
		db.later(t, e)
		db.check(t)
	})
}

// RetryTx makes nothing again of which it is unknown whether it was committed.
func TestRetryTxWithoutAnswer(t *testing.T) {
	db := newBank("ledgerbank")
	e := db.open(t)
	_, release := db.bank.stall("committed")
	t.Cleanup(release)
	ctx, cancel := context.WithTimeout(background, deadline)
	defer cancel()
	g, runs := db.l.begin("RetryTx"), 0
	_, err := promptly(t, deadline, release, func() error {
		return e.RetryTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			runs++
			return g.row(ctx, c)
		})
	})
	if !errors.Is(g.ended(err), overlay.ErrOutcomeUnknown) {
		t.Errorf("%v; want ErrOutcomeUnknown", err)
	}
	if runs != 1 {
		t.Errorf("the function ran %d times", runs)
	}
	release()
	db.check(t)
}

// Awaiting with a context that the call does not know of ends the waiting alone.
func TestAwaitEndsEarlyOnlyForAnotherContext(t *testing.T) {
	db := newBank("ledgerbank")
	e := db.open(t)
	entered, release := db.bank.stall("exec")
	t.Cleanup(release)
	id := db.l.next("ExecAsync")
	f := e.ExecAsync(background, insert, id)
	arrives(t, "the call", entered)
	ctx, cancel := context.WithCancel(background)
	cancel()
	err := within(t, "Await", func() error { return errOf(f.Await(ctx)) })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	_, err = outcome(t, "the call", f)
	if db.l.told(id, err) != nil {
		t.Error(err)
	}
	db.check(t)
}
