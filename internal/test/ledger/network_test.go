package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
	"github.com/sqlaio/sqlaio/overlay"
)

// behindNetwork leads the database's engines through a network.
func behindNetwork(t *testing.T, db *database) (network *proxy.Proxy, through *database) {
	t.Helper()
	cfg, err := mysql.ParseDSN(db.dsn)
	noError(t, "DSN", err)
	cfg.InterpolateParams = true // so that the text is in the packet
	network, cfg = proxy.Before(t, cfg)
	copied := *db
	copied.dsn, copied.engines = cfg.FormatDSN(), nil
	return network, &copied
}

// swallow loses the answers to a client from the request on that contains text. What it
// returns is closed when there was one.
func swallow(network *proxy.Proxy, text string) (heard <-chan struct{}) {
	return network.At(text, func(c *proxy.Conn) bool {
		c.Mute()
		return true
	})
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
					heard := swallow(n, c.text)
					ctx, cancel := context.WithTimeout(background, soonEnough)
					defer cancel()
					if c.cut {
						go func() { <-heard; n.Cut() }()
					}
					_, err := promptly(t, soonEnough, n.Cut, func() error { return w.write(ctx, e, through.l) })
					arrives(t, "the statement", heard)
					if err == nil {
						t.Error("no error, although no answer came")
					}
					if c.text == "COMMIT" && !errors.Is(err, overlay.ErrOutcomeUnknown) {
						t.Errorf("%v; want ErrOutcomeUnknown", err)
					}
					n.Cut()
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
