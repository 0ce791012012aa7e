package debug_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/debug"
	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

var background = context.Background()

const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n WHERE i < 1 + 'secret'"

// open returns an engine on a new file, with a table t.
func open(t testing.TB, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db")+"?_journal_mode=WAL&_busy_timeout=600000", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		e.Shutdown(ctx)
	})
	await(t, e.ExecAsync(background, "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)"))
	return e
}

func await[T any](t testing.TB, f *overlay.Future[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	v, err := f.Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// look asks for the JSON.
func look(t testing.TB, e *overlay.Engine, opts ...debug.Option) *inspect.Snapshot {
	t.Helper()
	s, body := new(inspect.Snapshot), get(t, e, "/?format=json", opts...)
	if err := json.Unmarshal([]byte(body), s); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if strings.Contains(body, "secret") && len(opts) == 0 {
		t.Errorf("a value is shown: %s", body)
	}
	return s
}

func affected(r sql.Result) (int64, error) { return r.RowsAffected() }

func get(t testing.TB, e *overlay.Engine, path string, opts ...debug.Option) string {
	t.Helper()
	w := httptest.NewRecorder()
	debug.Handler(e, opts...).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if w.Code != 200 {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// until waits for what the page says to come true.
func until(t testing.TB, e *overlay.Engine, true func(*inspect.Snapshot) bool) *inspect.Snapshot {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		s := look(t, e)
		if true(s) {
			return s
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("still %+v", s)
		}
	}
}

// line is the number of the caller's line.
func line() int {
	_, _, n, _ := runtime.Caller(1)
	return n
}

func wantPlace(t testing.TB, p *inspect.Place, line int) {
	t.Helper()
	if p == nil || filepath.Base(p.File) != "json_test.go" || p.Line != line || !strings.Contains(p.Function, "debug_test.Test") {
		t.Errorf("the place is %+v, want line %d", p, line)
	}
}
