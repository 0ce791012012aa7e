//go:build linux && cgo

package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// COMMITs that SQLite refuses are made again, for each member alone in the end.
func TestWriterCommitRefused(t *testing.T) {
	for _, refusals := range []int32{1, 1000} {
		t.Run(fmt.Sprint(refusals), func(t *testing.T) {
			e, _ := withWriter(t)
			var left atomic.Int32
			must(t, overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				return 0, aio.Raw(ctx, c, func(inner driver.Conn) error {
					inner.(*sqlite3.SQLiteConn).RegisterCommitHook(func() int {
						if left.Add(-1) >= 0 {
							return 1
						}
						return 0
					})
					return nil
				})
			}))
			release := held(t, e)
			a := e.ExecAsync(background, "INSERT INTO t VALUES (1, 'a')")
			b := e.BatchAsync(background, []overlay.Statement{{Query: "INSERT INTO t VALUES (2, 'b')"}, {Query: "INSERT INTO t VALUES (3, 'b')"}}, overlay.InTx(nil))
			c := overlay.Scalar[int](background, e, "INSERT INTO t VALUES (4, 'c') RETURNING k")
			left.Store(refusals)
			release()
			ra, errA := a.Await(background)
			rb, errB := b.Await(background)
			rc, errC := c.Await(background)
			left.Store(0)
			if refusals == 1 {
				if errA != nil || errB != nil || errC != nil || rc != 4 || len(keys(t, e)) != 4 {
					t.Errorf("%v, %v, %v, %d, %v", errA, errB, errC, rc, keys(t, e))
				}
				return
			}
			if errA == nil || errB == nil || errC == nil || ra != nil || rc != 0 || len(keys(t, e)) != 0 {
				t.Errorf("%v, %v, %v, %d, %v", errA, errB, errC, rc, keys(t, e))
			}
			if len(rb) != 2 || rb[0].Err == nil || rb[1].Err == nil || rb[0].Result != nil {
				t.Errorf("the batch's results are %v", rb)
			}
			must(t, e.ExecAsync(background, "INSERT INTO t VALUES (1, 'a')"))
		})
	}
}

const faultEnv = "SQLAIO_TEST_WRITER_FAULT"

// A process may write no more than so many bytes to a file: what SQLite writes is cut
// off anywhere, also in the middle of a COMMIT.
func TestWriterWriteFails(t *testing.T) {
	if path := os.Getenv(faultEnv); path != "" {
		signal.Ignore(syscall.SIGXFSZ)
		var old syscall.Rlimit
		noError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
		limit := syscall.Rlimit{Cur: 300 << 10, Max: old.Max}
		writeWhileFull(t, path, func() { noError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)) },
			func() { noError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old)) })
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterWriteFails$", "-test.v")
	cmd.Env = append(os.Environ(), faultEnv+"="+filepath.Join(t.TempDir(), "a.db"))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	noError(t, err)
}

func TestWriterDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("sqlaio", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("cannot mount a small tmpfs: ", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	ballast := filepath.Join(dir, "ballast")
	writeWhileFull(t, filepath.Join(dir, "a.db"), func() { noError(t, os.WriteFile(ballast, make([]byte, 7<<20), 0o600)) },
		func() { noError(t, os.Remove(ballast)) })
}

// writeWhileFull has 16 goroutines write, makes room short, gives it back when many have
// failed, and compares what they were told with what is in the file.
func writeWhileFull(t *testing.T, path string, short, enough func()) {
	e, err := overlay.Open("sqlite3", path+"?_journal=WAL&_sync=2", overlay.WithWriter())
	noError(t, err)
	must(t, e.ExecAsync(background, "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)"))
	var mu sync.Mutex
	told := map[int]bool{} // false: unknown
	answers := map[string]int{}
	var failed, again atomic.Int32
	var freed atomic.Bool
	short()
	end := time.Now().Add(20 * time.Second)
	var all sync.WaitGroup
	for g := range 16 {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; again.Load() < 200 && time.Now().Before(end); i++ {
				id := (g*1_000_000+i)*2 + 2
				_, err := overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
					for _, k := range []int{id, -id} {
						if _, err := c.ExecContext(ctx, "INSERT INTO t VALUES (?, zeroblob(700))", k); err != nil {
							return 0, err
						}
					}
					return 0, nil
				}).Await(background)
				if i%2 == 0 {
					single := id + 1
					_, err := e.ExecAsync(background, "INSERT INTO t VALUES (?, zeroblob(700))", single).Await(background)
					mu.Lock()
					if err == nil || errors.Is(err, overlay.ErrOutcomeUnknown) {
						told[single] = err == nil
					}
					mu.Unlock()
				}
				mu.Lock()
				switch {
				case err == nil:
					told[id] = true
					if freed.Load() {
						again.Add(1)
					}
				case errors.Is(err, overlay.ErrOutcomeUnknown):
					told[id] = false
					fallthrough
				default:
					answers[err.Error()]++
					if failed.Add(1) == 100 {
						enough()
						freed.Store(true)
					}
				}
				mu.Unlock()
			}
		}()
	}
	all.Wait()
	if !freed.Load() || again.Load() < 200 {
		t.Errorf("%d calls failed, and %d succeeded after there was room again", failed.Load(), again.Load())
	}
	noError(t, e.Shutdown(atMost(t, 10*time.Second)))
	db, err := sql.Open("sqlite3", path)
	noError(t, err)
	defer db.Close()
	rows, err := db.Query("SELECT id FROM t")
	noError(t, err)
	have := map[int]bool{}
	for rows.Next() {
		var id int
		noError(t, rows.Scan(&id))
		have[id] = true
	}
	noError(t, rows.Err())
	acknowledged, unknown := 0, 0
	for id, yes := range told {
		if yes {
			acknowledged++
		} else {
			unknown++
		}
		if yes && !have[id] {
			t.Errorf("%d was acknowledged and is not there", id)
		}
	}
	for id := range have {
		if id < 0 && !have[-id] || id > 0 && id%2 == 0 && !have[-id] {
			t.Errorf("only half of %d is there", id)
		}
		if _, ok := told[max(id, -id)]; !ok {
			t.Errorf("%d is there, and nobody was told so", id)
		}
	}
	for text := range answers {
		if !strings.Contains(text, "full") && !strings.Contains(text, "disk I/O error") {
			t.Errorf("an answer that does not say why: %s", text)
		}
	}
	t.Logf("%d acknowledged, 0 lost; %d unknown; %d rows; failures %v; %+v", acknowledged, unknown, len(have), answers, e.Stats())
}
