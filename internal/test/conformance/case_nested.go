package conformance

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// rowsNested scans a cursor, a driver.Rows inside a row, into *sql.Rows.
func rowsNested(e *Env) {
	for _, query := range []string{"nested", "skip nested"} {
		for _, ctx := range testContexts(e) {
			outer, err := e.DB.QueryContext(ctx, query)
			if e.Err("Query", err) {
				continue
			}
			for outer.Next() {
				var id any
				var inner sql.Rows
				if e.Err("Scan", outer.Scan(&id, &inner)) {
					continue
				}
				e.See("id", id)
				e.Rows("inner", &inner, nil)
			}
			e.Err("Err", outer.Err())
			e.Err("Close", outer.Close())
		}
	}
	var id any
	var inner sql.Rows
	e.Err("QueryRow", e.DB.QueryRow("nested").Scan(&id, &inner))
	e.See("Next", inner.Next())
	e.Err("Err", inner.Err())
	e.Err("Close", inner.Close())
}

// rowsNestedLeftEarly leaves the cursor, then what it came from.
func rowsNestedLeftEarly(e *Env) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	outer, err := e.DB.QueryContext(ctx, "nested")
	if e.Err("Query", err) {
		return
	}
	e.See("Next", outer.Next())
	var id any
	var inner sql.Rows
	e.Err("Scan", outer.Scan(&id, &inner))
	e.See("inner Next", inner.Next())
	e.Row("inner", &inner)
	e.Err("inner Close", inner.Close())
	e.See("inner Next", inner.Next())
	e.Err("outer Close", outer.Close())
	e.UntilIdle()
	e.Stats("after")
}

// rowsSlow reads rows that take their time.
func rowsSlow(e *Env) {
	for _, query := range []string{"rows 5 slow 3ms", "skip rows 5 slow 3ms", "sets 2x2 slow 3ms"} {
		e.query("db", e.DB, query)
	}
}

// rowsBlocked reads the rows before one that does not come: they must not wait
// for it.
func rowsBlocked(e *Env) {
	var read atomic.Int32
	wait := e.Go(func() {
		rows, err := e.DB.Query("rows 5 block at 3")
		if e.Err("Query", err) {
			return
		}
		for rows.Next() {
			e.Row("row", rows)
			read.Add(1)
		}
		e.Err("Err", rows.Err())
	})
	e.Until("the rows that there are", func() bool { return read.Load() == 2 })
	e.UntilCalled("Rows.Next", 3)
	e.Driver.Release()
	wait()
}
