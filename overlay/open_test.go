package overlay_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// What stands here fails: each test is skipped, with the number of the finding and the reason.

// A write whose first row alone is fetched has met an error while rows were read ahead: somebody
// must be told.
func TestStreamedWriteThatHasFailedAhead(t *testing.T) {
	t.Skip("finding 1: FirstAsync, and FetchOneAsync with CloseAsync, say nothing of an error met by reading ahead")
	for name, use := range map[string]func(r *overlay.Result) error{
		"FirstAsync": func(r *overlay.Result) error { return second(r.FirstAsync(background).Await(background)) },
		"FetchOneAsync, CloseAsync": func(r *overlay.Result) error {
			return errors.Join(second(r.FetchOneAsync(background).Await(background)), second(r.CloseAsync(background).Await(background)))
		},
	} {
		e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db")+"?_foreign_keys=1")
		noError(t, err)
		must(t, e.ExecAsync(background, "CREATE TABLE people (id INTEGER PRIMARY KEY)"))
		must(t, e.ExecAsync(background, "CREATE TABLE orders (person INTEGER REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED)"))
		r, err := e.StreamAsync(background, "INSERT INTO orders VALUES (99) RETURNING person").Await(background)
		if err == nil {
			err = use(r)
		}
		if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM orders")); err == nil && n == 0 {
			t.Errorf("%s: no error, and no row", name)
		}
		noError(t, e.Shutdown(background))
	}
}

// What a pointer to a struct leads to is taken at the call, too.
func TestStructArgumentIsTakenAtTheCall(t *testing.T) {
	t.Skip("finding 16: structs are kept as they are, see own; the documentation of ExecAsync knows no exception")
	d := takesAll{args: make(chan []driver.NamedValue, 1)}
	db := aio.OpenDB(d)
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(background)
	arg := &struct{ N int }{1}
	release := occupy(t, e)
	f := e.ExecAsync(background, "", arg)
	arg.N = 9
	release()
	must(t, f)
	if got := fmt.Sprint((<-d.args)[0].Value); got != "&{1}" {
		t.Errorf("the argument is %s, want &{1}", got)
	}
}
