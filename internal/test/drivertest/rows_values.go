package drivertest

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"time"
)

// columns returns the names of the current set's columns.
func (r *rows) columns() []string {
	switch r.script.result {
	case "rows", "sets":
		if r.set > 1 {
			return []string{"set", "id"}
		}
		return []string{"id", "name", "data", "score", "flag", "at", "none"}
	case "nested":
		return []string{"id", "cursor"}
	case "echo":
		return []string{"ordinal", "name", "type", "value"}
	}
	return []string{}
}

// count returns how many rows the current set has.
func (r *rows) count() int {
	switch r.script.result {
	case "rows", "sets":
		return r.script.rows
	case "nested":
		return 1
	case "echo":
		return len(r.args)
	}
	return 0
}

// Epoch is the time in column 'at' of row 0; each row is a second later.
var Epoch = time.Date(2001, time.February, 3, 4, 5, 6, 789, time.UTC)

// values returns the current row.
func (r *rows) values() []driver.Value {
	n := int64(r.row)
	switch r.script.result {
	case "nested":
		return []driver.Value{n, r.cursor()}
	case "echo":
		a := r.args[r.row-1]
		return []driver.Value{int64(a.Ordinal), a.Name, fmt.Sprintf("%T", a.Value), echo(a.Value)}
	}
	if r.set > 1 {
		return []driver.Value{int64(r.set), n}
	}
	at := Epoch.Add(time.Duration(n) * time.Second)
	return []driver.Value{n, fmt.Sprintf("name %d", n), r.data(), float64(n) / 2, n%2 == 1, at, nil}
}

// data returns a []byte that starts with the row's number.
func (r *rows) data() []byte {
	b := r.buf
	if b == nil {
		b = make([]byte, r.script.size)
	}
	copy(b, bytes.Repeat([]byte{'-'}, len(b)))
	copy(b, fmt.Sprint(r.row))
	return b
}

// cursor returns rows as a value of this row.
func (r *rows) cursor() driver.Rows {
	inner := &rows{object: r.child("n", "rows 2"), ctx: r.ctx, set: 1}
	inner.script, _ = parse("rows 2")
	inner.opened()
	return r.d.newRows(inner)
}

// echo returns an argument as a value that a row may have.
func echo(v driver.Value) driver.Value {
	if driver.IsValue(v) {
		return v
	}
	return Render(v)
}
