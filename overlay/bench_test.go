package overlay_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func benchEngine(b *testing.B) *overlay.Engine {
	e, err := overlay.Open("sqlite3", filepath.Join(b.TempDir(), "a.db"), overlay.WithLanes(1))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Shutdown(context.Background()) })
	return e
}

// BenchmarkCall is what a future and a lane cost, for a call that does nothing.
func BenchmarkCall(b *testing.B) {
	ctx := context.Background()
	e := benchEngine(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := overlay.RunInThread(ctx, e, func(context.Context, *sql.Conn) (int, error) { return 0, nil }).Await(ctx)
		if err != nil {
			b.Fatal(err)
		}
	}
}
