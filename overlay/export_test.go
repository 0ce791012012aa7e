package overlay

import "database/sql/driver"

// Running reports whether a lane has begun the future's call, and database
// statements that follow at once may be waited for.
func Running[T any](f *Future[T]) bool {
	c, ok := f.cancel.(*call)
	if !ok {
		return false
	}
	return c.phase.Load() == running
}

// RowOf makes a row of values with a column named for each of keys.
func RowOf(keys []string, values ...any) Row {
	r := Row{keys: keys, values: make([]driver.Value, len(values))}
	for i, v := range values {
		r.values[i] = v
	}
	return r
}
