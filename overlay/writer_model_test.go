package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
)

// The model of the writer: calls with culprits among them are made in any order, and run
// in groups as it happens. Each enters numbers of its own into a ledger. In the end the
// ledger must have the numbers of the calls that were acknowledged, and no others,
// and the account, which a trigger keeps, must be what these give in the ledger's order.
//
// -rapid.checks=N sets the number of runs, of some 40 steps each.

const writerSchema = `
	CREATE TABLE ledger (pos INTEGER PRIMARY KEY AUTOINCREMENT, op INTEGER UNIQUE);
	CREATE TABLE account (v INTEGER);
	CREATE TABLE parent (id INTEGER PRIMARY KEY);
	CREATE TABLE child (p REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
	CREATE TRIGGER refused BEFORE INSERT ON ledger WHEN new.op = -1 BEGIN SELECT RAISE(ABORT, 'refused'); END;
	CREATE TRIGGER all_gone BEFORE INSERT ON ledger WHEN new.op = -2 BEGIN SELECT RAISE(ROLLBACK, 'all gone'); END;
	CREATE TRIGGER keep AFTER INSERT ON ledger BEGIN UPDATE account SET v = (v * 31 + new.op) % 1000003; END;
	INSERT INTO account VALUES (1);
	INSERT INTO ledger (op) VALUES (0);`

type writerMachine struct {
	t       *rapid.T
	e       *overlay.Engine
	ops     int
	checks  []func()    // of the calls made
	want    map[int]int // numbers that must be in the ledger; the value is the position, or 0 if that is not known
	maybe   map[int]bool
	release func()
}

func TestWriterModel(t *testing.T) {
	dir := t.TempDir()
	var n atomic.Int64
	var steps int
	var total overlay.Stats
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, fmt.Sprint(n.Add(1), ".db"))
		e, err := overlay.Open("sqlite3", path+writerParams, overlay.WithWriter())
		if err != nil {
			rt.Fatal(err)
		}
		m := &writerMachine{t: rt, e: e, want: map[int]int{0: 1}, maybe: map[int]bool{}}
		defer func() {
			m.letGo()
			e.Shutdown(atMost(t, time.Second))
		}()
		m.ok(second(e.ExecAsync(background, writerSchema).Await(background)))
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			m.step()
			steps++
		}
		m.end(path)
		s := e.Stats()
		total.Groups += s.Groups
		total.Members += s.Members
		total.RunsAgain += s.RunsAgain
		total.Largest = max(total.Largest, s.Largest)
	})
	t.Logf("%d steps in %d groups of %d members, the largest of %d; %d runs again", steps, total.Groups, total.Members, total.Largest, total.RunsAgain)
}

func (m *writerMachine) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("%v", err)
	}
}

func (m *writerMachine) op() int { m.ops++; return m.ops }

// after notes how a call's outcome is checked. did are the numbers that it enters.
func (m *writerMachine) after(what string, mayFail bool, outcome func() error, did ...int) {
	m.checks = append(m.checks, func() {
		err := outcome()
		switch {
		case err == nil:
			for _, op := range did {
				if _, known := m.want[op]; !known {
					m.want[op] = 0
				}
			}
		case errors.Is(err, overlay.ErrOutcomeUnknown) && mayFail:
			for _, op := range did {
				m.maybe[op] = true
			}
		case !mayFail:
			m.t.Fatalf("%s: %v", what, err)
		}
	})
}

// fails notes that a call must fail and leave nothing.
func (m *writerMachine) fails(what string, outcome func() error) {
	m.checks = append(m.checks, func() {
		if err := outcome(); err == nil {
			m.t.Fatalf("%s did not fail", what)
		} else if errors.Is(err, overlay.ErrOutcomeUnknown) {
			m.t.Fatalf("%s: %v", what, err)
		}
	})
}

func outcome[T any](f *overlay.Future[T]) func() error {
	return func() error { return second(f.Await(background)) }
}

const enter = "INSERT INTO ledger (op) VALUES (?)"

