package reflectguard_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

// wait is a method that waits while fn runs.
func wait(ctx context.Context, fn func()) error {
	after, err := reflectguard.Wait(ctx, "Future.Await")
	if err != nil {
		return err
	}
	if after != nil {
		defer after()
	}
	fn()
	return nil
}

func TestWaitWarnsInAMarkedContext(t *testing.T) {
	recorded := warnings.Record(t)
	ctx, cancel := context.WithCancel(reflectguard.NonBlocking(context.Background()))
	defer cancel()
	err := wait(ctx, func() {
		if got := recorded.All(); len(got) != 0 {
			t.Errorf("warned before the wait was over: %v", got)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	got := recorded.All()
	if len(got) != 1 {
		t.Fatalf("%d warnings, want 1", len(got))
	}
	d := got[0].Details()
	if got[0].Category() != warnings.Blocking || d.Message != reflectguard.WaitMessage ||
		!strings.HasPrefix(d.Advice, "Future.Await waits: ") || !strings.HasSuffix(d.Site.File(), "blocking_test.go") {
		t.Errorf("%v", got[0])
	}
}

func TestWaitFailsIfAFilterSaysError(t *testing.T) {
	defer warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))()
	err := wait(reflectguard.NonBlocking(context.Background()), func() { t.Error("waited") })
	var w *warnings.BlockingWarning
	if !errors.As(err, &w) || w.Message != reflectguard.WaitMessage {
		t.Errorf("got %v", err)
	}
}

func TestWaitSaysNothingWhereBlockingIsAllowed(t *testing.T) {
	defer warnings.Filter(warnings.Error)()
	marked := reflectguard.NonBlocking(context.Background())
	for _, ctx := range []context.Context{nil, context.Background(), context.TODO(), reflectguard.MayBlock(marked)} {
		if after, err := reflectguard.Wait(ctx, "Await"); after != nil || err != nil {
			t.Errorf("%v: %v", ctx, err)
		}
		if n := testing.AllocsPerRun(100, func() { reflectguard.Wait(ctx, "Await") }); n != 0 {
			t.Errorf("%v: %v allocations", ctx, n)
		}
	}
}
