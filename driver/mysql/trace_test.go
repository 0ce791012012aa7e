package mysql

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/tracetest"
)

// The log of slow statements shows how long the server took, and no value, not even the one
// that the server quotes in its error.
func TestSlowLog(t *testing.T) {
	c, err := mysql.NewConnector(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	tr := new(tracetest.Tracer)
	db := aio.OpenDB(c, aio.WithTracer(tr), aio.WithTracer(aio.SlowLog(slog.New(slog.NewTextHandler(&out, nil)), 40*time.Millisecond)))
	defer db.Close()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec := func(query string, args ...any) error {
		t.Helper()
		out.Reset()
		_, err := conn.ExecContext(ctx, query, args...)
		return err
	}
	for _, query := range []string{"CREATE TEMPORARY TABLE u (name VARCHAR(20) PRIMARY KEY)", "INSERT INTO u VALUES ('secret')"} {
		if err := exec(query); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec("INSERT INTO u SELECT CONCAT('secret', SLEEP(0.05), ?)", "x"); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "op=exec") || !strings.Contains(got, "rows=1") || strings.Contains(got, "secret") {
		t.Errorf("logged %q", got)
	}
	err = exec("INSERT INTO u SELECT IF(SLEEP(0.05), '', ?)", "secret")
	if err == nil {
		t.Fatal("no error")
	}
	if got := out.String(); !strings.Contains(got, "1062") || strings.Contains(got, "secret") {
		t.Errorf("%v is logged as %q", err, got)
	}
	ends := tr.Told(t)
	if last := ends[len(ends)-1]; last.OnThread < 40*time.Millisecond || last.Err != err {
		t.Errorf("on the thread %v, error %v", last.OnThread, last.Err)
	}
}
