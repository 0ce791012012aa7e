package goid_test

import (
	"sync"
	"testing"

	"github.com/sqlaio/sqlaio/internal/goid"
)

func TestGoroutinesThatAreAliveDiffer(t *testing.T) {
	const n = 100
	ids := make([]uintptr, n)
	var made, done sync.WaitGroup
	made.Add(n)
	for i := range n {
		done.Add(1)
		go func() {
			defer done.Done()
			ids[i] = goid.Get()
			made.Done()
			made.Wait()
			if again := goid.Get(); again != ids[i] {
				t.Errorf("first %d, then %d", ids[i], again)
			}
		}()
	}
	done.Wait()
	seen := map[uintptr]bool{goid.Get(): true}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%d twice", id)
		}
		seen[id] = true
	}
}

func BenchmarkGet(b *testing.B) {
	for b.Loop() {
		goid.Get()
	}
}
