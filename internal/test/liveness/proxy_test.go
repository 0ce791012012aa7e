package liveness_test

import (
	"bytes"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A proxy stands between the tests and the MariaDB server as a network that
// stalls: it never closes a connection, it only stops passing things on.
type proxy struct {
	t        testing.TB
	server   *mysql.Config
	listener net.Listener
	wg       sync.WaitGroup
	end      chan struct{} // closed at the test's end

	mu        sync.Mutex
	conns     []net.Conn
	stalled   bool   // nothing passes, in either direction, on any connection
	handshake int    // with new connections, the answers that pass; 0: all
	trigger   []byte // a request that contains it stalls the network
	pass      bool   // that request passes; its answer does not
	hit       chan struct{}
}

// startProxy returns a proxy in front of cfg's server and the configuration
// that leads through it.
func startProxy(t testing.TB, cfg *mysql.Config) (*proxy, *mysql.Config) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, "listen", err)
	p := &proxy{t: t, server: cfg, listener: l, end: make(chan struct{}), hit: make(chan struct{}, 1)}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(p.stop)
	through := cfg.Clone()
	through.Net, through.Addr = "tcp", l.Addr().String()
	return p, through
}

// stop closes everything.
func (p *proxy) stop() {
	p.mu.Lock()
	select {
	case <-p.end:
		p.mu.Unlock()
		return
	default:
	}
	close(p.end)
	p.listener.Close()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// stall stops everything.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = true
}

// heal lets the connections pass things that are opened from now on.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled, p.handshake = false, 0
}

// stallConnecting lets new connections have n answers of the server and no more.
func (p *proxy) stallConnecting(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handshake = n
}

// stallAt stalls the network at the next request that contains text: before
// the server has it, or, if pass is true, after that.
func (p *proxy) stallAt(text string, pass bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trigger, p.pass = []byte(text), pass
}

// keep remembers a connection for stop.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.end:
		c.Close()
		return false
	default:
		p.conns = append(p.conns, c)
		return true
	}
}

func (p *proxy) accept() {
	defer p.wg.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.keep(client) {
			return
		}
		server, err := net.Dial(p.server.Net, p.server.Addr)
		if err != nil {
			p.t.Error("proxy:", err)
			return
		}
		if !p.keep(server) {
			return
		}
		p.mu.Lock()
		answers := p.handshake
		p.mu.Unlock()
		if answers == 0 {
			answers = math.MaxInt
		}
		p.wg.Add(2)
		go p.copy(server, client, p.request)
		go p.copy(client, server, func([]byte) (last bool) {
			if answers--; answers == -1 {
				p.seen()
				return true
			}
			return p.isStalled()
		})
	}
}

// seen lets the test know that the network has stalled.
func (p *proxy) seen() {
	select {
	case p.hit <- struct{}{}:
	default:
	}
}

func (p *proxy) isStalled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stalled
}

// request decides whether something that a client has sent still passes.
func (p *proxy) request(data []byte) (held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled {
		return true
	}
	if p.trigger == nil || !bytes.Contains(data, p.trigger) {
		return false
	}
	p.trigger, p.stalled = nil, true
	p.seen()
	return !p.pass
}

// copy passes on what it reads, until held says that this and what comes later
// stays in the network. The end of a connection passes only before that.
func (p *proxy) copy(dst, src net.Conn, held func([]byte) bool) {
	defer p.wg.Done()
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			if !p.isStalled() {
				dst.Close()
			}
			return
		}
		if held(buf[:n]) {
			<-p.end
			return
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			src.Close()
			return
		}
	}
}

// waitSeen waits until the network has stalled.
func (p *proxy) waitSeen() {
	select {
	case <-p.hit:
	case <-time.After(patience):
		p.t.Fatalf("the network has not stalled\n%s", stacks())
	}
}
