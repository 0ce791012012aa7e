package main

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A relay is a TCP proxy on the loopback interface that mistreats connections.
type relay struct {
	to       string
	listener net.Listener
	healthy  atomic.Bool // new connections are served well; see heal
	faults   atomic.Int64
	all      sync.WaitGroup

	mu     sync.Mutex
	chance *rand.Rand          // guarded by mu
	open   map[net.Conn]func() // guarded by mu: what ends each connection
}

// startRelay starts a relay to an address.
func startRelay(to string, seed uint64) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &relay{to: to, listener: l, chance: rand.New(rand.NewPCG(seed, 3)), open: make(map[net.Conn]func())}
	p.all.Add(1)
	go p.accept()
	return p, nil
}

func (p *relay) addr() string { return p.listener.Addr().String() }

func (p *relay) accept() {
	defer p.all.Done()
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Add(1)
		go func() {
			defer p.all.Done()
			p.serve(c.(*net.TCPConn))
		}()
	}
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
func (p *relay) choose() fate {
	if p.healthy.Load() {
		return fate{kind: served}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	kinds := []string{served, dropped, reset, reset, stalled, swallowed, swallowed, slow}
	f := fate{
		kind:  kinds[p.chance.IntN(len(kinds))],
		after: time.Duration(p.chance.IntN(600)) * time.Millisecond,
		stall: time.Duration(200+p.chance.IntN(8000)) * time.Millisecond,
	}
	if p.chance.IntN(6) == 0 {
		f.after = 0 // in the handshake
	}
	if f.kind == slow {
		f.stall /= 8
	}
	return f
}

// serve relays one connection to its end.
func (p *relay) serve(client *net.TCPConn) {
	f := p.choose()
	upstream, err := net.Dial("tcp", p.to)
	if err != nil {
		client.Close()
		return
	}
	server := upstream.(*net.TCPConn)
	over := make(chan struct{})
	end := sync.OnceFunc(func() {
		close(over)
		client.Close()
		server.Close()
	})
	defer end()
	p.mu.Lock()
	p.open[client] = end
	p.mu.Unlock()
	if f.kind != served && p.healthy.Load() {
		return // heal came between, and has not seen it
	}
	defer func() {
		p.mu.Lock()
		delete(p.open, client)
		p.mu.Unlock()
	}()

	up, down := newValve(), newValve()
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); defer end(); up.copy(server, client, over) }()
	go func() { defer both.Done(); defer end(); down.copy(client, server, over) }()
	if f.kind != served {
		p.inflict(f, client, up, down, over)
		if f.kind != slow {
			end()
		}
	}
	both.Wait()
}

// inflict does to a connection what its fate says, and returns when it is over.
func (p *relay) inflict(f fate, client *net.TCPConn, up, down *valve, over <-chan struct{}) {
	if !wait(f.after, over) {
		return
	}
	p.faults.Add(1)
	switch f.kind {
	case reset:
		client.SetLinger(0)
	case stalled, slow:
		up.shut.Store(true)
		down.shut.Store(true)
		wait(f.stall, over)
		up.shut.Store(false)
		down.shut.Store(f.kind == stalled) // a stalled one is dropped as it is
	case swallowed:
		down.shut.Store(true)
		wait(f.stall, over)
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

// A valve is one direction of a connection.
type valve struct{ shut atomic.Bool }

func newValve() *valve { return new(valve) }

// copy copies until either side ends. While the valve is shut it holds back what
// it has read.
func (v *valve) copy(to io.Writer, from io.Reader, over <-chan struct{}) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		for v.shut.Load() {
			if !wait(5*time.Millisecond, over) {
				return
			}
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// heal ends the connections that there are and serves new ones well.
func (p *relay) heal() {
	p.healthy.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range p.open {
		end()
	}
}

// close ends everything and waits for it.
func (p *relay) close() {
	p.listener.Close()
	p.heal()
	p.all.Wait()
}
