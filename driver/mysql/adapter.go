package mysql

import (
	"context"
	"database/sql/driver"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/pinned"
)

func init() {
	aio.RegisterAdapter(&mysql.MySQLDriver{}, adapter{})
	aio.RegisterAdapter(mysql.MySQLDriver{}, adapter{})
}

// adapter is what the shim needs to know about the driver.
type adapter struct{}

var (
	_ aio.Adapter     = adapter{}
	_ aio.Traiter     = adapter{}
	_ aio.Interrupter = (*interrupter)(nil)
	_ aio.Settler     = (*interrupter)(nil)
	_ aio.Interrupter = tracked{}
	_ aio.Settler     = tracked{}
)

// Traits: when the rows are at their end, the server has sent everything and the
// driver lets go of the connection. Byte slices in rows point into the buffer that
// it reads into.
func (adapter) Traits() aio.Traits { return aio.Traits{QuietEnd: true} }

// openTimeout bounds the question that each new connection asks its server.
const openTimeout = 5 * time.Second

// Interrupter is InterrupterContext for callers that have no context.
func (a adapter) Interrupter(inner driver.Conn, c driver.Connector) aio.Interrupter {
	return a.InterrupterContext(context.Background(), inner, c)
}

// InterrupterContext returns what stops calls on a new connection. It asks the
// server who it is, one round trip, and hangs up if ctx ends before the answer. If
// KILL QUERY could hit another session it returns nil, which leaves contexts to
// the driver.
func (adapter) InterrupterContext(ctx context.Context, inner driver.Conn, c driver.Connector) aio.Interrupter {
	nc := connOf(inner)
	if nc == nil {
		return nil
	}
	nc.useThread()
	if nc.greeting.id == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, err := sessionOf(ctx, inner)
	if err != nil && (ctx.Err() != nil || nc.broken()) {
		// The answer may still come, so this connection is of no use. The driver sees
		// that it is closed, and database/sql opens another.
		_ = nc.Close()
		_ = inner.Close() // so that the driver knows
		return nil
	}
	if err != nil || s.id != strconv.FormatUint(uint64(nc.greeting.id), 10) {
		// The server is no MySQL, or a proxy lends out its sessions.
		return nil
	}
	i := newInterrupter(inner, nc, c, s)
	// A server may hold a KILL QUERY that came too late against the next statement.
	// MariaDB never does: it drops the KILL when a statement ends and ignores one that
	// finds the session idle.
	i.settles = !strings.Contains(nc.greeting.version, "MariaDB")
	if state := txStateOf(inner); state != nil {
		return tracked{i, state}
	}
	return i
}

// Reporter returns what tells whether a transaction is open on a connection, also
// on one without an Interrupter. It returns nil if this version of the driver does
// not keep its status where txStateOf looks. Use the result on the connection's
// thread.
func (adapter) Reporter(inner driver.Conn) pinned.TxReporter {
	if state := txStateOf(inner); state != nil {
		return state
	}
	return nil
}
