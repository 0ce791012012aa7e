package liveness_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

const registeredName = "liveness-registered"

// threadStarts counts the threads of the driver with that name.
var threadStarts atomic.Int64

func init() {
	aio.Register(registeredName, &sqlite3.SQLiteDriver{},
		aio.WithThread(threadpin.WithOnStart(func() error { threadStarts.Add(1); return nil })))
}

// Options given to Register hold however the name is opened.
func TestRegisteredOptionsHoldHoweverTheNameIsOpened(t *testing.T) {
	for name, openDB := range map[string]func(path string) (*sql.DB, error){
		"the name":            func(path string) (*sql.DB, error) { return sql.Open(registeredName, path) },
		"aio with the name":   func(path string) (*sql.DB, error) { return sql.Open("aio", registeredName+":"+path) },
		"its Driver, wrapped": func(path string) (*sql.DB, error) { return openDriver(registeredName, path, path) },
		"the Driver of aio": func(path string) (*sql.DB, error) {
			return openDriver("aio", registeredName+":"+path, registeredName+":"+path)
		},
		"overlay.Open": func(path string) (*sql.DB, error) {
			e, err := overlay.Open(registeredName, path)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { shut(t, e) })
			return e.SyncDB(), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := threadStarts.Load()
			db, err := openDB(newFile(t))
			noError(t, "open", err)
			defer closeDB(t, db)
			noError(t, "Ping", db.PingContext(bounded(t)))
			if n := threadStarts.Load() - before; n != 1 {
				t.Errorf("OnStart has run %d times for one connection", n)
			}
		})
	}
}

// openDriver opens dsn with the Driver of a sql.DB, as tools do that wrap it.
func openDriver(name, first, dsn string) (*sql.DB, error) {
	db, err := sql.Open(name, first)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	d := db.Driver()
	if u, ok := d.(driver.DriverContext); ok {
		c, err := u.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(c), nil
	}
	return sql.OpenDB(plainConnector{d, dsn}), nil
}

type plainConnector struct {
	d   driver.Driver
	dsn string
}

func (c plainConnector) Connect(context.Context) (driver.Conn, error) { return c.d.Open(c.dsn) }
func (c plainConnector) Driver() driver.Driver                        { return c.d }

// An engine's calls run on the threads that the options prepare.
func TestAnEngineOfARegisteredNameUsesItsThreads(t *testing.T) {
	alone(t)
	before := threadStarts.Load()
	e := open(t, registeredName, newFile(t), overlay.WithLanes(1))
	works(t, e)
	c := connect(t, e)
	if n := threadStarts.Load() - before; n != 2 {
		t.Errorf("OnStart has run %d times for two connections", n)
	}
	outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
}

func TestUnwrapGivesTheInnerDriver(t *testing.T) {
	for name, dsn := range map[string]string{registeredName: "x.db", "aio": "sqlite3:x.db"} {
		db, err := sql.Open(name, dsn)
		noError(t, "open", err)
		defer db.Close()
		u, ok := db.Driver().(interface{ Unwrap() driver.Driver })
		if !ok {
			t.Errorf("%s: the Driver %T has no Unwrap", name, db.Driver())
			continue
		}
		if _, ok := u.Unwrap().(*sqlite3.SQLiteDriver); !ok {
			t.Errorf("%s: Unwrap gives %T", name, u.Unwrap())
		}
	}
}
