package mysql

import (
	"context"
	"database/sql/driver"
	"reflect"
	"sync"
)

// kill ends the statement that the session runs at this moment, and reports
// whether the server has confirmed that: then a statement that starts later is
// not touched. On a session that runs nothing it has no effect. Without
// confirmation a KILL may still be under way, and strike whatever the session
// runs when it arrives. ctx bounds the call.
func kill(ctx context.Context, c driver.Connector, target session) bool {
	p := joinSides(c)
	defer p.leave()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return false
	}
	s := p.take()
	for n := 0; s == nil || s.server != target.server; n++ {
		if s != nil {
			s.close()
		}
		if n == attempts {
			return false
		}
		if s = openSide(ctx, c); s == nil {
			return false
		}
	}
	if !s.kill(ctx, target.id) {
		s.close()
		return false
	}
	p.put(s)
	return true
}

// attempts is how often a connector is asked for a connection to the right
// server: behind a balancer it takes turns.
const attempts = 3

// side is a connection for KILL statements.
type side struct {
	conn   driver.Conn
	server string
}

func openSide(ctx context.Context, c driver.Connector) *side {
	conn, err := c.Connect(ctx)
	if err != nil {
		return nil
	}
	me, err := sessionOf(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil
	}
	return &side{conn, me.server}
}

func (s *side) kill(ctx context.Context, id string) bool {
	x, ok := s.conn.(driver.ExecerContext)
	if !ok {
		return false
	}
	_, err := x.ExecContext(ctx, "KILL QUERY "+id, nil)
	return err == nil
}

func (s *side) close() {
	_ = s.conn.Close() // it has served its purpose
}

// sidePool holds the side connections of one connector. It lives while calls are
// being interrupted, so nothing is left behind when none is. A burst of
// cancellations, as from a server under overload, makes do with a few
// connections; with one it would stand behind a single KILL that takes long:
// MariaDB's may take two seconds.
type sidePool struct {
	connector driver.Connector
	users     int           // guarded by sidePools.mu
	turns     chan struct{} // holds an element for each side in use

	mu   sync.Mutex
	idle []*side
}

// maxSides is how many side connections a connector has at most.
const maxSides = 4

var sidePools = struct {
	mu sync.Mutex
	of map[driver.Connector]*sidePool
}{of: map[driver.Connector]*sidePool{}}

func joinSides(c driver.Connector) *sidePool {
	fresh := &sidePool{connector: c, users: 1, turns: make(chan struct{}, maxSides)}
	if !reflect.ValueOf(c).Comparable() {
		return fresh // cannot be shared
	}
	sidePools.mu.Lock()
	defer sidePools.mu.Unlock()
	if p := sidePools.of[c]; p != nil {
		p.users++
		return p
	}
	sidePools.of[c] = fresh
	return fresh
}

func (p *sidePool) leave() {
	sidePools.mu.Lock()
	p.users--
	last := p.users == 0
	if last && reflect.ValueOf(p.connector).Comparable() {
		delete(sidePools.of, p.connector)
	}
	sidePools.mu.Unlock()
	if last {
		for _, s := range p.idle {
			s.close()
		}
	}
}

func (p *sidePool) take() *side {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	s := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return s
}

func (p *sidePool) put(s *side) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, s)
}
