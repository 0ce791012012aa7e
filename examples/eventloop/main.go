// Command eventloop runs an event loop that ticks every 5 ms and queries a database
// at each tick. It runs three times: without queries, for comparison; with asynchronous
// calls; and with blocking ones. Each time it prints how late the ticks were, and the
// warnings of package reflectguard.
//
//	go run ./examples/eventloop
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

const (
	lookup = "SELECT name FROM users WHERE id = ?"
	// summary is every 20th query. It takes a few tens of milliseconds.
	summary = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
		SELECT count(*) FROM n`
)

func main() {
	log.SetFlags(0)
	dir, err := os.MkdirTemp("", "eventloop")
	if err != nil {
		log.Fatal(err)
	}
	err = run(filepath.Join(dir, "users.db"))
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

func run(file string) error {
	ctx := context.Background()
	if err := create(ctx, file); err != nil {
		return err
	}
	warned := 0
	defer warnings.SetHandler(func(w warnings.Warning) {
		warned++
		show(w)
	})()

	for _, style := range []struct {
		name string
		loop func(context.Context, string) (*loop, error)
	}{
		{"no calls", idle},
		{"asynchronous calls", asynchronous},
		{"blocking calls", blocking},
	} {
		fmt.Printf("%s:\n", style.name)
		warned = 0
		l, err := style.loop(ctx, file)
		if err != nil {
			return fmt.Errorf("%s: %w", style.name, err)
		}
		fmt.Printf("    %d ticks, %d of them more than %v late, the worst %v; %d queries; %d warnings\n\n",
			l.ticks, l.late, limit, l.worst.Round(100*time.Microsecond), l.asked, warned)
	}
	return nil
}

// idle runs a loop that does nothing.
func idle(context.Context, string) (*loop, error) {
	l := newLoop()
	l.run(func() {})
	return l, nil
}

// asynchronous runs a loop that does not wait for the database. The answers are
// posted to the loop.
func asynchronous(ctx context.Context, file string) (*loop, error) {
	l := newLoop()
	engine, err := overlay.Open("sqlite3", file, overlay.WithDispatcher(l.post))
	if err != nil {
		return nil, err
	}
	defer engine.Shutdown(ctx)

	var failed error
	loopCtx := reflectguard.NonBlocking(ctx) // nothing in the loop may block
	l.run(func() {
		l.asked++
		l.open++
		if l.asked%20 == 0 {
			overlay.Scalar[int](loopCtx, engine, summary).OnDone(func(_ int, err error) {
				l.open--
				failed = errors.Join(failed, err)
			})
			return
		}
		overlay.Scalar[string](loopCtx, engine, lookup, l.asked).OnDone(func(_ string, err error) {
			l.open--
			failed = errors.Join(failed, err)
		})
	})
	return l, failed
}

// blocking runs a loop that makes the same queries and waits for each.
func blocking(ctx context.Context, file string) (*loop, error) {
	l := newLoop()
	engine, err := overlay.Open("sqlite3", file)
	if err != nil {
		return nil, err
	}
	defer engine.Shutdown(ctx)
	db := engine.SyncDB() // works with any sql.DB of the driver aio

	var failed error
	loopCtx := reflectguard.NonBlocking(ctx)
	l.run(func() {
		l.asked++
		var name string
		var n int
		var err error
		if l.asked%20 == 0 {
			err = db.QueryRowContext(loopCtx, summary).Scan(&n)
		} else {
			err = db.QueryRowContext(loopCtx, lookup, l.asked).Scan(&name)
		}
		failed = errors.Join(failed, err)
	})
	return l, failed
}

// show prints a warning as its Error method does, but with the file's base name only.
func show(w warnings.Warning) {
	d := w.Details()
	fmt.Printf("    %s at %s:%d: %s", w.Category(), filepath.Base(d.Site.File()), d.Site.Line(), d.Message)
	var b *warnings.BlockingWarning
	if errors.As(w, &b) && b.Took > 0 {
		fmt.Printf(", for %v", b.Took.Round(100*time.Microsecond))
	}
	fmt.Printf("\n        %s\n        %s\n", d.Statement, d.Advice)
}

func create(ctx context.Context, file string) error {
	db, err := sql.Open("aio", "sqlite3:"+file)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, `
		CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
		WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 200)
		INSERT INTO users SELECT id, 'user ' || id FROM n`)
	return err
}
