package mysql

import (
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(&mysql.NopLogger{}) // tests break connections on purpose
	goleak.VerifyTestMain(m)
}

// testConfig returns the configuration for the MariaDB server that the tests
// use.
func testConfig(t testing.TB) *mysql.Config {
	t.Helper()
	dsn := os.Getenv("SQLAIO_MARIADB")
	if dsn == "" {
		t.Skip("SQLAIO_MARIADB is not set: run the tests with `make test`, which starts a MariaDB server")
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("SQLAIO_MARIADB: ", err)
	}
	return cfg
}
