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
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
)

// pinnedConn is a connection of the driver on a thread of its own, with its
// Interrupter: what the shim makes of it, without the shim.
type pinnedConn struct {
	t     testing.TB
	calls chan func()
	inner driver.Conn
	conn  *conn        // below inner; nil if it is no such
	i     *interrupter // nil: contexts are left to the driver
	tx    tracked      // what i came with
}

func open(t testing.TB, c driver.Connector) *pinnedConn {
	t.Helper()
	p := &pinnedConn{t: t, calls: make(chan func())}
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
			p.tx, _ = adapter{}.Interrupter(p.inner, c).(tracked)
			p.i = p.tx.interrupter
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

func (p *pinnedConn) do(f func()) {
	done := make(chan struct{})
	p.calls <- func() {
		defer close(done)
		f()
	}
	<-done
}

// begin begins a call and returns where its end will be reported.
func (p *pinnedConn) begin(call func() error) <-chan error {
	end := make(chan error, 1)
	p.calls <- func() { end <- call() }
	return end
}

// start begins a statement and returns where its end will be reported.
func (p *pinnedConn) start(query string) <-chan error {
	return p.begin(func() error { _, err := run(p.inner, query); return err })
}

// settle fails the test if Settle does.
func (p *pinnedConn) settle() {
	p.t.Helper()
	if err := <-p.begin(p.i.Settle); err != nil {
		p.t.Error(err)
	}
}

// stops fails the test unless the statement can be interrupted and its connection
// be kept.
func (p *pinnedConn) stops(query string) {
	p.t.Helper()
	if p.i == nil {
		p.t.Fatal("no Interrupter")
	}
	if _, err := p.interrupt(p.start(query)); !p.i.Interrupted(err) || p.i.isHungUp() {
		p.t.Errorf("%v, hung up: %v", err, p.i.isHungUp())
	}
}

// startRunning returns once the server runs the statement.
func (p *pinnedConn) startRunning(query string) <-chan error {
	p.t.Helper()
	mark := fmt.Sprintf("mark_%d", rand.Int32())
	watch := open(p.t, connector(p.t, testConfig(p.t)))
	end := p.start("/* " + mark + " */ " + query)
	running(p.t, watch, mark, true)
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

func (p *pinnedConn) query(query string) (got string, err error) {
	p.do(func() { got, err = run(p.inner, query) })
	return got, err
}

// interrupt does what the shim does for a running statement: it interrupts it
// until it has ended, and settles.
func (p *pinnedConn) interrupt(end <-chan error) (took time.Duration, err error) {
	p.t.Helper()
	start := time.Now()
	for {
		p.i.Interrupt(context.Background())
		select {
		case err = <-end:
			took = time.Since(start)
			if settled := <-p.begin(p.i.Settle); settled != nil && !p.i.isHungUp() {
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
func running(t testing.TB, watch *pinnedConn, part string, want bool) {
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
		if !p.i.Interrupted(err) || p.i.isHungUp() {
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
	table := newTable(t, watch, "a BIGINT")
	must(p.query("START TRANSACTION"))(t)
	must(p.query("INSERT INTO " + table + " VALUES (1)"))(t)
	end := p.start("INSERT INTO " + table + " SELECT seq FROM seq_2_to_100000000")
	running(t, watch, "INSERT INTO "+table+" SELECT", true)
	if _, err := p.interrupt(end); !p.i.Interrupted(err) || p.i.isHungUp() {
		t.Fatal(err)
	}
	if got := must(p.query("SELECT CONCAT(COUNT(*), ' ', @@in_transaction) FROM " + table))(t); got != "1 1" {
		t.Errorf("rows and transaction: %s, want 1 1", got)
	}
	must(p.query("COMMIT"))(t)
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
	_, leave := joinSides(c)
	defer leave()
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
		p.settle()
		if got, err := p.query("SELECT 'undisturbed' UNION ALL SELECT 'undisturbed'"); got != "undisturbed" || err != nil {
			t.Fatalf("the next statement: %q, %v", got, err)
		}
	}
	t.Logf("%d of %d interruptions came in time", hits, rounds)
	if p.i.isHungUp() {
		t.Error("hung up")
	}
}

// Settle as it works for servers that may hold a late KILL back.
func TestSettle(t *testing.T) {
	p := open(t, connector(t, testConfig(t)))
	p.i.settles = true
	for range 20 {
		p.i.Interrupt(context.Background())
		p.settle()
		if _, err := p.query("SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
}

// Calls that are interrupted at one time share a few side connections.
func TestInterruptsShareSides(t *testing.T) {
	cfg := testConfig(t)
	front, through := proxy.Before(t, cfg)
	c := connector(t, through)
	const n = 20
	var all []*pinnedConn
	for range n {
		all = append(all, open(t, c))
	}
	// They wait for a lock: MariaDB's KILL of a SLEEP takes up to two seconds
	// when other sessions sleep.
	holder := open(t, connector(t, cfg))
	table := newTable(t, holder, "a INT")
	must(holder.query("LOCK TABLES " + table + " WRITE"))(t)
	defer holder.query("UNLOCK TABLES")
	before := front.Opened.Load()
	front.Most.Store(0)
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
			if _, err := p.interrupt(ends[k]); !p.i.Interrupted(err) || p.i.isHungUp() {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if most := front.Most.Load(); most > n+maxSides+1 { // the proxy may see an end late
		t.Errorf("%d connections at a time for %d calls", most, n)
	}
	t.Logf("%d side connections for %d calls", front.Opened.Load()-before, n)
	sidePools.mu.Lock()
	defer sidePools.mu.Unlock()
	if len(sidePools.of) != 0 {
		t.Errorf("side connections of %d connectors are kept", len(sidePools.of))
	}
}

func TestHangUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		fail   func(p *proxy.Proxy)
		within time.Duration
	}{
		{"the side connection is refused", func(p *proxy.Proxy) { p.OnConnect((*proxy.Conn).Close) }, 3 * time.Second},
		{"the side connection gets no answer", func(p *proxy.Proxy) { p.OnConnect((*proxy.Conn).Stall) }, sideTimeout + 3*time.Second},
		{"the server hangs", func(p *proxy.Proxy) { p.Every((*proxy.Conn).Stall) }, sideTimeout + 3*time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(t)
			front, through := proxy.Before(t, cfg)
			p := open(t, connector(t, through))
			end := p.startRunning("SELECT SLEEP(30)")
			c.fail(front)
			took, err := p.interrupt(end)
			if p.i.Interrupted(err) || !p.i.Lost(err) || took > c.within {
				t.Errorf("%v after %v, want a lost connection within %v", err, took, c.within)
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

// A call that goes on although its statement was killed is ended in the end: a
// LOAD DATA LOCAL whose data has no end. The server reports the KILL after the
// data.
func TestPatience(t *testing.T) {
	p := open(t, connector(t, testConfig(t)))
	p.i.patience = 300 * time.Millisecond
	table := newTable(t, p, "a BIGINT")
	handler(t, "endless", func() io.Reader { return endlessLines{} })
	end := p.start("LOAD DATA LOCAL INFILE 'Reader::endless' INTO TABLE " + table)
	took, err := p.interrupt(end)
	if p.i.Interrupted(err) || !p.i.Lost(err) || !p.i.isHungUp() {
		t.Error(err)
	}
	if took < p.i.patience {
		t.Errorf("hung up after %v", took)
	}
}

// endlessLines is a table's data without end.
type endlessLines struct{}

func (endlessLines) Read(b []byte) (int, error) {
	for n := range b {
		b[n] = "1\n"[n%2]
	}
	return len(b) / 2 * 2, nil
}

// handler registers a reader for LOAD DATA LOCAL.
func handler(t testing.TB, name string, open func() io.Reader) {
	mysql.RegisterReaderHandler(name, open)
	t.Cleanup(func() { mysql.DeregisterReaderHandler(name) })
}

// A LOAD DATA LOCAL that is killed while it has still data to send keeps its
// connection if that ends in time.
func TestInterruptedLoadKeepsConnection(t *testing.T) {
	c := connector(t, testConfig(t))
	p, watch := open(t, c), open(t, c)
	table := newTable(t, watch, "a BIGINT")
	data := make(chan struct{})
	handler(t, "held", func() io.Reader {
		return io.MultiReader(io.LimitReader(endlessLines{}, 1<<16), readerFunc(func([]byte) (int, error) {
			<-data
			return 0, io.EOF
		}))
	})
	end := p.start("LOAD DATA LOCAL INFILE 'Reader::held' INTO TABLE " + table)
	running(t, watch, "Reader::held", true)
	p.i.Interrupt(context.Background())
	close(data)
	if _, err := p.interrupt(end); !p.i.Interrupted(err) || p.i.isHungUp() {
		t.Errorf("%v, hung up: %v", err, p.i.isHungUp())
	}
	if got := must(watch.query("SELECT COUNT(*) FROM " + table))(t); got != "0" {
		t.Errorf("%s rows kept", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// The driver overlooks the answer to a prepared SELECT that Exec executes and
// that is killed before its first row. The call is ended when the server says
// that it has nothing more to do.
func TestOverlookedAnswer(t *testing.T) {
	p := open(t, connector(t, testConfig(t)))
	p.i.patience = time.Hour
	watch := open(t, connector(t, testConfig(t)))
	end := p.begin(func() error {
		s, err := p.inner.(driver.ConnPrepareContext).PrepareContext(context.Background(), endless+" WHERE b.seq > ?")
		if err == nil {
			_, err = s.(driver.StmtExecContext).ExecContext(context.Background(), []driver.NamedValue{{Ordinal: 1, Value: int64(7)}})
		}
		return err
	})
	running(t, watch, "WHERE b.seq > ", true)
	took, err := p.interrupt(end)
	if !p.i.Interrupted(err) && !p.i.Lost(err) {
		t.Error(err)
	}
	t.Logf("%v after %v", err, took)
}

// When KILL comes between two statements of one text, MariaDB runs no other and
// says nothing, though it has announced another result. The call ends all the
// same.
func TestKillBetweenStatements(t *testing.T) {
	cfg := testConfig(t)
	cfg.MultiStatements = true
	c := connector(t, cfg)
	text := strings.Repeat("DO 0; ", 5000) + "DO 0"
	hungUp := 0
	for range 10 {
		p := open(t, c)
		p.i.patience = time.Hour
		end := p.begin(func() error { return p.exec(text) })
		time.Sleep(time.Millisecond) // any moment will do
		_, err := p.interrupt(end)
		switch {
		case p.i.Lost(err) && p.i.isHungUp():
			hungUp++
		case err != nil && !isKilled(err) || p.i.isHungUp():
			t.Error(err)
		}
	}
	t.Logf("%d of 10 got no answer", hungUp)
}

// A large change that is being undone is waited for: the KILL has worked.
func TestUndoIsWaitedFor(t *testing.T) {
	c := connector(t, testConfig(t))
	p, watch := open(t, c), open(t, c)
	p.i.patience = 60 * time.Millisecond
	table := newTable(t, watch, "a BIGINT PRIMARY KEY, b INT, KEY (b)")
	end := p.start("INSERT INTO " + table + " SELECT seq, seq FROM seq_1_to_100000000")
	running(t, watch, "INSERT INTO "+table, true)
	// Enough of it that undoing takes longer than patience.
	must(watch.query("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"))(t)
	for must(watch.query("SELECT COALESCE(MAX(a), 0) > 60000 FROM "+table))(t) != "1" {
		time.Sleep(time.Millisecond)
	}
	took, err := p.interrupt(end)
	if !p.i.Interrupted(err) || p.i.isHungUp() {
		t.Errorf("%v after %v, hung up: %v", err, took, p.i.isHungUp())
	}
	t.Logf("ended after %v", took)
}

// newTable makes a table of InnoDB's for the test.
func newTable(t testing.TB, p *pinnedConn, columns string) string {
	t.Helper()
	table := fmt.Sprintf("sqlaio_%d", rand.Int32())
	must(p.query("CREATE TABLE " + table + " (" + columns + ") ENGINE=InnoDB"))(t)
	t.Cleanup(func() {
		if _, err := open(t, connector(t, testConfig(t))).query("DROP TABLE IF EXISTS " + table); err != nil {
			t.Error(err)
		}
	})
	return table
}

// interruptThrough begins an Interrupt, and returns when it has dialed the proxy. The
// channel is closed when the Interrupt has returned.
func (p *pinnedConn) interruptThrough(ctx context.Context, front *proxy.Proxy) <-chan struct{} {
	before := front.Opened.Load()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.i.Interrupt(ctx)
	}()
	for front.Opened.Load() == before {
		time.Sleep(time.Millisecond)
	}
	return done
}

// When its call has ended, an Interrupt returns without waiting for the side
// connection, and nothing is hung up.
func TestInterruptOfEndedCall(t *testing.T) {
	front, through := proxy.Before(t, testConfig(t))
	p := open(t, connector(t, through))
	front.OnConnect((*proxy.Conn).Stall)
	ctx, cancel := context.WithCancel(context.Background())
	done := p.interruptThrough(ctx, front)
	cancel()
	<-done
	if p.i.isHungUp() {
		t.Error("hung up")
	}
	p.settle()
	must(p.query("SELECT 1"))(t)
}

// HangUp ends a call in the middle of anything, an Interrupt that is waiting for the
// server included.
func TestHangUpAtOnce(t *testing.T) {
	front, through := proxy.Before(t, testConfig(t))
	p := open(t, connector(t, through))
	end := p.startRunning("SELECT SLEEP(30)")
	front.OnConnect((*proxy.Conn).Stall)
	done := p.interruptThrough(context.Background(), front)
	for range 3 {
		p.i.HangUp()
	}
	<-done
	if err := <-end; !p.i.Lost(err) || p.i.Interrupted(err) {
		t.Error(err)
	}
}

// No KILL goes to another server, where the id is somebody else's.
func TestOtherServer(t *testing.T) {
	front, through := proxy.Before(t, testConfig(t))
	c := connector(t, through)
	p, other := open(t, c), open(t, c)
	s := other.i.session
	s.server = "another"
	before := front.Opened.Load()
	victim := other.start("SELECT SLEEP(0.2)")
	time.Sleep(10 * time.Millisecond)
	if got := withSide(context.Background(), c, s.server, func(*side) fate { return struck }); got != unsent {
		t.Error("there is a side connection")
	}
	if err := <-victim; err != nil {
		t.Error(err)
	}
	if n := front.Opened.Load() - before; n != attempts {
		t.Errorf("%d attempts to reach the server, want %d", n, attempts)
	}
	_ = p
}

// A proxy that lends out its server sessions announces ids of its own.
func TestSharedSessions(t *testing.T) {
	front, through := proxy.Before(t, testConfig(t))
	front.OnAnswer(func(n int, b []byte) []byte {
		if n == 1 {
			end := 5 + bytes.IndexByte(b[5:], 0) + 1
			binary.LittleEndian.PutUint32(b[end:], 7)
		}
		return b
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
	front, through := proxy.Before(t, testConfig(t))
	c := connector(t, through)
	p := open(t, c)
	sides, leave := joinSides(c)
	defer leave()
	side := openSide(context.Background(), c)
	if side == nil {
		t.Fatal("no side connection")
	}
	sides.put(side)
	front.Every((*proxy.Conn).Stall)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	p.i.Interrupt(ctx)
	if !p.i.isHungUp() {
		t.Error("the connection is kept")
	}
}
