package driver_test

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/threadpin"
)

// permutations returns all orders of 0 to n-1.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

// A program has everything open that can be: a connection with a transaction,
// in which a statement has rows.
type program struct {
	db   *sql.DB
	conn *sql.Conn
	tx   *sql.Tx
	stmt *sql.Stmt
	rows *sql.Rows
}

func startProgram(t testing.TB, ctx context.Context, db *sql.DB, read int) program {
	t.Helper()
	p := program{db: db}
	var err error
	p.conn, err = db.Conn(ctx)
	must(t, err)
	p.tx, err = p.conn.BeginTx(ctx, nil)
	must(t, err)
	p.stmt, err = p.tx.PrepareContext(ctx, "rows 60")
	must(t, err)
	p.rows, err = p.stmt.QueryContext(ctx)
	must(t, err)
	for range read {
		p.rows.Next()
	}
	return p
}

// A closer is an object of a program, by the way it is closed.
type closer struct {
	name  string
	close func() error
}

func (p program) closers() []closer {
	return []closer{{"rows", p.rows.Close}, {"stmt", p.stmt.Close}, {"tx", p.tx.Rollback},
		{"conn", p.conn.Close}, {"db", p.db.Close}}
}

// closeInOrder closes everything and returns what the calls returned. The
// Close of a connection waits, in database/sql, for its transaction.
func closeInOrder(closers []closer, order []int) (results []string) {
	var waiting sync.WaitGroup
	errs := make([]error, len(closers))
	for _, i := range order {
		c := closers[i]
		if c.name != "conn" {
			errs[i] = c.close()
			continue
		}
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			errs[i] = c.close()
		}()
		runtime.Gosched()
	}
	waiting.Wait()
	for i, c := range closers {
		results = append(results, fmt.Sprint(c.name, ": ", errs[i]))
	}
	return results
}

// ended reports what a program has left open, and what rules were broken but
// the one that database/sql itself breaks when a transaction ends before the
// rows of its statements.
func ended(t testing.TB, d *dt.Driver) {
	t.Helper()
	eventually(t, func() bool { return d.OpenConns() == 0 }, "the end of all connections")
	report(t, "left open", d.OpenObjects())
	report(t, "rule broken", slices.DeleteFunc(d.Violations(), func(v string) bool {
		return strings.HasSuffix(v, "came in after its statement's Close")
	}))
}

// TestClosingInEveryOrder closes everything twice, in every order, and with
// rows unread, half read, and read to their end.
func TestClosingInEveryOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, read := range []int{0, 3, 61} {
		t.Run(fmt.Sprint("Modern/", read), func(t *testing.T) { closeInEveryOrder(t, dt.Modern, ctx, read) })
	}
	t.Run("Background", func(t *testing.T) { closeInEveryOrder(t, dt.Modern, context.Background(), 3) })
	t.Run("Legacy", func(t *testing.T) { closeInEveryOrder(t, dt.Legacy, context.Background(), 3) })
}

func closeInEveryOrder(t *testing.T, f dt.Features, ctx context.Context, read int) {
	for _, order := range permutations(5) {
		var want string
		for _, s := range append([]setup{bare}, setups...) {
			d, db := s.unchecked(t, f)
			closers := startProgram(t, ctx, db, read).closers()
			var got string
			within(t, func() { got = fmt.Sprint(closeInOrder(closers, order), closeInOrder(closers, order)) })
			ended(t, d)
			if s.name == bare.name {
				want = got
			} else if got != want {
				t.Errorf("%s: order %v:\n got %s\nwant %s", s.name, order, got, want)
			}
		}
	}
}

