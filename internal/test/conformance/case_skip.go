package conformance

import (
	"database/sql/driver"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func skipCases() []Case {
	return []Case{
		{Name: "Skip/ToPrepared", On: product(paths, basics, maybe(dt.NumInput), maybe(dt.ConnChecker)), Body: skipToPrepared},
		{Name: "Skip/SecondCheck", On: argumentKinds, Body: skipSecondCheck},
		{Name: "Skip/ThenFault", Body: skipThenFault},
	}
}

// skipToPrepared has a fast path that is there but not for this statement.
func skipToPrepared(e *Env) {
	e.eachSession(func(label string, s session) {
		e.both(label, s, "skip echo ? ?", 1, sqlNull)
		e.query(label, s, "skip rows 3")
		e.query(label, s, "skip sets 2x2")
		e.exec(label, s, "skip affected 3 id 7")
		e.both(label, s, "skip fail")
		e.both(label, s, "skip badquery")
		e.both(label, s, "skip echo ?", 1, 2)
		e.both(label, s, "skip echo ?", struct{}{})
	})
}

var sqlNull = valuer{nil}

// skipSecondCheck has arguments checked twice: for the fast path and for the
// statement that takes its place.
func skipSecondCheck(e *Env) {
	e.eachSession(func(label string, s session) {
		e.both(label, s, "skip echo ? ? ?", dt.Arg{Do: dt.Change, Value: 1}, dt.Arg{Do: dt.Skip, Value: "s"}, "text")
		e.both(label, s, "skip echo ?", dt.Arg{Do: dt.Remove}, 1)
		e.both(label, s, "skip echo ?", dt.Arg{Do: dt.Refuse})
		e.both(label, s, "skip echo ?", "refuse")
		e.both(label, s, "skip echo ?", valuer{errValuer})
	})
}

// skipThenFault fails at each step of the way through a statement.
func skipThenFault(e *Env) {
	for _, method := range []string{
		"Conn.Prepare", "Conn.PrepareContext", "Stmt.Exec", "Stmt.ExecContext", "Stmt.Query", "Stmt.QueryContext",
		"Stmt.Close", "Rows.Next", "Rows.Close",
	} {
		for _, err := range []error{dt.ErrScripted, driver.ErrSkip, driver.ErrBadConn} {
			remove := e.Driver.On(method, dt.Return(err))
			e.both(method, e.DB, "skip echo ?", 1)
			remove()
			e.Stats(method)
		}
	}
}
