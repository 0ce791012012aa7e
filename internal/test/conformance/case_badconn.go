package conformance

import (
	"database/sql/driver"
	"fmt"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func badConnCases() []Case {
	return []Case{
		{Name: "BadConn/WarmPool", On: faultKinds, Body: badConnWarmPool},
		{Name: "BadConn/Scripted", Body: badConnScripted},
		{Name: "BadConn/InConn", Body: badConnInConn},
		{Name: "BadConn/Rows", Body: badConnRows},
	}
}

// warm fills the pool with n idle connections.
func warm(e *Env, n int) {
	e.DB.SetMaxIdleConns(n)
	var closes []func() error
	for range n {
		c, err := e.DB.Conn(background)
		if e.Err("Conn", err) {
			return
		}
		closes = append(closes, c.Close)
	}
	for _, closeConn := range closes {
		e.Err("Conn.Close", closeConn())
	}
	e.Stats("warm")
}

// badConnWarmPool retries on the connections of a pool, then on a new one.
func badConnWarmPool(e *Env) {
	for _, method := range []string{
		"Conn.Ping", "Conn.Exec", "Conn.ExecContext", "Conn.Query", "Conn.QueryContext", "Conn.Prepare",
		"Conn.PrepareContext", "Conn.Begin", "Conn.BeginTx", "Conn.ResetSession",
		"Stmt.Exec", "Stmt.ExecContext", "Stmt.Query", "Stmt.QueryContext",
	} {
		for _, n := range []int64{1, 2, 3, 5} {
			warm(e, 3)
			remove := e.Driver.On(method, dt.First(n, dt.Return(driver.ErrBadConn)))
			e.See(fmt.Sprintf("%s fails %d times", method, n))
			everyStep(e)
			remove()
		}
	}
}

func badConnScripted(e *Env) {
	warm(e, 3)
	e.both("db", e.DB, "badconn")
	e.both("db", e.DB, "skip badconn")
	s := e.prepare("db", e.DB, "badconn")
	e.execStmt("stmt", s)
	e.queryStmt("stmt", s)
	e.Err("Stmt.Close", s.Close())
	e.Stats("after")
}

// badConnInConn loses a connection that somebody holds: there is no retry.
func badConnInConn(e *Env) {
	for _, query := range []string{"badconn", "skip badconn"} {
		c, err := e.DB.Conn(background)
		if e.Err("Conn", err) {
			return
		}
		e.exec("conn", c, query)
		e.exec("conn", c, "noop")
		e.Err("Conn.Close", c.Close())
		e.Stats("conn")

		tx, err := e.DB.Begin()
		if e.Err("Begin", err) {
			return
		}
		e.exec("tx", tx, query)
		e.exec("tx", tx, "noop")
		remove := e.Driver.On("Tx.Commit", dt.Return(driver.ErrBadConn))
		e.prepare("tx", tx, "noop")
		e.Err("Commit", tx.Commit())
		remove()
		e.Stats("tx")
	}
}

func badConnRows(e *Env) {
	for _, method := range []string{"Rows.Next", "Rows.Close", "Rows.NextResultSet"} {
		for n := range int64(3) {
			remove := e.Driver.On(method, dt.After(n, dt.Return(driver.ErrBadConn)))
			e.query("db", e.DB, "sets 2x2")
			remove()
			e.Stats(method)
		}
	}
}
