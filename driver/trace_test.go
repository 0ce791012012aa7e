package driver_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/internal/test/tracetest"
)

func TestTracerSeesEachCallOnce(t *testing.T) {
	for _, s := range setups {
		for name, ctx := range contexts(t) {
			t.Run(s.name+"/"+name, func(t *testing.T) {
				tr := new(tracetest.Tracer)
				_, db := s.start(t, dt.Modern, aio.WithTracer(tr))
				conn, err := db.Conn(ctx)
				must(t, err)
				tracetest.Expect(t, tr.Told(t), "connect -1 <nil>")

				must(t, conn.PingContext(ctx))
				_, err = conn.ExecContext(ctx, "affected 3 ?", "secret")
				must(t, err)
				_, err = conn.ExecContext(ctx, "fail")
				if err == nil {
					t.Error("no error")
				}
				tracetest.Expect(t, tr.Told(t), "ping -1 <nil>", "exec affected 3 ? 3 <nil>", "exec fail -1 "+err.Error())

				rows, err := conn.QueryContext(ctx, "rows 40")
				must(t, err)
				for rows.Next() {
				}
				must(t, rows.Err())
				_, err = conn.QueryContext(ctx, "fail 7")
				if err == nil {
					t.Error("no error")
				}
				tracetest.Expect(t, tr.Told(t), "query rows 40 40 <nil>", "query fail 7 -1 "+err.Error())

				rows, err = conn.QueryContext(ctx, "rows 9 error at 3")
				must(t, err)
				for rows.Next() {
				}
				err = rows.Err()
				must(t, rows.Close())
				tracetest.Expect(t, tr.Told(t), "query rows 9 error at 3 2 "+err.Error())

				stmt, err := conn.PrepareContext(ctx, "affected 2")
				must(t, err)
				_, err = stmt.ExecContext(ctx)
				must(t, err)
				must(t, stmt.Close())
				tx, err := conn.BeginTx(ctx, nil)
				must(t, err)
				must(t, tx.Commit())
				tx, err = conn.BeginTx(ctx, nil)
				must(t, err)
				must(t, tx.Rollback())
				must(t, aio.Raw(ctx, conn, func(driver.Conn) error { return nil }))
				tracetest.Expect(t, tr.Told(t), "prepare affected 2 -1 <nil>", "exec affected 2 2 <nil>", "begin BEGIN -1 <nil>", "commit COMMIT -1 <nil>",
					"begin BEGIN -1 <nil>", "rollback ROLLBACK -1 <nil>", "function -1 <nil>")

				must(t, conn.Close())
				must(t, db.PingContext(ctx))
				must(t, db.Close())
				tracetest.Expect(t, tr.Told(t), "reset -1 <nil>", "ping -1 <nil>", "close -1 <nil>")
			})
		}
	}
}

// Several tracers are told of starts in their order, and of ends in the opposite one.
func TestTracersNest(t *testing.T) {
	var order []string
	say := func(name string) aio.Tracer {
		return tracetest.Funcs{Start: func(ctx context.Context, _ aio.TraceCall) context.Context {
			order = append(order, "start "+name)
			return nil
		}, End: func(context.Context, aio.TraceEnd) { order = append(order, "end "+name) }}
	}
	_, db := open(t, dt.Modern, aio.WithTracer(say("a")), aio.WithTracer(nil), aio.WithTracer(say("b")))
	must(t, db.Ping())
	order = nil
	must(t, db.Close())
	if got := fmt.Sprint(order); got != "[start a start b end b end a]" {
		t.Error(got)
	}
}

