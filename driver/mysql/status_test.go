package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/test/proxy"
)

// The fields that TxStatus needs are where it looks for them.
func TestDriverKeepsStatus(t *testing.T) {
	p := open(t, connector(t, testConfig(t)))
	if statusOf(p.inner) == nil || resultsOf(p.inner) == nil {
		t.Fatal("this version of the driver keeps its status elsewhere: see inner.go")
	}
	for _, step := range []struct {
		query string
		want  pinned.TxStatus
	}{{"START TRANSACTION", opened}, {"ROLLBACK", none}} {
		p.do(func() {
			if err := p.exec(step.query); err != nil {
				t.Error(err)
			}
			if got := p.tx.TxStatus(nil); got != step.want {
				t.Errorf("after %s: %v", step.query, got)
			}
		})
	}
}

// exec runs on p's thread.
func (p *pinnedConn) exec(query string) error {
	_, err := p.inner.(driver.ExecerContext).ExecContext(context.Background(), query, nil)
	return err
}

func TestStatusOfForeignConn(t *testing.T) {
	type mysqlConn struct {
		driver.Conn
		status uint16
	}
	for _, c := range []driver.Conn{nil, mysqlConn{}, &mysqlConn{status: 1}, (*mysqlConn)(nil)} {
		if statusOf(c) != nil || resultsOf(c) != nil || (adapter{}).Reporter(c) != nil {
			t.Errorf("%T has a status", c)
		}
	}
}

const none, opened, lost = pinned.TxNone, pinned.TxOpen, pinned.TxLost

// Each step is a statement, and what TxStatus says after it.
func TestTxStatus(t *testing.T) {
	type step struct {
		query string
		want  pinned.TxStatus
	}
	const fails = "INSERT INTO $t VALUES (1)" // a duplicate
	for name, steps := range map[string][]step{
		"COMMIT in the text":    {{"START TRANSACTION", opened}, {"INSERT INTO $t VALUES (2)", opened}, {"COMMIT", none}},
		"COMMIT AND CHAIN":      {{"START TRANSACTION", opened}, {"COMMIT AND CHAIN", opened}, {"ROLLBACK", none}},
		"savepoints":            {{"START TRANSACTION", opened}, {"SAVEPOINT s", opened}, {"ROLLBACK TO s", opened}, {"ROLLBACK", none}},
		"BEGIN twice":           {{"BEGIN", opened}, {"BEGIN", opened}, {"ROLLBACK", none}},
		"DDL":                   {{"START TRANSACTION", opened}, {"CREATE TABLE $t_2 (a INT)", none}, {"DROP TABLE $t_2", none}},
		"DDL that exists":       {{"START TRANSACTION", opened}, {"CREATE TABLE $t (a INT)", none}},
		"DDL without a table":   {{"START TRANSACTION", opened}, {"ALTER TABLE nosuch ADD b INT", none}},
		"DDL of no type":        {{"START TRANSACTION", opened}, {"CREATE TABLE $t_2 (a NOSUCH)", opened}, {"ROLLBACK", none}},
		"temporary table":       {{"START TRANSACTION", opened}, {"CREATE TEMPORARY TABLE $t_2 (a INT)", opened}, {"ROLLBACK", none}},
		"a failing statement":   {{"START TRANSACTION", opened}, {fails, opened}, {"ROLLBACK", none}},
		"failing outside":       {{fails, none}},
		"no such syntax":        {{"START TRANSACTION", opened}, {"NONSENSE", opened}, {"ROLLBACK", none}},
		"procedure that begins": {{"CALL $t_begin()", opened}, {"ROLLBACK", none}},
		"procedure that fails":  {{"CALL $t_fail()", opened}, {"ROLLBACK", none}},
		"procedure that commits": {
			{"START TRANSACTION", opened}, {"CALL $t_commit()", none},
		},
		"procedure that commits and fails": {
			{"START TRANSACTION", opened}, {"CALL $t_both()", none},
		},
		"several statements":               {{"BEGIN; INSERT INTO $t VALUES (2); COMMIT", none}},
		"several, left open":               {{"INSERT INTO $t VALUES (2); BEGIN; INSERT INTO $t VALUES (3)", opened}, {"ROLLBACK", none}},
		"several, failing in the middle":   {{"BEGIN; " + fails + "; COMMIT", opened}, {"ROLLBACK", none}},
		"several, failing after COMMIT":    {{"BEGIN", opened}, {"COMMIT; " + fails, none}},
		"several, failing after BEGIN":     {{"BEGIN; " + fails, opened}, {"ROLLBACK", none}},
		"autocommit off":                   {{"SET autocommit=0", none}, {"SELECT 1", none}, {"SELECT * FROM $t", opened}, {"COMMIT", none}, {"INSERT INTO $t VALUES (2)", opened}, {"ROLLBACK", none}},
		"autocommit off, a failing start":  {{"SET autocommit=0", none}, {fails, opened}, {"ROLLBACK", none}},
		"autocommit on again":              {{"SET autocommit=0", none}, {"INSERT INTO $t VALUES (2)", opened}, {"SET autocommit=1", none}},
		"XA":                               {{"XA START 'x'", opened}, {"COMMIT", opened}, {"XA END 'x'", opened}, {"XA ROLLBACK 'x'", none}},
		"lock wait, undone alone":          {{"START TRANSACTION", opened}, {"INSERT INTO $t VALUES (2)", opened}, {"UPDATE $t_held SET a = 2", opened}, {"ROLLBACK", none}},
		"max_statement_time, undone alone": {{"START TRANSACTION", opened}, {"SET STATEMENT max_statement_time=0.1 FOR UPDATE $t_held SET a = 2", opened}, {"ROLLBACK", none}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.MultiStatements = true
			c := connector(t, cfg)
			p, other := open(t, c), open(t, c)
			table := newTable(t, other, "a INT PRIMARY KEY")
			held := newTable(t, other, "a INT PRIMARY KEY")
			full := func(q string) string {
				return strings.NewReplacer("$t_held", held, "$t", table).Replace(q)
			}
			must(other.query("INSERT INTO " + table + " VALUES (1)"))(t)
			must(other.query("INSERT INTO " + held + " VALUES (1)"))(t)
			for name, body := range map[string]string{
				"$t_begin":  "BEGIN START TRANSACTION; INSERT INTO $t VALUES (50); SELECT 1; END",
				"$t_fail":   "BEGIN START TRANSACTION; INSERT INTO $t VALUES (51); INSERT INTO $t VALUES (1); END",
				"$t_commit": "BEGIN INSERT INTO $t VALUES (52); COMMIT; END",
				"$t_both":   "BEGIN COMMIT; SIGNAL SQLSTATE '45000'; END",
			} {
				if !strings.Contains(steps[len(steps)-1].query+steps[0].query, name) {
					continue
				}
				must(other.query(full("CREATE PROCEDURE " + name + "() " + body)))(t)
				defer func() { must(other.query(full("DROP PROCEDURE " + name)))(t) }()
			}
			defer func() { must(other.query("ROLLBACK"))(t) }()
			must(other.query("START TRANSACTION"))(t)
			must(other.query("SELECT a FROM " + held + " FOR UPDATE"))(t)
			must(p.query("SET innodb_lock_wait_timeout=1"))(t)
			for _, step := range steps {
				p.do(func() {
					err := p.exec(full(step.query))
					got := p.tx.TxStatus(err)
					if got != step.want {
						t.Errorf("%s (%v): %+v, want %+v", step.query, err, got, step.want)
					}
					if truth, _ := run(p.inner, "SELECT @@in_transaction"); (truth == "1") != (got == opened) {
						t.Errorf("%s (%v): the server says %s", step.query, err, truth)
					}
				})
			}
		})
	}
}

