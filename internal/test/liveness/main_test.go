package liveness_test

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"
)

// TestMain allows no goroutine to be left: each engine is shut down by the test
// that opened it.
func TestMain(m *testing.M) {
	flag.DurationVar(&patience, "patience", patience, "when a call is said to hang")
	flag.Parse()
	_ = mysql.SetLogger(&mysql.NopLogger{}) // tests break connections on purpose
	code := m.Run()
	if err := noGoroutineLeft(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// forgotten are transactions that functions have left open and whose context does
// not end. database/sql keeps a goroutine for each until it is ended.
var forgotten = make(chan *sql.Tx, 10000)

// alone fails the test if a goroutine is left at its end that was not there
// before. It must be called before the test opens anything.
func alone(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		for len(forgotten) > 0 {
			(<-forgotten).Rollback()
		}
		if t.Failed() {
			return // what hangs is printed already
		}
		if err := noGoroutineLeft(before); err != nil {
			t.Error(err)
		}
	})
}

// noGoroutineLeft gives those that are about to end some time for it.
func noGoroutineLeft(opts ...goleak.Option) (err error) {
	for range 5 { // goleak.Find itself waits for about a second
		if err = goleak.Find(opts...); err == nil {
			return nil
		}
	}
	return err
}
