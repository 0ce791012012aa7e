package drivertest

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a driver with the features, and a DB on it that must leave
// nothing open and break no rule.
func open(t *testing.T, f Features) (*Driver, *sql.DB) {
	t.Helper()
	d := New(f)
	db := sql.OpenDB(d.Connector(""))
	t.Cleanup(func() {
		db.Close()
		if names := d.OpenObjects(); len(names) > 0 {
			t.Errorf("left open: %v", names)
		}
		if broken := d.Violations(); len(broken) > 0 {
			t.Errorf("rules broken:\n%s", strings.Join(broken, "\n"))
		}
	})
	return d, db
}

// methods returns the methods called so far.
func methods(d *Driver) []string {
	var list []string
	for _, c := range d.Log() {
		list = append(list, c.Method)
	}
	return list
}

func wantMethods(t *testing.T, d *Driver, want ...string) {
	t.Helper()
	if got := methods(d); !slices.Equal(got, want) {
		t.Errorf("calls:\n got %v\nwant %v", got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
