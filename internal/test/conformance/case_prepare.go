package conformance

import (
	"database/sql"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func prepareCases() []Case {
	return []Case{
		{Name: "Prepare/Reuse", Body: prepareReuse},
		{Name: "Prepare/AnotherConn", Body: prepareAnotherConn},
		{Name: "Prepare/TxStmt", Body: prepareTxStmt},
		{Name: "Prepare/TxStmtOfClosed", Body: prepareTxStmtOfClosed},
		{Name: "Prepare/AfterTheEnd", Body: prepareAfterTheEnd},
		{Name: "Prepare/CloseOrders", Body: prepareCloseOrders},
		{Name: "Prepare/ConnGoesFirst", Body: prepareConnGoesFirst},
		{Name: "Prepare/Errors", Body: prepareErrors},
	}
}

func (e *Env) execStmt(label string, s *sql.Stmt, args ...any) {
	res, err := s.Exec(args...)
	e.Result(label, res, err)
}

func (e *Env) queryStmt(label string, s *sql.Stmt, args ...any) {
	rows, err := s.Query(args...)
	e.Rows(label, rows, err)
}

func (e *Env) prepare(label string, s session, query string) *sql.Stmt {
	stmt, err := s.PrepareContext(background, query)
	e.Err(label+" Prepare", err)
	return stmt
}

func prepareReuse(e *Env) {
	s := e.prepare("db", e.DB, "echo ?")
	for i := range 3 {
		e.execStmt("stmt", s, i)
		e.queryStmt("stmt", s, i)
		var ordinal, name, typ, value any
		e.Err("QueryRow", s.QueryRow(i).Scan(&ordinal, &name, &typ, &value))
		e.See("row", ordinal, name, typ, value)
	}
	e.Err("Close", s.Close())
	e.Err("Close again", s.Close())
	e.execStmt("closed", s, 1)
	e.queryStmt("closed", s, 1)
}

// prepareAnotherConn uses a statement while its connection is taken.
func prepareAnotherConn(e *Env) {
	s := e.prepare("db", e.DB, "echo ?")
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	e.execStmt("elsewhere", s, 1)
	rows, err := s.Query(2)
	e.Err("Query", err)
	e.execStmt("while reading", s, 3)
	e.Rows("rows", rows, err)
	e.Err("Conn.Close", c.Close())
	e.Stats("before Close")
	e.execStmt("again", s, 4)
	e.Err("Stmt.Close", s.Close())
}

func prepareTxStmt(e *Env) {
	s := e.prepare("db", e.DB, "echo ?")
	for range 2 { // on the same connection; then on one that needs preparing
		tx, err := e.DB.Begin()
		if e.Err("Begin", err) {
			return
		}
		ts := tx.Stmt(s)
		e.execStmt("tx", ts, 1)
		e.queryStmt("tx", tx.Stmt(s), 2)
		e.queryStmt("tx stmt of tx stmt", tx.Stmt(ts), 3)
		c, err := e.DB.Conn(background)
		e.Err("Conn", err)
		e.Err("Commit", tx.Commit())
		e.execStmt("after commit", ts, 4)
		e.execStmt("outside", s, 5)
		e.Err("tx Stmt.Close", ts.Close())
		e.Err("Conn.Close", c.Close())
		e.DB.SetMaxIdleConns(1)
	}
	e.Err("Stmt.Close", s.Close())
}

func prepareTxStmtOfClosed(e *Env) {
	s := e.prepare("db", e.DB, "echo ?")
	e.Err("Stmt.Close", s.Close())
	tx, err := e.DB.Begin()
	if e.Err("Begin", err) {
		return
	}
	e.execStmt("closed", tx.Stmt(s), 1)
	remove := e.Driver.On("", failPrepare)
	e.execStmt("cannot prepare", tx.Stmt(s), 1)
	remove()
	e.Err("Rollback", tx.Rollback())
	e.execStmt("after the end", tx.Stmt(s), 1)
}

func failPrepare(c dt.Call) error {
	if c.Method == "Conn.Prepare" || c.Method == "Conn.PrepareContext" {
		return dt.ErrScripted
	}
	return nil
}

func prepareAfterTheEnd(e *Env) {
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	s := e.prepare("conn", c, "echo ?")
	e.Err("Conn.Close", c.Close())
	e.execStmt("conn gone", s, 1)
	e.Err("Stmt.Close", s.Close())
	e.prepare("conn gone", c, "noop")

	tx, err := e.DB.Begin()
	if e.Err("Begin", err) {
		return
	}
	s = e.prepare("tx", tx, "echo ?")
	e.Err("Commit", tx.Commit())
	e.execStmt("tx gone", s, 1)
	e.Err("Stmt.Close", s.Close())
	e.prepare("tx gone", tx, "noop")

	s = e.prepare("db", e.DB, "echo ?")
	e.Err("DB.Close", e.DB.Close())
	e.execStmt("db gone", s, 1)
	e.Err("Stmt.Close", s.Close())
	e.prepare("db gone", e.DB, "noop")
	e.exec("db gone", e.DB, "noop")
}

// prepareCloseOrders closes statements before and after what hangs on them.
func prepareCloseOrders(e *Env) {
	s := e.prepare("db", e.DB, "rows 3")
	rows, err := s.Query()
	e.Err("Query", err)
	e.See("Next", rows.Next())
	e.Err("Stmt.Close", s.Close())
	e.Row("still open", rows)
	e.See("Next", rows.Next())
	e.Err("Rows.Close", rows.Close())
	e.Err("Rows.Close", rows.Close())
	e.Stats("rows closed")

	several := []*sql.Stmt{e.prepare("a", e.DB, "noop"), e.prepare("b", e.DB, "rows 1"), e.prepare("c", e.DB, "echo")}
	e.DB.SetMaxIdleConns(-1) // closes the connection with its statements
	e.Stats("no idle")
	for _, s := range several {
		e.execStmt("again", s)
		e.Err("Stmt.Close", s.Close())
	}
}

// prepareConnGoesFirst closes a statement when the connection that it was
// prepared on is gone. database/sql closes it all the same; a wrapper may do it
// before, but not leave it open.
func prepareConnGoesFirst(e *Env) {
	for _, query := range []string{"echo", "badconn"} {
		c, err := e.DB.Conn(background)
		if e.Err("Conn", err) {
			return
		}
		s := e.prepare("conn", c, query)
		e.execStmt("conn", s)
		if query == "echo" {
			e.Err("Conn.Close", c.Close())
			e.DB.SetMaxIdleConns(-1)
		}
		e.Stats("conn is gone")
		e.execStmt("conn", s)
		e.Err("Stmt.Close", s.Close())
	}
}

func prepareErrors(e *Env) {
	e.eachSession(func(label string, s session) {
		_, err := s.PrepareContext(background, "badquery")
		e.Err(label, err)
		remove := e.Driver.On("Stmt.Close", dt.Return(dt.ErrClose))
		st := e.prepare(label, s, "echo ?")
		e.execStmt(label, st, 1)
		e.Err(label+" Stmt.Close", st.Close())
		e.Err(label+" Stmt.Close", st.Close())
		remove()
	})
}
