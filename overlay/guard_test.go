package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

// guarded returns an engine on a new file with the table t, and a connection.
func guarded(t *testing.T) (*overlay.Engine, *overlay.Conn) {
	ctx := context.Background()
	e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(ctx) })
	if _, err := e.ExecAsync(ctx, "CREATE TABLE t (id INTEGER)").Await(ctx); err != nil {
		t.Fatal(err)
	}
	c, err := e.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseAsync(ctx).Await(ctx) })
	return e, c
}

type blockingHandle interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}

var (
	_ blockingHandle = (*overlay.Engine)(nil)
	_ blockingHandle = (*overlay.Conn)(nil)
)

const reflection = "SELECT name FROM sqlite_master WHERE name = 't'"

// only returns the one warning that was recorded.
func only(t *testing.T, r *warnings.Recording) *warnings.BlockingWarning {
	t.Helper()
	all := r.All()
	var w *warnings.BlockingWarning
	if len(all) != 1 || !errors.As(all[0], &w) {
		t.Fatalf("%d warnings, not one BlockingWarning: %v", len(all), all)
	}
	return w
}

func TestBlockingReflectionWarnsOnce(t *testing.T) {
	ctx := context.Background()
	e, c := guarded(t)
	for optOut, h := range map[string]blockingHandle{"SyncDB()": e, "SyncConn()": c} {
		r := warnings.Record(t)
		for range 3 { // from one line
			var name string
			if err := h.QueryRowContext(ctx, reflection).Scan(&name); err != nil || name != "t" {
				t.Fatal(name, err)
			}
		}
		w := only(t, r)
		if w.Message != reflectguard.ReflectionMessage || !strings.Contains(w.Advice, optOut) {
			t.Error(w)
		}
		if !strings.HasSuffix(w.Site.File(), "guard_test.go") || strings.Contains(w.Statement, "'t'") {
			t.Errorf("site %v, statement %q", w.Site, w.Statement)
		}
	}
}

func TestBlockingMethodsWorkAndWarn(t *testing.T) {
	ctx := context.Background()
	e, c := guarded(t)
	for _, h := range []blockingHandle{e, c} {
		r := warnings.Record(t)
		if _, err := h.ExecContext(ctx, "INSERT INTO t VALUES (?)", 7); err != nil {
			t.Fatal(err)
		}
		if w := only(t, r); w.Message != reflectguard.HandleMessage {
			t.Error(w)
		}
		r.Reset()
		rows, err := h.QueryContext(ctx, "SELECT id FROM t")
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		rows.Close()
		only(t, r)
		r.Reset()
		s, err := h.PrepareContext(ctx, reflection)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if w := only(t, r); w.Message != reflectguard.ReflectionMessage {
			t.Error(w)
		}
	}
}

