package checks

import (
	"go/ast"
	"go/types"
)

// Await reports waiting on a lane for a lane.
var Await = check("aioawait", `report Await on a lane for a call that needs a lane

A function of RunInThread on an Engine has one of its lanes. A call on the same Engine
needs another one, so awaiting it there fails with ErrWouldDeadlock if none is left:

	overlay.RunInThread(ctx, engine, func(ctx context.Context, c *sql.Conn) (int, error) {
		return overlay.Scalar[int](ctx, engine, query).Await(ctx) // use c
	})

The same holds for functions given to OnDone and Then, unless the engine has a
dispatcher. They are not looked at in packages that mention WithDispatcher. Calls on
a Conn are made at once on its own thread, and are not reported.`, await)

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

// onThread looks at a function that has a lane of engine.
func (p *program) onThread(engine, function ast.Expr, instead string, report reporter) {
	fn := p.function(function)
	if engine == nil || fn == nil || !p.is(engine, "Engine") {
		return
	}
	home, ok := p.variable(engine)
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
		if to == nil || !p.is(to, "Engine") {
			return
		}
		if on, ok := p.variable(to); ok && on == home {
			report(call, "Await on a lane of %s for a call that needs another lane fails with ErrWouldDeadlock if none is left: %s", types.ExprString(to), instead)
		}
	})
}
