package conformance

import "database/sql"

// programCases run a bit of everything on all types of connections,
// statements and rows that package drivertest can make.
func programCases() []Case {
	return []Case{
		{Name: "Program/EveryConnAndStmt", On: shapeKinds, Body: everything},
		{Name: "Program/EveryRows", On: rowKinds, Body: everything},
		{Name: "Program/CommonKinds", Body: everything},
		{Name: "Program/EverySession", Body: everySession},
	}
}

// everything uses each method of a driver at least once.
func everything(e *Env) {
	e.Err("Ping", e.DB.Ping())
	e.both("db", e.DB, "echo", 1, "two")
	e.query("db", e.DB, "sets 2x2")
	e.exec("db", e.DB, "affected 3 id 7")

	s, err := e.DB.Prepare("echo ? ?")
	if !e.Err("Prepare", err) {
		for range 2 {
			res, err := s.Exec(1, "two")
			e.Result("stmt", res, err)
			rows, err := s.Query([]byte("one"), nil)
			e.Rows("stmt", rows, err)
		}
		e.Err("Stmt.Close", s.Close())
	}
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx, err := e.DB.Begin()
		if e.Err("Begin", err) {
			continue
		}
		e.both("tx", tx, "echo", true)
		e.query("tx", tx, "rows 2")
		e.Err("end", end(tx))
	}
}

func everySession(e *Env) {
	e.eachSession(func(label string, s session) {
		for _, query := range []string{"noop", "affected 3 id 7", "rows 0", "rows 1", "rows 3", "rows 300", "fail", "fail 7", "badquery"} {
			e.both(label, s, query)
		}
		e.exec(label, s, "affected error id error")
	})
}
