package ledger_test

import (
	"database/sql"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

type tests struct{ *testing.M }

func (t tests) Run() int {
	mysql.SetLogger(&mysql.NopLogger{}) // connections are lost here on purpose
	defer forgotten.end()
	return t.M.Run()
}

// forgotten holds each sql.Tx that a test leaves open on purpose. Until it is ended it has
// a goroutine of database/sql's, whatever has become of its connection.
var forgotten txs

type txs struct {
	mu  sync.Mutex
	all []*sql.Tx // guarded by mu
}

func (f *txs) add(tx *sql.Tx) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, tx)
}

func (f *txs) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, tx := range f.all {
		tx.Rollback()
	}
}
