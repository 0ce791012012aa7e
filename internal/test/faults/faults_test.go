package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/overlay"
)

// TestMain lets the test's binary be its own child, as the program is.
func TestMain(m *testing.M) {
	if inChild() {
		os.Exit(childMain())
	}
	os.Exit(m.Run())
}

// The scenarios below are for the tests of the watchdog and of the leak check.
func init() {
	scenarios = append(scenarios,
		scenario{name: "test-hang", run: func(context.Context, job, *report) error { select {} }},
		scenario{name: "test-leak", run: func(_ context.Context, _ job, r *report) error {
			base := takeBaseline()
			f, err := os.Open(os.DevNull)
			if err != nil {
				return err
			}
			base.checkFor(100*time.Millisecond, r)
			return f.Close()
		}},
	)
}

// short runs a scenario's short round in a child.
func short(t *testing.T, name string) *report {
	t.Helper()
	chosen, err := choose(name)
	if err != nil {
		t.Fatal(err)
	}
	s := chosen[0]
	if s.limit == 0 {
		s.limit = 2 * time.Second
	}
	r := s.inProcess(t.Context(), job{Seed: uint64(time.Now().UnixNano()), Short: true, MariaDB: os.Getenv("SQLAIO_MARIADB")})
	var text strings.Builder
	r.print(&text)
	t.Log(text.String())
	return r
}

func TestKilledWriterLosesNothing(t *testing.T) {
	needLinux(t)
	r := short(t, "sqlitekill")
	if r.bad() || r.Acknowledged == 0 {
		t.Errorf("%+v", r)
	}
}

func TestNothingIsLostThroughAProxy(t *testing.T) {
	needLinux(t)
	if os.Getenv("SQLAIO_MARIADB") == "" {
		t.Skip("SQLAIO_MARIADB is not set: run the tests with `make test`, which starts a MariaDB server")
	}
	r := short(t, "proxy")
	if r.bad() || r.Acknowledged == 0 || r.Faults == 0 {
		t.Errorf("%+v", r)
	}
}

func TestScenarioThatHangsIsEnded(t *testing.T) {
	needLinux(t)
	r := short(t, "test-hang")
	if r.Hung != 1 || !r.bad() {
		t.Errorf("%+v", r)
	}
}

func TestLeakedDescriptorIsFound(t *testing.T) {
	needLinux(t)
	r := short(t, "test-leak")
	if r.Leaked != 1 || r.Err != "" {
		t.Errorf("%+v", r)
	}
}

func TestAuditFindsWhatWritersWereToldWrongly(t *testing.T) {
	ctx := t.Context()
	bare, err := openBare("sqlite3", filepath.Join(t.TempDir(), "audit.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if err := createTables(ctx, bare); err != nil {
		t.Fatal(err)
	}
	write := func(unit int64, size int, rows ...int) {
		for _, i := range rows {
			if _, err := bare.ExecContext(ctx, insert, (&site{}).row(unit, size, i)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(1, 2, 0, 1) // acknowledged: right
	write(3, 2, 0)    // acknowledged, in part: lost and half
	write(5, 1, 0)    // refused: kept
	write(7, 3, 0, 2) // not answered: half
	write(8, 1, 0)    // not answered: right
	told := newLedger()
	for unit, o := range map[int64]outcome{
		1: acknowledged, 2: acknowledged /* lost */, 3: acknowledged, 4: refused, 5: refused, 6: unknown,
	} {
		told.tell(belief{unit, fmt.Sprint("way ", unit), o}, nil)
	}
	var r report
	if err := told.audit(ctx, bare, &r); err != nil {
		t.Fatal(err)
	}
	if r.Lost != 2 || r.Half != 2 || r.Kept != 1 {
		t.Errorf("lost %d, half %d, kept %d; want 2, 2, 1: %q", r.Lost, r.Half, r.Kept, r.Notes)
	}
	if r.Acknowledged != 3 || r.Refused != 2 || r.Unknown != 1 {
		t.Errorf("told %d, %d, %d; want 3, 2, 1", r.Acknowledged, r.Refused, r.Unknown)
	}
}

func TestBrokenConnectionLeavesOnlyStatementsAloneUnknown(t *testing.T) {
	for _, c := range []struct {
		err       error
		in, alone outcome
	}{
		{nil, acknowledged, acknowledged},
		{errors.New("UNIQUE constraint failed"), refused, refused},
		{context.DeadlineExceeded, refused, refused},
		{fmt.Errorf("reading: %w", mysql.ErrInvalidConn), refused, unknown},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, refused, unknown},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, refused, refused},
		{driver.ErrBadConn, refused, refused},
		{errors.Join(context.DeadlineExceeded, overlay.ErrOutcomeUnknown), unknown, unknown},
	} {
		if in, alone := verdict(c.err), verdictAlone(c.err); in != c.in || alone != c.alone {
			t.Errorf("%v: %d in a transaction's function and %d alone, want %d and %d", c.err, in, alone, c.in, c.alone)
		}
	}
}

func needLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the program needs Linux")
	}
}
