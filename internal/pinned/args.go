package pinned

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
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

// check returns the arguments to give to the driver. It leaves args as they
// are: after ErrSkip from the driver they are checked again, for a statement.
func (c checker) check(args []driver.NamedValue) ([]driver.NamedValue, error) {
	if c.named == nil && c.columns == nil && plain(args) {
		return args, c.count(args)
	}
	checked := make([]driver.NamedValue, 0, len(args))
	left := "" // the name of a removed argument stays for the next one
	for _, arg := range args {
		arg.Ordinal = len(checked) + 1
		if arg.Name == "" {
			arg.Name = left
		}
		left = ""
		// The driver gets a pointer into the result, not to the loop's variable:
		// one allocation for all arguments.
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

// values checks arguments. For a driver without contexts it also converts them. Such a
// driver cannot be given ctx, so values fails if ctx has ended, or if an argument has a name.
func (c checker) values(ctx context.Context, args []driver.NamedValue, modern bool) ([]driver.NamedValue, []driver.Value, error) {
	args, err := c.check(args)
	if err != nil || modern {
		return args, nil, err
	}
	vs := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		vs[i] = a.Value
	}
	return args, vs, ctx.Err()
}
