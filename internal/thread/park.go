package thread

import (
	"sync/atomic"
	"time"
)

// way is how a worker parks.
type way int

const (
	awake way = iota // not parked
	// inChannel hands on: a caller who wakes the worker and parks gives it its
	// processor. It is best when all processors are busy. With one idle, another
	// thread is woken first to take the worker from the caller, and sleeps meanwhile.
	inChannel
	// inKernel has given its processor away before: the kernel wakes the thread, which
	// takes an idle processor. With none idle it waits for time slices of others.
	inKernel
	ways
)

// parker puts a worker to sleep, in one of the ways.
type parker struct {
	token  chan struct{}
	kernel kernelParker
}

// sleep returns after a wake, perhaps one meant for an earlier sleep. mark is in head
// until somebody wakes the worker.
func (p *parker) sleep(how way, head *atomic.Pointer[Task], mark *Task) {
	if how == inKernel {
		p.kernel.sleep(func() bool { return head.Load() == mark })
		return
	}
	<-p.token
}

// wake ends a sleep. It never blocks: if a token is there already, that is enough.
func (p *parker) wake(how way) {
	if how == inKernel {
		p.kernel.wake()
		return
	}
	select {
	case p.token <- struct{}{}:
	default:
	}
}

// starving notes how often workers that had slept in the kernel were kept waiting for a
// processor, for all workers of the process: then all processors are busy, and workers
// park in channels for a while. It is longer each time, until the kernel serves well again.
// So the choice does not go back and forth.
var starving struct {
	score  atomic.Int32 // starved waits weigh four times as much as others
	pause  atomic.Int32 // how many parks the last while had
	remain atomic.Int32 // how many are left of it
}

const (
	starved     = 150 * time.Microsecond // waking a core that halts takes about 60
	mostScore   = 12
	firstPause  = 64
	mostPause   = 4096
	weighStarve = 4
)

// chooseWay returns how to park.
func chooseWay() way {
	if !hasKernelParker {
		return inChannel
	}
	if n := starving.remain.Load(); n > 0 {
		starving.remain.Store(n - 1)
		return inChannel
	}
	return inKernel
}

// noteWake notes how long a worker that had slept in the kernel waited for a processor.
func noteWake(took time.Duration) {
	if took < starved {
		if n := starving.score.Load(); n > -mostScore {
			starving.score.Store(n - 1)
		} else if starving.pause.Load() > 0 {
			starving.pause.Store(0)
		}
		return
	}
	if starving.score.Add(weighStarve) < mostScore {
		return
	}
	starving.score.Store(mostScore - weighStarve) // another one is enough after the pause
	pause := min(max(firstPause, 2*starving.pause.Load()), mostPause)
	starving.pause.Store(pause)
	starving.remain.Store(pause)
}
