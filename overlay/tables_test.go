package overlay_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/mariadb"
	"github.com/sqlaio/sqlaio/overlay"
)

// wantTable asks whether there is a table.
func wantTable(t *testing.T, db *testDB, want bool, name string, opts ...overlay.TableOption) {
	t.Helper()
	if has := must(t, db.e.HasTableAsync(db.ctx, name, opts...)); has != want {
		t.Errorf("HasTableAsync(%q): %v, want %v", name, has, want)
	}
}

// wantTables asks for the names of the tables.
func wantTables(t *testing.T, db *testDB, want []string, opts ...overlay.TableOption) {
	t.Helper()
	if names := must(t, db.e.TableNamesAsync(db.ctx, opts...)); !slices.Equal(names, want) {
		t.Errorf("TableNamesAsync: %q, want %q", names, want)
	}
}

func TestTablesOfTheConnectionsOwnSchema(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		wantTables(t, db, nil)
		db.people(t)
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE animals (id INTEGER PRIMARY KEY "+db.auto+")"))
		must(t, db.e.ExecAsync(db.ctx, "INSERT INTO animals (id) VALUES (1)"))
		wantTable(t, db, true, "people")
		wantTable(t, db, true, "animals", nil)
		wantTable(t, db, false, "plants")
		wantTables(t, db, []string{"animals", "people"}, nil) // in alphabetical order
		must(t, db.e.ExecAsync(db.ctx, "DROP TABLE animals"))
		wantTable(t, db, false, "animals")
		wantTables(t, db, []string{"people"})
	})
}

func TestTablesDoNotIncludeTheDatabasesOwn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		if db.maria {
			wantTable(t, db, false, "TABLES")
			wantTables(t, db, nil)
			return
		}
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)")) // makes sqlite_sequence
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE sqliteish (id INTEGER)"))
		wantTables(t, db, []string{"a", "sqliteish"})
	})
}

// A view is something to select from, so that there is one, but it is not a table.
func TestTablesAndViews(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		must(t, db.e.ExecAsync(db.ctx, "CREATE VIEW names AS SELECT name FROM people"))
		wantTable(t, db, true, "names")
		wantTables(t, db, []string{"people"})
	})
}

// otherSchema has the connection see another schema that has these tables.
func otherSchema(t *testing.T, db *testDB, c *overlay.Conn, tables ...string) (name string) {
	t.Helper()
	if db.maria {
		name = mariadb.Database(t).DBName
	} else {
		name = `an "other"`
		must(t, c.ExecAsync(db.ctx, `ATTACH DATABASE ? AS "an ""other"""`, filepath.Join(t.TempDir(), "other.db")))
	}
	quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	if db.maria {
		quoted = "`" + name + "`"
	}
	for _, table := range tables {
		must(t, c.ExecAsync(db.ctx, "CREATE TABLE "+quoted+"."+table+" (id INTEGER PRIMARY KEY)"))
	}
	return name
}

func TestTablesInSchema(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		other := otherSchema(t, db, c, "plants", "animals")
		in := []overlay.TableOption{overlay.InSchema(other), overlay.On(c)}
		wantTable(t, db, true, "plants", in...)
		wantTable(t, db, false, "people", in...)
		wantTable(t, db, false, "plants", overlay.On(c))
		wantTable(t, db, true, "people", overlay.On(c))
		wantTables(t, db, []string{"animals", "plants"}, in...)
		wantTables(t, db, []string{"people"}, overlay.On(c))
		if db.maria { // a database is there for every connection
			wantTable(t, db, true, "plants", overlay.InSchema(other))
			wantTables(t, db, []string{"animals", "plants"}, overlay.InSchema(other))
		}
		db.close(t, c)
	})
}

func TestTablesInSchemaMainAndTemp(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		if db.maria {
			t.Skip("there are no such schemas")
		}
		db.people(t)
		c := db.connect(t)
		must(t, c.ExecAsync(db.ctx, "CREATE TEMP TABLE scratch (id INTEGER)"))
		temp, main := overlay.InSchema("temp"), overlay.InSchema("main")
		wantTable(t, db, true, "scratch", temp, overlay.On(c))
		wantTable(t, db, false, "people", temp, overlay.On(c))
		wantTable(t, db, false, "scratch", main, overlay.On(c))
		wantTable(t, db, true, "people", main, overlay.On(c))
		wantTables(t, db, []string{"people"}, main, overlay.On(c))
		db.close(t, c)
	})
}

