package driver_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/warnings"
)

func TestSlowLog(t *testing.T) {
	var out bytes.Buffer
	_, db := open(t, dt.Modern, aio.WithTracer(aio.SlowLog(slog.New(slog.NewJSONHandler(&out, nil)), 20*time.Millisecond)))
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	must(t, err)
	defer conn.Close()
	out.Reset()
	_, err = conn.ExecContext(ctx, "affected 1 ?", "secret")
	must(t, err)
	rows, err := conn.QueryContext(ctx, "rows 2")
	must(t, err)
	time.Sleep(30 * time.Millisecond) // the application's, not the database's
	must(t, rows.Close())
	if out.Len() > 0 {
		t.Errorf("quick calls are logged:\n%s", &out)
	}

	_, err = conn.ExecContext(ctx, "slow 20ms affected 7 ? -- why", "secret")
	must(t, err)
	var got struct {
		Level, Msg, Op, Statement, Error string
		Queued, Rows                     int64
		OnThread                         int64 `json:"on_thread"`
	}
	must(t, json.Unmarshal(out.Bytes(), &got))
	if got.Level != "WARN" || got.Op != "exec" || got.Statement != "slow ? affected ? ?" || got.Rows != 7 || got.Error != "" ||
		got.OnThread < int64(20*time.Millisecond) || bytes.Contains(out.Bytes(), []byte("secret")) {
		t.Errorf("logged %s", &out)
	}

	out.Reset()
	ctx, cancel := context.WithTimeout(ctx, 25*time.Millisecond)
	defer cancel()
	w, err := aio.Thread(conn)
	must(t, err)
	begun := make(chan struct{})
	over := make(chan struct{})
	go w.Run(context.Background(), func() { close(begun); time.Sleep(50 * time.Millisecond); close(over) })
	<-begun
	_, err = conn.ExecContext(ctx, "noop")
	<-over
	must(t, json.Unmarshal(out.Bytes(), &got))
	if err == nil || got.Error != err.Error() || got.OnThread != 0 || got.Queued < int64(20*time.Millisecond) {
		t.Errorf("logged %s", &out)
	}
}

// A function has no statement, so the log says where it was called.
func TestSlowLogTellsWhereAFunctionWasCalled(t *testing.T) {
	var out bytes.Buffer
	_, db := open(t, dt.Modern, aio.WithTracer(aio.SlowLog(slog.New(slog.NewJSONHandler(&out, nil)), time.Millisecond)))
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	must(t, err)
	defer conn.Close()
	out.Reset()
	here := warnings.Caller()
	must(t, aio.Raw(ctx, conn, func(driver.Conn) error { time.Sleep(2 * time.Millisecond); return nil }))
	var got struct{ Op, Site string }
	must(t, json.Unmarshal(out.Bytes(), &got))
	if want := fmt.Sprintf("%s:%d", here.File(), here.Line()+1); got.Op != "function" || got.Site != want {
		t.Errorf("logged %s, want the site %s", &out, want)
	}
}
