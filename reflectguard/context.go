package reflectguard

import (
	"context"
	"sync/atomic"
)

// marking is set once a context has been marked. Until then none needs searching.
var marking atomic.Bool

type key struct{}

// marked is a context that carries its mark, so that the common case, in which
// it is itself what is asked, takes no search.
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

// NonBlocking returns ctx marked as that of code which must not block. The mark
// goes along to contexts derived from it.
func NonBlocking(ctx context.Context) context.Context {
	if ctx == nil {
		panic("reflectguard: nil context")
	}
	marking.Store(true)
	return &marked{ctx, true}
}

// MayBlock returns ctx without the mark, for work that another goroutine
// does for code which must not block. A context without it is returned as it is.
func MayBlock(ctx context.Context) context.Context {
	if !IsNonBlocking(ctx) {
		return ctx
	}
	return &marked{ctx, false}
}

// IsNonBlocking reports whether ctx is marked. It costs a nanosecond in a program
// that marks none, else a search like that of any value. It allocates nothing.
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
