package conformance

import dt "github.com/sqlaio/sqlaio/internal/test/drivertest"

// setKinds have several result sets, or would if they had RowsNextResultSet.
var setKinds = []dt.Features{
	dt.Minimal, dt.Minimal | dt.NextResultSet, dt.LikeSQLite, dt.LikeMySQL, dt.Modern,
	dt.Modern &^ (dt.ExecerContext | dt.QueryerContext),
}

func setCases() []Case {
	return []Case{
		{Name: "Sets/All", On: setKinds, Body: setsAll},
		{Name: "Sets/Skipped", On: setKinds, Body: setsSkipped},
		{Name: "Sets/Errors", On: setKinds, Body: setsErrors},
		{Name: "Sets/LeftEarly", On: setKinds, Body: setsLeftEarly},
	}
}

func setsAll(e *Env) {
	for _, query := range []string{"sets 1x2", "sets 2x0", "sets 3x2", "sets 2x300", "skip sets 2x2", "rows 2"} {
		e.query("db", e.DB, query)
		e.Stats("after")
	}
}

// setsSkipped goes to the next set before the end of one.
func setsSkipped(e *Env) {
	for _, query := range []string{"sets 3x3", "sets 3x300", "skip sets 3x3", "rows 3"} {
		for n := range 3 {
			rows, err := e.DB.Query(query)
			if e.Err("Query", err) {
				continue
			}
			for more := true; more; more = rows.NextResultSet() {
				for range n {
					e.See("Next", rows.Next())
					e.Row("row", rows)
				}
				e.Columns("set", rows)
			}
			e.Err("Err", rows.Err())
			e.See("Next", rows.Next(), rows.NextResultSet())
			e.Err("Close", rows.Close())
		}
	}
}

func setsErrors(e *Env) {
	for _, query := range []string{
		"sets 3x2 seterror 2", "sets 3x2 seterror 3", "sets 2x2 error at 2", "sets 2x2 error at 4", "sets 2x2 closeerror",
	} {
		e.query("db", e.DB, query)
		e.Stats("after")
	}
}

func setsLeftEarly(e *Env) {
	for _, query := range []string{"sets 3x2", "sets 3x300", "skip sets 3x2"} {
		rows, err := e.DB.Query(query)
		if e.Err("Query", err) {
			continue
		}
		for rows.Next() {
		}
		e.exec("elsewhere", e.DB, "noop")
		e.See("NextResultSet", rows.NextResultSet())
		e.See("Next", rows.Next())
		e.Err("Close", rows.Close())
		e.scanRow("QueryRow", e.DB.QueryRow(query), 7)
		e.Stats("after")
	}
}
