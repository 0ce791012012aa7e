package thread

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/goid"
)

// A Worker is a threadpin.Worker, or a branch of one. The public methods are described
// there.
type Worker struct {
	core   *core
	branch bool
	closed atomic.Bool
}

// live counts the workers whose threads have not ended.
var live atomic.Int64

// workers holds their goroutines, as goid tells them.
var workers sync.Map

// enlist counts one more worker, unless there are most already. A refused one is not
// counted even for a moment: it could keep out another.
func enlist(most int64) error {
	for {
		n := live.Load()
		if n >= most {
			return fmt.Errorf("threadpin: %w: %d are running, and WithMaxThreads allows %d",
				ErrTooManyThreads, n, most)
		}
		if live.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// Start is threadpin.Start.
func Start(opts ...Option) (*Worker, error) {
	cfg := newConfig(opts)
	bubble := inBubble()
	if bubble {
		cfg.Spin = 0 // time would stand still meanwhile
	}
	if err := enlist(int64(cfg.MaxThreads)); err != nil {
		return nil, err
	}
	c := &core{
		room:     room{places: int64(cfg.Queue)},
		heat:     heat{spin: cfg.Spin},
		park:     parker{token: make(chan struct{}, 1)},
		adapt:    cfg.Adapt,
		bubble:   bubble,
		quitting: make(chan struct{}),
		ended:    make(chan struct{}),
	}
	c.heat.inbox = &c.inbox
	started := make(chan error, 1)
	go c.main(cfg, started)
	if err := <-started; err != nil {
		<-c.ended
		if p, ok := err.(*PanicError); ok {
			p.raise()
		}
		return nil, err
	}
	return &Worker{core: c}, nil
}

// Branch returns a worker that shares w's thread. Quitting the branch leaves
// the thread running; when w quits, its branches have quit too.
func (w *Worker) Branch() *Worker { return &Worker{core: w.core, branch: true} }

// Quit refuses later calls, waits until those that are queued have run, and
// ends the thread; on a branch it only refuses later calls.
func (w *Worker) Quit() error {
	c := w.core
	again := !w.closed.CompareAndSwap(false, true)
	if w.branch {
		if again || c.quit.Load() {
			return ErrAlreadyQuit
		}
		return nil
	}
	if c.quit.CompareAndSwap(false, true) {
		close(c.quitting)
		if how := c.inbox.unpark(); how != awake {
			c.park.wake(how)
		}
	} else {
		again = true
	}
	if !w.OnThread() {
		<-c.ended
	}
	if again {
		return ErrAlreadyQuit
	}
	return nil
}

// OnThread reports whether a call would run inline.
func (w *Worker) OnThread() bool { return w.core.runsOn.Load() == goid.Get() }

// OnOtherThread reports whether the caller is on the thread of another worker, so that
// a call would make one worker wait for another.
func (w *Worker) OnOtherThread() bool {
	if live.Load() < 2 {
		return false
	}
	g := goid.Get()
	_, ok := workers.Load(g)
	return ok && g != w.core.runsOn.Load()
}

// ThreadID returns what ID returns on the worker's thread.
func (w *Worker) ThreadID() int { return w.core.threadID }

// Queued returns how many calls wait for the thread.
func (w *Worker) Queued() int { return w.core.room.waitingCalls() }

// Counters returns how many calls have run, how long they waited for the thread,
// and how long they ran, in sum.
func (w *Worker) Counters() (run int64, waiting, running time.Duration) {
	c := w.core
	return c.runs.Load(), time.Duration(c.waited.Load()), time.Duration(c.ran.Load())
}
