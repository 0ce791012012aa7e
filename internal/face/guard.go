package face

import (
	"context"

	"github.com/sqlaio/sqlaio/reflectguard"
)

// guarded reports whether package reflectguard is to look at a call: its context
// says that nothing may block, or it would block another connection's thread.
func (c *conn) guarded(ctx context.Context) bool {
	return !c.inline && (reflectguard.IsNonBlocking(ctx) || c.pc.OnOtherThread())
}

// guard has reflectguard look at a call that is about to be made. A call on the
// connection's own thread waits for nobody, and is not looked at. after, which may be
// nil, is to be called after the call. On an error the call must not be made.
func (c *conn) guard(ctx context.Context, query string) (after func(), err error) {
	if c.pc.OnThread() {
		return nil, nil
	}
	return reflectguard.Call(ctx, c.pc.OnOtherThread(), query)
}
