package overlay

import (
	"context"
	"time"

	"github.com/sqlaio/sqlaio/reflectguard"
)

// ConnectAsync takes a connection out of the pool for the caller's own use.
// CloseAsync gives it back. ctx only bounds the connecting.
func (e *Engine) ConnectAsync(ctx context.Context) *Future[*Conn] {
	return e.connectAsync(ctx, caller(e.config))
}

func (e *Engine) connectAsync(ctx context.Context, place site) *Future[*Conn] {
	f := new(Future[*Conn])
	f.origin, f.place = e.config, place
	making, err := e.making(ctx, place)
	if err != nil {
		f.settle(err)
		return f
	}
	f.cancel = making
	ctx = making.ctx
	go func() { // opening a connection waits for the pool, and for the new thread
		s, err := e.openSession(ctx, place)
		if err == nil && ctx.Err() != nil { // nobody would close it
			s.closeAsync()
			err = ctx.Err()
		}
		if err == nil {
			f.value = newConn(s)
		} else if e.ctx.Err() != nil {
			err = ErrClosed
		}
		e.made(making) // before callbacks, which may wait for Shutdown
		f.settle(err)
	}()
	return f
}

// making notes that a connection is being made for a call with the application's context.
func (e *Engine) making(app context.Context, place site) (*connecting, error) {
	ctx, cancel := context.WithCancel(reflectguard.MayBlock(app)) // a goroutine of its own waits
	c := &connecting{app: app, ctx: ctx, cancel: cancel, e: e, since: now()}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done != nil {
		cancel()
		return nil, ErrClosed
	}
	c.unwatch = context.AfterFunc(e.ctx, cancel)
	e.connecting.Add(1)
	e.makes[c] = place
	return c, nil
}

func (e *Engine) made(c *connecting) {
	c.unwatch()
	c.cancel()
	e.mu.Lock()
	delete(e.makes, c)
	e.mu.Unlock()
	e.connecting.Done()
}

// connecting is the canceller of ConnectAsync, and of StreamAsync on an Engine.
type connecting struct {
	app     context.Context // ends a moment before ctx, which is made from it
	ctx     context.Context
	cancel  context.CancelFunc
	unwatch func() bool
	e       *Engine
	since   time.Time
}

func (c *connecting) stop(error)                          { c.cancel() }
func (c *connecting) ends() bool                          { return c.app.Err() != nil || c.ctx.Err() != nil }
func (*connecting) watch(*core, <-chan struct{}) bool     { return false }
func (c *connecting) stuck() (release func(), stuck bool) { return c.e.awaitConn() }

func (e *Engine) openSession(ctx context.Context, place site) (*session, error) {
	l, err := e.leases.acquire(ctx)
	if err != nil {
		return nil, err
	}
	q := &queue{config: e.config, most: 1, opening: 1}
	s := &session{queue: q, e: e, lease: l, lane: newLane(q, l.pc), place: place, over: make(chan struct{})}
	s.lane.tx = &txState{s: s}
	if err := s.prepare(ctx); err != nil {
		l.giveBack()
		return nil, err
	}
	e.mu.Lock()
	closing := e.done != nil
	if !closing {
		e.sessions[s] = struct{}{}
	}
	e.mu.Unlock()
	if closing {
		l.giveBack()
		return nil, ErrClosed
	}
	e.leases.mu.Lock()
	e.leases.conns[s] = struct{}{}
	e.leases.mu.Unlock()
	q.add(s.lane)
	return s, nil
}

// prepare checks that the engine may have several connections to its database.
func (s *session) prepare(ctx context.Context) error {
	if w := s.e.writer; w != nil {
		if !w.fits(s.lease) {
			return ErrNoWriter
		}
		w.prepare(s.lease)
	}
	return s.e.checkShared(ctx, s.lease)
}
