package pinned

import (
	"context"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/sqltext"
	"github.com/sqlaio/sqlaio/internal/thread"
)

// Open starts a thread and opens a connection of ctor on it. If that fails, the
// thread ends before Open returns. ctx goes to the connector. If the connector has not
// returned Grace after ctx's end, Open returns ctx.Err(), and the thread closes what
// still comes. dsn is the data source name; nil if it is not known. turns are those of all
// of ctor's connections.
func Open(ctx context.Context, ctor driver.Connector, dsn *string, a Adapter, traits Traits, turns *Turns, opts []thread.Option, tracers *Tracers) (c *Conn, err error) {
	c = &Conn{traits: traits, dsn: dsn, turns: turns, tracers: tracers}
	c.dialect, _ = sqltext.DialectOf(ctor.Driver())
	c.traits.FixedTypes = traits.FixedTypes || c.dialect != sqltext.SQLite
	ctx, trace := c.Trace(ctx, OpConnect, "")
	if trace != nil {
		defer func() { trace.End(err) }()
	}
	return c, c.open(ctx, ctor, a, opts, trace)
}

func (c *Conn) open(ctx context.Context, ctor driver.Connector, a Adapter, opts []thread.Option, trace *Trace) error {
	c.valid.Store(true)
	closeFirst := func(cfg *thread.Config) { cfg.OnStop = append(cfg.OnStop, c.closeAll) }
	w, err := thread.Start(append(opts[:len(opts):len(opts)], closeFirst)...)
	if err != nil {
		return err
	}
	c.worker = w
	opened := false
	defer func() {
		if !opened {
			go w.Quit()
		}
	}()
	cl := Call{opens: true}
	if trace != nil {
		trace.Hop(&cl)
	}
	var failed error
	left, err := hopTraced(ctx, c, &cl, trace, Func(func(context.Context) {
		c.inner, failed = ctor.Connect(ctx)
		if failed == nil {
			c.learn(ctx, ctor, a)
		}
	}))
	switch {
	case left:
		return err
	case err != nil:
		w.Quit()
		return err
	case failed != nil:
		w.Quit()
		return failed
	case ctx.Err() != nil && !c.Valid(): // given up for it
		w.Quit()
		return ctx.Err()
	}
	opened = true
	return nil
}

// learn asks a new connection which optional interfaces it has, and the adapter for
// its interrupter and reporter.
func (c *Conn) learn(ctx context.Context, ctor driver.Connector, a Adapter) {
	c.resetter, _ = c.inner.(driver.SessionResetter)
	c.validator, _ = c.inner.(driver.Validator)
	c.pinger, _ = c.inner.(driver.Pinger)
	switch ca, ok := a.(ContextAdapter); {
	case ok:
		c.intr = ca.InterrupterContext(ctx, c.inner, ctor)
	case a != nil:
		c.intr = a.Interrupter(c.inner, ctor)
	}
	if v, ok := c.intr.(Volatile); ok {
		c.memory = v.Memory()
	}
	c.watcher, _ = c.intr.(Watcher)
	var ok bool
	if c.reporter, ok = c.intr.(TxReporter); ok {
		return
	}
	if r, ok := a.(Reporter); ok {
		c.reporter = r.Reporter(c.inner)
		return
	}
	c.reporter = reporterOf(c.inner)
}
