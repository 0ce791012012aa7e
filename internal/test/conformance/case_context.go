package conformance

import (
	"context"
	"database/sql"
	"time"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func contextCases() []Case {
	return []Case{
		{Name: "Context/EndedBefore", Withdrawn: true, Body: func(e *Env) { endedBefore(e, cancelled()) }},
		{Name: "Context/PastDeadline", Withdrawn: true, Body: func(e *Env) { endedBefore(e, pastDeadline()) }},
		{Name: "Context/EndedBeforeWithBadArg", Withdrawn: true, Body: endedBeforeWithBadArg},
		{Name: "Context/ComesThrough", On: shapeKinds, Body: contextComesThrough},
		{Name: "Context/CancelledAfter", Body: cancelledAfter},
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(background)
	cancel()
	return ctx
}

func pastDeadline() context.Context {
	ctx, cancel := context.WithDeadline(background, time.Unix(0, 0))
	cancel()
	return ctx
}

// endedBefore makes every call under a context that has ended already.
func endedBefore(e *Env, ctx context.Context) {
	s := e.prepare("db", e.DB, "echo ?")
	defer s.Close()
	e.callAll("db", e.DB, ctx)
	e.callStmt("db stmt", s, ctx)
	e.Err("db Ping", e.DB.PingContext(ctx))
	_, err := e.DB.Conn(ctx)
	e.Err("db Conn", err)
	_, err = e.DB.BeginTx(ctx, nil)
	e.Err("db BeginTx", err)

	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	cs := e.prepare("conn", c, "echo ?")
	e.callAll("conn", c, ctx)
	e.callStmt("conn stmt", cs, ctx)
	e.Err("conn Ping", c.PingContext(ctx))
	_, err = c.BeginTx(ctx, nil)
	e.Err("conn BeginTx", err)
	e.Err("conn Stmt.Close", cs.Close())
	e.Err("Conn.Close", c.Close())

	tx, err := e.DB.Begin()
	if e.Err("Begin", err) {
		return
	}
	ts := e.prepare("tx", tx, "echo ?")
	e.callAll("tx", tx, ctx)
	e.callStmt("tx stmt", ts, ctx)
	e.callStmt("tx stmt of stmt", tx.StmtContext(ctx, s), ctx)
	e.Err("Commit", tx.Commit())
	e.Stats("after")
	everyStep(e)
}

// callAll tries what a session does under a context.
func (e *Env) callAll(label string, s session, ctx context.Context) {
	res, err := s.ExecContext(ctx, "affected 1")
	e.Result(label+" Exec", res, err)
	res, err = s.ExecContext(ctx, "skip echo ?", 1)
	e.Result(label+" Exec", res, err)
	rows, err := s.QueryContext(ctx, "rows 1")
	e.Rows(label+" Query", rows, err)
	rows, err = s.QueryContext(ctx, "skip echo ?", 1)
	e.Rows(label+" Query", rows, err)
	stmt, err := s.PrepareContext(ctx, "noop")
	if !e.Err(label+" Prepare", err) {
		e.Err(label+" Stmt.Close", stmt.Close())
	}
}

func (e *Env) callStmt(label string, s *sql.Stmt, ctx context.Context) {
	res, err := s.ExecContext(ctx, 1)
	e.Result(label+" Exec", res, err)
	rows, err := s.QueryContext(ctx, 1)
	e.Rows(label+" Query", rows, err)
}

// endedBeforeWithBadArg has both an ended context and an argument that is
// refused: which error comes first?
func endedBeforeWithBadArg(e *Env) {
	e.eachSession(func(label string, s session) {
		_, err := s.ExecContext(cancelled(), "echo ?", struct{}{})
		e.Err(label+" Exec", err)
		_, err = s.QueryContext(cancelled(), "echo ?", struct{}{})
		e.Err(label+" Query", err)
		_, err = s.ExecContext(cancelled(), "echo ?", sql.Named("n", 1))
		e.Err(label+" Exec", err)
	})
}

// contextComesThrough has values and deadlines that the driver must see; the
// order of calls shows them.
func contextComesThrough(e *Env) {
	for _, ctx := range testContexts(e) {
		e.callAll("db", e.DB, ctx)
		e.Err("Ping", e.DB.PingContext(ctx))
		s, err := e.DB.PrepareContext(ctx, "echo ?")
		e.Err("Prepare", err)
		e.callStmt("stmt", s, ctx)
		e.Err("Stmt.Close", s.Close())
		tx, err := e.DB.BeginTx(ctx, nil)
		if !e.Err("Begin", err) {
			e.callAll("tx", tx, ctx)
			e.Err("Commit", tx.Commit())
		}
	}
}

// testContexts are contexts that do not end before the program does.
func testContexts(e *Env) []context.Context {
	valued := context.WithValue(background, dt.ContextKey{}, "value")
	cancellable, cancel := context.WithCancel(valued)
	limited, cancel2 := context.WithTimeout(background, time.Hour)
	e.atEnd(cancel)
	e.atEnd(cancel2)
	return []context.Context{valued, cancellable, limited}
}

// cancelledAfter cancels contexts of calls that are over: nobody must care.
func cancelledAfter(e *Env) {
	for range 5 {
		ctx, cancel := context.WithCancel(background)
		e.callAll("db", e.DB, ctx)
		c, err := e.DB.Conn(ctx)
		e.Err("Conn", err)
		e.callAll("conn", c, ctx)
		cancel()
		e.exec("conn", c, "echo", 1)
		e.query("conn", c, "rows 3")
		e.Err("Conn.Close", c.Close())
		everyStep(e)
	}
}
