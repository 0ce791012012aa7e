package conformance

import (
	"context"
	"database/sql"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func txCases() []Case {
	return []Case{
		{Name: "Tx/Options", On: product(basics, maybe(dt.LikeMySQL)), Body: txOptions},
		{Name: "Tx/OptionsOfKinds", Body: txOptions},
		{Name: "Tx/Ends", Body: txEnds},
		{Name: "Tx/Work", Body: txWork},
		{Name: "Tx/BeginFails", Body: txBeginFails},
		{Name: "Tx/RowsOpenAtEnd", Body: txRowsOpenAtEnd},
		{Name: "Tx/TwoInOneConn", Body: txTwoInOneConn},
	}
}

// txOptions asks for every isolation level, read-only and not.
func txOptions(e *Env) {
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	for _, from := range []interface {
		BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
	}{e.DB, c} {
		for level := sql.LevelDefault; level <= sql.LevelLinearizable+1; level++ {
			for _, readOnly := range []bool{false, true} {
				tx, err := from.BeginTx(background, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
				e.See("Begin", level, readOnly)
				if !e.Err("Begin", err) {
					e.Err("Rollback", tx.Rollback())
				}
			}
		}
		tx, err := from.BeginTx(background, nil)
		if !e.Err("Begin", err) {
			e.Err("Commit", tx.Commit())
		}
	}
	e.Err("Conn.Close", c.Close())
}

func txEnds(e *Env) {
	for _, first := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		for _, second := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			tx, err := e.DB.Begin()
			if e.Err("Begin", err) {
				return
			}
			e.Err("first", first(tx))
			e.Err("second", second(tx))
			e.both("after", tx, "noop")
			e.Stats("after")
		}
	}
}

func txWork(e *Env) {
	tx, err := e.DB.Begin()
	if e.Err("Begin", err) {
		return
	}
	e.both("tx", tx, "echo ?", 1)
	rows, err := tx.Query("rows 5")
	e.Err("Query", err)
	e.See("Next", rows.Next())
	e.exec("while reading", tx, "affected 1")
	second, err := tx.Query("rows 2")
	e.Err("second", err)
	e.Row("first", rows)
	e.Rows("second", second, err)
	e.Rows("first", rows, nil)
	var name string
	e.Err("QueryRow", tx.QueryRow("fail").Scan(&name))
	e.exec("outside", e.DB, "noop")
	e.Err("Commit", tx.Commit())
}

func txBeginFails(e *Env) {
	for _, method := range []string{"Conn.Begin", "Conn.BeginTx"} {
		remove := e.Driver.On(method, dt.First(1, dt.Return(dt.ErrScripted)))
		tx, err := e.DB.Begin()
		remove()
		if !e.Err("Begin", err) {
			e.Err("Rollback", tx.Rollback())
		}
		e.Stats("after")
	}
}

// txRowsOpenAtEnd ends transactions under rows that were not read to the end.
func txRowsOpenAtEnd(e *Env) {
	for _, query := range []string{"rows 5", "skip rows 5", "rows 0"} {
		for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			tx, err := e.DB.Begin()
			if e.Err("Begin", err) {
				return
			}
			rows, err := tx.Query(query)
			e.Err("Query", err)
			if query != "rows 0" {
				e.See("Next", rows.Next())
			}
			e.Err("end", end(tx))
			e.See("Next", rows.Next())
			e.Err("Err", rows.Err())
			e.Err("Close", rows.Close())
			e.Stats("after")
		}
	}
}

// txTwoInOneConn begins a second transaction: the driver refuses.
func txTwoInOneConn(e *Env) {
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	tx, err := c.BeginTx(background, nil)
	e.Err("first", err)
	_, err = c.BeginTx(background, nil)
	e.Err("second", err)
	e.exec("conn", c, "noop")
	e.Err("Commit", tx.Commit())
	e.Err("Conn.Close", c.Close())
}
