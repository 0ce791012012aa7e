package reflectguard

import (
	"context"
	"sync/atomic"
)

// marking is set when the first context is marked. Until then no context is searched.
var marking atomic.Bool

// key is the key of the mark. Its value is a bool: false takes the mark back.
type key struct{}

// NonBlocking returns ctx marked for code that must not block. Contexts derived
// from it have the mark too.
func NonBlocking(ctx context.Context) context.Context {
	marking.Store(true)
	return context.WithValue(ctx, key{}, true)
}

// MayBlock returns ctx without the mark, for work that another goroutine does for
// code that must not block. It returns an unmarked context unchanged.
func MayBlock(ctx context.Context) context.Context {
	if !IsNonBlocking(ctx) {
		return ctx
	}
	return context.WithValue(ctx, key{}, false)
}

// IsNonBlocking reports whether ctx is marked. It costs an atomic load in a program
// that has marked no context, and a Value lookup otherwise. It allocates nothing.
func IsNonBlocking(ctx context.Context) bool {
	if !marking.Load() || ctx == nil || ctx == context.Background() {
		return false
	}
	on, _ := ctx.Value(key{}).(bool)
	return on
}
