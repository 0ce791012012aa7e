package conformance

import (
	"context"
	"database/sql/driver"
)

// miniStmt is a statement, prepared for the program or for one call.
type miniStmt struct {
	c     *miniConn
	inner driver.Stmt
}

func (c *miniConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *miniConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.skipped {
		c.skipped = false
		return nil, driver.ErrSkip
	}
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *miniConn) prepare(ctx context.Context, query string) (*miniStmt, error) {
	if p, ok := c.inner.(driver.ConnPrepareContext); ok {
		inner, err := p.PrepareContext(ctx, query)
		return &miniStmt{c, inner}, err
	}
	inner, err := c.inner.Prepare(query)
	if err == nil && ctx.Err() != nil && !c.m.has("runs what was cancelled") {
		inner.Close()
		return nil, ctx.Err()
	}
	return &miniStmt{c, inner}, err
}

func (c *miniConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	res, err := c.execDirect(ctx, query, args)
	if err != driver.ErrSkip {
		return readAhead(res, err)
	}
	if c.m.has("drops ErrSkip") {
		return driver.ResultNoRows, nil
	}
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, c.skip(err)
	}
	defer s.closeImplicit()
	res, err = s.ExecContext(ctx, args)
	return res, c.skip(err)
}

// skip lets an ErrSkip that came from a statement reach the program: to
// database/sql it would mean to prepare, so that must fail with it.
func (c *miniConn) skip(err error) error {
	c.skipped = err == driver.ErrSkip
	return err
}

func (c *miniConn) execDirect(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	modern, isModern := c.inner.(driver.ExecerContext)
	old, isOld := c.inner.(driver.Execer)
	if !isModern && (!isOld || c.m.has("forgets old drivers")) {
		return nil, driver.ErrSkip
	}
	args, err := c.m.check(c.inner, nil, args)
	if err != nil {
		return nil, err
	}
	if isModern {
		return modern.ExecContext(c.m.context(ctx), query, args)
	}
	values, err := c.m.old(ctx, args)
	if err != nil {
		return nil, err
	}
	return old.Exec(query, values)
}

func (m *mini) context(ctx context.Context) context.Context {
	if m.has("drops contexts") {
		return context.Background()
	}
	return ctx
}

func (s *miniStmt) Close() error { return s.inner.Close() }

func (s *miniStmt) closeImplicit() {
	if !s.c.m.has("leaks statements") {
		s.inner.Close()
	}
}

func (s *miniStmt) NumInput() int { return -1 }

func (s *miniStmt) CheckNamedValue(*driver.NamedValue) error { return nil }

func (s *miniStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.inner.Exec(args)
}

func (s *miniStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.inner.Query(args)
}

func (s *miniStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	args, err := s.c.m.check(s.c.inner, s.inner, args)
	if err != nil {
		return nil, err
	}
	if e, ok := s.inner.(driver.StmtExecContext); ok {
		return readAhead(e.ExecContext(ctx, args))
	}
	values, err := s.c.m.old(ctx, args)
	if err != nil {
		return nil, err
	}
	return readAhead(s.inner.Exec(values))
}

// miniResult has asked already.
type miniResult struct {
	id, affected       int64
	idErr, affectedErr error
}

func readAhead(res driver.Result, err error) (driver.Result, error) {
	if err != nil {
		return nil, err
	}
	var r miniResult
	r.id, r.idErr = res.LastInsertId()
	r.affected, r.affectedErr = res.RowsAffected()
	return r, nil
}

func (r miniResult) LastInsertId() (int64, error) { return r.id, r.idErr }

func (r miniResult) RowsAffected() (int64, error) { return r.affected, r.affectedErr }
