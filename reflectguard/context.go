package reflectguard

import (
	"context"
	"sync/atomic"
)

// marking is set once any context has been marked. Until then none is searched.
var marking atomic.Bool

type key struct{}

// marked is a context with a mark. IsNonBlocking recognises the type, so that
// asking a marked context itself, the common case, takes no search.
type marked struct {
	context.Context
	nonBlocking bool
}

func (m *marked) Value(k any) any {
	if k == (key{}) {
		return m.nonBlocking
	}
	return m.Context.Value(k)
}

// NonBlocking returns ctx marked for code that must not block. Contexts derived
// from it have the mark too.
func NonBlocking(ctx context.Context) context.Context {
	if ctx == nil {
		panic("reflectguard: nil context")
	}
	marking.Store(true)
	return &marked{ctx, true}
}

// MayBlock returns ctx without the mark, for work that another goroutine does on
// behalf of code that must not block. It returns an unmarked context unchanged.
func MayBlock(ctx context.Context) context.Context {
	if !IsNonBlocking(ctx) {
		return ctx
	}
	return &marked{ctx, false}
}

// IsNonBlocking reports whether ctx is marked. It costs an atomic load in a program
// that has marked no context, and a Value lookup otherwise. It allocates nothing.
func IsNonBlocking(ctx context.Context) bool {
	if !marking.Load() || ctx == nil || ctx == context.Background() {
		return false
	}
	if m, ok := ctx.(*marked); ok {
		return m.nonBlocking
	}
	on, _ := ctx.Value(key{}).(bool)
	return on
}
