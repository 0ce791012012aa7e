//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
)

// tagged returns rows of two columns, 1 to n and a tag.
const tagged = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, ? FROM n"

// eachPool runs a test on a pool with the adapter, and on one without.
func eachPool(t *testing.T, test func(t *testing.T, db *sql.DB)) {
	bare := &sqlite3.SQLiteDriver{}
	for name, d := range map[string]driver.Driver{
		"adapter":    bare,
		"no adapter": struct{ driver.Driver }{bare},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := aio.Wrap(d).(driver.DriverContext).OpenConnector(filepath.Join(t.TempDir(), "a.db"))
			must(t, err)
			db := sql.OpenDB(c)
			defer db.Close()
			test(t, db)
		})
	}
}

// Rows that are closed, at any time and by anybody, or whose context ends, never show
// rows of another query, and take none from one.
func TestRowsShowTheirOwnQueryAlone(t *testing.T) {
	eachPool(t, func(t *testing.T, db *sql.DB) {
		db.SetMaxOpenConns(2)
		var tags atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Add(1)
			go func() {
				defer all.Done()
				for range 400 {
					queryTagged(t, db, tags.Add(1))
				}
			}()
		}
		all.Wait()
	})
}

// queryTagged makes one query, and ends it in a way that chance decides.
func queryTagged(t *testing.T, db *sql.DB, tag int64) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, read, way := 1+rand.IntN(40), 40, rand.IntN(5)
	if way == 0 {
		go cancel()
	}
	rows, err := db.QueryContext(ctx, tagged, n, tag)
	if err != nil {
		if way != 0 {
			t.Error(err)
		}
		return
	}
	var others sync.WaitGroup
	switch way {
	case 1:
		others.Add(1)
		go func() { defer others.Done(); rows.Close() }()
	case 2:
		go cancel()
	case 3:
		read = rand.IntN(n + 1)
	}
	seen := 0
	for seen < read && rows.Next() {
		var i int
		var got int64
		if rows.Scan(&i, &got) != nil {
			break
		}
		if seen++; i != seen || got != tag {
			t.Errorf("query %d: row %d of query %d, want row %d", tag, i, got, seen)
		}
	}
	whole := way == 4 && rows.Err() == nil
	rows.Close()
	if whole && seen != n {
		t.Errorf("query %d: %d of %d rows", tag, seen, n)
	}
	if rows.Next() {
		t.Errorf("query %d: a row after Close", tag)
	}
	others.Wait()
}

// A driver's rows that are used after Close are over, while the connection's next query goes on.
func TestRowsOfTheDriverAfterClose(t *testing.T) {
	eachPool(t, func(t *testing.T, db *sql.DB) {
		ctx := context.Background()
		sc, err := db.Conn(ctx)
		must(t, err)
		defer sc.Close()
		must(t, sc.Raw(func(dc any) error {
			query := func(n, tag int64) driver.Rows {
				rows, err := dc.(driver.QueryerContext).QueryContext(ctx, tagged,
					[]driver.NamedValue{{Ordinal: 1, Value: n}, {Ordinal: 2, Value: tag}})
				must(t, err)
				return rows
			}
			closed := query(3, 1)
			must(t, closed.Close())
			stop := make(chan struct{})
			over := make(chan struct{})
			go func() {
				defer close(over)
				for dest := make([]driver.Value, 2); ; {
					select {
					case <-stop:
						return
					default:
					}
					sets := closed.(driver.RowsNextResultSet)
					if closed.Next(dest) != io.EOF || len(closed.Columns()) != 2 || closed.Close() != nil ||
						sets.HasNextResultSet() || sets.NextResultSet() != io.EOF ||
						closed.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(0) != "" {
						t.Error("closed rows are not over")
						return
					}
				}
			}()
			for tag := range int64(200) {
				rows, dest := query(20, tag), make([]driver.Value, 2)
				for i := range int64(20) {
					must(t, rows.Next(dest))
					if dest[0] != i+1 || dest[1] != tag {
						t.Fatalf("%v, want row %d of query %d", dest, i+1, tag)
					}
				}
				must(t, rows.Close())
			}
			close(stop)
			<-over
			return nil
		}))
	})
}

// Rows that are open at the same time on one connection are apart.
func TestRowsOpenTogether(t *testing.T) {
	eachPool(t, func(t *testing.T, db *sql.DB) {
		ctx := context.Background()
		sc, err := db.Conn(ctx)
		must(t, err)
		defer sc.Close()
		open := make(map[int64]*sql.Rows)
		seen := make(map[int64]int)
		for tag := range int64(300) {
			rows, err := sc.QueryContext(ctx, tagged, 30, tag)
			must(t, err)
			open[tag] = rows
			for tag, rows := range open { // in any order
				var i int
				var got int64
				if rows.Next() {
					must(t, rows.Scan(&i, &got))
					seen[tag]++
					if got != tag || i != seen[tag] {
						t.Fatalf("query %d: row %d of query %d, want row %d", tag, i, got, seen[tag])
					}
				}
				if rand.IntN(3) == 0 {
					must(t, rows.Close())
					delete(open, tag)
				}
			}
		}
		for _, rows := range open {
			rows.Close()
		}
	})
}
