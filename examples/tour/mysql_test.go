package tour

import (
	"database/sql"
	"os"
	"testing"

	_ "github.com/sqlaio/sqlaio/driver/mysql" // in place of go-sql-driver/mysql
)

func TestOpenMySQL(t *testing.T) {
	db, err := sql.Open("aio", "mysql:user:password@tcp(127.0.0.1:3306)/shop")
	if err != nil {
		t.Fatal(err)
	}
	db.Close()

	dsn := os.Getenv("SQLAIO_MARIADB")
	if dsn == "" {
		t.Skip("SQLAIO_MARIADB is not set: run the tests with `make test`, which starts a MariaDB server")
	}
	db, err = sql.Open("aio", "mysql:"+dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
}
