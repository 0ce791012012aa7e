package eyes_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

func proc(dir string) int {
	l, _ := os.ReadDir("/proc/self/" + dir)
	return len(l)
}

// Everything that opens a connection, cancelled at any time; then what is left.
func TestNothingLeft(t *testing.T) {
	for drv, open := range map[string]func() (string, *sql.DB){
		"sqlite3": func() (string, *sql.DB) { return file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)") },
		"mysql":   func() (string, *sql.DB) { return maria(t, "CREATE TABLE t (id BIGINT)") },
	} {
		t.Run(drv, func(t *testing.T) {
			dsn, bare := open()
			once := func() {
				e, err := overlay.Open(drv, dsn, overlay.WithLanes(3))
				ok(t, "open", err)
				var wg sync.WaitGroup
				for n := range 60 {
					wg.Add(1)
					go func() {
						defer wg.Done()
						ctx, cancel := context.WithTimeout(bg, time.Duration(rand.IntN(8000))*time.Microsecond)
						defer cancel()
						switch n % 6 {
						case 0:
							f := e.ConnectAsync(ctx)
							if c, err := f.Await(bg); err == nil {
								s := c.SyncConn()
								rs, err := s.QueryContext(ctx, "SELECT 1 UNION SELECT 2")
								if err == nil {
									rs.Next()
								}
								s.PrepareContext(ctx, "SELECT 1")
								c.CloseAsync(ctx)
							}
						case 1:
							e.StreamAsync(ctx, "SELECT 1 UNION SELECT 2").Await(ctx)
						case 2:
							e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
								c.StreamAsync(ctx, "SELECT 1 UNION SELECT 2")
								panicky(n)
								return nil
							})
						case 3:
							overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
								c.PrepareContext(ctx, "SELECT 1")
								c.QueryContext(ctx, "SELECT 1 UNION SELECT 2")
								if n%12 == 3 {
									runtime.Goexit()
								}
								return 0, nil
							})
						case 4:
							db := e.SyncDB()
							rs, err := db.QueryContext(ctx, "SELECT 1 UNION SELECT 2")
							if err == nil {
								rs.Next()
								rs.Close()
							}
							st, err := db.PrepareContext(ctx, "SELECT 1")
							if err == nil {
								st.ExecContext(ctx)
								st.Close()
							}
						case 5:
							f := e.ConnectAsync(ctx)
							f.Cancel()
						}
					}()
				}
				wg.Wait()
				runtime.GC() // what nobody holds
				time.Sleep(20 * time.Millisecond)
				runtime.GC()
				ctx, cancel := context.WithTimeout(bg, 2*time.Second)
				defer cancel()
				if err := e.Shutdown(ctx); err != nil {
					t.Log("Shutdown:", err)
				}
			}
			once()
			bare.SetMaxIdleConns(0)
			time.Sleep(200 * time.Millisecond)
			g, fd, th := runtime.NumGoroutine(), proc("fd"), proc("task")
			for range 12 {
				once()
			}
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				if runtime.NumGoroutine() <= g && proc("fd") <= fd {
					break
				}
			}
			t.Logf("before and after: goroutines %d %d, descriptors %d %d, threads %d %d", g, runtime.NumGoroutine(), fd, proc("fd"), th, proc("task"))
			if runtime.NumGoroutine() > g+2 || proc("fd") > fd+2 || proc("task") > th+10 {
				buf := make([]byte, 1<<20)
				t.Errorf("LEAK\n%s", buf[:runtime.Stack(buf, true)])
			}
		})
	}
}

func panicky(n int) {
	if n%12 == 2 {
		runtime.Goexit()
	}
}
