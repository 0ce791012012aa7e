package tour

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/sqlaio/sqlaio/overlay"
)

// Queries is what sqlc generates: its methods are the queries, and it takes whatever
// has these four methods.
type (
	Queries struct{ db DBTX }

	DBTX interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
		PrepareContext(context.Context, string) (*sql.Stmt, error)
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
		QueryRowContext(context.Context, string, ...any) *sql.Row
	}
)

func New(db DBTX) *Queries { return &Queries{db} }

func (q *Queries) Name(ctx context.Context, id int) (name string, err error) {
	return name, q.db.QueryRowContext(ctx, "SELECT name FROM users WHERE id = ?", id).Scan(&name)
}

func (q *Queries) Rename(ctx context.Context, name string, id int) error {
	_, err := q.db.ExecContext(ctx, "UPDATE users SET name = ? WHERE id = ?", name, id)
	return err
}

func Example_unitOfWork() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		renamed := overlay.RunInThread(ctx, engine, func(ctx context.Context, c *sql.Conn) (old string, err error) {
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return "", err
			}
			defer tx.Rollback()
			q := New(tx) // sqlc's queries: they know nothing of threads
			if old, err = q.Name(ctx, 3); err != nil {
				return "", err
			}
			if err := q.Rename(ctx, old+"iel", 3); err != nil {
				return "", err
			}
			return old, tx.Commit()
		})
		old, err := renamed.Await(ctx)
		if err != nil {
			return err
		}
		fmt.Println("it was", old)
		return nil
	})
	// Output: it was Dan
}
