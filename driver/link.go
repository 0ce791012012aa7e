package driver

import (
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/threadpin"
)

// link is the inner connection and its thread. It outlives the conn in front
// of it: a conn that is garbage collected without Close is closed
// through its link.
type link struct {
	worker *threadpin.Worker
	inner  driver.Conn // the thread's; nil once closed
	intr   Interrupter // nil: contexts go to the inner driver
}

// close closes what is still open when the thread ends by itself: after
// runtime.Goexit on it, or because nobody had a use for the conn any more.
func (l *link) close() {
	if l.inner != nil {
		l.inner.Close()
		l.inner = nil
	}
}

// abandon ends the thread of a conn that was lost. It runs in a goroutine of
// the runtime's that must not block.
func (l *link) abandon() { go l.worker.Quit() }
