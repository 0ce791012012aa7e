package debug_test

import (
	"context"
	"database/sql"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/debug"
	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

func TestWhatRunsAndWhatWaits(t *testing.T) {
	e := open(t, overlay.WithLanes(1))
	before := time.Now()
	stuck, runs := e.QueryAsync(background, endless), line()
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 })
	var waiting []*overlay.Future[any]
	waits := line() + 2
	for range 3 {
		waiting = append(waiting, e.ScalarAsync(background, "SELECT 'secret'"))
	}
	last := e.ScalarAsync(background, "SELECT 2")
	s := look(t, e)
	if len(s.Running) != 1 {
		t.Fatalf("%d calls run", len(s.Running))
	}
	c := s.Running[0]
	wantPlace(t, c.Place, runs)
	if !strings.HasPrefix(c.What, "WITH RECURSIVE n(i) AS (SELECT ? ") || c.State != inspect.Running || c.On != "lane" || c.Thread == 0 {
		t.Errorf("what runs is %+v", c)
	}
	if age := time.Since(before); c.Seconds <= 0 || c.Seconds > age.Seconds() || c.Since.Before(before.Add(-time.Millisecond)) {
		t.Errorf("it runs for %v s since %v", c.Seconds, c.Since)
	}
	if l := s.Lanes; l.Most != 1 || len(l.Open) != 1 || l.Open[0].State != "running" || l.Open[0].Thread != c.Thread {
		t.Errorf("lanes: %+v", l)
	}
	w := s.Waiting
	if w.Count != 4 || w.Grouped != 4 || len(w.Calls) != 2 || w.Oldest != w.Calls[0].Seconds {
		t.Fatalf("what waits is %+v", w)
	}
	wantPlace(t, w.Calls[0].Place, waits)
	if g := w.Calls[0]; g.Count != 3 || g.What != "SELECT ?" || g.Seconds <= 0 {
		t.Errorf("what waits longest is %+v", g)
	}
	later := look(t, e)
	if later.Running[0].Seconds <= c.Seconds || later.Waiting.Oldest <= w.Oldest {
		t.Error("time stands still")
	}
	stuck.Cancel()
	for _, f := range waiting {
		await(t, f)
	}
	await(t, last)
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 0 && s.Waiting.Count == 0 })
}

func TestWhoHoldsWhat(t *testing.T) {
	e := open(t)
	c, connected := await(t, e.ConnectAsync(background)), line()
	tx, began := await(t, c.BeginAsync(background, nil)), line()
	point, nested := await(t, c.BeginNestedAsync(background)), line()
	const series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 10000) SELECT i, 'secret' FROM n"
	stream, streams := await(t, e.StreamAsync(background, series)), line()
	s := until(t, e, func(s *inspect.Snapshot) bool {
		return len(s.Connections) == 2 && s.Connections[0].Idle > 0 && s.Connections[1].Idle > 0
	})
	held, streaming := s.Connections[0], s.Connections[1]
	wantPlace(t, held.Place, connected)
	if held.Seconds < streaming.Seconds || held.State != "idle" || held.Idle > held.Seconds || held.Thread == 0 || !held.InTransaction || len(held.Transactions) != 2 {
		t.Fatalf("the connection is %+v", held)
	}
	for i, want := range []struct {
		what string
		line int
	}{{"transaction", began}, {"savepoint", nested}} {
		got := held.Transactions[i]
		wantPlace(t, got.Place, want.line)
		if got.What != want.what || got.Seconds <= 0 || got.Seconds > held.Seconds {
			t.Errorf("%+v", got)
		}
	}
	if len(streaming.Streams) != 1 || streaming.InTransaction {
		t.Fatalf("the stream's connection is %+v", streaming)
	}
	wantPlace(t, streaming.Place, streams)
	wantPlace(t, streaming.Streams[0].Place, streams)
	if st := streaming.Streams[0]; st.Seconds <= 0 || st.Buffered == 0 || !strings.HasPrefix(st.What, "WITH RECURSIVE") {
		t.Errorf("the stream is %+v", st)
	}
	await(t, stream.CloseAsync(background))
	await(t, point.CommitAsync(background))
	await(t, tx.CommitAsync(background))
	if held := look(t, e).Connections[0]; held.InTransaction || len(held.Transactions) != 0 {
		t.Errorf("after the commit: %+v", held)
	}
	await(t, c.CloseAsync(background))
	if s := look(t, e); len(s.Connections) != 0 {
		t.Errorf("after closing: %+v", s.Connections)
	}
}

