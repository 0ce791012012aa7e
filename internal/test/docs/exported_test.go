package docs

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// public lists the directories of the packages that users can import.
func public(t *testing.T) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		switch name := e.Name(); {
		case dir == root:
			return nil
		case name == "internal" || name == "testdata" || name == "examples" || name[0] == '.':
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.SkipDir
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(files) > 0 {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 8 {
		t.Fatalf("found only %q", dirs)
	}
	return dirs
}

// load reads a package with its tests, whatever their build constraints.
func load(t *testing.T, dir string) *doc.Package {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, path.Join("github.com/sqlaio/sqlaio", filepath.ToSlash(strings.TrimPrefix(dir, root))))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every exported identifier has a comment: packages, constants, variables,
// functions, types, methods, and the fields and methods that a type lists.
func TestEverythingExportedHasAComment(t *testing.T) {
	for _, dir := range public(t) {
		p := load(t, dir)
		need := func(what, comment string) {
			if strings.TrimSpace(comment) == "" {
				t.Errorf("%s: %s has no comment", p.ImportPath, what)
			}
		}
		need("package "+p.Name, p.Doc)
		values := func(vs []*doc.Value) {
			for _, v := range vs {
				for _, spec := range v.Decl.Specs {
					s := spec.(*ast.ValueSpec)
					need(s.Names[0].Name, v.Doc+s.Doc.Text()+s.Comment.Text())
				}
			}
		}
		funcs := func(owner string, fs []*doc.Func) {
			for _, f := range fs {
				// What a well-known interface asks for says itself.
				if owner == "" || f.Name != "Error" && f.Name != "String" {
					need(owner+f.Name, f.Doc)
				}
			}
		}
		values(p.Consts)
		values(p.Vars)
		funcs("", p.Funcs)
		for _, ty := range p.Types {
			need(ty.Name, ty.Doc)
			values(ty.Consts)
			values(ty.Vars)
			funcs("", ty.Funcs)
			funcs(ty.Name+".", ty.Methods)
			for _, spec := range ty.Decl.Specs {
				members(spec.(*ast.TypeSpec), func(name, comment string) {
					if !strings.Contains(ty.Doc, name) {
						need(ty.Name+"."+name, comment)
					}
				})
			}
		}
	}
}

// go doc does not show what is behind a name for a type of an internal package, so the
// comment of such a name tells the type's fields and methods.
func TestNamesOfInternalTypesTellWhatTheyAre(t *testing.T) {
	names := 0
	for _, dir := range public(t) {
		for _, ty := range load(t, dir).Types {
			for _, spec := range ty.Decl.Specs {
				name := spec.(*ast.TypeSpec)
				of, ok := name.Type.(*ast.SelectorExpr)
				if !ok || !name.Assign.IsValid() {
					continue
				}
				inner := filepath.Join(root, "internal", of.X.(*ast.Ident).Name)
				if _, err := os.Stat(inner); err != nil {
					continue
				}
				names++
				for _, hidden := range load(t, inner).Types {
					if hidden.Name != of.Sel.Name {
						continue
					}
					need := func(member, _ string) {
						if !strings.Contains(ty.Doc, member) {
							t.Errorf("%s: the comment of %s does not tell of %s", dir, ty.Name, member)
						}
					}
					members(hidden.Decl.Specs[0].(*ast.TypeSpec), need)
					for _, m := range hidden.Methods {
						if m.Name != "Error" && m.Name != "Unwrap" {
							need(m.Name, "")
						}
					}
				}
			}
		}
	}
	if names < 10 {
		t.Errorf("found only %d names", names)
	}
}

// members calls fn for the exported fields and methods in a type's declaration.
func members(s *ast.TypeSpec, fn func(name, comment string)) {
	var list *ast.FieldList
	switch ty := s.Type.(type) {
	case *ast.StructType:
		list = ty.Fields
	case *ast.InterfaceType:
		list = ty.Methods
	default:
		return
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			if n.IsExported() {
				fn(n.Name, f.Doc.Text()+f.Comment.Text())
			}
		}
	}
}

// Every exported type has an example, its own or that of a function which makes it or
// of a method, and the example runs: it has an output to compare.
func TestEveryExportedTypeHasAnExample(t *testing.T) {
	types := 0
	for _, dir := range public(t) {
		p := load(t, dir)
		runs := func(examples []*doc.Example) (n int) {
			for _, e := range examples {
				if e.Output != "" || e.EmptyOutput {
					n++
				} else {
					t.Errorf("%s: Example%s has no output, so it does not run", p.ImportPath, e.Name)
				}
			}
			return n
		}
		for _, f := range p.Funcs {
			runs(f.Examples)
		}
		for _, ty := range p.Types {
			types++
			n := runs(ty.Examples)
			for _, f := range append(ty.Funcs, ty.Methods...) {
				n += runs(f.Examples)
			}
			if n == 0 {
				t.Errorf("%s: type %s has no example", p.ImportPath, ty.Name)
			}
		}
		if p.Name == "main" || len(p.Types) > 0 {
			continue
		}
		n := runs(p.Examples)
		for _, f := range p.Funcs {
			n += len(f.Examples)
		}
		if n == 0 {
			t.Errorf("%s has no example", p.ImportPath)
		}
	}
	t.Logf("%d exported types", types)
}
