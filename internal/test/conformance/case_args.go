package conformance

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func argumentCases() []Case {
	return []Case{
		{Name: "Args/Counts", On: argumentKinds, Body: argCounts},
		{Name: "Args/Values", On: argumentKinds, Body: eachArg(goodArgs)},
		{Name: "Args/Refused", On: argumentKinds, Body: eachArg(badArgs)},
		{Name: "Args/Named", On: argumentKinds, Body: eachArg(namedArgs)},
		// database/sql looks at names before it calls a connection that takes
		// arguments: so it may not get to Prepare.
		{Name: "Args/BadNames", On: argumentKinds, Withdrawn: true, Body: eachArg(badNames)},
		{Name: "Args/WrongNumber", On: argumentKinds, Body: wrongNumber},
		{Name: "Args/CallerKeepsBytes", Body: callerKeepsBytes},
	}
}

// Arguments of the types that drivers meet.
type (
	text     string
	number   uint16
	flag     bool
	valuer   struct{ v driver.Value }
	ptValuer struct{ v driver.Value }
	blob     []byte
)

func (v valuer) Value() (driver.Value, error) {
	if err, ok := v.v.(error); ok {
		return nil, err
	}
	return v.v, nil
}

func (v *ptValuer) Value() (driver.Value, error) {
	if v == nil {
		return "nil receiver", nil
	}
	return v.v, nil
}

var errValuer = errors.New("conformance: valuer refuses")

func goodArgs() []any {
	n, s, none := 5, "five", (*int)(nil)
	pn := &n
	when := dt.Epoch.In(time.FixedZone("X", 3600))
	return []any{
		nil, int8(-1), int16(2), int32(3), int64(4), 5, uint8(6), uint16(7), uint32(8), uint64(9), uint(10),
		float32(1.5), 2.5, true, "text", []byte("bytes"), []byte{}, []byte(nil), when,
		text("named"), number(3), flag(true), blob("blob"), time.Second, json.RawMessage(`{}`), sql.RawBytes("raw"),
		pn, &pn, &s, none, &none, &when, (*valuer)(nil), (*ptValuer)(nil),
		valuer{int64(1)}, valuer{nil}, &valuer{"pointer"}, &ptValuer{1.5},
		sql.NullString{String: "null", Valid: true}, sql.NullString{}, sql.NullInt64{}, sql.NullTime{Time: when, Valid: true},
		sql.Null[string]{V: "generic", Valid: true}, sql.Null[int64]{},
	}
}

func badArgs() []any {
	return []any{
		struct{}{}, map[string]int{}, []int{1}, [2]int{}, complex(1, 2), func() {}, make(chan int), uint64(1) << 63,
		errValuer, valuer{errValuer}, valuer{driver.ErrSkip}, valuer{driver.ErrRemoveArgument}, valuer{driver.ErrBadConn}, valuer{7}, valuer{valuer{}},
		&struct{}{}, sql.Out{}, driver.NamedValue{Value: 1}, ptValuer{"not by value"},
		"refuse", "struct", // what drivertest's ColumnConverter refuses
	}
}

func namedArgs() []any {
	return []any{
		sql.Named("name", 1), sql.Named("", 2), sql.Named("ünicode", "x"), sql.Named("inner", sql.Named("deeper", 6)),
		sql.Named("valuer", valuer{"v"}), sql.Named("bad", struct{}{}), sql.Named("null", nil),
		sql.Named("refused", dt.Arg{Do: dt.Refuse}),
	}
}

func badNames() []any {
	return []any{sql.Named("1bad", 3), sql.Named("_bad", 4), sql.Named("@bad", 5), sql.Named("\xff", 6)}
}

// eachArg passes each argument alone, and second to another.
func eachArg(args func() []any) func(*Env) {
	return func(e *Env) {
		for _, s := range []session{e.DB, prepared{e.DB, e}} {
			for i, arg := range args() {
				label := fmt.Sprintf("%T arg %d (%T)", s, i, arg)
				e.query(label, s, "echo ?", arg)
				e.exec(label, s, "echo ? ?", "first", arg)
			}
			e.flush()
		}
	}
}

func argCounts(e *Env) {
	many := make([]any, 20)
	for i := range many {
		many[i] = i
	}
	e.eachSession(func(label string, s session) {
		e.both(label, s, "echo")
		e.both(label, s, "echo ?", 1)
		e.both(label, s, "echo ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ?", many...)
	})
}

func wrongNumber(e *Env) {
	e.eachSession(func(label string, s session) {
		e.both(label, s, "echo ? ?")
		e.both(label, s, "echo ? ?", 1)
		e.both(label, s, "echo ? ?", 1, "two", "three")
		e.both(label, s, "echo ?", 1, struct{}{})
		e.both(label, s, "echo ?", dt.Arg{Do: dt.Remove}, 1)
		e.both(label, s, "echo ?", dt.Arg{Do: dt.Remove})
	})
}

// callerKeepsBytes changes the arguments after the call, as callers may.
func callerKeepsBytes(e *Env) {
	e.eachSession(func(label string, s session) {
		arg := []byte("before")
		rows, err := s.QueryContext(background, "echo ?", string(arg))
		copy(arg, "after!")
		e.Rows(label, rows, err)
	})
}
