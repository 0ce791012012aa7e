package conformance

import dt "github.com/sqlaio/sqlaio/internal/test/drivertest"

// commonKinds are the drivers that most cases run on.
var commonKinds = []dt.Features{
	dt.Minimal,
	dt.Minimal | dt.NumInput,
	dt.Legacy,
	dt.Legacy | dt.ConnChecker,
	dt.LikeSQLite,
	dt.LikeMySQL,
	dt.Modern,
	dt.Modern &^ dt.DriverContext,
	dt.Modern | dt.OpenPanics,
	dt.Modern &^ (dt.ExecerContext | dt.QueryerContext), // prepares everything
	dt.Minimal | dt.ExecerContext | dt.QueryerContext,   // but knows no other context
	dt.Full,
}

// paths are the ways a connection can run statements.
var paths = []dt.Features{
	0,
	dt.Execer | dt.Queryer,
	dt.ExecerContext | dt.QueryerContext,
	dt.Execer | dt.Queryer | dt.ExecerContext | dt.QueryerContext,
	dt.Execer, dt.Queryer, dt.ExecerContext, dt.QueryerContext,
}

// basics are what else a connection has: nothing, or all.
var basics = []dt.Features{
	dt.Minimal,
	dt.Pinger | dt.ConnPrepareContext | dt.ConnBeginTx | dt.SessionResetter | dt.Validator |
		dt.StmtExecContext | dt.StmtQueryContext | dt.DriverContext | dt.NextResultSet,
}

// product returns every choice of one from each list.
func product(lists ...[]dt.Features) []dt.Features {
	all := []dt.Features{0}
	for _, list := range lists {
		var next []dt.Features
		for _, f := range all {
			for _, g := range list {
				next = append(next, f|g)
			}
		}
		all = next
	}
	return all
}

// maybe is a list of without and with a feature.
func maybe(f dt.Features) []dt.Features { return []dt.Features{0, f} }

// argumentKinds have every way to check arguments on every path.
var argumentKinds = product(
	[]dt.Features{paths[0], paths[1], basics[1], basics[1] | paths[2], basics[1] | paths[3]},
	maybe(dt.ConnChecker), maybe(dt.StmtChecker), maybe(dt.ColumnConverter), maybe(dt.NumInput))

// sessionKinds differ in what decides whether a connection is kept.
var sessionKinds = []dt.Features{
	dt.Minimal,
	dt.Legacy,
	dt.Legacy | dt.SessionResetter,
	dt.Legacy | dt.Validator,
	dt.Legacy | dt.SessionResetter | dt.Validator,
	dt.LikeSQLite,
	dt.Modern &^ (dt.SessionResetter | dt.Validator),
	dt.Modern &^ dt.SessionResetter,
	dt.Modern &^ dt.Validator,
	dt.Modern,
	dt.LikeMySQL,
}

// shapeKinds are all connections and all statements that there are.
var shapeKinds = product(dt.ConnShapes(), dt.StmtShapes())

// rowKinds are all rows that there are, on a connection with and without the
// direct path.
var rowKinds = product(dt.RowsShapes(), []dt.Features{dt.Minimal, dt.ExecerContext | dt.QueryerContext})
