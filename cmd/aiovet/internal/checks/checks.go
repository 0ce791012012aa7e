// Package checks has the analyzers of aiovet, a file for each.
//
// They share what is in program.go: what a package says about the overlay. A
// variable counts as the same connection, engine or future all the time if it
// is assigned once.
package checks

import "golang.org/x/tools/go/analysis"

// All returns the analyzers.
func All() []*analysis.Analyzer {
	return []*analysis.Analyzer{Dropped, Await, Stream, Scope}
}
