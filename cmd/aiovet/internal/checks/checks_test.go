package checks_test

import (
	"path"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/sqlaio/sqlaio/cmd/aiovet/internal/checks"
)

// The programs in testdata use the overlay itself, so a name that it no longer has
// fails here. What they want to be reported is written beside it.
func TestReports(t *testing.T) {
	of := map[string]*analysis.Analyzer{
		"dropped":    checks.Dropped,
		"await":      checks.Await,
		"dispatcher": checks.Await,
		"stream":     checks.Stream,
		"scope":      checks.Scope,
	}
	// One analyzer for all of them has the overlay loaded once.
	each := *checks.Dropped
	each.Run = func(pass *analysis.Pass) (any, error) { return of[path.Base(pass.Pkg.Path())].Run(pass) }
	if got := analysistest.Run(t, analysistest.TestData(), &each, "./..."); len(got) != len(of) {
		t.Errorf("%d packages were looked at, want %d", len(got), len(of))
	}
}

func TestAnalyzersAreValid(t *testing.T) {
	if err := analysis.Validate(checks.All()); err != nil {
		t.Error(err)
	}
}
