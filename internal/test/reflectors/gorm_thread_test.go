package reflectors

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

type Thing struct {
	ID   int64
	Name string `gorm:"unique"`
}

var thingMigrations fs.FS = fstest.MapFS{"1_things.sql": &fstest.MapFile{Data: []byte(
	"-- +goose Up\nCREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE);\n-- +goose Down\nDROP TABLE things;\n")}}

// What the README says of goose and GORM, on an engine with a writer: SyncDB for what
// blocks, and the function's sql.Conn as the pool of a session in RunInThread and Write.
func TestGORMOnTheThread(t *testing.T) {
	ctx := t.Context()
	engine, err := overlay.Open("sqlite3", sqlite3.ServerDSN(filepath.Join(t.TempDir(), "app.db")), overlay.WithWriter())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}()
	recorded := warnings.Record(t)
	provider, err := goose.NewProvider(goose.DialectSQLite3, engine.SyncDB(), thingMigrations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Up(ctx); err != nil {
		t.Fatal(err)
	}
	db, err := gorm.Open(gormsqlite.New(gormsqlite.Config{Conn: engine.SyncDB()}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.WithContext(ctx).Create(&Thing{Name: "blocking"}).Error; err != nil {
		t.Error(err)
	}
	create := func(name string, skip bool) func(context.Context, *sql.Conn) (int64, error) {
		return func(ctx context.Context, c *sql.Conn) (n int64, err error) {
			tx := db.Session(&gorm.Session{NewDB: true, Context: ctx, SkipDefaultTransaction: skip})
			tx.Statement.ConnPool = c
			if err := tx.Create(&Thing{Name: name}).Error; err != nil {
				return 0, err
			}
			return n, tx.Model(&Thing{}).Count(&n).Error
		}
	}
	if n, err := overlay.RunInThread(ctx, engine, create("thread", false)).Await(ctx); n != 2 || err != nil {
		t.Error(n, err)
	}
	if n, err := overlay.Write(ctx, engine, create("writer", true)).Await(ctx); n != 3 || err != nil {
		t.Error(n, err)
	}
	if _, err := overlay.Write(ctx, engine, create("two transactions", false)).Await(ctx); !errors.Is(err, overlay.ErrInTransaction) {
		t.Error(err)
	}
	if all := recorded.All(); len(all) > 0 {
		t.Error(all)
	}
}