// BeginTx gives an ordinary transaction, and warns once for all of it.
func TestBeginTxWorksAndWarns(t *testing.T) {
	ctx := context.Background()
	e, c := guarded(t)
	want := 0
	for _, h := range []blockingHandle{e, c} {
		r := warnings.Record(t)
		for _, commit := range []bool{false, true} {
			tx, err := h.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (?)", 7); err != nil {
				t.Fatal(err)
			}
			if commit {
				want++
				err = tx.Commit()
			} else {
				err = tx.Rollback()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if w := only(t, r); w.Message != reflectguard.HandleMessage {
			t.Error(w)
		}
	}
	if n, err := overlay.Scalar[int](ctx, e, "SELECT count(*) FROM t").Await(ctx); n != want || err != nil {
		t.Errorf("%d rows, %v; want %d", n, err, want)
	}
	if c.InTransaction() {
		t.Error("InTransaction is true after the commit")
	}
}

func TestRunCallableWarns(t *testing.T) {
	ctx := context.Background()
	e, c := guarded(t)
	for _, h := range []interface {
		RunCallable(context.Context, func(*sql.Conn) error) error
	}{e, c} {
		r := warnings.Record(t)
		boom := errors.New("boom")
		if err := h.RunCallable(ctx, func(c *sql.Conn) error { return errors.Join(c.PingContext(ctx), boom) }); !errors.Is(err, boom) {
			t.Error(err)
		}
		if w := only(t, r); !strings.Contains(w.Advice, "RunInThread") {
			t.Error(w)
		}
	}
}

func TestOptingOutDoesNotWarn(t *testing.T) {
	ctx := context.Background()
	e, c := guarded(t)
	r := warnings.Record(t)
	var name string
	for _, h := range []blockingHandle{e.SyncDB(), c.SyncConn()} {
		if err := h.QueryRowContext(ctx, reflection).Scan(&name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.HasTableAsync(ctx, "t").Await(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
		return 0, c.QueryRowContext(ctx, reflection).Scan(&name)
	}).Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := r.All(); len(all) > 0 {
		t.Error(all)
	}
}

func TestWarningsAsErrorsRefuseTheCall(t *testing.T) {
	ctx := context.Background()
	e, c := guarded(t)
	defer warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))()
	var w *warnings.BlockingWarning
	for _, h := range []blockingHandle{e, c} {
		if _, err := h.ExecContext(ctx, "DROP TABLE t"); !errors.As(err, &w) {
			t.Error(err)
		}
		if _, err := h.QueryContext(ctx, reflection); !errors.As(err, &w) {
			t.Error(err)
		}
		if _, err := h.PrepareContext(ctx, reflection); !errors.As(err, &w) {
			t.Error(err)
		}
		if _, err := h.BeginTx(ctx, nil); !errors.As(err, &w) {
			t.Error(err)
		}
		var name string
		if err := h.QueryRowContext(ctx, reflection).Scan(&name); !errors.As(err, &w) {
			t.Error(err)
		}
	}
	ran := false
	if err := e.RunCallable(ctx, func(*sql.Conn) error { ran = true; return nil }); !errors.As(err, &w) || ran {
		t.Error(err, ran)
	}
	if ok, err := e.HasTableAsync(ctx, "t").Await(ctx); !ok || err != nil {
		t.Errorf("the table is gone, or %v", err)
	}
}

func TestNonBlockingContexts(t *testing.T) {
	ctx := reflectguard.NonBlocking(context.Background())
	e, c := guarded(t)
	r := warnings.Record(t)

	// Asynchronous calls are what such a context is for.
	f := e.ScalarAsync(ctx, "SELECT 1")
	g := overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (int, error) {
		return 1, c.PingContext(ctx)
	})
	h := e.ConnectAsync(ctx)
	for _, err := range []error{second(f.Await(context.Background())), second(g.Await(context.Background()))} {
		if err != nil {
			t.Error(err)
		}
	}
	if other, err := h.Await(context.Background()); err != nil {
		t.Error(err)
	} else {
		other.CloseAsync(ctx).Await(context.Background())
	}
	if all := r.All(); len(all) > 0 {
		t.Fatal(all)
	}

	// A blocking one is not, whoever makes it.
	var n int
	if err := e.SyncDB().QueryRowContext(ctx, "SELECT 1").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if w := only(t, r); w.Message != reflectguard.ContextMessage || !strings.HasSuffix(w.Site.File(), "guard_test.go") {
		t.Error(w, w.Site)
	}
	r.Reset()
	const slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT count(*) FROM n"
	if _, err := c.SyncConn().ExecContext(ctx, slow); err != nil {
		t.Fatal(err)
	}
	if w := only(t, r); w.Took < reflectguard.Noticeable {
		t.Errorf("100,000 rows took %v", w.Took)
	}

	defer warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))()
	var w *warnings.BlockingWarning
	if _, err := e.SyncDB().ExecContext(ctx, "DROP TABLE t"); !errors.As(err, &w) {
		t.Error(err)
	}
	if ok, err := e.HasTableAsync(context.Background(), "t").Await(context.Background()); !ok || err != nil {
		t.Errorf("the table is gone, or %v", err)
	}
}

func TestOneThreadWaitsForAnother(t *testing.T) {
	ctx := context.Background()
	e, c := guarded(t)
	r := warnings.Record(t)
	_, err := overlay.RunInThread(ctx, c, func(ctx context.Context, _ *sql.Conn) (int, error) {
		var n int
		return n, e.SyncDB().QueryRowContext(ctx, "SELECT 1").Scan(&n)
	}).Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if w := only(t, r); w.Message != reflectguard.ThreadMessage {
		t.Error(w)
	}
}
