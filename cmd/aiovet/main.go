// Command aiovet looks for mistakes in the use of package overlay.
//
//	go install github.com/sqlaio/sqlaio/cmd/aiovet@latest
//	go vet -vettool=$(which aiovet) ./...
//
// It has a check for each kind of mistake:
//
//	aiodropped  a future that nobody can await
//	aioawait    an Await on a lane of the engine that the awaited call needs
//	aiostream   a stream that is neither closed nor read
//	aioscope    an engine's call in WithTx, outside of the transaction
//
// All of them run unless some are chosen: go vet -vettool=… -aiostream ./... runs
// one, -aiostream=false the others. aiovet help aiostream tells more about it. A
// comment //aiovet:ignore, with a reason after it, on the line of a report or on the
// line before it, silences the report.
//
// It reports what it is sure of, within one function, and so it misses much. It is a
// module of its own, so that sqlaio does not depend on golang.org/x/tools.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/sqlaio/sqlaio/cmd/aiovet/internal/checks"
)

func main() { multichecker.Main(checks.All()...) }
