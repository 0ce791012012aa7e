package tour

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestSlowCallsAreLogged(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx := t.Context()
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))

	engine, err := openLogged()
	if err != nil {
		t.Fatal(err)
	}
	count := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT count(*) FROM n"
	if _, err := engine.ScalarAsync(ctx, count, 3_000_000).Await(ctx); err != nil {
		t.Error(err)
	}
	if err := engine.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"WARN", "slow database call", "op=query", "WITH RECURSIVE n(i)", "queued=", "on_thread=", "rows=1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "3000000") {
		t.Errorf("an argument is logged:\n%s", &log)
	}
}
