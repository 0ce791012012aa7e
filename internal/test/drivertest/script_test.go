package drivertest

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"time"
)

// read returns how many rows come from a query, and the error at its end.
func read(db *sql.DB, query string, args ...any) (n int, err error) {
	rows, err := db.Query(query, args...)
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		n++
	}
	return n, errors.Join(rows.Err(), rows.Close())
}

func TestRowsHaveEveryType(t *testing.T) {
	_, db := open(t, Modern)
	var id, name, data, score, flag, at, none any
	must(t, db.QueryRow("rows 1 size 3").Scan(&id, &name, &data, &score, &flag, &at, &none))
	got := fmt.Sprint(Render(id), Render(name), Render(data), Render(score), Render(flag), Render(at), Render(none))
	want := `int64(1)"name 1"[]byte("1--")float64(0.5)bool(true)time(2001-02-03T04:05:07.000000789Z)nil`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestScriptedErrors(t *testing.T) {
	_, db := open(t, Modern)
	for query, want := range map[string]error{
		"fail":                      ErrScripted,
		"badconn":                   driver.ErrBadConn,
		"rows 3 error at 2":         ErrRow,
		"rows 3 closeerror":         ErrClose,
		"rows 3 -- fail":            nil,
		"skip rows 3":               nil,
		"rows 3 slow 1ms size 9":    nil,
		"affected 1 id 2 protected": nil,
	} {
		if _, err := read(db, query); !errors.Is(err, want) {
			t.Errorf("%s: %v", query, err)
		}
	}
	var coded *CodeError
	if _, err := db.Exec("fail 42"); !errors.As(err, &coded) || coded.Code != 42 {
		t.Errorf("fail 42: %v", err)
	}
}

func TestBadScriptsAreRefused(t *testing.T) {
	_, db := open(t, Minimal)
	for _, query := range []string{"row 1", "rows", "rows x", "error 1", "slow x", "sets 2", "block at"} {
		if _, err := db.Prepare(query); err == nil {
			t.Errorf("%q was taken", query)
		}
	}
}

func TestResults(t *testing.T) {
	_, db := open(t, Modern)
	res, err := db.Exec("affected 3 id 7")
	must(t, err)
	n, err1 := res.RowsAffected()
	id, err2 := res.LastInsertId()
	if n != 3 || id != 7 || err1 != nil || err2 != nil {
		t.Error(n, id, err1, err2)
	}
	res, err = db.Exec("affected error id error")
	must(t, err)
	_, err1 = res.RowsAffected()
	_, err2 = res.LastInsertId()
	if err1 != ErrResult || err2 != ErrResult {
		t.Error(err1, err2)
	}
}

func TestSets(t *testing.T) {
	_, db := open(t, Modern)
	rows, err := db.Query("sets 3x2 seterror 3")
	must(t, err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if !rows.NextResultSet() {
		t.Fatal("no second set")
	}
	for rows.Next() {
		var set, id int
		must(t, rows.Scan(&set, &id))
		n += 10 * set
	}
	if n != 2+20+20 {
		t.Error(n)
	}
	if rows.NextResultSet() || rows.Err() != ErrSet {
		t.Error(rows.Err())
	}
}

func TestNested(t *testing.T) {
	_, db := open(t, Modern)
	outer, err := db.Query("nested")
	must(t, err)
	defer outer.Close()
	outer.Next()
	var id int
	var inner sql.Rows
	must(t, outer.Scan(&id, &inner))
	n := 0
	for inner.Next() {
		n++
	}
	if n != 2 {
		t.Error(n)
	}
	must(t, inner.Close())
}

func TestReusedBufferIsSpoiled(t *testing.T) {
	_, db := open(t, Modern)
	rows, err := db.Query("rows 2 reuse")
	must(t, err)
	defer rows.Close()
	var raw sql.RawBytes
	var skip any
	rows.Next()
	must(t, rows.Scan(&skip, &skip, &raw, &skip, &skip, &skip, &skip))
	kept := []byte(raw)
	if string(kept) != "1---" {
		t.Errorf("%q", kept)
	}
	rows.Next()
	if string(kept) == "1---" {
		t.Error("the buffer was not reused")
	}
	rows.Close()
	if string(kept) != "####" {
		t.Errorf("after Close the buffer holds %q", kept)
	}
}

func TestEchoShowsWhatCheckersDid(t *testing.T) {
	_, db := open(t, Modern|ConnChecker|StmtChecker|ColumnConverter)
	args := []any{Arg{Change, 1}, Arg{Remove, nil}, sql.Named("n", "text"), Arg{Accept, []int{1}}}
	show := func(rows *sql.Rows, err error) (list []string) {
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var ordinal int
			var name, typ string
			var value any
			must(t, rows.Scan(&ordinal, &name, &typ, &value))
			list = append(list, fmt.Sprint(ordinal, name, " ", typ, " ", Render(value)))
		}
		return list
	}
	direct := fmt.Sprint(show(db.Query("echo", args...)))
	if want := `[1 string "conn changed int(1)" 2n string "text" 3 []int "[]int([1])"]`; direct != want {
		t.Errorf("direct:\n got %s\nwant %s", direct, want)
	}
	prepared := fmt.Sprint(show(db.Query("skip echo ? ? ?", args...)))
	if want := `[1 string "stmt changed int(1)" 2n string "column 1: text" 3 []int "[]int([1])"]`; prepared != want {
		t.Errorf("prepared:\n got %s\nwant %s", prepared, want)
	}
	if _, err := db.Exec("echo", Arg{Refuse, 1}); !errors.Is(err, ErrArg) {
		t.Error(err)
	}
	for _, text := range []string{"refuse", "struct"} {
		if _, err := db.Exec("skip echo ?", text); err == nil {
			t.Errorf("the converter took %q", text)
		}
	}
}

func TestOutArgument(t *testing.T) {
	_, db := open(t, Modern|ConnChecker)
	var dest string
	_, err := db.Exec("noop", sql.Out{Dest: &dest})
	must(t, err)
	if dest != "out" {
		t.Error(dest)
	}
}

func TestReleaseEndsBlocking(t *testing.T) {
	d, db := open(t, Modern)
	done := make(chan error)
	go func() {
		_, err := read(db, "rows 3 block at 2 slow 1h")
		done <- err
	}()
	for d.Count("Rows.Next") == 0 {
		time.Sleep(time.Millisecond)
	}
	d.Release()
	must(t, <-done)
}
