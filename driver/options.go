package driver

import (
	"github.com/sqlaio/sqlaio/internal/face"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/threadpin"
)

// An Option configures the connections of one wrapped driver or connector.
type Option func(*options)

type options struct {
	thread  []threadpin.Option
	face    face.Options
	tracers *pinned.Tracers
}

func newOptions(opts []Option) *options {
	o := &options{face: *face.Default}
	for _, opt := range opts {
		if opt != nil {
			opt(o)
		}
	}
	return o
}

// WithThread configures the thread of every connection: its name, what runs
// when it starts and ends, how long hops wait actively, and with
// threadpin.WithMaxThreads how many threads the process may have (1000
// otherwise), past which opening a connection fails.
func WithThread(opts ...threadpin.Option) Option {
	return func(o *options) { o.thread = append(o.thread, opts...) }
}

// WithBatch bounds how far the worker reads ahead of Rows.Next: at most rows
// rows, and no further than the row that brings the batch's text and binary
// values to bytes. The defaults are 256 rows and 1 MiB; values below 1 mean 1.
// WithBatch(1, 1) reads strictly on demand, at one hop a row.
func WithBatch(rows, bytes int) Option {
	return func(o *options) { o.face.Rows, o.face.Bytes = max(rows, 1), max(bytes, 1) }
}
