package conformance

func columnCases() []Case {
	return []Case{
		{Name: "Columns/Types", On: rowKinds, Body: columnTypes},
		{Name: "Columns/KeptAfterEnd", On: rowKinds, Body: columnsKept},
	}
}

// columnTypes asks before, between and after the rows, and in every set.
func columnTypes(e *Env) {
	for _, query := range []string{"rows 2", "rows 0", "sets 2x2", "skip rows 1", "echo", "nested", "noop"} {
		rows, err := e.DB.Query(query)
		if e.Err("Query", err) {
			continue
		}
		for more := true; more; more = rows.NextResultSet() {
			e.Columns("before", rows)
			for rows.Next() {
				e.Columns("between", rows)
			}
			e.Columns("after", rows)
		}
		e.Err("Close", rows.Close())
		e.Columns("closed", rows)
	}
}

// columnsKept uses the answers when the rows are gone.
func columnsKept(e *Env) {
	rows, err := e.DB.Query("rows 1")
	if e.Err("Query", err) {
		return
	}
	names, err := rows.Columns()
	e.Err("Columns", err)
	types, err := rows.ColumnTypes()
	e.Err("ColumnTypes", err)
	e.Err("Close", rows.Close())
	e.query("another", e.DB, "sets 2x1")
	e.See("names", names)
	for _, t := range types {
		e.See("type", t.Name(), t.DatabaseTypeName())
	}
}
