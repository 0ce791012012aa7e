package ledger_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/overlay"
)

// A network passes connections on to MariaDB, and swallows answers on demand.
type network struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	on    string            // guarded by mu: from the packet on that contains it nothing comes back
	conns map[net.Conn]bool // guarded by mu
	muted map[net.Conn]bool // guarded by mu: clients that hear nothing more
	heard chan struct{}     // guarded by mu: closed when it was seen
}

// behindNetwork leads the database's engines through a network.
func behindNetwork(t *testing.T, db *database) (n *network, through *database) {
	t.Helper()
	cfg, err := mysql.ParseDSN(db.dsn)
	noError(t, "DSN", err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, "listen", err)
	n = &network{listener: l, server: cfg.Addr, conns: map[net.Conn]bool{}, muted: map[net.Conn]bool{}, heard: make(chan struct{})}
	n.wg.Add(1)
	go n.accept()
	t.Cleanup(n.stop)
	cfg.Addr = l.Addr().String()
	cfg.InterpolateParams = true // so that the text is in the packet
	copied := *db
	copied.dsn, copied.engines = cfg.FormatDSN(), nil
	return n, &copied
}

// swallow drops all answers to a client from the packet on that contains text. What it
// returns is closed when there was one.
func (n *network) swallow(text string) (heard <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.on, n.heard = text, make(chan struct{})
	return n.heard
}

// cut closes every connection.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
	}
	n.on = ""
}

func (n *network) stop() {
	n.listener.Close()
	n.cut()
	n.wg.Wait()
}

func (n *network) accept() {
	defer n.wg.Done()
	for {
		client, err := n.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", n.server)
		if err != nil {
			client.Close()
			continue
		}
		n.mu.Lock()
		n.conns[client], n.conns[server] = true, true
		n.mu.Unlock()
		n.wg.Add(2)
		go n.pass(server, client, func(b []byte) bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			if n.on != "" && strings.Contains(string(b), n.on) && !n.muted[client] {
				n.muted[client] = true
				select {
				case <-n.heard:
				default:
					close(n.heard)
				}
			}
			return true
		})
		go n.pass(client, server, func([]byte) bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return !n.muted[client]
		})
	}
}

func (n *network) pass(to, from net.Conn, through func([]byte) bool) {
	defer n.wg.Done()
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		k, err := from.Read(b)
		if err == nil && through(b[:k]) {
			_, err = to.Write(b[:k])
		}
		if err != nil {
			if err != io.EOF {
				from.Close()
			}
			return
		}
	}
}

// soonEnough is a deadline that leaves time for the statement to reach the server.
const soonEnough = 400 * time.Millisecond

// A write or COMMIT whose answer the network swallows is unknown, whether the deadline ends
// it or the network's own end.
func TestAnswerSwallowedByTheNetwork(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *database) {
		for _, w := range ways() {
			for _, c := range []struct {
				text string
				cut  bool
			}{{"INSERT INTO ledger", false}, {"INSERT INTO ledger", true}, {"COMMIT", false}, {"COMMIT", true}} {
				inTx := stepOf(w.name) == "begin" || strings.Contains(w.name, "BEGIN")
				if c.cut && verbatim(w.name) {
					continue // the driver's error, as it is
				}
				if c.text == "COMMIT" && !inTx || strings.Contains(w.name, "ExecMany") && c.text != "COMMIT" {
					continue
				}
				name := w.name + ", answer to " + c.text
				if c.cut {
					name += ", cut"
				}
				t.Run(name, func(t *testing.T) {
					n, through := behindNetwork(t, db)
					through.l = newLedger()
					db.bare(t, "DELETE FROM ledger")
					e := through.open(t)
					must(t, "ping", e.ScalarAsync(background, "SELECT 1"))
					heard := n.swallow(c.text)
					ctx, cancel := context.WithTimeout(background, soonEnough)
					defer cancel()
					if c.cut {
						go func() { <-heard; n.cut() }()
					}
					_, err := promptly(t, soonEnough, n.cut, func() error { return w.write(ctx, e, through.l) })
					arrives(t, "the statement", heard)
					if err == nil {
						t.Error("no error, although no answer came")
					}
					if c.text == "COMMIT" && !errors.Is(err, overlay.ErrOutcomeUnknown) {
						t.Errorf("%v; want ErrOutcomeUnknown", err)
					}
					n.cut()
					db.wantAlone(t) // until then the server may still carry something out
					through.shut(t, e)
					through.l.check(t, db.rows(t))
				})
			}
		}
	})
}

// wantAlone waits until the server has noticed that all other connections are gone.
func (db *database) wantAlone(t *testing.T) {
	t.Helper()
	b := db.openBare(t)
	defer b.Close()
	b.SetMaxOpenConns(1)
	ctx := bounded(t)
	until(t, "the server notices the end of the connections", func() bool {
		var n int
		noError(t, "count", b.QueryRowContext(ctx, "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()").Scan(&n))
		return n == 0
	})
}
