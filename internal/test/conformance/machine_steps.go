package conformance

import (
	"context"
	"database/sql"
	"slices"
)

func (m *machine) statement(s step, h *home) {
	if s.query == "badconn" && h.conn != nil && m.busy(h) {
		return
	}
	ctx := m.ctxs[s.ctx]
	args := stepArgs()[s.args]
	switch s.do {
	case "exec":
		res, err := h.ExecContext(ctx, s.query, args...)
		m.Result("Exec", res, err)
	case "query":
		rows, err := h.QueryContext(ctx, s.query, args...)
		m.keepRows(h, rows, err)
	case "queryRow":
		rows, err := h.QueryContext(ctx, s.query, args...)
		m.Rows("all", rows, err)
	case "prepare":
		stmt, err := h.PrepareContext(ctx, s.query)
		m.keepStmt(h, stmt, err)
	}
}

func (m *machine) keepRows(h *home, rows *sql.Rows, err error) {
	if !m.Err("Query", err) {
		m.results = append(m.results, &rowsAt{rows, h, true})
	}
}

func (m *machine) keepStmt(h *home, stmt *sql.Stmt, err error) {
	if !m.Err("Prepare", err) {
		m.stmts = append(m.stmts, stmtAt{stmt, h})
	}
}

func (m *machine) withStmt(s step, i int) {
	st := m.stmts[i]
	ctx := m.ctxs[s.ctx]
	args := stepArgs()[s.args]
	if st.at.conn != nil && m.busy(st.at) && s.do != "closeStmt" {
		return
	}
	switch s.do {
	case "stmtExec":
		res, err := st.ExecContext(ctx, args...)
		m.Result("Stmt.Exec", res, err)
	case "stmtQuery":
		rows, err := st.QueryContext(ctx, args...)
		m.keepRows(st.at, rows, err)
	case "txStmt":
		for _, h := range m.homes {
			if h.tx != nil {
				m.stmts = append(m.stmts, stmtAt{h.tx.StmtContext(ctx, st.Stmt), h})
				break
			}
		}
	case "closeStmt":
		m.endRowsOf(st.at)
		m.Err("Stmt.Close", st.Close())
		m.stmts = slices.Delete(m.stmts, i, i+1)
	}
}

// endRowsOf closes the rows of a connection or transaction, and forgets them:
// closing a statement there takes its rows with it, and what database/sql says
// of a transaction's rows after its end depends on which goroutine comes first.
func (m *machine) endRowsOf(h *home) {
	if h.conn == nil && h.tx == nil {
		return
	}
	m.results = slices.DeleteFunc(m.results, func(r *rowsAt) bool {
		if r.at != h {
			return false
		}
		m.Err("Rows.Close", r.Close())
		return true
	})
}

func (m *machine) withRows(s step, r *rowsAt) {
	switch s.do {
	case "next":
		for range s.n + 1 {
			if r.Next() {
				m.See("Next", true)
				m.Row("row", r.Rows)
			}
		}
	case "nextSet":
		m.See("NextResultSet", r.NextResultSet())
	case "columns":
		m.Columns("rows", r.Rows)
	case "drain":
		m.Rows("rows", r.Rows, nil)
		r.open = false
	case "closeRows":
		m.Err("Close", r.Close())
		r.open = false
	}
	m.Err("Rows.Err", r.Err())
}

func (m *machine) withPool(s step) {
	ctx := m.ctxs[s.ctx]
	switch s.do {
	case "begin":
		tx, err := m.DB.BeginTx(ctx, nil)
		m.enter(&home{name: "tx", session: tx, tx: tx}, err)
	case "conn":
		c, err := m.DB.Conn(ctx)
		m.enter(&home{name: "conn", session: c, conn: c}, err)
	case "ping":
		m.Err("Ping", m.DB.PingContext(ctx))
	case "maxIdle":
		m.DB.SetMaxIdleConns(s.n - 1)
	}
}

func (m *machine) enter(h *home, err error) {
	if !m.Err(h.name, err) {
		m.homes = append(m.homes, h)
	}
}

func (m *machine) withHome(s step, h *home) {
	switch {
	case s.do == "beginInConn" && h.conn != nil:
		opts := &sql.TxOptions{Isolation: sql.IsolationLevel(s.n), ReadOnly: s.args%2 == 0}
		tx, err := h.conn.BeginTx(context.WithoutCancel(m.ctxs[s.ctx]), opts)
		m.enter(&home{name: "tx", session: tx, tx: tx, parent: h}, err)
	case s.do == "commit" && h.tx != nil:
		m.endRowsOf(h)
		m.Err("Commit", h.tx.Commit())
		m.leave(h)
	case s.do == "rollback" && h.tx != nil:
		m.leave(h)
	case s.do == "closeConn" && h.conn != nil:
		m.leave(h)
	}
}

// leave ends a connection or transaction after what depends on it.
func (m *machine) leave(h *home) {
	for _, other := range slices.Clone(m.homes) {
		if other.parent == h {
			m.leave(other)
		}
	}
	m.endRowsOf(h)
	if h.tx != nil {
		m.Err("Rollback", h.tx.Rollback())
	} else {
		m.Err("Conn.Close", h.conn.Close())
	}
	m.homes = slices.DeleteFunc(m.homes, func(other *home) bool { return other == h })
}
