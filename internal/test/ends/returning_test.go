package ends

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

const returning = "INSERT INTO t VALUES (?) RETURNING k"

// A fetch of a streamed write that is withdrawn as it waits for the thread, refused, or made
// when its context has just ended does not deny the write.
func TestFetchOfAWriteThatIsNotMade(t *testing.T) {
	d := onSQLite(t)
	k := 0
	for name, fetch := range map[string]func(context.Context, *overlay.Result) error{
		"First":  func(ctx context.Context, r *overlay.Result) error { _, err := r.FirstAsync(ctx).Await(bg); return err },
		"Scalar": func(ctx context.Context, r *overlay.Result) error { _, err := r.ScalarAsync(ctx).Await(bg); return err },
		"FetchAll": func(ctx context.Context, r *overlay.Result) error {
			_, err := r.FetchAllAsync(ctx).Await(bg)
			return err
		},
	} {
		t.Run(name+", the thread is busy", func(t *testing.T) {
			c := d.connect(t)
			k++
			gate, asked := make(chan struct{}), make(chan struct{})
			overlay.RunInThread(bg, c, func(context.Context, *sql.Conn) (int, error) { <-asked; return 0, nil })
			f := c.StreamAsync(bg, returning, k)
			f.OnDone(func(*overlay.Result, error) { <-gate })
			close(asked)
			r, err := f.Await(bg)
			noError(t, err)
			ctx, cancel := context.WithTimeout(bg, 2*time.Millisecond)
			defer cancel()
			err = fetch(ctx, r)
			close(gate)
			r.CloseAsync(bg).Await(bg)
			d.check(t, k, err)
		})
		t.Run(name+", beside the end of its context", func(t *testing.T) {
			c := d.connect(t)
			for i := range 1000 {
				k++
				r, err := c.StreamAsync(bg, returning, k).Await(bg)
				noError(t, err)
				ctx, cancel := context.WithCancel(bg)
				go cancel()
				for s := time.Now(); time.Since(s) < time.Duration(i%100)*100*time.Nanosecond; {
				}
				err = fetch(ctx, r)
				r.CloseAsync(bg).Await(bg)
				if err != nil && !unsure(err) && d.has(t, k) {
					t.Fatalf("a row is kept, though refused: %v", err)
				}
			}
		})
	}
}

// A write whose returned row does not fit is carried out, and the error says so; in a group
// of the writer it is taken back.
func TestReturnedRowDoesNotFit(t *testing.T) {
	type other struct{ X int }
	for name, open := range map[string]func(*testing.T) *database{"SQLite": onSQLite, "MariaDB": onMariaDB, "the writer": onWriter} {
		d := open(t)
		for i, call := range []func(k int) error{
			func(k int) error { return errOf(overlay.Scalar[time.Time](bg, d, returning, k).Await(bg)) },
			func(k int) error { return errOf(overlay.One[time.Time](bg, d, returning, k).Await(bg)) },
			func(k int) error { return errOf(overlay.One[other](bg, d, returning, k).Await(bg)) },
			func(k int) error { return errOf(overlay.Collect[other](bg, d, returning, k).Await(bg)) },
		} {
			if err := call(i + 1); err == nil {
				t.Errorf("%s: call %d: no error", name, i)
			} else if d.has(t, i+1) != errors.Is(err, overlay.ErrOutcomeUnknown) {
				t.Errorf("%s: call %d: %v, and kept: %v", name, i, err, d.has(t, i+1))
			}
		}
	}
}

// Each over a streamed write says so, too.
func TestEachReturnedRowDoesNotFit(t *testing.T) {
	type other struct{ X int }
	d := onSQLite(t)
	r, err := d.StreamAsync(bg, returning, 1).Await(bg)
	noError(t, err)
	for _, err = range overlay.Each[other](bg, r) {
	}
	r.CloseAsync(bg).Await(bg) // SQLite commits as the rows are closed
	if !errors.Is(err, overlay.ErrOutcomeUnknown) || !d.has(t, 1) {
		t.Errorf("%v, and kept: %v; want ErrOutcomeUnknown", err, d.has(t, 1))
	}
}

type panics int64

func (*panics) Scan(any) error { panic("it does not scan") }

type exits int64

func (*exits) Scan(any) error { runtime.Goexit(); return nil }

// The same if the conversion panics or ends its goroutine, or the write returns no rows at all.
func TestReturnedRowIsNotConverted(t *testing.T) {
	for name, call := range map[string]func(to overlay.Target) error{
		"Scalar panics":        func(to overlay.Target) error { return errOf(overlay.Scalar[panics](bg, to, returning, 1).Await(bg)) },
		"Scalar exits":         func(to overlay.Target) error { return errOf(overlay.Scalar[exits](bg, to, returning, 1).Await(bg)) },
		"Collect panics":       func(to overlay.Target) error { return errOf(overlay.Collect[panics](bg, to, returning, 1).Await(bg)) },
		"Collect exits":        func(to overlay.Target) error { return errOf(overlay.Collect[exits](bg, to, returning, 1).Await(bg)) },
		"One panics":           func(to overlay.Target) error { return errOf(overlay.One[panics](bg, to, returning, 1).Await(bg)) },
		"One exits":            func(to overlay.Target) error { return errOf(overlay.One[exits](bg, to, returning, 1).Await(bg)) },
		"Scalar, without rows": func(to overlay.Target) error { return errOf(overlay.Scalar[int](bg, to, insert1).Await(bg)) },
		"One, without rows":    func(to overlay.Target) error { return errOf(overlay.One[int](bg, to, insert1).Await(bg)) },
	} {
		for _, open := range []func(*testing.T) *database{onSQLite, onWriter} {
			for _, onConn := range []bool{false, true} {
				t.Run(name, func(t *testing.T) {
					d := open(t)
					var to overlay.Target = d.Engine
					if onConn {
						to = d.connect(t)
					}
					if err := call(to); err == nil {
						t.Error("no error")
					} else if d.has(t, 1) != errors.Is(err, overlay.ErrOutcomeUnknown) {
						t.Errorf("%v, and kept: %v", err, d.has(t, 1))
					}
				})
			}
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

// onWriter is onSQLite with a writer.
func onWriter(t *testing.T) *database {
	d := onSQLite(t)
	var path string
	noError(t, d.bare.QueryRow("SELECT file FROM pragma_database_list").Scan(&path))
	e, err := overlay.Open("sqlite3", path+"?_journal=WAL&_busy_timeout=1000", overlay.WithWriter())
	noError(t, err)
	t.Cleanup(func() { e.Shutdown(limit(t)) })
	d.Engine = e
	return d
}
