package conformance

import (
	"context"
	"database/sql"
	"strings"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// ctxKinds heed contexts wherever a driver can.
var ctxKinds = []dt.Features{
	dt.LikeSQLite, dt.LikeMySQL, dt.Modern, dt.Full, dt.Modern &^ (dt.ExecerContext | dt.QueryerContext),
}

// oldKinds know no contexts: what was started runs to its end.
var oldKinds = []dt.Features{dt.Minimal, dt.Legacy, dt.Legacy | dt.ConnChecker}

func cancelCases() []Case {
	return []Case{
		{Name: "Cancel/Running", On: ctxKinds, Body: cancelRunning},
		{Name: "Cancel/RunningWithoutContexts", On: oldKinds, Body: cancelOld},
		{Name: "Cancel/Deadline", On: ctxKinds, Body: deadlineRunning},
		{Name: "Cancel/BetweenRows", Body: cancelBetweenRows},
		{Name: "Cancel/InNext", On: ctxKinds, Body: cancelInNext},
		{Name: "Cancel/InFirstNext", On: ctxKinds, Body: cancelInFirstNext},
		{Name: "Cancel/AtGate", On: ctxKinds, Body: cancelAtGate},
		{Name: "Cancel/Connect", On: []dt.Features{dt.Modern, dt.LikeMySQL}, Body: cancelConnect},
		{Name: "Cancel/WaitingForConn", Body: cancelWaiting},
	}
}

// call is one way to run a statement under a context.
type call struct {
	name string
	run  func(context.Context) error
}

// calls are all ways to run a query; they return its error, also a late one.
func (e *Env) calls(s session, query string) []call {
	readAll := func(rows *sql.Rows, err error) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	}
	p := prepared{s, e}
	return []call{
		{"Exec", func(ctx context.Context) error { _, err := s.ExecContext(ctx, query); return err }},
		{"Query", func(ctx context.Context) error { return readAll(s.QueryContext(ctx, query)) }},
		{"stmt Exec", func(ctx context.Context) error { _, err := p.ExecContext(ctx, query); return err }},
		{"stmt Query", func(ctx context.Context) error { return readAll(p.QueryContext(ctx, query)) }},
	}
}

// cancelRunning cancels each kind of call while the driver is in it.
func cancelRunning(e *Env) {
	e.eachHolder(func(label string, s session) {
		for _, query := range []string{"interruptible", "skip interruptible"} {
			for _, c := range e.calls(s, query) {
				ctx, cancel := context.WithCancel(background)
				entered, remove := e.onEnter(query)
				wait := e.Go(func() { e.Err(label+" "+c.name, c.run(ctx)) })
				<-entered
				cancel()
				wait()
				remove()
				e.flush()
			}
		}
	})
	e.Stats("after")
	everyStep(e)
}

// eachHolder runs fn with the pool and with a connection.
func (e *Env) eachHolder(fn func(label string, s session)) {
	fn("db", e.DB)
	if c, err := e.DB.Conn(background); !e.Err("Conn", err) {
		fn("conn", c)
		e.Err("Conn.Close", c.Close())
	}
}

// onEnter tells when a statement has come to the driver to be run.
func (e *Env) onEnter(query string) (entered chan struct{}, remove func()) {
	entered = make(chan struct{}, 64)
	remove = e.Driver.On("", func(c dt.Call) error {
		if runs(c, query) {
			entered <- struct{}{}
		}
		return nil
	})
	return entered, remove
}

// runs reports whether the call runs the query for good.
func runs(c dt.Call, query string) bool {
	switch c.Method {
	case "Conn.Exec", "Conn.ExecContext", "Conn.Query", "Conn.QueryContext":
		return c.Query == query && !strings.Contains(query, "skip")
	case "Stmt.Exec", "Stmt.ExecContext", "Stmt.Query", "Stmt.QueryContext":
		return c.Query == query
	}
	return false
}

// cancelOld cancels calls of drivers that cannot know: they go on, and their
// result counts.
func cancelOld(e *Env) {
	for _, query := range []string{"rows 5", "skip rows 5"} {
		ctx, cancel := context.WithCancel(background)
		remove := e.Driver.On("", func(c dt.Call) error {
			if runs(c, query) {
				cancel()
			}
			return nil
		})
		res, err := e.DB.ExecContext(ctx, query)
		e.Result("Exec", res, err)

		ctx, cancel = context.WithCancel(background)
		rows, err := e.DB.QueryContext(ctx, query)
		e.Err("Query", err)
		e.UntilIdle()
		e.See("Next", rows.Next())
		e.Err("Err", rows.Err())
		e.Err("Close", rows.Close())
		cancel()
		remove()
	}
	e.Stats("after")
}

