//go:build cgo

package sqlite3

/*
// go-sqlite3 links SQLite into the program but exports no Go function for this
// one. The declaration is weak so that the package also links
// with a build of go-sqlite3 whose SQLite comes in later, as a shared library.
struct sqlite3;
void sqlite3_interrupt(struct sqlite3 *) __attribute__((weak));

static int can_interrupt(void) { return sqlite3_interrupt != 0; }
static void interrupt(void *db) { sqlite3_interrupt(db); }
*/
import "C"

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"time"
	"unsafe"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
)

func init() { aio.RegisterAdapter(&sqlite3.SQLiteDriver{}, adapter{}) }

type adapter struct{}

var (
	_ aio.Adapter = adapter{}
	_ aio.Traiter = adapter{}
	_ aio.Reader  = interrupter{}
)

// Traits: go-sqlite3 copies every blob out of SQLite, and a statement that was
// stepped to its end holds no lock.
func (adapter) Traits() aio.Traits { return aio.Traits{FreshBytes: true, QuietEnd: true} }

// Interrupter returns nil, which leaves cancelling to go-sqlite3, if the handle
// cannot be had.
func (adapter) Interrupter(inner driver.Conn, _ driver.Connector) aio.Interrupter {
	db := handle(inner)
	if db == nil || C.can_interrupt() == 0 {
		return nil
	}
	return interrupter{db}
}

// handle reads the sqlite3* from the unexported field of go-sqlite3's
// connection. Reflection may read a pointer that it may not set.
func handle(inner driver.Conn) unsafe.Pointer {
	c, ok := inner.(*sqlite3.SQLiteConn)
	if !ok {
		return nil
	}
	f := reflect.ValueOf(c).Elem().FieldByName("db")
	if !f.IsValid() || f.Kind() != reflect.Pointer {
		return nil
	}
	return f.UnsafePointer()
}

type interrupter struct{ db unsafe.Pointer }

// insist is how long an Interrupt goes on.
const insist = 500 * time.Microsecond

// Interrupt makes the statement that runs return SQLITE_INTERRUPT. Between two
// statements of one Exec it would have no effect, and with many short ones
// that is most of the time, so it does not leave it at one attempt.
func (i interrupter) Interrupt(context.Context) {
	for start := time.Now(); time.Since(start) < insist; {
		C.interrupt(i.db)
	}
}

func (i interrupter) Interrupted(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrInterrupt
}

// ReadsOnly says yes only to what is sure to leave an open transaction alone
// when it is interrupted: SQLite rolls it back for a write.
func (i interrupter) ReadsOnly(query string) bool { return isSelect(query) }