// TestClosingAtOnce closes everything from goroutines of their own, while
// others read the rows and cancel their context.
func TestClosingAtOnce(t *testing.T) {
	for _, s := range append([]setup{bare}, setups...) {
		t.Run(s.name, func(t *testing.T) {
			for range 100 {
				d, db := s.unchecked(t, dt.Modern)
				ctx, cancel := context.WithCancel(context.Background())
				p := startProgram(t, ctx, db, 3)
				closers := append(slices.Concat(p.closers(), p.closers()),
					closer{"cancel", func() error { cancel(); return nil }},
					closer{"read", func() error {
						for p.rows.Next() {
						}
						return nil
					}})
				var wg sync.WaitGroup
				start := make(chan struct{})
				for _, c := range closers {
					wg.Add(1)
					go func() {
						defer wg.Done()
						<-start
						c.close()
					}()
				}
				close(start)
				within(t, wg.Wait)
				ended(t, d)
			}
		})
	}
}

// TestDriverObjectsCloseInEveryOrder closes what the shim hands to
// database/sql in orders that database/sql would not: it must return, touch
// no inner connection after its end, and end the thread. Only a transaction
// cannot end well after its connection.
func TestDriverObjectsCloseInEveryOrder(t *testing.T) {
	back := leaks(t)
	for _, s := range setups {
		for _, read := range []int{0, 3, 61} {
			for _, order := range permutations(4) {
				d := dt.New(dt.Modern)
				closers := openedByDriver(t, d, s, read)
				within(t, func() {
					for _, i := range slices.Concat(order, order) {
						c := closers[i]
						if err := c.close(); err != nil && (c.name != "tx" || err != driver.ErrBadConn) {
							t.Errorf("order %v: %s: %v", order, c.name, err)
						}
					}
				})
				if d.Count("Conn.Close") != 1 || d.OpenConns() != 0 {
					t.Errorf("order %v: the connection was closed %d times", order, d.Count("Conn.Close"))
				}
				report(t, "called after Close", afterClose(d))
				report(t, "wrong thread", d.ThreadViolations())
			}
		}
	}
	back()
}

// openedByDriver is startProgram without database/sql.
func openedByDriver(t testing.TB, d *dt.Driver, s setup, read int) []closer {
	t.Helper()
	ctx := context.Background()
	ctor, err := s.open(d)
	must(t, err)
	c, err := ctor.Connect(ctx)
	must(t, err)
	tx, err := c.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})
	must(t, err)
	stmt, err := c.(driver.ConnPrepareContext).PrepareContext(ctx, "rows 60")
	must(t, err)
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, nil)
	must(t, err)
	dest := make([]driver.Value, len(rows.Columns()))
	for range read {
		if err := rows.Next(dest); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	return []closer{{"rows", rows.Close}, {"stmt", stmt.Close}, {"tx", sync.OnceValue(tx.Rollback)}, {"conn", c.Close}}
}

// afterClose returns the calls that reached a connection after its Close.
func afterClose(d *dt.Driver) (list []string) {
	closed := map[int]bool{}
	for _, c := range d.Log() {
		if closed[c.Conn] {
			list = append(list, c.String())
		}
		closed[c.Conn] = closed[c.Conn] || c.Method == "Conn.Close"
	}
	return list
}

// TestClosingBehindQueuedWork: what is queued on the thread runs first, all of
// it, and then everything closes.
func TestClosingBehindQueuedWork(t *testing.T) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			for _, order := range permutations(5) {
				d, db := s.unchecked(t, dt.Modern)
				p := startProgram(t, context.Background(), db, 3)
				w, err := aio.Thread(p.conn)
				must(t, err)
				release := make(chan struct{})
				var ran, done atomic.Int64
				for range 10 {
					must(t, w.Submit(func() { <-release; ran.Add(1) }, func(error) { done.Add(1) }))
				}
				closing := make(chan struct{})
				go func() {
					defer close(closing)
					closeInOrder(p.closers(), order)
				}()
				close(release)
				join(t, closing)
				ended(t, d)
				if ran.Load() != 10 || done.Load() != 10 {
					t.Errorf("order %v: %d of 10 queued functions ran, %d were acknowledged", order, ran.Load(), done.Load())
				}
				if err := w.Run(context.Background(), func() {}); err != threadpin.ErrAlreadyQuit {
					t.Errorf("the worker of a closed connection returns %v", err)
				}
			}
		})
	}
}

