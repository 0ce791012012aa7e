package liveness_test

import (
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// The first rows of a stream are there although the next one takes for ever, on an
// Engine and on a Conn, in whatever way they are fetched.
func TestRowsArriveBeforeASlowOne(t *testing.T) {
	const quick = 3
	for name, fetch := range map[string]func(t *testing.T, r *overlay.Result){
		"FetchOneAsync": func(t *testing.T, r *overlay.Result) {
			for range quick {
				_, err := outcome(t, atOnce, "FetchOneAsync", r.FetchOneAsync(bounded(t)))
				noError(t, "FetchOneAsync", err)
			}
		},
		"FetchOneAsync, all at once": func(t *testing.T, r *overlay.Result) {
			var fs []*overlay.Future[overlay.Row]
			for range quick {
				fs = append(fs, r.FetchOneAsync(bounded(t)))
			}
			for _, f := range fs {
				_, err := outcome(t, atOnce, "FetchOneAsync", f)
				noError(t, "FetchOneAsync", err)
			}
		},
		"FetchManyAsync": func(t *testing.T, r *overlay.Result) {
			rows, err := outcome(t, atOnce, "FetchManyAsync", r.FetchManyAsync(bounded(t), quick))
			if err != nil || len(rows) != quick {
				t.Errorf("FetchManyAsync: %d rows, %v", len(rows), err)
			}
		},
		"after one that is cancelled": func(t *testing.T, r *overlay.Result) {
			first := r.FetchManyAsync(bounded(t), 1000)
			second := r.FetchManyAsync(bounded(t), quick)
			first.Cancel()
			if rows, err := outcome(t, soon, "FetchManyAsync", second); err != nil || len(rows) != quick {
				t.Errorf("FetchManyAsync: %d rows, %v", len(rows), err)
			}
		},
		"Rows": func(t *testing.T, r *overlay.Result) {
			came := make(chan struct{}, 1000)
			go func() {
				for _, err := range r.Rows(background) {
					if err != nil {
						return
					}
					came <- struct{}{}
				}
			}()
			for range quick {
				finishes(t, atOnce, "a row of the loop", came)
			}
		},
	} {
		for _, of := range []string{"Engine", "Conn"} {
			t.Run(name+"/"+of, func(t *testing.T) {
				alone(t)
				d, _, e := fakeEngine(t, drivertest.Modern)
				shut, open := gate(t)
				n := 0
				d.On("Rows.Next", func(drivertest.Call) error {
					if n++; n > quick {
						<-shut
					}
					return nil
				})
				var opened *overlay.Future[*overlay.Result]
				if of == "Conn" {
					c := connect(t, e)
					defer func() { value(t, "CloseAsync", c.CloseAsync(background)) }()
					opened = c.StreamAsync(background, "rows 1000")
				} else {
					opened = e.StreamAsync(background, "rows 1000")
				}
				r, err := outcome(t, atOnce, "StreamAsync", opened)
				noError(t, "StreamAsync", err)
				fetch(t, r)
				open()
				value(t, "CloseAsync", r.CloseAsync(background))
			})
		}
	}
}
