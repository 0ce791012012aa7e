package liveness_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/overlay"
)

// notLate is the bound for calls that ended 2 s late.
const notLate = 1500 * time.Millisecond

// endlessJoin returns one row, if it is not stopped. A SLEEP that is stopped may
// report success.
const endlessJoin = "SELECT COUNT(*) FROM seq_1_to_1000000 a JOIN seq_1_to_1000000 b"

// mysqlCalls run until they are stopped.
var mysqlCalls = map[string]func(ctx context.Context, e *overlay.Engine) error{
	"a SELECT through ExecContext": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, endlessJoin)
		return err
	},
	"a SELECT through ExecContext with arguments": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, endlessJoin+" WHERE a.seq <> ?", 1)
		return err
	},
	"a SELECT of many rows through ExecContext with arguments": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "SELECT a.seq + ? FROM seq_1_to_100000 a JOIN seq_1_to_100000 b", 1)
		return err
	},
	"a SELECT through ExecAsync with arguments": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecAsync(ctx, endlessJoin+" WHERE a.seq <> ?", 1).Await(ctx)
		return err
	},
	"a statement": func(ctx context.Context, e *overlay.Engine) error {
		s, err := e.SyncDB().PrepareContext(ctx, endlessJoin+" WHERE a.seq <> ?")
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = s.ExecContext(ctx, 20)
		return err
	},
	"a query": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.QueryAsync(ctx, endlessJoin+" WHERE a.seq <> ?", 1).Await(ctx)
		return err
	},
	"LOAD DATA LOCAL": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "LOAD DATA LOCAL INFILE 'Reader::liveness_endless' INTO TABLE liveness_cancel (id, data)")
		return err
	},
	"LOAD DATA LOCAL through ExecAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecAsync(ctx, "LOAD DATA LOCAL INFILE 'Reader::liveness_endless' INTO TABLE liveness_cancel (id, data)").Await(ctx)
		return err
	},
	"LOAD DATA LOCAL whose reader hangs": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "LOAD DATA LOCAL INFILE 'Reader::liveness_stuck' INTO TABLE liveness_cancel (id, data)")
		return err
	},
}

// endlessLines is a file that never ends, and comes slowly.
type endlessLines struct{ end <-chan struct{} }

func (r endlessLines) Read(b []byte) (int, error) {
	select {
	case <-r.end:
		return 0, io.EOF
	case <-time.After(10 * time.Millisecond):
	}
	return copy(b, strings.Repeat("1\tx\n", min(len(b)/4, 100))), nil
}

// stuckReader has nothing to say.
type stuckReader struct{ end <-chan struct{} }

func (r stuckReader) Read([]byte) (int, error) {
	<-r.end
	return 0, io.EOF
}

func TestMySQLCallsReturnWhenTheirContextEnds(t *testing.T) {
	for name, call := range mysqlCalls {
		t.Run(name, func(t *testing.T) {
			alone(t)
			cfg := mariaDB(t, "liveness_cancel")
			end, release := gate(t)
			mysql.RegisterReaderHandler("liveness_endless", func() io.Reader { return endlessLines{end} })
			mysql.RegisterReaderHandler("liveness_stuck", func() io.Reader { return stuckReader{end} })
			t.Cleanup(func() {
				mysql.DeregisterReaderHandler("liveness_endless")
				mysql.DeregisterReaderHandler("liveness_stuck")
			})
			e := open(t, "mysql", cfg.FormatDSN(), overlay.WithLanes(1))
			works(t, e)
			const deadline = 300 * time.Millisecond
			err := within(t, deadline+notLate, name, func() error { return call(brief(t, deadline), e) })
			wantError(t, name, err, context.DeadlineExceeded)
			if strings.Contains(name, "hangs") {
				release() // until then the reader has the only lane's thread
			}
			works(t, e)
			db := admin(t, cfg)
			until(t, soon, "the server has ended the statement", func() bool {
				var n int
				err := db.QueryRowContext(bounded(t), `SELECT count(*) FROM information_schema.processlist
					WHERE id <> CONNECTION_ID() AND info LIKE 'SELECT%seq_1_to_%'`).Scan(&n)
				noError(t, "read the process list", err)
				return n == 0
			})
			release()
		})
	}
}

// A call that gave up hits nothing that comes after it on the connection.
func TestMySQLCallsAfterACancelGoOn(t *testing.T) {
	alone(t)
	cfg := mariaDB(t, "liveness_cancel")
	e := open(t, "mysql", cfg.FormatDSN(), overlay.WithLanes(1))
	works(t, e)
	for i := range 30 {
		ctx, cancel := context.WithCancel(bounded(t))
		f := e.ExecAsync(ctx, "INSERT INTO liveness_cancel (id) SELECT SLEEP(0.002)")
		time.AfterFunc(time.Duration(i)*200*time.Microsecond, cancel)
		outcome(t, soon, "the call", f)
		cancel()
		_, err := outcome(t, soon, "the next call", e.ExecAsync(bounded(t), "INSERT INTO liveness_cancel (id) SELECT 1 + SLEEP(0.003)"))
		noError(t, "the next call", err)
	}
}
