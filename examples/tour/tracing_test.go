package tour

import (
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3" // its adapter, under whatever name it is registered
	"github.com/sqlaio/sqlaio/overlay"
)

// openLogged opens app.db in the current directory. It can be called once.
func openLogged() (*overlay.Engine, error) {

	slow := aio.SlowLog(nil, 100*time.Millisecond) // nil: slog.Default()
	aio.Register("sqlite3-logged", &sqlite3.SQLiteDriver{}, aio.WithTracer(slow))

	engine, err := overlay.Open("sqlite3-logged", "app.db") // or sql.Open("sqlite3-logged", "app.db")

	return engine, err
}
