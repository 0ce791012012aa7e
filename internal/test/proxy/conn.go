package proxy

import (
	"context"
	"net"
	"sync/atomic"
)

// A Conn is a client's connection through a [Proxy]. It is safe for concurrent use.
type Conn struct {
	client *net.TCPConn
	over   context.Context // ends with the connection
	end    context.CancelFunc
	up     gate // to the server
	down   gate // to the client
}

func newConn(client *net.TCPConn) *Conn {
	c := &Conn{client: client}
	c.over, c.end = context.WithCancel(context.Background())
	return c
}

// Stall holds back everything, in both directions, a side's end too.
func (c *Conn) Stall() { c.up.shut(); c.down.shut() }

// Mute holds back what the server sends.
func (c *Conn) Mute() { c.down.shut() }

// Resume passes on what was held back, and all that follows.
func (c *Conn) Resume() { c.up.open(); c.down.open() }

// Close ends the connection. Both sides see an orderly end.
func (c *Conn) Close() { c.end() }

// Reset ends the connection. The client sees a reset.
func (c *Conn) Reset() {
	c.client.SetLinger(0)
	c.end()
}

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.over.Done() }

// serve passes on what a client and its server send, until one of them ends.
func (p *Proxy) serve(c *Conn) {
	defer p.all.Done()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}()
	defer c.client.Close()
	defer c.Close()
	var d net.Dialer
	server, err := d.DialContext(c.over, p.network, p.server)
	if err != nil {
		return
	}
	defer server.Close()
	p.all.Add(2)
	go func() {
		defer p.all.Done()
		c.pass(server, c.client, &c.up, func(data []byte) []byte {
			if request := p.current().request; request != nil && !request(c, data) {
				return nil
			}
			return data
		})
	}()
	go func() {
		defer p.all.Done()
		n := 0
		c.pass(c.client, server, &c.down, func(data []byte) []byte {
			n++
			if answer := p.current().answer; answer != nil {
				return answer(n, data)
			}
			return data
		})
	}()
	<-c.Done()
}

// pass is one direction of a connection.
func (c *Conn) pass(to, from net.Conn, through *gate, change func([]byte) []byte) {
	defer c.Close()
	for b := make([]byte, 64<<10); ; {
		n, err := from.Read(b)
		if !through.wait(c.Done()) {
			return
		}
		if n > 0 {
			if _, err := to.Write(change(b[:n])); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// A gate can be shut. The zero gate is open.
type gate struct {
	waiting atomic.Pointer[chan struct{}] // nil while the gate is open; closed when it is opened
}

func (g *gate) shut() {
	waiting := make(chan struct{})
	g.waiting.CompareAndSwap(nil, &waiting)
}

func (g *gate) open() {
	if waiting := g.waiting.Swap(nil); waiting != nil {
		close(*waiting)
	}
}

// wait waits until the gate is open. It returns false if the connection ends first.
func (g *gate) wait(over <-chan struct{}) bool {
	waiting := g.waiting.Load()
	if waiting == nil {
		return true
	}
	select {
	case <-*waiting:
		return true
	case <-over:
		return false
	}
}
