package reflectors

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/threadpin"
	"github.com/sqlaio/sqlaio/warnings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachTool runs a test with every tool on every database.
func eachTool(t *testing.T, test func(t *testing.T, tool tool, on dbms, e *overlay.Engine)) {
	for _, on := range databases {
		for _, tool := range tools {
			t.Run(on.name+"/"+tool.name, func(t *testing.T) { test(t, tool, on, on.open(t)) })
		}
	}
}

// The tools work on an Engine and on a Conn, and each of their lines that makes
// a call is told of once, whatever the number of calls and of tables.
func TestToolsWarnOncePerCallSite(t *testing.T) {
	eachTool(t, func(t *testing.T, tool tool, on dbms, e *overlay.Engine) {
		r := warnings.Record(t)
		for _, way := range []struct {
			optOut string
			db     handle
		}{{"Engine.SyncDB()", e}, {"Conn.SyncConn()", connect(t, e)}} {
			r.Reset()
			for range 2 {
				if err := tool.use(t.Context(), way.db, on); err != nil {
					t.Fatal(err)
				}
			}
			told := map[place]bool{}
			reflected := 0
			for _, w := range r.All() {
				d := w.Details()
				if w.Category() != warnings.Blocking || !strings.Contains(d.Advice, way.optOut) {
					t.Error(w)
				}
				if !strings.HasPrefix(d.Site.Package(), tool.packages) {
					t.Errorf("the call is made in %s: %v", d.Site.Package(), w)
				}
				if at := placeOf(w); told[at] {
					t.Error("again:", w)
				} else {
					told[at] = true
				}
				want := reflectguard.HandleMessage
				if readsCatalog(d.Statement) {
					want = reflectguard.ReflectionMessage
					reflected++
				}
				if d.Message != want {
					t.Errorf("%q, want %q: %s", d.Message, want, d.Statement)
				}
			}
			if len(told) == 0 || reflected == 0 && !(tool.name == "goose" && on.name == "sqlite") {
				t.Errorf("%d warnings, %d of them about reflection", len(told), reflected)
			}
			calls := allCalls(t, func() error { return tool.use(t.Context(), way.db, on) })
			if len(calls) <= len(told) {
				t.Errorf("%d calls, %d call sites", len(calls), len(told))
			}
			for _, w := range calls {
				if !told[placeOf(w)] {
					t.Error("not told of before:", w)
				}
			}
			t.Logf("%s: %d call sites, %d of reflection; %d calls each time", way.optOut, len(told), reflected, len(calls))
		}
	})
}

// readsCatalog is enough of IsReflection for what the tools ask, shortened as it is
// in a warning: the last two are columns of MariaDB's catalog.
func readsCatalog(query string) bool {
	query = strings.ToLower(query)
	for _, s := range []string{"sqlite_master", "pragma_", "information_schema", "table_schema", "column_name"} {
		if strings.Contains(query, s) {
			return true
		}
	}
	return false
}

// place is what a warning is given for once.
type place struct{ site, message string }

func placeOf(w warnings.Warning) place {
	d := w.Details()
	return place{d.Site.String(), d.Message}
}

// allCalls returns a warning for each blocking call of fn's.
func allCalls(t *testing.T, fn func() error) []warnings.Warning {
	t.Helper()
	defer warnings.Filter(warnings.Always)()
	r := warnings.Record(t)
	if err := fn(); err != nil {
		t.Fatal(err)
	}
	return r.All()
}

// The tools report a call that the filter Error refuses as they do any error.
func TestToolsFailWhenWarningsAreErrors(t *testing.T) {
	eachTool(t, func(t *testing.T, tool tool, on dbms, e *overlay.Engine) {
		defer warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))()
		var w *warnings.BlockingWarning
		for _, db := range []handle{e, connect(t, e)} {
			if err := tool.use(t.Context(), db, on); !errors.As(err, &w) {
				t.Error(err)
			}
		}
	})
}

func TestSyncHandlesDoNotWarn(t *testing.T) {
	eachTool(t, func(t *testing.T, tool tool, on dbms, e *overlay.Engine) {
		r := warnings.Record(t)
		for _, db := range []handle{e.SyncDB(), connect(t, e).SyncConn()} {
			if err := tool.use(t.Context(), db, on); err != nil {
				t.Fatal(err)
			}
		}
		if all := r.All(); len(all) > 0 {
			t.Error(all)
		}
	})
}

// The whole use of a tool is one hop inside RunInThread, and does not warn, not even
// on behalf of code that must not block.
func TestRunInThreadIsOneHop(t *testing.T) {
	eachTool(t, func(t *testing.T, tool tool, on dbms, e *overlay.Engine) {
		r := warnings.Record(t)
		c := connect(t, e)
		nonBlocking := reflectguard.NonBlocking(t.Context())
		for _, to := range []overlay.Target{e, c} {
			var count hops
			_, err := overlay.RunInThread(nonBlocking, to, func(ctx context.Context, sc *sql.Conn) (int, error) {
				count.begin(t, sc)
				return 0, tool.use(ctx, sc, on)
			}).Await(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n := count.end(t); n != 1 {
				t.Errorf("%d hops for %T", n, to)
			}
		}
		if all := r.All(); len(all) > 0 {
			t.Error(all)
		}

		// The counter does count what is not done there.
		var count hops
		_, err := overlay.RunInThread(t.Context(), c, func(_ context.Context, sc *sql.Conn) (int, error) {
			count.begin(t, sc)
			return 0, nil
		}).Await(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tool.use(t.Context(), c.SyncConn(), on); err != nil {
			t.Fatal(err)
		}
		if n := count.end(t); n < 5 {
			t.Errorf("%d hops without RunInThread", n)
		} else {
			t.Logf("%d hops without RunInThread", n-1)
		}
	})
}

// hops counts the hops of one connection from the one in which begin is called,
// included. A hop counts when its thread has ended it, so both ends
// look from the thread.
type hops struct {
	w    *threadpin.Worker
	from int64
}

func (h *hops) begin(t *testing.T, sc *sql.Conn) {
	w, err := aio.Thread(sc)
	if err != nil || !w.OnThread() {
		t.Errorf("not on the thread, %v", err)
	}
	h.w, h.from = w, w.Stats().Run
}

func (h *hops) end(t *testing.T) (n int64) {
	if err := h.w.Run(t.Context(), func() { n = h.w.Stats().Run - h.from }); err != nil {
		t.Error(err)
	}
	return n
}
