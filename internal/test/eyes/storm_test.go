package eyes_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// storm makes all kinds of writes with contexts that end at any time. Each has an
// id of its own; afterwards what was told is compared with what is there.
func storm(t *testing.T, drv, dsn string, bare *sql.DB, d time.Duration, chaos func()) {
	before := runtime.NumGoroutine()
	e, err := overlay.Open(drv, dsn, overlay.WithLanes(2), overlay.WithQueue(64))
	ok(t, "open", err)
	db := e.SyncDB()
	db.SetMaxOpenConns(8)
	st, err := db.Prepare("INSERT INTO t (id, who) VALUES (?, ?)")
	ok(t, "prepare", err)
	var changing sync.Mutex
	var shared atomic.Pointer[overlay.Conn]
	connect := func() *overlay.Conn {
		c, err := e.ConnectAsync(bg).Await(bg)
		if err != nil {
			return nil
		}
		shared.Store(c)
		return c
	}
	connect()
	fail := errors.New("fail")
	const ins, ret = "INSERT INTO t (id, who) VALUES (?, ?)", "INSERT INTO t (id, who) VALUES (?, ?) RETURNING id"
	type way struct {
		name string
		f    func(ctx context.Context, id int64, w string) error
	}
	ways := []way{
		{"ExecAsync", func(ctx context.Context, id int64, w string) error {
			_, err := e.ExecAsync(ctx, ins, id, w).Await(bg)
			return err
		}},
		{"Scalar", func(ctx context.Context, id int64, w string) error {
			_, err := overlay.Scalar[int64](ctx, e, ret, id, w).Await(bg)
			return err
		}},
		{"shared ExecAsync", func(ctx context.Context, id int64, w string) error {
			_, err := shared.Load().ExecAsync(ctx, ins, id, w).Await(bg)
			return err
		}},
		{"shared SyncConn", func(ctx context.Context, id int64, w string) error {
			_, err := shared.Load().SyncConn().ExecContext(ctx, ins, id, w)
			return err
		}},
		{"shared CloseAsync", func(ctx context.Context, id int64, w string) error {
			if rand.IntN(4) > 0 {
				return fail
			}
			changing.Lock()
			defer changing.Unlock()
			c := shared.Load()
			if connect() == nil {
				return fail
			}
			time.Sleep(2 * time.Millisecond)
			c.CloseAsync(bg).Await(bg)
			return fail
		}},
		{"Exec", func(ctx context.Context, id int64, w string) error {
			_, err := db.ExecContext(ctx, ins, id, w)
			return err
		}},
		{"Stmt", func(ctx context.Context, id int64, w string) error {
			_, err := st.ExecContext(ctx, id, w)
			return err
		}},
		{"QueryRow", func(ctx context.Context, id int64, w string) error {
			return vague(db.QueryRowContext(ctx, ret, id, w).Scan(&id))
		}},
		{"sql.Tx", func(ctx context.Context, id int64, w string) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.StmtContext(ctx, st).ExecContext(ctx, id, w); err != nil {
				return err
			}
			return tx.Commit()
		}},
		{"sql.Conn", func(ctx context.Context, id int64, w string) error {
			c, err := db.Conn(bg)
			if err != nil {
				return err
			}
			defer c.Close()
			child, cancel := context.WithTimeout(bg, time.Duration(rand.IntN(2000))*time.Microsecond)
			defer cancel()
			if tx, err := c.BeginTx(child, nil); err == nil {
				tx.ExecContext(child, ins, -id, w)
			}
			<-child.Done()
			if drv == "sqlite3" { // database/sql closes the sql.Conn, and may panic as it is used meanwhile
				return fail
			}
			_, err = c.ExecContext(ctx, ins, id, w) // not in the transaction that has ended
			return err
		}},
		{"WithTx", func(ctx context.Context, id int64, w string) error {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, ins, id, w).Await(ctx)
				return err
			})
		}},
		{"WithTx, nobody looks", func(ctx context.Context, id int64, w string) error {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				child, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(500))*time.Microsecond)
				defer cancel()
				f := c.ExecAsync(child, ins, id, w)
				<-f.Done()
				return nil
			})
		}},
		{"WithNested", func(ctx context.Context, id int64, w string) error {
			var inner error
			err := e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				child, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
				defer cancel()
				inner = c.WithNested(child, func(ctx context.Context, c *overlay.Conn) error {
					_, err := c.ExecAsync(child, ins, id, w).Await(child)
					return err
				})
				return nil
			})
			if err == nil {
				err = inner
			}
			return err
		}},
		{"nested, taken back", func(ctx context.Context, id int64, w string) error {
			e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
					c.ExecAsync(ctx, ins, id, w).Await(ctx)
					return fail
				})
				return nil
			})
			return fail
		}},
		{"BatchAsync", func(ctx context.Context, id int64, w string) error {
			r, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "DELETE FROM t WHERE id = -1"}, {Query: ins, Args: []any{id, w}}, {Query: "DELETE FROM t WHERE id = -1"}}, overlay.InTx(nil)).Await(bg)
			if err == nil && r[1].Err != nil {
				err = r[1].Err
			}
			return err
		}},
		{"BatchAsync plain", func(ctx context.Context, id int64, w string) error {
			r, err := e.BatchAsync(ctx, []overlay.Statement{{Query: ins, Args: []any{id, w}}, {Query: "DELETE FROM t WHERE id = -1"}}).Await(bg)
			if len(r) > 0 {
				return r[0].Err
			}
			return err
		}},
		{"RunInThread", func(ctx context.Context, id int64, w string) error {
			_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				tx, err := c.BeginTx(ctx, nil)
				if err != nil {
					return 0, err
				}
				defer tx.Rollback()
				if _, err := tx.ExecContext(ctx, ins, id, w); err != nil {
					return 0, err
				}
				switch rand.IntN(30) {
				case 0:
					panic("x")
				case 1:
					runtime.Goexit()
				}
				return 0, tx.Commit()
			}).Await(bg)
			return err
		}},
		{"RunInThread, child", func(ctx context.Context, id int64, w string) error {
			_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				child, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(500))*time.Microsecond)
				defer cancel()
				if tx, err := c.BeginTx(child, nil); err == nil {
					tx.ExecContext(child, ins, -id, w)
				}
				<-child.Done()
				return 0, vague(c.QueryRowContext(ctx, ret, id, w).Scan(&id))
			}).Await(bg)
			return err
		}},
		{"Tx", func(ctx context.Context, id int64, w string) error {
			c, err := e.ConnectAsync(ctx).Await(bg)
			if err != nil {
				return err
			}
			defer c.CloseAsync(bg)
			tx, err := c.BeginAsync(ctx, nil).Await(bg)
			if err != nil {
				return err
			}
			if _, err := c.ExecAsync(ctx, ins, id, w).Await(bg); err != nil {
				return err
			}
			switch rand.IntN(4) {
			case 0:
				_, err = tx.CommitAsync(bg).Await(bg)
			case 1:
				f := tx.CommitAsync(bg)
				f.Cancel()
				_, err = f.Await(bg)
			default:
				_, err = tx.CommitAsync(ctx).Await(bg)
			}
			return err
		}},
		{"StreamAsync", func(ctx context.Context, id int64, w string) error {
			r, err := e.StreamAsync(ctx, ret, id, w).Await(bg)
			if err != nil {
				return err
			}
			rows, err := r.FetchAllAsync(ctx).Await(bg)
			r.CloseAsync(bg)
			if len(rows) == 1 && err != nil {
				return nil // the row of a write that is done
			}
			return vague(err)
		}},
		{"a stream left", func(ctx context.Context, id int64, w string) error {
			r, err := e.StreamAsync(ctx, "SELECT id FROM t").Await(bg)
			if err != nil {
				return fail
			}
			for range r.Rows(ctx) {
				if rand.IntN(20) == 0 {
					break
				}
			}
			return fail
		}},
	}
	type outcome struct {
		way, err string
		is       int // 1 made, 0 not, -1 unknown
	}
	var mu sync.Mutex
	told := map[int64]outcome{}
	var next atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	slowest := map[string]time.Duration{}
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for time.Now().Before(end) {
				w := ways[rand.IntN(len(ways))]
				id := next.Add(1)
				ctx, cancel := context.WithCancel(bg)
				limit := time.Hour
				if rand.IntN(2) == 0 {
					limit = time.Duration(rand.IntN(4000)) * time.Microsecond
					time.AfterFunc(limit, cancel)
				}
				start := time.Now()
				err := w.f(ctx, id, w.name)
				took := time.Since(start)
				cancel()
				o := outcome{way: w.name, is: 1}
				if err != nil {
					o.err, o.is = err.Error(), 0
					if errors.Is(err, overlay.ErrOutcomeUnknown) {
						o.is = -1
					}
				}
				mu.Lock()
				told[id] = o
				if took > slowest[w.name] {
					slowest[w.name] = took
				}
				mu.Unlock()
			}
		}()
	}
	stop := make(chan bool)
	if chaos != nil {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(1+rand.IntN(10)) * time.Millisecond):
					chaos()
				}
			}
		}()
		time.AfterFunc(d, func() { close(stop) })
	}
	done := make(chan bool)
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(d + 20*time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("HANG\n%s", buf[:runtime.Stack(buf, true)])
	}
	shared.Load().CloseAsync(bg)
	st.Close()
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error("Shutdown:", err)
	}
	have := map[int64]int{}
	rs, err := bare.Query("SELECT id FROM t")
	ok(t, "read", err)
	for rs.Next() {
		var id int64
		ok(t, "scan", rs.Scan(&id))
		have[id]++
	}
	rs.Close()
	bad := 0
	tally := map[string][4]int{}
	errs := map[string]int{}
	for id, o := range told {
		n := tally[o.way]
		n[o.is+1]++
		tally[o.way] = n
		text := fmt.Sprintf("%.110s", strings.Split(o.err, "\n")[0])
		if strings.Contains(text, "interrupted") {
			text = o.way + ": " + text
		}
		errs[text]++
		switch {
		case have[-id] > 0:
			t.Errorf("id %d, %s: the row of an ended transaction is there", id, o.way)
		case have[id] > 1:
			t.Errorf("id %d, %s (%q): TWICE", id, o.way, o.err)
		case o.is == 1 && have[id] == 0:
			t.Errorf("id %d, %s: LOST", id, o.way)
		case o.is == 0 && have[id] == 1 && strings.Contains(o.err, "invalid connection"): // known of autocommit
			t.Logf("id %d, %s: refused (%s) and KEPT", id, o.way, o.err)
			continue
		case o.is == 0 && have[id] == 1:
			t.Errorf("id %d, %s: refused (%s) and KEPT", id, o.way, o.err)
		default:
			continue
		}
		if bad++; bad > 20 {
			break
		}
	}
	for w, n := range tally {
		t.Logf("%-22s unknown %4d, refused %5d, made %5d, slowest %v", w, n[0], n[1], n[2], slowest[w])
	}
	for e, n := range errs {
		t.Logf("%6d %s", n, e)
	}
	time.Sleep(200 * time.Millisecond)
	if n := runtime.NumGoroutine(); n > before+5 {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines more\n%s", n-before, buf[:runtime.Stack(buf, true)])
	}
}

// vague is the error of rows whose context has ended: database/sql does not say what
// became of the write.
func vague(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %w", overlay.ErrOutcomeUnknown, err)
	}
	return err
}

func TestStormSQLite(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL&_synchronous=OFF&_txlock=immediate", "CREATE TABLE t (id INTEGER, who TEXT)")
	storm(t, "sqlite3", dsn, bare, 12*time.Second, nil)
}

func TestStormMaria(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, who TEXT) ENGINE=InnoDB")
	storm(t, "mysql", dsn, bare, 10*time.Second, nil)
}

// Connections are killed meanwhile.
func TestStormMariaKilled(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, who TEXT) ENGINE=InnoDB")
	storm(t, "mysql", dsn, bare, 10*time.Second, func() {
		rs, err := bare.Query("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1")
		if err != nil {
			return
		}
		var id int
		if rs.Next() {
			rs.Scan(&id)
		}
		rs.Close()
		bare.Exec(fmt.Sprint("KILL ", id))
	})
}

// Statements are killed meanwhile, by somebody else.
func TestStormMariaQueriesKilled(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, who TEXT) ENGINE=InnoDB")
	storm(t, "mysql", dsn, bare, 10*time.Second, func() { killOne(bare, "KILL QUERY ") })
}
