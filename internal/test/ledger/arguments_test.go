package ledger_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// Arguments are taken at the call: what the caller changes afterwards has no effect.

const insertData = "INSERT INTO ledger (id, data) VALUES (?, ?)"

// onBusyThread calls fn while the thread that its calls need is busy, so that they wait,
// and lets them go on after change. What fn returns waits for them.
func onBusyThread(t *testing.T, to target, fn func() (wait func() error), change func()) error {
	t.Helper()
	release := hold(t, to)
	wait := fn()
	change()
	release()
	return within(t, "the call", wait)
}

// waiting returns what waits for a future.
func waiting[T any](f *overlay.Future[T]) func() error {
	return func() error { return errOf(f.Await(background)) }
}

// calls are those with one list of arguments.
var calls = map[string]func(to target, query string, args []any) func() error{
	"ExecAsync": func(to target, query string, args []any) func() error {
		return waiting(to.ExecAsync(background, query, args...))
	},
	"ExecuteAsync": func(to target, query string, args []any) func() error {
		return waiting(to.ExecuteAsync(background, query, args...))
	},
	"QueryAsync": func(to target, query string, args []any) func() error {
		return waiting(to.QueryAsync(background, query+" RETURNING id", args...))
	},
	"ScalarAsync": func(to target, query string, args []any) func() error {
		return waiting(to.ScalarAsync(background, query+" RETURNING id", args...))
	},
	"Scalar": func(to target, query string, args []any) func() error {
		return waiting(overlay.Scalar[int64](background, to, query+" RETURNING id", args...))
	},
	"BatchAsync": func(to target, query string, args []any) func() error {
		return waiting(to.BatchAsync(background, []overlay.Statement{{Query: query, Args: args}}))
	},
	"BatchAsync InTx": func(to target, query string, args []any) func() error {
		return waiting(to.BatchAsync(background, []overlay.Statement{{Query: query, Args: args}}, overlay.InTx(nil)))
	},
	"ExecManyAsync": func(to target, query string, args []any) func() error {
		return waiting(to.ExecManyAsync(background, query, [][]any{args}))
	},
}

// values that can be changed, each as the call sees it first: "first".
func changeable() map[string]func() (value any, change func()) {
	return map[string]func() (any, func()){
		"[]byte": func() (any, func()) {
			b := []byte("first")
			return b, func() { copy(b, "XXXXX") }
		},
		"json.RawMessage": func() (any, func()) {
			b := json.RawMessage("first")
			return b, func() { copy(b, "XXXXX") }
		},
		"sql.RawBytes": func() (any, func()) {
			b := sql.RawBytes("first")
			return b, func() { copy(b, "XXXXX") }
		},
		"*[]byte": func() (any, func()) {
			b := []byte("first")
			return &b, func() { copy(b, "XXXXX"); b = nil }
		},
		"*string": func() (any, func()) {
			s := "first"
			return &s, func() { s = "XXXXX" }
		},
		"sql.Null": func() (any, func()) {
			b := sql.Null[[]byte]{V: []byte("first"), Valid: true}
			return b, func() { copy(b.V, "XXXXX") }
		},
		"*sql.NullString": func() (any, func()) {
			s := sql.NullString{String: "first", Valid: true}
			return &s, func() { s.String = "XXXXX" }
		},
	}
}

// data returns what is in the row.
func (db *database) data(t *testing.T, e *overlay.Engine, id int64) []byte {
	t.Helper()
	return must(t, "read", overlay.Scalar[[]byte](background, e, "SELECT data FROM ledger WHERE id = ?", id))
}

// onTargets runs a test on an Engine with one lane and on a Conn.
func onTargets(t *testing.T, fn func(t *testing.T, db *database, e *overlay.Engine, to target)) {
	t.Helper()
	onEach(t, func(t *testing.T, db *database) {
		t.Run("Engine", func(t *testing.T) {
			db := again(t, db)
			e := db.open(t, overlay.WithLanes(1))
			fn(t, db, e, e)
		})
		t.Run("Conn", func(t *testing.T) {
			db := again(t, db)
			if db.memory {
				t.Skip("the engine could not look while the Conn has the only connection")
			}
			e := db.open(t)
			c := must(t, "connect", e.ConnectAsync(background))
			fn(t, db, e, c)
			must(t, "close", c.CloseAsync(background))
		})
	})
}

// A value whose content is changed after the call, as it is and in a sql.Named, which
// SQLite knows.
func TestArgumentChangedAfterTheCall(t *testing.T) {
	onTargets(t, func(t *testing.T, db *database, e *overlay.Engine, to target) {
		for name, call := range calls {
			for kind, value := range changeable() {
				for _, named := range []bool{false, true} {
					if named && db.maria {
						continue
					}
					id := db.l.next(name)
					v, change := value()
					query, args := insertData, []any{id, v}
					if named {
						query, args = "INSERT INTO ledger (id, data) VALUES (:id, :data)", []any{sql.Named("data", v), sql.Named("id", id)}
					}
					err := onBusyThread(t, to, func() func() error { return call(to, query, args) }, change)
					if db.l.told(id, err) != nil {
						t.Errorf("%s with a %s (named %v): %v", name, kind, named, err)
					} else if got := db.data(t, e, id); !bytes.Equal(got, []byte("first")) {
						t.Errorf("%s with a %s (named %v) wrote %q", name, kind, named, got)
					}
				}
			}
		}
	})
}

