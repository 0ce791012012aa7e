//go:build cgo

package sqlite3_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/test/harness"
)

// childVariable holds the data source name for a child process.
const childVariable = "SQLAIO_TEST_CHILD"

// TestMain also is the main function of the child process that a test starts.
func TestMain(m *testing.M) {
	if dsn := os.Getenv(childVariable); dsn != "" {
		leaveEverythingOpen(dsn)
		return
	}
	goleak.VerifyTestMain(m)
}

// endless is a query that runs for hours, or until it is interrupted.
const endless = "with recursive c(x) as (select 1 union all select x+1 from c where x < 1e15) select count(*) from c"

// leaveEverythingOpen opens one connection that runs a statement, one with a
// transaction and rows half read, and an idle one.
func leaveEverythingOpen(dsn string) {
	db, err := sql.Open("aio", dsn)
	check(err)
	conn, err := db.Conn(context.Background())
	check(err)
	idle, err := db.Conn(context.Background())
	check(err)
	check(idle.Close())
	go conn.ExecContext(context.Background(), endless)
	tx, err := db.Begin()
	check(err)
	_, err = tx.Exec("create table t(x)")
	check(err)
	rows, err := tx.Query("with recursive c(x) as (select 1 union all select x+1 from c where x < 10000) select x from c")
	check(err)
	rows.Next()
	fmt.Println("ready")
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// TestProgramEndsWithConnectionsOpen: main returns while a statement runs.
func TestProgramEndsWithConnectionsOpen(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	// The race detector sleeps for a second before a program ends.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0",
		childVariable+"=sqlite3:"+filepath.Join(t.TempDir(), "child.db"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	killer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	defer killer.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Errorf("the child says %q, %v", line, err)
	}
	start := time.Now()
	if err := cmd.Wait(); err != nil {
		t.Error("the child: ", err)
	}
	t.Log("the child ended after ", time.Since(start))
}

// limit is how long anything may take before a test says that it hangs.
const limit = 20 * time.Second

// within runs body in a goroutine and fails with all stacks if it hangs.
func within(t testing.TB, body func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		body()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		if t.Failed() {
			t.FailNow()
		}
	case <-timer.C:
		t.Fatalf("hangs:\n%s", harness.Stacks())
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contexts are the two kinds of contexts.
func contexts(t testing.TB) map[string]context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return map[string]context.Context{"Background": context.Background(), "cancellable": ctx}
}
