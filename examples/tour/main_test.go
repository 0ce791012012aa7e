package tour

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener")) // the overlay keeps one to convert rows
}

// step runs a step of the tour on a new SQLite file with five users, and prints
// its error, if any.
func step(run func(ctx context.Context, engine *overlay.Engine) error) {
	inFile(func(ctx context.Context, file string) error {
		engine, err := overlay.Open("sqlite3", file)
		if err != nil {
			return err
		}
		defer engine.Shutdown(ctx)
		return run(ctx, engine)
	})
}

func inFile(run func(ctx context.Context, file string) error) {
	dir, err := os.MkdirTemp("", "tour")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, file := context.Background(), filepath.Join(dir, "app.db")
	if err = fill(ctx, file); err == nil {
		err = run(ctx, file)
	}
	if err != nil {
		fmt.Println(err)
	}
}

func fill(ctx context.Context, file string) error {
	engine, err := overlay.Open("sqlite3", file)
	if err != nil {
		return err
	}
	defer engine.Shutdown(ctx)
	_, err = engine.ExecAsync(ctx, `
		CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
		INSERT INTO users (name) VALUES ('Jeremy'), ('Natalie'), ('Dan'), ('Casey'), ('Dana')`).Await(ctx)
	return err
}
