package drivertest

import (
	"fmt"
	"reflect"
	"time"
)

// The optional interfaces of rows, as those of a connection.
type (
	setter    struct{ r *rows } // RowsNextResultSet
	scanTyper struct{ r *rows }
	dbTyper   struct{ r *rows }
	lengther  struct{ r *rows }
	nullabler struct{ r *rows }
	sizer     struct{ r *rows } // RowsColumnTypePrecisionScale
)

func (s setter) HasNextResultSet() bool { return s.r.hasNextResultSet() }

func (s setter) NextResultSet() error { return s.r.nextResultSet() }

func (t scanTyper) ColumnTypeScanType(i int) reflect.Type {
	t.r.ask("Rows.ColumnTypeScanType", fmt.Sprint(i))
	types := []reflect.Type{
		reflect.TypeFor[int64](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[float64](),
		reflect.TypeFor[bool](), reflect.TypeFor[time.Time](), reflect.TypeFor[any](),
	}
	return types[i]
}

func (t dbTyper) ColumnTypeDatabaseTypeName(i int) string {
	t.r.ask("Rows.ColumnTypeDatabaseTypeName", fmt.Sprint(i))
	return fmt.Sprintf("SET%d_TYPE%d", t.r.set, i)
}

func (l lengther) ColumnTypeLength(i int) (int64, bool) {
	l.r.ask("Rows.ColumnTypeLength", fmt.Sprint(i))
	return int64(10*l.r.set + i), i%2 == 0
}

func (n nullabler) ColumnTypeNullable(i int) (nullable, ok bool) {
	n.r.ask("Rows.ColumnTypeNullable", fmt.Sprint(i))
	return i%3 == 0, i%2 == 1
}

func (s sizer) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	s.r.ask("Rows.ColumnTypePrecisionScale", fmt.Sprint(i))
	return int64(20 + i), int64(i), i != 1
}

// Column types that usually come together.
type columnTyper struct {
	scanTyper
	dbTyper
	lengther
	nullabler
	sizer
}

func newColumnTyper(r *rows) columnTyper {
	return columnTyper{scanTyper{r}, dbTyper{r}, lengther{r}, nullabler{r}, sizer{r}}
}
