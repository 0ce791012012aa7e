package warnings_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/warnings"
)

func blocking(message string) *warnings.BlockingWarning {
	return &warnings.BlockingWarning{Info: warnings.Info{Message: message}}
}

func filter(t testing.TB, a warnings.Action, match ...warnings.Match) {
	t.Cleanup(warnings.Filter(a, match...))
}

func TestErrorsAsFindsEachType(t *testing.T) {
	filter(t, warnings.Error)
	info := warnings.Info{Message: "m"}
	wrapped := func(w warnings.Warning) error { return fmt.Errorf("call: %w", warnings.Warn(w)) }
	var (
		b *warnings.BlockingWarning
		r *warnings.ResourceWarning
		u *warnings.UnawaitedWarning
		d *warnings.DeprecationWarning
	)
	if !errors.As(wrapped(&warnings.BlockingWarning{Info: info}), &b) || b.Category() != warnings.Blocking {
		t.Error("BlockingWarning not found")
	}
	if !errors.As(wrapped(&warnings.ResourceWarning{Info: info}), &r) || r.Category() != warnings.Resource {
		t.Error("ResourceWarning not found")
	}
	err := wrapped(&warnings.UnawaitedWarning{Info: info, Err: io.EOF})
	if !errors.As(err, &u) || u.Category() != warnings.Unawaited || !errors.Is(err, io.EOF) {
		t.Error("UnawaitedWarning not found")
	}
	if !errors.As(wrapped(&warnings.DeprecationWarning{Info: info}), &d) || d.Category() != warnings.Deprecation {
		t.Error("DeprecationWarning not found")
	}
	var w warnings.Warning
	if !errors.As(wrapped(blocking("m")), &w) {
		t.Error("Warning not found")
	}
}

func TestErrorSaysEverythingOnOneLine(t *testing.T) {
	w := blocking("blocking call")
	w.Advice, w.Statement, w.Took = "use SyncDB()", "SELECT ?", 1500*time.Microsecond
	w.Site = warnings.Caller()
	got := w.Error()
	for _, want := range []string{
		"BlockingWarning at ", "warning_test.go:", ": blocking call, for 1.5ms: SELECT ? (use SyncDB())",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not hold %q", got, want)
		}
	}
	u := &warnings.UnawaitedWarning{Info: warnings.Info{Message: "lost"}, Err: io.EOF}
	if got := u.Error(); got != "UnawaitedWarning: lost: EOF" {
		t.Error(got)
	}
}

func TestWarnReturnsNilUnlessAFilterSaysError(t *testing.T) {
	warnings.Record(t)
	for _, a := range []warnings.Action{warnings.Default, warnings.Always, warnings.Once, warnings.Ignore} {
		undo := warnings.Filter(a)
		if err := warnings.Warn(blocking("m")); err != nil {
			t.Errorf("%v: %v", a, err)
		}
		undo()
	}
	if err := warnings.Warn(nil); err != nil {
		t.Error(err)
	}
	filter(t, warnings.Error)
	w := blocking("m")
	if err := warnings.Warn(w); err != error(w) {
		t.Errorf("got %v, not the warning itself", err)
	}
}

func TestShowShowsWhatErrorWouldReturn(t *testing.T) {
	leak := func(message string) warnings.Warning {
		return &warnings.ResourceWarning{Info: warnings.Info{Message: message}}
	}
	for _, c := range []struct {
		action warnings.Action
		want   int // of three at one call site
	}{{warnings.Default, 1}, {warnings.Always, 3}, {warnings.Once, 1}, {warnings.Ignore, 0}, {warnings.Error, 1}} {
		t.Run(c.action.String(), func(t *testing.T) {
			r := warnings.Record(t)
			filter(t, c.action)
			warnings.Show(nil)
			for range 3 {
				warnings.Show(leak("left open"))
			}
			if got := r.All(); len(got) != c.want {
				t.Errorf("shown %v, want %d", got, c.want)
			}
		})
	}
}

func TestAStatementIsShownShortAndWithoutItsValues(t *testing.T) {
	r := warnings.Record(t)
	query := "SELECT 'secret'" + strings.Repeat(", a", 1000)
	leak := &warnings.ResourceWarning{Info: warnings.Info{Message: "left open", Statement: query}}
	warnings.Show(leak)
	filter(t, warnings.Error)
	w := blocking("m")
	w.Statement = query
	for _, err := range []error{r.All()[0], warnings.Warn(w)} {
		if got := err.Error(); strings.Contains(got, "secret") || !strings.Contains(got, ": SELECT ?, a, a") || len(got) > 500 {
			t.Errorf("%s", got)
		}
	}
}
