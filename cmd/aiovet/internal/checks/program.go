package checks

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

const (
	overlayPath = "github.com/sqlaio/sqlaio/overlay"
	ignore      = "//aiovet:ignore"
)

// A program is what the checks know of the package that they look at.
type program struct {
	info    *types.Info
	fset    *token.FileSet
	root    inspector.Cursor
	values  map[types.Object][]ast.Expr         // what is assigned to a variable; the call, if it has several results
	uses    map[types.Object][]inspector.Cursor // where a variable is mentioned, its assignments included
	ignored map[place]bool
}

// place is a line of a file.
type place struct {
	file string
	line int
}

var programs = &analysis.Analyzer{
	Name:       "aioprogram",
	Doc:        "collect what the other checks need",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	ResultType: reflect.TypeFor[*program](),
	Run:        func(pass *analysis.Pass) (any, error) { return newProgram(pass), nil },
}

// check makes an analyzer of a function that looks at packages that import the
// overlay.
func check(name, doc string, run func(p *program, report reporter)) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name:     name,
		Doc:      doc,
		URL:      "https://pkg.go.dev/github.com/sqlaio/sqlaio/cmd/aiovet",
		Requires: []*analysis.Analyzer{programs},
		Run: func(pass *analysis.Pass) (any, error) {
			p := pass.ResultOf[programs].(*program)
			if p == nil {
				return nil, nil
			}
			run(p, func(n ast.Node, format string, args ...any) {
				if at := p.fset.Position(n.Pos()); !p.ignored[place{at.Filename, at.Line}] {
					pass.ReportRangef(n, format, args...)
				}
			})
			return nil, nil
		},
	}
}

// A reporter reports a mistake at a node.
type reporter func(n ast.Node, format string, args ...any)

// newProgram returns nil if the package does not import the overlay.
func newProgram(pass *analysis.Pass) *program {
	imports := false
	for _, imported := range pass.Pkg.Imports() {
		imports = imports || inOverlay(imported)
	}
	if !imports {
		return nil
	}
	p := &program{
		info:    pass.TypesInfo,
		fset:    pass.Fset,
		root:    pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root(),
		values:  make(map[types.Object][]ast.Expr),
		uses:    make(map[types.Object][]inspector.Cursor),
		ignored: make(map[place]bool),
	}
	for c := range p.root.Preorder((*ast.Ident)(nil), (*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.RangeStmt)(nil), (*ast.UnaryExpr)(nil)) {
		p.collect(c)
	}
	for _, f := range pass.Files {
		for _, group := range f.Comments {
			for _, comment := range group.List {
				if rest, ok := strings.CutPrefix(comment.Text, ignore); ok && (rest == "" || rest[0] == ' ') {
					at := p.fset.Position(comment.Pos())
					p.ignored[place{at.Filename, at.Line}] = true
					p.ignored[place{at.Filename, at.Line + 1}] = true
				}
			}
		}
	}
	return p
}

