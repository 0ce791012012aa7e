package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/tracetest"
	"github.com/sqlaio/sqlaio/overlay"
)

var tracedDrivers atomic.Int64

// traced opens an engine with one lane on the database whose calls tr is told of.
func (db *testDB) traced(t *testing.T, tr aio.Tracer, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	bare, err := sql.Open(db.driver, db.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	name := fmt.Sprintf("%s-traced-%d", db.driver, tracedDrivers.Add(1))
	aio.Register(name, bare.Driver(), aio.WithTracer(tr))
	e, err := overlay.Open(name, db.dsn, append(opts, overlay.WithLanes(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, e.Shutdown(atMost(t, 10*time.Second))) })
	return e
}

// without leaves out the ends of some kinds of calls.
func without(ends []aio.TraceEnd, ops ...aio.Op) []aio.TraceEnd {
	return slices.DeleteFunc(ends, func(e aio.TraceEnd) bool { return slices.Contains(ops, e.Op) })
}

func TestTracerSeesEachCallOnce(t *testing.T) {
	onShared(t, func(t *testing.T, db *testDB) {
		db.people(t, "ann", "bob", "cy")
		tr := new(tracetest.Tracer)
		e, ctx := db.traced(t, tr), db.ctx
		must(t, e.ExecAsync(ctx, "UPDATE people SET name = 'x' WHERE name = ?", "bob"))
		told := tr.Told(t)
		tracetest.Expect(t, without(told, aio.OpReset), "connect -1 <nil>", "exec UPDATE people SET name = 'x' WHERE name = ? 1 <nil>")
		if told[len(told)-1].Queued < told[0].OnThread {
			t.Errorf("the first call has waited %v for a lane that took %v to connect", told[1].Queued, told[0].OnThread)
		}

		must(t, e.QueryAsync(ctx, "SELECT name FROM people"))
		must(t, e.ExecuteAsync(ctx, "SELECT name FROM people WHERE id < 0"))
		must(t, overlay.Scalar[int](ctx, e, "SELECT count(*) FROM people"))
		err := failure(t, e.QueryAsync(ctx, "SELECT nothing FROM people"))
		must(t, e.BatchAsync(ctx, []overlay.Statement{
			{Query: "DELETE FROM people WHERE name = ?", Args: []any{"ann"}}, {Query: "DELETE FROM people WHERE name = 'cy'"},
		}, overlay.InTx(nil)))
		must(t, e.ExecManyAsync(ctx, "INSERT INTO people (name) VALUES (?)", [][]any{{"d"}, {"e"}, {"f"}}))
		ended := tr.Told(t)
		tracetest.Expect(t, ended, "query SELECT name FROM people 3 <nil>", "query SELECT name FROM people WHERE id < 0 0 <nil>",
			"query SELECT count(*) FROM people 1 <nil>", "query SELECT nothing FROM people -1 "+err.Error(),
			"batch DELETE FROM people WHERE name = ?; DELETE FROM people WHERE name = 'cy' 2 <nil>",
			"batch INSERT INTO people (name) VALUES (?) 3 <nil>")
		if n := ended[len(ended)-1].BatchSize; n != 3 {
			t.Errorf("a batch of %d", n)
		}

		must(t, overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
			if op := tracetest.CallOf(ctx).Op; op != aio.OpFunction {
				t.Errorf("the function got the context of %q", op)
			}
			var n int
			_, err := c.ExecContext(ctx, "DELETE FROM people WHERE name = 'd'")
			return n, errors.Join(err, c.QueryRowContext(ctx, "SELECT count(*) FROM people").Scan(&n))
		}))
		tracetest.Expect(t, tr.Told(t), "exec DELETE FROM people WHERE name = 'd' 1 <nil>", "query SELECT count(*) FROM people 1 <nil>", "function -1 <nil>")

		noError(t, e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			must(t, c.ExecAsync(ctx, "DELETE FROM people WHERE name = 'e'"))
			return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.SyncConn().ExecContext(ctx, "DELETE FROM people WHERE name = 'f'")
				return err
			})
		}))
		e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return errors.New("no") })
		tracetest.Expect(t, without(tr.Told(t), aio.OpConnect, aio.OpReset), "begin BEGIN -1 <nil>", "exec DELETE FROM people WHERE name = 'e' 1 <nil>", "begin SAVEPOINT -1 <nil>",
			"exec DELETE FROM people WHERE name = 'f' 1 <nil>", "commit RELEASE SAVEPOINT -1 <nil>", "commit COMMIT -1 <nil>",
			"begin BEGIN -1 <nil>", "rollback ROLLBACK -1 <nil>")
	})
}

func TestTracerSeesAStreamOnce(t *testing.T) {
	onStreaming(t, func(t *testing.T, db *testDB, to streaming) {
		if db.memory {
			t.Skip("the engine is another one")
		}
		tr := new(tracetest.Tracer)
		var e streaming = db.traced(t, tr)
		if _, ok := to.(*overlay.Conn); ok {
			c := must(t, e.(*overlay.Engine).ConnectAsync(db.ctx))
			defer func() { must(t, c.CloseAsync(db.ctx)) }()
			e = c
		}
		const query = "SELECT name FROM people"
		r := must(t, e.StreamAsync(db.ctx, query))
		n := 0
		for _, err := range r.Rows(db.ctx) {
			noError(t, err)
			n++
		}
		r = must(t, e.StreamAsync(db.ctx, query))
		must(t, r.FetchOneAsync(db.ctx))
		must(t, r.CloseAsync(db.ctx))
		err := failure(t, e.StreamAsync(db.ctx, "SELECT nothing FROM people"))
		ends := without(tr.Told(t), aio.OpConnect, aio.OpReset)
		if len(ends) != 3 || n != 1000 {
			t.Fatalf("told %v, read %d rows", ends, n)
		}
		if ends[1].Rows < 1 || ends[1].Rows == 1000 {
			t.Errorf("of the rows of a stream that was closed early %d were read", ends[1].Rows)
		}
		ends[1].Rows = 1
		tracetest.Expect(t, ends, "query "+query+" 1000 <nil>", "query "+query+" 1 <nil>", "query SELECT nothing FROM people -1 "+err.Error())
		if ends[0].OnThread <= 0 || ends[0].Queued <= 0 {
			t.Errorf("queued %v, on the thread %v", ends[0].Queued, ends[0].OnThread)
		}
	})
}

