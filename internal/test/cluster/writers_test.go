package cluster

import (
	"context"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/overlay"
)

const (
	// perKind is how many writers make transactions, and how many make
	// statements of their own.
	perKind = 4
	// counters are rows that transactions on all nodes change, to conflict.
	counters = 3
)

// writers write until they are stopped.
type writers struct {
	engine *overlay.Engine
	ledger *ledger
	stop   atomic.Bool
	all    sync.WaitGroup

	asked, begun atomic.Int64 // transactions
}

func (w *writers) start() {
	for i := range 2 * perKind {
		write, verdict := w.inTransaction, verdictOfRetry
		if i >= perKind {
			write, verdict = w.statement, verdictOfStatement
		}
		w.all.Add(1)
		go func() {
			defer w.all.Done()
			for seq := int64(1); !w.stop.Load(); seq++ {
				id := int64(i)<<40 | seq
				begun := time.Now()
				err := write(context.Background(), id)
				w.ledger.enter(i, id, begun, verdict(err), err)
				if err != nil { // not to fill the ledger while nothing goes
					time.Sleep(10 * time.Millisecond)
				}
			}
		}()
	}
}

func (w *writers) end() {
	w.stop.Store(true)
	w.all.Wait()
}

// inTransaction writes in a transaction that is made again. Writing twice would
// be an error: id is a key.
func (w *writers) inTransaction(ctx context.Context, id int64) error {
	w.asked.Add(1)
	return w.engine.RetryTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		w.begun.Add(1)
		if _, err := c.ExecAsync(ctx, "INSERT INTO writes VALUES (?)", id).Await(ctx); err != nil {
			return err
		}
		_, err := c.ExecAsync(ctx, "UPDATE counters SET n = n + 1 WHERE id = ?", rand.IntN(counters)).Await(ctx)
		return err
	})
}

// statement writes on whichever lane is idle.
func (w *writers) statement(ctx context.Context, id int64) error {
	_, err := w.engine.ExecAsync(ctx, "INSERT INTO writes VALUES (?)", id).Await(ctx)
	return err
}

func verdictOfRetry(err error) outcome {
	switch {
	case err == nil:
		return acknowledged
	case errors.Is(err, overlay.ErrOutcomeUnknown):
		return unknown
	}
	return refused
}

// verdictOfStatement reads the error as the driver means it: the server's answer, or
// nothing sent, or no answer.
func verdictOfStatement(err error) outcome {
	var answer *mysql.MySQLError
	var network *net.OpError
	switch {
	case err == nil:
		return acknowledged
	case errors.As(err, &answer) && answer.Number != errorDuringCommit,
		errors.As(err, &network) && network.Op == "dial",
		errors.Is(err, driver.ErrBadConn):
		return refused
	}
	return unknown
}

// errorDuringCommit is what a node says that was cut off from the others.
const errorDuringCommit = 1180
