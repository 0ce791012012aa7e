package reflectors

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	atlasmysql "ariga.io/atlas/sql/mysql"
	"ariga.io/atlas/sql/schema"
	atlassqlite "ariga.io/atlas/sql/sqlite"
	"github.com/pressly/goose/v3/database"
	gormmysql "gorm.io/driver/mysql"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

// handle is the blocking interface of an Engine and of a Conn, and the
// part of it that sql.DB and sql.Conn have.
type handle interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// What the tools ask for, an Engine and a Conn are.
var (
	_ handle             = (*overlay.Engine)(nil)
	_ handle             = (*overlay.Conn)(nil)
	_ schema.ExecQuerier = (*overlay.Engine)(nil)
	_ gorm.ConnPool      = (*overlay.Conn)(nil)
	_ database.DBTxConn  = (*overlay.Engine)(nil)
)

// A tool is code by others, with what it is used for here. use may be called any
// number of times on a database that has the tables of createTables.
type tool struct {
	name     string
	packages string // what the import paths of its packages begin with
	use      func(ctx context.Context, db handle, on dbms) error
}

var tools = []tool{
	{"atlas", "ariga.io/atlas/", inspect},
	{"gorm", "gorm.io/", autoMigrate},
	{"goose", "github.com/pressly/goose/", migrations},
}

// inspect has Atlas read the schema.
func inspect(ctx context.Context, db handle, on dbms) error {
	open := atlassqlite.Open
	if on.name == "mariadb" {
		open = atlasmysql.Open
	}
	drv, err := open(db)
	if err != nil {
		return err
	}
	s, err := drv.InspectSchema(ctx, "", &schema.InspectOptions{Mode: schema.InspectTables})
	if err != nil {
		return err
	}
	for i := range tables {
		t, ok := s.Table(tableName(i))
		if !ok {
			return fmt.Errorf("no table %d in %v", i, s.Tables)
		}
		if len(t.Columns) != 3 || len(t.Indexes) != 1 || len(t.ForeignKeys) != min(i, 1) {
			return fmt.Errorf("table %d: %d columns, %d indexes, %d foreign keys",
				i, len(t.Columns), len(t.Indexes), len(t.ForeignKeys))
		}
	}
	return nil
}

type account struct {
	ID     uint
	Name   string `gorm:"size:40;uniqueIndex"`
	Orders []order
}

type order struct {
	ID        uint
	AccountID uint `gorm:"index"`
	Total     float64
	Placed    time.Time
}

// autoMigrate has GORM make its tables, or look whether they are as they should be.
func autoMigrate(ctx context.Context, db handle, on dbms) error {
	var dialector gorm.Dialector = gormsqlite.New(gormsqlite.Config{Conn: db})
	if on.name == "mariadb" {
		dialector = gormmysql.New(gormmysql.Config{Conn: db})
	}
	g, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	g = g.WithContext(ctx)
	if err := g.AutoMigrate(&account{}, &order{}); err != nil {
		return err
	}
	if m := g.Migrator(); !m.HasTable(&order{}) || !m.HasIndex(&account{}, "Name") {
		return errors.New("the tables are not there")
	}
	columns, err := g.Migrator().ColumnTypes(&order{})
	if len(columns) != 4 || err != nil {
		return fmt.Errorf("%d columns, %w", len(columns), err)
	}
	a := account{Name: "Dana", Orders: []order{{Total: 12.5}}}
	return g.Create(&a).Select("Orders").Delete(&a).Error
}

// migrations has goose keep its table of migrations.
func migrations(ctx context.Context, db handle, on dbms) error {
	dialect := database.DialectSQLite3
	if on.name == "mariadb" {
		dialect = database.DialectMySQL
	}
	s, err := database.NewStore(dialect, "goose_versions")
	if err != nil {
		return err
	}
	exists, err := s.(database.StoreExtender).TableExists(ctx, db)
	if errors.Is(err, errors.ErrUnsupported) { // on SQLite goose just tries, and so knows no reflection
		_, err = s.ListMigrations(ctx, db)
		exists, err = err == nil, warningIn(err)
	}
	if err == nil && !exists {
		err = s.CreateVersionTable(ctx, db)
	}
	if err != nil {
		return err
	}
	for version := range int64(3) {
		if err := s.Insert(ctx, db, database.InsertRequest{Version: version}); err != nil {
			return err
		}
	}
	if v, err := s.GetLatestVersion(ctx, db); v != 2 || err != nil {
		return fmt.Errorf("version %d, %w", v, err)
	}
	for version := range int64(3) {
		if err := s.Delete(ctx, db, version); err != nil {
			return err
		}
	}
	return nil
}

// warningIn returns the warning that err holds, if any.
func warningIn(err error) error {
	var w *warnings.BlockingWarning
	if errors.As(err, &w) {
		return w
	}
	return nil
}