func TestTracerTellsWaitingFromWorking(t *testing.T) {
	tr := new(tracetest.Tracer)
	_, db := setups[2].start(t, dt.Modern, aio.WithTracer(tr))
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	must(t, err)
	defer conn.Close()
	w, err := aio.Thread(conn)
	must(t, err)
	tr.Told(t)

	const wait, work = 40 * time.Millisecond, 20 * time.Millisecond
	busy := func() (over chan struct{}) {
		begun := make(chan struct{})
		over = make(chan struct{})
		go w.Run(ctx, func() {
			defer close(over)
			close(begun)
			for w.Stats().Queued == 0 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(wait)
		})
		<-begun
		return over
	}
	busy()
	_, err = conn.ExecContext(ctx, "slow 20ms")
	must(t, err)
	end := tr.Told(t)[0]
	if end.Queued < wait/2 || end.OnThread < work || end.OnThread > end.Took-end.Queued {
		t.Errorf("queued %v, on the thread %v of %v", end.Queued, end.OnThread, end.Took)
	}

	// A call that is withdrawn has only waited.
	over := busy()
	short, cancel := context.WithTimeout(ctx, wait/4)
	defer cancel()
	_, err = conn.ExecContext(short, "noop")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	end = tr.Told(t)[0]
	if end.OnThread != 0 || end.Queued <= 0 || end.Err != err {
		t.Errorf("queued %v, on the thread %v, error %v", end.Queued, end.OnThread, end.Err)
	}
	<-over

	// Of a query, the thread's time is that of all its hops, without the pauses.
	rows, err := conn.QueryContext(ctx, "rows 30 slow 1ms")
	must(t, err)
	for rows.Next() {
		time.Sleep(2 * time.Millisecond)
	}
	must(t, rows.Err())
	end = tr.Told(t)[0]
	if end.OnThread < 30*time.Millisecond || end.Took < 60*time.Millisecond || end.OnThread > end.Took {
		t.Errorf("on the thread %v of %v", end.OnThread, end.Took)
	}
}

// Rows that database/sql closes because their context has ended have its error.
func TestTracerSeesWhyRowsHaveEnded(t *testing.T) {
	tr := new(tracetest.Tracer)
	_, db := setups[2].start(t, dt.Modern, aio.WithTracer(tr))
	ctx, cancel := context.WithCancel(context.Background())
	rows, err := db.QueryContext(ctx, "rows 500")
	must(t, err)
	rows.Next()
	cancel()
	for rows.Next() {
	}
	must(t, rows.Close())
	end := tr.Told(t)[1]
	if end.Err != context.Canceled {
		t.Error(end.Err)
	}
	_, err = db.ExecContext(context.Background(), "noop")
	must(t, err)
}

// The inner driver gets the context that the tracer has made.
func TestTracersContextReachesTheDriver(t *testing.T) {
	c := &ctxConn{}
	db := aio.OpenDB(ctxConnector{c}, aio.WithTracer(new(tracetest.Tracer)))
	defer db.Close()
	_, err := db.ExecContext(context.Background(), "noop")
	must(t, err)
	if call := tracetest.CallOf(c.got); call.Op != aio.OpExec || call.Statement != "noop" {
		t.Errorf("the driver got the context of %v", call)
	}
}

type ctxConnector struct{ c *ctxConn }

func (c ctxConnector) Connect(context.Context) (driver.Conn, error) { return c.c, nil }
func (ctxConnector) Driver() driver.Driver                          { return nil }

type ctxConn struct{ got context.Context }

func (c *ctxConn) Prepare(string) (driver.Stmt, error) { return nil, io.EOF }
func (c *ctxConn) Close() error                        { return nil }
func (c *ctxConn) Begin() (driver.Tx, error)           { return nil, io.EOF }
func (c *ctxConn) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	c.got = ctx
	return driver.RowsAffected(1), nil
}

