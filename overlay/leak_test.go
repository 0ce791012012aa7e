package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// window is a part of a program whose own loop calls the functions.
type window struct {
	e    *overlay.Engine
	keep []any
}

func (w *window) post(fn func()) { fn() }

// What a program has used and ended is collected, also if the engine's dispatcher
// leads to it.
func TestNothingKeepsTheOwnerOfADispatcher(t *testing.T) {
	for name, use := range map[string]func(t *testing.T, w *window){
		"Engine": func(t *testing.T, w *window) {},
		"failed future": func(t *testing.T, w *window) {
			f := w.e.ExecAsync(background, "nonsense")
			failure(t, f)
			w.keep = append(w.keep, f)
		},
		"failed future, not looked at": func(t *testing.T, w *window) {
			f := w.e.ExecAsync(background, "nonsense")
			<-f.Done()
			w.keep = append(w.keep, f)
		},
		"failed function": func(t *testing.T, w *window) {
			f := overlay.RunInThread(background, w.e, func(context.Context, *sql.Conn) (int, error) { return 0, errors.New("no") })
			failure(t, f)
			w.keep = append(w.keep, f)
		},
		"Conn": func(t *testing.T, w *window) {
			c := must(t, w.e.ConnectAsync(background))
			must(t, c.CloseAsync(background))
			w.keep = append(w.keep, c)
		},
		"Tx": func(t *testing.T, w *window) {
			c := must(t, w.e.ConnectAsync(background))
			tx := must(t, c.BeginAsync(background, nil))
			must(t, tx.RollbackAsync(background))
			must(t, c.CloseAsync(background))
			w.keep = append(w.keep, tx)
		},
		"Tx with one in it": func(t *testing.T, w *window) {
			c := must(t, w.e.ConnectAsync(background))
			tx := must(t, c.BeginAsync(background, nil))
			w.keep = append(w.keep, must(t, c.BeginNestedAsync(background)))
			must(t, tx.CommitAsync(background))
			must(t, c.CloseAsync(background))
		},
		"Tx that is left to its Conn": func(t *testing.T, w *window) {
			c := must(t, w.e.ConnectAsync(background))
			w.keep = append(w.keep, must(t, c.BeginAsync(background, nil)))
			must(t, c.CloseAsync(background))
		},
		"Result": func(t *testing.T, w *window) {
			r := must(t, w.e.StreamAsync(background, "select 1 union select 2 union select 3"))
			must(t, r.CloseAsync(background))
			w.keep = append(w.keep, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			func() {
				w := new(window)
				runtime.AddCleanup(w, func(gone chan struct{}) { close(gone) }, gone)
				e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db"), overlay.WithDispatcher(w.post))
				if err != nil {
					t.Fatal(err)
				}
				w.e = e
				use(t, w)
				noError(t, e.Shutdown(background))
			}()
			until(t, "the window is collected", func() bool {
				runtime.GC()
				select {
				case <-gone:
					return true
				default:
					return false
				}
			})
		})
	}
}