func (m *writerMachine) step() {
	e := m.e
	steps := map[string]func(what string){
		"exec": func(what string) {
			op, f := m.op(), (*overlay.Future[sql.Result])(nil)
			f = e.ExecAsync(background, enter, op)
			m.after(what, false, func() error {
				r, err := f.Await(background)
				if err == nil {
					id, _ := r.LastInsertId()
					m.want[op] = int(id)
				}
				return err
			}, op)
		},
		"returning": func(what string) {
			op := m.op()
			f := overlay.Scalar[int](background, e, enter+" RETURNING pos", op)
			m.after(what, false, func() error {
				pos, err := f.Await(background)
				m.want[op] = pos
				return err
			}, op)
		},
		"function": func(what string) {
			a, b := m.op(), m.op()
			m.after(what, false, outcome(m.write(func(ctx context.Context, c *sql.Conn) error { return enterAll(ctx, c, a, b) })), a, b)
		},
		"batch": func(what string) {
			a, b := m.op(), m.op()
			f := e.ExecManyAsync(background, enter, [][]any{{a}, {b}}, overlay.InTx(nil))
			m.after(what, false, outcome(f), a, b)
		},
		"batch that goes on": func(what string) {
			a, b := m.op(), m.op()
			f := e.ExecManyAsync(background, enter, [][]any{{a}, {0}, {b}}, overlay.InTx(nil), overlay.KeepGoing())
			m.after(what, false, func() error {
				rs, err := f.Await(background)
				if err == nil || len(rs) != 3 || rs[0].Err != nil || rs[1].Err == nil || rs[2].Err != nil {
					return fmt.Errorf("results %v, %v", rs, err)
				}
				return nil
			}, a, b)
		},
		"batch that fails": func(what string) {
			m.fails(what, outcome(e.ExecManyAsync(background, enter, [][]any{{m.op()}, {0}}, overlay.InTx(nil))))
		},
		"several": func(what string) {
			a, b := m.op(), m.op()
			m.after(what, false, outcome(e.ExecAsync(background, fmt.Sprintf("INSERT INTO ledger (op) VALUES (%d); INSERT INTO ledger (op) VALUES (%d)", a, b))), a, b)
		},
		"transaction": func(what string) {
			op, commit := m.op(), rapid.Bool().Draw(m.t, "commit")
			undone := errors.New("undone")
			done := make(chan error, 1)
			go func() {
				done <- e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					if _, err := c.ExecAsync(ctx, enter, op).Await(ctx); err != nil || commit {
						return err
					}
					return undone
				})
			}()
			m.after(what, !commit, func() error {
				err := <-done
				if !commit && err != undone {
					m.t.Fatalf("%s: %v", what, err)
				}
				return err
			}, op)
		},
		"on a Conn": func(what string) {
			op, f := m.op(), (*overlay.Future[sql.Result])(nil)
			conn := overlay.Then(e.ConnectAsync(background), func(c *overlay.Conn) (*overlay.Conn, error) {
				f = c.ExecAsync(background, enter, op)
				return c, nil
			})
			m.after(what, false, func() error {
				c, err := conn.Await(background)
				if err != nil {
					return err
				}
				return errors.Join(second(f.Await(background)), second(c.CloseAsync(background).Await(background)))
			}, op)
		},
		"function that a lane cannot do": func(what string) {
			a, b := m.op(), m.op()
			f := overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (int, error) { return 1, enterAll(ctx, c, a, b) })
			m.after(what, false, outcome(f), a, b)
		},
		"blocking": func(what string) {
			op := m.op()
			done := make(chan error, 1)
			go func() { done <- second(e.SyncDB().Exec(enter, op)) }()
			m.after(what, false, func() error { return <-done }, op)
		},
		"stream": func(what string) {
			op := m.op()
			f := e.StreamAsync(background, enter+" RETURNING pos", op)
			m.after(what, false, func() error {
				r, err := f.Await(background)
				if err != nil {
					return err
				}
				return second(r.FetchAllAsync(background).Await(background))
			}, op)
		},
		"DDL": func(what string) {
			m.after(what, false, outcome(e.ExecAsync(background, fmt.Sprintf("CREATE TABLE made_%d (k)", m.op()))))
		},
		"pragma": func(what string) { m.after(what, false, outcome(e.ExecAsync(background, "PRAGMA user_version = 7"))) },

		"constraint": func(what string) { m.fails(what, outcome(e.ExecAsync(background, enter, 0))) },
		"or rollback": func(what string) {
			m.fails(what, outcome(e.ExecAsync(background, "INSERT OR ROLLBACK INTO ledger (op) VALUES (0)")))
		},
		"raise": func(what string) { m.fails(what, outcome(e.ExecAsync(background, enter, -1))) },
		"raise rollback": func(what string) {
			m.fails(what, outcome(e.QueryAsync(background, enter+" RETURNING pos", -2)))
		},
		"deferred key": func(what string) { m.fails(what, outcome(e.ExecAsync(background, "INSERT INTO child VALUES (99)"))) },
		"function that fails": func(what string) {
			op := m.op()
			m.fails(what, outcome(m.write(func(ctx context.Context, c *sql.Conn) error {
				return errors.Join(enterAll(ctx, c, op), errors.New("no"))
			})))
		},
		"function that fails after a savepoint": func(what string) {
			a, b := m.op(), m.op()
			m.fails(what, outcome(m.write(func(ctx context.Context, c *sql.Conn) error {
				return errors.Join(enterAll(ctx, c, a), second(c.ExecContext(ctx, "SAVEPOINT sqlaio_member")), enterAll(ctx, c, b), errors.New("no"))
			})))
		},
		"callback that writes": func(what string) {
			a, b, c := m.op(), m.op(), m.op()
			done := make(chan error, 1)
			f := e.ExecAsync(background, enter, a)
			f.OnDone(func(sql.Result, error) {
				done <- errors.Join(e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					return second(c.ExecAsync(ctx, enter, b).Await(ctx))
				}), second(e.SyncDB().ExecContext(reflectguard.MayBlock(background), enter, c)))
			})
			m.after(what, false, func() error { return errors.Join(second(f.Await(background)), <-done) }, a, b, c)
		},
		"panic": func(what string) {
			op := m.op()
			m.fails(what, outcome(m.write(func(ctx context.Context, c *sql.Conn) error {
				enterAll(ctx, c, op)
				panic("boom")
			})))
		},
		"Goexit": func(what string) {
			op := m.op()
			m.fails(what, outcome(m.write(func(ctx context.Context, c *sql.Conn) error {
				enterAll(ctx, c, op)
				runtime.Goexit()
				return nil
			})))
		},
		"function that loses the transaction": func(what string) {
			op := m.op()
			m.fails(what, outcome(m.write(func(ctx context.Context, c *sql.Conn) error {
				enterAll(ctx, c, op, -2)
				return nil
			})))
		},
		"function that leaves a key": func(what string) {
			op := m.op()
			m.fails(what, outcome(m.write(func(ctx context.Context, c *sql.Conn) error {
				return errors.Join(enterAll(ctx, c, op), second(c.ExecContext(ctx, "INSERT INTO child VALUES (98)")))
			})))
		},
		"function that commits": func(what string) {
			op := m.op()
			m.fails(what, outcome(m.write(func(ctx context.Context, c *sql.Conn) error {
				return errors.Join(enterAll(ctx, c, op), second(c.ExecContext(ctx, "COMMIT")))
			})))
		},
		"cancelled before": func(what string) { m.fails(what, outcome(e.ExecAsync(endedContext(), enter, m.op()))) },
		"interrupted": func(what string) {
			ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
			f := e.ExecAsync(ctx, "INSERT INTO ledger (op) SELECT * FROM ("+endlessQuery+")")
			m.after(what, true, func() error { defer cancel(); return second(f.Await(background)) }) // unknown if it was slow to end
		},
		"cancelled at any time": func(what string) {
			op := m.op()
			f := e.ExecAsync(background, enter, op)
			time.AfterFunc(time.Duration(rapid.IntRange(0, 300).Draw(m.t, "µs"))*time.Microsecond, f.Cancel)
			m.after(what, true, outcome(f), op)
		},
		"returning cancelled at any time": func(what string) {
			op := m.op()
			f := overlay.Scalar[int](background, e, enter+" RETURNING pos", op)
			time.AfterFunc(time.Duration(rapid.IntRange(0, 300).Draw(m.t, "µs"))*time.Microsecond, f.Cancel)
			m.after(what, true, outcome(f), op)
		},
		"callback with Goexit": func(what string) {
			op := m.op()
			f := e.ExecAsync(background, enter, op)
			go f.OnDone(func(sql.Result, error) { runtime.Goexit() })
			m.after(what, false, outcome(f), op)
		},
		"Goexit, also in the callback": func(what string) {
			op := m.op()
			f := m.write(func(ctx context.Context, c *sql.Conn) error {
				enterAll(ctx, c, op)
				runtime.Goexit()
				return nil
			})
			go f.OnDone(func(int, error) { runtime.Goexit() })
			m.fails(what, outcome(f))
		},
		"function cancelled at any time": func(what string) {
			a, b := m.op(), m.op()
			f := m.write(func(ctx context.Context, c *sql.Conn) error { return enterAll(ctx, c, a, b) })
			time.AfterFunc(time.Duration(rapid.IntRange(0, 500).Draw(m.t, "µs"))*time.Microsecond, f.Cancel)
			m.after(what, true, outcome(f), a, b)
		},
		"hold": func(string) { m.hold() },
		"go on": func(string) {
			m.letGo()
		},
	}
	what := rapid.SampledFrom(slices.Sorted(maps.Keys(steps))).Draw(m.t, "step")
	steps[what](what)
}