// TestUseAfterDBClose: what is open when the DB is closed goes on working, and
// ends as with the bare driver.
func TestUseAfterDBClose(t *testing.T) {
	ctx := context.Background()
	var want string
	for _, s := range append([]setup{bare}, setups...) {
		d, db := s.start(t, dt.Modern)
		p := startProgram(t, ctx, db, 3)
		var results []any
		within(t, func() {
			must(t, db.Close())
			n := 0
			for p.rows.Next() {
				n++
			}
			_, err := p.tx.ExecContext(ctx, "noop")
			rows, err2 := p.stmt.QueryContext(ctx)
			must(t, err2)
			rows.Next()
			results = append(results, n, p.rows.Err(), err, rows.Close(), p.tx.Commit(), p.conn.PingContext(ctx),
				p.conn.Close(), p.conn.PingContext(ctx), db.Ping(), p.rows.Close(), p.stmt.Close(), db.Close())
		})
		clean(t, d)
		if got := fmt.Sprint(results...); s.name == bare.name {
			want = got
		} else if got != want {
			t.Errorf("%s:\n got %s\nwant %s", s.name, got, want)
		}
	}
}

// TestRowsCloseWhileTheWorkerReadsAhead: the worker is in the middle of a row
// that never comes, and the reader has left. With an adapter it is
// interrupted; without one the end of the context ends it.
func TestRowsCloseWhileTheWorkerReadsAhead(t *testing.T) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			d, db := s.start(t, dt.Modern)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			rows, err := db.QueryContext(ctx, "rows 20 block at 6")
			must(t, err)
			for range 5 {
				rows.Next()
			}
			eventually(t, func() bool { return d.Count("Rows.Next") == 6 }, "reading ahead")
			if s.name != "Adapter" {
				cancel()
			}
			within(t, func() { must(t, rows.Close()) })
			must(t, db.Ping())
		})
	}
}

func init() {
	children["exit"] = func() {
		d := dt.New(dt.Modern)
		db := aio.OpenDB(d.Connector(""))
		if err := db.Ping(); err != nil {
			panic(err)
		}
		running := d.Gate("Conn.ExecContext")
		go db.Exec("noop")
		running.Wait()
		rows, err := db.Query("rows 300")
		if err != nil {
			panic(err)
		}
		rows.Next()
		fmt.Println("ready")
	}
}

// TestProgramEndsWithConnectionsOpen: one of them is idle, one executes a
// statement, and one has rows half read.
func TestProgramEndsWithConnectionsOpen(t *testing.T) { endsAtOnce(t, "exit") }

// endsAtOnce runs a child process that prints a line and returns from main.
func endsAtOnce(t *testing.T, child string) {
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	// The race detector sleeps for a second before a program ends.
	cmd.Env = append(os.Environ(), childVariable+"="+child, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Errorf("the child says %q, %v", line, err)
	}
	killer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	defer killer.Stop()
	start := time.Now()
	if err := cmd.Wait(); err != nil {
		t.Error("the child: ", err)
	}
	t.Log("the child ended after ", time.Since(start))
}

// TestCapOnThreads: the connection too many is an error that names the cap;
// the others go on working, and the end of one makes room.
func TestCapOnThreads(t *testing.T) {
	noWorkers(t)
	ctx := context.Background()
	_, db := open(t, dt.Modern, aio.WithThread(threadpin.WithMaxThreads(3)))
	db.SetMaxIdleConns(-1)
	var conns []*sql.Conn
	for range 3 {
		conn, err := db.Conn(ctx)
		must(t, err)
		defer conn.Close()
		conns = append(conns, conn)
	}
	for range 3 {
		_, err := db.Conn(ctx)
		if !errors.Is(err, threadpin.ErrTooManyThreads) || !strings.Contains(err.Error(), "WithMaxThreads allows 3") {
			t.Errorf("the fourth connection: %v", err)
		}
		for _, conn := range conns {
			must(t, everythingOn(ctx, conn))
		}
	}
	must(t, conns[0].Close())
	conn, err := db.Conn(ctx)
	must(t, err)
	must(t, everythingOn(ctx, conn))
	must(t, conn.Close())
}

