package threadpin

import (
	"context"
	"testing"
	"time"
)

func work(d time.Duration) {
	for start := now(); now()-start < int64(d); {
	}
}

func BenchmarkHop(b *testing.B) {
	w, err := Start()
	if err != nil {
		b.Fatal(err)
	}
	defer w.Quit()
	for _, c := range []struct {
		name   string
		d, gap time.Duration
	}{{"hot", 0, 0}, {"5us", 5 * time.Microsecond, 0}, {"5us-gap5us", 5 * time.Microsecond, 5 * time.Microsecond}, {"150us", 150 * time.Microsecond, 0}, {"5us-gap1ms", 5 * time.Microsecond, time.Millisecond}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			n := 0
			fn := func() { n++; work(c.d) }
			for b.Loop() {
				w.Run(ctx, fn)
				if c.gap > 0 {
					work(c.gap)
				}
			}
		})
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		now()
	}
}
