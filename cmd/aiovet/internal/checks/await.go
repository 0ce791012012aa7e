package checks

import (
	"go/ast"
	"go/types"
)

// Await reports waiting on a thread for that thread.
var Await = check("aioawait", `report Await on the thread that the awaited call needs

A function of RunInThread runs on the connection's thread. A call on the same Conn
waits for that thread, so awaiting it there fails with ErrWouldDeadlock:

	overlay.RunInThread(ctx, conn, func(ctx context.Context, c *sql.Conn) (int, error) {
		return overlay.Scalar[int](ctx, conn, query).Await(ctx) // use c
	})

The same holds for functions given to OnDone and Then, unless the engine has a
dispatcher. They are not looked at in packages that mention WithDispatcher.`, await)

func await(p *program, report reporter) {
	dispatcher := false
	for _, used := range p.info.Uses {
		dispatcher = dispatcher || used.Name() == "WithDispatcher" && inOverlay(used.Pkg())
	}
	for c := range p.root.Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		switch name := p.callee(call); {
		case name == "RunInThread" && len(call.Args) == 3:
			p.onThread(call.Args[1], call.Args[2], "use the *sql.Conn that the function gets", report)
		case name == "Future.OnDone" && len(call.Args) == 1 && !dispatcher:
			p.onThread(p.home(receiver(call)), call.Args[0], "give that call an OnDone instead", report)
		case name == "Then" && len(call.Args) == 2 && !dispatcher:
			p.onThread(p.home(call.Args[0]), call.Args[1], "await it after this function", report)
		}
	}
}

// home returns the target of the call that made a future; nil if it is not known.
func (p *program) home(future ast.Expr) ast.Expr {
	if call := p.made(future); call != nil {
		return p.target(call)
	}
	return nil
}

// onThread looks at a function that runs on the thread of conn.
func (p *program) onThread(conn, function ast.Expr, instead string, report reporter) {
	fn := p.function(function)
	if conn == nil || fn == nil || !p.is(conn, "Conn") {
		return
	}
	home, ok := p.variable(conn)
	if !ok {
		return
	}
	p.inline(fn, nil, func(call *ast.CallExpr) {
		if p.callee(call) != "Future.Await" {
			return
		}
		awaited := p.made(receiver(call))
		if awaited == nil || !within(awaited, fn.Body) {
			return
		}
		to := p.target(awaited)
		if to == nil || !p.is(to, "Conn") {
			return
		}
		if on, ok := p.variable(to); ok && on == home {
			report(call, "Await on the thread of %s for a call that needs this thread fails with ErrWouldDeadlock: %s", types.ExprString(to), instead)
		}
	})
}
