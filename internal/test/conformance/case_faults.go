package conformance

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// faultMethods are the driver's methods that return an error, or say no. For
// IsValid, which a wrapper may ask oftener, see the session cases.
var faultMethods = []string{
	"Driver.Open", "Driver.OpenConnector", "Connector.Connect", "Connector.Close",
	"Conn.Ping", "Conn.Exec", "Conn.ExecContext", "Conn.Query", "Conn.QueryContext",
	"Conn.Prepare", "Conn.PrepareContext", "Conn.Begin", "Conn.BeginTx", "Conn.Close",
	"Conn.ResetSession", "Conn.CheckNamedValue",
	"Stmt.Exec", "Stmt.ExecContext", "Stmt.Query", "Stmt.QueryContext", "Stmt.Close",
	"Stmt.CheckNamedValue", "Stmt.NumInput", "Converter.ConvertValue",
	"Rows.Next", "Rows.Close", "Rows.NextResultSet", "Rows.HasNextResultSet",
	"Result.LastInsertId", "Result.RowsAffected", "Tx.Commit", "Tx.Rollback",
}

// faults are the errors that each of them returns in turn.
var faults = []error{
	dt.ErrScripted, &dt.CodeError{Code: 7}, fmt.Errorf("wrapped: %w", &dt.CodeError{Code: 8}),
	driver.ErrSkip, fmt.Errorf("wrapped: %w", driver.ErrSkip),
	driver.ErrBadConn, fmt.Errorf("wrapped: %w", driver.ErrBadConn),
	driver.ErrRemoveArgument, io.EOF, fmt.Errorf("wrapped: %w", io.EOF),
	context.Canceled, context.DeadlineExceeded, sql.ErrNoRows, sql.ErrTxDone,
}

// faultCases make one method after the other fail: once, twice, always.
func faultCases() []Case {
	var cases []Case
	for _, method := range faultMethods {
		for _, times := range []int64{1, 2, 1000} {
			cases = append(cases, Case{
				Name: fmt.Sprintf("Faults/%s/%d", method, times),
				On:   kindsWith(method),
				// A connection that may be in a transaction still is rolled back, and
				// dropped if that fails: the bare driver's next caller works inside.
				SeenOnly: method == "Tx.Commit" || method == "Tx.Rollback",
				Body:     func(e *Env) { failAt(e, method, times) },
			})
		}
	}
	return cases
}

// failAt makes a method return each fault for the first calls.
func failAt(e *Env, method string, times int64) {
	for _, fault := range faults {
		e.See(fmt.Sprintf("with %s returning %v", method, fault))
		remove := e.Driver.On(method, dt.First(times, dt.Return(fault)))
		everyStep(e)
		remove()
	}
}

// faultKinds are drivers of which some has each method.
var faultKinds = []dt.Features{
	dt.Minimal | dt.NumInput, dt.Legacy | dt.ConnChecker, dt.LikeSQLite, dt.LikeMySQL, dt.Modern,
}

// kindsWith are those faultKinds that have the method at all.
func kindsWith(method string) []dt.Features {
	var kinds []dt.Features
	for _, f := range faultKinds {
		if calls(f, method) {
			kinds = append(kinds, f)
		}
	}
	return kinds
}

func calls(f dt.Features, method string) bool {
	d := dt.New(f)
	c, err := driverOpener(nil)(false)(d, "")
	if err != nil {
		return false
	}
	e := &Env{Kind: f, Driver: d, DB: sql.OpenDB(c)}
	everyStep(e)
	e.DB.Close()
	return d.Count(method) > 0
}

// everyStep goes through all methods and goes on after each error.
func everyStep(e *Env) {
	e.Err("Ping", e.DB.Ping())
	e.exec("db", e.DB, "affected 3 id 7")
	e.exec("db", e.DB, "noop ?", "x")
	e.query("db", e.DB, "sets 2x2")
	e.query("db", e.DB, "echo ?", "y")
	s, err := e.DB.Prepare("echo ?")
	if !e.Err("Prepare", err) {
		e.execStmt("stmt", s, "z")
		e.queryStmt("stmt", s, "z")
		e.Err("Stmt.Close", s.Close())
	}
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx, err := e.DB.Begin()
		if e.Err("Begin", err) {
			continue
		}
		e.exec("tx", tx, "affected 1")
		e.query("tx", tx, "rows 2")
		ts := e.prepare("tx", tx, "rows 1")
		if ts != nil {
			e.queryStmt("tx stmt", ts)
		}
		e.Err("end", end(tx))
		e.Err("end again", end(tx))
	}
	if c, err := e.DB.Conn(background); !e.Err("Conn", err) {
		e.Err("Conn.Ping", c.PingContext(background))
		e.exec("conn", c, "noop")
		e.query("conn", c, "rows 2")
		e.Err("Conn.Close", c.Close())
	}
	e.Stats("after all steps")
}
