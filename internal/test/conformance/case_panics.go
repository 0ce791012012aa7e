package conformance

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// panicCases make each method panic. Transactions are left out where a panic
// makes database/sql itself keep its locks for ever.
func panicCases() []Case {
	var cases []Case
	for _, method := range faultMethods {
		switch method {
		case "Driver.OpenConnector", "Connector.Close", "Conn.Close":
			continue // they belong to the opening and closing of the pool itself
		}
		if slices.Contains(earlyMethods, method) {
			continue
		}
		cases = append(cases, Case{
			Name: "Panics/" + method,
			On:   kindsWith(method),
			Body: func(e *Env) { panicAt(e, method) },
		})
	}
	return append(cases,
		Case{Name: "Panics/Conn.Close", Body: panicInClose},
		Case{Name: "Panics/Early", SeenOnly: true, Body: panicEarly},
		Case{Name: "Panics/Valuer", Body: panicInValuer},
	)
}

var panicValues = []any{"text", errors.New("an error"), dt.ErrScripted, 42, struct{ A int }{7}, &dt.CodeError{Code: 3}}

func panicAt(e *Env, method string) {
	for _, v := range panicValues {
		for skip := range int64(2) {
			remove := e.Driver.On(method, dt.First(1+skip, dt.After(skip, dt.Panic(v))))
			e.See(method+" panics with", v)
			everyCatch(e)
			remove()
		}
	}
	var list []int
	remove := e.Driver.On(method, dt.First(1, func(dt.Call) error { _ = list[5]; return nil }))
	everyCatch(e)
	remove()
	everyStep(e)
}

// everyCatch is everyStep with a net under each step.
func everyCatch(e *Env) {
	e.Catch("Ping", func() { e.Err("Ping", e.DB.Ping()) })
	e.Catch("exec", func() { e.exec("db", e.DB, "affected 3 id 7") })
	e.Catch("exec", func() { e.exec("db", e.DB, "noop ?", "x") })
	e.Catch("query", func() { e.query("db", e.DB, "sets 2x2") })
	e.Catch("query", func() { e.query("db", e.DB, "echo ?", "y") })

	var s *sql.Stmt
	e.Catch("prepare", func() { s = e.prepare("db", e.DB, "echo ?") })
	if s != nil {
		e.Catch("stmt", func() { e.execStmt("stmt", s, "z") })
		e.Catch("stmt", func() { e.queryStmt("stmt", s, "z") })
		e.Catch("stmt", func() { e.Err("Stmt.Close", s.Close()) })
	}
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		var tx *sql.Tx
		e.Catch("begin", func() {
			var err error
			tx, err = e.DB.Begin()
			e.Err("Begin", err)
		})
		if tx != nil {
			e.Catch("end", func() { e.Err("end", end(tx)) })
		}
	}
	e.Stats("after all steps")
}

func panicInClose(e *Env) {
	e.Err("Ping", e.DB.Ping())
	remove := e.Driver.On("Conn.Close", dt.First(1, dt.Panic("close")))
	e.Catch("SetMaxIdleConns", func() { e.DB.SetMaxIdleConns(-1) })
	remove()
	e.Stats("after the panic")
	e.DB.SetMaxIdleConns(2)
	everyStep(e)
}

// earlyMethods are those that a wrapper may call before the program asks.
var earlyMethods = []string{
	"Conn.IsValid", "Rows.Columns", "Rows.ColumnTypeScanType", "Rows.HasNextResultSet", "Stmt.NumInput",
	"Result.LastInsertId", "Result.RowsAffected",
}

// panicEarly panics in calls that a wrapper may make early: the program must
// meet the panic all the same, though perhaps at another step.
func panicEarly(e *Env) {
	for _, method := range earlyMethods {
		remove := e.Driver.On(method, dt.First(1, dt.Panic(method)))
		var met any
		func() {
			defer func() { met = recover() }()
			allAtOnce(e.DB)
		}()
		remove()
		e.See(method+" panics with", met)
		e.query("after the panic", e.DB, "rows 1")
	}
}

func allAtOnce(db *sql.DB) {
	if res, err := db.Exec("noop"); err == nil {
		res.LastInsertId()
		res.RowsAffected()
	}
	rows, err := db.Query("rows 1")
	if err != nil {
		return
	}
	defer rows.Close()
	rows.ColumnTypes()
	for rows.Next() {
	}
}

// panicky is a driver.Valuer that panics.
type panicky struct{ v any }

func (p panicky) Value() (driver.Value, error) { panic(p.v) }

func panicInValuer(e *Env) {
	for _, v := range panicValues {
		arg := panicky{v}
		e.Catch("exec", func() { e.exec("db", e.DB, "echo ?", arg) })
		e.Catch("query", func() { e.query("db", e.DB, "echo ?", arg) })
		if tx, err := e.DB.Begin(); !e.Err("Begin", err) {
			e.Catch("tx", func() { e.exec("tx", tx, "echo ?", arg) })
			e.Err("Rollback", tx.Rollback())
		}
	}
	everyStep(e)
}
