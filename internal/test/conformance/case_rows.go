package conformance

import (
	"database/sql"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func rowsCases() []Case {
	return []Case{
		{Name: "Rows/Sizes", Body: rowsSizes},
		{Name: "Rows/ErrorAt", Body: rowsErrorAt},
		{Name: "Rows/CloseError", Body: rowsCloseError},
		{Name: "Rows/LeftEarly", Body: rowsLeftEarly},
		{Name: "Rows/AfterTheEnd", Body: rowsAfterTheEnd},
		{Name: "Rows/SeveralAtOnce", Body: rowsSeveralAtOnce},
		{Name: "Rows/QueryRow", Body: rowsQueryRow},
		{Name: "Rows/ReusedBuffer", Body: rowsReusedBuffer},
		{Name: "Rows/RawBytes", Body: rowsRawBytes},
		{Name: "Rows/Nested", Body: rowsNested},
		{Name: "Rows/NestedLeftEarly", Body: rowsNestedLeftEarly},
		{Name: "Rows/Slow", On: []dt.Features{dt.Minimal, dt.Modern}, Body: rowsSlow},
		{Name: "Rows/BlockedRowHoldsBackNoOther", On: []dt.Features{dt.Minimal, dt.Legacy, dt.Modern}, Body: rowsBlocked},
	}
}

func rowsSizes(e *Env) {
	for _, query := range []string{
		"rows 0", "rows 1", "rows 2", "rows 15", "rows 16", "rows 17", "rows 63", "rows 64", "rows 65", "rows 255", "rows 256",
		"rows 257", "rows 600", "rows 20 size 100000", "rows 3 size 2000000", "rows 5 size 0", "skip rows 300",
	} {
		e.query("db", e.DB, query)
	}
}

func rowsErrorAt(e *Env) {
	for _, query := range []string{
		"rows 10 error at 1", "rows 10 error at 2", "rows 10 error at 10", "rows 10 error at 11", "rows 10 error at 12",
		"rows 600 error at 300", "skip rows 10 error at 5", "rows 0 error at 1", "sets 2x3 error at 5", "sets 2x3 error at 4",
	} {
		e.query("db", e.DB, query)
		e.Stats("after")
		rows, err := e.DB.Query(query)
		if !e.Err("Query", err) {
			// An error that the reader never gets to is none.
			e.See("Next", rows.Next())
			e.Err("Close", rows.Close())
			e.Err("Err", rows.Err())
		}
	}
}

func rowsCloseError(e *Env) {
	for _, query := range []string{"rows 3 closeerror", "rows 0 closeerror", "rows 600 closeerror", "skip rows 3 closeerror", "rows 3 closeerror error at 2"} {
		e.query("db", e.DB, query)
		rows, err := e.DB.Query(query)
		if e.Err("Query", err) {
			continue
		}
		e.See("Next", rows.Next())
		e.Err("Close", rows.Close())
		e.Err("Err", rows.Err())
		e.Err("Close again", rows.Close())
		e.scanRow("QueryRow", e.DB.QueryRow(query), 7)
		e.Stats("after")
	}
}

// scanRow scans a row of n columns and writes them down.
func (e *Env) scanRow(label string, row *sql.Row, n int) {
	values := make([]any, n)
	dests := make([]any, n)
	for i := range values {
		dests[i] = &values[i]
	}
	e.Err(label+" Err", row.Err())
	e.Err(label+" Scan", row.Scan(dests...))
	e.See(label, values...)
}

// rowsLeftEarly closes rows after n of them, with other statements before and
// after that must keep their order.
func rowsLeftEarly(e *Env) {
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	for _, query := range []string{"rows 3", "rows 600", "skip rows 3", "sets 2x3"} {
		for n := range 4 {
			rows, err := c.QueryContext(background, query)
			e.Err("Query", err)
			for range n {
				e.See("Next", rows.Next())
				e.Row("row", rows)
			}
			e.exec("while open", c, "affected 1")
			e.Err("Close", rows.Close())
			e.exec("after", c, "affected 2")
		}
	}
	e.Err("Conn.Close", c.Close())
}

func rowsAfterTheEnd(e *Env) {
	rows, err := e.DB.Query("rows 1")
	e.Err("Query", err)
	e.Err("Scan before Next", rows.Scan())
	e.See("Next", rows.Next())
	var one any
	e.Err("Scan too few", rows.Scan(&one))
	e.See("Next", rows.Next(), rows.Next())
	e.Row("after EOF", rows)
	e.Err("Scan", rows.Scan(&one))
	_, err = rows.ColumnTypes()
	e.Err("ColumnTypes", err)
	e.See("NextResultSet", rows.NextResultSet())
	e.Err("Err", rows.Err())
	e.Err("Close", rows.Close())
}

// rowsSeveralAtOnce reads several results of one connection in turn.
func rowsSeveralAtOnce(e *Env) {
	tx, err := e.DB.Begin()
	if e.Err("Begin", err) {
		return
	}
	var all []*sql.Rows
	for _, query := range []string{"rows 3", "rows 400", "skip rows 5", "rows 0"} {
		rows, err := tx.Query(query)
		if e.Err("Query", err) {
			return
		}
		all = append(all, rows)
	}
	for range 5 {
		for _, rows := range all {
			if e.See("Next"); rows.Next() {
				e.Row("row", rows)
			}
		}
		e.exec("between", tx, "noop")
	}
	for _, rows := range all {
		e.Err("Close", rows.Close())
	}
	e.Err("Rollback", tx.Rollback())
}

func rowsQueryRow(e *Env) {
	for _, query := range []string{
		"rows 1", "rows 5", "rows 600", "rows 0", "rows 5 error at 1", "rows 5 error at 2", "skip rows 5", "rows 2 closeerror",
		"sets 2x1", "sets 2x0", "fail", "fail 9", "badquery",
	} {
		e.scanRow(query, e.DB.QueryRow(query), 7)
		e.scanRow(query+" too few", e.DB.QueryRow(query), 2)
	}
	var raw sql.RawBytes
	e.Err("RawBytes", e.DB.QueryRow("rows 1").Scan(&raw))
	e.Stats("after")
}

// rowsReusedBuffer keeps what it scanned while the driver overwrites its
// buffer.
func rowsReusedBuffer(e *Env) {
	for _, query := range []string{"rows 5 reuse", "rows 600 reuse size 9", "skip rows 5 reuse"} {
		rows, err := e.DB.Query(query)
		if e.Err("Query", err) {
			continue
		}
		var kept [][]byte
		for rows.Next() {
			var b []byte
			var skip any
			e.Err("Scan", rows.Scan(&skip, &skip, &b, &skip, &skip, &skip, &skip))
			kept = append(kept, b)
		}
		e.Err("Err", rows.Err())
		e.See("kept", kept)
	}
}

// rowsRawBytes looks at memory that belongs to the driver, while it may.
func rowsRawBytes(e *Env) {
	for _, query := range []string{"rows 5", "rows 5 reuse", "rows 300 reuse", "skip rows 5 reuse"} {
		rows, err := e.DB.Query(query)
		if e.Err("Query", err) {
			continue
		}
		for rows.Next() {
			var raw [7]sql.RawBytes
			e.Err("Scan", rows.Scan(&raw[0], &raw[1], &raw[2], &raw[3], &raw[4], &raw[5], &raw[6]))
			for _, r := range raw {
				e.See("raw", string(r), r == nil)
			}
			var skip sql.RawBytes
			e.Err("Scan again", rows.Scan(&skip, &skip, &skip, &skip, &skip, &skip, &skip))
		}
		e.Err("Err", rows.Err())
		e.Err("Close", rows.Close())
	}
}