// A call that was withdrawn has waited for its lane, and one that was left ends for the
// tracer when it does for the caller.
func TestTracerSeesWaiting(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *testDB) {
		tr := new(tracetest.Tracer)
		e := db.traced(t, tr)
		release := occupy(t, e)
		ctx, cancel := context.WithTimeout(db.ctx, 20*time.Millisecond)
		defer cancel()
		err := failure(t, e.ExecAsync(ctx, "DELETE FROM people"))
		release()
		must(t, e.QueryAsync(db.ctx, "SELECT 1"))
		ends := without(tr.Told(t), aio.OpConnect, aio.OpFunction, aio.OpQuery)
		if len(ends) != 1 || ends[0].Err != err || ends[0].Queued < 10*time.Millisecond || ends[0].OnThread != 0 {
			t.Errorf("told %v, error %v", ends, err)
		}

		gate := make(chan struct{})
		f := overlay.RunInThread(ctx, e, func(context.Context, *sql.Conn) (int, error) { return 0, nil })
		failure(t, f)
		ctx, cancel = context.WithCancel(db.ctx)
		started := make(chan struct{})
		f = overlay.RunInThread(ctx, e, func(context.Context, *sql.Conn) (int, error) {
			close(started)
			<-gate
			return 0, nil
		})
		within(t, "the start", started)
		cancel()
		err = failure(t, f)
		wantError(t, err, overlay.ErrOutcomeUnknown)
		ends = tr.Told(t)
		last := ends[len(ends)-1]
		if last.Err != err || last.OnThread < 50*time.Millisecond {
			t.Errorf("on the thread %v, error %v", last.OnThread, last.Err)
		}
		close(gate)
	})
}

// Each member of a writer's group is a call. Its COMMIT is in the time on the thread, and
// the other members' turns are in the time in the queue.
func TestTracerSeesTheMembersOfAGroup(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *testDB) {
		db.people(t, "ann")
		tr := new(tracetest.Tracer)
		e := db.traced(t, tr, overlay.WithWriter())
		must(t, e.QueryAsync(db.ctx, "SELECT 1"))
		release := held(t, e)
		insert := e.ExecAsync(db.ctx, "INSERT INTO people (name) VALUES ('bob')")
		fails := e.ExecAsync(db.ctx, "INSERT INTO people (id) SELECT id FROM people")
		write := overlay.Write(db.ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
			time.Sleep(20 * time.Millisecond)
			_, err := c.ExecContext(ctx, "DELETE FROM people WHERE name = 'ann'")
			return 0, err
		})
		release()
		must(t, insert)
		err := failure(t, fails)
		must(t, write)
		ends := without(tr.Told(t), aio.OpConnect, aio.OpReset)[3:] // without the setup of the lane, and what has held the writer
		slices.SortFunc(ends, func(a, b aio.TraceEnd) int {
			return strings.Compare(a.Op.String()+a.Statement, b.Op.String()+b.Statement)
		})
		tracetest.Expect(t, ends, "exec DELETE FROM people WHERE name = 'ann' 1 <nil>", "exec INSERT INTO people (id) SELECT id FROM people -1 "+err.Error(),
			"exec INSERT INTO people (name) VALUES ('bob') 1 <nil>", "function -1 <nil>")
		if e := ends[2]; e.Queued < 20*time.Millisecond || e.OnThread <= 0 || e.Queued+e.OnThread != e.Took {
			t.Errorf("queued %v, on the thread %v of %v", e.Queued, e.OnThread, e.Took)
		}
		if e := ends[3]; e.OnThread < 20*time.Millisecond {
			t.Errorf("a function was on the thread %v", e.OnThread)
		}
	})
}

// A tracer that panics, or even ends its goroutine, keeps no future from completing.
func TestTracerThatFails(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	for _, fail := range map[string]func(){"panic": func() { panic("of the tracer") }, "Goexit": runtime.Goexit} {
		onSQLite(t, func(t *testing.T, db *testDB) {
			db.people(t, "ann")
			armed := false
			e := db.traced(t, tracetest.Funcs{
				Start: func(ctx context.Context, _ aio.TraceCall) context.Context { return ctx },
				End: func(_ context.Context, end aio.TraceEnd) {
					if armed && strings.HasPrefix(end.Statement, "DELETE") {
						fail()
					}
				},
			})
			must(t, e.QueryAsync(db.ctx, "SELECT 1"))
			armed = true
			for range 2 {
				must(t, e.ExecAsync(db.ctx, "DELETE FROM people"))
			}
			if r := must(t, e.QueryAsync(db.ctx, "SELECT name FROM people")); len(must(t, r.FetchAllAsync(db.ctx))) != 0 {
				t.Error("a write is lost")
			}
		})
	}
}
