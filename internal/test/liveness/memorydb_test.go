package liveness_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// private are the names of databases that each connection has for itself.
var private = []string{":memory:", "", "file:", "file::memory:", ":memory:?x=1", "file:?x=1", "file:%3Amemory%3A", "file:name?mode=memory"}

// shared are the names of one that all connections of a process share.
var shared = []string{"file::memory:?cache=shared", "file:liveness1?mode=memory&cache=shared", "file:liveness2?cache=shared&mode=memory"}

var sqliteNames = []string{"sqlite3", registeredName}

func insertM(ctx context.Context, c *overlay.Conn) error {
	_, err := c.ExecAsync(ctx, "INSERT INTO m (id) VALUES (1)").Await(ctx)
	return err
}

// usable fails the test if an engine's calls do not all see one database.
func usable(t *testing.T, e *overlay.Engine) {
	t.Helper()
	value(t, "create a table", e.ExecAsync(bounded(t), "CREATE TABLE m (id INTEGER)"))
	var fs []*overlay.Future[sql.Result]
	for i := range 40 {
		fs = append(fs, e.ExecAsync(bounded(t), "INSERT INTO m (id) VALUES (?)", i))
	}
	value(t, "the inserts", overlay.All(fs...))
	noError(t, "WithTx", within(t, patience, "WithTx", func() error { return e.WithTx(bounded(t), nil, insertM) }))
	if n := value(t, "count", overlay.Scalar[int](bounded(t), e, "SELECT count(*) FROM m")); n != 41 {
		t.Errorf("%d rows, not 41", n)
	}
}

func TestAPrivateMemoryDatabaseHasOneConnection(t *testing.T) {
	for _, driver := range sqliteNames {
		for _, dsn := range private {
			t.Run(fmt.Sprintf("%s %q", driver, dsn), func(t *testing.T) {
				alone(t)
				t.Chdir(t.TempDir())
				usable(t, open(t, driver, dsn))
				e, err := overlay.Open(driver, dsn, overlay.WithLanes(2))
				wantError(t, "Open with two lanes", err, overlay.ErrMemoryDB)
				if err == nil {
					shut(t, e)
				}
			})
		}
	}
}

func TestASharedMemoryDatabaseHasManyLanes(t *testing.T) {
	for _, driver := range sqliteNames {
		for _, dsn := range shared {
			t.Run(fmt.Sprintf("Open %s %q", driver, dsn), func(t *testing.T) {
				alone(t)
				e := open(t, driver, dsn, overlay.WithLanes(1)) // a shared cache has locks that no busy timeout waits for
				usable(t, e)
				c := connect(t, e)
				if n := value(t, "count", overlay.Scalar[int](bounded(t), c, "SELECT count(*) FROM m")); n != 41 {
					t.Errorf("another connection sees %d rows", n)
				}
				outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
			})
			t.Run(fmt.Sprintf("New %s %q", driver, dsn), func(t *testing.T) {
				alone(t)
				db := openAio(t, driver+":"+dsn)
				e := overDB(t, db, overlay.WithLanes(1))
				usable(t, e)
				c := connect(t, e)
				outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
			})
		}
	}
}
