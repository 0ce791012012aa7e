package warnings_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/warnings"
)

func TestMemoryIsBoundedAndKeepsTheLatest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m warnings.Memory
		total := rapid.IntRange(1, 4*warnings.MaxKeys).Draw(t, "total")
		always := rapid.IntRange(1, warnings.MaxKeys/2).Draw(t, "asked for every")
		for n := range total {
			if !m.Add(n) {
				t.Fatalf("%d was there before it was added", n)
			}
			if n%always == 0 && !m.Has(0) {
				t.Fatalf("0 is forgotten after %d, though asked for regularly", n)
			}
			if m.Len() > 2*warnings.MaxKeys {
				t.Fatalf("%d keys", m.Len())
			}
		}
		for n := max(0, total-warnings.MaxKeys/2); n < total; n++ {
			if !m.Has(n) || m.Add(n) {
				t.Fatalf("%d of %d is forgotten", n, total)
			}
		}
	})
}
