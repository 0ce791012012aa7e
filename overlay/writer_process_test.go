//go:build unix

package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

const besideEnv = "SQLAIO_TEST_WRITER_BESIDE"

// Another process that writes all the time is waited for until each call's deadline, and
// no longer.
func TestWriterBesideAnotherProcess(t *testing.T) {
	if path := os.Getenv(besideEnv); path != "" {
		writeForEver(path)
	}
	length := 5 * time.Second
	if testing.Short() {
		length = time.Second
	}
	path := filepath.Join(t.TempDir(), "a.db")
	e, err := overlay.Open("sqlite3", path+"?_journal=WAL&_sync=1", overlay.WithWriter())
	noError(t, err)
	defer func() { noError(t, e.Shutdown(atMost(t, 10*time.Second))) }()
	must(t, e.ExecAsync(background, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)"))
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterBesideAnotherProcess$")
	cmd.Env = append(os.Environ(), besideEnv+"="+path)
	cmd.Stderr = os.Stderr
	noError(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	other := func() int {
		return must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t WHERE v = 'other'"))
	}
	for other() == 0 {
		time.Sleep(time.Millisecond)
	}
	var mu sync.Mutex
	var late []time.Duration
	var written, ended int
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return written > 0 && ended > 0
	}
	var all sync.WaitGroup
	for stop, g := time.Now().Add(length), 0; g < 16; g++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for time.Now().Before(stop) || !enough() && time.Now().Before(stop.Add(30*time.Second)) {
				deadline := time.Now().Add(time.Duration(rand.IntN(200)) * time.Millisecond)
				ctx, cancel := context.WithDeadline(background, deadline)
				var err error
				if g%4 == 0 {
					err = e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
						return second(c.ExecAsync(ctx, insertFrom, "own").Await(ctx))
					})
				} else {
					err = second(e.ExecAsync(ctx, insertFrom, "own").Await(ctx))
				}
				over := time.Since(deadline)
				cancel()
				mu.Lock()
				switch {
				case err == nil:
					written++
				case errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, overlay.ErrOutcomeUnknown):
					ended++
					late = append(late, over)
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		}()
	}
	all.Wait()
	slices.Sort(late)
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t WHERE v = 'own'")); n != written {
		t.Errorf("%d rows, want %d", n, written)
	}
	if written == 0 || len(late) == 0 {
		t.Fatalf("%d written, %d deadlines", written, len(late))
	}
	t.Logf("%d written beside %d by the other process; %d deadlines, late by %v at the median, %v at p99, %v at most",
		written, other(), ended, late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
	if median := late[len(late)/2]; median > 50*time.Millisecond {
		t.Errorf("deadlines are exceeded by %v", median)
	}
}

// writeForEver holds the lock for some milliseconds each time.
func writeForEver(path string) {
	time.AfterFunc(time.Minute, func() { os.Exit(1) }) // if nobody kills it
	db, err := sql.Open("sqlite3", path+"?_journal=WAL&_sync=1&_txlock=immediate&_busy_timeout=10000")
	for err == nil {
		var tx *sql.Tx
		if tx, err = db.Begin(); err != nil {
			break
		}
		_, err = tx.Exec("INSERT INTO t (v) VALUES ('other')")
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		err = errors.Join(err, tx.Commit())
	}
	println(err.Error())
	os.Exit(1)
}
