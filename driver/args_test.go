package driver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
)

// seen is a driver that notes which arguments it is asked about and given. Its connection
// leaves everything to statements, or breaks.
type seen struct {
	args  []string
	fails error
}

func (s *seen) Connect(context.Context) (driver.Conn, error) { return seenConn{s}, nil }
func (s *seen) Driver() driver.Driver                        { return nil }

type seenConn struct{ *seen }

func (c seenConn) Close() error              { return nil }
func (c seenConn) Begin() (driver.Tx, error) { return nil, driver.ErrSkip }
func (c seenConn) CheckNamedValue(nv *driver.NamedValue) error {
	return c.check("connection", nv)
}
func (c seenConn) Prepare(string) (driver.Stmt, error) { return seenStmt(c), nil }
func (c seenConn) ExecContext(_ context.Context, _ string, args []driver.NamedValue) (driver.Result, error) {
	c.given(args)
	return nil, c.fails
}

type seenStmt struct{ *seen }

func (s seenStmt) Close() error  { return nil }
func (s seenStmt) NumInput() int { return -1 }
func (s seenStmt) CheckNamedValue(nv *driver.NamedValue) error {
	return s.check("statement", nv)
}
func (s seenStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s seenStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }
func (s seenStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.given(args)
	return driver.ResultNoRows, nil
}

func (s *seen) check(who string, nv *driver.NamedValue) error {
	s.args = append(s.args, fmt.Sprintf("%s asked about %v %q %v", who, nv.Ordinal, nv.Name, nv.Value))
	if nv.Value == "removed" {
		return driver.ErrRemoveArgument
	}
	nv.Value = fmt.Sprint(nv.Value, " of the ", who)
	return nil
}

func (s *seen) given(args []driver.NamedValue) {
	s.args = append(s.args, fmt.Sprint("given ", args))
}

// A statement is asked about the arguments as the application gave them, whatever the
// connection has made of them before; so is the next connection.
func TestArgumentsAreCheckedAsGiven(t *testing.T) {
	for _, cause := range []error{driver.ErrSkip, driver.ErrBadConn} {
		t.Run(cause.Error(), func(t *testing.T) {
			exec := func(open func(c driver.Connector) *sql.DB) []string {
				s := &seen{fails: cause}
				db := open(s)
				defer db.Close()
				for range 3 {
					db.Exec("INSERT", 1, "removed", sql.Named("n", 2), "three")
				}
				return s.args
			}
			bare := exec(sql.OpenDB)
			wrapped := exec(func(c driver.Connector) *sql.DB { return aio.OpenDB(c) })
			if !slices.Equal(bare, wrapped) || len(bare) == 0 {
				t.Errorf("bare:\n%q\nwrapped:\n%q", bare, wrapped)
			}
		})
	}
}