// TestRefusedConnectionsTakeNoPlace: while one caller is refused, another gets
// what room there is.
func TestRefusedConnectionsTakeNoPlace(t *testing.T) {
	noWorkers(t)
	connector := func(most int) driver.Connector {
		return aio.NewConnector(dt.New(dt.Minimal).Connector(""), aio.WithThread(threadpin.WithMaxThreads(most)))
	}
	none, one := connector(0), connector(1)
	done := make(chan struct{})
	var refused sync.WaitGroup
	refused.Add(1)
	go func() {
		defer refused.Done()
		for {
			select {
			case <-done:
				return
			default:
				none.Connect(context.Background())
			}
		}
	}()
	for range 300 {
		c, err := one.Connect(context.Background())
		if err != nil {
			t.Error(err)
			break
		}
		must(t, c.Close())
	}
	close(done)
	refused.Wait()
}

// TestThousandConnectionsLeaveNothing opens connections that end in every way
// there is.
func TestThousandConnectionsLeaveNothing(t *testing.T) {
	ctx := context.Background()
	start := func(f dt.Features, opts ...aio.Option) (*dt.Driver, driver.Connector) {
		d := dt.New(f)
		return d, aio.NewConnector(d.Connector(""), opts...)
	}
	fails := func(t *testing.T, c driver.Connector, want error) {
		for range 1000 {
			if _, err := c.Connect(ctx); !errors.Is(err, want) {
				t.Fatal(err)
			}
		}
	}
	for name, body := range map[string]func(t *testing.T){
		"closed": func(t *testing.T) {
			_, ctor := start(dt.Modern)
			for range 1000 {
				c, err := ctor.Connect(ctx)
				must(t, err)
				must(t, c.Close())
			}
		},
		"inner open fails": func(t *testing.T) {
			d, ctor := start(dt.Modern)
			d.On("Connector.Connect", dt.Return(dt.ErrScripted))
			fails(t, ctor, dt.ErrScripted)
		},
		"inner open panics": func(t *testing.T) {
			d, ctor := start(dt.Modern)
			d.On("Connector.Connect", dt.Panic("boom"))
			for range 1000 {
				if v := recovered(func() { ctor.Connect(ctx) }); v != "boom" {
					t.Fatal(v)
				}
			}
		},
		"inner open ends its goroutine": func(t *testing.T) {
			d, ctor := start(dt.Modern)
			d.On("Connector.Connect", dt.Goexit())
			fails(t, ctor, threadpin.ErrGoexit)
		},
		"OnStart fails": func(t *testing.T) {
			d, ctor := start(dt.Modern, aio.WithThread(threadpin.WithOnStart(func() error { return dt.ErrScripted })))
			fails(t, ctor, dt.ErrScripted)
			if n := d.Count("Connector.Connect"); n != 0 {
				t.Errorf("the driver was asked for %d connections", n)
			}
		},
		"lost": func(t *testing.T) {
			for range 10 {
				d, ctor := start(dt.Modern)
				for i := range 100 {
					lose(t, ctor, i%2 == 0)
				}
				eventually(t, func() bool { runtime.GC(); return d.OpenConns() == 0 }, "the end of lost connections")
				report(t, "wrong thread", d.ThreadViolations())
			}
		},
		"lost by Goexit": func(t *testing.T) {
			d, ctor := start(dt.Modern)
			d.On("Conn.Ping", dt.Goexit())
			for range 1000 {
				c, err := ctor.Connect(ctx)
				must(t, err)
				if err := c.(driver.Pinger).Ping(ctx); err != threadpin.ErrGoexit {
					t.Fatal(err)
				}
			}
			eventually(t, func() bool { return d.OpenConns() == 0 }, "the end of the connections")
		},
	} {
		t.Run(name, func(t *testing.T) {
			back := leaks(t)
			body(t)
			back()
		})
	}
}

