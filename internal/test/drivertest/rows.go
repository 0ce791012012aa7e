package drivertest

import (
	"context"
	"database/sql/driver"
	"io"
)

// rows is the core of every result.
type rows struct {
	object
	ctx    context.Context // of the query: Next ends with it
	script Script
	args   []driver.NamedValue
	buf    []byte // shared by all []byte values if the script says reuse

	set   int // current result set, from 1
	row   int // rows returned from it
	nexts int // calls of Next on the whole result
}

// open runs a script that returns rows, which belong to parent.
func (s Script) open(parent *object, k Call, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.start(parent, k); err != nil {
		return nil, err
	}
	r := &rows{object: parent.child("r", s.query), ctx: k.Ctx, script: s, args: args, set: 1}
	if s.reuse {
		r.buf = make([]byte, s.size)
	}
	r.opened()
	return parent.d.newRows(r), nil
}

// Columns implements driver.Rows.
func (r *rows) Columns() []string {
	r.ask("Rows.Columns", "")
	return r.columns()
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	err := r.do("Rows.Close", nil, "", func(Call) error {
		if r.script.closeError {
			return ErrClose
		}
		return nil
	})
	r.finish()
	r.spoil()
	return err
}

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	return r.do("Rows.Next", nil, "", func(k Call) error {
		r.spoil()
		r.nexts++
		if err := r.hold(k); err != nil {
			return err
		}
		if r.nexts == r.script.errorAt {
			return ErrRow
		}
		if r.row >= r.count() {
			return io.EOF
		}
		r.row++
		copy(dest, r.values())
		return nil
	})
}

// hold sleeps or blocks as the script says, under the query's context.
func (r *rows) hold(k Call) error {
	k.Ctx = r.ctx
	if r.script.slow > 0 {
		if err := r.sleep(k, r.script.slow); err != nil {
			return err
		}
	}
	if r.nexts == r.script.blockAt {
		return r.wait(r.ctx, k.interrupted, nil)
	}
	return nil
}

// spoil overwrites the shared buffer: what was handed out is no longer valid.
func (r *rows) spoil() {
	for i := range r.buf {
		r.buf[i] = '#'
	}
}

// hasNextResultSet and nextResultSet are the optional RowsNextResultSet.
func (r *rows) hasNextResultSet() bool {
	return !r.ask("Rows.HasNextResultSet", "") && r.set < r.script.sets
}

func (r *rows) nextResultSet() error {
	return r.do("Rows.NextResultSet", nil, "", func(Call) error {
		if r.set >= r.script.sets {
			return io.EOF
		}
		if r.set+1 == r.script.setErrorAt {
			return ErrSet
		}
		r.set++
		r.row = 0
		return nil
	})
}
