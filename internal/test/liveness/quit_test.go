package liveness_test

import (
	"testing"

	"github.com/sqlaio/sqlaio/threadpin"
)

// Quit in OnStop, on the thread that ends, has nothing to wait for.
func TestQuitInOnStopReturns(t *testing.T) {
	for name, end := range map[string]func(w *threadpin.Worker){
		"Quit":   func(w *threadpin.Worker) { w.Quit() },
		"Goexit": func(w *threadpin.Worker) { w.Run(background, func() { goexit(background, nil) }) },
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			var w *threadpin.Worker
			stopped := make(chan struct{})
			w, err := threadpin.Start(threadpin.WithOnStop(func() {
				w.Quit()
				close(stopped)
			}))
			noError(t, "Start", err)
			within(t, soon, name, func() error { end(w); return nil })
			finishes(t, soon, "Quit in OnStop", stopped)
		})
	}
}
