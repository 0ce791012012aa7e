package warnings

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// SetHandler makes h receive the warnings that are shown, until undo, which may be
// called like Filter's. nil stands for the handler of the beginning: a record to
// slog.Default() at level WARN with the attributes category, advice, site and
// statement. h is called by the goroutine that warns, several at once if they
// do; it must not panic, nor do what it may be warned of.
func SetHandler(h func(Warning)) (undo func()) {
	if h == nil {
		h = logWarning
	}
	mine := &h
	change(func(s *state) { s.handlers = append(slices.Clip(s.handlers), mine) })
	return sync.OnceFunc(func() {
		change(func(s *state) {
			s.handlers = slices.DeleteFunc(slices.Clone(s.handlers), func(o *func(Warning)) bool { return o == mine })
		})
	})
}

// handler returns the latest.
func (s *state) handler() func(Warning) {
	if n := len(s.handlers); n > 0 {
		return *s.handlers[n-1]
	}
	return logWarning
}

// logWarning gives the record the application's line as its source.
func logWarning(w Warning) {
	ctx := context.Background()
	h := slog.Default().Handler()
	if !h.Enabled(ctx, slog.LevelWarn) {
		return
	}
	d := w.Details()
	r := slog.NewRecord(time.Now(), slog.LevelWarn, d.Message, d.Site.pc)
	r.AddAttrs(
		slog.String("category", string(w.Category())),
		slog.String("advice", d.Advice),
		slog.String("site", d.Site.String()),
		slog.String("statement", d.Statement),
	)
	switch w := w.(type) {
	case *BlockingWarning:
		if w.Took > 0 {
			r.AddAttrs(slog.Duration("took", w.Took))
		}
	case *UnawaitedWarning:
		if w.Err != nil {
			r.AddAttrs(slog.String("error", w.Err.Error()))
		}
	}
	h.Handle(ctx, r)
}