// deadlineRunning lets the time of each kind of call run out.
func deadlineRunning(e *Env) {
	for _, c := range e.calls(e.DB, "interruptible") {
		ctx := newDeadline()
		entered, remove := e.onEnter("interruptible")
		wait := e.Go(func() { e.Err(c.name, c.run(ctx)) })
		<-entered
		ctx.pass()
		wait()
		remove()
		e.flush()
	}
	e.Stats("after")
}

// cancelBetweenRows cancels while the program holds a row.
func cancelBetweenRows(e *Env) {
	for _, query := range []string{"rows 5", "skip rows 5", "sets 2x3", "rows 500"} {
		ctx, cancel := context.WithCancel(background)
		rows, err := e.DB.QueryContext(ctx, query)
		if e.Err("Query", err) {
			cancel()
			continue
		}
		e.See("Next", rows.Next(), rows.Next())
		e.Row("second", rows)
		cancel()
		e.UntilIdle()
		e.See("Next", rows.Next(), rows.NextResultSet())
		e.Err("Err", rows.Err())
		e.Err("Close", rows.Close())
		e.Stats("after")
	}
}

// cancelInNext cancels while the program waits for the third row: it has got
// those before.
func cancelInNext(e *Env) {
	for _, query := range []string{"rows 5 block at 3", "skip rows 5 block at 3"} {
		ctx, cancel := context.WithCancel(background)
		before := e.Driver.Count("Rows.Next")
		read := make(chan struct{})
		wait := e.Go(func() {
			rows, err := e.DB.QueryContext(ctx, query)
			if e.Err("Query", err) {
				return
			}
			for n := 1; rows.Next(); n++ {
				e.Row("row", rows)
				if n == 2 {
					close(read)
				}
			}
			e.Err("Err", rows.Err())
			e.Err("Close", rows.Close())
		})
		<-read
		e.UntilCalled("Rows.Next", before+3)
		cancel()
		wait()
		e.UntilIdle()
		e.Stats("after")
	}
}

// cancelInFirstNext cancels a query that has no row yet. A wrapper may wait for
// the first row in Query, so that it is Query that fails.
func cancelInFirstNext(e *Env) {
	for _, query := range []string{"rows 5 block at 1", "skip rows 5 block at 1"} {
		ctx, cancel := context.WithCancel(background)
		before := e.Driver.Count("Rows.Next")
		wait := e.Go(func() {
			rows, err := e.DB.QueryContext(ctx, query)
			if err == nil {
				e.See("Next", rows.Next())
				err = rows.Err()
				e.Err("Close", rows.Close())
			} else {
				e.See("Next", false)
				e.Err("Close", nil)
			}
			e.Err("Err", err)
		})
		e.UntilCalled("Rows.Next", before+1)
		cancel()
		wait()
		e.UntilIdle()
		e.Stats("after")
	}
}

// cancelAtGate cancels calls that the driver has been holding.
func cancelAtGate(e *Env) {
	for _, g := range []struct {
		method string
		run    func(context.Context) error
	}{
		{"Conn.Ping", e.DB.PingContext},
		{"Conn.PrepareContext", func(ctx context.Context) error { _, err := e.DB.PrepareContext(ctx, "noop"); return err }},
		{"Conn.BeginTx", func(ctx context.Context) error { _, err := e.DB.BeginTx(ctx, nil); return err }},
	} {
		e.Err("before", e.DB.Ping())
		ctx, cancel := context.WithCancel(background)
		gate := e.Driver.Gate(g.method)
		wait := e.Go(func() { e.Err(g.method, g.run(ctx)) })
		gate.Wait()
		cancel()
		wait()
		gate.Open()
		e.UntilIdle()
		e.Stats("after " + g.method)
	}
	everyStep(e)
}

func cancelConnect(e *Env) {
	ctx, cancel := context.WithCancel(background)
	gate := e.Driver.Gate("Connector.Connect")
	wait := e.Go(func() { e.Err("Ping", e.DB.PingContext(ctx)) })
	gate.Wait()
	cancel()
	wait()
	gate.Open()
	e.Stats("after")
	everyStep(e)
}

// cancelWaiting gives up on waiting for a connection.
func cancelWaiting(e *Env) {
	e.DB.SetMaxOpenConns(1)
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	for _, call := range e.calls(e.DB, "noop") {
		ctx, cancel := context.WithCancel(background)
		waits := e.DB.Stats().WaitCount
		wait := e.Go(func() { e.Err(call.name, call.run(ctx)) })
		e.Until("the call to wait", func() bool { return e.DB.Stats().WaitCount > waits })
		cancel()
		wait()
	}
	e.Err("Conn.Close", c.Close())
	e.Stats("after")
	everyStep(e)
}
