//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// Whatever a member does with savepoints, also with ones that are named like the
// writer's, one that fails keeps nothing, and takes nothing from the others.
func TestWriterMembersSavepoints(t *testing.T) {
	const insert = "INSERT INTO t VALUES (50, 'x')"
	for _, name := range []string{"sqlaio_member", "own"} {
		for what, texts := range map[string][]string{
			"one of its own":      {insert, "SAVEPOINT name", "INSERT INTO t VALUES (51, 'x')"},
			"two of its own":      {insert, "SAVEPOINT name", "SAVEPOINT name", "INSERT INTO t VALUES (51, 'x')"},
			"one rolled back to":  {insert, "SAVEPOINT name", "INSERT INTO t VALUES (51, 'x')", "ROLLBACK TO name", "INSERT INTO t VALUES (52, 'x')"},
			"released":            {insert, "RELEASE name", "INSERT INTO t VALUES (51, 'x')"},
			"rolled back to":      {insert, "ROLLBACK TO name", "INSERT INTO t VALUES (51, 'x')"},
			"released, and begun": {insert, "RELEASE name", "SAVEPOINT name", "INSERT INTO t VALUES (51, 'x')"},
		} {
			for i := range texts {
				texts[i] = strings.ReplaceAll(texts[i], "name", name)
			}
			ways := map[string]func(e *overlay.Engine, fails bool) func() error{
				"function": func(e *overlay.Engine, fails bool) func() error {
					f := overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
						for _, text := range texts {
							c.ExecContext(ctx, text)
						}
						if fails {
							return 0, errors.New("failed")
						}
						return 0, nil
					})
					return func() error { return second(f.Await(background)) }
				},
				"batch": func(e *overlay.Engine, fails bool) func() error {
					var batch []overlay.Statement
					for _, text := range texts {
						batch = append(batch, overlay.Statement{Query: text})
					}
					if fails {
						batch = append(batch, overlay.Statement{Query: "INSERT INTO t VALUES (1, 'again')"})
					}
					f := e.BatchAsync(background, batch, overlay.InTx(nil))
					return func() error { return second(f.Await(background)) }
				},
			}
			for way, start := range ways {
				for _, fails := range []bool{true, false} {
					t.Run(strings.Join([]string{name, what, way, map[bool]string{true: "fails", false: "succeeds"}[fails]}, "/"), func(t *testing.T) {
						e, _ := withWriter(t)
						release := held(t, e)
						a := e.ExecAsync(background, "INSERT INTO t VALUES (1, 'a')")
						culprit := start(e, fails)
						b := e.ExecAsync(background, "INSERT INTO t VALUES (2, 'b')")
						other := overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
							return 0, errors.Join(second(c.ExecContext(ctx, "INSERT INTO t VALUES (60, 'x')")), errors.New("failed"))
						})
						release()
						must(t, a)
						must(t, b)
						failure(t, other)
						err := culprit()
						if fails && (err == nil || errors.Is(err, overlay.ErrOutcomeUnknown)) {
							t.Errorf("the culprit got %v", err)
						}
						got := keys(t, e)
						if len(got) < 2 || !slices.Equal(got[:2], []int{1, 2}) || slices.Contains(got, 60) || (err != nil) != (len(got) == 2) {
							t.Errorf("the table has %v; the culprit got %v", got, err)
						}
					})
				}
			}
		}
	}
}

// A member whose savepoint cannot be made, as when it is stopped at that moment, fails
// alone, wherever in the group it is.
func TestWriterSavepointFails(t *testing.T) {
	type statements = []overlay.Statement
	for name, start := range map[string]func(e *overlay.Engine, k int) func() error{
		"function": func(e *overlay.Engine, k int) func() error {
			return outcome(overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				return 0, second(c.ExecContext(ctx, "INSERT INTO t VALUES (?, 'x')", k))
			}))
		},
		"returning": func(e *overlay.Engine, k int) func() error {
			return outcome(overlay.Scalar[int](background, e, "INSERT INTO t VALUES (?, 'x') RETURNING k", k))
		},
		"batch": func(e *overlay.Engine, k int) func() error {
			return outcome(e.BatchAsync(background, statements{{Query: "INSERT INTO t VALUES (?, 'x')", Args: []any{k}}}, overlay.InTx(nil)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for culprit := range 3 {
				e, _ := withWriter(t)
				begun := -1 // savepoints; the thread's
				must(t, overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
					return 0, aio.Raw(ctx, c, func(inner driver.Conn) error {
						inner.(*sqlite3.SQLiteConn).RegisterAuthorizer(func(op int, what, _, _ string) int {
							if op == sqlite3.SQLITE_SAVEPOINT && what == "BEGIN" {
								if begun++; begun == culprit+1 { // after the one that holds the writer
									return sqlite3.SQLITE_DENY
								}
							}
							return sqlite3.SQLITE_OK
						})
						return nil
					})
				}))
				release := held(t, e)
				a := e.ExecAsync(background, "INSERT INTO t VALUES (10, 'a')")
				outcomes := []func() error{start(e, 0), start(e, 1), start(e, 2)}
				b := e.ExecAsync(background, "INSERT INTO t VALUES (11, 'b')")
				release()
				must(t, a)
				must(t, b)
				for k, outcome := range outcomes {
					switch err := outcome(); {
					case k != culprit:
						noError(t, err)
					case err == nil || errors.Is(err, overlay.ErrOutcomeUnknown):
						t.Errorf("the culprit got %v", err)
					}
				}
				if got := keys(t, e); len(got) != 4 || slices.Contains(got, culprit) {
					t.Errorf("without %d the table has %v", culprit, got)
				}
			}
		})
	}
}
