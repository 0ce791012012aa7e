package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// registerFew registers, once, a driver that lets the process have few threads.
var registerFew = sync.OnceFunc(func() {
	aio.Register("faults-few", &sqlite3.SQLiteDriver{}, aio.WithThread(threadpin.WithMaxThreads(fewest)))
})

// fewest is how many workers that driver allows.
const fewest = 4

// fewThreads holds all workers that there may be and wants more.
func fewThreads(ctx context.Context, j job, file string, r *report) error {
	bare, err := openBare("sqlite3", sqliteDSN(file))
	if err != nil {
		return err
	}
	defer bare.Close()
	bare.SetMaxIdleConns(0) // SQLite keeps descriptors of a file that another connection of the process has locked
	if err := createTables(ctx, bare); err != nil {
		return err
	}
	base := takeBaseline()
	if base.workers != 0 {
		return fmt.Errorf("%d workers are left of what ran before", base.workers)
	}
	registerFew()
	db, err := sql.Open("faults-few", sqliteDSN(file))
	if err != nil {
		return err
	}
	told := newLedger()
	s := &site{driver: "sqlite3", db: db, tell: told.tell, wrong: r.wrongf}
	s.engine = overlay.New(db, overlay.WithLanes(2))
	for range 5 {
		s.holdThreads(ctx, r)
		r.Faults++
	}
	const limit = 8 * time.Second
	crew, err := startCrew(s, j, 4, politeWays, deadline(limit))
	if err != nil {
		return err
	}
	if !crew.caughtUp(time.Now(), recovery) {
		r.Hung++
		r.notef("hung: %v after there may be threads again not every writer writes", recovery)
		printGoroutines("writers that do not write again")
	}
	crew.end(limit, r)
	s.close(r)
	base.check(r)
	return told.audit(ctx, bare, r)
}

// holdThreads takes all the workers there may be, and then asks for one more in
// each way.
func (s *site) holdThreads(ctx context.Context, r *report) {
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	var held holder
	for range fewest {
		c, err := s.db.Conn(ctx)
		if err != nil && !errors.Is(err, threadpin.ErrTooManyThreads) {
			r.wrongf("threads: opening one of few: %v", err)
		}
		held.keep(err, func() { c.Close() })
	}
	calls := map[string]func() error{
		"sql.DB.Conn": func() error { _, err := s.db.Conn(ctx); return err },
		"sql.DB.Exec": func() error { return dbExec(ctx, s, nil) },
		"Connect":     func() error { _, err := s.engine.ConnectAsync(ctx).Await(ctx); return err },
		"Exec":        func() error { return engineExec(ctx, s, nil) },
		"WithTx":      func() error { return withTx(ctx, s, nil) },
	}
	for name, call := range calls {
		var err error
		if !inTime(opening+grace, func() { err = call() }) {
			r.Hung++
			r.notef("hung: %s without threads", name)
			continue
		}
		// A lane that has its thread already goes on working.
		if err != nil && !errors.Is(err, threadpin.ErrTooManyThreads) {
			r.wrongf("threads: %s: %v", name, err)
		}
	}
	held.letGo()
}
