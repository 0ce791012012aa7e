package eyes_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

func killOne(bare *sql.DB, how string) {
	rs, err := bare.Query("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1")
	if err != nil {
		return
	}
	var id int
	if rs.Next() {
		rs.Scan(&id)
	}
	rs.Close()
	bare.Exec(fmt.Sprint(how, id))
}

// A batch in a transaction that is cancelled while connections are killed.
func TestBatchKilled(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, who TEXT) ENGINE=InnoDB")
	const ins = "INSERT INTO t (id, who) VALUES (?, ?)"
	e := engine(t, "mysql", dsn, overlay.WithLanes(4))
	ways := map[string]func(ctx context.Context, id int64) (error, []overlay.BatchResult){
		"BatchAsync": func(ctx context.Context, id int64) (error, []overlay.BatchResult) {
			r, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "DELETE FROM t WHERE id = -1"}, {Query: ins, Args: []any{id, "w"}}, {Query: "DELETE FROM t WHERE id = -1"}}, overlay.InTx(nil)).Await(bg)
			return err, r
		},
		"RunInThread": func(ctx context.Context, id int64) (error, []overlay.BatchResult) {
			_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				_, err := c.ExecContext(ctx, ins, id, "w")
				return 0, err
			}).Await(bg)
			return err, nil
		},
		"WithTx": func(ctx context.Context, id int64) (error, []overlay.BatchResult) {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, ins, id, "w").Await(ctx)
				return err
			}), nil
		},
	}
	end := time.Now().Add(20 * time.Second)
	var wg sync.WaitGroup
	var next, made, refused, unknown atomic.Int64
	type told struct {
		way, err, results string
	}
	var mu sync.Mutex
	no := map[int64]told{}
	for range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for time.Now().Before(end) {
				for name, f := range ways {
					id := next.Add(1)
					ctx, cancel := context.WithCancel(bg)
					time.AfterFunc(time.Duration(rand.IntN(6000))*time.Microsecond, cancel)
					err, r := f(ctx, id)
					cancel()
					switch {
					case err == nil:
						made.Add(1)
					case errors.Is(err, overlay.ErrOutcomeUnknown):
						unknown.Add(1)
					default:
						refused.Add(1)
						mu.Lock()
						no[id] = told{name, err.Error(), fmt.Sprint(r)}
						mu.Unlock()
					}
				}
			}
		}()
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		for time.Now().Before(end) {
			time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
			killOne(bare, "KILL ")
		}
	}()
	wg.Wait()
	rs, err := bare.Query("SELECT id FROM t")
	ok(t, "read", err)
	defer rs.Close()
	for rs.Next() {
		var id int64
		rs.Scan(&id)
		if n, is := no[id]; is && !strings.Contains(n.err, "invalid connection") { // known
			t.Errorf("id %d, %s: refused (%s) and KEPT; results %s", id, n.way, n.err, n.results)
		}
	}
	t.Log("made", made.Load(), "refused", refused.Load(), "unknown", unknown.Load())
}

// The results of a batch that was stopped.
func TestBatchResultStopped(t *testing.T) {
	dsn, _ := file(t, "", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	r, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "INSERT INTO t SELECT n FROM (" + long2 + ")"}, {Query: "SELECT 1"}}).Await(bg)
	t.Logf("Await: %v; results: %v, %v", err, r[0].Err, r[1].Err)
}
