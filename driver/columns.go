package driver

import (
	"database/sql/driver"
	"reflect"
)

// columnType is what inner rows say of a column, or what database/sql takes it
// to be if they don't.
type columnType struct {
	scan                  reflect.Type
	name                  string
	length                int64
	hasLength             bool
	nullable, hasNullable bool
	precision, scale      int64
	hasPrecisionScale     bool
}

var (
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

// describe asks the inner rows, on the thread, all about all columns.
func (r *rows) describe() {
	if r.types != nil {
		return
	}
	scan, hasScan := r.inner.(driver.RowsColumnTypeScanType)
	name, hasName := r.inner.(driver.RowsColumnTypeDatabaseTypeName)
	length, hasLength := r.inner.(driver.RowsColumnTypeLength)
	nullable, hasNullable := r.inner.(driver.RowsColumnTypeNullable)
	precision, hasPrecision := r.inner.(driver.RowsColumnTypePrecisionScale)
	types := make([]columnType, len(r.cols))
	for i := range types {
		t := &types[i]
		t.scan = reflect.TypeFor[any]()
		if hasScan {
			t.scan = scan.ColumnTypeScanType(i)
		}
		if hasName {
			t.name = name.ColumnTypeDatabaseTypeName(i)
		}
		if hasLength {
			t.length, t.hasLength = length.ColumnTypeLength(i)
		}
		if hasNullable {
			t.nullable, t.hasNullable = nullable.ColumnTypeNullable(i)
		}
		if hasPrecision {
			t.precision, t.scale, t.hasPrecisionScale = precision.ColumnTypePrecisionScale(i)
		}
	}
	r.types = types
}

// column returns the description of column i. The first one asked for costs a
// hop for all of them, unless open has brought them along. While a function of the
// application's has the thread they are not known.
func (r *rows) column(i int) columnType {
	if r.described == nil && r.c.link.intr == nil {
		r.described = r.types
	}
	if r.described == nil {
		unknown := columnType{scan: reflect.TypeFor[any]()}
		if r.c.occupied.Load() && !r.c.link.worker.OnThread() {
			return unknown // the function may want a lock that database/sql holds for this question
		}
		if err := r.c.closing(func() error { r.describe(); r.described = r.types; return nil }); err != nil || r.described == nil {
			return unknown
		}
	}
	return r.described[i]
}

func (r *rows) ColumnTypeScanType(i int) reflect.Type   { return r.column(i).scan }
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.column(i).name }
func (r *rows) ColumnTypeLength(i int) (int64, bool)    { t := r.column(i); return t.length, t.hasLength }
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	t := r.column(i)
	return t.nullable, t.hasNullable
}
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := r.column(i)
	return t.precision, t.scale, t.hasPrecisionScale
}
