package mysql

import (
	"testing"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"github.com/sqlaio/sqlaio/internal/test/mariadb"
)

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(&mysql.NopLogger{}) // tests break connections on purpose
	goleak.VerifyTestMain(m)
}

func testConfig(t testing.TB) *mysql.Config {
	t.Helper()
	return mariadb.Config(t)
}