// hold has a function keep the writer busy, so that what follows is one group.
func (m *writerMachine) hold() {
	m.letGo()
	gate := make(chan struct{})
	m.after("hold", false, outcome(overlay.Write(background, m.e, func(context.Context, *sql.Conn) (int, error) {
		<-gate
		return 0, nil
	})))
	m.release = func() { close(gate) }
}

func (m *writerMachine) letGo() {
	if m.release != nil {
		m.release()
		m.release = nil
	}
}

func (m *writerMachine) write(fn func(ctx context.Context, c *sql.Conn) error) *overlay.Future[int] {
	return overlay.Write(background, m.e, func(ctx context.Context, c *sql.Conn) (int, error) { return 1, fn(ctx, c) })
}

func enterAll(ctx context.Context, c *sql.Conn, ops ...int) error {
	for _, op := range ops {
		if _, err := c.ExecContext(ctx, enter, op); err != nil {
			return err
		}
	}
	return nil
}

// end awaits all calls and compares the file with what they have said.
func (m *writerMachine) end(path string) {
	m.letGo()
	for _, check := range m.checks {
		check()
	}
	m.ok(m.e.Shutdown(background))
	db, err := sql.Open("sqlite3", path)
	m.ok(err)
	defer db.Close()
	rows, err := db.Query("SELECT pos, op FROM ledger ORDER BY pos")
	m.ok(err)
	defer rows.Close()
	account, have := 1, 0
	for rows.Next() {
		var pos, op int
		m.ok(rows.Scan(&pos, &op))
		at, wanted := m.want[op]
		switch {
		case !wanted && !m.maybe[op]:
			m.t.Fatalf("the ledger has %d, which nobody was told of", op)
		case wanted && at != 0 && at != pos:
			m.t.Fatalf("%d is at %d, and its caller was told %d", op, pos, at)
		case wanted:
			have++
		}
		account = (account*31 + op) % 1000003
	}
	m.ok(rows.Err())
	if have != len(m.want) {
		m.t.Fatalf("the ledger has %d of %d numbers that were acknowledged", have, len(m.want))
	}
	var v, children int
	m.ok(db.QueryRow("SELECT v, (SELECT count(*) FROM child) FROM account").Scan(&v, &children))
	if v != account || children != 0 {
		m.t.Fatalf("the account is %d, want %d; %d orphans", v, account, children)
	}
}
