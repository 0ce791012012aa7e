package overlay

import (
	"fmt"
	"io"
	"slices"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// bigRow is from how many bytes of text and binary on a row gets space of its own.
const bigRow = 4096

// reader reads rows of the inner driver on the thread.
type reader struct {
	rows  *pinned.Rows
	keys  []string
	fresh bool    // []byte values need no copy
	space []value // for rows to come
	chunk int     // for how many rows space is made next
}

func newReader(rows *pinned.Rows, traits pinned.Traits) *reader {
	return &reader{rows: rows, keys: rows.Inner().Columns(), fresh: traits.FreshBytes, chunk: 1}
}

// next reads a row, and returns about how many bytes it takes. The values are the
// caller's.
func (r *reader) next() (row []value, size int, err error) {
	width := len(r.keys)
	if len(r.space) < width {
		r.space = make([]value, width*r.chunk)
		r.chunk = min(2*r.chunk, 64, max(1, 4096/max(1, width)))
	}
	row = r.space[:width:width]
	if err := r.rows.Next(row); err != nil {
		return nil, 0, err
	}
	r.space = r.space[width:]
	size = 40 + 16*width
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			if !r.fresh && v != nil {
				row[i] = slices.Clone(v)
			}
			size += len(v)
		case string:
			size += len(v)
		}
	}
	if size > 40+16*width+bigRow { // rows that share space keep each other alive
		r.space, r.chunk = nil, 1
	}
	return row, size, nil
}

// readAll reads all rows, which may take limit bytes. A limit of 0 is none.
func readAll(rows *pinned.Rows, traits pinned.Traits, limit int64) (keys []string, all [][]value, err error) {
	r := newReader(rows, traits)
	total := int64(0)
	for {
		row, size, err := r.next()
		switch {
		case err == io.EOF && len(r.keys) == 0: // some drivers have only now executed it
			return nil, nil, nil
		case err == io.EOF:
			return r.keys, all, nil
		case err != nil:
			return nil, nil, err
		}
		if total += int64(size); limit > 0 && total > limit {
			return nil, nil, fmt.Errorf("%w: more than %d bytes", ErrResultTooLarge, limit)
		}
		all = append(all, row)
	}
}
