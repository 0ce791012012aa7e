package drivertest

// tx is a transaction.
type tx struct{ object }

// Commit implements driver.Tx.
func (t *tx) Commit() error { return t.end("Tx.Commit") }

// Rollback implements driver.Tx.
func (t *tx) Rollback() error { return t.end("Tx.Rollback") }

// end is over when it returns, also with an error or a panic: database/sql asks
// no second time.
func (t *tx) end(method string) error {
	defer func() {
		t.finish()
		t.conn.setTx(false)
	}()
	return t.do(method, nil, "", nil)
}
