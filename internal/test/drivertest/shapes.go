package drivertest

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
)

// A Go type has an interface or has it not, so every combination of optional
// interfaces is a type of its own: the core embedded beside one small type for
// each interface. The tables in the *_shapes files list the combinations; one
// that a test misses is added there.

// The features of the embedded groups.
const (
	ctxPathFeatures  = ExecerContext | QueryerContext
	oldPathFeatures  = Execer | Queryer
	sessionFeatures  = SessionResetter | Validator
	ctxBasicFeatures = Pinger | ConnPrepareContext | ConnBeginTx
)

// ConnShapes lists the combinations of ConnFeatures that New knows.
func ConnShapes() []Features {
	return slices.Sorted(func(yield func(Features) bool) {
		for _, table := range connTables() {
			for f := range table {
				if !yield(f) {
					return
				}
			}
		}
	})
}

// StmtShapes lists the combinations of StmtFeatures that New knows: all.
func StmtShapes() []Features { return slices.Sorted(maps.Keys(stmts)) }

// RowsShapes lists the combinations of RowsFeatures that New knows.
func RowsShapes() []Features { return slices.Sorted(maps.Keys(rowSets)) }

func connTables() []map[Features]func(*conn) driver.Conn {
	return []map[Features]func(*conn) driver.Conn{basicConns, modernConns, mixedConns}
}

func connShape(f Features) func(*conn) driver.Conn {
	for _, table := range connTables() {
		if shape, ok := table[f]; ok {
			return shape
		}
	}
	panic(fmt.Sprintf("drivertest: no connection has just %v; add it to a conn_shapes file", f))
}

func stmtShape(f Features) func(*stmt) driver.Stmt { return stmts[f] }

func rowsShape(f Features) func(*rows) driver.Rows {
	if shape, ok := rowSets[f]; ok {
		return shape
	}
	panic(fmt.Sprintf("drivertest: no rows have just %v; add them to rows_shapes.go", f))
}
