package conformance

import (
	"database/sql/driver"
	"reflect"
)

// miniType is what there is to know of a column.
type miniType struct {
	scan                  reflect.Type
	database              string
	length                int64
	hasLength             bool
	nullable, hasNullable bool
	precision, scale      int64
	hasPrecision          bool
}

// describe asks for all of it while the rows are there.
func (r *miniRows) describe() {
	r.columns = r.inner.Columns()
	r.types = make([]miniType, len(r.columns))
	for i := range r.types {
		t := &r.types[i]
		t.scan = reflect.TypeFor[any]()
		if d, ok := r.inner.(driver.RowsColumnTypeScanType); ok {
			t.scan = d.ColumnTypeScanType(i)
		}
		if d, ok := r.inner.(driver.RowsColumnTypeDatabaseTypeName); ok && !r.m.has("loses column types") {
			t.database = d.ColumnTypeDatabaseTypeName(i)
		}
		if d, ok := r.inner.(driver.RowsColumnTypeLength); ok {
			t.length, t.hasLength = d.ColumnTypeLength(i)
		}
		if d, ok := r.inner.(driver.RowsColumnTypeNullable); ok {
			t.nullable, t.hasNullable = d.ColumnTypeNullable(i)
		}
		if d, ok := r.inner.(driver.RowsColumnTypePrecisionScale); ok {
			t.precision, t.scale, t.hasPrecision = d.ColumnTypePrecisionScale(i)
		}
	}
}

func (r *miniRows) ColumnTypeScanType(i int) reflect.Type { return r.types[i].scan }

func (r *miniRows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i].database }

func (r *miniRows) ColumnTypeLength(i int) (int64, bool) {
	return r.types[i].length, r.types[i].hasLength
}

func (r *miniRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	return r.types[i].nullable, r.types[i].hasNullable
}

func (r *miniRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return r.types[i].precision, r.types[i].scale, r.types[i].hasPrecision
}
