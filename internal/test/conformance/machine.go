package conformance

import (
	"context"
	"database/sql"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// A machine runs the steps of a random program. It leaves out steps at which
// database/sql itself would wait for ever, such as closing a connection under
// open rows, or would do two things in an order of its own.
type machine struct {
	*Env
	homes   []*home // the pool, connections and transactions
	stmts   []stmtAt
	results []*rowsAt
	unfault func()
	ctxs    [stepContexts]context.Context
}

// A home is a session with what depends on it.
type home struct {
	name string
	session
	conn   *sql.Conn
	tx     *sql.Tx
	parent *home // the connection that a transaction was begun on
}

type stmtAt struct {
	*sql.Stmt
	at *home
}

type rowsAt struct {
	*sql.Rows
	at   *home
	open bool
}

func newMachine(e *Env) *machine {
	m := &machine{Env: e, unfault: func() {}}
	m.homes = []*home{{name: "db", session: e.DB}}
	cancellable, cancel := context.WithCancel(background)
	e.atEnd(cancel)
	m.ctxs = [stepContexts]context.Context{
		background, context.WithValue(background, dt.ContextKey{}, "value"), cancellable,
	}
	return m
}

// stepContexts is how many contexts a step can choose from. None ends before
// the program does.
const stepContexts = 3

func (m *machine) run(program []step) {
	for _, s := range program {
		m.See("step " + s.do)
		m.step(s)
		m.Stats("now")
	}
	m.unfault()
	m.closeAll()
}

func (m *machine) step(s step) {
	switch s.do {
	case "exec", "query", "queryRow", "prepare":
		m.statement(s, m.homes[s.which%len(m.homes)])
	case "stmtExec", "stmtQuery", "txStmt", "closeStmt":
		if len(m.stmts) > 0 {
			m.withStmt(s, s.which%len(m.stmts))
		}
	case "next", "nextSet", "columns", "drain", "closeRows":
		if len(m.results) > 0 {
			m.withRows(s, m.results[s.which%len(m.results)])
		}
	case "begin", "conn", "ping", "maxIdle":
		m.withPool(s)
	case "beginInConn", "commit", "rollback", "closeConn":
		if len(m.homes) > 1 {
			m.withHome(s, m.homes[1+s.which%(len(m.homes)-1)])
		}
	case "fault":
		m.unfault()
		method := stepFaults[(s.which*4+s.n)%len(stepFaults)]
		err := faults[s.args%3]
		m.unfault = m.Driver.On(method, dt.First(1, dt.Return(err)))
	}
}

// stepFaults are methods that no wrapper calls at another time.
var stepFaults = []string{
	"Connector.Connect", "Driver.Open", "Conn.Ping", "Conn.Exec", "Conn.ExecContext", "Conn.Query", "Conn.QueryContext",
	"Conn.Prepare", "Conn.PrepareContext", "Stmt.ExecContext", "Stmt.Exec", "Stmt.Query", "Stmt.QueryContext",
	"Conn.Begin", "Conn.BeginTx",
}

// stepArgs are lists of arguments.
func stepArgs() [][]any {
	return [][]any{
		{}, {1}, {"x", nil}, {1.5, true, []byte("b")}, {valuer{"v"}}, {struct{}{}}, {sql.Named("n", 1)},
		{dt.Arg{Do: dt.Change, Value: 1}}, {dt.Arg{Do: dt.Remove}, 1}, {dt.Arg{Do: dt.Skip, Value: "s"}, "refuse"},
	}
}

// busy reports whether rows or a transaction are open on h: then losing its
// connection makes database/sql wait for them.
func (m *machine) busy(h *home) bool {
	for _, r := range m.results {
		if r.at == h && r.open {
			return true
		}
	}
	for _, other := range m.homes {
		if other.parent == h {
			return true
		}
	}
	return false
}

func (m *machine) closeAll() {
	for _, r := range m.results {
		m.Err("Rows.Close", r.Close())
	}
	for _, s := range m.stmts {
		m.Err("Stmt.Close", s.Close())
	}
	for len(m.homes) > 1 {
		m.leave(m.homes[len(m.homes)-1])
	}
}
