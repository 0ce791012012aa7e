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

// starving weighs what the kernel costs workers that sleep there, for all of the process.
// While a processor is idle it spares each hop about what spared says. If all are busy, a
// worker that is woken waits for whole time slices of others. Once such waits have cost
// more than was spared lately, workers sleep in channels, and only one park in pause tries
// the kernel: the worse the waits were, the fewer. So the choice does not go back and forth.
var starving struct {
	lost  atomic.Int64 // nanoseconds, while pause is 0: what waits have cost over what was spared
	pause atomic.Int32 // 0: workers sleep in the kernel
	until atomic.Int32 // how many parks are left until the next try
}

const (
	spared     = 30 * time.Microsecond
	mostSpared = 64 * spared
	starved    = 150 * time.Microsecond // waking a core that halts takes about 60
	leastPause = 64
	mostPause  = 8192
)

// crowded reports whether workers sleep in channels since all processors are busy.
func crowded() bool { return starving.pause.Load() > 0 }

// chooseWay returns how to park, and whether that only tries the kernel.
func chooseWay() (how way, tries bool) {
	switch {
	case !hasKernelParker:
		return inChannel, false
	case !crowded():
		return inKernel, false
	case starving.until.Add(-1) != 0:
		return inChannel, false
	}
	starving.until.Store(starving.pause.Load())
	return inKernel, true
}

// noteWake notes how long a worker that had slept in the kernel waited for a processor, and
// whether that was only a try.
func noteWake(took time.Duration, tried bool) {
	pause := starving.pause.Load()
	switch {
	case pause > 0 && !tried: // it has slept since before they were crowded
	case pause > 0 && took < starved:
		pause /= 4
		if pause < leastPause {
			pause = 0
			starving.lost.Store(0)
		}
		crowd(pause)
	case pause > 0:
		crowd(min(2*pause, mostPause))
	case took < starved:
		if starving.lost.Load() > -int64(mostSpared) {
			starving.lost.Add(-int64(spared))
		}
	case starving.lost.Add(int64(took)) > 0:
		crowd(int32(min(max(leastPause, took/spared), mostPause)))
	}
}

func crowd(pause int32) {
	starving.until.Store(pause)
	starving.pause.Store(pause)
}
