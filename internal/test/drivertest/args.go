package drivertest

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
)

// An Action is what a checker does with an [Arg].
type Action string

const (
	Accept Action = "accept" // pass Value on as it is, whatever its type
	Change Action = "change" // pass on a text that tells which checker saw Value
	Skip   Action = "skip"   // put Value in place and return driver.ErrSkip
	Remove Action = "remove" // return driver.ErrRemoveArgument
	Refuse Action = "refuse" // return ErrArg
)

// An Arg is an argument for the driver's NamedValueCheckers. Any other
// argument they answer with driver.ErrSkip, and a sql.Out they accept. Without
// a checker an Arg is of an unsupported type.
type Arg struct {
	Do    Action
	Value any
}

// check is CheckNamedValue of a connection or a statement.
func check(who string, nv *driver.NamedValue) error {
	if _, ok := nv.Value.(sql.Out); ok {
		return nil
	}
	arg, ok := nv.Value.(Arg)
	if !ok {
		return driver.ErrSkip
	}
	switch arg.Do {
	case Accept:
		nv.Value = arg.Value
	case Change:
		nv.Value = who + " changed " + Render(arg.Value)
	case Skip:
		nv.Value = arg.Value
		return driver.ErrSkip
	case Remove:
		return driver.ErrRemoveArgument
	case Refuse:
		return ErrArg
	default:
		return fmt.Errorf("drivertest: unknown action %q", arg.Do)
	}
	return nil
}

// converter is the ValueConverter of a column. It marks texts, refuses the
// text "refuse", and returns an unsupported type for the text "struct".
type converter struct {
	s   *stmt
	idx int
}

// ConvertValue implements driver.ValueConverter.
func (c converter) ConvertValue(v any) (out driver.Value, err error) {
	err = c.s.do("Converter.ConvertValue", nil, fmt.Sprintf("%d: %s", c.idx, Render(v)), func(Call) (err error) {
		switch v {
		case "refuse":
			return ErrConvert
		case "struct":
			out = struct{}{}
			return nil
		}
		out, err = driver.DefaultParameterConverter.ConvertValue(v)
		if text, ok := out.(string); ok && !strings.HasPrefix(text, "column ") {
			out = fmt.Sprintf("column %d: %s", c.idx, text)
		}
		return err
	})
	return out, err
}
