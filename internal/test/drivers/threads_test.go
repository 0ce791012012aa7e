package drivers

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/threadpin"
)

// TestThreads proves that every method of the real drivers' connections,
// statements, transactions, rows and results runs on the one thread of its
// connection, and that each of them was called.
func TestThreads(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p, name := newProbe(t, d)
		db, err := sql.Open("aio", name+":"+d.dsn(t))
		must(t, err)
		db.SetMaxOpenConns(3)
		db.SetMaxIdleConns(2) // so that connections come and go
		_, err = db.Exec("CREATE TABLE t (n BIGINT)")
		must(t, err)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				runtime.LockOSThread() // so that a call that stays on its caller's thread strays
				defer runtime.UnlockOSThread()
				for range 2 {
					if err := d.everything(db); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		rows, err := db.Query("SELECT i FROM " + d.series(5000))
		must(t, err)
		rows.Next()
		must(t, db.Close()) // with rows open, whose connection is closed after them
		must(t, rows.Close())
		until(t, "the end of the connections", func() bool { // of which database/sql's own goroutines close some
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.owners) == 0
		})
		p.report(t)
	})
}

// report fails the test for calls that strayed and for methods never called.
func (p *probe) report(t *testing.T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.strays[:min(20, len(p.strays))] {
		t.Error(s)
	}
	offered := slices.Sorted(maps.Keys(p.offered))
	calls := 0
	for _, m := range offered {
		if p.seen[m] == 0 {
			t.Errorf("%s was never called", m)
		}
		calls += p.seen[m]
	}
	t.Logf("%d connections, %d calls of %d methods: %v", p.conns, calls, len(offered), offered)
}

// everything makes each call of database/sql that reaches the driver.
func (d database) everything(db *sql.DB) error {
	conn, err := db.Conn(background)
	if err != nil {
		return err
	}
	w, err := aio.Thread(conn)
	if err != nil {
		return err
	}
	return errors.Join(
		conn.PingContext(background),
		d.readAndWrite(conn),
		d.refused(conn),
		d.ownThread(conn, w.ThreadID()),
		d.inStatement(conn),
		d.inTransaction(conn, (*sql.Tx).Commit),
		d.inTransaction(conn, (*sql.Tx).Rollback),
		conn.Close(),
		d.inTransaction(db, (*sql.Tx).Commit),
		d.cancelled(db),
	)
}

func (d database) readAndWrite(s session) error {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	r, err := s.ExecContext(ctx, d.sql("INSERT INTO t VALUES (?)"), 1)
	if err != nil {
		return err
	}
	r.LastInsertId() // which pgx and lib/pq refuse
	_, err = r.RowsAffected()
	return errors.Join(err,
		readAll(s.QueryContext(ctx, "SELECT i, 'x', 2.5, NULL FROM "+d.series(600))),
		readAll(s.QueryContext(ctx, d.sql("SELECT n FROM t WHERE n < ?"), 0)),
		readAll(s.QueryContext(ctx, d.several())),
		readFirst(s.QueryContext(ctx, "SELECT i FROM "+d.series(5000))))
}

// several is a query of two statements with the driver that has both results.
func (d database) several() string {
	if d.name == "pq" {
		return "SELECT 1; SELECT 2"
	}
	return "SELECT 1"
}

// readAll reads all rows of all result sets and asks all about their columns.
func readAll(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	for more := true; more; more = rows.NextResultSet() {
		if _, err := rows.ColumnTypes(); err != nil {
			return err
		}
		for rows.Next() {
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// readFirst closes rows long before their end.
func readFirst(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	rows.Next()
	return errors.Join(rows.Err(), rows.Close())
}

func (d database) refused(s session) error {
	_, err1 := s.ExecContext(background, "SELECT * FROM missing")
	_, err2 := s.PrepareContext(background, "SELEC")
	_, err3 := s.QueryContext(background, d.sql("SELECT CAST(? AS INTEGER)"), struct{}{})
	if err1 == nil || err2 == nil || err3 == nil {
		return fmt.Errorf("not refused: %v, %v, %v", err1, err2, err3)
	}
	return nil
}

// whereAsked is an argument whose value is the thread that it was asked for on.
type whereAsked struct{}

func (whereAsked) Value() (driver.Value, error) { return int64(threadpin.CurrentThreadID()), nil }

// ownThread has an argument's own conversion run, which is the thread's affair too.
func (d database) ownThread(c *sql.Conn, want int) error {
	for _, s := range []session{c, prepared{session: c, e: new(env)}} {
		rows, err := s.QueryContext(background, d.sql("SELECT CAST(? AS BIGINT)"), whereAsked{})
		if err != nil {
			return err
		}
		var got int
		rows.Next()
		if err := errors.Join(rows.Scan(&got), rows.Close()); err != nil || got != want {
			return fmt.Errorf("an argument was converted on thread %d, not %d: %v", got, want, err)
		}
	}
	return nil
}

func (d database) inStatement(c *sql.Conn) error {
	insert, err := c.PrepareContext(background, d.sql("INSERT INTO t VALUES (?)"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	_, err1 := insert.ExecContext(ctx, 2)
	_, err2 := insert.Exec(3)
	find, err := c.PrepareContext(background, d.sql("SELECT n FROM t WHERE n > ?"))
	if err != nil {
		return err
	}
	err3 := readAll(find.QueryContext(ctx, -1))
	rows, err := find.QueryContext(ctx, -1)
	if err != nil {
		return err
	}
	rows.Next()
	return errors.Join(err1, err2, err3, rows.Close(), find.Close(), insert.Close()) // in this order: modernc.org/sqlite crashes in the other, bare too
}

func (d database) inTransaction(by interface {
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}, end func(*sql.Tx) error) error {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	tx, err := by.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = d.readAndWrite(tx)
	rows, err2 := tx.Query("SELECT i FROM " + d.series(5000))
	if err := errors.Join(err, err2); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	rows.Next()
	return errors.Join(end(tx), rows.Close()) // with rows open
}

// cancelled ends contexts under calls that run, and under a transaction.
func (d database) cancelled(db *sql.DB) error {
	query := d.endless()
	if d.name == "pq" { // which asks the server once: before the statement has begun that is in vain, bare too
		query = "SELECT pg_sleep(0.5)"
	}
	for _, wait := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(background, wait)
		_, err1 := db.ExecContext(ctx, query)
		err2 := readAll(db.QueryContext(ctx, query))
		cancel()
		ctx, cancel = context.WithTimeout(background, wait)
		tx, err := db.BeginTx(ctx, nil)
		if err == nil {
			_, err = tx.ExecContext(ctx, query)
			tx.Rollback()
		}
		cancel()
		if d.name != "pq" && (err == nil || err1 == nil || err2 == nil) {
			return errors.New("an endless query ended")
		}
	}
	return readAll(db.Query("SELECT 1"))
}

// TestThreadsAreTold proves that TestThreads would notice: with the bare driver
// under the same probe calls stray to whatever thread makes them.
func TestThreadsAreTold(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p, name := newProbe(t, d)
		db, err := sql.Open(name, d.dsn(t))
		must(t, err)
		defer db.Close()
		c, err := db.Conn(background)
		must(t, err)
		defer c.Close()
		var all, wg sync.WaitGroup
		all.Add(2)
		for range 2 {
			wg.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				if _, err := c.ExecContext(background, "SELECT 1"); err != nil {
					t.Error(err)
				}
				all.Done()
				all.Wait() // both have a thread at once: not the same
			})
		}
		wg.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.strays) == 0 {
			t.Error("two threads used one connection, and none of their calls strayed")
		}
	})
}
