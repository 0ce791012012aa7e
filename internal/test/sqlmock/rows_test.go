package sqlmock_test

import (
	"database/sql"
	"fmt"
	"reflect"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
)

// drain reads a column of text to its end.
func drain(t *testing.T, rows *sql.Rows) (texts []string) {
	t.Helper()
	for rows.Next() {
		var text string
		ok(t, rows.Scan(&text))
		texts = append(texts, text)
	}
	return texts
}

func TestRowError(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").RowsWillBeClosed().
				WillReturnRows(one("n").AddRow("a").AddRow("b").AddRow("c").RowError(1, errScripted))
		},
		run: func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT")
			ok(t, err)
			same(t, fmt.Sprint(drain(t, rows)), "[a]")
			same(t, rows.Err(), errScripted)
			ok(t, rows.Close())
		},
	})
}

func TestRowErrorFarFromTheStart(t *testing.T) {
	many := one("n")
	for i := range 700 {
		many.AddRow(i)
	}
	many.RowError(600, errScripted)
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			again := *many
			m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(&again)
		},
		run: func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT")
			ok(t, err)
			texts := drain(t, rows)
			same(t, len(texts), 600)
			same(t, texts[599], "599")
			same(t, rows.Err(), errScripted)
		},
	})
}

func TestRowErrorOfAQueryRow(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillReturnRows(one("n").AddRow("a").RowError(0, errScripted))
		},
		run: func(t *testing.T, db *sql.DB) {
			same(t, db.QueryRow("SELECT").Scan(new(string)), errScripted)
		},
	})
}

func TestCloseErrorOfRows(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			many := one("n").CloseError(errScripted)
			for i := range 700 {
				many.AddRow(i)
			}
			m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(many)
		},
		run: func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT")
			ok(t, err)
			same(t, rows.Next(), true)
			same(t, rows.Close(), errScripted)
		},
	})
}

func TestCloseErrorAfterTheLastRow(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(one("n").AddRow("a").CloseError(errScripted))
		},
		run: func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT")
			ok(t, err)
			same(t, len(drain(t, rows)), 1)
			same(t, rows.Err(), errScripted)
			ok(t, rows.Close())
		},
	})
}

func TestCloseErrorOfAQueryRow(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillReturnRows(one("n").AddRow("a").AddRow("b").CloseError(errScripted))
		},
		run: func(t *testing.T, db *sql.DB) {
			same(t, db.QueryRow("SELECT").Scan(new(string)), errScripted)
		},
	})
}

func TestResultSets(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectQuery("CALL both").RowsWillBeClosed().WillReturnRows(
				one("n").AddRow("a").AddRow("b"), one("m", "k").AddRow("c", 1), one("last").AddRow("d").RowError(0, errScripted))
		},
		run: func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("CALL both")
			ok(t, err)
			same(t, fmt.Sprint(drain(t, rows)), "[a b]")
			same(t, rows.NextResultSet(), true)
			cols, err := rows.Columns()
			ok(t, err)
			same(t, fmt.Sprint(cols), "[m k]")
			same(t, rows.Next(), true)
			var text string
			var k int
			ok(t, rows.Scan(&text, &k))
			same(t, text+fmt.Sprint(k), "c1")
			same(t, rows.NextResultSet(), true) // leaves no row unread, and does not ask
			same(t, rows.Next(), false)
			same(t, rows.Err(), errScripted)
			same(t, rows.NextResultSet(), false)
			ok(t, rows.Close())
		},
	})
}

func TestColumnMetadata(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillReturnRows(m.NewRowsWithColumnDefinition(
				m.NewColumn("name").OfType("VARCHAR", "").Nullable(true).WithLength(100),
				m.NewColumn("price").OfType("DECIMAL", float64(0)).Nullable(false).WithPrecisionAndScale(10, 4),
			).AddRow("dora", 1.5))
			m.ExpectQuery("SELECT").WillReturnRows(one("plain").AddRow(1))
		},
		run: func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT")
			ok(t, err)
			types, err := rows.ColumnTypes()
			ok(t, err)
			name, price := types[0], types[1]
			same(t, name.DatabaseTypeName()+" "+price.DatabaseTypeName(), "VARCHAR DECIMAL")
			same(t, name.ScanType(), reflect.TypeFor[string]())
			same(t, price.ScanType(), reflect.TypeFor[float64]())
			same(t, fmt.Sprint(name.Nullable()), "true true")
			same(t, fmt.Sprint(price.Nullable()), "false true")
			same(t, fmt.Sprint(name.Length()), "100 true")
			same(t, fmt.Sprint(price.Length()), "0 false")
			same(t, fmt.Sprint(name.DecimalSize()), "0 0 false")
			same(t, fmt.Sprint(price.DecimalSize()), "10 4 true")
			ok(t, rows.Close())

			rows, err = db.Query("SELECT")
			ok(t, err)
			types, err = rows.ColumnTypes()
			ok(t, err)
			same(t, types[0].ScanType(), reflect.TypeFor[any]())
			same(t, types[0].DatabaseTypeName(), "")
			same(t, fmt.Sprint(types[0].Nullable()), "false false")
			ok(t, rows.Close())
		},
	})
}

// The mock overwrites []byte values at each Next.
func TestBytesOutliveTheirRow(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			rows := one("raw").FromCSVString("NULL\nfirst\nsecond\nthird")
			for i := range 100 {
				rows.AddRow([]byte(fmt.Sprint("bytes ", i)))
			}
			m.ExpectQuery("SELECT").WillReturnRows(rows.AddRow([]byte{}))
		},
		run: func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT")
			ok(t, err)
			var got [][]byte
			for rows.Next() {
				var b sql.RawBytes // what the shim hands out, without database/sql's copy
				ok(t, rows.Scan(&b))
				got = append(got, append([]byte(nil), b...))
				if len(got) == 1 {
					same(t, b == nil, true)
				}
			}
			ok(t, rows.Err())
			same(t, len(got), 105)
			same(t, string(got[1])+string(got[2])+string(got[3]), "firstsecondthird")
			for i := range 100 {
				same(t, string(got[4+i]), fmt.Sprint("bytes ", i))
			}
		},
	})
}

func TestStatementsAndRowsInterleaved(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			many := one("n").CloseError(errScripted)
			for i := range 600 {
				many.AddRow(i)
			}
			m.ExpectBegin()
			m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(many)
			m.ExpectExec("UPDATE").WithArgs(0).WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectExec("UPDATE").WithArgs(1).WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectCommit()
		},
		run: func(t *testing.T, db *sql.DB) {
			tx, err := db.Begin()
			ok(t, err)
			rows, err := tx.Query("SELECT")
			ok(t, err)
			for i := range 2 {
				same(t, rows.Next(), true)
				_, err = tx.Exec("UPDATE", i)
				ok(t, err)
			}
			same(t, rows.Close(), errScripted)
			ok(t, tx.Commit())
		},
	})
}
