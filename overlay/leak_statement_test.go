package overlay_test

import (
	"runtime"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

// A warning about a call carries the call's statement, without its values.
func TestWarningsCarryTheirStatement(t *testing.T) {
	e, _ := onFile(t)
	closed, _ := onFile(t)
	noError(t, closed.Shutdown(background))
	const nonsense = "SELEC 'secret' FROM users"
	for name, c := range map[string]struct {
		forget func()
		want   string
	}{
		"ExecAsync":     {func() { <-e.ExecAsync(background, nonsense).Done() }, "SELEC ? FROM users"},
		"ExecuteAsync":  {func() { <-e.ExecuteAsync(background, nonsense).Done() }, "SELEC ? FROM users"},
		"QueryAsync":    {func() { <-e.QueryAsync(background, nonsense).Done() }, "SELEC ? FROM users"},
		"ExecManyAsync": {func() { <-e.ExecManyAsync(background, nonsense, [][]any{{1}}).Done() }, "SELEC ? FROM users"},
		"Scalar":        {func() { <-overlay.Scalar[int](background, e, nonsense).Done() }, "SELEC ? FROM users"},
		"All":           {func() { <-overlay.All(e.ExecAsync(background, nonsense)).Done() }, "SELEC ? FROM users"},
		"after the end": {func() { <-closed.ExecAsync(background, nonsense).Done() }, "SELEC ? FROM users"},
		"StreamAsync": {func() {
			must(t, e.StreamAsync(background, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 9999) SELECT i FROM n"))
		},
			"WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i+? FROM n WHERE i < ?) SELECT i FROM n"},
	} {
		t.Run(name, func(t *testing.T) {
			recorded := warnings.Record(t)
			c.forget()
			until(t, "the warning", func() bool { runtime.GC(); return len(recorded.All()) > 0 })
			if got := recorded.All()[0].Details().Statement; got != c.want {
				t.Errorf("%v: statement %q, want %q", recorded.All()[0], got, c.want)
			}
		})
	}
}
