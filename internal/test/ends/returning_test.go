package ends

import (
	"context"
	"database/sql"
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