// A tracer that panics loses no write and hangs no call. It is told of no end whose start
// has failed. What it has panicked with is logged once.
func TestTracerThatPanics(t *testing.T) {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	for _, where := range []string{"TraceStart", "TraceEnd"} {
		log.Reset()
		var told []aio.Op
		other := new(tracetest.Tracer)
		_, db := open(t, dt.Modern, aio.WithTracer(tracetest.Funcs{Start: func(ctx context.Context, c aio.TraceCall) context.Context {
			if where == "TraceStart" {
				panic("of the tracer")
			}
			return ctx
		}, End: func(_ context.Context, e aio.TraceEnd) {
			told = append(told, e.Op)
			panic("of the tracer")
		}}), aio.WithTracer(other))
		within(t, func() {
			r, err := db.Exec("affected 3")
			must(t, err)
			if n, _ := r.RowsAffected(); n != 3 {
				t.Errorf("%d rows", n)
			}
			rows, err := db.Query("rows 3")
			must(t, err)
			for rows.Next() {
			}
			must(t, rows.Err())
			must(t, db.Close())
		})
		if where == "TraceStart" && told != nil {
			t.Errorf("told of the end of %v", told)
		}
		tracetest.Expect(t, other.Told(t), "connect -1 <nil>", "exec affected 3 3 <nil>", "reset -1 <nil>", "query rows 3 3 <nil>", "close -1 <nil>")
		if n := strings.Count(log.String(), "of the tracer"); n != 1 || !strings.Contains(log.String(), "method="+where) {
			t.Errorf("%s: logged %d times:\n%s", where, n, &log)
		}
	}
}

// A call that panics, or ends its goroutine, ends for the tracer with an error.
func TestTracerSeesAPanic(t *testing.T) {
	tr := new(tracetest.Tracer)
	_, db := open(t, dt.Modern, aio.WithTracer(tr))
	conn, err := db.Conn(context.Background())
	must(t, err)
	tr.Told(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		aio.Raw(context.Background(), conn, func(driver.Conn) error { panic("of the function") })
	}()
	ends := tr.Told(t)
	if len(ends) != 2 || ends[0].Op != aio.OpFunction || ends[0].Err == nil || ends[1].Op != aio.OpClose {
		t.Errorf("told %v", ends)
	}
}

// In a function on the thread both methods of a tracer run on the thread, else in the
// caller's goroutine.
func TestTracerRunsWhereTheCallIsMade(t *testing.T) {
	where := make(chan string, 10)
	_, db := open(t, dt.Modern, aio.WithTracer(tracetest.Funcs{Start: func(ctx context.Context, c aio.TraceCall) context.Context {
		where <- goroutine()
		return ctx
	}, End: func(context.Context, aio.TraceEnd) { where <- goroutine() }}))
	must(t, db.Ping())
	for range 4 {
		if got := <-where; got != goroutine() {
			t.Errorf("in %s, called in %s", got, goroutine())
		}
	}
	db.Close()
}

func goroutine() string {
	var buf [64]byte
	return strings.Fields(string(buf[:runtime.Stack(buf[:], false)]))[1]
}

// BenchmarkTracer is what a tracer that does nothing adds to an Exec: one that costs a hop,
// and one that is made on the thread. Only one connection is open at a time: with two, a
// call has to look on which thread it is.
func BenchmarkTracer(b *testing.B) {
	nothing := tracetest.Funcs{Start: func(ctx context.Context, _ aio.TraceCall) context.Context { return ctx }, End: func(context.Context, aio.TraceEnd) {}}
	b.Run("off", func(b *testing.B) { benchmarkExec(b) })
	b.Run("on", func(b *testing.B) { benchmarkExec(b, aio.WithTracer(nothing)) })
}

func benchmarkExec(b *testing.B, opts ...aio.Option) {
	ctx := context.Background()
	db := aio.OpenDB(ctxConnector{new(ctxConn)}, opts...)
	defer db.Close()
	conn, err := db.Conn(ctx)
	must(b, err)
	defer conn.Close()
	w, err := aio.Thread(conn)
	must(b, err)
	loop := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := conn.ExecContext(ctx, "noop"); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("hop", loop)
	b.Run("on the thread", func(b *testing.B) { must(b, w.Run(ctx, func() { loop(b) })) })
}
