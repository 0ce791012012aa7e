package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// Arguments are taken at the call, whatever a driver accepts: what the caller changes while the
// call waits has no effect.
func TestArgumentsAreTakenAtTheCall(t *testing.T) {
	d := takesAll{args: make(chan []driver.NamedValue, 1)}
	db := aio.OpenDB(d)
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(background)
	ints, texts, counts, bytes := []int64{1}, []string{"a"}, map[string]int{"a": 1}, [][]byte{[]byte("a")}
	release := occupy(t, e)
	f := e.ExecAsync(background, "", ints, texts, counts, bytes, &ints, sql.Named("n", ints))
	ints[0], texts[0], counts["a"], bytes[0][0] = 9, "z", 9, 'z'
	release()
	must(t, f)
	want := []string{"[1]", "[a]", "map[a:1]", "[[97]]", "&[1]", "[1]"}
	for i, arg := range <-d.args {
		if got := fmt.Sprint(arg.Value); got != want[i] {
			t.Errorf("argument %d is %s, want %s", i+1, got, want[i])
		}
	}
}

// An argument that contains itself is refused by the driver's checks, as by database/sql.
func TestArgumentThatContainsItself(t *testing.T) {
	e := oneLane(t)
	l := []any{nil, nil}
	l[0], l[1] = l, l
	if err := failure(t, e.ExecAsync(background, "INSERT INTO t VALUES (?)", l)); err == nil {
		t.Error("no error")
	}
}

// takesAll is a driver that accepts arguments of any type, as pgx does.
type takesAll struct {
	noColumns
	args chan []driver.NamedValue
}

func (d takesAll) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (takesAll) CheckNamedValue(*driver.NamedValue) error       { return nil }
func (d takesAll) ExecContext(_ context.Context, _ string, args []driver.NamedValue) (driver.Result, error) {
	d.args <- args
	return driver.RowsAffected(0), nil
}
