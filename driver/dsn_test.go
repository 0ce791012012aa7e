package driver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// registered registers a new fake driver.
func registered(f dt.Features) (name string, d *dt.Driver) {
	d = dt.New(f)
	name = uniqueName("fake")
	sql.Register(name, d.Driver())
	return name, d
}

// TestBadDataSourceNames: whatever a name looks like, what may be a password
// does not show in the error.
func TestBadDataSourceNames(t *testing.T) {
	name, _ := registered(dt.Modern)
	for _, dsn := range []string{
		":",
		":secret",
		"secret",
		"u/secret",
		"user:secret@tcp(h)/db",
		"user:secret@tcp(h:3306)/db?tls=true",
		"secret@tcp(h:3306)/db",
		"host=x password=secret a:b",
		"password=secret host=h options='-c a:b'",
		"postgres://u:secret@h/db",
		"postgresql://u:secret@h:5432,i:5432/db?password=secret",
		"sqlserver://sa:secret@localhost:1433?database=x",
		"Server=tcp:h,1433;User ID=u;Password=secret",
		"Password=secret;Server=tcp:h",
		"u/secret@h:1521/s",
		"u/secret@//h:1521/s",
		"user:secret@account/db?warehouse=w",
		"file:x.db?_auth_pass=secret",
		"jdbc:mysql://h?user=u&password=secret",
		"SECRET=secret:x",
		"'secret':x",
		"\x00secret:x",
		" secret :x",
		"aio:user:secret@tcp(h)/db",
		"aio:aio:secret",
		"aio:",
		"no-such-driver:user:secret@tcp(h)/db",
	} {
		db, err := sql.Open("aio", dsn)
		if err == nil {
			db.Close()
			t.Errorf("%q was taken", dsn)
			continue
		}
		text := err.Error()
		if strings.Contains(strings.ToLower(text), "secret") {
			t.Errorf("%q: the error tells the password: %v", dsn, err)
		}
		if !strings.HasPrefix(text, "aio: ") {
			t.Errorf("%q: %v", dsn, err)
		}
		if strings.HasPrefix(dsn, "aio:") {
			continue
		}
		if !errors.Is(err, aio.ErrNoDriver) || !strings.Contains(text, name) {
			t.Errorf("%q: no list of drivers in: %v", dsn, err)
		}
	}
}

func TestUnknownDriverIsNamedWithThoseRegistered(t *testing.T) {
	_, err := sql.Open("aio", "no-such-driver:x")
	must(t, errorHas(err, aio.ErrNoDriver, `"no-such-driver"`, "forgotten import?"))
	for _, name := range sql.Drivers() {
		if name != "aio" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s is missing in: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), ", aio,") {
		t.Errorf("aio is no driver to wrap: %v", err)
	}
}

func TestMissingPrefixIsExplained(t *testing.T) {
	_, err := sql.Open("aio", "app.db")
	must(t, errorHas(err, aio.ErrNoDriver, `"<driver>:<dsn>"`))
}

// A name that works with the bare driver looks as if its user were the driver.
func TestForgottenPrefixIsSuggested(t *testing.T) {
	for dsn, example := range map[string]string{
		"u:secret@tcp(h)/db":       `"mysql:user:password@tcp(host:3306)/db"`,
		"postgres://u:secret@h/db": `"pgx:postgres://user:password@host/db"`,
		"x:app.db":                 `"sqlite3:app.db"`,
	} {
		_, err := sql.Open("aio", dsn)
		must(t, errorHas(err, aio.ErrNoDriver, `must be "<driver>:<dsn>", as in `+example))
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", dsn, err)
		}
	}
}

func TestAioInAioIsRefused(t *testing.T) {
	_, err := sql.Open("aio", "aio:mysql:/db")
	must(t, errorHas(err, err, `"aio:" wraps itself`))
}

// errorHas checks an error and its text.
func errorHas(err, target error, texts ...string) error {
	if err == nil || !errors.Is(err, target) {
		return fmt.Errorf("error %v is not %v", err, target)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			return fmt.Errorf("no %q in: %v", text, err)
		}
	}
	return nil
}

