package liveness_test

import (
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestOnDoneOfNilDoesNothing(t *testing.T) {
	for name, opts := range map[string][]overlay.Option{
		"without a dispatcher": nil,
		"with a dispatcher":    {overlay.WithDispatcher(func(fn func()) { fn() })},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t, opts...)
			shut, openGate := gate(t)
			started, fn := deaf(shut)
			f := overlay.RunInThread(bounded(t), e, fn)
			finishes(t, patience, "the function starts", started)
			f.OnDone(nil) // before the end
			openGate()
			value(t, "the function", f)
			f.OnDone(nil) // after it
			works(t, e)
		})
	}
}

func TestOnNilMeansTheEngine(t *testing.T) {
	alone(t)
	e := openFile(t)
	if has := value(t, "HasTableAsync", e.HasTableAsync(bounded(t), "t", overlay.On(nil))); !has {
		t.Error("the table was not found")
	}
	if names := value(t, "TableNamesAsync", e.TableNamesAsync(bounded(t), overlay.On(nil))); len(names) != 1 {
		t.Errorf("tables: %v", names)
	}
}
