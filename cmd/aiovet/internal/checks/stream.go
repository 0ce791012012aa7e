package checks

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// Stream reports streams that are left open.
var Stream = check("aiostream", `report streams that are neither closed nor read

The Result of StreamAsync keeps a connection until its rows or the loop over them end,
it is closed, or its context ends. It is reported if none of its rows are read in a
loop, it is never closed, and nobody else gets it:

	r, err := engine.StreamAsync(ctx, "SELECT * FROM log").Await(ctx)
	...
	row, err := r.FetchOneAsync(ctx).Await(ctx) // use FirstAsync, or close r

A stream is not reported if the same function has made its context, or if the
connection is that of a scope, such as WithConn, and ends with it.`, stream)

func stream(p *program, report reporter) {
	for c := range p.root.Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		if name := p.callee(call); (name == "Engine.StreamAsync" || name == "Conn.StreamAsync") &&
			len(call.Args) > 0 && !p.ends(call.Args[0]) && !p.scoped(c, receiver(call)) {
			for _, awaited := range p.awaited(c) {
				p.left(awaited, report)
			}
		}
	}
}

// ends reports whether somebody nearby ends a context.
func (p *program) ends(ctx ast.Expr) bool {
	if call, ok := ast.Unparen(ctx).(*ast.CallExpr); ok {
		s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Context" // a request's, a test's
	}
	v := p.object(ctx)
	if v == nil {
		return true // a field or the like: not known
	}
	for _, value := range p.values[v] {
		if call, ok := ast.Unparen(orBad(value)).(*ast.CallExpr); !ok || !isBackground(p, call) {
			return true
		}
	}
	return false
}

func isBackground(p *program, call *ast.CallExpr) bool {
	s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn := p.info.Uses[s.Sel]
	return fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == "context" && (fn.Name() == "Background" || fn.Name() == "TODO")
}

// scoped reports whether conn is what a function gets from a scope around the call.
func (p *program) scoped(c inspector.Cursor, conn ast.Expr) bool {
	v := p.object(conn)
	for at := range c.Enclosing((*ast.FuncLit)(nil)) {
		if v != nil && p.is(conn, "Conn") && p.parameter(at.Node().(*ast.FuncLit), 1) == v {
			return true
		}
	}
	return false
}

// awaited returns the calls of Await and TryResult on the future of a call; none if
// somebody else may have the future.
func (p *program) awaited(c inspector.Cursor) []inspector.Cursor {
	if got := p.got(c); got != nil {
		return got
	}
	assigned, ok := c.Parent().Node().(*ast.AssignStmt)
	if !ok || len(assigned.Lhs) != 1 || len(assigned.Rhs) != 1 {
		return nil
	}
	future := p.object(assigned.Lhs[0])
	if future == nil || len(p.values[future]) != 1 || !p.local(future) {
		return nil
	}
	var all []inspector.Cursor
	for _, use := range p.uses[future] {
		got := p.got(use)
		if got == nil {
			return nil
		}
		all = append(all, got...)
	}
	return all
}

// got returns the call of Await or TryResult on a future; nil if it is used in another way.
func (p *program) got(future inspector.Cursor) []inspector.Cursor {
	call, name := p.method(future)
	if name == "Future.Await" || name == "Future.TryResult" {
		return []inspector.Cursor{call}
	}
	return nil
}

// method returns the call of a method on an expression, and its name; else "".
func (p *program) method(x inspector.Cursor) (inspector.Cursor, string) {
	if x.ParentEdgeKind() != edge.SelectorExpr_X {
		return x, ""
	}
	if s := x.Parent(); s.ParentEdgeKind() == edge.CallExpr_Fun {
		return s.Parent(), p.callee(s.Parent().Node().(*ast.CallExpr))
	}
	return x, ""
}

// left looks at a call that returns a stream.
func (p *program) left(c inspector.Cursor, report reporter) {
	const message = "the stream is left open, and keeps its connection: range over its Rows, read all of it, or close it"
	call := c.Node().(*ast.CallExpr)
	if c.ParentEdgeKind() == edge.ExprStmt_X {
		report(call, message)
		return
	}
	assigned, ok := c.Parent().Node().(*ast.AssignStmt)
	if !ok || len(assigned.Rhs) != 1 {
		return
	}
	if id, ok := assigned.Lhs[0].(*ast.Ident); ok && id.Name == "_" {
		report(call, message)
		return
	}
	result := p.object(assigned.Lhs[0])
	if result == nil || !p.local(result) {
		return
	}
	for _, use := range p.uses[result] {
		if p.closes(use, result) {
			return
		}
	}
	report(call, message)
}

// closes reports whether a use of a stream may end it.
func (p *program) closes(use inspector.Cursor, result types.Object) bool {
	switch _, name := p.method(use); strings.TrimPrefix(name, "Result.") {
	case "Keys", "ReturnsRows", "RowCount", "LastInsertID", "String":
		return false
	case "FetchOneAsync", "FetchManyAsync":
		return repeated(use, result)
	}
	switch parent := use.Parent().Node().(type) {
	case *ast.AssignStmt:
		if use.ParentEdgeKind() == edge.AssignStmt_Lhs {
			return false
		}
		id, ok := parent.Lhs[0].(*ast.Ident)
		return !ok || id.Name != "_" || len(parent.Lhs) != 1
	case *ast.BinaryExpr:
		return parent.Op != token.EQL && parent.Op != token.NEQ
	}
	return true
}

// repeated reports whether a use is in a loop, or in a function that may be called
// again, and the variable is declared outside of it.
func repeated(use inspector.Cursor, v types.Object) bool {
	for c := range use.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil), (*ast.FuncLit)(nil), (*ast.LabeledStmt)(nil)) {
		if n := c.Node(); v.Pos() < n.Pos() || v.Pos() >= n.End() {
			return true
		}
	}
	return false
}

// local reports whether a variable is declared in a function's body.
func (p *program) local(v types.Object) bool {
	at, ok := p.root.FindByPos(v.Pos(), v.Pos())
	if !ok {
		return false
	}
	for range at.Enclosing((*ast.Field)(nil)) {
		return false // a parameter, or a result that has a name
	}
	return v.Parent() != nil && v.Pkg() != nil && v.Parent() != v.Pkg().Scope()
}
