package tour

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

// tables is a schema tool that accepts anything that can query.
func tables(ctx context.Context, engine *overlay.Engine) error {
	rows, err := engine.QueryContext(ctx, "SELECT name FROM sqlite_master")
	if err != nil {
		return err
	}
	return rows.Close()
}

func Example_strict() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		undo := warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking)) // strict: such calls fail
		defer undo()

		var w *warnings.BlockingWarning
		if err := tables(ctx, engine); errors.As(err, &w) {
			fmt.Println(w.Message)
			fmt.Println(w.Advice)
		}
		return nil
	})
	// Output:
	// an asynchronous handle is used for blocking schema reflection
	// use RunInThread, HasTableAsync or TableNamesAsync; Engine.SyncDB() says that blocking is meant
}

func TestRecorded(t *testing.T) {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		recorded := warnings.Record(t) // in a test

		ctx = reflectguard.NonBlocking(ctx) // an event loop's
		var n int
		err := engine.SyncDB().QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n)
		if err != nil {
			return err
		}
		if got := recorded.All(); len(got) != 1 || got[0].Category() != warnings.Blocking {
			t.Errorf("%v", got)
		}
		return nil
	})
}

// Rename is the function under test.
func Rename(ctx context.Context, engine *overlay.Engine, id int, name string) error {
	_, err := engine.ExecAsync(ctx, "UPDATE users SET name = ? WHERE id = ?", name, id).Await(ctx)
	return err
}

func TestRename(t *testing.T) {
	engine, mock := overlaytest.New(t) // fails the test for unmet expectations and for what is left open
	mock.ExpectExec("UPDATE users").WithArgs("dora", 7).WillReturnResult(sqlmock.NewResult(0, 1))
	if err := Rename(t.Context(), engine, 7, "dora"); err != nil {
		t.Error(err)
	}
}
