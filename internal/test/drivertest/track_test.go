package drivertest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestLogNamesObjectsAndContexts(t *testing.T) {
	d, db := open(t, Modern)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), ContextKey{}, "v"))
	defer cancel()
	s, err := db.PrepareContext(ctx, "echo ?")
	must(t, err)
	rows, err := s.Query(5)
	must(t, err)
	must(t, rows.Close())
	must(t, s.Close())
	var got []string
	for _, c := range d.Log() {
		got = append(got, c.String())
	}
	want := []string{
		`c1 Connector.Connect [""] ctx:cancellable,value=v`,
		`c1 Conn.PrepareContext "echo ?" ctx:cancellable,value=v`,
		`c1 Conn.IsValid`,
		`c1 Conn.ResetSession`,
		`c1.s1 Stmt.NumInput "echo ?"`,
		`c1.s1 Stmt.QueryContext "echo ?" [1=int64(5)]`,
		`c1.s1.r1 Rows.Close "echo ?"`,
		`c1 Conn.IsValid`,
		`c1.s1 Stmt.Close "echo ?"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// bare returns a connection without database/sql, to break rules on.
func bare(t *testing.T, f Features) (*Driver, driver.Conn) {
	d := New(f)
	ci, err := d.Connector("").Connect(context.Background())
	must(t, err)
	return d, ci
}

func wantViolation(t *testing.T, d *Driver, text string) {
	t.Helper()
	for _, v := range d.Violations() {
		if strings.Contains(v, text) {
			return
		}
	}
	t.Errorf("no %q in %q", text, d.Violations())
}

func TestOverlappingCallsAreSeen(t *testing.T) {
	d, ci := bare(t, Modern)
	g := d.Gate("Conn.Ping")
	done := make(chan error)
	go func() { done <- ci.(driver.Pinger).Ping(context.Background()) }()
	g.Wait()
	_, err := ci.Prepare("noop")
	must(t, err)
	g.Open()
	must(t, <-done)
	wantViolation(t, d, `c1 Conn.Prepare came in while c1 Conn.Ping ran`)
}

func TestCallsAfterCloseAreSeen(t *testing.T) {
	d, ci := bare(t, Minimal)
	si, err := ci.Prepare("rows 1")
	must(t, err)
	ri, err := si.Query(nil)
	must(t, err)
	must(t, ri.Close())
	ri.Close()
	wantViolation(t, d, "c1.s1.r1 Rows.Close came in after Close")
	must(t, si.Close())
	si.NumInput()
	wantViolation(t, d, "c1.s1 Stmt.NumInput came in after Close")
	must(t, ci.Close())
	ci.Close()
	wantViolation(t, d, "c1 Conn.Close came in after Close")
	ri.Columns()
	wantViolation(t, d, "c1.s1.r1 Rows.Columns came in after Close")
}

func TestWhatIsLeftOpenIsSeen(t *testing.T) {
	d, ci := bare(t, Modern)
	_, err := ci.Prepare("noop")
	must(t, err)
	_, err = ci.Begin()
	must(t, err)
	if got := d.OpenObjects(); !slices.Equal(got, []string{"c1", "c1.s1", "c1.t1"}) {
		t.Error(got)
	}
	if _, err := ci.Begin(); err != ErrTx {
		t.Error(err)
	}
	must(t, ci.(driver.SessionResetter).ResetSession(context.Background()))
	wantViolation(t, d, "c1 Conn.ResetSession came in with a transaction open")
	must(t, ci.Close())
	wantViolation(t, d, "c1 was closed while c1.s1 was open")
	wantViolation(t, d, "c1 was closed while c1.t1 was open")
}

func TestInterruptsAreRecorded(t *testing.T) {
	d, db := open(t, Modern)
	conn, err := db.Conn(context.Background())
	must(t, err)
	defer conn.Close()
	var in Interrupter
	must(t, conn.Raw(func(ci any) error { in = ci.(Interrupter); return nil }))
	in.Interrupt()
	done := make(chan error)
	go func() {
		_, err := conn.ExecContext(context.Background(), "interruptible")
		done <- err
	}()
	for d.Count("Conn.ExecContext") == 0 {
		runtime.Gosched()
	}
	in.Interrupt()
	if err := <-done; err != ErrInterrupted {
		t.Error(err)
	}
	hits := d.Interrupts()
	if len(hits) != 2 || hits[0] != (Interrupt{Conn: in.Number()}) || d.Log()[hits[1].Hit-1].Method != "Conn.ExecContext" {
		t.Error(hits)
	}
}

func TestInterruptOfProtectedIsSeen(t *testing.T) {
	d, ci := bare(t, Modern)
	done := make(chan error)
	go func() {
		_, err := ci.(driver.ExecerContext).ExecContext(context.Background(), "interruptible protected", nil)
		done <- err
	}()
	for d.Count("Conn.ExecContext") == 0 {
		runtime.Gosched()
	}
	ci.(Interrupter).Interrupt()
	<-done
	wantViolation(t, d, "an interrupt hit c1 Conn.ExecContext")
}

func TestThreadsAreCompared(t *testing.T) {
	if threadID() == 0 {
		t.Skip("threads have no id here")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, ci := bare(t, Modern)
	must(t, ci.(driver.Pinger).Ping(context.Background()))
	if v := d.ThreadViolations(); v != nil {
		t.Error(v)
	}
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		ci.(driver.Pinger).Ping(context.Background())
		close(done)
	}()
	<-done
	if v := d.ThreadViolations(); len(v) != 1 || !strings.Contains(v[0], "ran on thread") {
		t.Error(v)
	}
	if n := len(d.Threads()[1]); n != 2 {
		t.Errorf("%d threads", n)
	}
	_, err := d.Connector("").Connect(context.Background())
	must(t, err)
	if v := d.ThreadViolations(); len(v) != 2 || !strings.Contains(v[1], "share thread") {
		t.Error(v)
	}
}

func TestOpenPanicsWithoutOpenConnector(t *testing.T) {
	d := New(Modern | OpenPanics)
	c, err := d.Driver().(driver.DriverContext).OpenConnector("dsn")
	must(t, err)
	db := sql.OpenDB(c)
	must(t, db.Ping())
	must(t, db.Close())
	wantMethods(t, d, "Driver.OpenConnector", "Connector.Connect", "Conn.Ping", "Conn.IsValid", "Conn.Close", "Connector.Close")
	defer func() {
		if recover() == nil {
			t.Error("Open did not panic")
		}
	}()
	d.Driver().Open("dsn")
}

func TestRowsAfterTheirStatementAreSeen(t *testing.T) {
	d, ci := bare(t, Minimal)
	si, err := ci.Prepare("rows 1")
	must(t, err)
	ri, err := si.Query(nil)
	must(t, err)
	must(t, si.Close())
	must(t, ri.Close())
	wantViolation(t, d, "c1.s1.r1 Rows.Close came in after its statement's Close")
}
