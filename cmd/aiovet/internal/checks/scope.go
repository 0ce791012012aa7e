package checks

import (
	"go/ast"
	"go/types"
	"strings"
)

// Scope reports calls that are outside of the transaction that they are written in.
var Scope = check("aioscope", `report calls of an engine in its own WithTx

The function given to WithTx gets a Conn, which has the transaction. A call on the
engine is made on another connection: it does not see what the transaction has
written, is kept when that is rolled back, and may wait for it.

	engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, err := engine.ExecAsync(ctx, "DELETE FROM cart").Await(ctx) // use c
		return err
	})

Only calls with the context of the scope are reported. One that is meant needs a
comment //aiovet:ignore. Calls that ask for another connection, such as ConnectAsync
and RunCallable, are not reported.`, scope)

func scope(p *program, report reporter) {
	for c := range p.root.Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		name := p.callee(call)
		if name != "Engine.WithTx" && name != "Engine.RetryTx" || len(call.Args) == 0 {
			continue
		}
		engine, ok := p.variable(receiver(call))
		if fn := p.function(call.Args[len(call.Args)-1]); ok && fn != nil {
			p.inScope(engine, fn, strings.TrimPrefix(name, "Engine."), report)
		}
	}
}

// inScope looks at the function of an engine's WithTx.
func (p *program) inScope(engine variable, fn *ast.FuncLit, scope string, report reporter) {
	contexts := map[types.Object]bool{p.parameter(fn, 0): true}
	conns := map[types.Object]bool{p.parameter(fn, 1): true}
	nested := make(map[*ast.FuncLit]bool)
	conn := "the Conn that its function gets"
	if c := p.parameter(fn, 1); c != nil {
		conn = c.Name()
	}
	p.inline(fn, func(fn *ast.FuncLit) bool { return nested[fn] }, func(call *ast.CallExpr) {
		if name := p.callee(call); name == "Conn.WithNested" || name == "Conn.WithTx" {
			if fn := p.function(call.Args[len(call.Args)-1]); fn != nil {
				nested[fn] = true
				contexts[p.parameter(fn, 0)], conns[p.parameter(fn, 1)] = true, true
			}
		}
		if !p.outside(call, engine) {
			return
		}
		if ctx := p.object(call.Args[0]); ctx == nil || !contexts[ctx] {
			return
		}
		for c := range conns {
			for _, arg := range call.Args {
				if p.mentions(arg, c) {
					return
				}
			}
		}
		report(call, "%s in %s is not part of its transaction: use %s", types.ExprString(call.Fun), scope, conn)
	})
}

// outside reports whether a call is one of those that an engine and a Conn both have,
// and is the engine's.
func (p *program) outside(call *ast.CallExpr, engine variable) bool {
	to := p.target(call)
	if to == nil || !p.is(to, "Engine") || len(call.Args) == 0 {
		return false
	}
	switch strings.TrimPrefix(p.callee(call), "Engine.") {
	case "ExecAsync", "QueryAsync", "ExecuteAsync", "ScalarAsync", "StreamAsync", "BatchAsync", "ExecManyAsync",
		"ExecContext", "QueryContext", "QueryRowContext", "PrepareContext", "BeginTx", "WithTx", "RetryTx",
		"HasTableAsync", "TableNamesAsync", "Scalar", "Collect", "One", "RunInThread":
		on, ok := p.variable(to)
		return ok && on == engine
	}
	return false
}
