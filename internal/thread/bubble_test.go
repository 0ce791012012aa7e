//go:build go1.25

package thread_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// In a bubble time goes on beside an idle worker, also if it is started years after the
// bubble's beginning.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 5 {
			w, err := thread.Start()
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Run(background, func() { time.Sleep(time.Hour) }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * 365 * 24 * time.Hour)
			w.Quit()
		}
	})
}
