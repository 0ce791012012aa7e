package warnings_test

import (
	"regexp"
	"testing"

	"github.com/sqlaio/sqlaio/warnings"
)

// cheap are ways to drop a warning that must cost an ordinary call next to nothing.
var cheap = []struct {
	name  string
	match []warnings.Match
}{
	{"all", nil},
	{"by category", []warnings.Match{warnings.OfCategory(warnings.Blocking)}},
	{"by message", []warnings.Match{warnings.WithMessage(regexp.MustCompile("(?i)^blocking +refl"))}},
}

const message = "blocking reflection on an async engine"

func TestDroppingAllocatesNothing(t *testing.T) {
	warnings.Record(t)
	check := func(name string) {
		t.Helper()
		if n := testing.AllocsPerRun(1000, func() {
			if decide(message) != warnings.Ignore {
				t.Fatal("not dropped")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, c := range cheap {
		undo := warnings.Filter(warnings.Ignore, c.match...)
		check(c.name)
		undo()
	}
	undo := warnings.Filter(warnings.Ignore, warnings.FromPackage(here))
	check("by package")
	undo()
}

func TestARepeatAllocatesNothing(t *testing.T) {
	warnings.Record(t)
	site := warnings.Caller()
	warnings.Warn(&warnings.BlockingWarning{Info: warnings.Info{Message: message, Site: site}})
	if n := testing.AllocsPerRun(1000, func() {
		if warnings.Decide(warnings.Blocking, message, site) != warnings.Ignore {
			t.Fatal("not dropped")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCallerAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(1000, func() { warnings.Caller() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkDropped measures a warning that is not shown.
func BenchmarkDropped(b *testing.B) {
	for _, c := range cheap {
		b.Run(c.name, func(b *testing.B) {
			filter(b, warnings.Ignore, c.match...)
			b.ReportAllocs()
			for b.Loop() {
				decide(message)
			}
		})
	}
	b.Run("by package", func(b *testing.B) {
		filter(b, warnings.Ignore, warnings.FromPackage(here))
		b.ReportAllocs()
		for b.Loop() {
			decide(message)
		}
	})
	b.Run("repeated", func(b *testing.B) {
		warnings.Record(b)
		b.ReportAllocs()
		for b.Loop() {
			repeat()
		}
	})
}

func BenchmarkCaller(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		warnings.Caller()
	}
}

// repeat warns as a driver does, each time about the same line.
func repeat() {
	site := warnings.Caller()
	if warnings.Decide(warnings.Blocking, message, site) != warnings.Ignore {
		w := blocking(message)
		w.Site = site
		warnings.Warn(w)
	}
}
