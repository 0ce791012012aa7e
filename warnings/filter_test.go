package warnings_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/warnings"
)

// here is this test's package as it appears in a call site.
const here = "github.com/sqlaio/sqlaio/warnings_test"

func decide(message string) warnings.Action {
	return warnings.Decide(warnings.Blocking, message, warnings.Site{})
}

func TestDefaultShowsOncePerCallSite(t *testing.T) {
	r := warnings.Record(t)
	for range 3 {
		warnings.Warn(blocking("m")) // one site
		warnings.Warn(blocking("m")) // another
	}
	if n := len(r.All()); n != 2 {
		t.Errorf("%d warnings, want 2", n)
	}
}

func TestDefaultShowsAnotherMessageAtTheSameSite(t *testing.T) {
	r := warnings.Record(t)
	for _, m := range []string{"a", "b", "a", "b"} {
		warnings.Warn(blocking(m))
	}
	if n := len(r.All()); n != 2 {
		t.Errorf("%d warnings, want 2", n)
	}
}

func TestAlwaysShowsEveryOne(t *testing.T) {
	r := warnings.Record(t)
	filter(t, warnings.Always)
	for range 3 {
		warnings.Warn(blocking("m"))
	}
	if n := len(r.All()); n != 3 {
		t.Errorf("%d warnings, want 3", n)
	}
}

func TestOnceShowsOneWhereverItComesFrom(t *testing.T) {
	r := warnings.Record(t)
	filter(t, warnings.Once)
	warnings.Warn(blocking("m"))
	warnings.Warn(blocking("m"))
	warnings.Warn(blocking("another"))
	warnings.Warn(&warnings.ResourceWarning{Info: warnings.Info{Message: "m"}})
	if n := len(r.All()); n != 3 {
		t.Errorf("%d warnings, want 3", n)
	}
}

func TestIgnoreDropsAndErrorDoesNotShow(t *testing.T) {
	r := warnings.Record(t)
	undo := warnings.Filter(warnings.Ignore)
	warnings.Warn(blocking("m"))
	undo()
	filter(t, warnings.Error)
	warnings.Warn(blocking("m"))
	if got := r.All(); len(got) != 0 {
		t.Errorf("shown: %v", got)
	}
}

func TestEveryMatchMustHold(t *testing.T) {
	for _, c := range []struct {
		name  string
		match []warnings.Match
		want  bool
	}{
		{"nothing", nil, true},
		{"nil", []warnings.Match{nil}, true},
		{"category", []warnings.Match{warnings.OfCategory(warnings.Blocking)}, true},
		{"another category", []warnings.Match{warnings.OfCategory(warnings.Resource)}, false},
		{"message", []warnings.Match{warnings.WithMessage(regexp.MustCompile(`refl.*n$`))}, true},
		{"another message", []warnings.Match{warnings.WithMessage(regexp.MustCompile(`^reflection`))}, false},
		{"package", []warnings.Match{warnings.FromPackage(here)}, true},
		{"another package", []warnings.Match{warnings.FromPackage("github.com/sqlaio")}, false},
		{"packages below", []warnings.Match{warnings.FromPackage("github.com/sqlaio/...")}, true},
		{"itself and below", []warnings.Match{warnings.FromPackage(here + "/...")}, true},
		{"not by half a name", []warnings.Match{warnings.FromPackage("github.com/sqlaio/sqlaio/warn/...")}, false},
		{"every package", []warnings.Match{warnings.FromPackage("...")}, true},
		{"two", []warnings.Match{warnings.OfCategory(warnings.Blocking), warnings.FromPackage(here)}, true},
		{"one of two", []warnings.Match{warnings.OfCategory(warnings.Blocking), warnings.FromPackage("main")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			filter(t, warnings.Error, c.match...)
			if got := decide("blocking reflection") == warnings.Error; got != c.want {
				t.Errorf("matches: %v, want %v", got, c.want)
			}
		})
	}
}

func TestAFilterByPackageTakesTheSiteGiven(t *testing.T) {
	filter(t, warnings.Error, warnings.FromPackage(here))
	opened := warnings.Caller()
	if got := warnings.Decide(warnings.Resource, "m", opened); got != warnings.Error {
		t.Error(got)
	}
}

// The latest remaining filter decides, in whatever order filters are removed, and
// removing one twice changes nothing.
func TestFiltersAgainstAModel(t *testing.T) {
	type entry struct {
		action   warnings.Action
		category warnings.Category
		undo     func()
	}
	all := []warnings.Action{warnings.Always, warnings.Ignore, warnings.Error}
	categories := []warnings.Category{warnings.Blocking, warnings.Resource, ""}
	rapid.Check(t, func(t *rapid.T) {
		var model []entry // latest first
		var gone []func()
		defer func() {
			for _, e := range model {
				e.undo()
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				e := entry{action: rapid.SampledFrom(all).Draw(t, "action"), category: rapid.SampledFrom(categories).Draw(t, "category")}
				var match []warnings.Match
				if e.category != "" {
					match = append(match, warnings.OfCategory(e.category))
				}
				e.undo = warnings.Filter(e.action, match...)
				model = slices.Insert(model, 0, e)
			},
			"undo": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("none")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
				model[i].undo()
				gone = append(gone, model[i].undo)
				model = slices.Delete(model, i, i+1)
			},
			"undo again": func(t *rapid.T) {
				if len(gone) == 0 {
					t.Skip("none")
				}
				rapid.SampledFrom(gone).Draw(t, "undo")()
			},
			"": func(t *rapid.T) {
				for _, c := range categories[:2] {
					want := warnings.Default
					for _, e := range model {
						if e.category == "" || e.category == c {
							want = e.action
							break
						}
					}
					if got := warnings.Decide(c, "model", warnings.Site{}); got != want {
						t.Fatalf("%s: %v, want %v", c, got, want)
					}
				}
			},
		})
	})
}

func TestFiltersAndWarningsAtOnce(t *testing.T) {
	r := warnings.Record(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				undo := warnings.Filter(warnings.Ignore, warnings.OfCategory(warnings.Deprecation))
				warnings.Warn(blocking(fmt.Sprint(i)))
				undo()
				undo()
			}
		}()
	}
	wg.Wait()
	if n := len(r.All()); n != 200 {
		t.Errorf("%d warnings, want each of 200 messages once", n)
	}
	if got := warnings.Decide(warnings.Deprecation, "m", warnings.Site{}); got != warnings.Default {
		t.Errorf("a filter stayed: %v", got)
	}
}

// other is a warning of a category that somebody has made up.
type other struct {
	warnings.Info
	category warnings.Category
}

func (w *other) Category() warnings.Category { return w.category }
func (w *other) Error() string               { return w.Message }

func TestACategoryIsRefusedIfThereIsNone(t *testing.T) {
	for _, c := range []warnings.Category{"", "Warning", "BlokingWarning"} {
		for name, use := range map[string]func(){
			"OfCategory": func() { warnings.OfCategory(c) },
			"Decide":     func() { warnings.Decide(c, "m", warnings.Site{}) },
			"Warn":       func() { warnings.Warn(&other{category: c}) },
			"Show":       func() { warnings.Show(&other{category: c}) },
		} {
			func() {
				defer func() {
					got, _ := recover().(string)
					if !strings.HasPrefix(got, fmt.Sprintf("warnings: no category %q (there are [BlockingWarning ", c)) {
						t.Errorf("%s(%q): panic %q", name, c, got)
					}
				}()
				use()
			}()
		}
	}
}
