package debug_test

import (
	"net/http/httptest"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/debug"
	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

// BenchmarkPage is what a look at a full queue costs.
func BenchmarkPage(b *testing.B) {
	e := open(b, overlay.WithLanes(1))
	stuck := e.QueryAsync(background, endless)
	until(b, e, func(s *inspect.Snapshot) bool { return len(s.Running) == 1 })
	for range 10_000 {
		defer e.ScalarAsync(background, "SELECT id FROM t WHERE text = 'secret'").Cancel()
	}
	defer stuck.Cancel()
	h := debug.Handler(e)
	for _, format := range []string{"html", "json"} {
		b.Run(format, func(b *testing.B) {
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?format="+format, nil))
			}
		})
	}
}
