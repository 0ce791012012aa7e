package conformance

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
)

// check converts arguments as database/sql would for this connection and
// statement, which may be nil.
func (m *mini) check(ci driver.Conn, si driver.Stmt, args []driver.NamedValue) ([]driver.NamedValue, error) {
	want := -1
	if si != nil {
		want = si.NumInput()
	}
	named, _ := si.(driver.NamedValueChecker)
	if named == nil && !(m.has("hides the connection's checker") && si != nil) {
		named, _ = ci.(driver.NamedValueChecker)
	}
	columns, _ := si.(driver.ColumnConverter)
	if m.has("loses ColumnConverter") {
		columns = nil
	}

	var checked []driver.NamedValue
	stale := "" // the name of an argument that was removed
	for _, arg := range args {
		if arg.Name == "" {
			arg.Name = stale
		}
		stale = ""
		arg.Ordinal = len(checked) + 1
		switch err := m.convert(named, columns, want, &arg); err {
		case nil:
			checked = append(checked, arg)
		case driver.ErrRemoveArgument:
			stale = arg.Name
		default:
			which := fmt.Sprintf("$%d", arg.Ordinal)
			if arg.Name != "" {
				which = fmt.Sprintf("with name %q", arg.Name)
			}
			return nil, fmt.Errorf("sql: converting argument %s type: %w", which, err)
		}
	}
	if want != -1 && len(checked) != want && !m.has("does not count arguments") {
		return nil, fmt.Errorf("sql: expected %d arguments, got %d", want, len(checked))
	}
	return checked, nil
}

func (m *mini) convert(named driver.NamedValueChecker, columns driver.ColumnConverter, want int, arg *driver.NamedValue) error {
	err := driver.ErrSkip
	if named != nil {
		err = named.CheckNamedValue(arg)
	}
	if err == driver.ErrSkip && columns != nil {
		err = m.convertColumn(columns, want, arg)
	}
	for err == driver.ErrSkip {
		arg.Value, err = driver.DefaultParameterConverter.ConvertValue(arg.Value)
	}
	return err
}

func (m *mini) convertColumn(columns driver.ColumnConverter, want int, arg *driver.NamedValue) error {
	i := arg.Ordinal - 1
	if want >= 0 && want <= i {
		return nil
	}
	if v, ok := arg.Value.(driver.Valuer); ok {
		value, err := valueOf(v)
		if err != nil {
			return err
		}
		if !driver.IsValue(value) {
			return fmt.Errorf("non-subset type %T returned from Value", value)
		}
		arg.Value = value
	}
	before := arg.Value
	var err error
	if arg.Value, err = columns.ColumnConverter(i).ConvertValue(before); err != nil {
		return err
	}
	if !driver.IsValue(arg.Value) {
		return fmt.Errorf("driver ColumnConverter error converted %T to unsupported type %T", before, arg.Value)
	}
	return nil
}

func valueOf(v driver.Valuer) (driver.Value, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && rv.IsNil() && rv.Type().Elem().Implements(reflect.TypeFor[driver.Valuer]()) {
		return nil, nil
	}
	return v.Value()
}

// old turns arguments into those of drivers without contexts.
func (m *mini) old(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" && !m.has("drops names") {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	if m.has("runs what was cancelled") {
		return values, nil
	}
	return values, ctx.Err()
}
