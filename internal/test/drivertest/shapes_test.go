package drivertest

import (
	"database/sql/driver"
	"io"
	"testing"
)

// has tells the features of a value by what it can be asserted to.
func has(v any) Features {
	var f Features
	note := func(ok bool, feature Features) {
		if ok {
			f |= feature
		}
	}
	_, ok := v.(driver.DriverContext)
	note(ok, DriverContext)
	_, ok = v.(driver.Pinger)
	note(ok, Pinger)
	_, ok = v.(driver.Execer)
	note(ok, Execer)
	_, ok = v.(driver.ExecerContext)
	note(ok, ExecerContext)
	_, ok = v.(driver.Queryer)
	note(ok, Queryer)
	_, ok = v.(driver.QueryerContext)
	note(ok, QueryerContext)
	_, ok = v.(driver.ConnPrepareContext)
	note(ok, ConnPrepareContext)
	_, ok = v.(driver.ConnBeginTx)
	note(ok, ConnBeginTx)
	_, ok = v.(driver.SessionResetter)
	note(ok, SessionResetter)
	_, ok = v.(driver.Validator)
	note(ok, Validator)
	return f
}

func hasStmt(v any) Features {
	var f Features
	if _, ok := v.(driver.StmtExecContext); ok {
		f |= StmtExecContext
	}
	if _, ok := v.(driver.StmtQueryContext); ok {
		f |= StmtQueryContext
	}
	if _, ok := v.(driver.NamedValueChecker); ok {
		f |= StmtChecker
	}
	if _, ok := v.(driver.ColumnConverter); ok {
		f |= ColumnConverter
	}
	return f
}

func hasRows(v any) Features {
	var f Features
	if _, ok := v.(driver.RowsNextResultSet); ok {
		f |= NextResultSet
	}
	if _, ok := v.(driver.RowsColumnTypeScanType); ok {
		f |= ScanType
	}
	if _, ok := v.(driver.RowsColumnTypeDatabaseTypeName); ok {
		f |= DatabaseTypeName
	}
	if _, ok := v.(driver.RowsColumnTypeLength); ok {
		f |= Length
	}
	if _, ok := v.(driver.RowsColumnTypeNullable); ok {
		f |= Nullable
	}
	if _, ok := v.(driver.RowsColumnTypePrecisionScale); ok {
		f |= PrecisionScale
	}
	return f
}

func TestConnHasJustTheInterfacesAsked(t *testing.T) {
	for _, want := range ConnShapes() {
		ci, err := New(want).Connector("").Connect(t.Context())
		must(t, err)
		got := has(ci)
		if _, ok := ci.(driver.NamedValueChecker); ok {
			got |= ConnChecker
		}
		if got != want {
			t.Errorf("asked for %v, got %v", want, got)
		}
		must(t, ci.Close())
	}
}

func TestStmtHasJustTheInterfacesAsked(t *testing.T) {
	if len(StmtShapes()) != 16 {
		t.Errorf("%d of 16 combinations", len(StmtShapes()))
	}
	for _, want := range StmtShapes() {
		ci, err := New(want).Connector("").Connect(t.Context())
		must(t, err)
		si, err := ci.Prepare("noop")
		must(t, err)
		if got := hasStmt(si); got != want {
			t.Errorf("asked for %v, got %v", want, got)
		}
		must(t, si.Close())
		must(t, ci.Close())
	}
}

func TestRowsHaveJustTheInterfacesAsked(t *testing.T) {
	for _, want := range RowsShapes() {
		ci, err := New(want).Connector("").Connect(t.Context())
		must(t, err)
		si, err := ci.Prepare("rows 1")
		must(t, err)
		ri, err := si.Query(nil)
		must(t, err)
		if got := hasRows(ri); got != want {
			t.Errorf("asked for %v, got %v", want, got)
		}
		must(t, ri.Close())
		must(t, si.Close())
		must(t, ci.Close())
	}
}

func TestDriverAndConnectorHaveJustTheInterfacesAsked(t *testing.T) {
	for _, f := range []Features{Minimal, DriverContext, ConnectorClose, DriverContext | ConnectorClose} {
		d := New(f)
		if got := has(d.Driver()); got != f&DriverContext {
			t.Errorf("driver with %v: %v", f, got)
		}
		if _, ok := d.Connector("").(io.Closer); ok != f.Has(ConnectorClose) {
			t.Errorf("connector with %v: Closer %t", f, ok)
		}
		if d.Connector("").Driver() != d.Driver() {
			t.Errorf("the connector's driver is another one")
		}
	}
}

func TestCommonKindsExist(t *testing.T) {
	for _, f := range []Features{Minimal, Legacy, Modern, Full, LikeSQLite, LikeMySQL} {
		if New(f).Features() != f {
			t.Errorf("%v", f)
		}
	}
	if got := (Modern&^NumInput | ConnChecker).String(); got != "Modern+ConnChecker-NumInput" {
		t.Error(got)
	}
	if 1<<len(featureNames) != featureEnd {
		t.Error("a feature has no name")
	}
}

func TestUnknownCombinationPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New(Pinger | Validator)
}