// A call on a Conn runs, and the next one waits for it.
func TestCallsOfAConnection(t *testing.T) {
	e := open(t)
	c := await(t, e.ConnectAsync(background))
	stuck, runs := c.QueryAsync(background, endless), line()
	next, waits := c.QueryAsync(background, "SELECT 1"), line()
	s := until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 })
	wantPlace(t, s.Running[0].Place, runs)
	if s.Running[0].On != "connection" || s.Running[0].Thread != s.Connections[0].Thread {
		t.Errorf("what runs is %+v", s.Running[0])
	}
	if len(s.Waiting.Calls) != 1 || s.Waiting.Count != 1 || s.Connections[0].Waiting != 1 || s.Connections[0].State != "running" {
		t.Fatalf("%+v wait for %+v", s.Waiting, s.Connections[0])
	}
	wantPlace(t, s.Waiting.Calls[0].Place, waits)
	stuck.Cancel()
	await(t, next)
	await(t, c.CloseAsync(background))
}

// The writer waits for its turn, which a transaction has, and others wait for the writer.
func TestTheWriter(t *testing.T) {
	e := open(t, overlay.WithWriter())
	c := await(t, e.ConnectAsync(background))
	tx := await(t, c.BeginAsync(background, nil))
	const insert = "INSERT INTO t (text) VALUES ('secret')"
	begun := e.ExecAsync(background, insert)
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 && s.Running[0].On == "writer" })
	next := e.ExecAsync(background, insert)
	s := look(t, e)
	if s.Waiting.Count != 1 || s.Writer == nil || s.Writer.State != "running" || s.Writer.Thread != s.Running[0].Thread || len(s.Connections[0].Transactions) != 1 {
		t.Errorf("%+v, %+v, %+v", s.Waiting, s.Writer, s.Connections)
	}
	run := s.Stats["Run"].(float64)
	await(t, tx.CommitAsync(background))
	await(t, c.CloseAsync(background))
	await(t, begun)
	await(t, next)
	s = until(t, e, func(s *inspect.Snapshot) bool { return s.Writer.State == "idle" && len(s.Running) == 0 })
	if s.Stats["Groups"].(float64) < 2 || s.Stats["Members"].(float64) < 3 || s.Stats["Run"].(float64) <= run {
		t.Errorf("%+v", s.Stats)
	}
}

func TestWaitingForAConnection(t *testing.T) {
	e := open(t)
	e.SyncDB().SetMaxOpenConns(1)
	c := await(t, e.ConnectAsync(background))
	second, waits := e.ConnectAsync(background), line()
	s := until(t, e, func(s *inspect.Snapshot) bool { return len(s.Connecting) == 1 && s.Pool.Waiting == 1 })
	wantPlace(t, s.Connecting[0].Place, waits)
	if w := s.Connecting[0]; w.Count != 1 || w.Seconds <= 0 {
		t.Errorf("what waits is %+v", w)
	}
	if s.Pool.Most != 1 || s.Pool.InUse != 1 || s.Pool.Engine != 1 {
		t.Errorf("the pool is %+v", s.Pool)
	}
	await(t, c.CloseAsync(background))
	await(t, await(t, second).CloseAsync(background))
}

// Of a function its last statement is shown, until it ends.
func TestTheStatementOfAFunction(t *testing.T) {
	e := open(t, overlay.WithLanes(1))
	check := func(name string, cancel func()) {
		t.Helper()
		s := until(t, e, func(s *inspect.Snapshot) bool {
			return len(s.Running) == 1 && s.Running[0].What == name && strings.Contains(s.Running[0].Last, "WITH RECURSIVE n(i)")
		})
		if strings.Contains(s.Running[0].Last, "secret") {
			t.Error("a value is shown: ", s.Running[0].Last)
		}
		cancel()
	}
	f := overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (n int, err error) {
		c.ExecContext(ctx, "DELETE FROM t")
		return n, c.QueryRowContext(ctx, endless).Scan(&n)
	})
	check("RunInThread", f.Cancel)
	g := e.BatchAsync(background, []overlay.Statement{{Query: "DELETE FROM t"}, {Query: "INSERT INTO t (id) " + endless}})
	check("BatchAsync", g.Cancel)
}

