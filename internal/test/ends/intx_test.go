package ends

import (
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestBatchInTxInsertDDLTimesOut(t *testing.T) {
	e := maria(t)
	lockedU(t, e)
	qs := []string{"SET lock_wait_timeout = 1", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2); ALTER TABLE u ADD a INTEGER"}
	var ss []overlay.Statement
	for _, q := range qs {
		ss = append(ss, overlay.Statement{Query: q})
	}
	rs, err := e.BatchAsync(bg, ss, overlay.InTx(nil)).Await(bg)
	t.Log(err)
	for i, r := range rs {
		t.Log(qs[i], r.Err)
	}
	if has(t, e, 1) && rs[1].Err != nil && !unsure(rs[1].Err) {
		t.Errorf("row 1 kept: %v", rs[1].Err)
	}
}
