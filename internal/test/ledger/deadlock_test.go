package ledger_test

import (
	"context"
	"testing"
)

// A deadlock costs the whole transaction on MariaDB, not only the statement that is told
// of it.
func TestDeadlock(t *testing.T) {
	if mariaDB(t) == nil { // skips
		return
	}
	update := func(name string) step { return step{query: "UPDATE locks SET n = n + 1 WHERE name = '" + name + "'"} }
	steps := []step{row, update("a"), update("gate"), update("b"), row, row}
	for _, s := range scopes() {
		t.Run(s.name, func(t *testing.T) {
			db := mariaDB(t)
			e := db.open(t)
			rival := startRival(t, db)
			err := within(t, s.name, func() error { return s.run(background, e, db.l, steps) })
			if won := rival(); !won {
				t.Fatal("there was no deadlock, or the other transaction was its victim")
			}
			if err == nil && s.name != "RetryTx" {
				t.Error("no error: half of the transaction is gone, and nobody is told")
			}
			db.later(t, e)
			db.check(t)
		})
	}
}

// startRival begins a transaction that holds lock b and wants a as soon as somebody who
// has a waits at the gate, and then opens the gate. Whoever wants b then is the deadlock's
// victim, for the rival has changed more rows. The result waits for the rival's end, and
// tells whether it was spared.
func startRival(t *testing.T, db *database) (won func() bool) {
	t.Helper()
	db.bare(t,
		"CREATE TABLE locks (name VARCHAR(10) PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB",
		"INSERT INTO locks VALUES ('a', 0), ('b', 0), ('gate', 0)",
		"CREATE TABLE ballast (n INT) ENGINE=InnoDB")
	b := db.openBare(t)
	ctx := bounded(t)
	gate, err := b.BeginTx(ctx, nil)
	noError(t, "begin", err)
	_, err = gate.Exec("UPDATE locks SET n = 1 WHERE name = 'gate'")
	noError(t, "close the gate", err)
	tx, err := b.BeginTx(ctx, nil)
	noError(t, "begin", err)
	_, err = tx.Exec("INSERT INTO ballast SELECT seq FROM seq_1_to_500")
	noError(t, "ballast", err)
	_, err = tx.Exec("UPDATE locks SET n = 1 WHERE name = 'b'")
	noError(t, "take b", err)

	waiting := func(n int) bool {
		var now int
		err := b.QueryRowContext(ctx, openTxs+" AND t.trx_state = 'LOCK WAIT'").Scan(&now)
		return err != nil || now >= n // an error: the time is up
	}
	done := make(chan error, 1)
	go func() {
		defer gate.Rollback()
		for !waiting(1) {
			sleepABit(ctx)
		}
		got := make(chan error, 1)
		go func() { got <- errOf(tx.ExecContext(ctx, "UPDATE locks SET n = 1 WHERE name = 'a'")) }()
		for !waiting(2) {
			sleepABit(ctx)
		}
		gate.Commit()
		err := <-got
		tx.Rollback() // somebody may try again
		done <- err
	}()
	return func() bool { return within(t, "the rival", func() error { return <-done }) == nil }
}

func sleepABit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pollEvery)
	defer cancel()
	<-ctx.Done()
}
