package warnings_test

import (
	"regexp"
	"testing"

	"github.com/sqlaio/sqlaio/warnings"
)

func warnHere() { warnings.Warn(blocking("the same")) }

func TestARecordingStartsEmptyAndRestoresTheHandler(t *testing.T) {
	warnings.Forget()
	var shown []warnings.Warning
	t.Cleanup(warnings.SetHandler(func(w warnings.Warning) { shown = append(shown, w) }))
	warnHere()
	t.Run("recorded", func(t *testing.T) {
		for range 2 {
			t.Run("", func(t *testing.T) {
				r := warnings.Record(t)
				warnHere()
				warnHere()
				if n := len(r.All()); n != 1 {
					t.Errorf("recorded %d, want 1", n)
				}
			})
		}
	})
	warnHere()
	if len(shown) != 1 {
		t.Errorf("the handler got %d, want 1", len(shown))
	}
}

func TestEveryActiveRecordingCollects(t *testing.T) {
	outer := warnings.Record(t)
	warnHere()
	t.Run("inner", func(t *testing.T) {
		inner := warnings.Record(t)
		warnHere()
		if n := len(inner.All()); n != 1 {
			t.Errorf("inner: %d", n)
		}
		warnings.Warn(blocking("new"))
	})
	if n := len(outer.All()); n != 2 {
		t.Errorf("outer: %d, want 2", n)
	}
}

func TestMatchingPicks(t *testing.T) {
	r := warnings.Record(t)
	warnings.Warn(blocking("one"))
	warnings.Warn(blocking("two"))
	warnings.Warn(&warnings.DeprecationWarning{Info: warnings.Info{Message: "two"}})
	two := warnings.WithMessage(regexp.MustCompile("two"))
	if got := r.Matching(two, warnings.OfCategory(warnings.Blocking)); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got := r.Matching(warnings.FromPackage("main")); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestResetStartsAnew(t *testing.T) {
	r := warnings.Record(t)
	warnHere()
	r.Reset()
	if n := len(r.All()); n != 0 {
		t.Errorf("%d left", n)
	}
	warnHere()
	if n := len(r.All()); n != 1 {
		t.Errorf("%d, want 1", n)
	}
}
