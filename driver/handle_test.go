package driver_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// onHandle runs fn on the thread of a new connection.
func onHandle(t *testing.T, k cancelKind, fn func(d *cancelDriver, h *aio.Handle)) {
	d, db := cancelStart(t, k)
	conn, w, _ := cancelConn(t, db)
	defer conn.Close()
	h, err := aio.HandleOf(conn)
	must(t, err)
	must(t, w.Run(cancelBackground, func() { fn(d, h) }))
}

func TestHandleCallsAsDatabaseSQLWould(t *testing.T) {
	for _, k := range []cancelKind{{features: drivertest.Modern}, {features: drivertest.Legacy}, {features: drivertest.LikeSQLite, settler: true}} {
		onHandle(t, k, func(_ *cancelDriver, h *aio.Handle) {
			r, err := h.Exec(cancelBackground, "noop affected 3", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := r.RowsAffected(); n != 3 || err != nil {
				t.Errorf("affected %d, %v", n, err)
			}
			rs, err := h.Query(cancelBackground, "rows 2", nil)
			if err != nil {
				t.Error(err)
				return
			}
			row := make([]driver.Value, len(rs.Columns()))
			for i := range 3 {
				if err := rs.Next(row); i < 2 && err != nil || i == 2 && err != io.EOF {
					t.Errorf("row %d: %v", i, err)
				}
			}
			for range 2 {
				if err := rs.Close(); err != nil {
					t.Error(err)
				}
			}
			s, err := h.Prepare(cancelBackground, "noop ?")
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Exec(cancelBackground, []driver.NamedValue{{Ordinal: 1, Value: 7}}); err != nil {
				t.Error(err) // the int was converted
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHandleKnowsItsInterruptsErrors(t *testing.T) {
	onHandle(t, cancelKind{features: drivertest.Modern}, func(_ *cancelDriver, h *aio.Handle) {
		wrapped := errors.Join(io.EOF, &wrappedError{drivertest.ErrInterrupted})
		if !h.Interrupted(drivertest.ErrInterrupted) || !h.Interrupted(wrapped) {
			t.Error("an interrupt's error is not recognised")
		}
		if h.Interrupted(nil) || h.Interrupted(io.EOF) || h.Interrupted(errors.Join(io.EOF)) {
			t.Error("another error is taken for an interrupt's")
		}
	})
}

type wrappedError struct{ error }

func (w *wrappedError) Unwrap() error { return w.error }

// What a handle's interrupt may have left behind is settled before its next call.
func TestHandleSettlesInterrupts(t *testing.T) {
	onHandle(t, cancelKind{features: drivertest.Modern, settler: true}, func(d *cancelDriver, h *aio.Handle) {
		done := make(chan struct{})
		go func() { h.Interrupt(cancelBackground); close(done) }()
		<-done
		if _, err := h.Exec(cancelBackground, "noop", nil); err != nil || d.unsettled.Load() || d.settles.Load() != 1 {
			t.Errorf("%v, settled %d times", err, d.settles.Load())
		}
	})
}

// Rows and transactions that a function on the thread has opened are closed by
// database/sql in another goroutine when their context ends. That goroutine holds locks
// that the function may want: it must not wait for the function.
func TestContextEndsInAFunctionOnTheThread(t *testing.T) {
	for _, tx := range []bool{false, true} {
		d, db := cancelStart(t, cancelKind{features: drivertest.Modern})
		conn, w, _ := cancelConn(t, db)
		h, err := aio.HandleOf(conn)
		must(t, err)
		wait := cancelGo(t, "a function on the thread", func() error {
			return w.Run(cancelBackground, func() {
				h.Occupy(func() {
					ctx, cancel := context.WithCancel(cancelBackground)
					defer cancel()
					if tx {
						tx, err := conn.BeginTx(ctx, nil)
						if err != nil {
							t.Error(err)
							return
						}
						cancel()
						for tx.Commit() == nil { // until the other goroutine has been there
						}
					} else {
						rows, err := conn.QueryContext(ctx, "rows 300")
						if err != nil {
							t.Error(err)
							return
						}
						cancel()
						for rows.Next() {
						}
						if err := rows.Err(); err != nil && err != context.Canceled {
							t.Error(err)
						}
					}
					// Refused as long as the transaction waits for its rollback.
					for {
						_, err := conn.ExecContext(cancelBackground, "noop")
						if err == nil {
							break
						}
						if err != context.Canceled {
							t.Error(err)
							break
						}
					}
				})
			})
		})
		must(t, wait())
		must(t, conn.Close())
		if left := d.OpenObjects(); len(left) != 1 { // the pooled connection
			t.Errorf("transaction=%t: open: %v", tx, left)
		}
	}
}

func TestHandleDropsTheConnection(t *testing.T) {
	d, db := cancelStart(t, cancelKind{features: drivertest.Modern})
	conn, w, number := cancelConn(t, db)
	h, err := aio.HandleOf(conn)
	must(t, err)
	must(t, w.Run(cancelBackground, h.Drop))
	conn.Close()
	cancelUntil(t, "the end of the connection", func() bool { return !d.IsOpen(number) })
}
