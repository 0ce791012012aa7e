package overlay

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"reflect"
	"strings"
)

// Collect runs a query and returns its rows as values of T: a scalar, which takes
// the only column as Row.Scan does, or a struct, whose fields are matched by their
// `db` tags or else by their names, without regard to case. Fields of embedded
// structs count too. A column without a field and a field without a column are
// errors that name them; `db:"-"` leaves a field out. NULL needs a pointer or one
// of package sql's Null types. All rows are in memory: see WithResultLimit. If the rows of a
// write do not fit, it is carried out nevertheless: then the error wraps ErrOutcomeUnknown.
// An engine's writer takes it back, and the error does not.
func Collect[T any](ctx context.Context, to Target, query string, args ...any) *Future[[]T] {
	q := newRequest(query, args)
	return send(ctx, to, q.options(configOf(to)), func(ctx context.Context, l *lane) ([]T, error) {
		keys, rows, err := l.all(ctx, q)
		if err != nil {
			return nil, err
		}
		all := make([]T, len(rows))
		var into record[T]
		err = l.fit(func() error {
			for i, row := range rows {
				if err := into.scan(Row{keys, row}, &all[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		return all, nil
	})
}

// One is Collect for the first row alone; sql.ErrNoRows if there is none.
func One[T any](ctx context.Context, to Target, query string, args ...any) *Future[T] {
	q := newRequest(query, args)
	return send(ctx, to, q.options(configOf(to)), func(ctx context.Context, l *lane) (v T, err error) {
		row, err := l.firstRow(ctx, q)
		if err != nil {
			return v, err
		}
		err = l.fit(func() error { return new(record[T]).scan(row, &v) })
		return v, err
	})
}

// Each iterates over the rows of a result, a stream above all, as values of T: see
// Collect. Leaving the loop closes the result. An error comes as the last element.
func Each[T any](ctx context.Context, r *Result) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var into record[T]
		for row, err := range r.Rows(ctx) {
			var v T
			if err == nil {
				if err = into.scan(row, &v); err != nil && r.stream != nil && r.stream.writes() {
					err = &misfitError{err}
				}
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// record copies the rows of one result into values of T, scalars or structs.
type record[T any] struct {
	fields [][]int // of a struct, by column
	dest   []any
}

func (rec *record[T]) scan(row Row, v *T) (err error) {
	if scan, ok := any(v).(sql.Scanner); ok || !isRecord[T]() {
		if len(row.keys) != 1 {
			return fmt.Errorf("overlay: a %v cannot take the %d columns %s: use a struct with a field for each, or select one column",
				reflect.TypeFor[T](), len(row.keys), strings.Join(row.keys, ", "))
		}
		if ok {
			return row.Scan(scan)
		}
		return row.Scan(v)
	}
	sv := reflect.ValueOf(v).Elem()
	if rec.fields == nil { // all rows have the same columns
		if rec.fields, err = fieldsFor(sv.Type(), row.keys); err != nil {
			return err
		}
		rec.dest = make([]any, len(rec.fields))
	}
	for i, index := range rec.fields {
		rec.dest[i] = sv.FieldByIndex(index).Addr().Interface()
	}
	return row.Scan(rec.dest...)
}
