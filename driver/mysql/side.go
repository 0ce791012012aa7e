package mysql

import (
	"context"
	"database/sql/driver"
	"reflect"
	"sync"
)

// fate is what became of a KILL.
type fate int

const (
	unsent  fate = iota // it does nothing, now or later
	unheard             // it was sent, without an answer: it may strike when it arrives
	struck              // the server has answered: statements that start later are safe
)

// withSide calls fn with a connection to the server. If fn returns struck, the
// connection is kept for others. withSide returns unsent if ctx ends before there
// is a connection, or if c leads to other servers.
func withSide(ctx context.Context, c driver.Connector, server string, fn func(*side) fate) fate {
	p, leave := joinSides(c)
	defer leave()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return unsent
	}
	s := p.take()
	for n := 0; s == nil || s.server != server; n++ {
		if s != nil {
			s.close()
		}
		if n == attempts {
			return unsent
		}
		if s = openSide(ctx, c); s == nil {
			return unsent
		}
	}
	f := fn(s)
	if v, ok := s.conn.(driver.Validator); f == struck && (!ok || v.IsValid()) {
		p.put(s)
	} else {
		s.close()
	}
	return f
}

// attempts is how often a connector is asked for a connection to the right server:
// a balancer takes the servers in turn.
const attempts = 3

// side is a connection for KILL statements.
type side struct {
	conn   driver.Conn
	server string
}

// openSide returns nil if there is no side connection when ctx ends. It does not
// wait for a dialer that goes on after that: a connection that comes later is
// closed.
func openSide(ctx context.Context, c driver.Connector) *side {
	opened := make(chan *side)
	go func() {
		s := dialSide(ctx, c)
		select {
		case opened <- s:
		case <-ctx.Done():
			if s != nil {
				s.close()
			}
		}
	}()
	select {
	case s := <-opened:
		return s
	case <-ctx.Done():
		return nil
	}
}

func dialSide(ctx context.Context, c driver.Connector) *side {
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

// kill stops the statement that the session is running, if any. ctx bounds the wait
// for the answer.
func (s *side) kill(ctx context.Context, id string) fate {
	x, ok := s.conn.(driver.ExecerContext)
	if !ok || ctx.Err() != nil {
		return unsent
	}
	_, err := x.ExecContext(ctx, "KILL QUERY "+id, nil)
	switch {
	case err == nil:
		return struck
	case refusal(err) != nil:
		return unsent
	}
	return unheard
}

// activity is what a session does.
type activity int

const (
	busy     activity = iota // it runs a statement, or nothing is known of it
	stopping                 // it runs one that was killed
	idle                     // it runs none
)

// look asks what a session does. The user may see the user's own sessions.
// MySQL does not tell stopping from busy.
func (s *side) look(ctx context.Context, id string) activity {
	rows, err := query(ctx, s.conn, "SELECT INFO IS NULL, COMMAND = 'Killed' FROM information_schema.PROCESSLIST WHERE ID = "+id)
	switch {
	case err != nil || len(rows) != 2:
		return busy
	case rows[0] == "1":
		return idle
	case rows[1] == "1":
		return stopping
	}
	return busy
}

func (s *side) close() {
	_ = s.conn.Close() // it has served its purpose
}

// sidePool holds the side connections of one connector. It exists only while calls
// are being interrupted, so nothing is left open otherwise. A few connections are
// enough for a burst of cancellations, as on an overloaded server. One would not be:
// all would wait for a single slow KILL, and MariaDB's may take two seconds.
type sidePool struct {
	users int           // guarded by sidePools.mu
	idle  []*side       // guarded by sidePools.mu
	turns chan struct{} // holds an element for each side in use
}

// maxSides is how many side connections a connector has at most.
const maxSides = 4

var sidePools = struct {
	mu sync.Mutex
	of map[driver.Connector]*sidePool
}{of: map[driver.Connector]*sidePool{}}

// joinSides returns the pool of a connector, for a user that leaves it later.
func joinSides(c driver.Connector) (p *sidePool, leave func()) {
	sidePools.mu.Lock()
	defer sidePools.mu.Unlock()
	shared := reflect.ValueOf(c).Comparable()
	if shared {
		p = sidePools.of[c]
	}
	if p == nil {
		p = &sidePool{turns: make(chan struct{}, maxSides)}
	}
	if shared {
		sidePools.of[c] = p
	}
	p.users++
	return p, func() {
		sidePools.mu.Lock()
		p.users--
		last := p.users == 0
		if last && shared {
			delete(sidePools.of, c)
		}
		sidePools.mu.Unlock()
		if last {
			for _, s := range p.idle {
				s.close()
			}
		}
	}
}

// take returns nil if no side connection is idle.
func (p *sidePool) take() *side {
	sidePools.mu.Lock()
	defer sidePools.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	s := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return s
}

func (p *sidePool) put(s *side) {
	sidePools.mu.Lock()
	defer sidePools.mu.Unlock()
	p.idle = append(p.idle, s)
}
