//go:build !linux || threadpin_portable

package mysql

import "time"

// quiet is not known on these systems.
func quiet(stream) bool { return false }

// reader reads from a stream, on these systems always through Go's network poller.
type reader struct{}

func (*reader) start(stream)                         {}
func (*reader) setDeadline(time.Time)                {}
func (*reader) read(s stream, b []byte) (int, error) { return s.Read(b) }
