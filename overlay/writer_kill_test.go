//go:build unix

package overlay_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

const killEnv = "SQLAIO_TEST_WRITER_KILL"

// A process that is killed has lost nothing that it has acknowledged, and has left no
// half of a member.
func TestWriterKilled(t *testing.T) {
	if path := os.Getenv(killEnv); path != "" {
		writeUntilKilled(path)
	}
	kills := 20
	if testing.Short() {
		kills = 3
	}
	if n, err := strconv.Atoi(os.Getenv("SQLAIO_TEST_KILLS")); err == nil {
		kills = n
	}
	acknowledged, rows := 0, 0
	path := filepath.Join(t.TempDir(), "a.db")
	for range kills {
		acks := killOnce(t, path)
		acknowledged += len(acks)
		db, err := sql.Open("sqlite3", path)
		if err != nil {
			t.Fatal(err)
		}
		have := map[int]bool{}
		all, err := db.Query("SELECT id FROM t")
		if err != nil {
			t.Fatal(err)
		}
		for all.Next() {
			var id int
			noError(t, all.Scan(&id))
			have[id] = true
		}
		noError(t, all.Err())
		noError(t, db.Close())
		rows = len(have)
		for _, id := range acks {
			if !have[id] {
				t.Fatalf("%d was acknowledged and is lost", id)
			}
		}
		for id := range have {
			if !have[-id] {
				t.Fatalf("only half of %d is there", id)
			}
		}
	}
	t.Logf("%d kills, %d members acknowledged, 0 lost, 0 half; %d rows in the file", kills, acknowledged, rows)
	if acknowledged == 0 {
		t.Error("nothing was acknowledged")
	}
}

// killOnce returns what a process has acknowledged before it was killed.
func killOnce(t *testing.T, path string) (acks []int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterKilled$")
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	noError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	var once sync.Once
	for lines.Scan() {
		once.Do(func() {
			time.AfterFunc(time.Duration(rand.IntN(100))*time.Millisecond, func() { cmd.Process.Kill() })
		})
		id, err := strconv.Atoi(lines.Text())
		if err != nil {
			break // a line that was cut
		}
		acks = append(acks, id)
	}
	cmd.Process.Kill()
	cmd.Wait()
	return acks
}

// writeUntilKilled has 64 goroutines each write two rows at a time, and print the
// number of those that were acknowledged.
func writeUntilKilled(path string) {
	e, err := overlay.Open("sqlite3", path+"?_journal=WAL&_sync=2&_busy_timeout=1000", overlay.WithWriter())
	if err == nil {
		_, err = e.ExecAsync(background, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY)").Await(background)
	}
	for i := range 64 {
		go func() {
			for err == nil {
				id := rand.IntN(1<<40) + 1
				f := overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
					for _, k := range []int{id, -id} {
						if _, err := c.ExecContext(ctx, "INSERT INTO t VALUES (?)", k); err != nil {
							return 0, err
						}
					}
					return id, nil
				})
				if i%2 == 0 {
					args := [][]any{{-id - 1}, {id + 1}}
					if second(e.ExecManyAsync(background, "INSERT INTO t VALUES (?)", args, overlay.InTx(nil)).Await(background)) == nil {
						os.Stdout.WriteString(strconv.Itoa(id+1) + "\n")
					}
				}
				if _, err := f.Await(background); err == nil {
					os.Stdout.WriteString(strconv.Itoa(id) + "\n")
				}
			}
		}()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	time.Sleep(10 * time.Second)
	os.Exit(1)
}
