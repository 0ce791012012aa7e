package main

import (
	"slices"
	"time"
)

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	m := len(xs) / 2
	if len(xs)%2 == 1 {
		return xs[m]
	}
	return (xs[m-1] + xs[m]) / 2
}

// percentile returns nanoseconds.
func percentile(ds []time.Duration, at float64) float64 {
	ds = slices.Sorted(slices.Values(ds))
	return float64(ds[min(len(ds)-1, int(at*float64(len(ds))))])
}
