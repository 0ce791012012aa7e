package ends

import (
	"bytes"
	"context"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/overlay"
)

// stalled opens an engine on e's database behind a proxy that keeps back the answer to
// a statement for a second.
func stalled(t *testing.T, e *overlay.Engine, db, statement string) *overlay.Engine {
	cfg, err := mysql.ParseDSN(os.Getenv("SQLAIO_MARIADB"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() {
		close(over)
		l.Close()
	})
	pass := func(to, from net.Conn, seen func([]byte)) {
		defer to.Close()
		for b := make([]byte, 1<<16); ; {
			n, err := from.Read(b)
			seen(b[:n])
			if _, werr := to.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	through := cfg.Clone()
	through.DBName, through.Net, through.Addr = db, "tcp", l.Addr().String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(cfg.Net, cfg.Addr)
			if err != nil {
				client.Close()
				continue
			}
			var asked atomic.Bool
			go pass(server, client, func(b []byte) { asked.CompareAndSwap(false, bytes.Contains(b, []byte(statement))) })
			go pass(client, server, func([]byte) {
				if asked.Swap(false) {
					select {
					case <-over:
					case <-time.After(time.Second):
					}
				}
			})
		}
	}()
	p, err := overlay.Open("mysql", through.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Shutdown(limit(t)) })
	return p
}

func stalledRollback(t *testing.T, ddl string, lock bool) {
	e := maria(t)
	var db string
	if err := plain[e].QueryRow("SELECT database()").Scan(&db); err != nil {
		t.Fatal(err)
	}
	if lock {
		lockedU(t, e)
	}
	p := stalled(t, e, db, "ROLLBACK")
	ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := p.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		do(t, c, "INSERT INTO t VALUES (1)")
		_, err := c.ExecAsync(ctx, ddl).Await(ctx)
		t.Log("DDL: ", err)
		return err
	})
	t.Log("WithTx: ", err, time.Since(start))
	if has(t, e, 1) && !unsure(err) {
		t.Errorf("row 1 kept, WithTx: %v", err)
	}
}

// DDL that fails has committed row 1, and the ROLLBACK is not answered by the context's end.
func TestWithTxDDLFailsRollbackStalls(t *testing.T) {
	stalledRollback(t, "CREATE TABLE u (k INTEGER)", false)
}

func TestWithTxDDLCancelledRollbackStalls(t *testing.T) {
	stalledRollback(t, "ALTER TABLE u ADD a INTEGER", true)
}

func TestWithTxDDLSucceedsRollbackStalls(t *testing.T) {
	stalledRollback(t, "CREATE TABLE w (k INTEGER)", false)
}