// The slice of arguments is used again for the next call.
func TestArgumentSliceUsedAgain(t *testing.T) {
	onTargets(t, func(t *testing.T, db *database, e *overlay.Engine, to target) {
		for name, call := range calls {
			ids := []int64{db.l.next(name), db.l.next(name), db.l.next(name)}
			var waits []func() error
			args := make([]any, 1)
			err := onBusyThread(t, to, func() func() error {
				for _, id := range ids {
					args[0] = id
					waits = append(waits, call(to, insert, args))
				}
				return func() error {
					for i, wait := range waits {
						db.l.told(ids[i], wait())
					}
					return nil
				}
			}, func() { args[0] = "gone" })
			noError(t, name, err)
		}
		if c, ok := to.(*overlay.Conn); ok {
			must(t, "close", c.CloseAsync(background))
		}
		db.check(t)
	})
}

// args[0] = i in a loop, with nothing that holds the thread up.
func TestArgumentSliceUsedAgainInALoop(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		var waits []func()
		args := make([]any, 1)
		for range 100 {
			id := db.l.next("loop")
			args[0] = id
			f := e.ExecAsync(background, insert, args...)
			waits = append(waits, func() {
				_, err := outcome(t, "insert", f)
				db.l.told(id, err)
			})
		}
		for _, wait := range waits {
			wait()
		}
		db.check(t)
	})
}

// The statements of a batch, its list, its sets and its options are used again.
func TestBatchChangedAfterTheCall(t *testing.T) {
	onTargets(t, func(t *testing.T, db *database, e *overlay.Engine, to target) {
		for _, o := range batchOptions {
			for name, c := range map[string]func(ids [2]int64) (call func(opts []overlay.BatchOption) func() error, change func()){
				"a Statement": func(ids [2]int64) (func([]overlay.BatchOption) func() error, func()) {
					ss := []overlay.Statement{{Query: insert, Args: []any{ids[0]}}, {Query: insert, Args: []any{ids[1]}}}
					return func(opts []overlay.BatchOption) func() error { return waiting(to.BatchAsync(background, ss, opts...)) },
						func() {
							ss[0] = overlay.Statement{Query: "nonsense"}
							ss[1].Query, ss[1].Args = "", nil
						}
				},
				"its Args": func(ids [2]int64) (func([]overlay.BatchOption) func() error, func()) {
					ss := []overlay.Statement{{Query: insert, Args: []any{ids[0]}}, {Query: insert, Args: []any{ids[1]}}}
					return func(opts []overlay.BatchOption) func() error { return waiting(to.BatchAsync(background, ss, opts...)) },
						func() { ss[0].Args[0], ss[1].Args[0] = "gone", "gone" }
				},
				"the sets": func(ids [2]int64) (func([]overlay.BatchOption) func() error, func()) {
					sets := [][]any{{ids[0]}, {ids[1]}}
					return func(opts []overlay.BatchOption) func() error {
						return waiting(to.ExecManyAsync(background, insert, sets, opts...))
					}, func() { sets[0], sets[1] = nil, []any{"gone", "gone"} }
				},
				"a set": func(ids [2]int64) (func([]overlay.BatchOption) func() error, func()) {
					set := []any{ids[0]}
					sets := [][]any{set, {ids[1]}}
					return func(opts []overlay.BatchOption) func() error {
						return waiting(to.ExecManyAsync(background, insert, sets, opts...))
					}, func() { set[0], sets[1][0] = "gone", "gone" }
				},
				"pointers in a set": func(ids [2]int64) (func([]overlay.BatchOption) func() error, func()) {
					sets := [][]any{{&ids[0]}, {&ids[1]}}
					return func(opts []overlay.BatchOption) func() error {
						return waiting(to.ExecManyAsync(background, insert, sets, opts...))
					}, func() { ids = [2]int64{} }
				},
			} {
				what := fmt.Sprintf("%s%s", name, o.name)
				g := db.l.begin(what)
				ids := [2]int64{g.next(), g.next()}
				call, change := c(ids)
				opts := append([]overlay.BatchOption(nil), o.opts...)
				err := onBusyThread(t, to, func() func() error { return call(opts) }, func() {
					change()
					clear(opts)
				})
				for _, id := range ids {
					g.told(id, nil)
				}
				if g.ended(err) != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
		if c, ok := to.(*overlay.Conn); ok {
			must(t, "close", c.CloseAsync(background))
		}
		db.check(t)
	})
}

// So are the options of a transaction.
func TestTxOptionsChangedAfterTheCall(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *database) {
		e := db.open(t)
		c := must(t, "connect", e.ConnectAsync(background))
		opts := new(sql.TxOptions)
		var begun *overlay.Future[*overlay.Tx]
		noError(t, "begin", onBusyThread(t, c, func() func() error {
			begun = c.BeginAsync(background, opts)
			return waiting(begun)
		}, func() { opts.ReadOnly = true }))
		g := db.l.begin("BeginAsync")
		if err := g.row(background, c); err != nil {
			t.Error("the transaction has become read-only: ", err)
		}
		_, err := outcome(t, "commit", must(t, "begin", begun).CommitAsync(background))
		g.ended(err)
		id := db.l.next("Batch InTx")
		opts = new(sql.TxOptions)
		err = onBusyThread(t, c, func() func() error {
			return waiting(c.BatchAsync(background, []overlay.Statement{{Query: insert, Args: []any{id}}}, overlay.InTx(opts)))
		}, func() { opts.ReadOnly = true })
		if db.l.told(id, err) != nil {
			t.Error("the batch has become read-only: ", err)
		}
		must(t, "close", c.CloseAsync(background))
		db.check(t)
	})
}
