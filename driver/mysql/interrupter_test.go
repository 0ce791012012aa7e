package mysql

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// pinned is a connection of the driver on a thread of its own, with its
// Interrupter: what the shim makes of it, without the shim.
type pinned struct {
	t     testing.TB
	calls chan func()
	inner driver.Conn
	conn  *conn        // below inner; nil if it is no such
	i     *interrupter // nil: contexts are left to the driver
}

func open(t testing.TB, c driver.Connector) *pinned {
	t.Helper()
	p := &pinned{t: t, calls: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range p.calls {
			f()
		}
	}()
	t.Cleanup(func() {
		if t.Failed() && p.conn != nil {
			p.conn.Close() // a statement may still be running
		}
		p.do(func() {
			if p.inner != nil {
				p.inner.Close()
			}
		})
		close(p.calls)
	})
	var err error
	p.do(func() {
		if p.inner, err = c.Connect(context.Background()); err == nil {
			p.conn = connOf(p.inner)
			p.i, _ = adapter{}.Interrupter(p.inner, c).(*interrupter)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func connector(t testing.TB, cfg *mysql.Config) driver.Connector {
	t.Helper()
	return must(mysql.NewConnector(cfg))(t)
}

func (p *pinned) do(f func()) {
	done := make(chan struct{})
	p.calls <- func() {
		defer close(done)
		f()
	}
	<-done
}

// start begins a statement and returns where its end will be reported.
func (p *pinned) start(query string) <-chan error {
	end := make(chan error, 1)
	p.calls <- func() {
		_, err := run(p.inner, query)
		end <- err
	}
	return end
}

// run runs a statement and returns the first column of its last row.
func run(c driver.Conn, query string) (string, error) {
	rows, err := c.(driver.QueryerContext).QueryContext(context.Background(), query, nil)
	if err != nil {
		return "", err
	}
	row, last := make([]driver.Value, len(rows.Columns())), ""
	for {
		switch err := rows.Next(row); err {
		case nil:
			last = text(row[0])
		case io.EOF:
			return last, rows.Close()
		default:
			rows.Close()
			return last, err
		}
	}
}

func (p *pinned) query(query string) (got string, err error) {
	p.do(func() { got, err = run(p.inner, query) })
	return got, err
}

// interrupt does what the shim does for a running statement: it interrupts it
// until it has ended, and settles.
func (p *pinned) interrupt(end <-chan error) (took time.Duration, err error) {
	p.t.Helper()
	start := time.Now()
	for {
		p.i.Interrupt(context.Background())
		select {
		case err = <-end:
			took = time.Since(start)
			var settled error
			p.do(func() { settled = p.i.Settle() })
			if settled != nil && !p.i.hungUp.Load() {
				p.t.Error("Settle:", settled)
			}
			return took, err
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(start) > 20*time.Second {
			p.t.Fatal("the statement did not end")
		}
	}
}

// endless is a statement that ends only when it is killed. Most tests take it in
// place of a SLEEP, which MariaDB kills less reliably when other sessions sleep
// too: KILL may take two seconds, and the statement may report success.
const endless = "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"

// running waits until the server runs a statement with this text.
func running(t testing.TB, watch *pinned, part string, want bool) {
	t.Helper()
	q := "SELECT COUNT(*) FROM information_schema.processlist WHERE ID <> CONNECTION_ID() AND COMMAND <> 'Sleep' AND INFO LIKE '%" + part + "%'"
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		n, err := watch.query(q)
		if err != nil {
			t.Fatal(err)
		}
		if (n != "0") == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q running: %s, want %v", part, n, want)
		}
	}
}

func TestInterruptEndsStatement(t *testing.T) {
	cfg := testConfig(t)
	c := connector(t, cfg)
	p, watch := open(t, c), open(t, c)
	if p.i == nil {
		t.Fatal("no Interrupter")
	}
	id := must(p.query("SELECT CONNECTION_ID()"))(t)
	for n, statement := range []string{
		endless,
		"SELECT MD5(seq) m FROM seq_1_to_30000000 ORDER BY m",
		"SELECT seq, REPEAT('x', 1000) FROM seq_1_to_100000000",
	} {
		mark := fmt.Sprintf("mark%d_%d", n, rand.Int32())
		end := p.start("/* " + mark + " */ " + statement)
		running(t, watch, mark, true)
		took, err := p.interrupt(end)
		if !p.i.Interrupted(err) || p.i.hungUp.Load() {
			t.Errorf("%s: %v", statement, err)
		}
		var e *mysql.MySQLError
		if !errors.As(err, &e) || e.Number != 1317 {
			t.Errorf("%s: %v", statement, err)
		}
		t.Logf("%s ended after %v", statement, took)
		running(t, watch, mark, false)
		if got, err := p.query("SELECT CONNECTION_ID()"); got != id || err != nil {
			t.Errorf("afterwards: session %s, %v; was %s", got, err, id)
		}
	}
}

// In a transaction an interrupted statement is undone alone.
func TestInterruptKeepsTransaction(t *testing.T) {
	c := connector(t, testConfig(t))
	p, watch := open(t, c), open(t, c)
	table := fmt.Sprintf("sqlaio_tx_%d", rand.Int32())
	exec := func(q string) {
		t.Helper()
		if _, err := p.query(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	exec("CREATE TABLE " + table + " (a BIGINT) ENGINE=InnoDB")
	defer exec("DROP TABLE " + table)
	exec("START TRANSACTION")
	exec("INSERT INTO " + table + " VALUES (1)")
	end := p.start("INSERT INTO " + table + " SELECT seq FROM seq_2_to_100000000")
	running(t, watch, "INSERT INTO "+table+" SELECT", true)
	if _, err := p.interrupt(end); !p.i.Interrupted(err) || p.i.hungUp.Load() {
		t.Fatal(err)
	}
	if got := must(p.query("SELECT CONCAT(COUNT(*), ' ', @@in_transaction) FROM " + table))(t); got != "1 1" {
		t.Errorf("rows and transaction: %s, want 1 1", got)
	}
	exec("COMMIT")
	if got := must(p.query("SELECT COUNT(*) FROM " + table))(t); got != "1" {
		t.Errorf("%s rows committed, want 1", got)
	}
}

// However an interruption and the end of its statement fall together, the
// next statement runs undisturbed.
func TestLateInterruptHitsNothing(t *testing.T) {
	c := connector(t, testConfig(t))
	p := open(t, c)
	// While somebody else needs the side connection, a KILL takes no longer
	// than the statements here.
	defer joinSides(c).leave()
	hits, rounds := 0, 1000
	if testing.Short() {
		rounds = 100
	}
	for range rounds {
		// No table of the engine SEQUENCE: when it has to be opened again, a KILL is
		// reported as a failure to find it.
		end := p.start("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900) SELECT COUNT(*) FROM s WHERE MD5(i) <> ''")
		for wait := time.Duration(rand.IntN(1500)) * time.Microsecond; wait > 0; {
			start := time.Now()
			runtime.Gosched() // a sleep is not that exact
			wait -= time.Since(start)
		}
		p.i.Interrupt(context.Background())
		if err := <-end; p.i.Interrupted(err) {
			hits++
		} else if err != nil {
			t.Fatal(err)
		}
		p.do(func() {
			if err := p.i.Settle(); err != nil {
				t.Error(err)
			}
		})
		if got, err := p.query("SELECT 'undisturbed' UNION ALL SELECT 'undisturbed'"); got != "undisturbed" || err != nil {
			t.Fatalf("the next statement: %q, %v", got, err)
		}
	}
	t.Logf("%d of %d interruptions came in time", hits, rounds)
	if p.i.hungUp.Load() {
		t.Error("hung up")
	}
}

// Settle as it works for servers that may hold a late KILL back.
func TestSettle(t *testing.T) {
	p := open(t, connector(t, testConfig(t)))
	p.i.settles = true
	for range 20 {
		p.i.Interrupt(context.Background())
		p.do(func() {
			if err := p.i.Settle(); err != nil {
				t.Error(err)
			}
		})
		if _, err := p.query("SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
}

// Calls that are interrupted at one time share a few side connections.
func TestInterruptsShareSides(t *testing.T) {
	cfg := testConfig(t)
	front, through := startProxy(t, cfg)
	c := connector(t, through)
	const n = 20
	var all []*pinned
	for range n {
		all = append(all, open(t, c))
	}
	// They wait for a lock: MariaDB's KILL of a SLEEP takes up to two seconds
	// when other sessions sleep.
	table := fmt.Sprintf("sqlaio_lock_%d", rand.Int32())
	holder := open(t, connector(t, cfg))
	for _, q := range []string{"CREATE TABLE " + table + " (a INT)", "LOCK TABLES " + table + " WRITE"} {
		if _, err := holder.query(q); err != nil {
			t.Fatal(err)
		}
	}
	defer holder.query("DROP TABLE " + table)
	before := front.opened.Load()
	front.most.Store(0)
	var ends []<-chan error
	for _, p := range all {
		ends = append(ends, p.start("SELECT * FROM "+table))
	}
	time.Sleep(20 * time.Millisecond)
	var wg sync.WaitGroup
	for k, p := range all {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := p.interrupt(ends[k]); !p.i.Interrupted(err) || p.i.hungUp.Load() {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if most := front.most.Load(); most > n+maxSides+1 { // the proxy may see an end late
		t.Errorf("%d connections at a time for %d calls", most, n)
	}
	t.Logf("%d side connections for %d calls", front.opened.Load()-before, n)
	sidePools.mu.Lock()
	defer sidePools.mu.Unlock()
	if len(sidePools.of) != 0 {
		t.Errorf("side connections of %d connectors are kept", len(sidePools.of))
	}
}

func TestHangUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		fail   func(p *proxy)
		within time.Duration
	}{
		{"the side connection is refused", func(p *proxy) { p.refuse = true }, time.Second},
		{"the side connection gets no answer", func(p *proxy) { p.mute = true }, sideTimeout + time.Second},
		{"the server hangs", func(p *proxy) { p.mute = true; close(p.hang) }, sideTimeout + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(t)
			front, through := startProxy(t, cfg)
			p := open(t, connector(t, through))
			end := p.start("SELECT SLEEP(10)")
			time.Sleep(20 * time.Millisecond)
			front.set(c.fail)
			took, err := p.interrupt(end)
			if !p.i.Interrupted(err) || took > c.within {
				t.Errorf("%v after %v, want within %v", err, took, c.within)
			}
			if pass := cfg.Passwd; pass != "" && strings.Contains(fmt.Sprint(err), pass) {
				t.Error("the error tells the password")
			}
			p.do(func() {
				if err := p.i.Settle(); err != driver.ErrBadConn {
					t.Errorf("Settle: %v", err)
				}
				if p.inner.(driver.Validator).IsValid() {
					t.Error("the connection counts as valid")
				}
			})
		})
	}
}

// A statement that does not stop is left to the server.
func TestPatience(t *testing.T) {
	p := open(t, connector(t, testConfig(t)))
	// The KILL goes to a session that exists, but runs nothing.
	idle := open(t, connector(t, testConfig(t)))
	p.i.session = idle.i.session
	end := p.start("SELECT SLEEP(5)")
	took, err := p.interrupt(end)
	if !p.i.Interrupted(err) || !p.i.hungUp.Load() {
		t.Error(err)
	}
	if took < patience || took > patience+time.Second {
		t.Errorf("hung up after %v", took)
	}
}

// No KILL goes to another server, where the id is somebody else's.
func TestOtherServer(t *testing.T) {
	front, through := startProxy(t, testConfig(t))
	c := connector(t, through)
	p, other := open(t, c), open(t, c)
	s := other.i.session
	s.server = "another"
	before := front.opened.Load()
	victim := other.start("SELECT SLEEP(0.2)")
	time.Sleep(10 * time.Millisecond)
	if kill(context.Background(), c, s) {
		t.Error("killed")
	}
	if err := <-victim; err != nil {
		t.Error(err)
	}
	if n := front.opened.Load() - before; n != attempts {
		t.Errorf("%d attempts to reach the server, want %d", n, attempts)
	}
	_ = p
}

// A proxy that lends out its server sessions announces ids of its own.
func TestSharedSessions(t *testing.T) {
	front, through := startProxy(t, testConfig(t))
	front.set(func(p *proxy) {
		p.greet = func(b []byte) []byte {
			end := 5 + bytes.IndexByte(b[5:], 0) + 1
			binary.LittleEndian.PutUint32(b[end:], 7)
			return b
		}
	})
	p := open(t, connector(t, through))
	if p.i != nil {
		t.Error("KILL would go to the id that the proxy announced, or to another client's session")
	}
	if _, err := p.query("SELECT 1"); err != nil {
		t.Error(err)
	}
}

// A KILL whose answer did not come may strike later: the connection must go.
func TestUnconfirmedKill(t *testing.T) {
	front, through := startProxy(t, testConfig(t))
	c := connector(t, through)
	p := open(t, c)
	sides := joinSides(c)
	defer sides.leave()
	side := openSide(context.Background(), c)
	if side == nil {
		t.Fatal("no side connection")
	}
	sides.put(side)
	front.set(func(p *proxy) { close(p.hang) })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	p.i.Interrupt(ctx)
	if !p.i.hungUp.Load() {
		t.Error("the connection is kept")
	}
}

func TestInterrupted(t *testing.T) {
	open, hungUp := &interrupter{}, &interrupter{}
	hungUp.hungUp.Store(true)
	for _, c := range []struct {
		err                error
		isOpen, whenHungUp bool
	}{
		{&mysql.MySQLError{Number: 1317}, true, true},
		{fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: 1317}), true, true},
		{&mysql.MySQLError{Number: 1213}, false, false},
		{mysql.ErrInvalidConn, false, true},
		{driver.ErrBadConn, false, true},
		{&net.OpError{Op: "write", Err: net.ErrClosed}, false, true},
		{io.EOF, false, false},
		{nil, false, false},
	} {
		if got := open.Interrupted(c.err); got != c.isOpen {
			t.Errorf("%v: %v", c.err, got)
		}
		if got := hungUp.Interrupted(c.err); got != c.whenHungUp {
			t.Errorf("%v after hanging up: %v", c.err, got)
		}
	}
}
