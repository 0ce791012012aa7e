package main

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
)

// A relay is a proxy that mistreats connections until it is healed.
type relay struct {
	*proxy.Proxy
	chance *rand.Rand // only OnConnect's
	faults atomic.Int64
	all    sync.WaitGroup
}

// startRelay starts a relay to an address.
func startRelay(to string, seed uint64) (*relay, error) {
	p, err := proxy.New("tcp", to)
	if err != nil {
		return nil, err
	}
	r := &relay{Proxy: p, chance: rand.New(rand.NewPCG(seed, 3))}
	p.OnConnect(func(c *proxy.Conn) {
		f := r.choose()
		r.all.Add(1)
		go func() {
			defer r.all.Done()
			r.inflict(f, c)
		}()
	})
	return r, nil
}

// A fate is what becomes of a connection.
type fate struct {
	kind  string
	after time.Duration
	stall time.Duration // how long the stalls last; then the connection is dropped
}

const (
	served    = "served"    // nothing happens
	dropped   = "dropped"   // both sides see an orderly end
	reset     = "reset"     // the client sees a reset
	stalled   = "stalled"   // nothing goes through
	swallowed = "swallowed" // the server gets everything, and its answers are lost
	slow      = "slow"      // nothing goes through for a while, then all does
)

// choose draws a fate.
func (r *relay) choose() fate {
	kinds := []string{served, dropped, reset, reset, stalled, swallowed, swallowed, slow}
	f := fate{
		kind:  kinds[r.chance.IntN(len(kinds))],
		after: time.Duration(r.chance.IntN(600)) * time.Millisecond,
		stall: time.Duration(200+r.chance.IntN(8000)) * time.Millisecond,
	}
	if r.chance.IntN(6) == 0 {
		f.after = 0 // in the handshake
	}
	if f.kind == slow {
		f.stall /= 8
	}
	return f
}

// inflict does to a connection what its fate says, and returns when it is over.
func (r *relay) inflict(f fate, c *proxy.Conn) {
	if f.kind == served || !wait(f.after, c.Done()) {
		return
	}
	r.faults.Add(1)
	switch f.kind {
	case dropped:
		c.Close()
	case reset:
		c.Reset()
	case stalled, slow:
		c.Stall()
	case swallowed:
		c.Mute()
	}
	wait(f.stall, c.Done())
	if f.kind == slow {
		c.Resume()
	} else {
		c.Close()
	}
}

// wait waits, and reports false if the connection is over first.
func wait(d time.Duration, over <-chan struct{}) bool {
	select {
	case <-time.After(d):
		return true
	case <-over:
		return false
	}
}

// close ends everything and waits for it.
func (r *relay) close() {
	r.Close()
	r.all.Wait()
}
