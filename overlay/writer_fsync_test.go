//go:build linux && cgo

package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/sqlaio/sqlaio/overlay"
)

// failingSync is loaded before the C library. It makes fsync and fdatasync fail while there
// is a file of the name that the environment has.
const failingSync = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int sync_by(const char *name, int fd) {
	if (access(getenv("SQLAIO_TEST_NO_SYNC"), F_OK) == 0) { errno = EIO; return -1; }
	return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }
`

const noSyncEnv = "SQLAIO_TEST_NO_SYNC"

// waysToCommit are ways to insert a number, each with a COMMIT of its own.
var waysToCommit = []func(e *overlay.Engine, k int) error{
	func(e *overlay.Engine, k int) error {
		return second(e.ExecAsync(background, "INSERT INTO t VALUES (?, 'x')", k).Await(background))
	},
	func(e *overlay.Engine, k int) error {
		return second(overlay.Scalar[int](background, e, "INSERT INTO t VALUES (?, 'x') RETURNING k", k).Await(background))
	},
	func(e *overlay.Engine, k int) error {
		results, err := e.ExecManyAsync(background, "INSERT INTO t VALUES (?, 'x')", [][]any{{k}}).Await(background)
		if err != nil && results[0].Err == nil {
			return errors.New("the batch has failed, and its statement has not")
		}
		return err
	},
	func(e *overlay.Engine, k int) error {
		return second(overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
			return c.ExecContext(ctx, "INSERT INTO t VALUES (?, 'x')", k)
		}).Await(background))
	},
	func(e *overlay.Engine, k int) error {
		return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			return second(c.ExecAsync(ctx, "INSERT INTO t VALUES (?, 'x')", k).Await(ctx))
		})
	},
	func(e *overlay.Engine, k int) error {
		return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
			return second(c.ExecAsync(ctx, "INSERT INTO t VALUES (?, 'x')", k).Await(ctx))
		})
	},
}

// SQLite writes a transaction to the WAL before it has the disk sync it. If that fails it
// goes on without the transaction; but whoever opens the file after a crash may find it
// there. However it was written, the caller hears that this is not known.
func TestWriterSyncFails(t *testing.T) {
	if fault := os.Getenv(noSyncEnv); fault != "" {
		way, err := strconv.Atoi(os.Getenv("SQLAIO_TEST_WAY"))
		noError(t, err)
		e, err := overlay.Open("sqlite3", filepath.Join(filepath.Dir(fault), "a.db")+"?_journal=WAL&_sync=2", overlay.WithWriter())
		noError(t, err)
		must(t, e.ExecAsync(background, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)"))
		for k := range 3 {
			noError(t, waysToCommit[way](e, k))
		}
		noError(t, os.WriteFile(fault, nil, 0o600))
		err = waysToCommit[way](e, 50)
		var cause sqlite3.Error
		if !errors.Is(err, overlay.ErrOutcomeUnknown) || !errors.As(err, &cause) || cause.ExtendedCode != sqlite3.ErrIoErrFsync {
			fmt.Printf("the caller hears %v\n", err)
			os.Exit(1)
		}
		if err := waysToCommit[way](e, 0); err == nil || errors.Is(err, overlay.ErrOutcomeUnknown) {
			fmt.Printf("a constraint has failed, and the caller hears %v\n", err)
			os.Exit(1)
		}
		os.Exit(0) // as after a crash: nobody closes the file
	}
	dir := t.TempDir()
	lib := filepath.Join(dir, "nosync.so")
	cc := exec.Command("cc", "-shared", "-fPIC", "-o", lib, "-x", "c", "-")
	cc.Stdin = strings.NewReader(failingSync)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Skipf("no C compiler: %v %s", err, out)
	}
	for way := range waysToCommit {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriterSyncFails$")
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+lib, noSyncEnv+"="+filepath.Join(dir, "fault"), "SQLAIO_TEST_WAY="+strconv.Itoa(way))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("way %d: %v\n%s", way, err, out)
		}
		db, err := sql.Open("sqlite3", filepath.Join(dir, "a.db"))
		noError(t, err)
		var n int
		noError(t, db.QueryRow("SELECT count(*) FROM t WHERE k = 50").Scan(&n))
		noError(t, db.Close())
		if n != 1 {
			t.Errorf("way %d: after the crash there are %d rows; is the outcome certain?", way, n)
		}
	}
}
