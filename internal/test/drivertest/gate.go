package drivertest

import "sync"

// A Gate holds calls of a method until the test opens it.
type Gate struct {
	arrived chan Call
	opened  chan struct{}
	once    sync.Once
	remove  func()
}

// Gate makes all calls of a method wait until Open, an interrupt or the end of
// their context; the latter two make the call fail.
func (d *Driver) Gate(method string) *Gate {
	g := &Gate{arrived: make(chan Call, 1024), opened: make(chan struct{})}
	g.remove = d.On(method, g.hold)
	return g
}

func (g *Gate) hold(k Call) error {
	g.arrived <- k
	var ended <-chan struct{}
	if k.Ctx != nil {
		ended = k.Ctx.Done()
	}
	select {
	case <-g.opened:
		return nil
	case <-k.interrupted:
		return ErrInterrupted
	case <-ended:
		return k.Ctx.Err()
	}
}

// Wait returns the next call that has come to the gate.
func (g *Gate) Wait() Call { return <-g.arrived }

// Open lets the calls go on and takes the gate away. It may be called twice.
func (g *Gate) Open() {
	g.once.Do(func() {
		g.remove()
		close(g.opened)
	})
}
