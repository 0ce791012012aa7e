package warnings

import (
	"context"
	"log/slog"
	"time"
)

// SetHandler makes h receive the warnings that are shown, until undo is called. undo
// follows the same rules as Filter's. A nil h is the initial handler: it logs to
// slog.Default() at level WARN with the attributes category, advice, site and
// statement. h is called in the goroutine that warns, possibly in several at once.
// It must not panic or cause warnings itself.
func SetHandler(h func(Warning)) (undo func()) {
	if h == nil {
		h = logWarning
	}
	return add(func(s *state) *[]*sink { return &s.handlers }, &sink{&shown, h})
}

// logWarning logs w with the application's line as the record's source.
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
