package face

import (
	"database/sql/driver"
	"reflect"
)

// columnType is what inner rows say of a column, or else what database/sql assumes.
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
	_ driver.RowsColumnTypeScanType         = (*handle)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*handle)(nil)
	_ driver.RowsColumnTypeLength           = (*handle)(nil)
	_ driver.RowsColumnTypeNullable         = (*handle)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*handle)(nil)
)

// describes reports whether inner rows can describe their columns. The application may
// ask for that until it closes the rows.
func describes(inner driver.Rows) bool {
	switch inner.(type) {
	case driver.RowsColumnTypeScanType, driver.RowsColumnTypeDatabaseTypeName, driver.RowsColumnTypeLength,
		driver.RowsColumnTypeNullable, driver.RowsColumnTypePrecisionScale:
		return true
	}
	return false
}

// describe asks inner rows for everything about all n columns, on the thread.
func describe(inner driver.Rows, n int) []columnType {
	scan, hasScan := inner.(driver.RowsColumnTypeScanType)
	name, hasName := inner.(driver.RowsColumnTypeDatabaseTypeName)
	length, hasLength := inner.(driver.RowsColumnTypeLength)
	nullable, hasNullable := inner.(driver.RowsColumnTypeNullable)
	precision, hasPrecision := inner.(driver.RowsColumnTypePrecisionScale)
	types := make([]columnType, n)
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
	return types
}

// column returns the description of column i. The first call costs a hop for all
// columns, if the inner rows can describe them.
//
// On SQLite it may be that of the current row. So nothing is read ahead until the caller
// has gone from one row to the next without asking: see refill.
func (r *rows) column(i int) columnType {
	if r.described == nil && !r.lost && describes(r.inner.Inner()) {
		var types []columnType
		r.c.closing(func() error { types = describe(r.inner.Inner(), len(r.cols)); return nil })
		r.described = types
	}
	if r.described == nil {
		return columnType{scan: reflect.TypeFor[any]()}
	}
	return r.described[i]
}

func (h *handle) ColumnTypeScanType(i int) reflect.Type   { return h.column(i).scan }
func (h *handle) ColumnTypeDatabaseTypeName(i int) string { return h.column(i).name }
func (h *handle) ColumnTypeLength(i int) (int64, bool) {
	t := h.column(i)
	return t.length, t.hasLength
}
func (h *handle) ColumnTypeNullable(i int) (nullable, ok bool) {
	t := h.column(i)
	return t.nullable, t.hasNullable
}
func (h *handle) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := h.column(i)
	return t.precision, t.scale, t.hasPrecisionScale
}
