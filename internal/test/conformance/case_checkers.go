package conformance

import (
	"database/sql"
	"database/sql/driver"
	"fmt"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func checkerCases() []Case {
	return []Case{
		{Name: "Checkers/Actions", On: argumentKinds, Body: eachArg(checkedArgs)},
		{Name: "Checkers/Several", On: argumentKinds, Body: severalChecked},
		{Name: "Checkers/RemovedNameStays", On: argumentKinds, Body: removedName},
		{Name: "Checkers/Out", On: argumentKinds, Body: outArgs},
		{Name: "Checkers/Errors", On: argumentKinds, Body: checkerErrors},
	}
}

func checkedArgs() []any {
	return []any{
		dt.Arg{Do: dt.Accept, Value: 1}, dt.Arg{Do: dt.Accept, Value: []int{1}}, dt.Arg{Do: dt.Accept},
		dt.Arg{Do: dt.Change, Value: "x"}, dt.Arg{Do: dt.Skip, Value: 1}, dt.Arg{Do: dt.Skip, Value: "x"},
		dt.Arg{Do: dt.Skip, Value: valuer{"v"}}, dt.Arg{Do: dt.Skip, Value: []int{1}}, dt.Arg{Do: dt.Skip, Value: "refuse"},
		dt.Arg{Do: dt.Remove}, dt.Arg{Do: dt.Refuse}, dt.Arg{Do: "unknown"},
		sql.Named("n", dt.Arg{Do: dt.Change, Value: 1}), sql.Named("n", dt.Arg{Do: dt.Remove}),
	}
}

// severalChecked mixes what checkers do, so that ordinals move.
func severalChecked(e *Env) {
	remove := dt.Arg{Do: dt.Remove}
	e.eachSession(func(label string, s session) {
		e.both(label, s, "echo ? ?", remove, 1, remove, "two", remove)
		e.both(label, s, "echo ? ? ?", dt.Arg{Do: dt.Change, Value: 1}, dt.Arg{Do: dt.Skip, Value: "s"}, dt.Arg{Do: dt.Accept, Value: 3})
		e.both(label, s, "echo", remove, remove)
		e.both(label, s, "echo ? ?", 1, dt.Arg{Do: dt.Refuse}, struct{}{})
	})
}

// removedName pins a habit of database/sql: the name of a removed argument
// stays in its slot for the next one if that has none.
func removedName(e *Env) {
	e.eachSession(func(label string, s session) {
		e.both(label, s, "echo ?", sql.Named("gone", dt.Arg{Do: dt.Remove}), 1)
		e.both(label, s, "echo ? ?", sql.Named("gone", dt.Arg{Do: dt.Remove}), sql.Named("kept", 1), 2)
	})
}

func outArgs(e *Env) {
	e.eachSession(func(label string, s session) {
		dest := "untouched"
		e.exec(label, s, "noop ?", sql.Out{Dest: &dest, In: true})
		e.See(label+" out", dest)
	})
}

// checkerErrors lets the checkers themselves return every kind of error.
func checkerErrors(e *Env) {
	for _, method := range []string{"Conn.CheckNamedValue", "Stmt.CheckNamedValue", "Converter.ConvertValue"} {
		for _, err := range []error{driver.ErrSkip, driver.ErrRemoveArgument, driver.ErrBadConn, dt.ErrArg, fmt.Errorf("more: %w", driver.ErrSkip)} {
			remove := e.Driver.On(method, dt.Return(err))
			e.both("db", e.DB, "echo ?", "x")
			e.both("stmt", prepared{e.DB, e}, "echo ?", "x")
			e.flush()
			remove()
			e.Stats(method)
		}
	}
}
