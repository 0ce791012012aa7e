package mysql

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// proxy passes connections on to a server, counts them, and fails on demand.
type proxy struct {
	t        testing.TB
	target   *mysql.Config
	listener net.Listener
	wg       sync.WaitGroup

	opened, open, most atomic.Int32

	mu      sync.Mutex
	greet   func([]byte) []byte // may change what the server sends first
	refuse  bool                // new connections are closed at once
	mute    bool                // new connections are accepted, and nothing else
	hang    chan struct{}       // closed: no connection passes anything on any more
	swallow chan struct{}       // closed: what the server sends is not passed on
	conns   map[net.Conn]bool
}

// startProxy returns a proxy in front of cfg's server, and the configuration
// that leads through it.
func startProxy(t testing.TB, cfg *mysql.Config) (*proxy, *mysql.Config) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, target: cfg, listener: l, hang: make(chan struct{}), swallow: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(p.stop)
	through := cfg.Clone()
	through.Net, through.Addr = "tcp", l.Addr().String()
	return p, through
}

func (p *proxy) stop() {
	p.listener.Close()
	p.cut()
	p.wg.Wait()
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) set(change func(p *proxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *proxy) accept() {
	defer p.wg.Done()
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.opened.Add(1)
		p.mu.Lock()
		refuse, mute := p.refuse, p.mute
		p.conns[c] = true
		p.mu.Unlock()
		if refuse {
			c.Close()
		} else if !mute {
			p.wg.Add(1)
			go p.serve(c)
		}
	}
}

func (p *proxy) serve(client net.Conn) {
	defer p.wg.Done()
	defer client.Close()
	var d net.Dialer
	server, err := d.DialContext(context.Background(), p.target.Net, p.target.Addr)
	if err != nil {
		p.t.Error("proxy:", err)
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[server] = true
	greet, hang, swallow := p.greet, p.hang, p.swallow
	p.mu.Unlock()
	n := p.open.Add(1)
	defer p.open.Add(-1)
	for {
		most := p.most.Load()
		if n <= most || p.most.CompareAndSwap(most, n) {
			break
		}
	}
	var both sync.WaitGroup
	both.Add(2)
	pass := func(dst, src net.Conn, change func([]byte) []byte, swallow chan struct{}) {
		defer both.Done()
		defer dst.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := src.Read(b)
			select {
			case <-hang:
				_, _ = io.Copy(io.Discard, src) // until it is closed
				return
			case <-swallow:
				_, _ = io.Copy(io.Discard, src)
				return
			default:
			}
			data := b[:n]
			if change != nil && n > 0 {
				data, change = change(data), nil
			}
			if _, werr := dst.Write(data); err != nil || werr != nil {
				return
			}
		}
	}
	go pass(server, client, nil, nil)
	go pass(client, server, greet, swallow)
	both.Wait()
}
