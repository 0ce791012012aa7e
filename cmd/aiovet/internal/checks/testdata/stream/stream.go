package stream

import (
	"context"
	"net/http"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

const query = "SELECT * FROM log"

func reported(ctx context.Context, e *overlay.Engine, c *overlay.Conn) error {
	r, err := e.StreamAsync(ctx, query).Await(ctx) // want `the stream is left open, and keeps its connection: range over its Rows, read all of it, or close it`
	if err != nil || r == nil {
		return err
	}
	r.Keys()
	if _, err := r.FetchOneAsync(ctx).Await(ctx); err != nil {
		return err
	}
	c.StreamAsync(ctx, query).Await(ctx)          // want `the stream is left open`
	_, err = e.StreamAsync(ctx, query).Await(ctx) // want `the stream is left open`
	f := e.StreamAsync(ctx, query)
	late, _, _ := f.TryResult() // want `the stream is left open`
	late.ReturnsRows()
	again, err := f.Await(ctx) // want `the stream is left open`
	_ = again
	for range 3 {
		background := context.Background()
		r, err := e.StreamAsync(background, query).Await(ctx) // want `the stream is left open`
		if err != nil {
			return err
		}
		r.FetchManyAsync(ctx, 10).Await(ctx)
	}
	return err
}

type holder struct{ r *overlay.Result }

func closed(ctx context.Context, e *overlay.Engine, h *holder) (named *overlay.Result, err error) {
	must := func(r *overlay.Result, err error) *overlay.Result { return r }
	a, err := e.StreamAsync(ctx, query).Await(ctx)
	if err != nil {
		return nil, err
	}
	defer a.CloseAsync(ctx)
	b, _ := e.StreamAsync(ctx, query).Await(ctx)
	for range b.Rows(ctx) {
	}
	d, _ := e.StreamAsync(ctx, query).Await(ctx)
	for range overlay.Each[int](ctx, d) {
	}
	g, _ := e.StreamAsync(ctx, query).Await(ctx)
	g.FetchAllAsync(ctx).Await(ctx)
	i, _ := e.StreamAsync(ctx, query).Await(ctx)
	i.FirstAsync(ctx).Await(ctx)
	j, _ := e.StreamAsync(ctx, query).Await(ctx)
	for {
		if rows, err := j.FetchManyAsync(ctx, 100).Await(ctx); err != nil || len(rows) == 0 {
			break
		}
	}
	k, _ := e.StreamAsync(ctx, query).Await(ctx)
	h.r = k
	l, _ := e.StreamAsync(ctx, query).Await(ctx)
	next := func() (overlay.Row, error) { return l.FetchOneAsync(ctx).Await(ctx) }
	next()
	h.r, _ = e.StreamAsync(ctx, query).Await(ctx)
	m := must(e.StreamAsync(ctx, query).Await(ctx))
	m.Keys()
	n := e.StreamAsync(ctx, query)
	wait(n)
	o, _ := n.Await(ctx)
	o.Keys()
	e.StreamAsync(ctx, query).OnDone(func(*overlay.Result, error) {})
	if ctx.Err() != nil {
		return e.StreamAsync(ctx, query).Await(ctx)
	}
	named, err = e.StreamAsync(ctx, query).Await(ctx)
	return
}

func wait(*overlay.Future[*overlay.Result]) {}

// Somebody ends these by ending the context, or the scope.
func ended(w http.ResponseWriter, q *http.Request, e *overlay.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, _ := e.StreamAsync(ctx, query).Await(ctx)
	r.Keys()
	s, _ := e.StreamAsync(q.Context(), query).Await(ctx)
	s.FetchOneAsync(ctx).Await(ctx)
	e.WithConn(context.Background(), func(ctx context.Context, c *overlay.Conn) error {
		r, err := c.StreamAsync(ctx, query).Await(ctx)
		r.Keys()
		return err
	})
	whole, _ := e.QueryAsync(ctx, query).Await(ctx)
	whole.Keys()
}