// lose opens a connection and forgets it, perhaps with rows half read.
func lose(t *testing.T, ctor driver.Connector, reading bool) {
	c, err := ctor.Connect(context.Background())
	must(t, err)
	if reading {
		rows, err := c.(driver.QueryerContext).QueryContext(context.Background(), "rows 300", nil)
		must(t, err)
		must(t, rows.Next(make([]driver.Value, len(rows.Columns()))))
	}
}

// recovered returns what fn panicked with, nil if it did not.
func recovered(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// A session uses a connection without database/sql, which would keep locks for
// ever after some panics.
type session struct {
	c      driver.Conn
	panics []any
	errs   []error
}

// step keeps what fn panics with or returns.
func (s *session) step(fn func() error) {
	var err error
	if v := recovered(func() { err = fn() }); v != nil {
		s.panics = append(s.panics, v)
	}
	if err != nil {
		s.errs = append(s.errs, err)
	}
}

// all makes every call that reaches a driver.
func (s *session) all() {
	ctx := context.Background()
	args := named(1, "two")
	if r, ok := s.c.(driver.SessionResetter); ok {
		s.step(func() error { return r.ResetSession(ctx) })
	}
	s.step(func() error { return s.c.(driver.Pinger).Ping(ctx) })
	for _, query := range []string{"affected 1 id 2", "skip noop ? ?"} {
		s.step(func() error {
			_, err := s.c.(driver.ExecerContext).ExecContext(ctx, query, args)
			return err
		})
	}
	for _, query := range []string{"rows 300", "skip sets 2x3 ? ?"} {
		s.step(func() error {
			rows, err := s.c.(driver.QueryerContext).QueryContext(ctx, query, args)
			return s.read(rows, err)
		})
	}
	s.prepared(ctx, args)
	for _, end := range []func(driver.Tx) error{driver.Tx.Commit, driver.Tx.Rollback} {
		s.step(func() error {
			tx, err := s.c.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})
			if err != nil {
				return err
			}
			return end(tx)
		})
	}
}