// A function that ignores its context keeps its thread when nobody waits for it.
func TestACallThatWasLeft(t *testing.T) {
	e := open(t, overlay.WithLanes(1))
	gate := make(chan struct{})
	begun := make(chan struct{})
	f := overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) {
		close(begun)
		<-gate
		return 0, nil
	})
	<-begun
	f.Cancel()
	if c := look(t, e).Running[0]; c.What != "RunInThread" || c.State == inspect.Running {
		t.Errorf("what was cancelled is %+v", c)
	}
	if _, err := f.Await(background); err == nil {
		t.Error("no error")
	}
	if c := look(t, e).Running[0]; c.State != inspect.Left {
		t.Errorf("what was left is %+v", c)
	}
	close(gate)
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 0 })
}

func TestSlowCallsAndTimes(t *testing.T) {
	e := open(t, overlay.WithLanes(1))
	threshold := time.Duration(look(t, e).Slow.After * float64(time.Second))
	slowly := func(err error) *overlay.Future[int] {
		return overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) {
			time.Sleep(threshold)
			return 0, err
		})
	}
	first, failing := slowly(nil), slowly(sql.ErrNoRows)
	await(t, first)
	if _, err := failing.Await(background); err != sql.ErrNoRows {
		t.Error(err)
	}
	stuck, place := e.QueryAsync(background, endless), line()
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 && s.Running[0].Seconds > s.Slow.After })
	stuck.Cancel()
	stuck.Await(background)
	s := until(t, e, func(s *inspect.Snapshot) bool { return s.Slow.Count == 3 })
	if len(s.Slow.Calls) != 3 {
		t.Fatalf("%+v", s.Slow)
	}
	for i, want := range []string{"stopped", "failed", "done"} {
		if c := s.Slow.Calls[i]; c.Outcome != want || c.Seconds < s.Slow.After || c.Place == nil || c.Ended.After(s.Time) {
			t.Errorf("slow call %d is %+v, want %s", i, c, want)
		}
	}
	wantPlace(t, s.Slow.Calls[0].Place, place)
	if !strings.HasPrefix(s.Slow.Calls[0].What, "WITH RECURSIVE") || s.Slow.Calls[1].Waited < s.Slow.After {
		t.Errorf("%+v", s.Slow.Calls)
	}
	for _, name := range []string{"waiting", "running"} {
		n, slow := int64(0), int64(0)
		for i, b := range s.Times[name] {
			n += b.Count
			if b.Below > s.Slow.After || i == len(s.Times[name])-1 {
				slow += b.Count
			}
		}
		if run := int64(s.Stats["Run"].(float64)); n != run || name == "running" && slow != 3 {
			t.Errorf("%s: %d calls, %d of them slow, of %d", name, n, slow, run)
		}
	}
}

// Values are shown if that is asked for: those in the text, and arguments.
func TestValues(t *testing.T) {
	e := open(t, overlay.WithLanes(1))
	text := strings.Replace(endless, "i < 1", "i < ?2 AND 'secret' <> ?1", 1)
	stuck := e.QueryAsync(background, text, "secret<b>", 17)
	until(t, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 })
	got := look(t, e, debug.WithValues()).Running[0].What
	if want := text + ` ← "secret<b>", 17`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if body := get(t, e, "/?format=json", debug.WithValues()); strings.Contains(body, "<b>") {
		t.Error("JSON with a tag in it: ", body)
	}
	stuck.Cancel()
}

func TestAfterShutdown(t *testing.T) {
	e := open(t)
	if err := e.Shutdown(background); err != nil {
		t.Fatal(err)
	}
	if s := look(t, e); !s.Closed || len(s.Lanes.Open) != 0 || s.Pool.Open != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatTheHandlerRefuses(t *testing.T) {
	h := debug.Handler(open(t))
	for _, c := range []struct {
		method, path string
		code         int
	}{{"POST", "/?format=json", 405}, {"GET", "/?format=xml", 400}, {"HEAD", "/?format=json", 200}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.code)
		}
	}
}