func (p *program) collect(c inspector.Cursor) {
	switch n := c.Node().(type) {
	case *ast.Ident:
		if v, ok := p.info.Uses[n].(*types.Var); ok {
			p.uses[v] = append(p.uses[v], c)
		}
	case *ast.AssignStmt:
		p.assign(n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		if len(n.Values) > 0 {
			names := make([]ast.Expr, len(n.Names))
			for i, name := range n.Names {
				names[i] = name
			}
			p.assign(names, n.Values)
		}
	case *ast.RangeStmt:
		p.assign([]ast.Expr{n.Key, n.Value}, []ast.Expr{n.X})
	case *ast.UnaryExpr: // &v may change it at any time
		if v := p.object(n.X); n.Op == token.AND && v != nil {
			p.values[v] = append(p.values[v], nil, nil)
		}
	}
}

func (p *program) assign(to, from []ast.Expr) {
	for i, x := range to {
		v := p.object(x)
		switch {
		case v == nil:
		case len(to) == len(from):
			p.values[v] = append(p.values[v], from[i])
		default:
			p.values[v] = append(p.values[v], from[0])
		}
	}
}

// object returns the variable that x names; nil if it is none.
func (p *program) object(x ast.Expr) types.Object {
	if id, ok := ast.Unparen(orBad(x)).(*ast.Ident); ok {
		if v, ok := p.info.ObjectOf(id).(*types.Var); ok {
			return v
		}
	}
	return nil
}

func orBad(x ast.Expr) ast.Expr {
	if x == nil {
		return new(ast.BadExpr)
	}
	return x
}

// value returns what x is, or, if x is a variable that is assigned once, what is
// assigned to it.
func (p *program) value(x ast.Expr) ast.Expr {
	x = ast.Unparen(x)
	if v := p.object(x); v != nil && len(p.values[v]) == 1 {
		return ast.Unparen(p.values[v][0])
	}
	return x
}

// A variable is a variable, or a field of one.
type variable struct {
	root types.Object
	path string // ".field.field"
}

// variable returns the variable that x is, if it stays the same all the time.
func (p *program) variable(x ast.Expr) (variable, bool) {
	switch x := ast.Unparen(x).(type) {
	case *ast.Ident:
		v := p.object(x)
		return variable{root: v}, v != nil && len(p.values[v]) <= 1
	case *ast.SelectorExpr:
		if v, ok := p.info.Uses[x.Sel].(*types.Var); ok && !v.IsField() {
			return variable{root: v}, len(p.values[v]) <= 1 // another package's
		}
		of, ok := p.variable(x.X)
		of.path += "." + x.Sel.Name
		return of, ok
	}
	return variable{}, false
}

// inOverlay reports whether pkg is the overlay.
func inOverlay(pkg *types.Package) bool {
	if pkg == nil {
		return false
	}
	path, _, _ := strings.Cut(pkg.Path(), " ") // of a test: "path [path.test]"
	return path == overlayPath
}

// is reports whether x is of the overlay's type of that name, or points to one.
func (p *program) is(x ast.Expr, name string) bool {
	t := p.info.TypeOf(x)
	return t != nil && typeName(t) == name
}

// typeName returns the name of a type of the overlay's, or a pointer to one; else "".
func typeName(t types.Type) string {
	t = types.Unalias(t)
	if pointer, ok := t.(*types.Pointer); ok {
		t = types.Unalias(pointer.Elem())
	}
	if named, ok := t.(*types.Named); ok && inOverlay(named.Obj().Pkg()) {
		return named.Obj().Name()
	}
	return ""
}

// callee returns the name of what a call calls, if that is a function of the
// overlay's, or a method of one of its types: "Then", "Conn.ExecAsync". Else "".
func (p *program) callee(call *ast.CallExpr) string {
	fn, ok := typeutil.Callee(p.info, call).(*types.Func)
	if !ok || !inOverlay(fn.Pkg()) {
		return ""
	}
	if of := fn.Signature().Recv(); of != nil {
		return typeName(of.Type()) + "." + fn.Name()
	}
	return fn.Name()
}

// receiver returns x in x.method(…).
func receiver(call *ast.CallExpr) ast.Expr {
	if s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return s.X
	}
	return nil
}

// target returns the Engine or Conn that a call of the overlay's goes to; nil if it
// is not such a call.
func (p *program) target(call *ast.CallExpr) ast.Expr {
	switch name := p.callee(call); {
	case strings.HasPrefix(name, "Engine.") || strings.HasPrefix(name, "Conn."):
		return receiver(call)
	case name == "Scalar" || name == "Collect" || name == "One" || name == "RunInThread":
		if len(call.Args) > 1 {
			return call.Args[1]
		}
	}
	return nil
}

// made returns the call that made a future.
func (p *program) made(future ast.Expr) *ast.CallExpr {
	call, ok := p.value(orBad(future)).(*ast.CallExpr)
	if !ok || !p.is(call, "Future") {
		return nil
	}
	if p.callee(call) == "Then" && len(call.Args) > 0 {
		return p.made(call.Args[0])
	}
	return call
}

// function returns the function literal that x is; nil if it is none, or not known.
func (p *program) function(x ast.Expr) *ast.FuncLit {
	fn, _ := p.value(x).(*ast.FuncLit)
	return fn
}

// parameter returns a function's parameter; nil if it has no name.
func (p *program) parameter(fn *ast.FuncLit, i int) types.Object {
	for _, field := range fn.Type.Params.List {
		for _, name := range field.Names {
			if i == 0 && name.Name == "_" {
				return nil
			}
			if i == 0 {
				return p.info.Defs[name]
			}
			i--
		}
	}
	return nil
}

// inline visits the calls in a function that are made by its own goroutine before it
// returns, as far as that is certain. follow says in which function literals beside
// those called at once it looks too.
func (p *program) inline(fn *ast.FuncLit, follow func(*ast.FuncLit) bool, visit func(*ast.CallExpr)) {
	at, ok := p.root.FindNode(fn.Body)
	if !ok {
		return
	}
	at.Inspect([]ast.Node{(*ast.CallExpr)(nil), (*ast.GoStmt)(nil), (*ast.FuncLit)(nil)}, func(c inspector.Cursor) bool {
		switch n := c.Node().(type) {
		case *ast.GoStmt:
			return false
		case *ast.FuncLit:
			call, ok := c.Parent().Node().(*ast.CallExpr)
			return ok && call.Fun == n || follow != nil && follow(n)
		case *ast.CallExpr:
			visit(n)
		}
		return true
	})
}

// mentions reports whether x mentions a variable.
func (p *program) mentions(x ast.Node, v types.Object) (found bool) {
	ast.Inspect(x, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && v != nil && p.info.Uses[id] == v
		return !found
	})
	return found
}

// within reports whether n is a part of around.
func within(n, around ast.Node) bool { return around.Pos() <= n.Pos() && n.End() <= around.End() }