func (s *session) prepared(ctx context.Context, args []driver.NamedValue) {
	var stmt driver.Stmt
	s.step(func() (err error) {
		stmt, err = s.c.(driver.ConnPrepareContext).PrepareContext(ctx, "rows 2 ? ?")
		return err
	})
	if stmt == nil {
		return
	}
	s.step(func() error {
		_, err := stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	s.step(func() error {
		rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		return s.read(rows, err)
	})
	s.step(stmt.Close)
}

// read reads rows to their end, in spite of panics.
func (s *session) read(rows driver.Rows, err error) error {
	if err != nil {
		return err
	}
	for more := true; more; {
		s.step(func() error { rows.(driver.RowsColumnTypeScanType).ColumnTypeScanType(0); return nil })
		dest := make([]driver.Value, len(rows.Columns()))
		for err = nil; err == nil; {
			s.step(func() error { err = rows.Next(dest); return nil })
		}
		if err != io.EOF {
			s.errs = append(s.errs, err)
		}
		more = false
		s.step(func() error {
			set := rows.(driver.RowsNextResultSet)
			if err == io.EOF && set.HasNextResultSet() {
				err := set.NextResultSet()
				more = err == nil
				return err
			}
			return nil
		})
	}
	s.step(rows.Close)
	return nil
}

func named(values ...any) (list []driver.NamedValue) {
	for i, v := range values {
		list = append(list, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return list
}

// eachMethod runs body for each method of a connection and what comes from it.
func eachMethod(t *testing.T, body func(t *testing.T, d *dt.Driver, s *session, method string)) {
	for _, setup := range setups[1:] {
		for _, f := range []dt.Features{dt.Full, dt.Legacy, dt.Minimal, dt.Legacy | dt.SessionResetter | dt.Validator} {
			for _, method := range methods(f) {
				if slices.Contains([]string{"Connector.Connect", "Driver.Open", "Conn.Close"}, method) {
					continue
				}
				t.Run(fmt.Sprint(setup.name, "/", f, "/", method), func(t *testing.T) {
					d := dt.New(f)
					ctor, err := setup.open(d)
					must(t, err)
					c, err := ctor.Connect(context.Background())
					must(t, err)
					within(t, func() {
						defer c.Close()
						body(t, d, &session{c: c}, method)
					})
				})
			}
		}
	}
}

// TestPanicsArriveUnchanged, in every method, and do not harm the connection.
func TestPanicsArriveUnchanged(t *testing.T) {
	eachMethod(t, func(t *testing.T, d *dt.Driver, s *session, method string) {
		value := &struct{ int }{7}
		d.On(method, dt.First(1, dt.Panic(value)))
		s.all()
		if len(s.panics) != 1 || s.panics[0] != value {
			t.Errorf("recovered %v", s.panics)
		}
		again := &session{c: s.c}
		again.all()
		if len(again.panics) > 0 || len(again.errs) > 0 {
			t.Errorf("afterwards: panics %v, errors %v", again.panics, again.errs)
		}
		report(t, "wrong thread", d.ThreadViolations())
	})
}

// TestGoexitIsAnError, in every method: nothing hangs, and the inner
// connection is closed at once.
func TestGoexitIsAnError(t *testing.T) {
	eachMethod(t, func(t *testing.T, d *dt.Driver, s *session, method string) {
		d.On(method, dt.First(1, dt.Goexit()))
		s.all()
		want := threadpin.ErrGoexit
		if strings.HasPrefix(method, "Rows.ColumnType") {
			want = driver.ErrBadConn // of the next call: these have no error
		}
		if len(s.panics) > 0 || !errors.Is(errors.Join(s.errs...), want) {
			t.Errorf("panics %v, errors %v", s.panics, s.errs)
		}
		if _, err := s.c.Prepare("noop"); err != driver.ErrBadConn {
			t.Errorf("afterwards: %v", err)
		}
		eventually(t, func() bool { return d.OpenConns() == 0 }, "the end of the connection")
		report(t, "called after Close", afterClose(d))
		report(t, "wrong thread", d.ThreadViolations())
	})
}

// TestRowsCloseTellsWhatClosingAheadDid: the fill that Close has stopped closes
// the inner rows itself.
func TestRowsCloseTellsWhatClosingAheadDid(t *testing.T) {
	for name, hook := range map[string]dt.Hook{"panic": dt.Panic("boom"), "Goexit": dt.Goexit(), "error": dt.Return(dt.ErrClose)} {
		t.Run(name, func(t *testing.T) {
			d := dt.New(dt.Modern)
			ctor, err := setups[2].open(d)
			must(t, err)
			c, err := ctor.Connect(context.Background())
			must(t, err)
			within(t, func() {
				defer c.Close()
				rows, err := c.(driver.QueryerContext).QueryContext(context.Background(), "rows 20 block at 6", nil)
				must(t, err)
				for range 5 {
					must(t, rows.Next(make([]driver.Value, len(rows.Columns()))))
				}
				eventually(t, func() bool { return d.Count("Rows.Next") == 6 }, "reading ahead")
				d.On("Rows.Close", hook)
				v := recovered(func() { err = rows.Close() })
				switch name {
				case "panic":
					if v != "boom" {
						t.Errorf("recovered %v, error %v", v, err)
					}
				case "Goexit":
					if err != threadpin.ErrGoexit {
						t.Error(err)
					}
				default:
					if err != dt.ErrClose {
						t.Error(err)
					}
				}
				rows.Close()
				if n := d.Count("Rows.Close"); n != 1 {
					t.Errorf("closed %d times", n)
				}
			})
		})
	}
}

func TestPanicAndGoexitInClose(t *testing.T) {
	back := leaks(t)
	for _, s := range setups {
		for _, hook := range []dt.Hook{dt.Panic("boom"), dt.Goexit(), dt.Return(dt.ErrClose)} {
			d := dt.New(dt.Modern)
			d.On("Conn.Close", hook)
			ctor, err := s.open(d)
			must(t, err)
			c, err := ctor.Connect(context.Background())
			must(t, err)
			within(t, func() {
				v := recovered(func() { err = c.Close() })
				if v != "boom" && err != threadpin.ErrGoexit && err != dt.ErrClose {
					t.Errorf("recovered %v, error %v", v, err)
				}
				c.Close()
			})
			if n := d.Count("Conn.Close"); n != 1 {
				t.Errorf("closed %d times", n)
			}
		}
	}
	back()
}

// TestPoolReplacesConnectionAfterGoexit: the next call gets a new one.
func TestPoolReplacesConnectionAfterGoexit(t *testing.T) {
	for _, f := range []dt.Features{dt.Modern, dt.Legacy} {
		for _, method := range methods(f) {
			if strings.HasPrefix(method, "Rows.ColumnType") || strings.HasPrefix(method, "Conn") && method != "Conn.ExecContext" && method != "Conn.Exec" || method == "Driver.Open" {
				continue
			}
			t.Run(fmt.Sprint(f, "/", method), func(t *testing.T) {
				d := dt.New(f)
				db := aio.OpenDB(d.Connector(""))
				db.SetMaxOpenConns(1)
				remove := d.On(method, dt.First(1, dt.Goexit()))
				within(t, func() {
					if err := everything(context.Background(), db); !errors.Is(err, threadpin.ErrGoexit) {
						t.Error(err)
					}
					remove()
					_, err := db.Exec("noop")
					must(t, err)
					must(t, everything(context.Background(), db))
				})
				if n := d.Count("Connector.Connect"); n != 2 {
					t.Errorf("%d connections", n)
				}
				must(t, db.Close())
				eventually(t, func() bool { return d.OpenConns() == 0 }, "the end of all connections")
			})
		}
	}
}

// TestGoexitInRaw as t.FailNow does it.
func TestGoexitInRaw(t *testing.T) {
	ctx := context.Background()
	for _, f := range []dt.Features{dt.Modern, dt.Legacy, dt.Minimal} {
		d, db := open(t, f)
		db.SetMaxOpenConns(1)
		conn, err := db.Conn(ctx)
		must(t, err)
		within(t, func() {
			if err := aio.Raw(ctx, conn, func(driver.Conn) error { runtime.Goexit(); return nil }); err != threadpin.ErrGoexit {
				t.Error(err)
			}
			eventually(t, func() bool { return d.OpenConns() == 0 }, "the end of the connection")
			if _, err := conn.ExecContext(ctx, "noop"); err != driver.ErrBadConn {
				t.Error(err)
			}
			if err := conn.Close(); err != sql.ErrConnDone {
				t.Error(err)
			}
			must(t, everything(ctx, db))
		})
	}
}

func TestPanicInRaw(t *testing.T) {
	_, db := open(t, dt.Modern)
	conn, err := db.Conn(context.Background())
	must(t, err)
	defer conn.Close()
	value := errors.New("mine")
	within(t, func() {
		v := recovered(func() {
			aio.Raw(context.Background(), conn, func(driver.Conn) error { panic(value) })
		})
		if v != value {
			t.Error(v)
		}
		must(t, db.Ping())
	})
}
