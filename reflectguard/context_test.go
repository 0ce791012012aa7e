package reflectguard_test

import (
	"context"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/reflectguard"
)

type otherKey struct{}

type anotherKey struct{}

func TestDerivedContextsHaveTheMark(t *testing.T) {
	ctx := reflectguard.NonBlocking(context.WithValue(context.Background(), otherKey{}, 7))
	derived, cancel := context.WithTimeout(context.WithValue(ctx, anotherKey{}, 8), time.Hour)
	defer cancel()
	for _, c := range []context.Context{ctx, derived, reflectguard.NonBlocking(ctx), context.WithoutCancel(derived)} {
		if !reflectguard.IsNonBlocking(c) {
			t.Errorf("%v is not marked", c)
		}
		if c.Value(otherKey{}) != 7 {
			t.Errorf("%v lost its value", c)
		}
	}
}

func TestOtherContextsAreNotMarked(t *testing.T) {
	reflectguard.NonBlocking(context.Background())
	for _, c := range []context.Context{nil, context.Background(), context.TODO(), context.WithValue(context.Background(), otherKey{}, 1)} {
		if reflectguard.IsNonBlocking(c) {
			t.Errorf("%v is marked", c)
		}
	}
}

func TestMayBlockRemovesTheMark(t *testing.T) {
	parent, cancel := context.WithCancel(context.Background())
	ctx := reflectguard.MayBlock(reflectguard.NonBlocking(parent))
	if reflectguard.IsNonBlocking(ctx) {
		t.Error("still marked")
	}
	if again := reflectguard.MayBlock(ctx); again != ctx {
		t.Error("wrapped again")
	}
	if !reflectguard.IsNonBlocking(reflectguard.NonBlocking(ctx)) {
		t.Error("cannot be marked again")
	}
	cancel()
	if ctx.Err() != context.Canceled {
		t.Error("does not end with its parent")
	}
}

func TestAskingAllocatesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(reflectguard.NonBlocking(context.Background()))
	defer cancel()
	for _, c := range []context.Context{context.Background(), ctx, context.TODO()} {
		if n := testing.AllocsPerRun(100, func() { reflectguard.IsNonBlocking(c) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func BenchmarkIsNonBlocking(b *testing.B) {
	derived, cancel := context.WithCancel(context.WithValue(context.Background(), otherKey{}, 1))
	defer cancel()
	ask := func(ctx context.Context) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				reflectguard.IsNonBlocking(ctx)
			}
		}
	}
	reflectguard.Unmark()
	b.Run("no mark in the process", ask(derived))
	marked := reflectguard.NonBlocking(context.Background())
	b.Run("background", ask(context.Background()))
	b.Run("two levels, not marked", ask(derived))
	b.Run("marked", ask(marked))
}
