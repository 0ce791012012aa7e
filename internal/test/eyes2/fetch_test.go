package eyes2_test

import (
	"context"
	"testing"
	"time"
)

// A fetch is left while it waits for the last of its rows; another one comes after it.
func TestRowsOfALeftFetch(t *testing.T) {
	dsn, _ := file(t, "&_journal_mode=WAL")
	e := engine(t, "sqlite3_slow", dsn)
	r, err := e.StreamAsync(bg, "WITH RECURSIVE q(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM q WHERE x < 600) SELECT x, CASE WHEN x = 400 THEN slow(600) END FROM q").Await(bg)
	ok(t, "stream", err)
	time.Sleep(100 * time.Millisecond) // nothing is read ahead any longer
	ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	got, err := r.FetchManyAsync(ctx, 400).Await(ctx)
	t.Logf("the first: %d rows, %v after %v", len(got), err, time.Since(start).Round(time.Millisecond))
	last := 0
	for i := range 4 {
		row, err := r.FetchOneAsync(bg).Await(bg)
		var x int
		var s any
		if err == nil {
			ok(t, "scan", row.Scan(&x, &s))
		}
		t.Logf("the next: row %d, %v", x, err)
		if err == nil && x != last+1 {
			t.Errorf("rows %d to %d were given to nobody", last+1, x-1)
		}
		if err != nil {
			break
		}
		last = x
		if i == 1 {
			time.Sleep(time.Second)
		}
	}
	r.CloseAsync(bg).Await(bg)
}