// TestInnerDataSourceErrorIsUntouched on a driver with rules of its own.
func TestInnerDataSourceErrorIsUntouched(t *testing.T) {
	for _, dsn := range []string{"user:secret@tcp(h", "x", "u@h/db?tls=nope", "u@tcp(h)/db?timeout=x", "//"} {
		_, want := sql.Open("mysql", dsn)
		if want == nil {
			t.Fatalf("mysql takes %q", dsn)
		}
		_, got := sql.Open("aio", "mysql:"+dsn)
		if got == nil || got.Error() != want.Error() || fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			t.Errorf("%q:\n got %T %v\nwant %T %v", dsn, got, got, want, want)
		}
	}
}

func TestInnerErrorsAreTheVeryValues(t *testing.T) {
	for _, method := range []string{"Driver.OpenConnector", "Connector.Connect", "Driver.Open"} {
		f := dt.Modern
		if method == "Driver.Open" {
			f = dt.Legacy
		}
		name, d := registered(f)
		d.On(method, dt.Return(dt.ErrScripted))
		for _, names := range [][2]string{{name, "dsn"}, {"aio", name + ":dsn"}} {
			db, err := sql.Open(names[0], names[1])
			if err == nil {
				err = db.Ping()
				db.Close()
			}
			if err != dt.ErrScripted {
				t.Errorf("%s, sql.Open(%q): %v", method, names[0], err)
			}
		}
	}
}

// TestDataSourceNameArrivesVerbatim, and any name that is registered is found,
// whatever it looks like.
func TestDataSourceNameArrivesVerbatim(t *testing.T) {
	for _, prefix := range []string{"plain", "pgx/v", "with space ", "ünï", "1", strings.Repeat("long", 20)} {
		for _, f := range []dt.Features{dt.Modern, dt.Legacy} {
			name := uniqueName(prefix)
			d := dt.New(f)
			sql.Register(name, d.Driver())
			seen := 0
			for _, dsn := range []string{"", "x", ":", "u:p@tcp(h:1)/db?a=b&c=%20", " with spaces ", "\x00ü"} {
				db, err := sql.Open("aio", name+":"+dsn)
				if err != nil {
					t.Fatal(err)
				}
				must(t, db.Ping())
				must(t, db.Close())
				log := d.Log()
				for _, c := range log[seen:] {
					if c.Args != "" && c.Args != dt.Render(dsn) {
						t.Errorf("%q: %v", dsn, c)
					}
				}
				seen = len(log)
			}
			clean(t, d)
		}
	}
}

// TestEmptyDataSourceNameFailsAtTheFirstCall: libraries that wrap drivers open it
// to get at the driver, and then open connectors of that.
func TestEmptyDataSourceNameFailsAtTheFirstCall(t *testing.T) {
	db, err := sql.Open("aio", "")
	must(t, err)
	defer db.Close()
	if err := db.Ping(); !errors.Is(err, aio.ErrNoDriver) {
		t.Errorf("Ping: %v", err)
	}
	name, d := registered(dt.Modern)
	c, err := db.Driver().(driver.DriverContext).OpenConnector(name + ":dsn")
	must(t, err)
	through := sql.OpenDB(c)
	must(t, through.Ping())
	must(t, through.Close())
	clean(t, d)
	report(t, "wrong thread", d.ThreadViolations())
}

// TestLookupOpensTheConnectorOnceMore: database/sql tells a driver only to
// those who open it. The connector made for that is closed again.
func TestLookupOpensTheConnectorOnceMore(t *testing.T) {
	name, d := registered(dt.Modern)
	for i := range 3 {
		db, err := sql.Open("aio", name+":dsn")
		must(t, err)
		must(t, db.Close())
		opens, closes := d.Count("Driver.OpenConnector"), d.Count("Connector.Close")
		if opens != i+2 || closes != i+2 {
			t.Errorf("after %d: %d connectors, %d closed", i+1, opens, closes)
		}
	}
}

