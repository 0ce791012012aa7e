package checks

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

// Dropped reports futures that nobody can await.
var Dropped = check("aiodropped", `report futures that are dropped

A call whose Future is dropped may fail without anybody hearing of it:

	engine.ExecAsync(ctx, "DELETE FROM cart")

Await the future, or give it an OnDone, or run several statements with BatchAsync.
CloseAsync may be dropped. So may statements in WithTx after which something else is
awaited: WithTx fails if they do.`, dropped)

func dropped(p *program, report reporter) {
	for c := range p.root.Preorder((*ast.ExprStmt)(nil), (*ast.DeferStmt)(nil), (*ast.GoStmt)(nil), (*ast.AssignStmt)(nil)) {
		switch n := c.Node().(type) {
		case *ast.ExprStmt:
			p.drop(c, n.X, report)
		case *ast.DeferStmt:
			p.drop(c, n.Call, report)
		case *ast.GoStmt:
			p.drop(c, n.Call, report)
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				if id, ok := to.(*ast.Ident); ok && id.Name == "_" && len(n.Lhs) == len(n.Rhs) {
					p.drop(c, n.Rhs[i], report)
				}
			}
		}
	}
}

// drop looks at an expression whose value is dropped.
func (p *program) drop(c inspector.Cursor, x ast.Expr, report reporter) {
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok || !p.is(call, "Future") || strings.HasSuffix(p.callee(call), ".CloseAsync") || p.heard(c, call) {
		return
	}
	report(call, "the future of %s is dropped, and its error with it: await it, or give it an OnDone", types.ExprString(call.Fun))
}

// heard reports whether a dropped call is one on the Conn of a scope, which fails if
// the call does, and something is awaited after it.
func (p *program) heard(c inspector.Cursor, call *ast.CallExpr) bool {
	to := p.target(call)
	if to == nil {
		return false
	}
	conn := p.object(to)
	for at := range c.Enclosing((*ast.FuncLit)(nil)) {
		fn := at.Node().(*ast.FuncLit)
		if around, ok := at.Parent().Node().(*ast.CallExpr); !ok || conn == nil || !isTx(p.callee(around)) || p.parameter(fn, 1) != conn {
			continue
		}
		for later := range at.Preorder((*ast.CallExpr)(nil)) {
			if later := later.Node().(*ast.CallExpr); later.Pos() >= call.End() && p.callee(later) == "Future.Await" {
				return true
			}
		}
	}
	return false
}

// isTx reports whether a call takes a function and gives it a Conn with a transaction.
func isTx(callee string) bool {
	switch callee {
	case "Engine.WithTx", "Engine.RetryTx", "Conn.WithTx", "Conn.WithNested":
		return true
	}
	return false
}
