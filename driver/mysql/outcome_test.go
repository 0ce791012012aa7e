package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
)

func TestInterrupted(t *testing.T) {
	i := newInterrupter(nil, &conn{}, nil, session{})
	i.hang() // what comes of hanging up is no answer of the server's
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&mysql.MySQLError{Number: 1317}, true},
		{fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: 1317}), true},
		{&mysql.MySQLError{Number: 1213}, false},
		{&mysql.MySQLError{Number: 1969}, false}, // max_statement_time
		{mysql.ErrInvalidConn, false},
		{driver.ErrBadConn, false},
		{&net.OpError{Op: "write", Err: net.ErrClosed}, false},
		{io.EOF, false},
		{nil, false},
	} {
		if got := i.Interrupted(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestLost(t *testing.T) {
	for _, c := range []struct {
		err                    error
		alive, unsent, sentTwo bool // on a connection that is in order; broken before anything was sent, after
	}{
		{nil, false, false, false},
		{io.EOF, false, false, false},
		{&mysql.MySQLError{Number: 1317}, false, false, false},
		{mysql.ErrInvalidConn, false, true, true},
		{driver.ErrBadConn, false, false, true},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, false, true, true},
		{fmt.Errorf("wrapped: %w", mysql.ErrInvalidConn), false, true, true},
	} {
		nc := &conn{}
		i := newInterrupter(nil, nc, nil, session{})
		alive := i.Lost(c.err)
		nc.failed.Store(true)
		unsent := i.Lost(c.err)
		nc.sent.Add(1)
		sent := i.Lost(c.err)
		if alive != c.alive || unsent != c.unsent || sent != c.sentTwo {
			t.Errorf("%v: %v, %v, %v; want %v, %v, %v", c.err, alive, unsent, sent, c.alive, c.unsent, c.sentTwo)
		}
	}
}

// What the network does to a statement is told apart by what had been sent.
func TestLostOnBrokenConnection(t *testing.T) {
	cfg := testConfig(t)
	t.Run("before anything was sent", func(t *testing.T) {
		p := open(t, connector(t, cfg))
		// A prepared statement that is closed sends something that is never answered.
		p.do(func() {
			s, err := p.inner.Prepare("SELECT 1")
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
		p.i.HangUp()
		_, err := p.query("SELECT 1")
		if !errors.Is(err, driver.ErrBadConn) || p.i.Lost(err) {
			t.Errorf("%v, lost: %v", err, p.i.Lost(err))
		}
	})
	t.Run("the answer is swallowed", func(t *testing.T) {
		front, through := proxy.Before(t, cfg)
		p, watch := open(t, connector(t, through)), open(t, connector(t, cfg))
		table := newTable(t, watch, "a INT")
		front.Every((*proxy.Conn).Mute)
		end := p.start("INSERT INTO " + table + " VALUES (1)")
		for must(watch.query("SELECT COUNT(*) FROM "+table))(t) != "1" {
			time.Sleep(time.Millisecond)
		}
		p.i.HangUp()
		if err := <-end; !p.i.Lost(err) || p.i.Interrupted(err) {
			t.Error(err)
		}
	})
	t.Run("COMMIT", func(t *testing.T) {
		front, through := proxy.Before(t, cfg)
		p, watch := open(t, connector(t, through)), open(t, connector(t, cfg))
		table := newTable(t, watch, "a INT")
		var tx driver.Tx
		p.do(func() { tx, _ = p.inner.(driver.ConnBeginTx).BeginTx(context.Background(), driver.TxOptions{}) })
		must(p.query("INSERT INTO " + table + " VALUES (1)"))(t)
		front.Every((*proxy.Conn).Mute)
		end := p.begin(func() error { return tx.Commit() })
		for must(watch.query("SELECT COUNT(*) FROM "+table))(t) != "1" {
			time.Sleep(time.Millisecond)
		}
		p.i.HangUp()
		if err := <-end; !p.i.Lost(err) {
			t.Error(err)
		}
	})
	t.Run("the middle of a LOAD DATA", func(t *testing.T) {
		p, watch := open(t, connector(t, cfg)), open(t, connector(t, cfg))
		table := newTable(t, watch, "a BIGINT")
		started, hungUp := make(chan struct{}), make(chan struct{})
		handler(t, "cut", func() io.Reader {
			return io.MultiReader(io.LimitReader(endlessLines{}, 1<<16), readerFunc(func([]byte) (int, error) {
				close(started)
				<-hungUp
				return 0, io.EOF
			}), endlessLines{})
		})
		end := p.start("LOAD DATA LOCAL INFILE 'Reader::cut' INTO TABLE " + table)
		<-started
		p.i.HangUp()
		close(hungUp)
		err := <-end
		if !p.i.Lost(err) { // the driver calls it a bad connection, which promises too much
			t.Error(err)
		}
		running(t, watch, "INTO TABLE "+table, false)
		t.Logf("%v, %s rows kept", err, must(watch.query("SELECT COUNT(*) FROM "+table))(t))
	})
	t.Run("the error of a LOAD DATA's reader", func(t *testing.T) {
		p := open(t, connector(t, cfg))
		table := newTable(t, p, "a BIGINT")
		failure := &net.OpError{Op: "read", Err: errors.New("elsewhere")}
		handler(t, "failing", func() io.Reader {
			return readerFunc(func([]byte) (int, error) { return 0, failure })
		})
		_, err := p.query("LOAD DATA LOCAL INFILE 'Reader::failing' INTO TABLE " + table)
		if !errors.Is(err, failure) || p.i.Lost(err) {
			t.Error(err)
		}
	})
}

// What a killed statement has kept, by kind.
func TestInterruptedKeepsNothing(t *testing.T) {
	cfg := testConfig(t)
	cfg.MultiStatements = true
	c := connector(t, cfg)
	watch := open(t, c)
	for name, statement := range map[string]string{
		"INSERT SELECT":   "INSERT INTO %s SELECT seq + 100 FROM seq_1_to_100000000",
		"rows":            "INSERT INTO %s VALUES (100), (101 + SLEEP(30)), (102)",
		"UPDATE":          "UPDATE %s SET a = a + 100 + SLEEP(30)",
		"SELECT FOR":      "SELECT SLEEP(30) FROM %s FOR UPDATE",
		"INSERT ORDER BY": "INSERT INTO %s SELECT seq + 100 FROM seq_1_to_30000000 ORDER BY MD5(seq)",
	} {
		for _, multi := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, several statements: %v", name, multi), func(t *testing.T) {
				p := open(t, c)
				table := newTable(t, watch, "a BIGINT")
				must(watch.query("INSERT INTO " + table + " VALUES (1)"))(t)
				q := fmt.Sprintf(statement, table)
				if multi {
					q = "INSERT INTO " + table + " VALUES (200); " + q
				}
				end := p.begin(func() error {
					err := p.exec(q)
					p.tx.TxStatus(err)
					return err
				})
				started := fmt.Sprintf("SELECT COUNT(*) FROM information_schema.processlist WHERE ID = %s AND LEFT(INFO, 6) = '%.6s' AND INFO NOT LIKE '%%(200)%%'", p.i.session.id, statement)
				for must(watch.query(started))(t) != "1" {
					time.Sleep(time.Millisecond)
				}
				_, err := p.interrupt(end)
				if !isKilled(err) || p.i.Interrupted(err) == multi {
					t.Errorf("%v, interrupted: %v", err, p.i.Interrupted(err))
				}
				kept := must(watch.query("SELECT COUNT(*) FROM " + table + " WHERE a >= 100"))(t)
				if kept != "0" == !multi {
					t.Errorf("%s rows kept", kept)
				}
			})
		}
	}
}
