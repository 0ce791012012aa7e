package liveness_test

import (
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestShutdownNamesStreamsThatAreOpen(t *testing.T) {
	alone(t)
	e := openFile(t)
	f, place := e.StreamAsync(bounded(t), numbers, 100_000), here()
	r := value(t, "StreamAsync", f)
	endsBy(t, e, place)
	_, err := outcome(t, atOnce, "FetchAllAsync", r.FetchAllAsync(bounded(t)))
	if err == nil {
		t.Error("a stream was read to its end after Shutdown")
	}
	wantError(t, "a stream's call after Shutdown", func() error {
		_, err := outcome(t, atOnce, "StreamAsync", e.StreamAsync(bounded(t), "SELECT 1"))
		return err
	}(), overlay.ErrClosed)
}

func TestShutdownNamesAConnsStreams(t *testing.T) {
	alone(t)
	e := openFile(t)
	c := connect(t, e)
	f, place := c.StreamAsync(bounded(t), numbers, 100_000), here()
	r := value(t, "StreamAsync", f)
	endsBy(t, e, place)
	_ = r
}
