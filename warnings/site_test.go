package warnings_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sqlaio/sqlaio/warnings"
)

func TestCallerIsTheLineThatCalls(t *testing.T) {
	s := warnings.Caller()
	_, file, line, _ := runtime.Caller(0)
	if s.File() != file || s.Line() != line-1 {
		t.Errorf("%v, want line %d of %s", s, line-1, file)
	}
	if s.Package() != here || s.Function() != here+".TestCallerIsTheLineThatCalls" {
		t.Errorf("%s in %s", s.Function(), s.Package())
	}
}

// Each sync.OnceValue adds some plumbing frames to the stack.
func TestCallerLooksPastThePlumbing(t *testing.T) {
	for _, depth := range []int{1, 3, 4, 5, 6, 7, 8, 15, 30, 60} {
		f := warnings.Caller
		for range depth {
			f = sync.OnceValue(f)
		}
		s := f()
		_, _, line, _ := runtime.Caller(0)
		if s.Line() != line-1 {
			t.Errorf("depth %d: %v, want line %d", depth, s, line-1)
		}
	}
}

func TestTheZeroSiteIsUnknown(t *testing.T) {
	var s warnings.Site
	if !s.IsZero() || s.String() != "unknown" || s.File() != "" || s.Line() != 0 || s.Function() != "" || s.Package() != "" {
		t.Errorf("the zero Site is %v", s)
	}
}

func TestAWarningAboutTheCallInProgressHasItsSite(t *testing.T) {
	filter(t, warnings.Error)
	w := blocking("m")
	warnings.Warn(w)
	if !strings.HasSuffix(w.Site.File(), "site_test.go") {
		t.Errorf("the site is %v", w.Site)
	}
}

func TestWarnKeepsTheSiteGiven(t *testing.T) {
	r := warnings.Record(t)
	opened := warnings.Caller()
	warnings.Warn(&warnings.ResourceWarning{Info: warnings.Info{Message: "open", Site: opened}})
	if got := r.All()[0].Details().Site; got != opened {
		t.Errorf("%v, want %v", got, opened)
	}
}

func TestWhatIsTheApplication(t *testing.T) {
	const m = "github.com/sqlaio/sqlaio"
	for _, c := range []struct {
		function, file string
		pkg            string
		app            bool
	}{
		{"main.main", "/src/app/main.go", "main", true},
		{"example.com/app/db.(*Store).Get", "store.go", "example.com/app/db", true},
		{"gopkg.in/yaml%2ev3.Marshal", "yaml.go", "gopkg.in/yaml.v3", true},
		{"example.com/a.F[...]", "a.go", "example.com/a", true},
		{"example.com/a.F[github.com/sqlaio/sqlaio/overlay.Row]", "a.go", "example.com/a", true},
		{"ariga.io/atlas/sql/sqlite.(*Driver).Inspect", "driver.go", "ariga.io/atlas/sql/sqlite", true},
		{"github.com/sqlaio/sqlaiox.F", "f.go", "github.com/sqlaio/sqlaiox", true},
		{"sqlaio.F", "f.go", "sqlaio", true},
		{"synchro/time.F", "f.go", "synchro/time", true},
		{m + ".F", "f.go", m, false},
		{m + "/driver.(*conn).QueryContext", "conn.go", m + "/driver", false},
		{m + "/driver/mysql.init.0", "x.go", m + "/driver/mysql", false},
		{m + "/overlay.Scalar[...].func1", "scalar.go", m + "/overlay", false},
		{m + "/internal/sqltext.ReturnsRows", "rows.go", m + "/internal/sqltext", false},
		{m + "/driver.TestX", "/src/driver/x_test.go", m + "/driver", true},
		{m + "/driver_test.TestX", "x_test.go", m + "/driver_test", true},
		{m + "/examples/loop/ui.Tick", "ui.go", m + "/examples/loop/ui", true},
		{m + "/internal/test/conformance.Run", "run.go", m + "/internal/test/conformance", true},
		{m + "/internal/testing.Run", "run.go", m + "/internal/testing", false},
		{"database/sql.(*DB).QueryContext", "sql.go", "database/sql", false},
		{"database/sql/driver.IsValue", "driver.go", "database/sql/driver", false},
		{"runtime.goexit", "asm.s", "runtime", false},
		{"sync.(*Once).doSlow", "once.go", "sync", false},
		{"internal/sync.(*HashTrieMap).Load", "map.go", "internal/sync", false},
		{"net/http.HandlerFunc.ServeHTTP", "server.go", "net/http", true},
	} {
		pkg := warnings.PackageOf(c.function)
		if pkg != c.pkg {
			t.Errorf("%s is in %q, want %q", c.function, pkg, c.pkg)
		}
		if got := warnings.IsApp(pkg, c.file); got != c.app {
			t.Errorf("%s in %s: application %v, want %v", c.function, c.file, got, c.app)
		}
	}
}
