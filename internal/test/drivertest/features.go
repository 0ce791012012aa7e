package drivertest

import (
	"math/bits"
	"strings"
)

// Features is a set of optional interfaces and habits of a driver.
// The zero value is the least a driver can be.
type Features uint32

const (
	DriverContext  Features = 1 << iota // Driver has OpenConnector
	OpenPanics                          // Driver.Open panics: only OpenConnector works
	ConnectorClose                      // Connector is an io.Closer

	Pinger
	Execer
	ExecerContext
	Queryer
	QueryerContext
	ConnPrepareContext
	ConnBeginTx
	SessionResetter
	Validator
	ConnChecker // Conn is a NamedValueChecker

	StmtExecContext
	StmtQueryContext
	StmtChecker     // Stmt is a NamedValueChecker
	ColumnConverter // Stmt is a ColumnConverter
	NumInput        // Stmt.NumInput counts the question marks; without it, -1

	NextResultSet
	ScanType
	DatabaseTypeName
	Length
	Nullable
	PrecisionScale

	featureEnd
)

// The features of each part of a driver.
const (
	DriverFeatures = DriverContext | OpenPanics | ConnectorClose
	ConnFeatures   = Pinger | Execer | ExecerContext | Queryer | QueryerContext |
		ConnPrepareContext | ConnBeginTx | SessionResetter | Validator | ConnChecker
	StmtFeatures = StmtExecContext | StmtQueryContext | StmtChecker | ColumnConverter
	RowsFeatures = NextResultSet | ColumnTypes
	ColumnTypes  = ScanType | DatabaseTypeName | Length | Nullable | PrecisionScale
)

// Common kinds of drivers.
const (
	// Minimal has no optional interface at all.
	Minimal Features = 0
	// Legacy is a driver from before contexts.
	Legacy = Execer | Queryer | ColumnConverter | NumInput
	// Modern has everything a new driver should have.
	Modern = DriverContext | ConnectorClose | Pinger | ExecerContext | QueryerContext |
		ConnPrepareContext | ConnBeginTx | SessionResetter | Validator |
		StmtExecContext | StmtQueryContext | NumInput | RowsFeatures
	// Full is Modern with the deprecated interfaces and both checkers as well.
	Full = Modern | Execer | Queryer | ConnChecker | StmtChecker | ColumnConverter
	// LikeSQLite has what mattn/go-sqlite3 has.
	LikeSQLite = Pinger | Execer | ExecerContext | Queryer | QueryerContext |
		ConnPrepareContext | ConnBeginTx | StmtExecContext | StmtQueryContext |
		NumInput | ColumnTypes
	// LikeMySQL has what go-sql-driver/mysql has.
	LikeMySQL = DriverContext | Pinger | Execer | ExecerContext | Queryer | QueryerContext |
		ConnPrepareContext | ConnBeginTx | SessionResetter | Validator | ConnChecker |
		StmtExecContext | StmtQueryContext | StmtChecker | ColumnConverter | NumInput |
		NextResultSet | ScanType | DatabaseTypeName | Nullable | PrecisionScale
)

var featureNames = [...]string{
	"DriverContext", "OpenPanics", "ConnectorClose",
	"Pinger", "Execer", "ExecerContext", "Queryer", "QueryerContext", "ConnPrepareContext",
	"ConnBeginTx", "SessionResetter", "Validator", "ConnChecker",
	"StmtExecContext", "StmtQueryContext", "StmtChecker", "ColumnConverter", "NumInput",
	"NextResultSet", "ScanType", "DatabaseTypeName", "Length", "Nullable", "PrecisionScale",
}

// Has reports whether all features of want are in f.
func (f Features) Has(want Features) bool { return f&want == want }

// kinds are the common kinds of drivers by name.
var kinds = []struct {
	name     string
	features Features
}{
	{"Minimal", Minimal}, {"Legacy", Legacy}, {"Modern", Modern}, {"Full", Full},
	{"LikeSQLite", LikeSQLite}, {"LikeMySQL", LikeMySQL},
}

// String tells the features as the common kind of driver that comes closest,
// with what is more (+) and what is less (-).
func (f Features) String() string {
	best := kinds[0]
	for _, k := range kinds[1:] {
		if bits.OnesCount32(uint32(f^k.features)) < bits.OnesCount32(uint32(f^best.features)) {
			best = k
		}
	}
	return best.name + list("+", f&^best.features) + list("-", best.features&^f)
}

func list(sign string, f Features) string {
	var b strings.Builder
	for i, name := range featureNames {
		if f.Has(1 << i) {
			b.WriteString(sign + name)
		}
	}
	return b.String()
}