// ways are all the ways to a DB on a driver, the bare one first.
func ways(t testing.TB, d *dt.Driver) map[string]*sql.DB {
	t.Helper()
	inner, wrapped, twice, by := uniqueName("inner"), uniqueName("wrapped"), uniqueName("twice"), uniqueName("by")
	sql.Register(inner, d.Driver())
	sql.Register(wrapped, aio.Wrap(d.Driver()))
	sql.Register(twice, aio.Wrap(aio.Wrap(d.Driver())))
	aio.Register(by, d.Driver())
	dbs := map[string]*sql.DB{
		"NewConnector": sql.OpenDB(aio.NewConnector(d.Connector("dsn"))),
		"twice":        sql.OpenDB(aio.NewConnector(aio.NewConnector(d.Connector("dsn")))),
		"OpenDB":       aio.OpenDB(d.Connector("dsn")),
	}
	for how, names := range map[string][2]string{
		"bare":                      {inner, "dsn"},
		"data source name":          {"aio", inner + ":dsn"},
		"of a wrapped driver":       {"aio", wrapped + ":dsn"},
		"Wrap":                      {wrapped, "dsn"},
		"Wrap twice":                {twice, "dsn"},
		"Register":                  {by, "dsn"},
		"of a driver by Register":   {"aio", by + ":dsn"},
		"of a twice wrapped driver": {"aio", twice + ":dsn"},
	} {
		db, err := sql.Open(names[0], names[1])
		must(t, err)
		dbs[how] = db
	}
	t.Cleanup(func() {
		for _, db := range dbs {
			db.Close()
		}
		clean(t, d)
		report(t, "wrong thread", d.ThreadViolations())
	})
	return dbs
}

// TestDriverUnwrapsToTheInnerDriver, which libraries recognise by its type. That
// includes drivers without DriverContext and those that have nothing else.
func TestDriverUnwrapsToTheInnerDriver(t *testing.T) {
	runtime.LockOSThread() // the bare driver's calls are made on their caller's thread
	defer runtime.UnlockOSThread()
	for _, f := range []dt.Features{dt.Modern, dt.Modern | dt.OpenPanics, dt.Legacy, dt.Minimal} {
		d := dt.New(f)
		for how, db := range ways(t, d) {
			inner := db.Driver()
			if u, ok := inner.(interface{ Unwrap() driver.Driver }); ok && how != "bare" {
				inner = u.Unwrap()
			}
			if inner != d.Driver() {
				t.Errorf("%v, %s: Driver returns %T", f, how, db.Driver())
			}
			must(t, execute(context.Background(), db, "affected 1"))
			if how == "bare" {
				must(t, db.Close()) // its threads are not of interest
				continue
			}
			conn, err := db.Conn(context.Background())
			must(t, err)
			if n := number(t, conn); n == 0 { // panics if Raw returns another shim
				t.Errorf("%v, %s: no number", f, how)
			}
			must(t, conn.Close())
		}
	}
}

// TestConnectorIsClosedWithTheDB, and its error is the DB's.
func TestConnectorIsClosedWithTheDB(t *testing.T) {
	for _, f := range []dt.Features{dt.Modern, dt.Modern &^ dt.ConnectorClose} {
		d := dt.New(f)
		for how, db := range ways(t, d) {
			remove := d.On("Connector.Close", dt.Return(dt.ErrClose))
			before := d.Count("Connector.Close")
			err := db.Close()
			remove()
			calls := d.Count("Connector.Close") - before
			if f.Has(dt.ConnectorClose) && (calls != 1 || err != dt.ErrClose) || !f.Has(dt.ConnectorClose) && (calls != 0 || err != nil) {
				t.Errorf("%v, %s: %d calls, %v", f, how, calls, err)
			}
		}
	}
}

// TestWrappedOpenIsTheInnerOpen: a panic of the bare driver stays one.
func TestWrappedOpenIsTheInnerOpen(t *testing.T) {
	for _, f := range []dt.Features{dt.Modern, dt.Legacy, dt.Modern | dt.OpenPanics} {
		d := dt.New(f)
		open := func(driver driver.Driver) any {
			return recovered(func() {
				c, err := driver.Open("dsn")
				must(t, err)
				must(t, c.Close())
			})
		}
		want := open(d.Driver())
		if got := open(aio.Wrap(d.Driver())); got != want {
			t.Errorf("%v: recovered %v, want %v", f, got, want)
		}
	}
}

// TestConnectorPrintsNoDataSourceName: nor does a connection, as Raw shows it.
func TestConnectorPrintsNoDataSourceName(t *testing.T) {
	c, err := aio.Wrap(dt.New(dt.Minimal).Driver()).(driver.DriverContext).OpenConnector("secret")
	must(t, err)
	db := sql.OpenDB(c)
	defer db.Close()
	conn, err := db.Conn(context.Background())
	must(t, err)
	defer conn.Close()
	must(t, conn.Raw(func(dc any) error {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, c) + fmt.Sprintf(verb, dc); strings.Contains(text, "secret") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
		return nil
	}))
}
