package pinned

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// checker converts arguments as database/sql does, for one call of one inner
// connection or statement. It asks the statement's NamedValueChecker, or else the
// connection's. After driver.ErrSkip come the statement's ColumnConverter and the
// default conversion. All of it happens on the thread: the faces' CheckNamedValue
// accepts everything, so database/sql converts nothing itself. The rules and texts
// are those of database/sql/convert.go.
type checker struct {
	named   driver.NamedValueChecker
	columns driver.ColumnConverter
	want    int // what NumInput returned, -1 if unknown
}

func connChecker(inner driver.Conn) checker {
	named, _ := inner.(driver.NamedValueChecker)
	return checker{named: named, want: -1}
}

func stmtChecker(inner driver.Conn, stmt driver.Stmt) checker {
	c := checker{want: stmt.NumInput()}
	var ok bool
	if c.named, ok = stmt.(driver.NamedValueChecker); !ok {
		c.named, _ = inner.(driver.NamedValueChecker)
	}
	c.columns, _ = stmt.(driver.ColumnConverter)
	return c
}

// check converts args in place, and returns those to give to the driver.
func (c checker) check(args []driver.NamedValue) ([]driver.NamedValue, error) {
	checked := args[:0]
	left := "" // the name of a removed argument stays for the next one
	for _, arg := range args {
		arg.Ordinal = len(checked) + 1
		if arg.Name == "" {
			arg.Name = left
		}
		left = ""
		// The driver gets a pointer into the result, not to the loop's variable:
		// that would be an allocation for each.
		checked = append(checked, arg)
		nv := &checked[len(checked)-1]
		switch err := c.convert(nv); err {
		case nil:
		case driver.ErrRemoveArgument:
			left = nv.Name
			checked = checked[:len(checked)-1]
		default:
			return nil, fmt.Errorf("sql: converting argument %s type: %w", describe(nv), err)
		}
	}
	return checked, c.count(checked)
}

func (c checker) count(args []driver.NamedValue) error {
	if c.want != -1 && len(args) != c.want {
		return fmt.Errorf("sql: expected %d arguments, got %d", c.want, len(args))
	}
	return nil
}

// plain reports whether the default conversion changes nothing.
func plain(args []driver.NamedValue) bool {
	for i := range args {
		if !driver.IsValue(args[i].Value) {
			return false
		}
	}
	return true
}

func (c checker) convert(nv *driver.NamedValue) error {
	err := driver.ErrSkip
	if c.named != nil {
		err = c.named.CheckNamedValue(nv)
	}
	if err == driver.ErrSkip && c.columns != nil {
		err = c.convertColumn(nv)
	}
	for err == driver.ErrSkip { // a Valuer may return it, and is not asked twice
		nv.Value, err = driver.DefaultParameterConverter.ConvertValue(nv.Value)
	}
	return err
}

func (c checker) convertColumn(nv *driver.NamedValue) error {
	column := nv.Ordinal - 1
	if c.want >= 0 && column >= c.want {
		return nil // the count will be refused, with a better error
	}
	if valuer, ok := nv.Value.(driver.Valuer); ok {
		v, err := callValuer(valuer)
		if err != nil {
			return err
		}
		if !driver.IsValue(v) {
			return fmt.Errorf("non-subset type %T returned from Value", v)
		}
		nv.Value = v
	}
	arg := nv.Value
	var err error
	if nv.Value, err = c.columns.ColumnConverter(column).ConvertValue(arg); err != nil {
		return err
	}
	if !driver.IsValue(nv.Value) {
		return fmt.Errorf("driver ColumnConverter error converted %T to unsupported type %T", arg, nv.Value)
	}
	return nil
}

// callValuer treats a nil pointer whose Value method is declared on the
// value as NULL.
func callValuer(v driver.Valuer) (driver.Value, error) {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() &&
		rv.Type().Elem().Implements(reflect.TypeFor[driver.Valuer]()) {
		return nil, nil
	}
	return v.Value()
}

func describe(nv *driver.NamedValue) string {
	if nv.Name == "" {
		return fmt.Sprintf("$%d", nv.Ordinal)
	}
	return fmt.Sprintf("with name %q", nv.Name)
}

// arguments are those of one call of the inner driver.
type arguments struct {
	named  []driver.NamedValue
	values []driver.Value // for a driver without contexts

	conn  *Conn
	given []driver.NamedValue // of the request
	was   []driver.NamedValue // given, before it was converted in place; nil: it was not
}

// arguments checks and converts a request's arguments. restore is to be called after the
// driver's call. A driver without contexts cannot be given ctx, so arguments fails if ctx has
// ended, or if an argument has a name.
func (c *Conn) arguments(ctx context.Context, k checker, q *Request, modern bool) (a arguments, err error) {
	a.named = q.Args
	switch {
	case k.named == nil && k.columns == nil && plain(q.Args):
		err = k.count(q.Args)
	case q.InPlace:
		a.conn, a.given = c, q.Args
		a.was, c.spareArgs = append(c.spareArgs[:0], q.Args...), nil
		a.named, err = k.check(q.Args)
	default:
		a.named, err = k.check(slices.Clone(q.Args))
	}
	if err == nil && !modern {
		a.values = make([]driver.Value, len(a.named))
		for i, v := range a.named {
			if v.Name != "" {
				err = errors.New("sql: driver does not support the use of Named Parameters")
				break
			}
			a.values[i] = v.Value
		}
		if err == nil {
			err = ctx.Err()
		}
	}
	if err != nil {
		a.restore(err)
	}
	return a, err
}

// restore puts the arguments back as they were if the driver has not used them: after
// ErrSkip they are checked again, for a statement, and after ErrBadConn for another
// connection.
func (a *arguments) restore(err error) {
	if a.was == nil {
		return
	}
	if err != nil {
		copy(a.given, a.was)
	}
	clear(a.was)
	a.conn.spareArgs, a.was = a.was, nil
}
