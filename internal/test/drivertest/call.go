package drivertest

import (
	"context"
	"fmt"
	"strings"
)

// A Call is one method call that reached the driver.
type Call struct {
	Seq    int             // position in the log, from 1
	Conn   int             // number of the connection in the order they were opened, from 1; 0: none
	Object string          // whose method: "driver", "c1", "c1.s2", "c1.s2.r1", "c1.t1"
	Method string          // such as "Conn.ExecContext" or "Rows.Next"
	Query  string          // text of the statement the object belongs to
	Args   string          // the other arguments, as text
	Ctx    context.Context // nil where the method takes none
	Thread int             // OS thread; 0 where unknown

	Ended    bool  // the context had ended when the call came in
	Done     bool  // the method has returned or panicked
	Panicked bool  // the method panicked or called runtime.Goexit
	Err      error // what the method returned

	interrupted <-chan struct{} // closed by Interrupt while the call runs
}

// String describes what was asked, without the thread and the outcome.
func (c Call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.Object, c.Method)
	if c.Query != "" {
		fmt.Fprintf(&b, " %q", c.Query)
	}
	if c.Args != "" {
		fmt.Fprintf(&b, " [%s]", c.Args)
	}
	if s := describeContext(c.Ctx, c.Ended); s != "" {
		fmt.Fprintf(&b, " ctx:%s", s)
	}
	return b.String()
}

// ContextKey is the key of a context value that String shows, so that tests
// can tell whether a context came through.
type ContextKey struct{}

func describeContext(ctx context.Context, ended bool) string {
	if ctx == nil {
		return ""
	}
	var words []string
	if ctx.Done() != nil {
		words = append(words, "cancellable")
	}
	if _, ok := ctx.Deadline(); ok {
		words = append(words, "deadline")
	}
	if ended {
		words = append(words, "ended")
	}
	if v := ctx.Value(ContextKey{}); v != nil {
		words = append(words, fmt.Sprintf("value=%v", v))
	}
	return strings.Join(words, ",")
}
