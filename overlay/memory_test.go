package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestEngineOnADatabaseInMemoryOfManyConnections(t *testing.T) {
	ctx := context.Background()
	db, err := sql.Open("aio", "sqlite3::memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e := overlay.New(db)
	defer e.Shutdown(ctx)
	if _, err := e.ExecAsync(ctx, "CREATE TABLE t (id INTEGER)").Await(ctx); !errors.Is(err, overlay.ErrMemoryDB) {
		t.Errorf("got %v", err)
	}
}
