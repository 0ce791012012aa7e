// Package proxy stands between a test and its database server as a network that fails on demand.
package proxy

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A Proxy is a TCP proxy on the loopback interface. It passes everything on until it is told
// otherwise. It is safe for concurrent use.
type Proxy struct {
	Opened atomic.Int32 // the connections there have been
	Most   atomic.Int32 // the most connections at a time

	network, server string
	listener        net.Listener
	all             sync.WaitGroup

	mu    sync.Mutex
	conns map[*Conn]bool // guarded by mu
	rules rules          // guarded by mu
}

// The rules of a network that fails. A nil one has no effect.
type rules struct {
	connect func(*Conn)
	request func(*Conn, []byte) (pass bool)
	answer  func(n int, data []byte) []byte
}

// New starts a proxy for a server.
func New(network, server string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{network: network, server: server, listener: l, conns: map[*Conn]bool{}}
	p.all.Add(1)
	go p.accept()
	return p, nil
}

// Before starts a proxy for cfg's server, which the test's end closes, and returns the
// configuration that leads through it.
func Before(t testing.TB, cfg *mysql.Config) (p *Proxy, through *mysql.Config) {
	t.Helper()
	p, err := New(cfg.Net, cfg.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	through = cfg.Clone()
	through.Net, through.Addr = "tcp", p.Addr()
	return p, through
}

// Addr returns the address on which the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// OnConnect has do called with every new connection, one after the other, before its server is
// dialed.
func (p *Proxy) OnConnect(do func(*Conn)) { p.change(func(r *rules) { r.connect = do }) }

// Every calls do with every connection there is, and has it called with every new one.
func (p *Proxy) Every(do func(*Conn)) {
	for _, c := range p.change(func(r *rules) { r.connect = do }) {
		do(c)
	}
}

// At has do called at every request that contains text. The request is lost unless do returns
// true; what do stalls is stalled from the next one on. The channel is closed at the first.
func (p *Proxy) At(text string, do func(*Conn) (pass bool)) (seen <-chan struct{}) {
	first := make(chan struct{})
	see := sync.OnceFunc(func() { close(first) })
	p.change(func(r *rules) {
		r.request = func(c *Conn, data []byte) bool {
			if !bytes.Contains(data, []byte(text)) {
				return true
			}
			defer see()
			return do(c)
		}
	})
	return first
}

// Delay keeps back the answer to every request that contains text.
func (p *Proxy) Delay(text string, by time.Duration) {
	p.At(text, func(c *Conn) bool {
		c.Mute()
		time.AfterFunc(by, c.Resume)
		return true
	})
}

// OnAnswer has change called with the nth thing that a connection's server has sent. What it
// returns is passed on.
func (p *Proxy) OnAnswer(change func(n int, data []byte) []byte) {
	p.change(func(r *rules) { r.answer = change })
}

// Heal undoes OnConnect, Every, At and OnAnswer for what comes. Connections that are stalled stay so.
func (p *Proxy) Heal() { p.change(func(r *rules) { *r = rules{} }) }

// Cut heals the network and ends every connection there is.
func (p *Proxy) Cut() {
	for _, c := range p.change(func(r *rules) { *r = rules{} }) {
		c.Close()
	}
}

// Close ends everything and waits for it.
func (p *Proxy) Close() {
	p.listener.Close()
	p.Every((*Conn).Close)
	p.all.Wait()
}

// change changes the rules, and returns the connections that were there by then.
func (p *Proxy) change(change func(*rules)) (conns []*Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.rules)
	for c := range p.conns {
		conns = append(conns, c)
	}
	return conns
}

func (p *Proxy) current() rules {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules
}

func (p *Proxy) accept() {
	defer p.all.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.Opened.Add(1)
		c := newConn(client.(*net.TCPConn))
		p.mu.Lock()
		p.conns[c] = true
		if n := int32(len(p.conns)); n > p.Most.Load() {
			p.Most.Store(n)
		}
		connect := p.rules.connect
		p.mu.Unlock()
		if connect != nil {
			connect(c)
		}
		p.all.Add(1)
		go p.serve(c)
	}
}
