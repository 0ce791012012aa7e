package face

import (
	"database/sql/driver"
	"sync/atomic"
)

// batch is a run of rows on their way from the worker to the caller. The worker fills
// it, adding to n after each row, and seals it. Then it is the caller's until it is
// reset for another fill.
type batch struct {
	*mark
	values []driver.Value // row by row
	width  int
	arena  []byte // copies of []byte values; old ones die with the next fill
	err    error  // what Next returned after the last row, if that is known
}

// mark is what the caller polls of a batch.
type mark struct {
	n      atomic.Int32 // rows that the caller may take
	sealed atomic.Bool  // no more rows will come, and err is set
}

// sealedBatch returns a batch without rows that ends with err.
func sealedBatch(err error) *batch {
	b := &batch{mark: new(mark)}
	b.seal(err)
	return b
}

func (b *batch) reset() {
	b.arena = b.arena[:0]
	b.n.Store(0)
	b.sealed.Store(false)
	b.err = nil
}

// shape makes space for rows of width values, in space if that is enough.
func (b *batch) shape(rows, width int, space []driver.Value) {
	b.width = width
	switch need := rows * width; {
	case need <= cap(b.values):
		b.values = b.values[:need]
	case need <= len(space):
		b.values = space[:need]
	default:
		b.values = make([]driver.Value, need)
	}
}

func (b *batch) row(i int) []driver.Value {
	return b.values[i*b.width : (i+1)*b.width : (i+1)*b.width]
}

func (b *batch) seal(err error) {
	b.err = err
	b.sealed.Store(true)
}

// keep copies a []byte value, which the driver may overwrite with its next
// row. nil and empty stay apart.
func (b *batch) keep(v []byte) []byte {
	if len(v) == 0 {
		return v
	}
	start := len(b.arena)
	b.arena = append(b.arena, v...)
	return b.arena[start:len(b.arena):len(b.arena)]
}
