package face

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A Guest is a sql.Conn on a connection that belongs to somebody else, its host. It shares
// no lock of its pool's with anything but other functions on the same thread.
type Guest struct {
	Conn *sql.Conn
	face *conn
}

// NewGuest returns a guest whose calls hop, unless they are made on the thread.
func NewGuest(pc *pinned.Conn) (Guest, error) {
	return private(&conn{pc: pc, opts: Default})
}

// NewInline returns a guest for a function that runs on the thread, with the
// function's context. Its calls make no hop. On other threads they are refused. Only
// what database/sql closes and rolls back in goroutines of its own is left to the
// thread, and not waited for.
func NewInline(ctx context.Context, pc *pinned.Conn) (Guest, error) {
	in, ok := pc.Guests().(*inlinePool)
	if !ok {
		in = new(inlinePool)
		pc.SetGuests(in)
	}
	return introduce(in.next(), &conn{pc: pc, opts: Default, inline: true, scope: ctx})
}

// inlinePool is the pool of the guests of functions on one thread. It serves many of them, one
// after the other: each pool starts a goroutine, to which the thread would lose its processor.
// It ends with its connection. It is the thread's.
type inlinePool struct {
	db     *sql.DB // nil: the next guest needs a new one
	guests int     // that db has had
}

// mostGuests is how many guests a pool gets: it remembers those that are not closed.
const mostGuests = 64

func (p *inlinePool) next() *sql.DB {
	if p.guests == mostGuests {
		p.Close()
	}
	if p.db == nil {
		p.db = newPool()
	}
	p.guests++
	return p.db
}

// Close lets the pool's goroutine end. The guests go on working.
func (p *inlinePool) Close() error {
	if p.db != nil {
		p.db.Close()
	}
	*p = inlinePool{}
	return nil
}

// End closes what the guest has open, and refuses its later calls. It reports whether
// there was a transaction, which is rolled back. It is called on the thread. The
// sql.Conn need not be closed: its Close would wait for rows that somebody holds.
func (g Guest) End() (tx bool) {
	if g.face.holder != nil {
		tx = g.face.holder.Close()
	}
	g.face.scope, g.face.spareInline = nil, nil // the guest may be remembered for long
	g.Refuse()
	return tx
}

// Leave is End for other goroutines. Rows that are being read are stopped, unless they are
// a write's. If the thread is busy with a call that was left, it ends the guest after
// that, with whatever the call begins, and nobody waits: the connection is no longer
// valid.
func (g Guest) Leave() (tx bool) {
	if fill := g.face.reading.Load(); fill != nil {
		fill.StopBegun(context.Background(), g.face.pc, context.Canceled)
	}
	ctx, cancel := context.WithTimeout(context.Background(), pinned.Grace)
	defer cancel()
	ended := make(chan bool, 1)
	pinned.Hop(ctx, g.face.pc, new(pinned.Call), pinned.Func(func(context.Context) { ended <- g.End() }))
	select {
	case tx = <-ended:
	default:
		tx = g.face.pc.InTxNow()
		g.face.pc.GiveUp()
		g.face.pc.Later(func() {
			g.End()
			g.face.pc.RollBackOpen()
		})
		g.Refuse()
	}
	return tx
}

// Refuse refuses the guest's later calls. It may be called from any goroutine.
func (g Guest) Refuse() { g.face.over.Store(true) }

// private puts a connection into a pool of its own, and closes the pool. The sql.Conn
// goes on working, and no goroutine is left.
func private(c *conn) (Guest, error) {
	db := newPool()
	defer db.Close()
	return introduce(db, c)
}

// newPool returns a pool whose connections are those that are introduced to it. It keeps
// none that was given back.
func newPool() *sql.DB {
	db := sql.OpenDB(doorman{})
	db.SetMaxIdleConns(-1)
	return db
}

func introduce(db *sql.DB, c *conn) (Guest, error) {
	sc, err := db.Conn(introduction{context.Background(), guest{c}})
	return Guest{sc, c}, err
}

// An introduction is a context that tells a doorman which connection to give.
type introduction struct {
	context.Context
	guest guest
}

type doorman struct{}

func (doorman) Connect(ctx context.Context) (driver.Conn, error) {
	return ctx.(introduction).guest, nil
}
func (doorman) Driver() driver.Driver { return noDriver{} }

// guest learns why database/sql closes the connection. database/sql asks IsValid first,
// unless it drops the connection because of an ErrBadConn, such as that of a function
// given to Raw.
type guest struct{ *conn }

func (g guest) IsValid() bool {
	g.returned = true
	return true
}

// ResetSession exists so that database/sql keeps the guest after a transaction whose
// context has ended.
func (g guest) ResetSession(context.Context) error { return nil }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) { return nil, driver.ErrBadConn }
