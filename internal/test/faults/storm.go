package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// storm makes all calls there are, on SQLite and MariaDB at once, with contexts
// that end at any moment.
func storm(ctx context.Context, j job, r *report) error {
	lasting := 3 * time.Minute
	if j.Short {
		lasting = 3 * time.Second
	}
	dsns := map[string]string{"sqlite3": "file:" + filepath.Join(j.Dir, "storm.db") +
		"?_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000"}
	dsn, drop, err := someServer(ctx, j)
	switch {
	case errors.Is(err, errNoServer):
		r.notef("without MariaDB: %v", err)
	case err != nil:
		return err
	default:
		defer drop()
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return err
		}
		cfg.Params = map[string]string{"innodb_lock_wait_timeout": "2"}
		dsns["mysql"] = cfg.FormatDSN()
	}
	var fronts []*front
	for driver, dsn := range dsns {
		f := &front{driver: driver, dsn: dsn}
		if err := f.prepare(ctx); err != nil {
			return err
		}
		defer f.bare.Close()
		fronts = append(fronts, f)
	}
	base := takeBaseline()
	for _, f := range fronts {
		if err := f.start(j); err != nil {
			return err
		}
	}
	time.Sleep(lasting)
	for _, f := range fronts {
		f.crew.stop.Store(true)
	}
	until := time.Now().Add(patience + grace)
	for _, f := range fronts {
		f.end(until, r)
	}
	base.check(r)
	for _, f := range fronts {
		if err := f.audit(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// A front is one database in the storm.
type front struct {
	driver, dsn string
	bare        *sql.DB
	told        *ledger
	site        *site
	crew        *crew

	mu    sync.Mutex
	wrong map[string]int // guarded by mu: promises broken, and how often
}

func (f *front) prepare(ctx context.Context) (err error) {
	if f.bare, err = openBare(f.driver, f.dsn); err != nil {
		return err
	}
	f.bare.SetMaxIdleConns(0)
	return createTables(ctx, f.bare)
}

func (f *front) start(j job) (err error) {
	f.told, f.wrong = newLedger(), make(map[string]int)
	if f.site, err = openSite(f.driver, f.dsn, f.told.tell); err != nil {
		return err
	}
	f.site.wrong = f.noteWrong
	f.crew, err = startCrew(f.site, j, 10, allWays(), anyLimit)
	return err
}

// end waits until a time for the calls that are under way, and closes the site.
func (f *front) end(until time.Time, r *report) {
	f.crew.await(until, r)
	f.site.close(r)
	r.Faults += int(f.site.lastUnit.Load())
	f.mu.Lock()
	defer f.mu.Unlock()
	for text, n := range f.wrong {
		r.Wrong += n
		r.notef("wrong: %s: %d × %s", f.driver, n, text)
	}
}

func (f *front) audit(ctx context.Context, r *report) error {
	if f.driver == "mysql" {
		if err := waitUntilAlone(ctx, f.bare); err != nil {
			r.wrongf("mysql: %v", err)
		}
	}
	before := len(r.Notes)
	err := f.told.audit(ctx, f.bare, r)
	for i := range r.Notes[before:] {
		r.Notes[before+i] = f.driver + ": " + r.Notes[before+i]
	}
	r.notef("%s: answers other than yes: %s", f.driver, f.told.commonErrors(12))
	return err
}

// patience is how long a call without a deadline may take.
const patience = 20 * time.Second

// anyLimit gives a call a deadline that leaves it time, one that it hardly can
// keep, a cancellation at a bad moment, or no end at all.
func anyLimit(r *rand.Rand) (context.Context, context.CancelFunc, time.Duration) {
	switch n := r.IntN(100); {
	case n < 45:
		return deadline(3 * time.Second)(r)
	case n < 70:
		return deadline(time.Duration(r.IntN(3000)) * time.Microsecond)(r)
	case n < 85:
		after := time.Duration(r.IntN(10000)) * time.Microsecond
		ctx, cancel := context.WithCancel(context.Background())
		timer := time.AfterFunc(after, cancel)
		return ctx, func() { timer.Stop(); cancel() }, after
	}
	return context.Background(), func() {}, patience
}

// noteWrong is the site's wrong: many goroutines call it.
func (f *front) noteWrong(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrong[fmt.Sprintf(format, args...)]++
}
