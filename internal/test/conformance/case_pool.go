package conformance

import (
	"database/sql"
	"time"
)

func poolCases() []Case {
	return []Case{
		{Name: "Pool/Limits", Body: poolLimits},
		{Name: "Pool/Waiting", Body: poolWaiting},
		{Name: "Pool/CloseInUse", Body: poolCloseInUse},
		{Name: "Pool/Leaks", Body: poolLeaks},
	}
}

func poolLimits(e *Env) {
	for _, idle := range []int{-1, 1, 3} {
		e.DB.SetMaxIdleConns(idle)
		var rows []*sql.Rows
		for range 4 {
			r, err := e.DB.Query("rows 3")
			e.Err("Query", err)
			rows = append(rows, r)
			e.Stats("growing")
		}
		for _, r := range rows {
			e.See("Next", r.Next())
			e.Err("Close", r.Close())
			e.Stats("shrinking")
		}
	}
	e.DB.SetConnMaxLifetime(time.Nanosecond)
	everyStep(e)
	e.DB.SetConnMaxLifetime(0)
	e.DB.SetMaxIdleConns(0)
	everyStep(e)
}

// poolWaiting has a call wait for the only connection.
func poolWaiting(e *Env) {
	e.DB.SetMaxOpenConns(1)
	for _, query := range []string{"noop", "fail", "rows 2"} {
		rows, err := e.DB.Query("rows 3")
		if e.Err("Query", err) {
			return
		}
		waits := e.DB.Stats().WaitCount
		wait := e.Go(func() { e.both("waiting", e.DB, query) })
		e.Until("the call to wait", func() bool { return e.DB.Stats().WaitCount > waits })
		err = rows.Close()
		wait()
		e.Err("Close", err)
		e.Stats("after")
	}
}

// poolCloseInUse closes the pool under everything that can be open.
func poolCloseInUse(e *Env) {
	c, err := e.DB.Conn(background)
	e.Err("Conn", err)
	tx, err := e.DB.Begin()
	e.Err("Begin", err)
	rows, err := e.DB.Query("rows 5")
	e.Err("Query", err)
	s := e.prepare("db", e.DB, "echo ?")
	cs := e.prepare("conn", c, "echo ?")
	e.See("Next", rows.Next())
	e.Err("DB.Close", e.DB.Close())
	e.Stats("closed")

	e.Row("row", rows)
	e.Rows("rest", rows, nil)
	e.execStmt("stmt", s, 1)
	e.execStmt("conn stmt", cs, 1)
	e.both("tx", tx, "echo", 1)
	e.Err("Commit", tx.Commit())
	e.Err("Stmt.Close", cs.Close())
	e.exec("conn", c, "noop")
	e.Err("Conn.Close", c.Close())
	e.Err("Stmt.Close", s.Close())
	e.Stats("all closed")
}

// poolLeaks forgets to close: what is left open must be the same.
func poolLeaks(e *Env) {
	_, err := e.DB.Query("rows 5")
	e.Err("Query", err)
	_, err = e.DB.Conn(background)
	e.Err("Conn", err)
	e.prepare("db", e.DB, "echo ?")
	e.Stats("leaking")
}
