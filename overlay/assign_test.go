package overlay_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
)

// Row.Scan stores what sql.Rows.Scan stores, and returns its errors.
func TestScanAsDatabaseSQL(t *testing.T) {
	values := make(chan driver.Value, 1)
	db := sql.OpenDB(oneValue{values})
	defer db.Close()
	rapid.Check(t, func(t *rapid.T) {
		src := sources.Draw(t, "source")
		dest := rapid.SampledFrom(destinations).Draw(t, "destination")
		theirs, ours := newDestination(dest), newDestination(dest)

		values <- copyOf(src)
		rows, err := db.Query("")
		if err != nil {
			t.Fatal(err)
		}
		rows.Next()
		want := scanned(rows.Scan, theirs)
		got := scanned(overlay.RowOf([]string{"c"}, copyOf(src)).Scan, ours)
		if want != got || !same(theirs, ours) {
			t.Errorf("%T(%v) into %T: sql.Rows stores %s, %v; overlay.Row stores %s, %v",
				src, src, theirs, show(theirs), want, show(ours), got)
		}
		rows.Close()
	})
}

// scanned is what a Scan returns, as text.
func scanned(scan func(...any) error, dest any) (text string) {
	defer func() {
		if recover() != nil {
			text = "panic"
		}
	}()
	err := scan(dest)
	if err != nil && errors.Unwrap(err) == nil {
		return "unwrapped: " + err.Error()
	}
	return fmt.Sprint(err)
}

// same compares what two pointers point to. A RawBytes without bytes is nil or not
// depending on what was scanned before it.
func same(a, b any) bool {
	if raw, ok := a.(*sql.RawBytes); ok {
		return bytes.Equal(*raw, *b.(*sql.RawBytes))
	}
	return show(a) == show(b)
}

// show is a value with its types and pointers followed: NaN equals itself.
func show(v any) string {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return fmt.Sprintf("%T(nil)", v)
		}
		return "&" + show(rv.Elem().Interface())
	}
	if at, ok := v.(time.Time); ok {
		return at.String()
	}
	return fmt.Sprintf("%#v", v)
}

func copyOf(src any) any {
	switch b := src.(type) {
	case []byte:
		return bytes.Clone(b)
	case json.RawMessage:
		return bytes.Clone(b)
	}
	return src
}

type (
	namedInt    int64
	namedTiny   int8
	namedUint   uint16
	namedFloat  float32
	namedBool   bool
	namedString string
	namedBytes  []byte
	namedTime   time.Time
	spoken      string // has a text of its own
	anything    interface{}
)

func (spoken) String() string { return "7" }

// decimal is a number that database/sql takes apart.
type decimal struct {
	form        byte
	negative    bool
	coefficient string
	exponent    int32
}

func (d decimal) Decompose([]byte) (byte, bool, []byte, int32) {
	return d.form, d.negative, []byte(d.coefficient), d.exponent
}

func (d *decimal) Compose(form byte, negative bool, coefficient []byte, exponent int32) error {
	if form != 0 {
		return errors.New("not finite")
	}
	*d = decimal{form, negative, string(coefficient), exponent}
	return nil
}

// noted is a Scanner that keeps what it gets.
type noted struct{ v any }

func (n *noted) Scan(v any) error {
	if n == nil {
		return errors.New("nobody listens")
	}
	n.v = v
	if v == int64(0) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// sources are what drivers return, and more.
var sources = func() *rapid.Generator[any] {
	texts := rapid.OneOf(
		rapid.SampledFrom([]string{"", "0", "-1", "+7", "127", "128", "255", "256", "-32769", "2147483648", "4294967296",
			"9223372036854775808", "18446744073709551616", "1.5", "1e3", "1e39", "1e400", "NaN", "-Inf", "0x1p-2", "1_000", " 1",
			"true", "T", "f", "yes", "\xff", "2020-01-02 03:04:05"}),
		rapid.String(),
	)
	floats := rapid.OneOf(
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 1e6, 1e21, 123456789, math.MaxFloat64, math.SmallestNonzeroFloat64,
			math.NaN(), math.Inf(1), math.Inf(-1), math.MaxInt64, 1 + 1.0/(1<<24)}),
		rapid.Float64(),
	)
	ints := rapid.OneOf(
		rapid.SampledFrom([]int64{0, 1, 2, -1, 127, 128, 255, 256, 32767, 65536, 1 << 31, 1 << 32, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64}),
		rapid.Int64(),
	)
	times := rapid.Map(rapid.Int64(), func(n int64) time.Time {
		return time.Unix(n%1e11, n%1e9).In(time.FixedZone("", int(n%50000)))
	})
	return rapid.OneOf(
		anyOf(ints), anyOf(floats), anyOf(texts), anyOf(times), anyOf(rapid.Bool()),
		rapid.Just[any](nil), rapid.Just[any]([]byte(nil)),
		rapid.Map(texts, func(s string) any { return []byte(s) }),
		rapid.Map(texts, func(s string) any { return json.RawMessage(s) }),
		rapid.Map(texts, func(s string) any { return namedString(s) }),
		rapid.Map(texts, func(s string) any { return spoken(s) }),
		rapid.Map(floats, func(f float64) any { return float32(f) }),
		rapid.Map(ints, func(n int64) any { return uint64(n) }),
		rapid.Map(ints, func(n int64) any { return int(n) }),
		rapid.Map(ints, func(n int64) any { return int16(n) }),
		rapid.Map(ints, func(n int64) any { return uint8(n) }),
		rapid.Map(ints, func(n int64) any { return uintptr(n) }),
		rapid.Map(ints, func(n int64) any { return namedInt(n) }),
		rapid.Map(ints, func(n int64) any { return time.Duration(n) }),
		rapid.Map(rapid.Bool(), func(b bool) any { return namedBool(b) }),
		rapid.Map(rapid.Byte(), func(b byte) any { return decimal{b % 3, b > 5, "7", 2} }),
		rapid.Just[any](complex(1, 2)), rapid.Just[any](struct{}{}), rapid.Just[any]([]int{1}), rapid.Just[any](new(int)),
	)
}()

