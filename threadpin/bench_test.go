package threadpin_test

import (
	"context"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/threadpin"
)

func busy(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// BenchmarkHop subtracts nothing: a hop costs what is above the work and the
// gap.
func BenchmarkHop(b *testing.B) {
	for _, c := range []struct {
		name      string
		work, gap time.Duration
	}{
		{"back to back", 0, 0},
		{"5µs work", 5 * time.Microsecond, 0},
		{"5µs work, 5µs apart", 5 * time.Microsecond, 5 * time.Microsecond},
		{"150µs work", 150 * time.Microsecond, 0},
		{"1ms apart", 0, time.Millisecond},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := start(b)
			fn := func() {
				if c.work > 0 {
					busy(c.work)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Run(context.Background(), fn); err != nil {
					b.Fatal(err)
				}
				if c.gap > 0 {
					busy(c.gap)
				}
			}
		})
	}
}

func BenchmarkHopCancellable(b *testing.B) {
	w := start(b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Run(ctx, func() {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHopManyCallers(b *testing.B) {
	w := start(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := w.Run(context.Background(), func() {}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkStartQuit(b *testing.B) {
	for b.Loop() {
		w, err := threadpin.Start()
		if err != nil {
			b.Fatal(err)
		}
		w.Quit()
	}
}