// MariaDB has one list of all tables, in which there are none; SQLite says what is wrong.
func TestTablesInASchemaThatDoesNotExist(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		nowhere := overlay.InSchema("nowhere")
		if db.maria {
			wantTable(t, db, false, "people", nowhere)
			wantTables(t, db, nil, nowhere)
			return
		}
		for name, err := range map[string]error{
			"HasTableAsync":   failure(t, db.e.HasTableAsync(db.ctx, "people", nowhere)),
			"TableNamesAsync": failure(t, db.e.TableNamesAsync(db.ctx, nowhere)),
		} {
			if !strings.Contains(err.Error(), "nowhere") {
				t.Errorf("%s: error %v, want SQLite's own", name, err)
			}
		}
		wantTable(t, db, true, "people")
	})
}

func TestTablesOnAConnSeesItsTemporaryOnes(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		must(t, c.ExecAsync(db.ctx, "CREATE TEMPORARY TABLE scratch (id INTEGER)"))
		wantTable(t, db, true, "scratch", overlay.On(c))
		wantTables(t, db, nil, overlay.On(c))
		if !db.memory { // there are other connections
			wantTable(t, db, false, "scratch")
		}
		must(t, c.ExecAsync(db.ctx, "DROP TABLE scratch"))
		wantTable(t, db, false, "scratch", overlay.On(c))
		db.close(t, c)
	})
}

// SQLite can take the making of a table back; MariaDB commits it at once.
func TestTablesOnAConnSeesWhatIsNotCommitted(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		if db.maria {
			t.Skip("CREATE TABLE commits")
		}
		c := db.connect(t)
		tx := must(t, c.BeginAsync(db.ctx, nil))
		must(t, c.ExecAsync(db.ctx, "CREATE TABLE plants (id INTEGER)"))
		wantTable(t, db, true, "plants", overlay.On(c))
		wantTables(t, db, []string{"plants"}, overlay.On(c))
		if !db.memory {
			wantTable(t, db, false, "plants")
			wantTables(t, db, nil)
		}
		must(t, tx.RollbackAsync(db.ctx))
		wantTable(t, db, false, "plants", overlay.On(c))
		wantTables(t, db, nil, overlay.On(c))
		db.close(t, c)
	})
}

func TestTablesOnAClosedConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		db.close(t, c)
		wantError(t, failure(t, db.e.HasTableAsync(db.ctx, "people", overlay.On(c))), overlay.ErrClosed)
		wantError(t, failure(t, db.e.TableNamesAsync(db.ctx, overlay.On(c))), overlay.ErrClosed)
	})
}

func TestTablesWithOddNames(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		odd := []string{`a "b" c`, "d `e` f", "g 'h' i", "j.k", "l%m", "n?o", "ü", "select", `p; DROP TABLE "ü"`}
		mark := `"`
		if db.maria {
			mark = "`"
		}
		for _, name := range odd {
			wantTable(t, db, false, name)
			query := fmt.Sprintf("CREATE TABLE %s%s%s (id INTEGER)", mark, strings.ReplaceAll(name, mark, mark+mark), mark)
			must(t, db.e.ExecAsync(db.ctx, query))
			wantTable(t, db, true, name)
		}
		got := must(t, db.e.TableNamesAsync(db.ctx))
		slices.Sort(got) // the order is the database's
		want := slices.Sorted(slices.Values(odd))
		if !slices.Equal(got, want) {
			t.Errorf("TableNamesAsync: %q, want %q", got, want)
		}
	})
}

func TestTablesOfAnUnknownDatabase(t *testing.T) {
	s := newScripted()
	db := s.openDB()
	e := overlay.New(db)
	for name, err := range map[string]error{
		"HasTableAsync":   failure(t, e.HasTableAsync(background, "people")),
		"TableNamesAsync": failure(t, e.TableNamesAsync(background)),
	} {
		if !strings.Contains(err.Error(), "WithDialect") || !strings.Contains(err.Error(), "scripted") {
			t.Errorf("%s: the error %q does not say which driver it is and what to do", name, err)
		}
	}
	if n := s.Count("Connector.Connect"); n > 0 {
		t.Errorf("%d connections opened for it", n)
	}
	if err := e.Shutdown(background); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	s.check(t)
}