// TxStatus leaves the statement's errors for SHOW ERRORS.
func TestTxStatusKeepsErrors(t *testing.T) {
	p := open(t, connector(t, testConfig(t)))
	p.do(func() {
		p.tx.TxStatus(p.exec("SELECT * FROM nosuch"))
		if got, err := run(p.inner, "SHOW ERRORS"); got != "Error" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// The server rolls back a transaction of which one statement meets a deadlock,
// under a savepoint too. Then TxStatus says so, and nothing of it stays.
func TestTxStatusLost(t *testing.T) {
	c := connector(t, testConfig(t))
	deadlock := func(begin, savepoint string) func(t *testing.T, p, other *pinnedConn, table string) error {
		return func(t *testing.T, p, other *pinnedConn, table string) error {
			// The other transaction is the heavier one and survives.
			must(other.query("START TRANSACTION"))(t)
			must(other.query("INSERT INTO " + table + " SELECT seq + 1000 FROM seq_1_to_100"))(t)
			must(other.query("DELETE FROM " + table + " WHERE a = 2"))(t)
			for _, q := range []string{begin, "INSERT INTO " + table + " VALUES (100)", savepoint, "DELETE FROM " + table + " WHERE a = 1"} {
				must(p.query(q))(t)
			}
			waiting := other.start("DELETE FROM " + table + " WHERE a = 1")
			running(t, open(t, c), "DELETE FROM "+table+" WHERE a = 1", true)
			_, err := p.query("DELETE FROM " + table + " WHERE a = 2")
			if err := <-waiting; err != nil {
				t.Error("the other: ", err)
			}
			return err
		}
	}
	for name, test := range map[string]struct {
		number uint16
		make   func(t *testing.T, p, other *pinnedConn, table string) error
	}{
		"deadlock":                   {1213, deadlock("START TRANSACTION", "DO 0")},
		"deadlock under a savepoint": {1213, deadlock("START TRANSACTION", "SAVEPOINT s")},
		"deadlock, autocommit off":   {1213, deadlock("SET autocommit=0", "DO 0")},
		"deadlock in XA":             {1213, deadlock("XA START 'sqlaio'", "DO 0")},
		"snapshot isolation": {1020, func(t *testing.T, p, other *pinnedConn, table string) error {
			for _, q := range []string{"SET innodb_snapshot_isolation=ON", "START TRANSACTION", "INSERT INTO " + table + " VALUES (100)", "SELECT * FROM " + table} {
				must(p.query(q))(t)
			}
			must(other.query("UPDATE " + table + " SET a = 20 WHERE a = 2"))(t)
			_, err := p.query("UPDATE " + table + " SET a = 30 WHERE a = 20")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p, other := open(t, c), open(t, c)
			table := newTable(t, other, "a INT PRIMARY KEY")
			must(other.query("INSERT INTO " + table + " VALUES (1), (2), (3)"))(t)
			err := test.make(t, p, other, table)
			var e *mysql.MySQLError
			if !errors.As(err, &e) || e.Number != test.number {
				t.Fatal(err)
			}
			p.do(func() {
				if got := p.tx.TxStatus(err); got != lost {
					t.Error(got)
				}
			})
			must(other.query("COMMIT"))(t)
			if got := must(other.query("SELECT COUNT(*) FROM " + table + " WHERE a = 100"))(t); got != "0" {
				t.Errorf("%s rows kept", got)
			}
			// XA stays in the way until its end is asked for.
			_, _ = p.query("XA ROLLBACK 'sqlaio'")
		})
	}
}

// A statement that KILL QUERY has stopped leaves its transaction open, and so does
// a COMMIT.
func TestTxStatusAfterKill(t *testing.T) {
	c := connector(t, testConfig(t))
	p, watch := open(t, c), open(t, c)
	table := newTable(t, watch, "a INT PRIMARY KEY")
	for _, q := range []string{"START TRANSACTION", "INSERT INTO " + table + " VALUES (1)"} {
		must(p.query(q))(t)
	}
	end := p.start("INSERT INTO " + table + " SELECT seq + 1 FROM seq_1_to_100000000")
	running(t, watch, "INSERT INTO "+table, true)
	_, err := p.interrupt(end)
	p.do(func() {
		if got := p.tx.TxStatus(err); got != opened || !p.i.Interrupted(err) {
			t.Errorf("%v: %v", err, got)
		}
	})
	must(p.query("COMMIT"))(t)
	if got := must(watch.query("SELECT COUNT(*) FROM " + table))(t); got != "1" {
		t.Errorf("%s rows", got)
	}
}

// However KILL and COMMIT fall together, the answer tells what became of it.
func TestKilledCommit(t *testing.T) {
	c := connector(t, testConfig(t))
	p, watch := open(t, c), open(t, c)
	table := newTable(t, watch, "a INT PRIMARY KEY")
	killed := 0
	_, leave := joinSides(c)
	defer leave()
	for range 200 {
		must(p.query("START TRANSACTION"))(t)
		must(p.query("INSERT INTO " + table + " VALUES (1)"))(t)
		end := p.start("COMMIT")
		p.i.Interrupt(context.Background())
		err := <-end
		p.do(func() {
			if err := p.i.Settle(); err != nil {
				t.Error(err)
			}
			want := none
			if err != nil {
				want = opened
			}
			if got := p.tx.TxStatus(err); got != want || err != nil && !p.i.Interrupted(err) {
				t.Errorf("%v: %v", err, got)
			}
		})
		if err != nil {
			killed++
			must(p.query("ROLLBACK"))(t)
		}
		want := "1"
		if err != nil {
			want = "0"
		}
		if got := must(watch.query("SELECT COUNT(*) FROM " + table))(t); got != want {
			t.Fatalf("COMMIT said %v, and %s rows are there", err, got)
		}
		must(watch.query("DELETE FROM " + table))(t)
	}
	t.Logf("%d of 200 stopped", killed)
}

// While the server cannot be asked, a transaction counts as lost.
func TestTxStatusOfDeadServer(t *testing.T) {
	front, through := proxy.Before(t, testConfig(t))
	p := open(t, connector(t, through))
	must(p.query("START TRANSACTION"))(t)
	front.Every((*proxy.Conn).Stall)
	done := make(chan pinned.TxStatus)
	p.calls <- func() { done <- p.tx.TxStatus(&mysql.MySQLError{Number: 1213}) }
	time.AfterFunc(20*time.Millisecond, p.i.HangUp)
	if got := <-done; got != lost {
		t.Error(got)
	}
}
