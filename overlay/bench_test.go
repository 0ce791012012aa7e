package overlay_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/tracetest"
	"github.com/sqlaio/sqlaio/overlay"
)

func benchEngine(b *testing.B, driver string) *overlay.Engine {
	e, err := overlay.Open(driver, filepath.Join(b.TempDir(), "a.db"), overlay.WithLanes(1))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Shutdown(context.Background()) })
	return e
}

// BenchmarkCall is what a future and a lane cost, for a call that does nothing.
func BenchmarkCall(b *testing.B) { benchmarkCall(b, "sqlite3") }

// BenchmarkCallTraced is BenchmarkCall with a tracer that does nothing.
func BenchmarkCallTraced(b *testing.B) {
	registerTraced()
	benchmarkCall(b, "sqlite3-bench-traced")
}

var registerTraced = sync.OnceFunc(func() {
	db, _ := sql.Open("sqlite3", "")
	defer db.Close()
	aio.Register("sqlite3-bench-traced", db.Driver(), aio.WithTracer(tracetest.Funcs{
		Start: func(ctx context.Context, _ aio.TraceCall) context.Context { return ctx },
		End:   func(context.Context, aio.TraceEnd) {},
	}))
})

func benchmarkCall(b *testing.B, driver string) {
	ctx := context.Background()
	e := benchEngine(b, driver)
	b.ReportAllocs()
	for b.Loop() {
		_, err := overlay.RunInThread(ctx, e, func(context.Context, *sql.Conn) (int, error) { return 0, nil }).Await(ctx)
		if err != nil {
			b.Fatal(err)
		}
	}
}