func anyOf[T any](g *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Map(g, func(v T) any { return v })
}

// destinations are pointers to what a row is scanned into, and others.
var destinations = []any{
	new(string), new([]byte), new(sql.RawBytes), new(bool), new(any), new(time.Time),
	new(int), new(int8), new(int16), new(int32), new(int64),
	new(uint), new(uint8), new(uint16), new(uint32), new(uint64), new(uintptr),
	new(float32), new(float64), new(complex128),
	new(namedInt), new(namedTiny), new(namedUint), new(namedFloat), new(namedBool), new(namedString), new(namedBytes),
	new(namedTime), new(spoken), new(anything), new(json.RawMessage), new(time.Duration), new(fmt.Stringer),
	new(*string), new(*[]byte), new(*bool), new(*int64), new(*int8), new(*uint), new(*float32), new(*time.Time), new(*namedTiny),
	new(*any), new(**string), new(**int16), new(*sql.NullInt16), new(*noted), new(*decimal),
	new(sql.NullString), new(sql.NullInt64), new(sql.NullInt32), new(sql.NullInt16), new(sql.NullByte), new(sql.NullFloat64),
	new(sql.NullBool), new(sql.NullTime), new(sql.Null[uint8]), new(sql.Null[namedTiny]), new(sql.Null[json.RawMessage]),
	new(noted), new(decimal), new(struct{}), new([]int), new([2]byte), new(map[string]int), new(chan int), new(func()), new(sql.Rows),
	(*noted)(nil), (*namedInt)(nil), (*uint8)(nil), (*struct{})(nil), // more in TestScanIntoNil
	nil, 7, "text", []byte("bytes"), struct{}{}, map[string]int(nil),
}

// newDestination is a new one like dest.
func newDestination(dest any) any {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return dest
	}
	return reflect.New(v.Type().Elem()).Interface()
}

// Row.Scan refuses nil pointers, also those at which sql.Rows.Scan panics.
func TestScanIntoNil(t *testing.T) {
	for _, dest := range []any{(*int)(nil), (*int64)(nil), (*string)(nil), (*[]byte)(nil), (*sql.RawBytes)(nil), (*bool)(nil),
		(*any)(nil), (*time.Time)(nil), (**int)(nil), (*decimalFree)(nil)} {
		for _, src := range []any{nil, int64(1), "text", []byte("bytes"), 1.5, true, time.Now()} {
			err := overlay.RowOf([]string{"c"}, src).Scan(dest)
			if err == nil || !strings.HasSuffix(err.Error(), "destination pointer is nil") {
				t.Errorf("%T into %T: %v", src, dest, err)
			}
		}
	}
}

type decimalFree struct{}

// What was scanned shares no bytes with the row, except for RawBytes.
func TestScanCopiesBytes(t *testing.T) {
	src := []byte("abc")
	var (
		b     []byte
		v     any
		raw   json.RawMessage
		named namedBytes
		p     *[]byte
		null  sql.Null[[]byte]
		alias sql.RawBytes
	)
	row := overlay.RowOf([]string{"c"}, src)
	for _, dest := range []any{&b, &v, &raw, &named, &p, &null, &alias} {
		if err := row.Scan(dest); err != nil {
			t.Fatal(err)
		}
	}
	src[0] = 'X'
	if got := fmt.Sprintf("%s %s %s %s %s %s %s", b, v, raw, named, *p, null.V, alias); got != "abc abc abc abc abc abc Xbc" {
		t.Error(got)
	}
}

// oneValue is a database whose queries return one value from a channel.
type oneValue struct{ values chan driver.Value }

func (o oneValue) Connect(context.Context) (driver.Conn, error) { return o, nil }
func (o oneValue) Driver() driver.Driver                        { return nil }
func (o oneValue) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (o oneValue) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (o oneValue) Close() error                                 { return nil }
func (o oneValue) Columns() []string                            { return []string{"c"} }
func (o oneValue) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return o, nil
}
func (o oneValue) Next(dest []driver.Value) error {
	select {
	case dest[0] = <-o.values:
		return nil
	default:
		return io.EOF
	}
}
